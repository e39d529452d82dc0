/**
 * API keys as bearer tokens: `pk_<key id>.<secret>`. The secret's hash is compared in constant time, also for a key
 * that does not exist. The key is read on every request, so a revocation counts at once. Whether a key has expired or
 * was revoked is told only to whoever knows its secret.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import type { Database } from '../db/client.ts';
import { type ApiKeyCredentials, findApiKey } from '../db/queries/tenants/api-keys.ts';
import { Problem } from './problem.ts';
import type { Caller } from './route.ts';
import type { Scope } from './scopes.ts';

/** Who asks. Throws 401 without a valid key and 403 when the key lacks the scope. */
export async function authenticate(db: Database, req: Request, scope: Scope): Promise<Caller> {
  const token = parseToken(req.get('authorization'));
  const key = token === undefined ? null : await findApiKey(db, token.keyId);
  if (!isSecretOf(key, token?.secret ?? '') || key === null) {
    throw unauthorised('unauthenticated', 'Send a valid API key: Authorization: Bearer pk_…');
  }
  if (key.revokedAt !== null) throw unauthorised('api_key_revoked', `The API key ${key.id} was revoked.`);
  if (key.expiresAt !== null && key.expiresAt.getTime() <= Date.now()) {
    throw unauthorised('api_key_expired', `The API key ${key.id} expired at ${key.expiresAt.toISOString()}.`);
  }
  if (!key.scopes.includes(scope)) {
    throw new Problem({
      code: 'insufficient_scope',
      detail: `This operation needs the scope ${scope}, which the API key ${key.id} does not have.`,
      headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
    });
  }
  return { tenantId: key.tenantId, actor: `api_key:${key.id}`, scopes: key.scopes };
}

const tokenPattern = /^Bearer pk_(?<keyId>key_[\da-f]{32})\.(?<secret>[\w-]{20,128})$/i;

function parseToken(header: string | undefined): { keyId: string; secret: string } | undefined {
  const { keyId, secret } = tokenPattern.exec(header ?? '')?.groups ?? {};
  return keyId === undefined || secret === undefined ? undefined : { keyId, secret };
}

/** Takes the same time whether the key exists or not. */
function isSecretOf(key: ApiKeyCredentials | null, secret: string): boolean {
  const given = createHash('sha256').update(secret).digest();
  const stored = Buffer.from(key?.secretHash ?? '', 'hex');
  return timingSafeEqual(given, stored.length === given.length ? stored : Buffer.alloc(given.length));
}

function unauthorised(
  code: 'unauthenticated' | 'api_key_expired' | 'api_key_revoked',
  detail: string,
): Problem {
  return new Problem({ code, detail, headers: { 'WWW-Authenticate': 'Bearer' } });
}
