/** Tax calculations: what a sale would bear. They have no effect, and end after 90 days. */
import type Stripe from 'stripe';
import { z } from 'zod';
import { type LineTax, taxLines } from '../../../domain/billing/tax-amounts.ts';
import { normalisedPercent } from '../../../domain/billing/tax-rate.ts';
import { vendorId } from '../../sandbox/random.ts';
import type { StripeContext } from './context.ts';
import { invalidRequest, noSuch } from './errors.ts';
import { expand, integer, operation, type StripeOperation, text } from './params.ts';
import { isFound, isReverseCharged, isTaxFree, type SandboxTax, taxesAt } from './tax-rates.ts';

const address = z.strictObject({
  country: text,
  line1: text.optional(),
  line2: text.optional(),
  city: text.optional(),
  state: text.optional(),
  postal_code: text.optional(),
});

const calculationParams = z.strictObject({
  currency: text,
  tax_date: integer.optional(),
  customer_details: z.strictObject({
    address,
    address_source: z.enum(['billing', 'shipping']),
    tax_ids: z.array(z.strictObject({ type: text, value: text })).default([]),
    taxability_override: z.enum(['customer_exempt', 'none', 'reverse_charge']).default('none'),
  }),
  line_items: z
    .array(
      z.strictObject({
        amount: integer,
        reference: text,
        tax_behavior: z.enum(['exclusive', 'inclusive']).default('exclusive'),
        tax_code: text.default('txcd_10000000'),
        quantity: integer.default(1),
      }),
    )
    .min(1),
  expand,
});

type Wanted = z.output<typeof calculationParams>;
type Line = Stripe.Tax.CalculationLineItem;
type Breakdown = NonNullable<Line['tax_breakdown']>[number];

export function taxCalculationOperations(context: StripeContext): StripeOperation[] {
  const { taxCalculations } = context;
  return [
    operation({
      op: 'tax.calculations.create',
      method: 'POST',
      path: '/v1/tax/calculations',
      params: calculationParams,
      run: ({ params }) => {
        const calculation = newCalculation(context, params);
        taxCalculations.put(String(calculation.id), calculation);
        return {
          body: shown(calculation, params.expand),
          note: { outcome: 'effect', objectId: String(calculation.id) },
        };
      },
    }),
    operation({
      op: 'tax.calculations.retrieve',
      method: 'GET',
      path: '/v1/tax/calculations/:id',
      params: z.strictObject({ expand }),
      run: ({ params, pathParams: { id = '' } }) => ({
        body: shown(livingCalculation(context, id, 'calculation'), params.expand),
      }),
    }),
  ];
}

/** Throws Stripe's refusal for one that is not there, or not any more. */
export function livingCalculation(
  { taxCalculations, clock }: StripeContext,
  id: string,
  param: string,
): Stripe.Tax.Calculation {
  const calculation = taxCalculations.get(id);
  if (!calculation || (calculation.expires_at ?? 0) <= clock.seconds())
    throw noSuch('tax calculation', id, param);
  return calculation;
}

function newCalculation({ clock }: StripeContext, wanted: Wanted): Stripe.Tax.Calculation {
  refuseUnfit(wanted, clock.seconds());
  const lines = wanted.line_items.map((line) => taxedLine(line, wanted));
  const sum = (behavior: string) =>
    lines.reduce((all, line) => (line.tax_behavior === behavior ? all + line.amount_tax : all), 0);
  const now = clock.seconds();
  return {
    id: vendorId('taxcalc'),
    object: 'tax.calculation',
    amount_total: lines.reduce((all, { amount }) => all + amount, sum('exclusive')),
    currency: wanted.currency,
    customer: null,
    customer_details: customerDetails(wanted),
    expires_at: now + EXPIRES_SECONDS,
    line_items: { object: 'list', data: lines, has_more: false, url: '/v1/tax/calculations/line_items' },
    livemode: false,
    ship_from_details: null,
    shipping_cost: null,
    tax_amount_exclusive: sum('exclusive'),
    tax_amount_inclusive: sum('inclusive'),
    tax_breakdown: lines.flatMap((line) => (line.tax_breakdown ?? []).map((tax) => total(tax, line))),
    tax_date: wanted.tax_date ?? now,
  };
}

const EXPIRES_SECONDS = 90 * 86_400;
/** Stripe knows the rates of a month back and ahead. */
const DATES_WITHIN_SECONDS = 31 * 86_400;

function refuseUnfit({ customer_details, line_items, tax_date }: Wanted, now: number): void {
  if (!isFound(customer_details.address)) {
    throw invalidRequest(
      "We could not determine the customer's tax location based on the provided customer address.",
      { code: 'customer_tax_location_invalid', param: 'customer_details[address]' },
    );
  }
  if (tax_date !== undefined && Math.abs(tax_date - now) > DATES_WITHIN_SECONDS) {
    throw invalidRequest('The tax date is too far from now.', { param: 'tax_date' });
  }
  for (const [index, { amount, tax_code }] of line_items.entries()) {
    if (amount < 0)
      throw invalidRequest('The amount must not be negative.', { param: `line_items[${index}][amount]` });
    if (!/^txcd_\d{8}$/.test(tax_code))
      throw invalidRequest(`No such tax code: '${tax_code}'`, { param: `line_items[${index}][tax_code]` });
  }
}

function taxedLine(line: Wanted['line_items'][number], wanted: Wanted): Line {
  const { country, state = null } = wanted.customer_details.address;
  const breakdown = breakdownOf(line, wanted, { country, state });
  return {
    id: vendorId('tax_li'),
    object: 'tax.calculation_line_item',
    amount: line.amount,
    amount_tax: breakdown.reduce((sum, { amount }) => sum + amount, 0),
    livemode: false,
    metadata: null,
    product: null,
    quantity: line.quantity,
    reference: line.reference,
    tax_behavior: line.tax_behavior,
    tax_breakdown: breakdown,
    tax_code: line.tax_code,
  } as Line;
}

function breakdownOf(
  { amount, tax_behavior }: Wanted['line_items'][number],
  { customer_details }: Wanted,
  place: { country: string; state: string | null },
): Breakdown[] {
  const { country, state } = place;
  const taxes = taxesAt(country, state);
  const untaxed = (taxability_reason: string): Breakdown[] => [
    {
      amount: 0,
      jurisdiction: { country, display_name: country, level: 'country', state: null },
      sourcing: 'destination',
      tax_rate_details: null,
      taxability_reason,
      taxable_amount: 0,
    },
  ];
  if (isTaxFree(country, state)) return untaxed('not_subject_to_tax');
  if (taxes === null) return untaxed('not_collecting');
  const override = customer_details.taxability_override;
  if (override === 'customer_exempt') return untaxed('customer_exempt');
  const types = customer_details.tax_ids.map(({ type }) => type);
  if (override === 'reverse_charge' || isReverseCharged(country, types)) {
    return taxes.map((tax) => ({
      ...written(tax, place, { amountMinor: 0, baseMinor: amount }),
      taxability_reason: 'reverse_charge',
    }));
  }
  const rates = taxes.map(({ percent, charged = percent, name }) => {
    const exact = normalisedPercent(charged);
    return {
      percent: exact,
      components: [{ name, kind: 'vat' as const, percent: exact, jurisdiction: country }],
    };
  });
  const [taxed] = taxLines([
    { amountMinor: amount, taxation: { rates, isInclusive: tax_behavior === 'inclusive' } },
  ]);
  return taxes.map((tax, index) =>
    written(tax, place, taxed?.taxes[index] ?? { amountMinor: 0, baseMinor: 0 }),
  );
}

function written(
  { level, place, name, type, percent, charged }: SandboxTax,
  { country, state }: { country: string; state: string | null },
  { amountMinor, baseMinor }: Pick<LineTax, 'amountMinor' | 'baseMinor'>,
): Breakdown {
  const taxable = charged === undefined ? baseMinor : Math.round((baseMinor * 4) / 5);
  return {
    amount: amountMinor,
    jurisdiction: {
      country,
      display_name: place,
      level,
      state: level === 'country' ? null : state,
    },
    sourcing: 'destination',
    tax_rate_details: { display_name: name, percentage_decimal: percent, tax_type: type },
    taxability_reason: charged === undefined ? 'standard_rated' : 'taxable_basis_reduced',
    taxable_amount: taxable,
  };
}

/** The same tax as the calculation's own list names it. */
function total(
  { amount, jurisdiction, tax_rate_details: rate, taxability_reason, taxable_amount }: Breakdown,
  { tax_behavior }: Line,
): Stripe.Tax.Calculation['tax_breakdown'][number] {
  return {
    amount,
    inclusive: tax_behavior === 'inclusive',
    tax_rate_details: {
      country: jurisdiction.country,
      flat_amount: null,
      percentage_decimal: rate?.percentage_decimal ?? '0.0',
      rate_type: rate === null ? null : 'percentage',
      state: jurisdiction.state,
      tax_type: rate?.tax_type ?? null,
    },
    taxability_reason,
    taxable_amount,
  };
}

function customerDetails({ customer_details }: Wanted): Stripe.Tax.Calculation['customer_details'] {
  const { address: given, address_source, tax_ids, taxability_override } = customer_details;
  const { country, line1 = null, line2 = null, city = null, state = null, postal_code = null } = given;
  return {
    address: { country, line1, line2, city, state, postal_code },
    address_source,
    ip_address: null,
    tax_ids,
    taxability_override,
  };
}

/** Lines and their taxes are told only where they are asked for. */
function shown(calculation: Stripe.Tax.Calculation, paths: readonly string[]): object {
  const { line_items, ...rest } = calculation;
  const unknown = paths.find((path) => path !== 'line_items' && path !== WITH_TAXES);
  if (unknown !== undefined)
    throw invalidRequest(`This property cannot be expanded (${unknown}).`, { param: 'expand' });
  if (paths.length === 0) return rest;
  if (paths.includes(WITH_TAXES)) return calculation;
  const data = (line_items?.data ?? []).map(({ tax_breakdown: _, ...line }) => line);
  return { ...rest, line_items: { ...line_items, data } };
}

const WITH_TAXES = 'line_items.data.tax_breakdown';
