import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toCardCharge, toCardPaymentMethod, toCardRefund, toCardVendorEvent } from './transform.ts';

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON stands for whatever Stripe sends
function recorded(name: string): any {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'recorded', `${name}.json`), 'utf8'));
}

it.each([
  'payment-intent-succeeded',
  'payment-intent-partly-refunded',
  'payment-intent-declined',
  'payment-intent-authentication-required',
  'payment-intent-requires-action',
  'payment-intent-authentication-failed',
  'payment-intent-processing',
  'payment-intent-canceled',
  'payment-intent-succeeded-after-decline',
])('reads %s', (name) => {
  expect(toCardCharge(recorded(name))).toMatchSnapshot();
});

it('a decline that was overcome later is not a decline any more', () => {
  const charge = toCardCharge(recorded('payment-intent-succeeded-after-decline'));
  expect(charge).toMatchObject({ status: 'succeeded', amount: { amountMinor: 500, currency: 'JPY' } });
  expect(charge).not.toHaveProperty('decline');
});

it('a refund the bank sent back gave nothing back', () => {
  const charge = toCardCharge(recorded('payment-intent-partly-refunded'));
  const given = charge.refunds.filter(({ status }) => status !== 'failed');
  const sum = given.reduce((total, refund) => total + refund.amount.amountMinor, 0);
  expect(sum).toBe(charge.refundedMinor);
});

it('takes the refunds it is given over those that fit into the answer', () => {
  const intent = recorded('payment-intent-partly-refunded');
  const [first] = intent.latest_charge.refunds.data;
  expect(toCardCharge(intent, { refunds: [first] }).refunds).toHaveLength(1);
});

it.each([
  ['needs_response', [-2900], { status: 'open', isWithdrawn: true }],
  ['warning_under_review', [], { status: 'open', isWithdrawn: false }],
  ['won', [-2900], { status: 'won', isWithdrawn: true }],
  ['won', [-2900, 2900], { status: 'won', isWithdrawn: false }],
  ['warning_closed', [], { status: 'won', isWithdrawn: false }],
  ['lost', [-2900], { status: 'lost', isWithdrawn: true }],
])('reads a dispute that is %s with the transactions %j', (status, amounts, read) => {
  const balance_transactions = amounts.map((amount) => ({ amount }));
  const about = { id: 'dp_1', amount: 2900, currency: 'usd', reason: 'fraudulent', created: 1 };
  // biome-ignore lint/suspicious/noExplicitAny: stands for whatever Stripe sends
  const disputes = [{ ...about, status, balance_transactions }] as any;
  expect(toCardCharge(recorded('payment-intent-succeeded'), { disputes }).disputes).toEqual([
    {
      externalId: 'dp_1',
      amount: { amountMinor: 2900, currency: 'USD' },
      reason: 'fraudulent',
      openedAt: '1970-01-01T00:00:01.000Z',
      ...read,
    },
  ]);
});

it.each([
  ['pending', 'pending'],
  ['requires_action', 'pending'],
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['canceled', 'failed'],
  [null, 'succeeded'],
])('reads a refund that is %s as %s, with our id where it is one', (status, read) => {
  const refund = { id: 're_1', amount: 900, currency: 'jpy', created: 1, status };
  // biome-ignore lint/suspicious/noExplicitAny: stands for whatever Stripe sends
  const of = (metadata: object) => toCardRefund({ ...refund, metadata } as any);
  const own = { externalId: 're_1', amount: { amountMinor: 900, currency: 'JPY' }, status: read };
  expect(of({ refundId: 'ref_1' })).toMatchObject({ ...own, refundId: 'ref_1' });
  expect(of({ refundId: 'no id' })).not.toHaveProperty('refundId');
});

it('reads a card', () => {
  expect(toCardPaymentMethod(recorded('payment-method-card'))).toMatchSnapshot();
});

it.each(['event-payment-intent-succeeded', 'event-charge-refunded', 'event-customer-updated'])(
  'reads %s as ids only',
  (name) => {
    expect(toCardVendorEvent(recorded(name))).toMatchSnapshot();
  },
);

it.each(['\u0000', '\ud800', 'pi of mine', 'x'.repeat(256), '', 4711, null, {}, []])(
  'takes nothing for an id that is none: %j',
  (odd) => {
    const event = { id: 'evt_1', type: 'charge.refunded', created: 1 };
    const metadata = { tenantId: odd, attemptId: odd };
    const read = { externalId: 'evt_1', type: 'charge.refunded', createdAt: '1970-01-01T00:00:01.000Z' };
    expect(toCardVendorEvent({ ...event, data: { object: { payment_intent: odd, metadata } } })).toEqual(
      read,
    );
    const payment = { object: 'payment_intent', id: odd, metadata };
    expect(toCardVendorEvent({ ...event, data: { object: payment } })).toEqual(read);
  },
);
