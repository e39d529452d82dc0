/**
 * Money that came in beside the vendors (cash, a cheque, a wire), recorded by a person: for an invoice, or for a customer,
 * then the oldest unpaid invoice takes it first. What it exceeds that invoice by pays the customer's other open invoices,
 * oldest first, and only then stays as credit. Each invoice it reaches has a payment of its own that names this one as its
 * source. What vendors took too much stays credit: it can be given back whole.
 *
 * Why it is safe to run twice: the reference is unique, so the second run finds the first one's payment; all of it is one
 * transaction under the customer's lock, so no other payment sees the invoices in between.
 */
import { and, asc, eq, inArray, or } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { type Money, money } from '../../../domain/money.ts';
import { type AppliedRate, isRate } from '../../../domain/payments/exchange-rate.ts';
import { exchanged } from '../../../domain/payments/foreign-payment.ts';
import { allocate } from '../../../domain/payments/payment.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { dueOf, type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import { lockCustomer } from '../billing/subscriptions.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { readRate } from './exchange-rates.ts';
import { findPaymentByReference } from './read-payments.ts';
import {
  type RecordedByHand,
  type Settled,
  type SettlePaymentInput,
  settlePayment,
} from './settle-payment.ts';

export type RecordedPayment = {
  tenantId: string;
  /** What identifies the money. */
  reference: string;
  /** As it was paid, in any currency. */
  amount: Money;
  /** Of the amount: what banks kept. */
  bankFeeMinor?: number | undefined;
  /** As on the advice of the bank: units of the invoice's currency for one of the amount's. As usual the day's rate. */
  exchange?: { rate: string; source: string } | undefined;
  at: Date;
  receivedAt: Date;
  note?: string | undefined;
  /** How it came and who has recorded it. */
  hand?: RecordedByHand | undefined;
};

/**
 * Throws `not_found`, and `state_conflict` with the reasons `reference_already_booked`, `payment_returned`,
 * `fee_above_amount`, `exchange_rate_missing` and `exchange_rate_unusable`. Nothing is written then.
 */
export async function recordInvoicePayment(
  tx: Tx,
  { invoiceId, ...recorded }: RecordedPayment & { invoiceId: string },
): Promise<Settled> {
  const { customerId } = await readInvoice(tx, invoiceId);
  await lockCustomer(tx, customerId);
  return record(tx, recorded, { invoice: await readInvoice(tx, invoiceId) });
}

/** Throws also `nothing_unpaid`. */
export async function recordCustomerPayment(
  tx: Tx,
  { customerId, ...recorded }: RecordedPayment & { customerId: string },
): Promise<Settled & { invoiceId: string }> {
  await lockCustomer(tx, customerId);
  const booked = await findPaymentByReference(tx, { rail: 'manual', externalId: recorded.reference });
  if (booked?.customerId === customerId) {
    const invoice = await readInvoice(tx, booked.invoiceId);
    return { ...(await record(tx, recorded, { invoice })), invoiceId: invoice.id };
  }
  const oldest = await oldestUnpaid(tx, customerId);
  let owedMinor = 0;
  const duesMinor = (await openInvoices(tx, customerId)).map((invoice) => {
    owedMinor += dueOf(invoice).amountMinor;
    return owedMinor;
  });
  return { ...(await record(tx, recorded, { invoice: oldest, duesMinor })), invoiceId: oldest.id };
}

/** The invoice that money which names none pays first. Throws `nothing_unpaid`. */
export async function oldestUnpaid(tx: Tx, customerId: string): Promise<InvoiceRow> {
  const [oldest] = await openInvoices(tx, customerId);
  if (oldest !== undefined) return oldest;
  throw new DomainError({
    code: 'state_conflict',
    reason: 'nothing_unpaid',
    message:
      'The customer has no unpaid invoice. Record the money for one of its invoices (POST /v1/invoices/{invoiceId}/payments): then it becomes credit, which pays the next one.',
  });
}

/** The rate at which money for an invoice would be booked, null for its own currency. Throws what recording it throws. */
export async function checkBookable(
  tx: Tx,
  recorded: Pick<RecordedPayment, 'amount' | 'bankFeeMinor' | 'exchange' | 'receivedAt'>,
  invoice: InvoiceRow,
): Promise<AppliedRate | null> {
  const { amount, bankFeeMinor = 0 } = recorded;
  if (bankFeeMinor >= amount.amountMinor) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'fee_above_amount',
      message:
        'The fee takes all of the amount. amountMinor is what the customer paid; feeMinor the part of it that banks kept.',
    });
  }
  const rate = await rateFor(tx, recorded, invoice);
  if (rate !== null) exchanged(amount, { rate, duesMinor: [] });
  return rate;
}

/** One payment and what it paid of an invoice. */
export type Allocation = {
  paymentId: string;
  invoiceId: string;
  invoiceNumber: string;
  amountMinor: number;
};

/** Where the money of payments went, first to their own invoices, by the payment that brought it. */
export async function listAllocations(
  tx: Tx,
  paymentIds: readonly string[],
): Promise<Map<string, Allocation[]>> {
  const found = new Map<string, Allocation[]>(paymentIds.map((id) => [id, []]));
  if (paymentIds.length === 0) return found;
  const rows = await tx
    .select({ payment: payments, invoiceNumber: invoices.number })
    .from(payments)
    .innerJoin(invoices, eq(invoices.id, payments.invoiceId))
    .where(or(inArray(payments.id, [...paymentIds]), inArray(payments.sourcePaymentId, [...paymentIds])))
    .orderBy(asc(payments.id));
  for (const { payment, invoiceNumber } of rows) {
    const { id: paymentId, invoiceId, allocatedMinor: amountMinor, sourcePaymentId } = payment;
    if (amountMinor === 0) continue;
    const allocation = { paymentId, invoiceId, invoiceNumber, amountMinor };
    for (const id of [paymentId, sourcePaymentId]) if (id !== null) found.get(id)?.push(allocation);
  }
  return found;
}

async function record(
  tx: Tx,
  recorded: RecordedPayment,
  { invoice, duesMinor }: { invoice: InvoiceRow; duesMinor?: readonly number[] },
): Promise<Settled> {
  const { tenantId, reference, amount, bankFeeMinor = 0, at, receivedAt, note, hand } = recorded;
  const isBooked = (await findPaymentByReference(tx, { rail: 'manual', externalId: reference })) !== null;
  const rate = isBooked ? null : await checkBookable(tx, recorded, invoice);
  const input: SettlePaymentInput = {
    tenantId,
    invoiceId: invoice.id,
    rail: 'manual',
    externalId: reference,
    amount,
    bankFeeMinor,
    at,
    receivedAt,
    ...(note !== undefined && { note }),
    ...(hand !== undefined && { hand }),
    ...(rate !== null && { exchange: { rate, ...(duesMinor !== undefined && { duesMinor }) } }),
  };
  const settled = await settlePayment(tx, input);
  if (settled.excessMinor === 0) return settled;
  const excess = money(settled.excessMinor, invoice.currency);
  const leftMinor = await payOthers(tx, { invoice, paymentId: settled.paymentId, excess, at });
  return { ...settled, excessMinor: leftMinor };
}

/** The rate of money in another currency than the invoice's; null for its own. */
async function rateFor(
  tx: Tx,
  { amount, exchange, receivedAt }: Pick<RecordedPayment, 'amount' | 'exchange' | 'receivedAt'>,
  { currency }: InvoiceRow,
): Promise<AppliedRate | null> {
  const [base, quote] = [amount.currency, currency];
  const { timeZone } = await currentTenant(tx);
  const day = dayAt(receivedAt.toISOString(), timeZone);
  if (exchange === undefined) return base === quote ? null : readRate(tx, { base, quote, day });
  if (base === quote)
    throw unusable(`The invoice is in ${quote} too; leave exchangeRate and rateSource out.`);
  const { rate, source } = exchange;
  if (!isRate(rate)) {
    throw unusable(
      `exchangeRate must be above 0, with 12 digits before the point and 20 behind it at most: how many ${quote} one ${base} is.`,
    );
  }
  return { base, quote, day, legs: [{ base, quote, rate, source }] };
}

/** A rate that cannot be meant. */
export function unusable(message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason: 'exchange_rate_unusable', message });
}

/** Pays the customer's other open invoices with what one payment left over; returns what is left of that. */
async function payOthers(
  tx: Tx,
  { invoice, paymentId, excess, at }: { invoice: InvoiceRow; paymentId: string; excess: Money; at: Date },
): Promise<number> {
  const { tenantId, customerId } = invoice;
  let leftMinor = excess.amountMinor;
  for (const { id } of await openInvoices(tx, customerId)) {
    // What was paid before it may have closed it.
    const other = await readInvoice(tx, id);
    if (other.status !== 'open' || other.currency !== excess.currency) continue;
    const { allocatedMinor } = allocate({ amountMinor: leftMinor, dueMinor: dueOf(other).amountMinor });
    if (allocatedMinor === 0) continue;
    leftMinor -= allocatedMinor;
    await settlePayment(tx, {
      tenantId,
      invoiceId: id,
      rail: 'credit',
      externalId: `${paymentId}:${id}`,
      amount: money(allocatedMinor, excess.currency),
      sourcePaymentId: paymentId,
      at,
    });
  }
  return leftMinor;
}

/** What the customer owes, oldest first. One of an ended subscription is owed as well. */
async function openInvoices(tx: Tx, customerId: string): Promise<InvoiceRow[]> {
  return tx
    .select()
    .from(invoices)
    .where(and(eq(invoices.customerId, customerId), eq(invoices.status, 'open')))
    .orderBy(asc(invoices.issuedAt), asc(invoices.id));
}
