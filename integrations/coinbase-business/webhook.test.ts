import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { verifyCoinbaseWebhook } from './webhook.ts';

const secret = 'cb_secret';
const at = 1_772_360_000;
const checkoutId = 'cbc_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b';
const body = JSON.stringify({
  id: '68f7a946db0529ea9b6d3a12',
  eventType: 'checkout.payment.success',
  metadata: { tenantId: 'ten_1', invoiceId: 'inv_1', checkoutId },
});
const sent = { 'content-type': 'application/json', 'x-event-id': 'evt-1' };

type Headers = Record<string, string>;

function sign(
  payload: string | Buffer,
  { headers = sent, names = Object.keys(headers), seconds = at, key = secret }: SignOptions = {},
): string {
  const values = names.map((name) => headers[name] ?? '').join('.');
  const mac = createHmac('sha256', key)
    .update(`${seconds}.${names.join(' ')}.${values}.`)
    .update(payload);
  return `t=${seconds},h=${names.join(' ')},v1=${mac.digest('hex')}`;
}
type SignOptions = { headers?: Headers; names?: string[]; seconds?: number; key?: string };

function verify({
  payload = body,
  signature = sign(payload),
  headers = sent,
  secrets = [secret],
  now = at,
}: {
  payload?: string | Buffer;
  signature?: string | string[] | undefined;
  headers?: Headers;
  secrets?: string[];
  now?: number;
} = {}) {
  return verifyCoinbaseWebhook({
    rawBody: Buffer.from(payload),
    headers: { ...headers, 'x-hook0-signature': signature },
    secrets,
    now: new Date(now * 1000),
  });
}

function refusalOf(options: Parameters<typeof verify>[0]): string {
  try {
    verify(options);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('a webhook of Coinbase Business is accepted', () => {
  it('with the known answer for a known secret, time, headers and body', () => {
    const signature =
      't=1772360000,h=content-type x-event-id,v1=' +
      createHmac('sha256', secret)
        .update(`1772360000.content-type x-event-id.application/json.evt-1.${body}`)
        .digest('hex');
    expect(sign(body)).toBe(signature);
    expect(verify({ signature })).toEqual({
      externalId: 'evt-1',
      type: 'checkout.payment.success',
      checkoutId,
      createdAt: '2026-03-01T10:13:20.000Z',
    });
  });

  it('with any of the secrets, and beside signatures of another scheme', () => {
    expect(verify({ secrets: ['new', secret] }).externalId).toBe('evt-1');
    const [time, rest] = [sign(body).split(',')[0], sign(body).split(',').slice(1).join(',')];
    expect(verify({ signature: `${time},v0=${'0'.repeat(64)},${rest}` }).externalId).toBe('evt-1');
  });

  it('without a signed id it is known by its bytes', () => {
    const signature = sign(body, { names: ['content-type'] });
    const { externalId } = verify({ signature });
    expect(externalId).toMatch(/^sha256:[\da-f]{64}$/);
    expect(verify({ signature, headers: { ...sent, 'x-event-id': 'evt-forged' } }).externalId).toBe(
      externalId,
    );
  });

  it('up to five minutes before and after', () => {
    expect(verify({ now: at + 300 }).externalId).toBe('evt-1');
    expect(verify({ now: at - 300 }).externalId).toBe('evt-1');
  });
});

describe('a webhook of Coinbase Business is refused', () => {
  it.each<[string, Parameters<typeof verify>[0], string]>([
    ['with no signature', { signature: '' }, 'missing_header'],
    ['with two signatures', { signature: [sign(body), sign(body)] }, 'malformed_header'],
    ['with something that is no signature', { signature: 'yes' }, 'malformed_header'],
    ['with a short signature', { signature: `t=${at},h=,v1=abcd` }, 'malformed_header'],
    [
      'signed over time and body alone',
      { signature: `t=${at},v0=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}` },
      'no_supported_signature',
    ],
    ['of another secret', { signature: sign(body, { key: 'other' }) }, 'bad_signature'],
    ['without a secret of ours', { secrets: [] }, 'bad_signature'],
    ['with an empty secret of ours', { secrets: [''], signature: sign(body, { key: '' }) }, 'bad_signature'],
    ['of the same JSON in other bytes', { payload: `${body} `, signature: sign(body) }, 'bad_signature'],
    [
      'with another id in its header',
      { headers: { ...sent, 'x-event-id': 'evt-2' }, signature: sign(body) },
      'bad_signature',
    ],
    ['that is older', { now: at + 301 }, 'too_old'],
    ['that is of the future', { now: at - 301 }, 'in_future'],
    [
      'with another time put before it',
      { signature: sign(body).replace(`t=${at}`, `t=${at + 1}`) },
      'bad_signature',
    ],
    ['that is no JSON', { payload: 'hello', signature: sign('hello') }, 'malformed_payload'],
    ['that is no checkout', { payload: '{}', signature: sign('{}') }, 'malformed_payload'],
  ])('%s', (_, options, reason) => {
    expect(refusalOf(options)).toBe(reason);
  });

  it('when the bytes are not the raw ones', () => {
    const parsed = JSON.parse(body) as Buffer;
    expect(() =>
      verifyCoinbaseWebhook({ rawBody: parsed, headers: sent, secrets: [secret], now: new Date() }),
    ).toThrow('raw_body_required');
  });
});
