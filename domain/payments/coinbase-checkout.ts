/**
 * Checkouts: one invoice's amount due, offered to the customer on a page of a provider who takes dollar coins for us. The
 * second way to be paid in coins, beside the addresses that we watch ourselves. A provider tells of a checkout in any order
 * and more than once; it only moves forward here.
 * https://docs.cdp.coinbase.com/coinbase-business/checkout-apis/api-reference
 */
import { VendorError } from '../errors.ts';
import { addDays, addHours, realDayMs } from '../instant.ts';
import { exponentOf, type Money, money } from '../money.ts';
import type { CardRefund } from './refund.ts';

/**
 * - `active`: the customer can pay it.
 * - `processing`: the customer has paid; the money is not final yet.
 * - `completed`: the money is ours.
 * - `deactivated`: taken back by hand at the provider.
 * - `expired`: nobody has paid it in time. A late payment may still follow.
 * - `failed`: a payment did not come through.
 */
export type CheckoutStatus = 'active' | 'processing' | 'completed' | 'deactivated' | 'expired' | 'failed';

/** What our row knows besides: the provider has not answered yet (`creating`), or makes no such checkout (`refused`). */
export type KnownCheckoutStatus = CheckoutStatus | 'creating' | 'refused';

/** Checkouts of Coinbase Business, and the charges that Coinbase Commerce has left behind. */
export type CheckoutProviderName = 'business' | 'commerce';

/** Money of a checkout that has arrived for good. */
export type CheckoutPayment = {
  /** The same in every answer: what the payment is booked by. */
  externalId: string;
  /** In whole minor units; what is less than one of them is nobody's. A dollar coin counts as a dollar. */
  amount: Money;
  /** What came, to the last digit: `100.5 USDC`. */
  coins: string;
  transactionId: string | null;
  at: string;
  /** Also those that are not decided yet and those that failed. */
  refunds: CardRefund[];
};

/** A checkout as its provider sees it now. */
export type ProviderCheckout = {
  externalId: string;
  status: CheckoutStatus;
  /** What we wrote on it. */
  owner: { tenantId: string; invoiceId: string; checkoutId: string };
  amount: Money;
  /** Where the customer pays. */
  url: string | null;
  expiresAt: string | null;
  payments: CheckoutPayment[];
  createdAt: string;
};

export type CheckoutRequest = {
  tenantId: string;
  invoiceId: string;
  /** Our id; the provider's idempotency key is made of it. */
  checkoutId: string;
  amount: Money;
  expiresAt: string;
};

/** The provider makes no checkout of the request, and would not if asked again. */
export class CheckoutRefused extends VendorError {
  readonly reason: string;

  constructor({ reason, message }: { reason: string; message: string }) {
    super({ code: 'vendor_rejected_request', message });
    this.reason = reason;
  }
}

/** Who keeps checkouts for us. Every method throws `VendorError` on failure. */
export type CheckoutProvider = {
  /** Throws `CheckoutRefused`. */
  createCheckout(request: CheckoutRequest): Promise<ProviderCheckout>;
  /** Finds the checkout whose answer was lost; `null` where the provider does not show it. */
  findCheckout(input: Pick<CheckoutRequest, 'checkoutId'>): Promise<ProviderCheckout | null>;
  /** The checkout as it stands now; `null` for one of another program. Throws `not_found`. */
  fetchCheckout(externalId: string): Promise<ProviderCheckout | null>;
};

/** One event of a provider, as far as we trust it: ids only, what it speaks of is fetched again. */
export type CheckoutEvent = {
  externalId: string;
  type: string;
  /** Our id of the checkout; none for one of another program. */
  checkoutId?: string;
  createdAt: string;
};

/** Whether a payment came by a checkout of Coinbase Business, by its id; those of Commerce have others. */
export function isBusinessId(externalId: string): boolean {
  return /^[\da-f]{24}$/.test(externalId);
}

/**
 * The idempotency key of a checkout, in the form the provider wants (a UUID, version 4). Made of our id alone, so that every
 * try has the same.
 */
export function checkoutKey(checkoutId: string): string {
  const [, a, b, c, d, e] = idForm.exec(checkoutId) ?? [];
  if (a === undefined) throw new RangeError(`Not the id of a checkout: ${checkoutId}`);
  return `${a}-${b}-4${c}-${d}-${e}`;
}

/** `cbc_` and a UUID without its hyphens. */
const idForm = /^cbc_([\da-f]{8})([\da-f]{4})[\da-f]([\da-f]{3})([\da-f]{4})([\da-f]{12})$/;

export function isCheckoutId(value: unknown): value is string {
  return typeof value === 'string' && idForm.test(value);
}

/** The status of a checkout of Coinbase Business; null for one we do not know. Money that was given back had arrived. */
export function businessStatus(status: string): CheckoutStatus | null {
  return businessStatuses.get(status) ?? null;
}

const businessStatuses: ReadonlyMap<string, CheckoutStatus> = new Map([
  ['ACTIVE', 'active'],
  ['PROCESSING', 'processing'],
  ['COMPLETED', 'completed'],
  ['REFUNDED', 'completed'],
  ['PARTIALLY_REFUNDED', 'completed'],
  ['DEACTIVATED', 'deactivated'],
  ['EXPIRED', 'expired'],
  ['FAILED', 'failed'],
]);

/**
 * The status of a charge of Coinbase Commerce in the words of its successor; null for one we do not know. One that is
 * `UNRESOLVED` has money, though not what was asked for, or not in time.
 */
export function commerceStatus(status: string): CheckoutStatus | null {
  return commerceStatuses.get(status) ?? null;
}

const commerceStatuses: ReadonlyMap<string, CheckoutStatus> = new Map([
  ['NEW', 'active'],
  ['SIGNED', 'processing'],
  ['PENDING', 'processing'],
  ['UNRESOLVED', 'completed'],
  ['RESOLVED', 'completed'],
  ['COMPLETED', 'completed'],
  ['CANCELED', 'deactivated'],
  ['EXPIRED', 'expired'],
  ['FAILED', 'failed'],
]);

/**
 * What to remember of a checkout's status: an older answer never puts it back, and of two ends the first stays. Only money
 * that comes after all moves it on from there.
 */
export function furthest<Known extends KnownCheckoutStatus>(
  known: Known,
  seen: CheckoutStatus,
): Known | CheckoutStatus {
  return steps[seen] > steps[known] ? seen : known;
}

const steps: Record<KnownCheckoutStatus, number> = {
  creating: 0,
  active: 1,
  processing: 2,
  refused: 3,
  deactivated: 3,
  expired: 3,
  failed: 3,
  completed: 4,
};

/**
 * Whole minor units of a decimal amount, exactly: `100.50` is 10050 of USD. Digits beyond the smallest unit are left out.
 * Throws a `RangeError` on anything else than digits with at most one point.
 */
export function minorOf(amount: string, currency: string): Money {
  const [, whole, behind = ''] = /^(\d{1,15})(?:\.(\d{1,30}))?$/.exec(amount) ?? [];
  if (whole === undefined) throw new RangeError(`Not an amount: ${amount}`);
  const digits = exponentOf(currency);
  return money(Number(`${whole}${behind.padEnd(digits, '0').slice(0, digits)}`), currency);
}

/** How long a checkout can be paid. A dollar coin has no rate that could run away meanwhile. */
const checkoutHours = 24;

export function checkoutExpiry(at: string): string {
  return addHours(at, checkoutHours, realDayMs);
}

/** The part of a checkout that says when it is to be looked at. */
export type LookedAtCheckout = {
  status: KnownCheckoutStatus;
  expiresAt: string | null;
};

/**
 * When to look at a checkout again if nobody tells of it, because a webhook may be lost: when it should have expired, hourly
 * while a payment is under way, and once more when no late payment is to be expected. `null`: not again.
 */
export function nextLookAt({ status, expiresAt }: LookedAtCheckout, now: string): string | null {
  if (expiresAt === null || status === 'completed' || status === 'refused' || status === 'creating')
    return null;
  const last = addDays(expiresAt, lateDays, realDayMs);
  if (now >= last) return null;
  const inAnHour = addHours(now, 1, realDayMs);
  if (status === 'processing') return earlier(inAnHour, last);
  if (status !== 'active') return last;
  const expired = new Date(Date.parse(expiresAt) + GRACE_MS).toISOString();
  return now < expired ? expired : earlier(inAnHour, last);
}

/** As long as a webhook is sent again. */
const lateDays = 3;
/** The provider's clock need not be ours. */
const GRACE_MS = 60_000;

function earlier(a: string, b: string): string {
  return a < b ? a : b;
}

/**
 * Whether the customer's money is on its way: while it is, nothing else is charged for the invoice. One that is under way for
 * days is stuck, and holds nobody up.
 */
export function isCheckoutUnderWay(
  { status, processingAt }: { status: KnownCheckoutStatus; processingAt: string | null },
  now: string,
): boolean {
  if (status !== 'processing' || processingAt === null) return false;
  return Date.parse(now) - Date.parse(processingAt) < lateDays * realDayMs;
}
