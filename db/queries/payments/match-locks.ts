/**
 * Whose money a decision about a movement moves, and which other movements it changes: what is locked before it is made.
 *
 * The order of locks is the same for all who touch movements, which are the matching, people, who tells them anew or has them
 * looked at again, and an erasure: customers by their ids, then the account whose movements are told or erased, then the
 * movements that change together, in one statement and by their ids. Of two that want the same ones, one waits and holds none
 * of them. A long file changes its movements a thousand at a time, and a bank that is connected anew names them before it
 * tells them; should two cross there, the database ends one of them, whose work is whole or not done, and it is tried again.
 */
import { inArray } from 'drizzle-orm';
import type { MatchDecision } from '../../../domain/payments/match-decision.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { standingAllocations, standingDecisions } from './bank-decisions.ts';
import type { BankMovementRow } from './bank-movements.ts';

export type Concerned = { customerIds: ReadonlySet<string>; movementIds: ReadonlySet<string> };

/** By what is decided now, and by what was decided before and may be undone. */
export async function concernedBy(
  tx: Tx,
  transactionId: string,
  decision: MatchDecision | null,
): Promise<Concerned> {
  const standing = (await standingDecisions(tx, [transactionId])).get(transactionId)?.decision ?? null;
  const credits = [standing, decision].flatMap((each) => (each?.kind === 'reversal' ? [each.creditId] : []));
  const movementIds = new Set([transactionId, ...credits]);
  const booked = await standingAllocations(tx, [...movementIds]);
  const paying = await customersOf(tx, decision === null ? [] : invoiceIdsOf(decision));
  return { customerIds: new Set([...paying, ...booked.map(({ customerId }) => customerId)]), movementIds };
}

/** Whether all that the decision concerns is locked. */
export async function isConcerned(
  tx: Tx,
  { row, decision }: { row: BankMovementRow; decision: MatchDecision },
  locked: Concerned,
): Promise<boolean> {
  const { customerIds, movementIds } = await concernedBy(tx, row.id, decision);
  return isWithin(customerIds, locked.customerIds) && isWithin(movementIds, locked.movementIds);
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((each) => all.has(each));
}

async function customersOf(tx: Tx, invoiceIds: readonly string[]): Promise<string[]> {
  if (invoiceIds.length === 0) return [];
  const rows = await tx
    .selectDistinct({ customerId: invoices.customerId })
    .from(invoices)
    .where(inArray(invoices.id, [...invoiceIds]));
  return rows.map(({ customerId }) => customerId);
}

/** Invoices on which it books something. */
function invoiceIdsOf(decision: MatchDecision): string[] {
  if ('settlement' in decision) return decision.settlement.allocations.map(({ invoiceId }) => invoiceId);
  const isOfOne = decision.kind === 'duplicate_credit' || decision.kind === 'proof_seen';
  return isOfOne ? [decision.invoiceId] : [];
}
