/**
 * Orders at Razorpay: one per invoice and amount due, from the request to the vendor's answer.
 *
 * Why it is safe to run twice: the row comes first and is unique per invoice while a customer can pay it, so however often
 * an order is asked for there is one. The row says whether the vendor may have been asked; then it is looked up there by our
 * id before it is asked for again. An answer is recorded once, and only while the invoice still waits for it.
 */
import { eq } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { money } from '../../../domain/money.ts';
import { cardAmount } from '../../../domain/payments/card-payment.ts';
import { isUnderWay, type OrderRequest, type VendorOrder } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { razorpayOrders } from '../../schema/payments.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { notFound, type SubscriptionContext } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { lockInvoice } from './charge-attempts.ts';
import { razorpaysPart } from './collected-by-razorpay.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { isPayingAtCoinbase } from './current-checkout.ts';
import { currentOrder, knownPayment, type OrderRow } from './current-order.ts';
import { isBeingCharged } from './undecided-charge.ts';

export type BegunOrder =
  | { kind: 'done' }
  /** `resumed`: an earlier run may have reached the vendor; look the order up first. */
  | { kind: 'ask'; resumed: boolean; request: OrderRequest };

/**
 * The row of the invoice's order, made where there is none for what is due now. Throws `not_found`, and `state_conflict`
 * with the reasons `invoice_not_open`, `charge_in_flight`, `collected_by_razorpay` and `payment_under_way`.
 */
export async function requestOrder(
  tx: Tx,
  { invoiceId, actor, at }: { invoiceId: string; actor: string; at: Date },
): Promise<OrderRow> {
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  const reason = await whyNot(tx, { context, invoice });
  if (reason !== null) throw refusal(reason, invoice);
  if (await isPayingAtCoinbase(tx, invoiceId, at)) throw refusal('payment_under_way', invoice);
  const due = cardAmount(dueOf(invoice));
  const current = await currentOrder(tx, invoiceId);
  if (current?.amountMinor === due.amountMinor) return current;
  if (current !== null) {
    if (isUnderWay(knownPayment(current), at.toISOString())) throw refusal('payment_under_way', invoice);
    await closeOrder(tx, current, { failureCode: 'amount_changed', at });
  }
  const { tenantId, customerId } = invoice;
  const [row] = await tx
    .insert(razorpayOrders)
    .values({
      id: newId('rzo'),
      tenantId,
      customerId,
      invoiceId,
      status: 'creating',
      ...due,
      requestedAt: at,
    })
    .returning();
  if (row === undefined) throw new Error('An inserted order was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'razorpay_order.requested',
    entityType: 'razorpay_order',
    entityId: row.id,
    details: { invoiceId, amountMinor: row.amountMinor },
    at,
  });
  return row;
}

/** Decides whether the vendor is to be asked. Commit before calling it. */
export async function beginOrder(
  tx: Tx,
  { orderId, at }: { orderId: string; at: Date },
): Promise<BegunOrder> {
  const { order, ...subject } = await lockOrder(tx, orderId);
  if (order.status !== 'creating') return { kind: 'done' };
  const failureCode = await whyNot(tx, subject);
  if (failureCode !== null) {
    await closeOrder(tx, order, { failureCode, at });
    return { kind: 'done' };
  }
  if (order.askedAt === null) {
    await tx.update(razorpayOrders).set({ askedAt: at }).where(eq(razorpayOrders.id, orderId));
  }
  const { tenantId, invoiceId, amountMinor, currency } = order;
  return {
    kind: 'ask',
    resumed: order.askedAt !== null,
    request: { tenantId, invoiceId, orderId, amount: money(amountMinor, currency) },
  };
}

/** The vendor has made the order. Where the invoice does not wait for it any more, nobody is shown it. */
export async function recordOrder(
  tx: Tx,
  { orderId, made, at }: { orderId: string; made: Pick<VendorOrder, 'externalId'>; at: Date },
): Promise<void> {
  const { order, ...subject } = await lockOrder(tx, orderId);
  if (order.status !== 'creating') return;
  const { externalId } = made;
  const failureCode = await whyNot(tx, subject);
  if (failureCode !== null) return closeOrder(tx, order, { externalId, failureCode, at });
  await tx
    .update(razorpayOrders)
    .set({ status: 'open', externalId, lookedAt: at })
    .where(eq(razorpayOrders.id, orderId));
}

/** The vendor makes no such order, and would not if asked again. */
export async function refuseOrder(
  tx: Tx,
  { orderId, reason, at }: { orderId: string; reason: string; at: Date },
): Promise<void> {
  const { order } = await lockOrder(tx, orderId);
  if (order.status === 'creating') await closeOrder(tx, order, { failureCode: reason, at });
}

/** Throws `not_found`. */
export async function readOrder(tx: Tx, orderId: string): Promise<OrderRow> {
  const order = await findOrder(tx, orderId);
  if (order === null) throw notFound('razorpay order', orderId);
  return order;
}

export async function findOrder(tx: Tx, orderId: string): Promise<OrderRow | null> {
  const [row] = await tx.select().from(razorpayOrders).where(eq(razorpayOrders.id, orderId));
  return row ?? null;
}

/** The order and its invoice under the customer's lock. */
export async function lockOrder(
  tx: Tx,
  orderId: string,
): Promise<{ order: OrderRow; context: SubscriptionContext; invoice: InvoiceRow }> {
  const { invoiceId } = await readOrder(tx, orderId);
  const subject = await lockInvoice(tx, invoiceId);
  return { ...subject, order: await readOrder(tx, orderId) };
}

async function closeOrder(
  tx: Tx,
  { id }: Pick<OrderRow, 'id'>,
  { failureCode, externalId, at }: { failureCode: string; externalId?: string; at: Date },
): Promise<void> {
  await tx
    .update(razorpayOrders)
    .set({ status: 'closed', failureCode, closedAt: at, ...(externalId !== undefined && { externalId }) })
    .where(eq(razorpayOrders.id, id));
}

/** Why a customer must not be shown an order for the invoice now, as a code; null where nothing speaks against it. */
async function whyNot(
  tx: Tx,
  { context, invoice }: { context: SubscriptionContext; invoice: InvoiceRow },
): Promise<'invoice_not_open' | 'charge_in_flight' | 'collected_by_razorpay' | 'payment_under_way' | null> {
  if (invoice.status !== 'open') return 'invoice_not_open';
  if ((await razorpaysPart(tx, context, invoice)).kind === 'collects') return 'collected_by_razorpay';
  if (await isBeingCharged(tx, invoice.id)) return 'charge_in_flight';
  return (await areCoinsUnderWay(tx, invoice.id)) ? 'payment_under_way' : null;
}

const messages = {
  invoice_not_open: 'does not wait for a payment',
  charge_in_flight: 'is being charged to the card of the customer; wait for the outcome',
  collected_by_razorpay:
    'is charged by Razorpay itself, by the authorisation of the customer; end that first to have it paid otherwise',
  payment_under_way: 'is being paid just now, in another way or over another amount; wait for the outcome',
};

function refusal(reason: keyof typeof messages, { number }: InvoiceRow): DomainError {
  return new DomainError({
    code: 'state_conflict',
    reason,
    message: `Invoice ${number} ${messages[reason]}.`,
  });
}
