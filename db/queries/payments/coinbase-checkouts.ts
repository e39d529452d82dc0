/**
 * Checkouts at Coinbase: one per invoice and amount due, from the request to the provider's answer.
 *
 * Why it is safe to run twice: the row comes first and is unique per invoice while a customer can pay it, so however often a
 * checkout is asked for there is one. The row says whether the provider may have been asked; then it is looked up there by
 * our id before it is asked for again. An answer is recorded once, and nobody is shown it unless the invoice still waits.
 */
import { eq } from 'drizzle-orm';
import { DomainError } from '../../../domain/errors.ts';
import { money } from '../../../domain/money.ts';
import {
  type CheckoutRequest,
  checkoutExpiry,
  type ProviderCheckout,
} from '../../../domain/payments/coinbase-checkout.ts';
import { isUnderWay as isOrderUnderWay } from '../../../domain/payments/razorpay-order.ts';
import type { SystemTx, Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { coinbaseCheckouts } from '../../schema/coinbase.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { notFound, type SubscriptionContext } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { lockInvoice } from './charge-attempts.ts';
import { razorpaysPart } from './collected-by-razorpay.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { type CheckoutRow, currentCheckout, isUnderWay } from './current-checkout.ts';
import { currentOrder, knownPayment } from './current-order.ts';
import { isBeingCharged } from './undecided-charge.ts';

export type BegunCheckout =
  | { kind: 'done' }
  /** `resumed`: an earlier run may have reached the provider; look the checkout up first. */
  | { kind: 'ask'; resumed: boolean; request: CheckoutRequest };

/**
 * The row of the invoice's checkout, made where there is none for what is due now. Throws `not_found`, and `state_conflict`
 * with the reasons `invoice_not_open`, `charge_in_flight`, `collected_by_razorpay`, `payment_under_way` and
 * `currency_not_supported`.
 */
export async function requestCheckout(
  tx: Tx,
  { invoiceId, actor, at }: { invoiceId: string; actor: string; at: Date },
): Promise<CheckoutRow> {
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  const reason = await whyNot(tx, { context, invoice, at });
  if (reason !== null) throw refusal(reason, invoice);
  const due = dueOf(invoice);
  const current = await currentCheckout(tx, invoiceId);
  if (current !== null) {
    if (isUnderWay(current, at)) throw refusal('payment_under_way', invoice);
    const hasExpired = current.expiresAt !== null && current.expiresAt <= at;
    if (!hasExpired && current.amountMinor === due.amountMinor) return current;
    await closeCheckout(tx, current, { failureCode: hasExpired ? 'expired' : 'amount_changed', at });
  }
  const { tenantId, customerId } = invoice;
  const [row] = await tx
    .insert(coinbaseCheckouts)
    .values({
      id: newId('cbc'),
      tenantId,
      customerId,
      invoiceId,
      provider: 'business',
      status: 'creating',
      ...due,
      requestedAt: at,
      expiresAt: new Date(checkoutExpiry(at.toISOString())),
    })
    .returning();
  if (row === undefined) throw new Error('An inserted checkout was not returned');
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'coinbase_checkout.requested',
    entityType: 'coinbase_checkout',
    entityId: row.id,
    details: { invoiceId, amountMinor: row.amountMinor },
    at,
  });
  return row;
}

/** Decides whether the provider is to be asked. Commit before calling it. */
export async function beginCheckout(
  tx: Tx,
  { checkoutId, at }: { checkoutId: string; at: Date },
): Promise<BegunCheckout> {
  const { checkout, ...subject } = await lockCheckout(tx, checkoutId);
  if (checkout.status !== 'creating' || checkout.closedAt !== null) return { kind: 'done' };
  const failureCode = await whyNot(tx, { ...subject, at });
  const { tenantId, invoiceId, amountMinor, currency, askedAt, expiresAt } = checkout;
  if (failureCode !== null || expiresAt === null || expiresAt <= at) {
    await closeCheckout(tx, checkout, { failureCode: failureCode ?? 'expired', at });
    return { kind: 'done' };
  }
  if (askedAt === null) {
    await tx.update(coinbaseCheckouts).set({ askedAt: at }).where(eq(coinbaseCheckouts.id, checkoutId));
  }
  const amount = money(amountMinor, currency);
  return {
    kind: 'ask',
    resumed: askedAt !== null,
    request: { tenantId, invoiceId, checkoutId, amount, expiresAt: expiresAt.toISOString() },
  };
}

/** The provider has made the checkout. Where the invoice does not wait for it any more, nobody is shown it. */
export async function recordCheckout(
  tx: Tx,
  { checkoutId, made, at }: { checkoutId: string; made: ProviderCheckout; at: Date },
): Promise<void> {
  const { checkout, ...subject } = await lockCheckout(tx, checkoutId);
  if (checkout.externalId !== null) return;
  const failureCode = await whyNot(tx, { ...subject, at });
  const isOver = checkout.closedAt === null && failureCode !== null;
  await tx
    .update(coinbaseCheckouts)
    .set({
      status: 'active',
      externalId: made.externalId,
      url: made.url,
      ...(made.expiresAt !== null && { expiresAt: new Date(made.expiresAt) }),
      ...(isOver && { closedAt: at, failureCode }),
    })
    .where(eq(coinbaseCheckouts.id, checkoutId));
}

/** The provider makes no such checkout, and would not if asked again. */
export async function refuseCheckout(
  tx: Tx,
  { checkoutId, reason, at }: { checkoutId: string; reason: string; at: Date },
): Promise<void> {
  const { checkout } = await lockCheckout(tx, checkoutId);
  if (checkout.status !== 'creating') return;
  await closeCheckout(tx, { ...checkout, askedAt: null }, { failureCode: reason, at });
}

/** Throws `not_found`. */
export async function readCheckout(tx: Tx, checkoutId: string): Promise<CheckoutRow> {
  const checkout = await findCheckout(tx, checkoutId);
  if (checkout === null) throw notFound('coinbase checkout', checkoutId);
  return checkout;
}

export async function findCheckout(tx: Tx, checkoutId: string): Promise<CheckoutRow | null> {
  const [row] = await tx.select().from(coinbaseCheckouts).where(eq(coinbaseCheckouts.id, checkoutId));
  return row ?? null;
}

/** Whose it is; null for an id that nobody here has given. */
export async function tenantOfCheckout(tx: SystemTx, checkoutId: string): Promise<string | null> {
  const [row] = await tx
    .select({ tenantId: coinbaseCheckouts.tenantId })
    .from(coinbaseCheckouts)
    .where(eq(coinbaseCheckouts.id, checkoutId));
  return row?.tenantId ?? null;
}

/** The checkout and its invoice under the customer's lock. */
export async function lockCheckout(
  tx: Tx,
  checkoutId: string,
): Promise<{ checkout: CheckoutRow; context: SubscriptionContext; invoice: InvoiceRow }> {
  const { invoiceId } = await readCheckout(tx, checkoutId);
  const subject = await lockInvoice(tx, invoiceId);
  return { ...subject, checkout: await readCheckout(tx, checkoutId) };
}

/** One that the provider may have made keeps its status: it may be paid all the same, by whoever was shown it. */
async function closeCheckout(
  tx: Tx,
  { id, status, askedAt }: CheckoutRow,
  { failureCode, at }: { failureCode: string; at: Date },
): Promise<void> {
  const wasNeverMade = status === 'creating' && askedAt === null;
  await tx
    .update(coinbaseCheckouts)
    .set({ failureCode, closedAt: at, ...(wasNeverMade && { status: 'refused' }) })
    .where(eq(coinbaseCheckouts.id, id));
}

type Reason =
  | 'invoice_not_open'
  | 'currency_not_supported'
  | 'charge_in_flight'
  | 'collected_by_razorpay'
  | 'payment_under_way';

/** Why a customer must not be shown a checkout for the invoice now, as a code; null where nothing speaks against it. */
async function whyNot(
  tx: Tx,
  { context, invoice, at }: { context: SubscriptionContext; invoice: InvoiceRow; at: Date },
): Promise<Reason | null> {
  if (invoice.status !== 'open') return 'invoice_not_open';
  if (invoice.currency !== 'USD') return 'currency_not_supported';
  if ((await razorpaysPart(tx, context, invoice)).kind === 'collects') return 'collected_by_razorpay';
  if (await isBeingCharged(tx, invoice.id)) return 'charge_in_flight';
  if (await areCoinsUnderWay(tx, invoice.id)) return 'payment_under_way';
  const order = await currentOrder(tx, invoice.id);
  const isBeingPaid = order !== null && isOrderUnderWay(knownPayment(order), at.toISOString());
  return isBeingPaid ? 'payment_under_way' : null;
}

const messages: Record<Reason, string> = {
  invoice_not_open: 'does not wait for a payment',
  currency_not_supported: 'is not in USD; Coinbase is paid in USDC, a coin for US dollars',
  charge_in_flight: 'is being charged to the card of the customer; wait for the outcome',
  collected_by_razorpay:
    'is charged by Razorpay itself, by the authorisation of the customer; end that first to have it paid otherwise',
  payment_under_way: 'is being paid just now; wait for the outcome',
};

function refusal(reason: Reason, { number }: InvoiceRow): DomainError {
  return new DomainError({
    code: 'state_conflict',
    reason,
    message: `Invoice ${number} ${messages[reason]}.`,
  });
}
