/**
 * Books what a provider says about a checkout: its payments settle the invoice, their refunds are booked, and the row
 * remembers how far the checkout has come.
 *
 * Why it is safe to run twice and in any order: a payment settles once, by its id; an older answer never takes back what is
 * remembered; all of it happens under the customer's lock.
 */
import { eq } from 'drizzle-orm';
import {
  type CheckoutPayment,
  type CheckoutProviderName,
  furthest,
  type KnownCheckoutStatus,
  type ProviderCheckout,
} from '../../../domain/payments/coinbase-checkout.ts';
import type { Tx } from '../../client.ts';
import { coinbaseCheckouts } from '../../schema/coinbase.ts';
import { findInvoice } from '../billing/read-invoices.ts';
import { lockInvoice } from './charge-attempts.ts';
import { findCheckout, lockCheckout, readCheckout } from './coinbase-checkouts.ts';
import type { CheckoutRow } from './current-checkout.ts';
import { bookRefunds } from './refunds.ts';
import { settlePayment } from './settle-payment.ts';

/** A checkout that names a row of ours which is not there, or is of another invoice, is left alone. */
export async function bookCheckout(
  tx: Tx,
  { seen, at }: { seen: ProviderCheckout; at: Date },
): Promise<void> {
  const known = await findCheckout(tx, seen.owner.checkoutId);
  if (known?.invoiceId !== seen.owner.invoiceId) return;
  const { checkout } = await lockCheckout(tx, known.id);
  for (const payment of seen.payments) await bookPayment(tx, { checkout, payment, at });
  await remember(tx, { checkout, seen, at });
}

/**
 * Books a charge of Coinbase Commerce, which can be read nowhere any more: its signed event is all there is. Returns whether
 * it is one for an invoice of this tenant, in its currency.
 */
export async function bookCommerceCharge(
  tx: Tx,
  { seen, at }: { seen: ProviderCheckout; at: Date },
): Promise<boolean> {
  const { tenantId, invoiceId, checkoutId: id } = seen.owner;
  if ((await findInvoice(tx, invoiceId)) === null) return false;
  const { invoice } = await lockInvoice(tx, invoiceId);
  const isInCurrency = [seen.amount, ...seen.payments.map(({ amount }) => amount)].every(
    ({ currency }) => currency === invoice.currency,
  );
  if (!isInCurrency || seen.amount.amountMinor <= 0) return false;
  const { externalId, status, url, amount, createdAt, expiresAt } = seen;
  await tx
    .insert(coinbaseCheckouts)
    .values({
      id,
      tenantId,
      customerId: invoice.customerId,
      invoiceId,
      provider: 'commerce' satisfies CheckoutProviderName,
      status,
      externalId,
      url,
      ...amount,
      requestedAt: new Date(createdAt),
      askedAt: new Date(createdAt),
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
      ...(isEnd(status) && { closedAt: at }),
    })
    .onConflictDoNothing();
  await bookCheckout(tx, { seen, at });
  return true;
}

/** A payment of nothing is none. */
async function bookPayment(
  tx: Tx,
  { checkout, payment, at }: { checkout: CheckoutRow; payment: CheckoutPayment; at: Date },
): Promise<void> {
  const { externalId, amount, refunds } = payment;
  if (amount.amountMinor <= 0) return;
  const { tenantId, invoiceId } = checkout;
  const receivedAt = new Date(Math.min(Date.parse(payment.at), at.getTime()));
  await settlePayment(tx, { tenantId, invoiceId, rail: 'coinbase', externalId, amount, at, receivedAt });
  await bookRefunds(tx, { rail: 'coinbase', charge: { externalId, refunds }, at });
}

async function remember(
  tx: Tx,
  { checkout, seen, at }: { checkout: CheckoutRow; seen: ProviderCheckout; at: Date },
): Promise<void> {
  const status = furthest(checkout.status, seen.status);
  const latest = seen.payments.at(-1);
  const isPaid = status === 'completed';
  const { status: invoiceStatus } = (await lockInvoice(tx, checkout.invoiceId)).invoice;
  const isOver = !isPaid && status === 'active' && invoiceStatus !== 'open';
  const closes = isEnd(status) || isOver;
  await tx
    .update(coinbaseCheckouts)
    .set({
      status,
      externalId: checkout.externalId ?? seen.externalId,
      url: checkout.url ?? seen.url,
      lookedAt: at,
      ...(status === 'processing' && { processingAt: checkout.processingAt ?? at }),
      ...(latest !== undefined && {
        received: seen.payments.map(({ coins }) => coins).join(' + '),
        transactionId: latest.transactionId,
      }),
      ...(closes && { closedAt: checkout.closedAt ?? at }),
      failureCode: isPaid ? null : (checkout.failureCode ?? (closes ? codeOf(status) : null)),
    })
    .where(eq(coinbaseCheckouts.id, checkout.id));
}

function isEnd(status: KnownCheckoutStatus): boolean {
  return status !== 'creating' && status !== 'active' && status !== 'processing';
}

/** One that nobody needs any more is still active at the provider. */
function codeOf(status: KnownCheckoutStatus): string {
  return status === 'active' ? 'invoice_not_open' : status;
}

/** What the process of a checkout goes by. */
export async function checkoutState(
  tx: Tx,
  checkoutId: string,
): Promise<{ status: KnownCheckoutStatus; expiresAt: string | null }> {
  const { status, expiresAt } = await readCheckout(tx, checkoutId);
  return { status, expiresAt: expiresAt?.toISOString() ?? null };
}
