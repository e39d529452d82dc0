/**
 * Coinbase Business's JSON in our words. A dollar coin counts as a dollar: a checkout is made over the amount that an invoice
 * in US dollars is due, in USDC, and what came is booked as that many dollars.
 */
import type { Money } from '../../domain/money.ts';
import {
  businessStatus,
  type CheckoutEvent,
  type CheckoutPayment,
  isCheckoutId,
  minorOf,
  type ProviderCheckout,
} from '../../domain/payments/coinbase-checkout.ts';
import type { CardRefund, RefundStatus } from '../../domain/payments/refund.ts';
import type { CheckoutJson, EventJson, RefundJson } from './shapes.ts';

/** The one coin that checkouts are paid in, and the currency it stands for. */
export const COIN = 'USDC';
export const COIN_CURRENCY = 'USD';

/**
 * `null` for a checkout that none of ours has asked for: the account may serve other programs too. Throws a `RangeError` on a
 * status we do not know and on another coin.
 */
export function toProviderCheckout(checkout: CheckoutJson): ProviderCheckout | null {
  const owner = ownerOf(checkout.metadata);
  if (owner === null) return null;
  const status = businessStatus(checkout.status);
  if (status === null) throw new RangeError(`A checkout in a status we do not know: ${checkout.status}`);
  return {
    externalId: checkout.id,
    status,
    owner,
    amount: toMoney(checkout),
    url: checkout.url,
    expiresAt: checkout.expiresAt == null ? null : toInstant(checkout.expiresAt),
    payments: status === 'completed' ? [toPayment(checkout)] : [],
    createdAt: toInstant(checkout.createdAt),
  };
}

/** A checkout takes one payment, so its id is the payment's. What was settled is before Coinbase's fee. */
function toPayment(checkout: CheckoutJson): CheckoutPayment {
  const { totalAmount, currency } = checkout.settlement ?? {
    totalAmount: checkout.amount,
    currency: checkout.currency,
  };
  return {
    externalId: checkout.id,
    amount: toMoney({ amount: totalAmount, currency }),
    coins: `${totalAmount} ${COIN}`,
    transactionId: checkout.transactionHash ?? null,
    at: toInstant(checkout.updatedAt),
    refunds: (checkout.refunds ?? []).map(toRefund),
  };
}

function toRefund({ id, amount, currency, status, createdAt }: RefundJson): CardRefund {
  return {
    externalId: id,
    status: refundStatuses.get(status) ?? 'pending',
    amount: toMoney({ amount, currency }),
    createdAt: toInstant(createdAt),
  };
}

/** Everything that is still to be decided is pending. */
const refundStatuses: ReadonlyMap<string, RefundStatus> = new Map([
  ['COMPLETED', 'succeeded'],
  ['SUCCESS', 'succeeded'],
  ['FAILED', 'failed'],
]);

/** An event reduced to ids. It has no date of its own but the one at which it was sent. */
export function toCheckoutEvent(
  { eventType, metadata }: EventJson,
  { externalId, sentAt }: { externalId: string; sentAt: Date },
): CheckoutEvent {
  const owner = ownerOf(metadata);
  return {
    externalId,
    type: eventType,
    ...(owner !== null && { checkoutId: owner.checkoutId }),
    createdAt: sentAt.toISOString(),
  };
}

/** What others put there need not be an id, nor a text. */
function ownerOf(metadata: CheckoutJson['metadata']): ProviderCheckout['owner'] | null {
  const { tenantId, invoiceId, checkoutId } = metadata ?? {};
  if (!isId(tenantId) || !isId(invoiceId) || !isCheckoutId(checkoutId)) return null;
  return { tenantId, invoiceId, checkoutId };
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,255}$/.test(value);
}

function toMoney({ amount, currency }: { amount: string; currency: string }): Money {
  // A refund may be told in the currency that the coin stands for.
  if (currency !== COIN && currency !== COIN_CURRENCY) {
    throw new RangeError(`A checkout in ${currency}; only ${COIN} is taken`);
  }
  return minorOf(amount, COIN_CURRENCY);
}

function toInstant(text: string): string {
  return new Date(text).toISOString();
}
