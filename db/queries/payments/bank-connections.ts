/**
 * Connections to banks: made once for a public token, ended once, and never more than one for what the feed calls one.
 *
 * Why it is safe to run twice: a connection is one row by the feed's name of it. Made again (the person went through the
 * feed's page to repair it) it keeps its cursor; ended again it stays ended. Its process is told in the same transaction.
 */
import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { bankConnectionEvent } from '../../../workflows/payments/bank-connection.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankConnections } from '../../schema/bank-connections.ts';
import { notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type BankConnectionRow = typeof bankConnections.$inferSelect;

/** What changes connections, or the accounts behind them, of one tenant comes one after the other. */
export async function lockBanks(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`bank_connections:${tenantId}`}, 0))`);
}

/** Throws `not_found`. */
export async function readConnection(tx: Tx, connectionId: string): Promise<BankConnectionRow> {
  const [row] = await tx.select().from(bankConnections).where(eq(bankConnections.id, connectionId));
  if (row === undefined) throw notFound('bank connection', connectionId);
  return row;
}

/** What a public token was exchanged for, by an earlier try of the same request. */
export async function connectionOfToken(tx: Tx, publicTokenHash: string): Promise<BankConnectionRow | null> {
  const [row] = await tx
    .select()
    .from(bankConnections)
    .where(eq(bankConnections.publicTokenHash, publicTokenHash));
  return row ?? null;
}

/** Newest first. */
export function listConnections(
  tx: Tx,
  { cursor, limit }: { cursor: string | undefined; limit: number },
): Promise<BankConnectionRow[]> {
  return tx
    .select()
    .from(bankConnections)
    .where(cursor === undefined ? undefined : lt(bankConnections.id, cursor))
    .orderBy(desc(bankConnections.id))
    .limit(limit);
}

/** What a sealed token is about: it opens for no other connection. */
export function tokenOf({
  tenantId,
  externalId,
}: Pick<BankConnectionRow, 'tenantId' | 'externalId'>): string {
  return `bank_connection:${tenantId}:${externalId}`;
}

/**
 * The connection that was made at the feed, and its process. One that is known already (the person has signed in again) is
 * looked at anew with the token it has now. Throws `state_conflict` (`bank_connection_taken`) for one of another tenant.
 */
export async function addConnection(
  tx: Tx,
  made: {
    tenantId: string;
    externalId: string;
    sealedToken: string;
    publicTokenHash: string;
    actor: string;
    at: Date;
  },
): Promise<BankConnectionRow> {
  const { tenantId, externalId, sealedToken: accessToken, publicTokenHash, actor, at } = made;
  await lockBanks(tx, tenantId);
  const [added] = await tx
    .insert(bankConnections)
    .values({
      id: newId('bcn'),
      tenantId,
      externalId,
      accessToken,
      publicTokenHash,
      status: 'active',
      statusSince: at,
      actor,
    })
    .onConflictDoNothing({ target: bankConnections.externalId })
    .returning();
  const row = added ?? (await reopened(tx, made));
  await writeAudit(tx, {
    tenantId,
    actor,
    action: added === undefined ? 'bank_connection.repaired' : 'bank_connection.created',
    entityType: 'bank_connection',
    entityId: row.id,
    at,
  });
  await lookNow(tx, row);
  return row;
}

async function reopened(
  tx: Tx,
  {
    externalId,
    sealedToken: accessToken,
    publicTokenHash,
  }: { externalId: string; sealedToken: string; publicTokenHash: string },
): Promise<BankConnectionRow> {
  const [known] = await tx
    .select()
    .from(bankConnections)
    .where(eq(bankConnections.externalId, externalId))
    .for('update');
  if (known === undefined || known.status === 'unlinked') {
    throw stateConflict(
      'bank_connection_taken',
      'This connection is in use elsewhere, or was unlinked; ask for a link token and connect the bank anew.',
    );
  }
  const [row] = await tx
    .update(bankConnections)
    .set({ accessToken, publicTokenHash })
    .where(eq(bankConnections.id, known.id))
    .returning();
  return row ?? known;
}

/** Has its process look, and starts it where it does not run. */
export async function lookNow(
  tx: Tx,
  { tenantId, externalId }: Pick<BankConnectionRow, 'tenantId' | 'externalId'>,
): Promise<void> {
  await appendOutbox(tx, tenantId, [bankConnectionEvent(externalId, null)]);
}

/**
 * Ends a connection: it is read no more, its process ends it at the feed and then itself. Its accounts, and what moved on
 * them, stay. Throws `not_found`.
 */
export async function unlinkConnection(
  tx: Tx,
  { connectionId, actor, reason, at }: { connectionId: string; actor: string; reason?: string; at: Date },
): Promise<BankConnectionRow> {
  const connection = await readConnection(tx, connectionId);
  await lockBanks(tx, connection.tenantId);
  const [row] = await tx
    .update(bankConnections)
    .set({ status: 'unlinked', statusSince: at, problem: null, disconnectExpectedSince: null })
    .where(and(eq(bankConnections.id, connectionId), sql`${bankConnections.status} <> 'unlinked'`))
    .returning();
  if (row === undefined) {
    // Its end at the feed may have failed.
    if (connection.accessToken !== null) await lookNow(tx, connection);
    return readConnection(tx, connectionId);
  }
  await writeAudit(tx, {
    tenantId: row.tenantId,
    actor,
    action: 'bank_connection.unlinked',
    entityType: 'bank_connection',
    entityId: connectionId,
    ...(reason !== undefined && { reason }),
    at,
  });
  await lookNow(tx, row);
  return row;
}

/**
 * Marks unreadable movements as dealt with; done again it changes nothing. Throws `not_found`, and `state_conflict`
 * (`movement_not_listed`) where one of them is not listed.
 */
export async function dismissUnreadable(
  tx: Tx,
  {
    connectionId,
    externalIds,
    actor,
    at,
  }: { connectionId: string; externalIds: readonly string[]; actor: string; at: Date },
): Promise<BankConnectionRow> {
  await lockBanks(tx, (await readConnection(tx, connectionId)).tenantId);
  const connection = await readConnection(tx, connectionId);
  const { tenantId } = connection;
  const listed = new Map(connection.unreadable.map((each) => [each.externalId, each]));
  const stranger = externalIds.find((externalId) => !listed.has(externalId));
  if (stranger !== undefined) {
    throw stateConflict(
      'movement_not_listed',
      `${stranger} is not among the unreadable movements of this connection; read the connection again.`,
    );
  }
  const dismissed = externalIds.filter((externalId) => !listed.get(externalId)?.isDismissed);
  if (dismissed.length === 0) return connection;
  const unreadable = connection.unreadable.map((each) =>
    externalIds.includes(each.externalId) ? { ...each, isDismissed: true } : each,
  );
  await tx.update(bankConnections).set({ unreadable }).where(eq(bankConnections.id, connectionId));
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_connection.unreadable_dismissed',
    entityType: 'bank_connection',
    entityId: connectionId,
    details: { externalIds: dismissed },
    at,
  });
  return { ...connection, unreadable };
}

/** The same token under the key that is active now. */
export async function resealToken(tx: Tx, connection: BankConnectionRow, sealedToken: string): Promise<void> {
  await tx
    .update(bankConnections)
    .set({ accessToken: sealedToken })
    .where(
      and(
        eq(bankConnections.id, connection.id),
        eq(bankConnections.accessToken, connection.accessToken ?? ''),
      ),
    );
}

/** The feed has ended it too, so that nothing is opened by its token any more. */
export async function forgetToken(tx: Tx, connectionId: string): Promise<void> {
  await tx
    .update(bankConnections)
    .set({ accessToken: null })
    .where(and(eq(bankConnections.id, connectionId), eq(bankConnections.status, 'unlinked')));
}
