/**
 * Decides about the movements that wait, in the order of their days whatever order they came in, and carries the decisions out.
 * Those that name an invoice, or take a credit back, one by one, each in a transaction of its own with facts read under the
 * locks of whose money it is: what one of them books is what the next one finds. All others together, after them.
 *
 * Why it is safe to run twice: a movement waits until the transaction that decides it is committed. Dying before that leaves it
 * to the next run, dying after it leaves the next run nothing to do; of two runs at once, one has the lock, and the other then
 * finds the movement decided. A person who matches it at the same moment holds the same locks.
 */
import { DomainError } from '../../../domain/errors.ts';
import { movesMoney } from '../../../domain/payments/bank-movement.ts';
import type { MatchDecision } from '../../../domain/payments/match-decision.ts';
import { isReturn } from '../../../domain/payments/match-reversal.ts';
import { type Database, type Tx, withTenant } from '../../client.ts';
import { lockCustomer } from '../billing/subscriptions.ts';
import { type BankMovementRow, lockMovements, updateMovement, waitingMovements } from './bank-movements.ts';
import { tellBankOperators, tellOfQueue } from './bank-notices.ts';
import { carryOutMatch, type DecidedMovement, keepDecisions } from './carry-out-match.ts';
import { followChange } from './changed-movement.ts';
import { decideMovement, gatherMatchFacts } from './gather-match-facts.ts';
import { type Concerned, concernedBy, isConcerned } from './match-locks.ts';

export type MatchRun = { tenantId: string; at: Date };

/** So many are looked at together, and of these so many are decided one by one: a few seconds' work. */
export const MOVEMENTS_AT_ONCE = 500;
const ALONE_AT_ONCE = 100;

/** One part of what waits. `isOver`: nothing waits any more, or nothing that could be decided; operators were told of the queue. */
export async function matchMovements(
  db: Database,
  run: MatchRun,
): Promise<{ decided: number; isOver: boolean }> {
  const { tenantId, at } = run;
  const found = await withTenant(db, tenantId, async (tx) => {
    const rows = await waitingMovements(tx, MOVEMENTS_AT_ONCE);
    return (await gatherMatchFacts(tx, rows)).map((movement) => ({
      movement,
      decision: decideMovement(movement),
    }));
  });
  const alone = found.filter(isAlone).slice(0, ALONE_AT_ONCE);
  const last =
    alone.length < ALONE_AT_ONCE ? found.length : found.indexOf(alone.at(-1) as DecidedMovement) + 1;
  let decided = 0;
  for (const each of alone) decided += await decideAlone(db, run, each);
  const others = found.slice(0, last).filter((each) => !isAlone(each));
  decided += await decideTogether(
    db,
    run,
    others.map(({ movement }) => movement.row.id),
  );
  const isOver = await withTenant(db, tenantId, async (tx) => {
    if (decided > 0 && (await waitingMovements(tx, 1)).length > 0) return false;
    await tellOfQueue(tx, { tenantId, at });
    return true;
  });
  return { decided, isOver };
}

/** What others of the same run may bear on, and what something rests on already. */
function isAlone({ movement: { row }, decision }: DecidedMovement): boolean {
  if (rests(row) || movesMoney(decision)) return true;
  if (row.amountMinor < 0) return isReturn(row.texts);
  return typeof decision.rule === 'number' && decision.evidence.references.length > 0;
}

/** Whether money was booked of it, or taken back by it or from it. */
function rests({ allocatedMinor, status, removedAt }: BankMovementRow): boolean {
  return allocatedMinor > 0 || status === 'reversed' || removedAt !== null;
}

/** Who is concerned may turn out to be somebody else once the locks are held. */
const TRIES = 5;

async function decideAlone(
  db: Database,
  run: MatchRun,
  { movement, decision }: DecidedMovement,
): Promise<number> {
  let expected: MatchDecision | null = decision;
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      const next: Looked = await withTenant(db, run.tenantId, (tx) =>
        decideLocked(tx, { row: movement.row, expected, at: run.at }),
      );
      if (next.isDecided) return 1;
      expected = next.expected;
    } catch (error) {
      // One that cannot be booked holds up no other.
      if (!(error instanceof DomainError)) throw error;
      return withTenant(db, run.tenantId, (tx) => setAside(tx, movement.row, { error, at: run.at }));
    }
  }
  return 0;
}

type Looked = { isDecided: true } | { isDecided: false; expected: MatchDecision | null };

async function decideLocked(
  tx: Tx,
  { row: { id }, expected, at }: { row: BankMovementRow; expected: MatchDecision | null; at: Date },
): Promise<Looked> {
  const concerned = await lockConcerned(tx, id, expected);
  const row = concerned.rows.find((each) => each.id === id);
  if (row === undefined || !row.isWaiting) return { isDecided: true };
  if (rests(row)) {
    // What is other money than it was is decided anew, in a transaction of its own.
    return (await followChange(tx, row, at)) ? { isDecided: true } : { isDecided: false, expected: null };
  }
  const [movement] = await gatherMatchFacts(tx, [row]);
  if (movement === undefined) return { isDecided: true };
  const decision = decideMovement(movement);
  if (!(await isConcerned(tx, { row, decision }, concerned))) return { isDecided: false, expected: decision };
  await carryOutMatch(tx, { movement, decision }, at);
  return { isDecided: true };
}

/** Customers first, by their ids, then movements, as everybody does. */
async function lockConcerned(
  tx: Tx,
  id: string,
  expected: MatchDecision | null,
): Promise<Concerned & { rows: BankMovementRow[] }> {
  const concerned = await concernedBy(tx, id, expected);
  for (const customerId of [...concerned.customerIds].toSorted()) await lockCustomer(tx, customerId);
  return { ...concerned, rows: await lockMovements(tx, [...concerned.movementIds]) };
}

/** None of them books anything, so that nobody's lock is needed but their own. */
async function decideTogether(
  db: Database,
  { tenantId, at }: MatchRun,
  ids: readonly string[],
): Promise<number> {
  if (ids.length === 0) return 0;
  return withTenant(db, tenantId, async (tx) => {
    const rows = (await lockMovements(tx, ids)).filter((row) => row.isWaiting && !rests(row));
    const decided = (await gatherMatchFacts(tx, rows))
      .map((movement) => ({ movement, decision: decideMovement(movement) }))
      .filter((each) => !isAlone(each));
    await keepDecisions(tx, decided, at);
    return decided.length;
  });
}

/** The rules say one thing and the books refuse it: somebody has to look. What rests on it stays, and it waits. */
async function setAside(
  tx: Tx,
  { id, tenantId }: BankMovementRow,
  { error, at }: { error: DomainError; at: Date },
): Promise<number> {
  const [row] = await lockMovements(tx, [id]);
  if (row === undefined || !row.isWaiting) return 1;
  await tellBankOperators(tx, {
    tenantId,
    title: 'A bank transfer could not be booked',
    what: `Bank transaction ${id} waits for somebody: ${error.message}`,
    key: `bank_set_aside:${id}:${row.version}`,
    at,
  });
  if (rests(row)) return 0;
  await updateMovement(tx, id, { status: 'exception', decidedVersion: row.version });
  return 1;
}
