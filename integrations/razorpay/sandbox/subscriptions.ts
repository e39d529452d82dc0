/**
 * Subscriptions: authorised once by the customer, then charged cycle by cycle. Whose turn it is, is said from outside: a cycle
 * that is due is paid or fails, and one that failed is tried three times more (`pending`) before it is given up (`halted`).
 * https://razorpay.com/docs/payments/subscriptions/states/
 */
import { z } from 'zod';
import { periodOf } from '../../../domain/calendar.ts';
import { realDayMs } from '../../../domain/instant.ts';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import {
  type Invoice,
  newObjectId,
  type Order,
  type Payment,
  type Plan,
  paymentNote,
  type RazorpayContext,
  requireInvoice,
  requireSubscription,
  type Subscription,
  subscriptionNote,
} from './context.ts';
import { badRequest, unknownId } from './errors.ts';
import { emit } from './events.ts';
import { collectionOf, notes, operation, pagination, type RazorpayOperation } from './params.ts';
import { authorize, beginPayment, capture, fail } from './payments.ts';

const seconds = z.number().int().min(0);

const newSubscription = z.strictObject({
  plan_id: z.string(),
  total_count: z.number().int().min(1),
  quantity: z.number().int().min(1).default(1),
  customer_notify: z.union([z.boolean(), z.literal(0), z.literal(1)]).default(1),
  start_at: seconds.optional(),
  expire_by: seconds.optional(),
  notes,
});

export function subscriptionOperations(context: RazorpayContext): RazorpayOperation[] {
  const { subscriptions, invoices, clock } = context;
  return [
    operation({
      op: 'subscriptions.create',
      method: 'POST',
      path: '/v1/subscriptions',
      params: newSubscription,
      run: ({ params: { customer_notify, start_at = null, expire_by = null, ...params } }) => {
        requirePlan(context, params.plan_id);
        if (start_at !== null && start_at <= clock.seconds())
          throw badRequest('start_at must be in the future', { field: 'start_at' });
        const id = newObjectId('sub');
        const subscription: Subscription = {
          id,
          entity: 'subscription',
          ...params,
          status: 'created',
          current_start: null,
          current_end: null,
          ended_at: null,
          charge_at: start_at,
          start_at,
          end_at: null,
          auth_attempts: 0,
          paid_count: 0,
          customer_notify: customer_notify === true || customer_notify === 1,
          created_at: clock.seconds(),
          expire_by,
          short_url: `https://rzp.io/i/${id.slice('sub_'.length)}`,
          has_scheduled_changes: false,
          remaining_count: params.total_count,
        };
        subscriptions.put(id, subscription);
        return { body: subscription, note: subscriptionNote(subscription, { outcome: 'effect' }) };
      },
    }),
    operation({
      op: 'subscriptions.list',
      method: 'GET',
      path: '/v1/subscriptions',
      params: z.strictObject({ ...pagination, plan_id: z.string().optional() }),
      run: ({ params: { plan_id, ...page } }) => {
        const own = subscriptions
          .values()
          .filter((each) => plan_id === undefined || each.plan_id === plan_id);
        return { body: collectionOf(own, page) };
      },
    }),
    operation({
      op: 'subscriptions.retrieve',
      method: 'GET',
      path: '/v1/subscriptions/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => ({ body: requireSubscription(context, id) }),
    }),
    operation({
      op: 'subscriptions.cancel',
      method: 'POST',
      path: '/v1/subscriptions/:id/cancel',
      params: z.strictObject({ cancel_at_cycle_end: z.literal(0).optional() }),
      run: ({ pathParams: { id = '' } }) => {
        const note = cancelSubscription(context, id);
        return { body: requireSubscription(context, id), note };
      },
    }),
    operation({
      op: 'invoices.list',
      method: 'GET',
      path: '/v1/invoices',
      params: z.strictObject({ ...pagination, subscription_id: z.string().optional() }),
      run: ({ params: { subscription_id, ...page } }) => {
        const own = invoices
          .values()
          .filter((each) => subscription_id === undefined || each.subscription_id === subscription_id);
        return { body: collectionOf(own, page) };
      },
    }),
    operation({
      op: 'invoices.retrieve',
      method: 'GET',
      path: '/v1/invoices/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => ({ body: requireInvoice(context, id) }),
    }),
  ];
}

/** What happened in a cycle: its payment, and for the log what it moved. */
type Charged = { payment: Payment; note: EffectNote };

/**
 * The customer authorises it: one that starts later by a small payment that is given back at once, one that starts now by its
 * first charge. One that was given up goes on with its next cycle.
 */
export function authorizeSubscription(
  context: RazorpayContext,
  id: string,
): { payment: Payment; note: EffectNote | null } {
  const subscription = requireSubscription(context, id);
  const { status, start_at, expire_by } = subscription;
  const now = context.clock.seconds();
  if (status === 'created' && expire_by !== null && expire_by < now) {
    put(context, subscription, { status: 'expired', ended_at: now });
    throw new RangeError(`Subscription ${id} could be authorised until ${expire_by}`);
  }
  if (status !== 'created' && status !== 'halted') throw new RangeError(`Subscription ${id} is ${status}`);
  const payment = smallPayment(context, subscription);
  if (status === 'halted') {
    put(context, subscription, { status: 'active', auth_attempts: 0 });
    emit(context, 'subscription.activated', { subscription, payment });
    return { payment, note: null };
  }
  put(context, subscription, { status: 'authenticated', start_at: start_at ?? now });
  emit(context, 'subscription.authenticated', { subscription, payment });
  return start_at === null ? chargeCycle(context, id) : { payment, note: null };
}

/** The cycle that is due is paid, or the one that failed before. */
export function chargeCycle(context: RazorpayContext, id: string): Charged {
  const subscription = requireSubscription(context, id);
  const wasActive = subscription.status === 'active';
  const invoice = dueInvoice(context, subscription);
  const payment = paymentOf(context, invoice);
  authorize(context, payment);
  const note = capture(context, payment);
  Object.assign(invoice, { status: 'paid', payment_id: payment.id });
  context.invoices.put(invoice.id, invoice);
  const remaining = subscription.remaining_count - 1;
  put(context, subscription, {
    status: 'active',
    auth_attempts: 0,
    paid_count: subscription.paid_count + 1,
    remaining_count: remaining,
  });
  if (!wasActive) emit(context, 'subscription.activated', { subscription, payment });
  emit(context, 'subscription.charged', { subscription, payment });
  if (remaining === 0) {
    put(context, subscription, { status: 'completed', ended_at: context.clock.seconds(), charge_at: null });
    emit(context, 'subscription.completed', { subscription, payment });
  }
  return { payment, note };
}

/** The cycle that is due fails, or the next try of it does. */
export function failCycle(context: RazorpayContext, id: string, reason: string): EffectNote {
  const subscription = requireSubscription(context, id);
  const payment = paymentOf(context, dueInvoice(context, subscription));
  fail(context, payment, reason);
  const attempts = subscription.auth_attempts + 1;
  const status = attempts < TRIES ? 'pending' : 'halted';
  put(context, subscription, { status, auth_attempts: attempts });
  emit(context, `subscription.${status}`, { subscription, payment });
  return paymentNote(context, payment, { outcome: 'refused', detail: reason });
}

/** The first, and one on each of the three days after it. */
const TRIES = 4;

export function cancelSubscription(context: RazorpayContext, id: string): EffectNote {
  const subscription = requireSubscription(context, id);
  const { status } = subscription;
  if (status === 'cancelled' || status === 'completed' || status === 'expired')
    throw badRequest(`Subscription is not cancellable in ${status} status.`, { field: 'status' });
  put(context, subscription, { status: 'cancelled', ended_at: context.clock.seconds(), charge_at: null });
  emit(context, 'subscription.cancelled', { subscription });
  return subscriptionNote(subscription, { outcome: 'effect' });
}

/** The invoice of the cycle that is to be paid: the one that failed, or the next one. */
function dueInvoice(context: RazorpayContext, subscription: Subscription): Invoice {
  const { id, status, start_at } = subscription;
  const own = context.invoices.values().filter(({ subscription_id }) => subscription_id === id);
  const failed = own.find((invoice) => invoice.status === 'issued');
  if (status === 'pending' && failed !== undefined) return failed;
  if ((status !== 'authenticated' && status !== 'active') || start_at === null)
    throw new RangeError(`Subscription ${id} is ${status}; no cycle of it is due`);
  const plan = requirePlan(context, subscription.plan_id);
  const { startsAt, endsAt } = periodOf({
    anchor: new Date(start_at * 1000).toISOString(),
    interval: { unit: units[plan.period], count: plan.interval },
    index: own.length,
    calendar: { timeZone: 'Asia/Kolkata', dayMs: realDayMs },
  });
  const [current_start, current_end] = [startsAt, endsAt].map((at) => Date.parse(at) / 1000) as [
    number,
    number,
  ];
  put(context, subscription, { current_start, current_end, charge_at: current_end });
  const amount = plan.item.amount * subscription.quantity;
  const { currency } = plan.item;
  const invoice: Invoice = {
    id: newObjectId('inv'),
    entity: 'invoice',
    subscription_id: id,
    order_id: newOrder(context, { amount, currency }).id,
    payment_id: null,
    status: 'issued',
    amount,
    currency,
    billing_start: current_start,
    billing_end: current_end,
    created_at: context.clock.seconds(),
  };
  context.invoices.put(invoice.id, invoice);
  return invoice;
}

const units = { daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' } as const;

function paymentOf(context: RazorpayContext, { id, order_id: orderId }: Invoice): Payment {
  const payment = beginPayment(context, { orderId, method: 'card' });
  payment.invoice_id = id;
  context.payments.put(payment.id, payment);
  return payment;
}

/** Five rupees, given back at once: nothing stays with us. */
function smallPayment(context: RazorpayContext, subscription: Subscription): Payment {
  const { currency } = requirePlan(context, subscription.plan_id).item;
  const { id: orderId } = newOrder(context, { amount: AUTHORISATION_AMOUNT, currency });
  const payment = beginPayment(context, { orderId, method: 'card' });
  authorize(context, payment);
  payment.status = 'refunded';
  context.payments.put(payment.id, payment);
  return payment;
}

const AUTHORISATION_AMOUNT = 500;

/** Razorpay's own order, which names nobody of ours. */
function newOrder(
  { orders, clock }: RazorpayContext,
  { amount, currency }: { amount: number; currency: string },
): Order {
  const order: Order = {
    id: newObjectId('order'),
    entity: 'order',
    amount,
    amount_paid: 0,
    amount_due: amount,
    currency,
    receipt: null,
    offer_id: null,
    status: 'created',
    attempts: 0,
    notes: [],
    created_at: clock.seconds(),
  };
  orders.put(order.id, order);
  return order;
}

function requirePlan({ plans }: RazorpayContext, id: string): Plan {
  const plan = plans.get(id);
  if (!plan) throw unknownId();
  return plan;
}

function put(
  { subscriptions }: RazorpayContext,
  subscription: Subscription,
  set: Partial<Subscription>,
): void {
  subscriptions.put(subscription.id, Object.assign(subscription, set));
}
