import { describe, expect, it } from 'vitest';
import * as shapes from './shapes.ts';
import { toCheckoutEvent, toProviderCheckout } from './transform.ts';

const owner = {
  tenantId: 'ten_1',
  invoiceId: 'inv_1',
  checkoutId: 'cbc_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b',
};

const json = (differs: object = {}) => ({
  id: '68f7a946db0529ea9b6d3a12',
  url: 'https://payments.coinbase.com/payment-links/pl_1',
  amount: '29.00',
  currency: 'USDC',
  network: 'base',
  status: 'ACTIVE',
  expiresAt: '2026-03-02T10:00:00Z',
  metadata: owner,
  createdAt: '2026-03-01T10:00:00Z',
  updatedAt: '2026-03-01T10:00:00.5Z',
  ...differs,
});
const paid = (differs: object = {}) =>
  json({
    status: 'COMPLETED',
    settlement: { totalAmount: '29.00', feeAmount: '0.29', netAmount: '28.71', currency: 'USDC' },
    transactionHash: '0xabc',
    updatedAt: '2026-03-01T11:00:00Z',
    ...differs,
  });
const checkout = (value: object) => toProviderCheckout(shapes.checkout.parse(value));

describe('a checkout', () => {
  it('that is open has no payment', () => {
    expect(checkout(json())).toEqual({
      externalId: '68f7a946db0529ea9b6d3a12',
      status: 'active',
      owner,
      amount: { amountMinor: 2900, currency: 'USD' },
      url: 'https://payments.coinbase.com/payment-links/pl_1',
      expiresAt: '2026-03-02T10:00:00.000Z',
      payments: [],
      createdAt: '2026-03-01T10:00:00.000Z',
    });
  });

  it('that is paid has one payment, over what was settled before the fee', () => {
    expect(checkout(paid())?.payments).toEqual([
      {
        externalId: '68f7a946db0529ea9b6d3a12',
        amount: { amountMinor: 2900, currency: 'USD' },
        coins: '29.00 USDC',
        transactionId: '0xabc',
        at: '2026-03-01T11:00:00.000Z',
        refunds: [],
      },
    ]);
  });

  it('keeps digits below a cent in words, and books whole cents', () => {
    const settlement = { totalAmount: '29.009999', feeAmount: '0', netAmount: '29', currency: 'USDC' };
    expect(checkout(paid({ settlement }))?.payments).toMatchObject([
      { amount: { amountMinor: 2900 }, coins: '29.009999 USDC' },
    ]);
  });

  it.each(['PROCESSING', 'EXPIRED', 'FAILED', 'DEACTIVATED'])('that is %s has no payment', (status) => {
    expect(checkout(json({ status }))).toMatchObject({ status: status.toLowerCase(), payments: [] });
  });

  it.each([
    ['REFUNDED', 'COMPLETED', 'succeeded'],
    ['PARTIALLY_REFUNDED', 'PENDING', 'pending'],
    ['COMPLETED', 'FAILED', 'failed'],
  ])('that is %s is paid, and has a refund that is %s', (status, refundStatus, expected) => {
    const refund = {
      id: 'ref-1',
      amount: '10.00',
      currency: 'USDC',
      status: refundStatus,
      createdAt: '2026-03-03T10:00:00Z',
    };
    expect(checkout(paid({ status, refunds: [refund] }))).toMatchObject({
      status: 'completed',
      payments: [
        {
          amount: { amountMinor: 2900 },
          refunds: [
            {
              externalId: 'ref-1',
              status: expected,
              amount: { amountMinor: 1000, currency: 'USD' },
              createdAt: '2026-03-03T10:00:00.000Z',
            },
          ],
        },
      ],
    });
  });

  it.each([
    ['without metadata', undefined],
    ['of another program', { order_id: '7' }],
    ['with an id that is none of ours', { ...owner, checkoutId: 'x' }],
    ['with something else for an id', { ...owner, tenantId: { a: 1 } }],
  ])('%s is none of ours', (_, metadata) => {
    expect(checkout(json({ metadata }))).toBeNull();
  });

  it.each([
    ['a status we do not know', { status: 'PAID' }],
    ['another coin', { currency: 'EURC' }],
  ])('with %s is not guessed at', (_, differs) => {
    expect(() => checkout(json(differs))).toThrow(RangeError);
  });
});

it('an event is reduced to ids', () => {
  const event = shapes.event.parse({ ...paid(), eventType: 'checkout.payment.success' });
  const sentAt = new Date('2026-03-01T11:00:00Z');
  expect(toCheckoutEvent(event, { externalId: 'evt-1', sentAt })).toEqual({
    externalId: 'evt-1',
    type: 'checkout.payment.success',
    checkoutId: owner.checkoutId,
    createdAt: '2026-03-01T11:00:00.000Z',
  });
  expect(toCheckoutEvent({ ...event, metadata: {} }, { externalId: 'evt-2', sentAt })).not.toHaveProperty(
    'checkoutId',
  );
});
