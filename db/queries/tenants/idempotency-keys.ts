/**
 * Idempotency keys: what a caller asked for under a key, and what it was answered.
 *
 * Why it is safe to run twice: a key is one row. For a creation the row is inserted in the transaction that creates,
 * so both exist or neither; a second request under the same key waits for the first one's commit and then finds its
 * answer. For an act that happens elsewhere the row is committed first, without an answer; whoever comes again under
 * the key repeats the act under the same identity and stores the same answer.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { idempotencyKeys } from '../../schema/tenants.ts';

/** A request as it is remembered. `operation` is method and path, `requestHash` a keyed hash of the body. */
export type KeyedRequest = { tenantId: string; key: string; operation: string; requestHash: string };

export type StoredAnswer = { status: number; body: unknown };

/**
 * - `claimed`: the key is new; act, then store the answer.
 * - `under_way`: the same request began before and its answer is not known; repeat the act under the same identity.
 * - `answered`: give the stored answer again.
 * - `reused`: the key stands for another request.
 */
export type KeyClaim =
  | { kind: 'claimed' | 'under_way'; actId: string }
  | { kind: 'reused' }
  | { kind: 'answered'; answer: StoredAnswer };

/** One statement, so that it can fly with the first statements of the work: it waits for whoever holds the key. */
export async function claimKey(tx: Tx, request: KeyedRequest): Promise<KeyClaim> {
  const { tenantId, key, operation, requestHash, actId, responseStatus, responseBody } = idempotencyKeys;
  const [row] = await tx
    .insert(idempotencyKeys)
    .values({ ...request, actId: newActId() })
    // Changes nothing; a conflict without an update would not return the row that is there.
    .onConflictDoUpdate({ target: [tenantId, key], set: { key: request.key } })
    .returning({ operation, requestHash, actId, responseStatus, responseBody, isNew: sql<boolean>`xmax = 0` })
    .execute();
  if (row === undefined) throw new Error('A claimed key was not returned');
  if (row.isNew) return { kind: 'claimed', actId: row.actId };
  if (row.operation !== request.operation || row.requestHash !== request.requestHash)
    return { kind: 'reused' };
  if (row.responseStatus === null) return { kind: 'under_way', actId: row.actId };
  return { kind: 'answered', answer: { status: row.responseStatus, body: row.responseBody } };
}

/** Keeps the answer for whoever repeats the request. The body must hold neither secrets nor personal data. */
export async function storeAnswer(tx: Tx, key: string, { status, body }: StoredAnswer): Promise<void> {
  await tx
    .update(idempotencyKeys)
    .set({ responseStatus: status, responseBody: sql`${JSON.stringify(body)}::jsonb` })
    .where(eq(idempotencyKeys.key, key))
    .execute();
}

/** The answer was stored before its last effect; that effect changed the status (202 became 201). */
export async function storeStatus(tx: Tx, key: string, status: number): Promise<void> {
  await tx.update(idempotencyKeys).set({ responseStatus: status }).where(eq(idempotencyKeys.key, key));
}

/** The process has failed at the act: who comes again under the key makes it act again, not repeat the failure. */
export async function renewAct(tx: Tx, key: string): Promise<void> {
  await tx.update(idempotencyKeys).set({ actId: newActId() }).where(eq(idempotencyKeys.key, key));
}

/** The act was refused and nothing happened, so the key is free again. */
export async function releaseKey(tx: Tx, key: string): Promise<void> {
  await tx
    .delete(idempotencyKeys)
    .where(and(eq(idempotencyKeys.key, key), isNull(idempotencyKeys.responseStatus)));
}

function newActId(): string {
  return newId('act');
}
