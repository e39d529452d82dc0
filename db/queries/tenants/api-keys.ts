/**
 * API keys: an id that finds the row and a secret that proves the caller. Only the secret's SHA-256 is stored; it has
 * 256 random bits, so no slow hash is needed. A revocation counts from its commit on, because every request looks the
 * key up again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Database, Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { apiKeys } from '../../schema/tenants.ts';

export type ApiKeyRow = typeof apiKeys.$inferSelect;

/** What a request needs to know of a key, read before its tenant is known. */
export type ApiKeyCredentials = {
  id: string;
  tenantId: string;
  secretHash: string;
  scopes: string[];
  expiresAt: Date | null;
  revokedAt: Date | null;
};

/** Makes a key. The token is returned this one time; it cannot be read again. */
export async function createApiKey(
  tx: Tx,
  {
    tenantId,
    name,
    scopes,
    expiresAt,
  }: { tenantId: string; name: string; scopes: string[]; expiresAt: Date | null },
): Promise<{ apiKey: ApiKeyRow; token: string }> {
  const secret = newApiKeySecret();
  const [apiKey] = await tx
    .insert(apiKeys)
    .values({ id: newId('key'), tenantId, name, scopes, expiresAt, secretHash: hashOfSecret(secret) })
    .returning();
  if (apiKey === undefined) throw new Error('An inserted API key was not returned');
  return { apiKey, token: apiKeyToken({ id: apiKey.id, secret }) };
}

/** Finds a key by its id across tenants; the only look-up that is allowed before a tenant is set. */
export async function findApiKey(db: Database, keyId: string): Promise<ApiKeyCredentials | null> {
  const { rows } = await db.pool.query<ApiKeyCredentials>(findByIdQuery(keyId));
  return rows[0] ?? null;
}

/** Oldest first, after the key named by `cursor`. */
export function listApiKeys(
  tx: Tx,
  { cursor, limit }: { cursor: string | undefined; limit: number },
): Promise<ApiKeyRow[]> {
  return tx
    .select()
    .from(apiKeys)
    .where(cursor === undefined ? undefined : gt(apiKeys.id, cursor))
    .orderBy(asc(apiKeys.id))
    .limit(limit);
}

/** Revokes a key for good; `null` when the tenant has no such key. A second revocation keeps the first one's date. */
export async function revokeApiKey(tx: Tx, { id, at }: { id: string; at: Date }): Promise<ApiKeyRow | null> {
  await tx
    .update(apiKeys)
    .set({ revokedAt: at })
    .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)));
  const [apiKey] = await tx.select().from(apiKeys).where(eq(apiKeys.id, id));
  return apiKey ?? null;
}

/** A key with a known id and secret, for a tenant of development; run again, the secret given last is valid. */
export async function putApiKey(
  tx: Tx,
  key: { id: string; tenantId: string; name: string; scopes: string[]; secret: string },
): Promise<void> {
  const { id, tenantId, name, scopes, secret } = key;
  await tx
    .insert(apiKeys)
    .values({ id, tenantId, name, scopes, secretHash: hashOfSecret(secret) })
    .onConflictDoUpdate({
      target: apiKeys.id,
      set: { secretHash: hashOfSecret(secret), scopes: sql`excluded.scopes`, revokedAt: null },
    });
}

/** `pk_key_0198….<secret>`: what a caller sends as its bearer token. */
export function apiKeyToken({ id, secret }: { id: string; secret: string }): string {
  return `pk_${id}.${secret}`;
}

export function newApiKeySecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Hex, as stored. */
function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** A prepared statement: it runs on every request. */
function findByIdQuery(keyId: string) {
  return {
    name: 'api-key-by-id',
    text: `SELECT id, tenant_id AS "tenantId", secret_hash AS "secretHash", scopes,
             expires_at AS "expiresAt", revoked_at AS "revokedAt"
           FROM api_key_by_id($1)`,
    values: [keyId],
  };
}
