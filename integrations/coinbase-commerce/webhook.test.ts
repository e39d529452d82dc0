/** What an event of Coinbase Commerce says, and which events are believed. */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { verifyCommerceWebhook } from './webhook.ts';

const secret = 'commerce-secret';
const now = new Date('2026-03-20T20:00:00Z');
const id = '2aee9dd1-67b8-43ef-8dfe-977959850f27';

const payment = (differs: object = {}) => ({
  payment_id: '1',
  network: 'ethereum',
  transaction_id: '0xaaa',
  status: 'CONFIRMED',
  detected_at: '2026-03-20T19:24:45Z',
  value: { local: { amount: '29.00', currency: 'USD' }, crypto: { amount: '0.0123', currency: 'ETH' } },
  ...differs,
});

/** Not in the order of time: whoever reads the first entry, or the last, is wrong. */
const timeline = [
  { time: '2026-03-20T18:55:51Z', status: 'NEW' },
  { time: '2026-03-20T19:29:20Z', status: 'COMPLETED' },
  { time: '2026-03-20T19:24:27Z', status: 'SIGNED' },
  { time: '2026-03-20T19:24:45Z', status: 'PENDING' },
];

const delivery = (charge: object = {}, event: object = {}) =>
  JSON.stringify({
    attempt_number: 1,
    scheduled_for: '2026-03-20T19:30:00Z',
    event: {
      id: '24934862-d980-46cb-9402-43c81b0cdba6',
      resource: 'event',
      type: 'charge:confirmed',
      api_version: '2018-03-22',
      created_at: '2026-03-20T19:29:20Z',
      data: {
        id,
        code: 'XA6G6ZFR',
        hosted_url: 'https://commerce.coinbase.com/charges/XA6G6ZFR',
        pricing: { local: { amount: '29.00', currency: 'USD' } },
        metadata: { tenantId: 'ten_1', invoiceId: 'inv_1' },
        timeline,
        payments: [payment()],
        created_at: '2026-03-20T18:55:51Z',
        expires_at: '2026-03-20T19:55:51Z',
        ...charge,
      },
      ...event,
    },
  });

const sign = (payload: string | Buffer, key = secret) =>
  createHmac('sha256', key).update(payload).digest('hex');

function verify(
  payload: string,
  {
    signature = sign(payload),
    secrets = [secret],
    at = now,
  }: { signature?: string | string[]; secrets?: string[]; at?: Date } = {},
) {
  return verifyCommerceWebhook({
    rawBody: Buffer.from(payload),
    signatureHeader: signature,
    secrets,
    now: at,
  });
}

const chargeOf = (charge: object, event: object = {}) => verify(delivery(charge, event)).charge;

describe('a charge', () => {
  it('that is confirmed has its payment, its id and its state by time, not by place', () => {
    expect(verify(delivery())).toEqual({
      externalId: '24934862-d980-46cb-9402-43c81b0cdba6',
      type: 'charge:confirmed',
      createdAt: '2026-03-20T19:29:20.000Z',
      charge: {
        externalId: id,
        status: 'completed',
        owner: {
          tenantId: 'ten_1',
          invoiceId: 'inv_1',
          checkoutId: 'cbc_2aee9dd167b843ef8dfe977959850f27',
        },
        amount: { amountMinor: 2900, currency: 'USD' },
        url: 'https://commerce.coinbase.com/charges/XA6G6ZFR',
        expiresAt: '2026-03-20T19:55:51.000Z',
        payments: [
          {
            externalId: `${id}:0xaaa`,
            amount: { amountMinor: 2900, currency: 'USD' },
            coins: '0.0123 ETH',
            transactionId: '0xaaa',
            at: '2026-03-20T19:24:45.000Z',
            refunds: [],
          },
        ],
        createdAt: '2026-03-20T18:55:51.000Z',
      },
    });
  });

  it.each([
    ['new', [timeline[0]], [], 'active'],
    ['signed', [timeline[2], timeline[0]], [], 'processing'],
    ['pending', [timeline[3], timeline[0]], [payment({ status: 'PENDING' })], 'processing'],
    ['expired', [{ time: '2026-03-20T19:55:51Z', status: 'EXPIRED' }, timeline[0]], [], 'expired'],
    ['failed', [timeline[0], { time: '2026-03-20T19:55:51Z', status: 'FAILED' }], [], 'failed'],
  ])('that is %s has no payment that counts', (_, entries, payments, status) => {
    expect(chargeOf({ timeline: entries, payments })).toMatchObject({ status, payments: [] });
  });

  it('paid after it had expired is paid: the money is here', () => {
    const entries = [timeline[0], { time: '2026-03-20T19:55:51Z', status: 'EXPIRED' }];
    expect(chargeOf({ timeline: entries }, { type: 'charge:delayed' })).toMatchObject({
      status: 'completed',
      payments: [{ amount: { amountMinor: 2900 } }],
    });
  });

  it('paid twice, and in parts, has every payment that is confirmed', () => {
    const part = (transaction_id: string, amount: string, status = 'confirmed') =>
      payment({ transaction_id, status, value: { local: { amount, currency: 'USD' } } });
    const payments = [part('0x1', '10.00'), part('0x2', '19.009'), part('0x3', '5.00', 'pending')];
    expect(chargeOf({ payments })?.payments).toMatchObject([
      { externalId: `${id}:0x1`, amount: { amountMinor: 1000 }, coins: '10.00 USD' },
      { externalId: `${id}:0x2`, amount: { amountMinor: 1900 }, coins: '19.009 USD' },
    ]);
  });

  it('paid through its contract has its price as payment', () => {
    const web3_data = { success_events: [{ tx_hsh: '0xccc', finalized: true }] };
    expect(chargeOf({ payments: undefined, web3_data })?.payments).toMatchObject([
      {
        externalId: `${id}:0xccc`,
        amount: { amountMinor: 2900, currency: 'USD' },
        at: '2026-03-20T19:29:20.000Z',
      },
    ]);
    expect(chargeOf({ payments: undefined })?.payments).toEqual([]);
  });

  it('without a timeline is as its event says', () => {
    expect(chargeOf({ timeline: undefined, payments: [] }, { type: 'charge:created' })).toMatchObject({
      status: 'active',
    });
  });

  it.each([
    ['of another program', { metadata: { order: '7' } }],
    ['without metadata', { metadata: undefined }],
    ['without a price', { pricing: undefined }],
    ['in a currency that we do not know', { pricing: { local: { amount: '1', currency: 'DOGE' } } }],
  ])('%s is none of ours', (_, charge) => {
    expect(chargeOf(charge)).toBeNull();
  });
});

describe('an event of Coinbase Commerce', () => {
  const body = delivery();

  it('is accepted with any of two secrets, and in capital letters', () => {
    expect(verify(body, { secrets: ['new', secret] }).type).toBe('charge:confirmed');
    expect(verify(body, { signature: sign(body).toUpperCase() }).type).toBe('charge:confirmed');
  });

  it.each<[string, string, Parameters<typeof verify>[1], string]>([
    ['without a signature', body, { signature: '' }, 'missing_header'],
    ['with a signature of another length', body, { signature: 'abcd' }, 'malformed_header'],
    ['with two signatures', body, { signature: [sign(body), sign(body)] }, 'malformed_header'],
    ['of another secret', body, { signature: sign(body, 'other') }, 'bad_signature'],
    ['when no secret is set', body, { secrets: [] }, 'bad_signature'],
    ['with an empty secret', body, { secrets: [''], signature: sign(body, '') }, 'bad_signature'],
    [
      'of the same JSON in other bytes',
      JSON.stringify(JSON.parse(body), null, 1),
      { signature: sign(body) },
      'bad_signature',
    ],
    ['of four days ago', body, { at: new Date('2026-03-24T19:29:21Z') }, 'too_old'],
    ['of the future', body, { at: new Date('2026-03-20T19:24:19Z') }, 'in_future'],
    ['that is no JSON', 'hello', {}, 'malformed_payload'],
    ['that is no event', '{}', {}, 'malformed_payload'],
  ])('is refused %s', (_, payload, options, reason) => {
    let refusal = 'accepted';
    try {
      verify(payload, options);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      refusal = error.reason;
    }
    expect(refusal).toBe(reason);
  });
});
