/** Stripe Tax's objects in our words. Pure: what Stripe said goes in, what it means to us comes out. */
import type Stripe from 'stripe';
import type { AnsweredTax, TaxAnswer } from '../../domain/billing/tax-engine.ts';
import { normalisedPercent, type TaxKind } from '../../domain/billing/tax-rate.ts';
import { fromStripeAmount } from './amounts.ts';

/** A calculation whose lines are expanded with their taxes. */
export function toTaxAnswer(calculation: Stripe.Tax.Calculation): TaxAnswer {
  const { id, expires_at: expiresAt, currency } = calculation;
  if (id === null || expiresAt === null) throw new Error('The calculation cannot be recorded');
  return {
    externalId: id,
    expiresAt: new Date(expiresAt * 1000).toISOString(),
    lines: (calculation.line_items?.data ?? []).map(({ reference, amount_tax, tax_breakdown }) => {
      const parts = tax_breakdown ?? [];
      const sum = parts.reduce((all, { amount }) => all + amount, 0);
      if (sum !== amount_tax) throw new Error('The taxes of a line do not sum up to its tax');
      return { reference, taxes: parts.map((tax) => toTax(tax, currency)) };
    }),
  };
}

/** The ids of a transaction's lines, by our references. */
export function toLineIds({ line_items }: Stripe.Tax.Transaction): Record<string, string> {
  return Object.fromEntries((line_items?.data ?? []).map(({ reference, id }) => [reference, id]));
}

type Breakdown = NonNullable<Stripe.Tax.CalculationLineItem['tax_breakdown']>[number];

function toTax(
  { amount, taxable_amount, jurisdiction, tax_rate_details: rate, taxability_reason }: Breakdown,
  currency: string,
): AnsweredTax {
  const { country, state } = jurisdiction;
  const minor = (stripeAmount: number) => fromStripeAmount({ amount: stripeAmount, currency }).amountMinor;
  return {
    name: nameOf(rate, jurisdiction),
    kind: kinds[rate?.tax_type ?? ''] ?? 'sales_tax',
    percent: normalisedPercent(rate?.percentage_decimal ?? '0'),
    jurisdiction: state === null || state === '' ? country : `${country}-${state}`,
    baseMinor: minor(taxable_amount),
    amountMinor: minor(amount),
    reason: reasons[taxability_reason] ?? 'taxed',
  };
}

/** Below the state several places may levy the same tax, so these are named. */
function nameOf(
  rate: Breakdown['tax_rate_details'],
  { level, display_name: place }: Breakdown['jurisdiction'],
): string {
  const name = shortNames[rate?.tax_type ?? ''] ?? rate?.display_name ?? 'Tax';
  return level === 'country' || level === 'state' ? name : `${name}, ${place}`;
}

const shortNames: Partial<Record<string, string>> = {
  vat: 'VAT',
  gst: 'GST',
  hst: 'HST',
  igst: 'IGST',
  jct: 'JCT',
  pst: 'PST',
  qst: 'QST',
  rst: 'RST',
};

const kinds: Partial<Record<string, TaxKind>> = {
  vat: 'vat',
  gst: 'gst',
  hst: 'gst',
  igst: 'gst',
};

/** What is charged at any rate, 0 included, is taxed; what Stripe may add one day too, as far as it names an amount. */
const reasons: Partial<Record<string, AnsweredTax['reason']>> = {
  reverse_charge: 'reverse_charge',
  customer_exempt: 'exempt',
  not_collecting: 'untaxed',
  not_subject_to_tax: 'untaxed',
  not_supported: 'untaxed',
  product_exempt: 'untaxed',
  product_exempt_holiday: 'untaxed',
  portion_product_exempt: 'untaxed',
};
