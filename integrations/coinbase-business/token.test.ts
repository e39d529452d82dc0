import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { readApiKey, signToken } from './token.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
const edwards = generateKeyPairSync('ed25519').privateKey;
const { d = '', x = '' } = edwards.export({ format: 'jwk' });
const edwardsText = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]).toString(
  'base64',
);
const pem = ec.export({ type: 'sec1', format: 'pem' }).toString();
const now = new Date('2026-03-01T10:00:00.900Z');

describe('a token', () => {
  it.each([
    ['an EC key', 'ES256', pem],
    ['an EC key in one line', 'ES256', pem.trim().replaceAll('\n', '\\n')],
    ['an EC key in PKCS #8', 'ES256', ec.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['an Ed25519 key', 'EdDSA', edwardsText],
  ])('of %s is for one request and two minutes', async (_, algorithm, privateKey) => {
    const key = readApiKey({ name: 'organizations/1/apiKeys/2', privateKey });
    const uri = 'GET business.coinbase.com/api/v1/checkouts/1';
    const token = await signToken(key, { uri, now });
    const { payload } = await jwtVerify(token, createPublicKey(key.privateKey), { currentDate: now });
    expect(payload).toEqual({
      iss: 'cdp',
      sub: 'organizations/1/apiKeys/2',
      nbf: 1_772_359_200,
      exp: 1_772_359_320,
      uri,
    });
    expect(decodeProtectedHeader(token)).toEqual({
      alg: algorithm,
      kid: 'organizations/1/apiKeys/2',
      typ: 'JWT',
      nonce: expect.stringMatching(/^[\da-f]{32}$/),
    });
    expect(await signToken(key, { uri, now })).not.toBe(token);
  });
});

it.each([
  ['nothing', ''],
  ['half a key', edwardsText.slice(0, 40)],
  ['a broken PEM', '-----BEGIN EC PRIVATE KEY-----\nSENTINEL\n-----END EC PRIVATE KEY-----'],
  [
    'a key of another curve',
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
      .privateKey.export({ type: 'sec1', format: 'pem' })
      .toString(),
  ],
  [
    'an RSA key',
    generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
  ],
])('%s is refused without a word of it', (_, privateKey) => {
  expect(() => readApiKey({ name: 'a', privateKey })).toThrow(/COINBASE_BUSINESS_PRIVATE_KEY is no key/);
  expect(() => readApiKey({ name: 'a', privateKey })).not.toThrow(/SENTINEL/);
});
