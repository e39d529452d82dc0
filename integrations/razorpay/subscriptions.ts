/**
 * Razorpay's subscriptions and the plans they need, on the official SDK.
 *
 * Why it is safe to run twice: plan and subscription carry our ids in their notes, and after an unknown outcome the caller
 * looks for them in Razorpay's lists first: Razorpay has no idempotency keys for them. Ending one is refused the second time.
 */
import type Razorpay from 'razorpay';
import type { BillingInterval } from '../../domain/calendar.ts';
import {
  type FetchedSubscription,
  SubscriptionRefused,
  type SubscriptionVendor,
  type VendorPlanRequest,
  type VendorSubscription,
  type VendorSubscriptionRequest,
} from '../../domain/payments/razorpay-subscription.ts';
import { toVendorError } from './errors.ts';
import { LIST_MAX, listRefunds, mutation, read } from './requests.ts';
import * as shapes from './shapes.ts';
import { toOrderPayment, toVendorCycle, toVendorSubscription } from './transform.ts';

export function createSubscriptionVendor(razorpay: Razorpay): SubscriptionVendor {
  return {
    createPlan: (request) => createPlan(razorpay, request),
    findPlan: (input) => findPlan(razorpay, input),
    createSubscription: (request) => createSubscription(razorpay, request),
    findSubscription: (input) => findSubscription(razorpay, input),
    fetchSubscription: (externalId) => fetchSubscription(razorpay, externalId),
    async fetchPayment(paymentId) {
      const payment = await read(shapes.payment, () => razorpay.payments.fetch(paymentId));
      const refunds = payment.captured === true ? await listRefunds(razorpay, paymentId) : [];
      return toOrderPayment(payment, refunds);
    },
    async cancelSubscription(externalId) {
      await mutation(shapes.subscription, () => razorpay.subscriptions.cancel(externalId));
    },
  };
}

const periods = { day: 'daily', week: 'weekly', month: 'monthly', year: 'yearly' } as const satisfies Record<
  BillingInterval['unit'],
  string
>;

async function createPlan(
  razorpay: Razorpay,
  { tenantId, razorpayPlanId, name, amount, interval }: VendorPlanRequest,
): Promise<string> {
  const request = {
    period: periods[interval.unit],
    interval: interval.count,
    item: { name, amount: amount.amountMinor, currency: amount.currency },
    notes: { tenantId, razorpayPlanId },
  };
  const { id } = await mutation(shapes.plan, () => razorpay.plans.create(request), refused);
  return id;
}

/** Plans cannot be looked for by their notes: the list is read from a little before it was asked for. */
async function findPlan(
  razorpay: Razorpay,
  { razorpayPlanId, askedAt }: { razorpayPlanId: string; askedAt: string },
): Promise<string | null> {
  const from = Math.floor(Date.parse(askedAt) / 1000) - CLOCKS_DIFFER_SECONDS;
  const list = shapes.listOf(shapes.plan);
  const plans = await wholeList((page) => read(list, () => razorpay.plans.all({ ...page, from })));
  return oldest(plans.filter(({ notes }) => notes?.['razorpayPlanId'] === razorpayPlanId))?.id ?? null;
}

const CLOCKS_DIFFER_SECONDS = 60 * 60;

/** The mails and texts to the customer are ours; until the first charge it can be authorised. */
async function createSubscription(
  razorpay: Razorpay,
  request: VendorSubscriptionRequest,
): Promise<VendorSubscription> {
  const { tenantId, subscriptionId, razorpaySubscriptionId, planExternalId, cycles, startsAt } = request;
  const startSeconds = startsAt === null ? null : Math.ceil(Date.parse(startsAt) / 1000);
  const body = {
    plan_id: planExternalId,
    total_count: cycles,
    quantity: 1,
    customer_notify: 0 as const,
    ...(startSeconds !== null && { start_at: startSeconds, expire_by: startSeconds }),
    notes: { tenantId, subscriptionId, razorpaySubscriptionId },
  };
  const made = toVendorSubscription(
    await mutation(shapes.subscription, () => razorpay.subscriptions.create(body), refused),
  );
  if (made === null)
    throw toVendorError(new Error('Razorpay: another subscription than asked for'), { mutates: true });
  return made;
}

/** Of several with our id the oldest one, whenever it is looked for. */
async function findSubscription(
  razorpay: Razorpay,
  {
    razorpaySubscriptionId,
    planExternalId,
  }: Pick<VendorSubscriptionRequest, 'razorpaySubscriptionId' | 'planExternalId'>,
): Promise<VendorSubscription | null> {
  const list = shapes.listOf(shapes.subscription);
  const found = await wholeList((page) =>
    read(list, () => razorpay.subscriptions.all({ ...page, plan_id: planExternalId })),
  );
  const own = oldest(
    found.filter(({ notes }) => notes?.['razorpaySubscriptionId'] === razorpaySubscriptionId),
  );
  return own === null ? null : toVendorSubscription(own);
}

/** The subscription first: what its invoices say is not older. Of one that is none of ours nothing more is read. */
async function fetchSubscription(
  razorpay: Razorpay,
  externalId: string,
): Promise<FetchedSubscription | null> {
  const id = await subscriptionIdOf(razorpay, externalId);
  if (id === null) return null;
  const subscription = toVendorSubscription(
    await read(shapes.subscription, () => razorpay.subscriptions.fetch(id)),
  );
  if (subscription === null) return null;
  const list = shapes.listOf(shapes.invoice);
  const invoices = await wholeList((page) =>
    read(list, () => razorpay.invoices.all({ ...page, subscription_id: id })),
  );
  const cycles = invoices.map((invoice) => toVendorCycle(invoice, externalId));
  return { ...subscription, cycles: cycles.sort((a, b) => Date.parse(a.startsAt) - Date.parse(b.startsAt)) };
}

/** Null for an invoice that is of no subscription. */
async function subscriptionIdOf(razorpay: Razorpay, externalId: string): Promise<string | null> {
  if (!externalId.startsWith('inv_')) return externalId;
  const invoice = await read(shapes.invoice, () => razorpay.invoices.fetch(externalId));
  return invoice.subscription_id ?? null;
}

/** A list page by page, until one is not full. */
async function wholeList<Item>(
  readPage: (page: { count: number; skip: number }) => Promise<{ items: Item[] }>,
): Promise<Item[]> {
  const found: Item[] = [];
  for (;;) {
    const { items } = await readPage({ count: LIST_MAX, skip: found.length });
    found.push(...items);
    if (items.length < LIST_MAX) return found;
  }
}

function oldest<Item extends { id: string; created_at: number }>(items: readonly Item[]): Item | null {
  const [first] = [...items].sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  return first ?? null;
}

function refused({ reason, message }: { reason: string; message: string }): SubscriptionRefused {
  return new SubscriptionRefused({ reason, message });
}
