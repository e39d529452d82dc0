/**
 * The books of a refund: when money is given back, cash leaves, payment and invoice remember it, a credit note corrects
 * the invoice and its tax, and the customer is told; when the bank sends it back, all of that is taken back. Call under the
 * customer's lock; the caller knows that it has not been done yet.
 */
import { and, eq, ne, sql } from 'drizzle-orm';
import { formatMoney, type Money, money, subtract } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { payments, refunds } from '../../schema/payments.ts';
import { addCredit } from '../billing/customers.ts';
import { isVoidedSince } from '../billing/invoices.ts';
import { addTimelineEntry, type SubscriptionContext } from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { issueCreditNote, reverseCreditNote } from './credit-notes.ts';
import { type ForeignPart, foreignPartOf, outflowLines } from './inflow.ts';
import { fundsOf, postToLedger } from './ledger.ts';
import type { PaymentRow } from './read-payments.ts';
import type { RefundContext, RefundRow } from './refunds.ts';

type Booking = RefundContext & { refund: RefundRow; at: Date };

/** What was paid out of the customer's credit goes back there: no cash moves, and no mail speaks of a bank. */
export async function giveBack(tx: Tx, booking: Booking): Promise<RefundRow> {
  const { refund, payment, invoice, context, at } = booking;
  const amount = money(refund.amountMinor, refund.currency);
  const creditMinor = await creditPart(tx, booking);
  const foreign = foreignPartOf(payment, refund);
  const given = await updateRefund(tx, refund, {
    status: 'succeeded',
    creditMinor,
    ...refundedColumns(foreign),
    refundedAt: at,
  });

  const { taxMinor } = await issueCreditNote(tx, { refund: given, invoice, at });
  await postRefund(tx, { ...booking, refund: given, foreign, taxMinor, sign: 1 });
  const toCredit = payment.rail === 'credit';
  const inMoney = foreign === null ? formatMoney(amount) : givenInWords(amount, foreign);
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'payment_refunded',
    message: toCredit
      ? `${formatMoney(amount)} of invoice ${invoice.number} went back to the customer's credit.`
      : `${inMoney} of invoice ${invoice.number} was refunded.`,
    details: { invoiceId: invoice.id, paymentId: payment.id, refundId: refund.id },
  });
  if (!toCredit) await tellCustomer(tx, booking, foreign?.received ?? amount);
  return given;
}

/** What of a refund comes out of the customer's credit: money that has paid no invoice goes first. */
async function creditPart(tx: Tx, { refund, payment, context }: Omit<Booking, 'at'>): Promise<number> {
  if (refund.isCreditHeld) return refund.creditMinor;
  if (refund.lines.length > 0) return 0;
  return Math.min(refund.amountMinor, await unspentCredit(tx, payment, context));
}

/** A vendor is to be asked, which may take days: nobody else spends the credit meanwhile. */
export async function holdCredit(tx: Tx, booking: Booking): Promise<RefundRow> {
  const creditMinor = await creditPart(tx, booking);
  const held = await updateRefund(tx, booking.refund, { isCreditHeld: true, creditMinor });
  await moveHeld(tx, { ...booking, refund: held }, 1);
  return held;
}

/**
 * Nothing is given back: the credit is the customer's again, unless the payment it came from was lost meanwhile, and so is what a
 * void had counted as given.
 */
export async function releaseCredit(tx: Tx, booking: Booking): Promise<void> {
  const { refund, payment } = booking;
  if (!refund.isCreditHeld) return;
  const leftMinor = payment.amountMinor - payment.returnedMinor - payment.allocatedMinor;
  const overMinor = Math.max(0, (await creditGivenBack(tx, payment.id)) - leftMinor);
  const lostMinor = Math.min(overMinor, refund.creditMinor);
  await moveHeld(tx, booking, -1, { lostMinor, leftOutMinor: leftOutOf(booking) });
  await updateRefund(tx, booking.refund, { isCreditHeld: false, creditMinor: 0 });
}

/** What of a refund the void of its invoice had left out of the credit, because it counted as given. */
function leftOutOf({ refund, payment, invoice }: Pick<Booking, 'refund' | 'payment' | 'invoice'>): number {
  const { isCreditHeld, requestedAt, refundedAt, amountMinor, creditMinor } = refund;
  if (!isVoidedSince(invoice, isCreditHeld ? requestedAt : refundedAt)) return 0;
  return Math.min(amountMinor - creditMinor, payment.amountMinor - payment.returnedMinor);
}

/**
 * `lostMinor`: of what is released, what became bad debt when its payment was taken back; it is none, for it was not given.
 * `leftOutMinor`: see `leftOutOf`.
 */
async function moveHeld(
  tx: Tx,
  { refund, invoice, at }: Booking,
  sign: 1 | -1,
  { lostMinor = 0, leftOutMinor = 0 }: { lostMinor?: number; leftOutMinor?: number } = {},
): Promise<void> {
  const heldMinor = sign * refund.creditMinor;
  const creditMinor = heldMinor + lostMinor - leftOutMinor;
  await addCredit(tx, invoice.customerId, -creditMinor);
  await postToLedger(tx, {
    tenantId: refund.tenantId,
    kind: sign === 1 ? 'refund_held' : 'refund_released',
    reference: refund.id,
    at,
    lines: [
      { account: 'customer_credit', amount: money(creditMinor, refund.currency) },
      { account: 'bad_debt', amount: money(0 - lostMinor, refund.currency) },
      { account: 'refunds', amount: money(leftOutMinor, refund.currency) },
      { account: 'refunds_pending', amount: money(0 - heldMinor, refund.currency) },
    ],
  });
}

async function updateRefund(tx: Tx, { id }: RefundRow, set: Partial<RefundRow>): Promise<RefundRow> {
  const [row] = await tx.update(refunds).set(set).where(eq(refunds.id, id)).returning();
  if (row === undefined) throw new Error(`Refund ${id} disappeared`);
  return row;
}

/**
 * The bank could not pay it out: we have the money again, and a person decides what to do with it. Of an invoice that was voided
 * since it is the customer's credit, as all that had paid it.
 */
export async function takeBack(tx: Tx, booking: Booking): Promise<void> {
  const { refund, invoice, context, at } = booking;
  await tx
    .update(refunds)
    .set({ status: 'failed', reversedAt: at, failureCode: 'failed_at_bank' })
    .where(eq(refunds.id, refund.id));
  const { taxMinor } = await reverseCreditNote(tx, { refund, invoice, at });
  // Only vendors' refunds come back, and vendors take the invoice's currency.
  await postRefund(tx, { ...booking, foreign: null, taxMinor, sign: -1 });
  const amount = money(refund.amountMinor, refund.currency);
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'refund_failed',
    message: `The refund of ${formatMoney(amount)} of invoice ${invoice.number} failed at the bank: the money is back with us.`,
    details: { invoiceId: invoice.id, paymentId: refund.paymentId, refundId: refund.id },
  });
}

function tellCustomer(tx: Tx, { refund, invoice, context, at }: Booking, refunded: Money): Promise<void> {
  return enqueueNotification(tx, {
    tenantId: refund.tenantId,
    at,
    request: {
      template: 'payment_refunded',
      variables: {
        planName: context.plan.name,
        invoiceNumber: invoice.number,
        amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
        refunded: formatMoney(refunded),
      },
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `refund:${refund.id}`,
    },
  });
}

async function postRefund(
  tx: Tx,
  {
    refund,
    payment,
    invoice,
    foreign,
    taxMinor,
    sign,
    at,
  }: Booking & {
    foreign: ForeignPart | null;
    /** Of the refund: what the credit note takes back, or owes again. */
    taxMinor: number;
    sign: 1 | -1;
  },
): Promise<void> {
  const { id, tenantId, currency } = refund;
  const refundedMinor = sign * refund.amountMinor;
  const creditMinor = sign * refund.creditMinor;
  const toCreditMinor = payment.rail === 'credit' ? refundedMinor : 0;
  await tx
    .update(payments)
    .set({ refundedMinor: sql`${payments.refundedMinor} + ${refundedMinor}` })
    .where(eq(payments.id, payment.id));
  await tx
    .update(invoices)
    .set({ refundedMinor: sql`${invoices.refundedMinor} + ${refundedMinor}` })
    .where(eq(invoices.id, invoice.id));
  // What was held has left the credit before; what the bank sends back goes to the credit either way.
  const isHeld = sign === 1 && refund.isCreditHeld;
  const fromCreditMinor = creditMinor - (sign === 1 ? 0 : leftOutOf({ refund, payment, invoice }));
  await addCredit(tx, invoice.customerId, toCreditMinor - (isHeld ? 0 : fromCreditMinor));
  const [amount, credit, tax] = [refundedMinor, fromCreditMinor, sign * taxMinor].map((minor) =>
    money(minor, currency),
  ) as [Money, Money, Money];
  await postToLedger(tx, {
    tenantId,
    kind: sign === 1 ? 'refund' : 'refund_reversed',
    reference: id,
    at,
    lines: [
      { account: isHeld ? 'refunds_pending' : 'customer_credit', amount: credit },
      { account: 'refunds', amount: subtract(subtract(amount, credit), tax) },
      { account: 'tax_payable', amount: tax },
      ...outflowLines(fundsOf(payment.rail), amount, foreign),
    ],
  });
}

/** `USD 29.00 (EUR 26.69)`: what it counts for, and what is given back. */
function givenInWords(amount: Money, { received }: ForeignPart): string {
  return `${formatMoney(amount)} (${formatMoney(received)})`;
}

function refundedColumns(foreign: ForeignPart | null): Partial<RefundRow> {
  if (foreign === null) return {};
  const { received, converted } = foreign;
  return {
    receivedMinor: received.amountMinor,
    receivedCurrency: received.currency,
    convertedMinor: converted.amountMinor,
  };
}

/** What of the payment is still the customer's credit: it has paid no invoice, and was not given back before. */
export async function unspentCredit(
  tx: Tx,
  { id, rail, amountMinor, allocatedMinor, returnedMinor }: PaymentRow,
  { customer }: SubscriptionContext,
): Promise<number> {
  if (rail === 'credit') return 0;
  const [{ creditMinor = 0 } = {}] = await tx
    .select({ creditMinor: customers.creditMinor })
    .from(customers)
    .where(eq(customers.id, customer.id));
  const unallocated = amountMinor - returnedMinor - allocatedMinor - (await creditGivenBack(tx, id));
  return Math.max(0, Math.min(unallocated, creditMinor));
}

/** Of a payment: what had become credit, and was given back or is about to be. */
export async function creditGivenBack(tx: Tx, paymentId: string): Promise<number> {
  const [given] = await tx
    .select({ creditMinor: sql<number>`coalesce(sum(${refunds.creditMinor}), 0)::int8`.mapWith(Number) })
    .from(refunds)
    .where(and(eq(refunds.paymentId, paymentId), ne(refunds.status, 'failed')));
  return given?.creditMinor ?? 0;
}
