import { createHash, createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import type { VerificationKey } from '../../domain/payments/bank-feed.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { keepVerificationKeys } from './verify-keys.ts';
import { verifyPlaidWebhook } from './verify-webhook.ts';

const now = new Date('2026-03-05T10:00:00.900Z');
const nowSeconds = Math.floor(now.getTime() / 1000);
const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const keyId = '6c5516e1-92dc-479e-a8ff-5a51992e0001';

const body = JSON.stringify({
  webhook_type: 'TRANSACTIONS',
  webhook_code: 'SYNC_UPDATES_AVAILABLE',
  item_id: 'Item1',
  initial_update_complete: true,
  historical_update_complete: true,
  environment: 'sandbox',
});

function publicKey(key: KeyObject = pair.publicKey, expiredAt: Date | null = null): VerificationKey {
  const { kty = '', crv = '', x = '', y = '' } = key.export({ format: 'jwk' });
  return { keyId, jwk: { kty, crv, x, y, alg: 'ES256' }, expiredAt };
}

function sign(
  payload: string,
  {
    issuedAt = nowSeconds,
    key = pair.privateKey,
    kid = keyId,
  }: { issuedAt?: number; key?: KeyObject; kid?: string } = {},
): Promise<string> {
  return new SignJWT({ iat: issuedAt, request_body_sha256: sha256(payload) })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
    .sign(key);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

function verify({
  payload = body,
  token,
  key = publicKey(),
}: {
  payload?: string | Buffer;
  token: string | string[] | undefined;
  key?: VerificationKey | null;
}) {
  return verifyPlaidWebhook({
    rawBody: Buffer.from(payload),
    signatureHeader: token,
    keys: { find: async () => key },
    now,
  });
}

async function refusalOf(options: Parameters<typeof verify>[0]): Promise<string> {
  const failure = await verify(options).catch((error: unknown) => error);
  return failure instanceof WebhookVerificationError ? failure.reason : `not refused: ${String(failure)}`;
}

describe('a webhook of Plaid is believed', () => {
  it('when Plaid has signed these very bytes just now', async () => {
    const token = await sign(body);
    expect(await verify({ token })).toEqual({
      externalId: `sha256:${sha256(token)}`,
      type: 'TRANSACTIONS.SYNC_UPDATES_AVAILABLE',
      kind: 'changes_available',
      connectionExternalId: 'Item1',
      createdAt: '2026-03-05T10:00:00.000Z',
    });
  });

  it('until it is five minutes old', async () => {
    const token = await sign(body, { issuedAt: nowSeconds - 300 });
    expect(await verify({ token })).toMatchObject({ createdAt: '2026-03-05T09:55:00.000Z' });
  });

  it('while its key still signs, though its end is known', async () => {
    const key = publicKey(pair.publicKey, new Date(now.getTime() + 1));
    expect(await verify({ token: await sign(body), key })).toMatchObject({ kind: 'changes_available' });
  });

  it('whatever bytes the body has: what is signed is the raw one', async () => {
    const payload = `{ "webhook_type":"ITEM",\n "webhook_code":"LOGIN_REPAIRED", "item_id":"Item1", "note":"é\\u00e9" }`;
    expect(await verify({ payload, token: await sign(payload) })).toMatchObject({ kind: 'login_repaired' });
  });

  it('and told twice, is two events: each is signed anew', async () => {
    const [first, second] = [await sign(body), await sign(body)];
    const events = [
      await verify({ token: first }),
      await verify({ token: first }),
      await verify({ token: second }),
    ];
    const [one, copy, again] = events.map(({ externalId }) => externalId);
    expect(copy).toBe(one);
    expect(again).not.toBe(one);
  });
});

describe('what an event of Plaid means', () => {
  const error = {
    error_type: 'ITEM_ERROR',
    error_code: 'ITEM_LOGIN_REQUIRED',
    error_message: 'the login details of this item have changed',
    display_message: null,
    request_id: '',
  };
  it.each([
    ['ITEM', 'ERROR', { error }, { kind: 'failed' }],
    ['ITEM', 'LOGIN_REPAIRED', {}, { kind: 'login_repaired' }],
    [
      'ITEM',
      'PENDING_EXPIRATION',
      { consent_expiration_time: '2026-03-12T10:00:00+01:00' },
      { kind: 'consent_expires' },
    ],
    ['ITEM', 'PENDING_DISCONNECT', { reason: 'INSTITUTION_MIGRATION' }, { kind: 'disconnect_expected' }],
    ['ITEM', 'USER_PERMISSION_REVOKED', { error: null }, { kind: 'access_revoked' }],
    ['TRANSACTIONS', 'DEFAULT_UPDATE', { new_transactions: 3 }, { kind: 'other' }],
    ['LINK', 'SESSION_FINISHED', { item_id: undefined }, { kind: 'other', connectionExternalId: null }],
  ])('%s.%s %j', async (webhook_type, webhook_code, more, meaning) => {
    const payload = JSON.stringify({ webhook_type, webhook_code, item_id: 'Item1', ...more });
    expect(await verify({ payload, token: await sign(payload) })).toMatchObject({
      type: `${webhook_type}.${webhook_code}`,
      ...meaning,
    });
  });
});

describe('a webhook of Plaid is refused', () => {
  it('without its header', async () => {
    expect(await refusalOf({ token: undefined })).toBe('missing_header');
    expect(await refusalOf({ token: '' })).toBe('missing_header');
  });

  it.each([
    ['two headers', ['a.b.c', 'a.b.c']],
    ['something that is no token', 'yes'],
    ['empty parts', '..'],
    ['parts that are not JSON', 'aGk.aGk.aGk'],
    ['a header alone', encoded({ alg: 'ES256', kid: keyId })],
    ['a token without claims', `${encoded({ alg: 'ES256', kid: keyId })}.${encoded({})}.c2ln`],
    ['a token without a key', `${encoded({ alg: 'ES256' })}.${encoded({})}.c2ln`],
    ['a key that is no name', `${encoded({ alg: 'ES256', kid: '../keys' })}.${encoded({})}.c2ln`],
    ['a token of any length', `${'a'.repeat(5_000)}.b.c`],
  ])('with %s in it', async (_, token) => {
    expect(await refusalOf({ token })).toBe('malformed_header');
  });

  it.each([
    ['a time that is text', { iat: String(nowSeconds) }],
    ['a time with a fraction', { iat: nowSeconds - 0.5 }],
    ['a time below zero', { iat: -1 }],
    ['no time', { iat: undefined }],
    ['a hash of another length', { request_body_sha256: 'abcd' }],
    ['no hash', { request_body_sha256: undefined }],
  ])('with %s', async (_, differs) => {
    const token = await new SignJWT({
      iat: nowSeconds,
      request_body_sha256: sha256(body),
      ...differs,
    } as never)
      .setProtectedHeader({ alg: 'ES256', kid: keyId })
      .sign(pair.privateKey);
    expect(await refusalOf({ token })).toBe('malformed_header');
  });

  it('without a signature (alg none)', async () => {
    const payload = encoded({ iat: nowSeconds, request_body_sha256: sha256(body) });
    const token = `${encoded({ alg: 'none', kid: keyId })}.${payload}.`;
    expect(await refusalOf({ token })).toBe('no_supported_signature');
  });

  it('signed with the public key as a secret (HS256)', async () => {
    const head = encoded({ alg: 'HS256', kid: keyId });
    const signed = `${head}.${encoded({ iat: nowSeconds, request_body_sha256: sha256(body) })}`;
    const secret = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    expect(await refusalOf({ token })).toBe('no_supported_signature');
  });

  it('with a key of another curve or kind, whatever it says', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const token = await new SignJWT({ iat: nowSeconds, request_body_sha256: sha256(body) })
      .setProtectedHeader({ alg: 'RS256', kid: keyId })
      .sign(rsa.privateKey);
    expect(await refusalOf({ token })).toBe('no_supported_signature');
  });

  it.each([
    ['signed by another key', () => sign(body, { key: other.privateKey })],
    ['with another time put in', async () => swapClaims(await sign(body), { iat: nowSeconds - 1 })],
    ['without its signature', async () => `${(await sign(body)).split('.').slice(0, 2).join('.')}.`],
  ])('%s', async (_, token) => {
    expect(await refusalOf({ token: await token() })).toBe('bad_signature');
  });

  it.each([
    ['other bytes', `${body} `],
    ['the same JSON in other bytes', JSON.stringify(JSON.parse(body), null, 1)],
    ['nothing', ''],
  ])('when the body is %s', async (_, payload) => {
    expect(await refusalOf({ payload, token: await sign(body) })).toBe('bad_signature');
  });

  it('when it is older than five minutes', async () => {
    expect(await refusalOf({ token: await sign(body, { issuedAt: nowSeconds - 301 }) })).toBe('too_old');
  });

  it('when it is from the future', async () => {
    expect(await refusalOf({ token: await sign(body, { issuedAt: nowSeconds + 1 }) })).toBe('in_future');
  });

  it('when Plaid does not know its key', async () => {
    expect(await refusalOf({ token: await sign(body), key: null })).toBe('bad_signature');
  });

  it('when its key has expired', async () => {
    const key = publicKey(pair.publicKey, now);
    expect(await refusalOf({ token: await sign(body), key })).toBe('bad_signature');
  });

  it.each([
    ['no JSON', 'hello'],
    ['no event', '{}'],
    ['a list', '[]'],
  ])('when what was signed is %s', async (_, payload) => {
    expect(await refusalOf({ payload, token: await sign(payload) })).toBe('malformed_payload');
  });

  it('when the bytes are not the raw ones', async () => {
    const rawBody = JSON.parse(body) as Buffer;
    const keys = { find: async () => publicKey() };
    const verification = verifyPlaidWebhook({ rawBody, signatureHeader: await sign(body), keys, now });
    await expect(verification).rejects.toThrow('raw_body_required');
  });

  it.each([
    ['is old', { issuedAt: nowSeconds - 301 }, body],
    ['is from the future', { issuedAt: nowSeconds + 1 }, body],
    ['has another body', {}, `${body} `],
  ])('without asking for a key when it %s', async (_, options, payload) => {
    const keys = {
      find: () => {
        throw new Error('Plaid was asked');
      },
    };
    const signatureHeader = await sign(body, options);
    const verification = verifyPlaidWebhook({ rawBody: Buffer.from(payload), signatureHeader, keys, now });
    await expect(verification).rejects.toThrow(WebhookVerificationError);
  });
});

it('a webhook whose key cannot be asked for is not refused: it has to come again', async () => {
  const down = new VendorError({ code: 'vendor_unavailable', message: 'Plaid: no answer' });
  const keys = { find: () => Promise.reject(down) };
  const rawBody = Buffer.from(body);
  await expect(verifyPlaidWebhook({ rawBody, signatureHeader: await sign(body), keys, now })).rejects.toBe(
    down,
  );
});

function swapClaims(token: string, change: object): string {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  return `${head}.${encoded({ ...claims, ...change })}.${signature}`;
}

describe('the keys of webhooks', () => {
  const minuteMs = 60_000;

  function scene(answer: (keyId: string) => VerificationKey | null | Promise<VerificationKey | null>) {
    let at = now.getTime();
    const asked: string[] = [];
    const keys = keepVerificationKeys({
      fetchKey: async (id) => {
        asked.push(id);
        return answer(id);
      },
      now: () => new Date(at),
    });
    return {
      keys,
      asked,
      pass: (ms: number) => {
        at += ms;
      },
    };
  }

  it('are asked for once an hour', async () => {
    const { keys, asked, pass } = scene(() => publicKey());
    await keys.find(keyId);
    pass(60 * minuteMs - 1);
    expect(await keys.find(keyId)).toEqual(publicKey());
    expect(asked).toHaveLength(1);
    pass(1);
    await keys.find(keyId);
    expect(asked).toHaveLength(2);
  });

  it('tell within the hour that one has expired', async () => {
    let key = publicKey();
    const { keys, pass } = scene(() => key);
    await keys.find(keyId);
    key = publicKey(pair.publicKey, now);
    pass(60 * minuteMs);
    expect(await keys.find(keyId)).toEqual(key);
  });

  it('are asked for once by many at the same time', async () => {
    const { keys, asked } = scene(() => publicKey());
    const found = await Promise.all(Array.from({ length: 50 }, () => keys.find(keyId)));
    expect(found.every((key) => key?.keyId === keyId)).toBe(true);
    expect(asked).toEqual([keyId]);
  });

  it('that are unknown are asked for again after a minute', async () => {
    const { keys, asked, pass } = scene(() => null);
    expect(await keys.find('forged')).toBeNull();
    expect(await keys.find('forged')).toBeNull();
    expect(asked).toHaveLength(1);
    pass(minuteMs);
    expect(await keys.find('forged')).toBeNull();
    expect(asked).toHaveLength(2);
  });

  it('that are invented flood nobody: ten are asked for in a minute, however many come', async () => {
    const { keys, asked, pass } = scene(() => null);
    const flood = async () => {
      const tries = Array.from({ length: 1_000 }, (_, each) => keys.find(`forged-${asked.length}-${each}`));
      const ends = await Promise.allSettled(tries);
      return ends.filter(({ status }) => status === 'rejected').length;
    };
    expect(await flood()).toBe(990);
    expect(asked).toHaveLength(10);
    await expect(keys.find('one-more')).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterMs: minuteMs,
    });
    pass(minuteMs);
    expect(await flood()).toBe(990);
    expect(asked).toHaveLength(20);
  });

  it('that Plaid has told us are found and asked for again during a flood', async () => {
    const { keys, asked, pass } = scene((id) => (id === keyId ? publicKey() : null));
    await keys.find(keyId);
    pass(60 * minuteMs);
    await Promise.allSettled(Array.from({ length: 100 }, (_, each) => keys.find(`forged-${each}`)));
    expect(await keys.find(keyId)).toEqual(publicKey());
    expect(asked.filter((id) => id === keyId)).toHaveLength(2);
  });

  it('that Plaid answers under another name are not taken', async () => {
    const { keys } = scene(() => publicKey());
    expect(await keys.find('another')).toBeNull();
  });

  it('are asked for again after a failure', async () => {
    let isDown = true;
    const { keys } = scene(() => {
      if (isDown) throw new VendorError({ code: 'vendor_unavailable', message: 'Plaid: no answer' });
      return publicKey();
    });
    await expect(keys.find(keyId)).rejects.toMatchObject({ code: 'vendor_unavailable' });
    isDown = false;
    expect(await keys.find(keyId)).toEqual(publicKey());
  });
});
