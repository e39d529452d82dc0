/** What every part of the Razorpay sandbox works on: its objects as Razorpay shows them, its clock, its account. */
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { randomBase62 } from '../../sandbox/random.ts';
import type { Collection, Store } from '../../sandbox/store.ts';
import { unknownId } from './errors.ts';

/** Texts by name; Razorpay shows an empty list where there are none. */
export type Notes = Record<string, string> | [];

export type Order = {
  id: string;
  entity: 'order';
  amount: number;
  amount_paid: number;
  amount_due: number;
  currency: string;
  receipt: string | null;
  offer_id: null;
  status: 'created' | 'attempted' | 'paid';
  attempts: number;
  notes: Notes;
  created_at: number;
};

export type Payment = {
  id: string;
  entity: 'payment';
  amount: number;
  currency: string;
  status: 'created' | 'authorized' | 'captured' | 'refunded' | 'failed';
  order_id: string;
  /** Of the cycle of a subscription. */
  invoice_id: string | null;
  international: boolean;
  method: 'card' | 'upi';
  amount_refunded: number;
  refund_status: 'partial' | 'full' | null;
  captured: boolean;
  description: string | null;
  vpa: string | null;
  email: string;
  contact: string;
  notes: Notes;
  fee: number | null;
  tax: number | null;
  error_code: string | null;
  error_description: string | null;
  error_source: string | null;
  error_step: string | null;
  error_reason: string | null;
  acquirer_data: Record<string, string | null>;
  created_at: number;
};

export type Refund = {
  id: string;
  entity: 'refund';
  amount: number;
  currency: string;
  payment_id: string;
  notes: Notes;
  receipt: string | null;
  acquirer_data: { arn: string | null };
  batch_id: null;
  status: 'pending' | 'processed' | 'failed';
  speed_processed: 'normal';
  speed_requested: 'normal' | 'optimum';
  created_at: number;
};

export type Plan = {
  id: string;
  entity: 'plan';
  interval: number;
  period: 'daily' | 'weekly' | 'monthly' | 'yearly';
  item: { id: string; active: true; name: string; amount: number; currency: string };
  notes: Notes;
  created_at: number;
};

export type Subscription = {
  id: string;
  entity: 'subscription';
  plan_id: string;
  status:
    | 'created'
    | 'authenticated'
    | 'active'
    | 'pending'
    | 'halted'
    | 'cancelled'
    | 'completed'
    | 'expired';
  current_start: number | null;
  current_end: number | null;
  ended_at: number | null;
  quantity: number;
  notes: Notes;
  charge_at: number | null;
  start_at: number | null;
  end_at: number | null;
  auth_attempts: number;
  total_count: number;
  paid_count: number;
  customer_notify: boolean;
  created_at: number;
  expire_by: number | null;
  short_url: string;
  has_scheduled_changes: false;
  remaining_count: number;
};

/** What Razorpay bills for one cycle. */
export type Invoice = {
  id: string;
  entity: 'invoice';
  subscription_id: string;
  order_id: string;
  payment_id: string | null;
  status: 'issued' | 'paid';
  amount: number;
  currency: string;
  billing_start: number;
  billing_end: number;
  created_at: number;
};

export type Dispute = {
  id: string;
  entity: 'dispute';
  payment_id: string;
  amount: number;
  currency: string;
  amount_deducted: number;
  reason_code: string;
  respond_by: number;
  status: 'open' | 'under_review' | 'won' | 'lost' | 'closed';
  phase: 'fraud' | 'retrieval' | 'chargeback' | 'pre_arbitration' | 'arbitration';
  created_at: number;
};

/** A webhook: its id goes into a header, the rest is the body. */
export type RazorpayEvent = {
  id: string;
  type: string;
  /** What it is about. */
  subjectId: string;
  createdAt: number;
  payload: Record<string, { entity: object }>;
};

export type RazorpayObjects = {
  orders: Collection<Order>;
  payments: Collection<Payment>;
  refunds: Collection<Refund>;
  plans: Collection<Plan>;
  subscriptions: Collection<Subscription>;
  invoices: Collection<Invoice>;
  disputes: Collection<Dispute>;
  events: Collection<RazorpayEvent>;
};

export type RazorpayContext = RazorpayObjects & {
  clock: SandboxClock;
  keySecret: string;
  /** Hands a new event to the webhook sender. */
  deliver(event: RazorpayEvent): void;
};

export function openObjects(store: Store): RazorpayObjects {
  return {
    orders: store.collection('orders'),
    payments: store.collection('payments'),
    refunds: store.collection('refunds'),
    plans: store.collection('plans'),
    subscriptions: store.collection('subscriptions'),
    invoices: store.collection('invoices'),
    disputes: store.collection('disputes'),
    events: store.collection('events'),
  };
}

/** `order_IluGWxBm9U8zJ8`: a prefix and fourteen letters and digits. */
export function newObjectId(
  prefix: 'order' | 'pay' | 'rfnd' | 'plan' | 'item' | 'sub' | 'inv' | 'disp',
): string {
  return `${prefix}_${randomBase62(14)}`;
}

export function requireOrder({ orders }: RazorpayObjects, id: string): Order {
  const order = orders.get(id);
  if (!order) throw unknownId();
  return order;
}

export function requirePayment({ payments }: RazorpayObjects, id: string): Payment {
  const payment = payments.get(id);
  if (!payment) throw unknownId();
  return payment;
}

export function requireSubscription({ subscriptions }: RazorpayObjects, id: string): Subscription {
  const subscription = subscriptions.get(id);
  if (!subscription) throw unknownId();
  return subscription;
}

export function requireInvoice({ invoices }: RazorpayObjects, id: string): Invoice {
  const invoice = invoices.get(id);
  if (!invoice) throw unknownId();
  return invoice;
}

/** How the log speaks of what happened to an order; an amount on an `effect` means that money moved. */
export function orderNote({ id, notes, receipt }: Order, more: NoteParts): EffectNote {
  return { objectId: id, businessRef: noteOf(notes, 'invoiceId'), attemptRef: receipt ?? undefined, ...more };
}

/** The same for a subscription and what it charged. */
export function subscriptionNote({ id, notes }: Subscription, more: NoteParts): EffectNote {
  const [businessRef, attemptRef] = ['subscriptionId', 'razorpaySubscriptionId'].map((name) =>
    noteOf(notes, name),
  );
  return { objectId: id, businessRef, attemptRef, ...more };
}

/** The same for whatever a payment paid. */
export function paymentNote(
  objects: RazorpayObjects,
  { id: objectId, order_id, invoice_id }: Payment,
  more: NoteParts,
): EffectNote {
  if (invoice_id !== null) {
    const { subscription_id } = requireInvoice(objects, invoice_id);
    return subscriptionNote(requireSubscription(objects, subscription_id), { objectId, ...more });
  }
  return orderNote(requireOrder(objects, order_id), { objectId, ...more });
}

type NoteParts = Pick<EffectNote, 'outcome'> & Partial<EffectNote>;

function noteOf(notes: Notes, name: string): string | undefined {
  return Array.isArray(notes) ? undefined : notes[name];
}
