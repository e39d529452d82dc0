import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as shapes from './shapes.ts';
import {
  toDispute,
  toOrderPayment,
  toOrderVendorEvent,
  toRefund,
  toVendorCycle,
  toVendorOrder,
  toVendorSubscription,
} from './transform.ts';

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON stands for whatever Razorpay sends
function recorded(name: string): any {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'recorded', `${name}.json`), 'utf8'));
}

const order = (json: unknown) => toVendorOrder(shapes.order.parse(json));
const payment = (json: unknown) => toOrderPayment(shapes.payment.parse(json));
const refund = (json: unknown) => toRefund(shapes.refund.parse(json));
const subscription = (json: unknown) => toVendorSubscription(shapes.subscription.parse(json));
const cycle = (json: unknown) => toVendorCycle(shapes.invoice.parse(json), 'inv_00000000000003');
const dispute = (json: unknown) => toDispute(shapes.dispute.parse(json));
const event = (json: unknown) => toOrderVendorEvent(shapes.event.parse(json), 'evt_1');

it.each(['order-created', 'order-paid', 'order-yen', 'order-of-another-program'])('reads %s', (name) => {
  expect(order(recorded(name))).toMatchSnapshot();
});

it.each([
  'payment-captured-upi',
  'payment-authorized-card',
  'payment-created',
  'payment-failed',
  'payment-refunded',
  'payment-released',
])('reads %s', (name) => {
  expect(payment(recorded(name))).toMatchSnapshot();
});

it.each(['refund-processed', 'refund-pending', 'refund-failed'])('reads %s', (name) => {
  expect(refund(recorded(name))).toMatchSnapshot();
});

it.each([
  'event-payment-captured',
  'event-order-paid',
  'event-refund-processed',
  'event-subscription-charged',
])('reads %s as ids only', (name) => {
  expect(event(recorded(name))).toMatchSnapshot();
});

it.each(['subscription-created', 'subscription-active'])('reads %s', (name) => {
  expect(subscription(recorded(name))).toMatchSnapshot();
});

it.each(['invoice-of-subscription', 'invoice-unpaid'])('reads %s as a cycle', (name) => {
  expect(cycle(recorded(name))).toMatchSnapshot();
});

it.each(['dispute-open', 'dispute-lost'])('reads %s', (name) => {
  expect(dispute(recorded(name))).toMatchSnapshot();
});

describe('a dispute', () => {
  const open = recorded('dispute-open');

  it.each([
    ['open', 'open', 0, false],
    ['under_review', 'open', 0, false],
    ['under_review', 'open', 10_000, true],
    ['something new', 'open', 0, false],
    ['won', 'won', 0, false],
    // What is still written there has come back all the same.
    ['won', 'won', 10_000, false],
    ['closed', 'won', 0, false],
    ['lost', 'lost', 10_000, true],
  ])('that is %s is %s; with %i deducted the money is gone: %s', (said, status, deducted, isWithdrawn) => {
    const json = { ...open, status: said, amount_deducted: deducted };
    expect(dispute(json)).toMatchObject({ status, isWithdrawn, amount: { amountMinor: 10_000 } });
  });

  it('that was lost in part is over what was deducted', () => {
    const json = { ...open, status: 'lost', amount_deducted: 4000 };
    expect(dispute(json)).toMatchObject({ amount: { amountMinor: 4000 }, isWithdrawn: true });
  });
});

it('a subscription of another program is none of ours, and a state nobody has heard of charges nothing', () => {
  const ours = recorded('subscription-active');
  expect(subscription({ ...ours, notes: [] })).toBeNull();
  expect(subscription({ ...ours, notes: { tenantId: ours.notes.tenantId } })).toBeNull();
  expect(subscription({ ...ours, status: 'frozen' })?.status).toBe('paused');
});

it('an authorisation that was given back without a capture has brought no money', () => {
  expect(payment(recorded('payment-released'))).toMatchObject({ status: 'refunded', captured: false });
  expect(payment(recorded('payment-refunded'))).toMatchObject({ status: 'refunded', captured: true });
});

it('a status nobody has heard of decides nothing', () => {
  const odd = { ...recorded('payment-created'), status: 'on_hold' };
  expect(payment(odd)).toMatchObject({ status: 'created', captured: false });
  expect(refund({ ...recorded('refund-processed'), status: 'queued' }).status).toBe('pending');
});

describe('an order is ours', () => {
  const ours = recorded('order-created');

  it.each([
    ['without notes', { notes: [] }],
    ['with notes that are missing', { notes: null }],
    ['with half of our notes', { notes: { tenantId: ours.notes.tenantId } }],
    ['with another receipt than our id', { receipt: 'rcptid_11' }],
    ['without a receipt', { receipt: null }],
    ['with notes that are no ids', { notes: { tenantId: 'a b', orderId: 4711 } }],
  ])('not %s', (_, change) => {
    expect(order({ ...ours, ...change })).toBeNull();
  });
});

it.each(['\u0000', '\ud800', 'order of mine', 'x'.repeat(256), '', 4711, null, {}, []])(
  'takes nothing for an id that is none: %j',
  (odd) => {
    const json = recorded('event-payment-captured');
    json.payload.payment.entity.order_id = odd;
    expect(event(json)).not.toHaveProperty('objectId');
  },
);
