/**
 * Razorpay subscriptions: the customer authorises Razorpay once, and from then on it charges what each period of one of our
 * subscriptions costs. Our own subscription decides what is owed; Razorpay's only collects it. It charges at its own cycle,
 * tries again by itself on the three days after a failure (`pending`) and then gives up (`halted`), so nothing else is
 * charged beside it (knowledge: billing §1.6, D15).
 * https://razorpay.com/docs/payments/subscriptions/states/
 */
import { isTerminal, type SubscriptionStatus } from '../billing/subscription.ts';
import type { BillingInterval } from '../calendar.ts';
import { VendorError } from '../errors.ts';
import type { Money } from '../money.ts';
import type { CardDispute } from './dispute.ts';
import type { OrderPayment, OrderVendor } from './razorpay-order.ts';

/** The states of Razorpay's own. `created`: nobody has authorised it. `expired`: nobody did in time. */
export type VendorSubscriptionStatus =
  | 'created'
  | 'authenticated'
  | 'active'
  | 'pending'
  | 'halted'
  | 'paused'
  | 'cancelled'
  | 'completed'
  | 'expired';

/**
 * - `creating`: the row is there, the vendor has not answered yet.
 * - `refused`: the vendor makes no such subscription, or we did not want it any more before it was made.
 * - The others are the vendor's own.
 */
export type RazorpaySubscriptionStatus = 'creating' | 'refused' | VendorSubscriptionStatus;

const endedStatuses = ['refused', 'cancelled', 'completed', 'expired'] as const;

/** Never left again, whatever an older answer says. */
export function isEnded(status: RazorpaySubscriptionStatus): boolean {
  return (endedStatuses as readonly string[]).includes(status);
}

/** Razorpay charges it by itself, now or again in a day: nothing else may. */
export function isCollecting(status: RazorpaySubscriptionStatus): boolean {
  return status === 'authenticated' || status === 'active' || status === 'pending';
}

/** The last cycle was not paid. */
export function hasFailed(status: RazorpaySubscriptionStatus): boolean {
  return status === 'pending' || status === 'halted';
}

/** Our own code of a decline: Razorpay could not carry out its charge. Why, its own page and its mails tell the customer. */
export const RAZORPAY_CHARGE_FAILED = 'razorpay_charge_failed';

/** Why a Razorpay subscription is to end, or has. */
export type RazorpayEndReason =
  | 'requested'
  | 'subscription_ended'
  | 'subscription_cancelled'
  | 'subscription_paused'
  | 'terms_changed'
  | 'start_moved'
  | 'amount_changed'
  | 'replaced'
  | 'ended_at_razorpay';

/** What Razorpay was told of our subscription, as far as a change of it makes the authorisation worthless. */
export type CollectedTerms = {
  status: SubscriptionStatus;
  cancelAtPeriodEnd: boolean;
  /** Of the period that Razorpay charges next. */
  planId: string;
  quantity: number;
  trialEndsAt: string | null;
  /** Null before the first period. */
  anchor: string | null;
};

/**
 * Why Razorpay must not go on after a change of our subscription; null where nothing it was told has changed. A cancellation
 * and a downgrade count from the day they are asked for: Razorpay charges at the very instant they take effect.
 */
export function whyEnd(before: CollectedTerms, after: CollectedTerms): RazorpayEndReason | null {
  if (isTerminal(after.status)) return isTerminal(before.status) ? null : 'subscription_ended';
  if (after.status === 'paused' && before.status !== 'paused') return 'subscription_paused';
  if (after.cancelAtPeriodEnd && !before.cancelAtPeriodEnd) return 'subscription_cancelled';
  if (after.planId !== before.planId || after.quantity !== before.quantity) return 'terms_changed';
  if (before.status !== 'trialing' || before.anchor !== null) return null;
  const startsAt = after.anchor ?? after.trialEndsAt;
  return startsAt === before.trialEndsAt ? null : 'start_moved';
}

/** Whether Razorpay's cycles collect the invoice of a period: those from its own start on. */
export function collectsPeriod({ startsAt }: { startsAt: string | null }, periodStartsAt: string): boolean {
  return startsAt === null || Date.parse(periodStartsAt) >= Date.parse(startsAt);
}

/**
 * The invoice that a charge of Razorpay's is for: of the periods, the one that begins nearest to its cycle, for the two
 * clocks are not the same to the second. Null where none is near: it is not issued yet, or never will be.
 */
export function invoiceOfCycle<I extends BilledPeriod>(
  invoices: readonly I[],
  cycleStartsAt: string,
): I | null {
  const distance = ({ periodStartsAt }: I) => Math.abs(periodStartsAt.getTime() - Date.parse(cycleStartsAt));
  const near = invoices.filter(
    (invoice) => 2 * distance(invoice) <= invoice.periodEndsAt.getTime() - invoice.periodStartsAt.getTime(),
  );
  const wanted = near.some(({ status }) => status !== 'void')
    ? near.filter(({ status }) => status !== 'void')
    : near;
  return wanted.reduce<I | null>(
    (best, each) => (best === null || distance(each) < distance(best) ? each : best),
    null,
  );
}

type BilledPeriod = { periodStartsAt: Date; periodEndsAt: Date; status: string };

/**
 * Whether the invoice of a cycle is still to be issued: Razorpay was a moment quicker than our renewal, or the end of the
 * trial. Otherwise its charge is for nothing we bill and becomes credit.
 */
export function expectsInvoice(
  {
    status,
    cancelAtPeriodEnd,
    nextAt,
  }: Pick<CollectedTerms, 'status' | 'cancelAtPeriodEnd'> & {
    /** The end of the period or trial; null where the first period begins with the payment. */
    nextAt: string | null;
  },
  cycleStartsAt: string,
): boolean {
  if (isTerminal(status) || status === 'paused' || cancelAtPeriodEnd) return false;
  return nextAt === null || Math.abs(Date.parse(nextAt) - Date.parse(cycleStartsAt)) <= CLOCKS_DIFFER_MS;
}

/** Days of calendars in different time zones, and of a worker that was down. */
const CLOCKS_DIFFER_MS = 2 * 24 * 60 * 60 * 1000;

/** As many cycles as there are in ten years: the vendor wants a number. After that the customer authorises anew. */
export function cyclesOf({ unit, count }: BillingInterval): number {
  return Math.max(1, Math.floor(cyclesInTenYears[unit] / count));
}

const cyclesInTenYears = { day: 3650, week: 520, month: 120, year: 10 } as const;

/** A subscription of ours at the vendor as it stands now. */
export type VendorSubscription = {
  externalId: string;
  status: VendorSubscriptionStatus;
  /** Where the customer authorises it; null once there is nothing to authorise. */
  shortUrl: string | null;
  /** What we wrote on it. */
  owner: { tenantId: string; razorpaySubscriptionId: string };
  createdAt: string;
};

/**
 * One cycle that the vendor has billed, and the payment that paid it. `isAskedFor`: by its invoice the subscription was named,
 * so something may have happened to that payment.
 */
export type VendorCycle = { startsAt: string; paymentId: string | null; isAskedFor: boolean };

export type FetchedSubscription = VendorSubscription & { cycles: VendorCycle[] };

/** A payment of a cycle, read at the vendor. */
export type CyclePayment = { cycleStartsAt: string; payment: OrderPayment };

/** What one cycle costs, as the vendor is told it. The vendor has no idempotency keys: `razorpayPlanId` is in its notes. */
export type VendorPlanRequest = {
  tenantId: string;
  razorpayPlanId: string;
  name: string;
  amount: Money;
  interval: BillingInterval;
};

export type VendorSubscriptionRequest = {
  tenantId: string;
  subscriptionId: string;
  razorpaySubscriptionId: string;
  /** The vendor's plan. */
  planExternalId: string;
  cycles: number;
  /** The first charge; null: right after the authorisation. Until then it can be authorised. */
  startsAt: string | null;
};

/** The vendor makes no such plan or subscription, and would not if asked again. */
export class SubscriptionRefused extends VendorError {
  readonly reason: string;

  constructor({ reason, message }: { reason: string; message: string }) {
    super({ code: 'vendor_rejected_request', message });
    this.reason = reason;
  }
}

/** The vendor of subscriptions. Every method throws `VendorError` on failure. */
export type SubscriptionVendor = {
  /** Returns the vendor's id. Throws `SubscriptionRefused`. */
  createPlan(request: VendorPlanRequest): Promise<string>;
  /** Finds the plan whose answer was lost; `null` when the vendor never saw it. */
  findPlan(input: Pick<VendorPlanRequest, 'razorpayPlanId'> & { askedAt: string }): Promise<string | null>;
  /** Throws `SubscriptionRefused`. */
  createSubscription(request: VendorSubscriptionRequest): Promise<VendorSubscription>;
  /** Finds the subscription whose answer was lost; `null` when the vendor never saw it. */
  findSubscription(
    input: Pick<VendorSubscriptionRequest, 'razorpaySubscriptionId' | 'planExternalId'>,
  ): Promise<VendorSubscription | null>;
  /**
   * A subscription with its cycles as they stand now, by its own id or by the id of one of its invoices; `null` for one of
   * another program. Throws `not_found`.
   */
  fetchSubscription(externalId: string): Promise<FetchedSubscription | null>;
  /** A payment of one of its cycles, with its refunds. */
  fetchPayment(paymentId: string): Promise<OrderPayment>;
  /** Ends it at once. Throws `vendor_rejected_request` also where it has ended already. */
  cancelSubscription(externalId: string): Promise<void>;
};

/** A dispute with the payment it is about, and the tenant that was paid; `null` for a payment of another program. */
export type FetchedDispute = { tenantId: string; paymentId: string; dispute: CardDispute };

export type DisputeVendor = {
  /** Throws `not_found`. */
  fetchDispute(externalId: string): Promise<FetchedDispute | null>;
};

/** Everything we ask Razorpay for. */
export type RazorpayVendor = OrderVendor & SubscriptionVendor & DisputeVendor;

/**
 * How old a look may be before the reconciler looks again: once a day, and every hour while an invoice waits for Razorpay or
 * its cancellation is still owed.
 */
export const subscriptionLooks = { hours: 1, idleHours: 24 } as const;
