/**
 * The bearer of one request: a token signed by our key that says which request it is for, and holds for two minutes. Whoever
 * sees it can do with it nothing but the same request, and not for long.
 * https://docs.cdp.coinbase.com/get-started/authentication/jwt-authentication
 */
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';

export type ApiKey = { name: string; privateKey: KeyObject; algorithm: 'ES256' | 'EdDSA' };

export const TOKEN_SECONDS = 120;

/**
 * Reads a key as Coinbase hands it out: PEM (`BEGIN EC PRIVATE KEY`, line breaks also written as `\n`), or 64 bytes of
 * Ed25519 in base64. Throws a `RangeError` that says what is wanted and nothing of the key.
 */
export function readApiKey({ name, privateKey }: { name: string; privateKey: string }): ApiKey {
  const key = parsed(privateKey);
  const { namedCurve } = key?.asymmetricKeyDetails ?? {};
  if (key?.asymmetricKeyType === 'ed25519') return { name, privateKey: key, algorithm: 'EdDSA' };
  if (key?.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') {
    return { name, privateKey: key, algorithm: 'ES256' };
  }
  throw new RangeError(
    'COINBASE_BUSINESS_PRIVATE_KEY is no key of Coinbase: it must be the PEM of an EC key (P-256), or an Ed25519 key in base64.',
  );
}

function parsed(text: string): KeyObject | null {
  try {
    return text.includes('-----BEGIN') ? createPrivateKey(text.replaceAll('\\n', '\n')) : fromBytes(text);
  } catch {
    return null;
  }
}

/** The seed and the public key, 32 bytes each. */
function fromBytes(text: string): KeyObject | null {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 64) return null;
  const [d, x] = [bytes.subarray(0, 32), bytes.subarray(32)].map((part) => part.toString('base64url')) as [
    string,
    string,
  ];
  return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' });
}

/** `uri` is the method, the host and the path of the request, without scheme and query. */
export function signToken(
  { name, privateKey, algorithm }: ApiKey,
  { uri, now }: { uri: string; now: Date },
): Promise<string> {
  const issuedAt = Math.floor(now.getTime() / 1000);
  return new SignJWT({ uri })
    .setProtectedHeader({ alg: algorithm, kid: name, typ: 'JWT', nonce: randomBytes(16).toString('hex') })
    .setIssuer('cdp')
    .setSubject(name)
    .setNotBefore(issuedAt)
    .setExpirationTime(issuedAt + TOKEN_SECONDS)
    .sign(privateKey);
}
