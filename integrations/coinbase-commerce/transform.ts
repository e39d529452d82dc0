/**
 * Charges of Coinbase Commerce as checkouts. How far a charge has come is what its timeline says last by time: the entries
 * are in no promised order, and the first one has no payment. What has arrived is what its payments say, whatever the status.
 */
import {
  type CheckoutPayment,
  type CheckoutStatus,
  commerceStatus,
  furthest,
  minorOf,
  type ProviderCheckout,
} from '../../domain/payments/coinbase-checkout.ts';
import type { ChargeJson } from './shapes.ts';

/**
 * `null` for a charge that names no invoice of ours, and for one without a status or a price. Its own id makes ours, so that
 * however often we are told of it there is one.
 */
export function toProviderCheckout(type: string, charge: ChargeJson): ProviderCheckout | null {
  const { tenantId, invoiceId } = charge.metadata ?? {};
  const latest = latestStatus(charge.timeline ?? []) ?? statusOfType.get(type) ?? null;
  const { local } = charge.pricing ?? {};
  if (!isId(tenantId) || !isId(invoiceId) || latest === null || local === undefined) return null;
  const payments = paymentsOf(charge, latest.status);
  const status = payments.length > 0 ? furthest(latest.status, 'completed') : latest.status;
  return {
    externalId: charge.id,
    status,
    owner: { tenantId, invoiceId, checkoutId: `cbc_${charge.id.toLowerCase().replaceAll('-', '')}` },
    amount: minorOf(local.amount, local.currency),
    url: charge.hosted_url ?? null,
    expiresAt: toInstant(charge.expires_at),
    payments,
    createdAt: toInstant(charge.created_at) ?? toInstant(latest.time) ?? new Date(0).toISOString(),
  };
}

type Reached = { status: CheckoutStatus; time: string | null };

/** Of entries at the same moment the one that came furthest. What we do not know is passed over. */
function latestStatus(timeline: NonNullable<ChargeJson['timeline']>): Reached | null {
  return timeline.reduce<Reached | null>((best, { time, status: word }) => {
    const status = commerceStatus(word);
    if (status === null) return best;
    if (best === null) return { status, time };
    const byTime = Date.parse(time) - Date.parse(best.time ?? time);
    const isLater = byTime > 0 || (byTime === 0 && furthest(best.status, status) === status);
    return isLater ? { status, time } : best;
  }, null);
}

/** What an event without a timeline says. */
const statusOfType: ReadonlyMap<string, Reached> = new Map(
  (
    [
      ['charge:created', 'active'],
      ['charge:pending', 'processing'],
      ['charge:confirmed', 'completed'],
      ['charge:resolved', 'completed'],
      ['charge:failed', 'failed'],
    ] as const
  ).map(([type, status]) => [type, { status, time: null }]),
);

/** Confirmed ones only. A charge paid through its contract has an exact price, and may come without a list of payments. */
function paymentsOf(charge: ChargeJson, status: CheckoutStatus): CheckoutPayment[] {
  const confirmed = (charge.payments ?? []).filter((each) => each.status.toUpperCase() === 'CONFIRMED');
  if (confirmed.length > 0 || status !== 'completed' || (charge.payments ?? []).length > 0) {
    return confirmed.map(({ transaction_id, detected_at, value }) => ({
      externalId: `${charge.id}:${transaction_id}`,
      amount: minorOf(value.local.amount, value.local.currency),
      coins: words(value.crypto ?? value.local),
      transactionId: transaction_id,
      at: toInstant(detected_at) ?? toInstant(charge.created_at) ?? new Date(0).toISOString(),
      refunds: [],
    }));
  }
  const [event] = (charge.web3_data?.success_events ?? []).filter(({ finalized }) => finalized !== false);
  const { local } = charge.pricing ?? {};
  if (event === undefined || local === undefined) return [];
  const payment = {
    externalId: `${charge.id}:${event.tx_hsh}`,
    amount: minorOf(local.amount, local.currency),
    coins: words(local),
    transactionId: event.tx_hsh,
    at: toInstant(latestStatus(charge.timeline ?? [])?.time) ?? new Date(0).toISOString(),
    refunds: [],
  };
  return [payment];
}

function words({ amount, currency }: { amount: string; currency: string }): string {
  return `${amount} ${currency}`;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,255}$/.test(value);
}

function toInstant(text: string | null | undefined): string | null {
  return text == null ? null : new Date(text).toISOString();
}
