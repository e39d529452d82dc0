import { createHmac } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { type VerifiedRazorpayWebhook, verifyRazorpayWebhook } from './webhook.ts';

const secret = 'rzp_wh_secret';
const createdAt = 1_700_000_000;
const body = '{"entity":"event","account_id":"acc_1","event":"subscription.charged","created_at":1700000000}';
const known = '4e5a27b1278ae79848af2a392ba7c5deba3edac93b11af328e3aad538ca4bcec';

type Overrides = Partial<{
  rawBody: unknown;
  signature: string | string[] | undefined;
  eventId: string | string[] | undefined;
  secrets: string[];
  nowSeconds: number;
}>;

function verify(overrides: Overrides = {}): VerifiedRazorpayWebhook {
  return verifyRazorpayWebhook({
    rawBody: ('rawBody' in overrides ? overrides.rawBody : Buffer.from(body)) as Buffer,
    signatureHeader: 'signature' in overrides ? overrides.signature : known,
    eventIdHeader: 'eventId' in overrides ? overrides.eventId : 'evt_1',
    secrets: overrides.secrets ?? [secret],
    now: new Date((overrides.nowSeconds ?? createdAt) * 1000),
  });
}

function sign(payload: string | Buffer, key = secret): string {
  return createHmac('sha256', key).update(payload).digest('hex');
}

/** The overrides of an event that is signed as it is. */
const signed = (payload: string | Buffer): Overrides => ({
  rawBody: Buffer.from(payload),
  signature: sign(payload),
});

function refusalOf(overrides: Overrides): string {
  try {
    verify(overrides);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('a webhook of Razorpay is accepted', () => {
  it('with the known answer for a known secret and body', () => {
    expect(sign(body)).toBe(known);
    expect(verify()).toEqual({
      externalId: 'evt_1',
      type: 'subscription.charged',
      account: 'acc_1',
      createdAt: '2023-11-14T22:13:20.000Z',
    });
  });

  it('when the old secret signed it, as for a day after a change', () => {
    expect(verify({ secrets: ['rzp_wh_next', secret] }).externalId).toBe('evt_1');
  });

  it('as long as Razorpay sends it again, and a little ahead of our clock', () => {
    expect(refusalOf({ nowSeconds: createdAt + 24 * 3600 })).toBe('accepted');
    expect(refusalOf({ nowSeconds: createdAt + 25 * 3600 })).toBe('accepted');
    expect(refusalOf({ nowSeconds: createdAt - 300 })).toBe('accepted');
  });

  it('with letters beyond ASCII and emoji in the body', () => {
    expect(refusalOf(signed(body.replace('}', ',"payload":{"name":"Zoë 🚀 रुपया"}}')))).toBe('accepted');
  });

  it('names what it speaks of, whichever object says so', () => {
    const about = (payload: object) =>
      verify(signed(JSON.stringify({ ...JSON.parse(body), payload }))).objectId;
    expect(about({ payment: { entity: { id: 'pay_1', order_id: 'order_1' } } })).toBe('order_1');
    expect(about({ order: { entity: { id: 'order_2' } } })).toBe('order_2');
    expect(
      about({ refund: { entity: { id: 'rfnd_1' } }, payment: { entity: { order_id: 'order_3' } } }),
    ).toBe('order_3');
    expect(about({ payment: { entity: { id: 'pay_1', order_id: null } } })).toBeUndefined();
    const ofCycle = { entity: { id: 'pay_1', order_id: 'order_4', invoice_id: 'inv_1' } };
    expect(about({ payment: ofCycle, order: { entity: { id: 'order_4' } } })).toBe('inv_1');
    expect(about({ payment: ofCycle, subscription: { entity: { id: 'sub_1' } } })).toBe('sub_1');
    expect(about({ payment: ofCycle, dispute: { entity: { id: 'disp_1' } } })).toBe('disp_1');
  });
});

describe('a webhook is refused', () => {
  const other = `${'0'.repeat(63)}1`;

  it.each<[string, Overrides, string]>([
    [
      'one byte of the body changed',
      { rawBody: Buffer.from(body.replace('acc_1', 'acc_2')) },
      'bad_signature',
    ],
    [
      'the body serialised again',
      { rawBody: Buffer.from(JSON.stringify(JSON.parse(body), null, 2)) },
      'bad_signature',
    ],
    ['the body compressed on the way', { rawBody: gzipSync(body) }, 'bad_signature'],
    ['an empty body', { rawBody: Buffer.alloc(0) }, 'bad_signature'],
    ['a parsed object instead of bytes', { rawBody: JSON.parse(body) }, 'raw_body_required'],
    ['a string instead of bytes', { rawBody: body }, 'raw_body_required'],
    ['no signature', { signature: undefined }, 'missing_header'],
    ['an empty signature', { signature: '' }, 'missing_header'],
    ['the signature twice, as a list', { signature: [known, known] }, 'malformed_header'],
    ['the signature twice, joined', { signature: `${known}, ${known}` }, 'malformed_header'],
    ['the scheme of another vendor', { signature: `t=${createdAt},v1=${known}` }, 'malformed_header'],
    ['only an old scheme', { signature: `v0=${known}` }, 'malformed_header'],
    ['a signature of the wrong length', { signature: known.slice(2) }, 'malformed_header'],
    ['a signature that is too long', { signature: `${known}00` }, 'malformed_header'],
    ['upper-case digits', { signature: known.toUpperCase() }, 'malformed_header'],
    ['a line end behind it', { signature: `${known}\n` }, 'malformed_header'],
    ['letters beyond ASCII in the signature', { signature: 'é'.repeat(64) }, 'malformed_header'],
    ['another signature', { signature: other }, 'bad_signature'],
    ['the signature of another secret', { secrets: ['rzp_wh_other'] }, 'bad_signature'],
    ['a secret with a trailing newline', { secrets: [`${secret}\n`] }, 'bad_signature'],
    ['an empty secret', { secrets: [''], signature: sign(body, '') }, 'bad_signature'],
    ['no secret configured', { secrets: [] }, 'bad_signature'],
    ['no event id', { eventId: undefined }, 'missing_header'],
    ['an empty event id', { eventId: '' }, 'missing_header'],
    ['the event id twice', { eventId: ['evt_1', 'evt_2'] }, 'malformed_header'],
    ['an event id with spaces', { eventId: 'evt_1, evt_2' }, 'malformed_header'],
    ['an event id that is too long', { eventId: 'e'.repeat(256) }, 'malformed_header'],
    ['older than it is sent again', { nowSeconds: createdAt + 25 * 3600 + 1 }, 'too_old'],
    ['301 seconds from the future', { nowSeconds: createdAt - 301 }, 'in_future'],
  ])('%s', (_, overrides, reason) => {
    expect(refusalOf(overrides)).toBe(reason);
  });

  it.each([
    ['not JSON', '{"entity":'],
    ['a list', '[]'],
    ['no event', '{"entity":"order","id":"order_1"}'],
    ['an event without a date', '{"entity":"event","account_id":"acc_1","event":"order.paid"}'],
    ['an event of nobody', '{"entity":"event","event":"order.paid","created_at":1700000000}'],
    [
      'a date beyond all years',
      '{"entity":"event","account_id":"acc_1","event":"order.paid","created_at":9999999999999}',
    ],
  ])('signed, but %s', (_, payload) => {
    expect(refusalOf(signed(payload))).toBe('malformed_payload');
  });
});
