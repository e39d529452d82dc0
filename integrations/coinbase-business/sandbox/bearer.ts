/** Whether a bearer is a token of the key, for this very request, and still holds. Written without what the client signs with. */
import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import type { HttpRequest } from '../../sandbox/http.ts';
import { VendorRefusal } from '../../sandbox/vendor.ts';
import { type ApiKey, TOKEN_SECONDS } from '../token.ts';
import { errorAnswer } from './context.ts';

/** Throws Coinbase's refusal. */
export function checkBearer(request: HttpRequest, key: ApiKey): void {
  if (!isGenuine(request, key)) throw new VendorRefusal(errorAnswer(401, 'unauthorized', 'Unauthorized'));
}

function isGenuine({ method, path, headers }: HttpRequest, key: ApiKey): boolean {
  const [head = '', body = '', signature = ''] = (headers.authorization ?? '')
    .replace(/^Bearer /, '')
    .split('.');
  const signed = Buffer.from(`${head}.${body}`);
  const publicKey = createPublicKey(key.privateKey);
  const isSigned =
    key.algorithm === 'ES256'
      ? verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytesOf(signature))
      : verify(null, signed, publicKey, bytesOf(signature));
  if (!isSigned) return false;
  const header = jwtHeader.safeParse(jsonOf(head));
  const claims = jwtClaims.safeParse(jsonOf(body));
  if (!header.success || !claims.success) return false;
  const now = Date.now() / 1000;
  const { iss, sub, nbf, exp, uri } = claims.data;
  return (
    header.data.kid === key.name &&
    header.data.alg === key.algorithm &&
    iss === 'cdp' &&
    sub === key.name &&
    uri === `${method} ${headers.host}${path}` &&
    nbf <= now + 1 &&
    exp > now &&
    exp - nbf <= TOKEN_SECONDS
  );
}

const jwtHeader = z.object({ alg: z.string(), kid: z.string(), nonce: z.string().min(16) });
const jwtClaims = z.object({
  iss: z.string(),
  sub: z.string(),
  nbf: z.number(),
  exp: z.number(),
  uri: z.string(),
});

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(bytesOf(part).toString('utf8'));
  } catch {
    return null;
  }
}
