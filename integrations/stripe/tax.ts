/**
 * Stripe Tax as our tax engine, on the official SDK: calculations, which have no effect, and transactions, which are what
 * Stripe reports of. https://docs.stripe.com/tax/custom
 *
 * Why it is safe to run twice: a transaction carries a reference that is unique at Stripe for ever, and a key by which a
 * repeat gets the first answer for at least 24 hours. A repeat after that is refused by the reference, so nothing is
 * recorded twice; only the id is lost then, because Stripe has no list of transactions to look it up in.
 */
import Stripe from 'stripe';
import type { Recorded, TaxEngine, TaxRequest } from '../../domain/billing/tax-engine.ts';
import type { TaxIdKind } from '../../domain/billing/tax-id.ts';
import { isInEuropeanUnion } from '../../domain/countries.ts';
import { VendorError } from '../../domain/errors.ts';
import { money } from '../../domain/money.ts';
import { ChargeRefused } from '../../domain/payments/card-payment.ts';
import { toStripeAmount } from './amounts.ts';
import { createStripe, type StripeConnection } from './connection.ts';
import { toVendorError, withCode } from './errors.ts';
import { toLineIds, toTaxAnswer } from './tax-transform.ts';

/** Connects to Stripe, or to whatever listens at `apiBase`. */
export function createStripeTaxEngine({
  timeoutMs = ANSWERS_WITHIN_MS,
  ...connection
}: StripeConnection): TaxEngine {
  const stripe = createStripe({ ...connection, timeoutMs });
  return {
    calculate: (request, { now }) => calculate(stripe, request, now),
    recordSale: ({ calculation, reference, idempotencyKey }) =>
      recorded(() =>
        stripe.tax.transactions.createFromCalculation(
          { calculation, reference, expand: ['line_items'] },
          { idempotencyKey },
        ),
      ),
    recordReversal: ({ original, currency, lines, reference, idempotencyKey }) =>
      recorded(() =>
        stripe.tax.transactions.createReversal(
          {
            mode: 'partial',
            original_transaction: original,
            reference,
            line_items: lines.map(({ externalLineId, amountMinor, taxMinor }) => ({
              original_line_item: externalLineId,
              reference: externalLineId,
              amount: -inStripe(amountMinor, currency),
              amount_tax: -inStripe(taxMinor, currency),
            })),
          },
          { idempotencyKey },
        ),
      ),
    undoReversal: ({ original, reference, idempotencyKey }) =>
      recorded(() =>
        stripe.tax.transactions.createReversal(
          { mode: 'full', original_transaction: original, reference },
          { idempotencyKey },
        ),
      ),
  };
}

/** Whoever asks is in a step that may take 15 seconds, transactions included. */
const ANSWERS_WITHIN_MS = 8_000;

async function calculate(stripe: Stripe, request: TaxRequest, now: string) {
  try {
    const calculation = await stripe.tax.calculations.create({
      currency: request.currency.toLowerCase(),
      ...taxDate(request.taxAt, now),
      customer_details: {
        address: toStripeAddress(request.to),
        address_source: 'billing',
        ...taxIdsOf(request),
        ...(request.isExempt && { taxability_override: 'customer_exempt' }),
      },
      line_items: request.lines.map(({ reference, amountMinor, taxCode }) => ({
        reference,
        amount: inStripe(amountMinor, request.currency),
        tax_behavior: request.isInclusive ? 'inclusive' : 'exclusive',
        ...(taxCode !== null && isStripeTaxCode(taxCode) && { tax_code: taxCode }),
      })),
      expand: ['line_items.data.tax_breakdown'],
    });
    return toTaxAnswer(calculation);
  } catch (error) {
    const failure = toVendorError(error, { mutates: false });
    throw isLocation(error) ? withCode(failure, 'tax_location_invalid') : failure;
  }
}

/** Stripe knows the rates of a month; an invoice that is later than that is taxed as today. */
function taxDate(taxAt: string, now: string): { tax_date?: number } {
  const isKnown = Math.abs(Date.parse(now) - Date.parse(taxAt)) < KNOWN_DAYS * DAY_MS;
  return isKnown ? { tax_date: Math.floor(Date.parse(taxAt) / 1000) } : {};
}

/** Of the 31 that Stripe allows, one is left for clocks that differ. */
const KNOWN_DAYS = 30;
const DAY_MS = 86_400_000;

function toStripeAddress({ country, region, postalCode, lines }: TaxRequest['to']) {
  // The town is the last line; the others are the street.
  const [street, town] = lines.length > 1 ? [lines.slice(0, -1), lines.at(-1)] : [lines, undefined];
  return {
    country,
    ...(street[0] !== undefined && { line1: street[0] }),
    ...(street.length > 1 && { line2: street.slice(1).join(', ') }),
    ...(town !== undefined && { city: town }),
    ...(region !== null && { state: region }),
    ...(postalCode !== null && { postal_code: postalCode }),
  };
}

function taxIdsOf({ taxId, to }: TaxRequest) {
  const type = taxId === null ? null : taxIdType(taxId.kind, to.country);
  return taxId === null || type === null ? {} : { tax_ids: [{ type, value: taxId.value }] };
}

/** Null for ids of countries whose forms we do not know: Stripe has several kinds for many of them. */
function taxIdType(kind: TaxIdKind, country: string): string | null {
  switch (kind) {
    case 'gstin':
      return 'in_gst';
    case 'vat':
      return isInEuropeanUnion(country) ? 'eu_vat' : `${country.toLowerCase()}_vat`;
    case 'other':
      return null;
    default:
      return kind satisfies never;
  }
}

/** Codes of a tax office mean nothing to Stripe; without a code it takes the account's default. */
function isStripeTaxCode(taxCode: string): boolean {
  return taxCode.startsWith('txcd_');
}

async function recorded(request: () => Promise<Stripe.Tax.Transaction>): Promise<Recorded> {
  try {
    const transaction = await request();
    return { externalId: transaction.id, lines: toLineIds(transaction) };
  } catch (error) {
    if (isReferenceTaken(error)) return null;
    const failure = toVendorError(error, { mutates: true });
    // Nothing is wrong with the record: it is owed until there is a key that may tell it.
    throw isKeyRefused(error) ? withCode(failure, 'vendor_unavailable') : failure;
  }
}

function isReferenceTaken(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeInvalidRequestError && error.param === 'reference';
}

function isKeyRefused(error: unknown): boolean {
  return (
    error instanceof Stripe.errors.StripeAuthenticationError ||
    error instanceof Stripe.errors.StripePermissionError
  );
}

function isLocation(error: unknown): boolean {
  return (
    error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'customer_tax_location_invalid'
  );
}

function inStripe(amountMinor: number, currency: string): number {
  try {
    return toStripeAmount(money(amountMinor, currency)).amount;
  } catch (error) {
    if (!(error instanceof ChargeRefused)) throw error;
    throw new VendorError({ code: 'vendor_rejected_request', message: error.message });
  }
}
