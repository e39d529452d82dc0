/** What was decided about movements, and what of them became payments. Call under the lock of the movement. */
import { and, asc, desc, eq, gt, inArray, isNull, max, sql } from 'drizzle-orm';
import type { BankAct } from '../../../domain/payments/bank-act.ts';
import type { MatchDecision } from '../../../domain/payments/match-decision.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { bankAllocations, bankDecisions } from '../../schema/banking.ts';
import { invoices } from '../../schema/billing.ts';

export type BankDecisionRow = typeof bankDecisions.$inferSelect;
export type BankAllocationRow = typeof bankAllocations.$inferSelect;

/** As the audit log names people; the rules are named by this. */
export const MATCHING = 'matching';

type Decided = { tenantId: string; transactionId: string; at: Date };

/** Adds what the rules decided. */
export function addDecision(
  tx: Tx,
  { decision, ...decided }: Decided & { decision: MatchDecision },
): Promise<BankDecisionRow> {
  const { kind, rule } = decision;
  return add(tx, decided, { kind, rule: String(rule), decision, decidedBy: MATCHING });
}

export type PutDecision = Omit<Decided, 'at'> & {
  decision: MatchDecision;
  /** The decision whose place it takes; null where it is one more. */
  replacedId: string | null;
};

/** The same for many movements at once, of which some take the place of what was decided before. */
export async function putDecisions(tx: Tx, put: readonly PutDecision[], at: Date): Promise<void> {
  const renewed = put.flatMap(({ replacedId: id, decision }) =>
    id === null ? [] : [{ id, rule: String(decision.rule), decision }],
  );
  if (renewed.length > 0) {
    await tx.execute(sql`
      update ${bankDecisions} kept set rule = renewed.rule, decision = renewed.decision, decided_at = ${at}
      from jsonb_to_recordset(${JSON.stringify(renewed)}::jsonb) as renewed(id text, rule text, decision jsonb)
      where kept.id = renewed.id`);
  }
  await addDecisions(
    tx,
    put.filter(({ replacedId }) => replacedId === null),
    at,
  );
}

async function addDecisions(tx: Tx, decided: readonly PutDecision[], at: Date): Promise<void> {
  if (decided.length === 0) return;
  const rows = await tx
    .select({ id: bankDecisions.transactionId, ordinal: max(bankDecisions.ordinal) })
    .from(bankDecisions)
    .where(
      inArray(
        bankDecisions.transactionId,
        decided.map(({ transactionId }) => transactionId),
      ),
    )
    .groupBy(bankDecisions.transactionId);
  const last = new Map(rows.map(({ id, ordinal }) => [id, ordinal ?? 0]));
  await tx.insert(bankDecisions).values(
    decided.map(({ tenantId, transactionId, decision }) => ({
      id: newId('bdc'),
      tenantId,
      transactionId,
      ordinal: (last.get(transactionId) ?? 0) + 1,
      kind: decision.kind,
      rule: String(decision.rule),
      decision,
      decidedBy: MATCHING,
      decidedAt: at,
    })),
  );
}

/** Adds what a person decided. */
export function addAct(
  tx: Tx,
  { act, actor, ...decided }: Decided & { act: BankAct; actor: string },
): Promise<BankDecisionRow> {
  return add(tx, decided, { kind: act.kind, act, decidedBy: actor });
}

async function add(
  tx: Tx,
  { tenantId, transactionId, at }: Decided,
  said: Pick<typeof bankDecisions.$inferInsert, 'kind' | 'rule' | 'decision' | 'act' | 'decidedBy'>,
): Promise<BankDecisionRow> {
  const ordinal = sql<number>`(select coalesce(max(${bankDecisions.ordinal}), 0) + 1 from ${bankDecisions}
    where ${bankDecisions.transactionId} = ${transactionId})`;
  const [row] = await tx
    .insert(bankDecisions)
    .values({ id: newId('bdc'), tenantId, transactionId, ordinal, ...said, decidedAt: at })
    .returning();
  if (row === undefined) throw new Error('An inserted decision was not returned');
  return row;
}

/** In the order in which they were made; `cursor`: the ordinal of the one before. */
export function listDecisions(
  tx: Tx,
  { transactionId, cursor, limit }: { transactionId: string; cursor: string | undefined; limit: number },
): Promise<BankDecisionRow[]> {
  return tx
    .select()
    .from(bankDecisions)
    .where(
      and(
        eq(bankDecisions.transactionId, transactionId),
        cursor === undefined ? undefined : gt(bankDecisions.ordinal, Number(cursor)),
      ),
    )
    .orderBy(asc(bankDecisions.ordinal))
    .limit(limit);
}

/** The last ones, in the order in which they were made. */
export async function lastDecisions(
  tx: Tx,
  { transactionId, limit }: { transactionId: string; limit: number },
): Promise<BankDecisionRow[]> {
  const rows = await tx
    .select()
    .from(bankDecisions)
    .where(eq(bankDecisions.transactionId, transactionId))
    .orderBy(desc(bankDecisions.ordinal))
    .limit(limit);
  return rows.toReversed();
}

/** The last that stands, of each movement that has one. */
export async function standingDecisions(
  tx: Tx,
  transactionIds: readonly string[],
): Promise<Map<string, BankDecisionRow>> {
  if (transactionIds.length === 0) return new Map();
  const rows = await tx
    .selectDistinctOn([bankDecisions.transactionId])
    .from(bankDecisions)
    .where(and(inArray(bankDecisions.transactionId, [...transactionIds]), isNull(bankDecisions.undoneAt)))
    .orderBy(bankDecisions.transactionId, desc(bankDecisions.ordinal));
  return new Map(rows.map((row) => [row.transactionId, row]));
}

export async function undoDecisions(
  tx: Tx,
  decisionIds: readonly string[],
  { by, reason, at }: { by: string; reason: string; at: Date },
): Promise<void> {
  if (decisionIds.length === 0) return;
  await tx
    .update(bankDecisions)
    .set({ undoneAt: at, undoneBy: by, undoneReason: reason })
    .where(and(inArray(bankDecisions.id, [...decisionIds]), isNull(bankDecisions.undoneAt)));
}

/** What of the movements stands, oldest first, with whose it is. */
export async function standingAllocations(
  tx: Tx,
  transactionIds: readonly string[],
): Promise<(BankAllocationRow & { customerId: string })[]> {
  if (transactionIds.length === 0) return [];
  const rows = await tx
    .select({ allocation: bankAllocations, customerId: invoices.customerId })
    .from(bankAllocations)
    .innerJoin(invoices, eq(invoices.id, bankAllocations.invoiceId))
    .where(and(inArray(bankAllocations.transactionId, [...transactionIds]), isNull(bankAllocations.undoneAt)))
    .orderBy(asc(bankAllocations.id));
  return rows.map(({ allocation, customerId }) => ({ ...allocation, customerId }));
}

/** The name under which a movement's next payment is booked: no two of its payments ever had the same. */
export async function nextPaymentName(tx: Tx, transactionId: string): Promise<string> {
  const rows = await tx
    .select({ id: bankAllocations.id })
    .from(bankAllocations)
    .where(eq(bankAllocations.transactionId, transactionId));
  return `${transactionId}:${rows.length + 1}`;
}
