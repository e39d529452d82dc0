/**
 * Books what Razorpay says about an order: its payments settle the invoice, their refunds are booked, and the row remembers
 * how far the latest payment has come.
 *
 * Why it is safe to run twice and in any order: a captured payment settles once, by its id; an older answer never takes back
 * what is remembered; all of it happens under the customer's lock.
 */
import { and, asc, eq, gt, isNotNull, lt, ne, or } from 'drizzle-orm';
import { addDays, realDayMs } from '../../../domain/instant.ts';
import {
  type FetchedOrder,
  leadingPayment,
  type OrderPayment,
  orderLooks,
} from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { razorpayOrders } from '../../schema/payments.ts';
import { dueOf, type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import { knownPayment, type OrderRow } from './current-order.ts';
import { findOrder, lockOrder } from './razorpay-orders.ts';
import { bookRefunds } from './refunds.ts';
import { settlePayment } from './settle-payment.ts';

/**
 * Returns a payment that the bank has authorised and that we should capture: the invoice still needs it. Commit, capture,
 * read the order again and book that. An authorisation nobody needs is left alone: the vendor gives it back by itself.
 */
export async function bookOrder(
  tx: Tx,
  { order: seen, at }: { order: FetchedOrder; at: Date },
): Promise<OrderPayment | null> {
  if ((await findOrder(tx, seen.owner.orderId)) === null) return null;
  const { order } = await lockOrder(tx, seen.owner.orderId);
  for (const payment of seen.payments.filter(({ captured }) => captured)) {
    await bookPayment(tx, { order, payment, at });
  }
  const invoice = await readInvoice(tx, order.invoiceId);
  await remember(tx, { order, seen, invoice, at });
  const needsMoney =
    (invoice.status === 'open' || invoice.status === 'uncollectible') && dueOf(invoice).amountMinor > 0;
  return needsMoney ? (seen.payments.find(({ status }) => status === 'authorized') ?? null) : null;
}

async function bookPayment(
  tx: Tx,
  { order, payment, at }: { order: OrderRow; payment: OrderPayment; at: Date },
): Promise<void> {
  const { externalId, amount, refunds } = payment;
  const { tenantId, invoiceId } = order;
  const receivedAt = new Date(Math.min(Date.parse(payment.createdAt), at.getTime()));
  await settlePayment(tx, { tenantId, invoiceId, rail: 'razorpay', externalId, amount, at, receivedAt });
  await bookRefunds(tx, { rail: 'razorpay', charge: { externalId, refunds }, at });
}

async function remember(
  tx: Tx,
  { order, seen, invoice, at }: { order: OrderRow; seen: FetchedOrder; invoice: InvoiceRow; at: Date },
): Promise<void> {
  const payment = leadingPayment(knownPayment(order), seen.payments);
  const isPaid = order.status === 'paid' || seen.payments.some(({ captured }) => captured);
  const isOver = !isPaid && order.status === 'open' && invoice.status !== 'open';
  await tx
    .update(razorpayOrders)
    .set({
      lookedAt: at,
      ...(payment !== null && paymentColumns(payment)),
      ...(isPaid && { status: 'paid', externalId: order.externalId ?? seen.externalId }),
      ...(isOver && { status: 'closed', failureCode: 'invoice_not_open' }),
      ...((isPaid || isOver) && { closedAt: order.closedAt ?? at }),
    })
    .where(eq(razorpayOrders.id, order.id));
}

/** The customer's browser has proved that the payment was authorised; how it stands is looked at right after. */
export async function noteAuthorized(
  tx: Tx,
  { orderId, paymentId, at }: { orderId: string; paymentId: string; at: Date },
): Promise<OrderRow> {
  const { order } = await lockOrder(tx, orderId);
  const seen = { externalId: paymentId, status: 'authorized', createdAt: at.toISOString() } as const;
  const payment = leadingPayment(knownPayment(order), [seen]);
  if (payment === null || payment.externalId !== paymentId) return order;
  const [row] = await tx
    .update(razorpayOrders)
    .set(paymentColumns(payment))
    .where(eq(razorpayOrders.id, orderId))
    .returning();
  return row ?? order;
}

function paymentColumns({ externalId, status, at }: NonNullable<ReturnType<typeof knownPayment>>) {
  return { paymentId: externalId, paymentStatus: status, paymentAt: new Date(at) };
}

/** The vendor's ids of orders that nobody has looked at for a while, the longest ago first; see `orderLooks`. */
export async function ordersToLookAt(tx: Tx, { at, limit }: { at: Date; limit: number }): Promise<string[]> {
  const ago = (days: number) => new Date(addDays(at.toISOString(), -days, realDayMs));
  const anHourAgo = ago(1 / 24);
  const { status, requestedAt, lookedAt, closedAt, externalId } = razorpayOrders;
  const rows = await tx
    .select({ externalId })
    .from(razorpayOrders)
    .where(
      and(
        isNotNull(externalId),
        ne(status, 'paid'),
        or(eq(status, 'open'), gt(closedAt, ago(orderLooks.closedDays))),
        lt(lookedAt, anHourAgo),
        or(gt(requestedAt, ago(orderLooks.hourlyDays)), lt(lookedAt, ago(1))),
      ),
    )
    .orderBy(asc(lookedAt))
    .limit(limit);
  return rows.flatMap((row) => (row.externalId === null ? [] : [row.externalId]));
}
