/**
 * The outbox table. `appendOutbox` writes in the caller's transaction; the relay claims due rows by lease, so a
 * relay that dies leaves them to the next one, and every delivery may happen twice.
 */
import { and, asc, eq, inArray, isNull, lte, min, not, sql } from 'drizzle-orm';
import type { OutboxEnvelope } from '../../../domain/operations/outbox.ts';
import { type Database, type Tx, withSystem } from '../../client.ts';
import { outbox } from '../../schema/operations.ts';

/** Rows for workflows, mails, chats and records of taxes are taken apart, so that none holds another up. */
export type OutboxKind = 'mails' | 'chats' | 'taxes' | 'workflows';

export type ClaimedOutboxRow = {
  id: number;
  tenantId: string | null;
  envelope: OutboxEnvelope;
  attempts: number;
};

/**
 * Adds what this transaction owes the outside. `leaseSeconds` keeps the relay away for a moment, for a caller that
 * delivers the row itself right after the commit. Returns the rows' ids.
 */
export async function appendOutbox(
  tx: Tx,
  tenantId: string | null,
  envelopes: OutboxEnvelope[],
  { leaseSeconds = 0 }: { leaseSeconds?: number } = {},
): Promise<number[]> {
  if (envelopes.length === 0) return [];
  const dueAt = sql`now() + make_interval(secs => ${leaseSeconds})`;
  const rows = await tx
    .insert(outbox)
    .values(envelopes.map((envelope) => ({ tenantId, topic: envelope.topic, envelope, dueAt })))
    .returning({ id: outbox.id });
  return rows.map((row) => row.id);
}

/**
 * Takes up to `limit` due rows for `leaseSeconds`, oldest first; other relays skip them. `dueBy` leaves out those that fell due
 * after that instant of the database. Of one workflow only the oldest
 * undelivered row is taken, and the next one once that is delivered: a signal that overtakes its start would find nobody
 * and be lost.
 */
export function claimOutbox(
  db: Database,
  {
    limit,
    leaseSeconds,
    kind,
    dueBy,
  }: { limit: number; leaseSeconds: number; kind: OutboxKind; dueBy?: string | undefined },
): Promise<ClaimedOutboxRow[]> {
  return withSystem(db, async (tx) => {
    const due = tx
      .select({ id: outbox.id })
      .from(outbox)
      .where(
        and(
          deliverable[kind],
          lte(outbox.dueAt, dueBy === undefined ? sql`now()` : sql`${dueBy}::timestamptz`),
        ),
      )
      .orderBy(asc(outbox.id))
      .limit(limit)
      .for('update', { skipLocked: true });
    const rows = await tx
      .update(outbox)
      .set({
        dueAt: sql`now() + make_interval(secs => ${leaseSeconds})`,
        attempts: sql`${outbox.attempts} + 1`,
      })
      .where(inArray(outbox.id, due))
      .returning({
        id: outbox.id,
        tenantId: outbox.tenantId,
        envelope: outbox.envelope,
        attempts: outbox.attempts,
      });
    return rows.sort((a, b) => a.id - b.id);
  });
}

/** The clock that says what is due, to the microsecond. */
export function outboxNow(db: Database): Promise<string> {
  return withSystem(db, async (tx) => {
    const { rows } = await tx.execute<{ now: string }>(sql`select now()::text as now`);
    const [row] = rows;
    if (row === undefined) throw new Error('The database does not say what time it is');
    return row.now;
  });
}

export async function markDelivered(db: Database, ids: number[]): Promise<void> {
  if (ids.length === 0) return;
  await withSystem(db, (tx) =>
    tx.update(outbox).set({ deliveredAt: sql`now()` }).where(inArray(outbox.id, ids)),
  );
}

/** The same for one row of this transaction's tenant, by whoever wrote it. */
export async function markOwnDelivered(tx: Tx, id: number): Promise<void> {
  await tx.update(outbox).set({ deliveredAt: sql`now()` }).where(eq(outbox.id, id));
}

/** Records a failed delivery; `retryAt` null gives the row up for a person to look at. */
export async function markFailed(
  db: Database,
  { id, error, retryAt }: { id: number; error: string; retryAt: Date | null },
): Promise<void> {
  const outcome = retryAt === null ? { failedAt: sql`now()` } : { dueAt: retryAt };
  await withSystem(db, (tx) =>
    tx
      .update(outbox)
      .set({ lastError: error, ...outcome })
      .where(eq(outbox.id, id)),
  );
}

/** When the next row (of a kind) can be taken; null when nothing is owed. */
export function nextDueAt(db: Database, kind?: OutboxKind): Promise<Date | null> {
  return withSystem(db, async (tx) => {
    const [row] = await tx
      .select({ dueAt: min(outbox.dueAt) })
      .from(outbox)
      .where(kind ? deliverable[kind] : undelivered);
    return row?.dueAt ?? null;
  });
}

const undelivered = and(isNull(outbox.deliveredAt), isNull(outbox.failedAt));

const isMail = eq(outbox.topic, 'mail.send');
const isChat = eq(outbox.topic, 'chat.send');
const isTax = eq(outbox.topic, 'tax.record');
/** Nothing earlier is owed to the same workflow. */
const isNext = sql`not exists (
  select from outbox earlier
  where earlier.envelope ->> 'workflowId' = ${outbox.envelope} ->> 'workflowId' and earlier.id < ${outbox.id}
    and earlier.delivered_at is null and earlier.failed_at is null)`;
const deliverable = {
  mails: and(undelivered, isMail),
  chats: and(undelivered, isChat),
  taxes: and(undelivered, isTax),
  workflows: and(undelivered, not(isMail), not(isChat), not(isTax), isNext),
};
