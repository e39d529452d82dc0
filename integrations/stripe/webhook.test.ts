import { createHmac } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { type VerifiedWebhook, verifyStripeWebhook } from './webhook.ts';

const secret = 'whsec_test_secret';
const signedAt = 1_700_000_000;
const body =
  '{"id":"evt_test_1","object":"event","type":"invoice.paid","created":1700000000,"data":{"object":{}}}';

type Overrides = Partial<{
  rawBody: unknown;
  header: string | string[] | undefined;
  secrets: string[];
  nowSeconds: number;
}>;

function verify(overrides: Overrides = {}): VerifiedWebhook {
  return verifyStripeWebhook({
    rawBody: ('rawBody' in overrides ? overrides.rawBody : Buffer.from(body)) as Buffer,
    signatureHeader: 'header' in overrides ? overrides.header : `t=${signedAt},v1=${sign(body)}`,
    secrets: overrides.secrets ?? [secret],
    now: new Date((overrides.nowSeconds ?? signedAt) * 1000),
  });
}

function sign(payload: string | Buffer, key = secret, at = signedAt): string {
  return createHmac('sha256', key).update(`${at}.`).update(payload).digest('hex');
}

function refusalOf(overrides: Overrides): string {
  try {
    verify(overrides);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('a webhook of Stripe is accepted', () => {
  it('with the signature the SDK would make', () => {
    const header = Stripe.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: signedAt });
    expect(verify({ header })).toMatchObject({
      externalId: 'evt_test_1',
      type: 'invoice.paid',
      createdAt: '2023-11-14T22:13:20.000Z',
      account: null,
    });
  });

  it('with the known answer for a known key and body', () => {
    const known = '{"id":"evt_test_1","object":"event","type":"invoice.paid","created":1700000000}';
    expect(sign(known)).toBe('25e07c50f1489fd5cddb00d2b2bb9034df52cc6b68f73a81150650dd2d394aa2');
    // The signature is right; what is missing is the event's object.
    expect(refusalOf({ rawBody: Buffer.from(known), header: `t=${signedAt},v1=${sign(known)}` })).toBe(
      'malformed_payload',
    );
  });

  it('when any of several signatures matches, as during a rotation at Stripe', () => {
    const header = `t=${signedAt},v1=${sign(body, 'whsec_next')},v1=${sign(body)},v0=abc`;
    expect(verify({ header }).externalId).toBe('evt_test_1');
  });

  it('when any of our secrets matches, as during a rotation on our side', () => {
    expect(verify({ secrets: ['whsec_next', secret] }).externalId).toBe('evt_test_1');
  });

  it('up to 300 seconds old, and up to 300 seconds ahead of our clock', () => {
    expect(refusalOf({ nowSeconds: signedAt + 300 })).toBe('accepted');
    expect(refusalOf({ nowSeconds: signedAt - 300 })).toBe('accepted');
  });

  it('with letters beyond ASCII and emoji in the body', () => {
    const rawBody = Buffer.from(body.replace('"object":{}', '"object":{"name":"Zoë 🚀 Ærø"}'));
    expect(refusalOf({ rawBody, header: `t=${signedAt},v1=${sign(rawBody)}` })).toBe('accepted');
  });

  it('names the payment and the connected account it speaks of', () => {
    const rawBody = Buffer.from(
      JSON.stringify({
        id: 'evt_2',
        object: 'event',
        type: 'charge.refunded',
        created: signedAt,
        account: 'acct_1',
        data: { object: { id: 'ch_1', object: 'charge', payment_intent: 'pi_1' } },
      }),
    );
    const verified = verify({ rawBody, header: `t=${signedAt},v1=${sign(rawBody)}` });
    expect(verified).toMatchObject({ paymentId: 'pi_1', account: 'acct_1' });
  });
});

describe('a webhook is refused', () => {
  const other = `${'0'.repeat(63)}1`;
  const prettier = JSON.stringify(JSON.parse(body), null, 2);

  it.each<[string, Overrides, string]>([
    ['one byte of the body changed', { rawBody: Buffer.from(body.replace('_1', '_2')) }, 'bad_signature'],
    ['the body serialised again', { rawBody: Buffer.from(prettier) }, 'bad_signature'],
    ['the body compressed on the way', { rawBody: gzipSync(body) }, 'bad_signature'],
    ['an empty body', { rawBody: Buffer.alloc(0) }, 'bad_signature'],
    ['a parsed object instead of bytes', { rawBody: JSON.parse(body) }, 'raw_body_required'],
    ['a string instead of bytes', { rawBody: body }, 'raw_body_required'],
    ['no header', { header: undefined }, 'missing_header'],
    ['an empty header', { header: '' }, 'missing_header'],
    [
      'the header twice, as a list',
      { header: [`t=${signedAt},v1=${sign(body)}`, 't=1'] },
      'malformed_header',
    ],
    [
      'the header twice, joined',
      { header: `t=${signedAt},v1=${sign(body)}, t=${signedAt},v1=${other}` },
      'malformed_header',
    ],
    ['a header of another kind', { header: 'Bearer abc' }, 'malformed_header'],
    ['no timestamp', { header: `v1=${sign(body)}` }, 'malformed_header'],
    ['a timestamp that is no number', { header: `t=now,v1=${sign(body)}` }, 'malformed_header'],
    ['a timestamp with a sign', { header: `t=-${signedAt},v1=${sign(body)}` }, 'malformed_header'],
    ['another timestamp than was signed', { header: `t=${signedAt + 1},v1=${sign(body)}` }, 'bad_signature'],
    ['only the old test scheme', { header: `t=${signedAt},v0=${sign(body)}` }, 'no_supported_signature'],
    ['no signature at all', { header: `t=${signedAt}` }, 'no_supported_signature'],
    ['a signature without a value', { header: `t=${signedAt},v1` }, 'malformed_header'],
    ['a signature of the wrong length', { header: `t=${signedAt},v1=abc` }, 'malformed_header'],
    [
      'letters beyond ASCII in the signature',
      { header: `t=${signedAt},v1=${'é'.repeat(64)}` },
      'malformed_header',
    ],
    ['another signature', { header: `t=${signedAt},v1=${other}` }, 'bad_signature'],
    ['the signature of another secret', { secrets: ['whsec_other'] }, 'bad_signature'],
    ['a secret with a trailing newline', { secrets: [`${secret}\n`] }, 'bad_signature'],
    ['an empty secret', { secrets: [''] }, 'bad_signature'],
    ['no secret configured', { secrets: [] }, 'bad_signature'],
    ['301 seconds old', { nowSeconds: signedAt + 301 }, 'too_old'],
    ['301 seconds from the future', { nowSeconds: signedAt - 301 }, 'in_future'],
  ])('%s', (_, overrides, reason) => {
    expect(refusalOf(overrides)).toBe(reason);
  });

  it.each([
    ['not JSON', '{"id":'],
    ['a list', '[]'],
    ['no event', '{"object":"customer"}'],
    ['a thin event', '{"id":"evt_1","object":"v2.core.event","type":"a","created":"2025"}'],
    ['an event without an object', '{"id":"evt_1","object":"event","type":"a","created":1}'],
    ['an id no database takes', event({ id: 'evt_\u0000' })],
    ['an id of any length', event({ id: 'e'.repeat(256) })],
    ['a type that is no name', event({ type: 'a b' })],
    ['an account that is none', event({ account: '\ud800' })],
    ['a day after the year 9999', event({ created: 253_402_300_800 })],
    ['a day before all days', event({ created: -1 })],
  ])('although it is signed: %s', (_, payload) => {
    const header = `t=${signedAt},v1=${sign(payload)}`;
    expect(refusalOf({ rawBody: Buffer.from(payload), header })).toBe('malformed_payload');
  });

  function event(odd: object): string {
    return JSON.stringify({
      id: 'evt_1',
      object: 'event',
      type: 'a',
      created: 1,
      data: { object: {} },
      ...odd,
    });
  }

  it('with a body above a mebibyte unless its signature is right', () => {
    const rawBody = Buffer.from(body.replace('"object":{}', `"object":{"x":"${'x'.repeat(1_100_000)}"}`));
    expect(refusalOf({ rawBody })).toBe('bad_signature');
  });
});
