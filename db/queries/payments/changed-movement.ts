/**
 * A movement on which something rests, and of which its source says something else now, or that it never happened: what was
 * booked is taken back, or what was taken back by it stands again.
 *
 * Why it is safe to run twice: the row says which version was looked at, in the transaction that undoes.
 */
import { dayOf } from '../../../domain/payments/match-facts.ts';
import type { Tx } from '../../client.ts';
import { type BankDecisionRow, MATCHING, standingDecisions, undoDecisions } from './bank-decisions.ts';
import { type BankMovementRow, movementOf, readMovement, updateMovement } from './bank-movements.ts';
import { tellBankOperators } from './bank-notices.ts';
import { undoMatch } from './undo-match.ts';

/** Whether that is all: what is other money than it was is decided anew after it. Call with everything locked. */
export async function followChange(tx: Tx, row: BankMovementRow, at: Date): Promise<boolean> {
  const { id, version, removedAt } = row;
  const standing = (await standingDecisions(tx, [id])).get(id) ?? null;
  const isRemoved = removedAt !== null;
  if (!isRemoved && (row.reversedAt !== null || isSameMoney(row, standing))) {
    await updateMovement(tx, id, { decidedVersion: version });
    return true;
  }
  const reason = isRemoved ? 'Its source says that it never happened' : 'Its source says otherwise now';
  const { undoneMinor } = await undoMatch(tx, row, { code: 'transfer_changed', by: MATCHING, reason, at });
  const isReinstated = await reinstateCredit(tx, standing, { reason, at });
  await updateMovement(tx, id, {
    status: isRemoved ? 'removed' : 'new',
    decidedVersion: isRemoved ? version : null,
  });
  if (row.allocatedMinor > 0 || isReinstated) {
    await tell(tx, row, { isRemoved, isReinstated, isTakenBack: undoneMinor > 0, at });
  }
  return isRemoved;
}

/** As it was when it was decided, by the rules or by a person. */
function isSameMoney(row: BankMovementRow, standing: BankDecisionRow | null): boolean {
  const seen = standing?.act ?? standing?.decision?.evidence;
  return (
    seen !== undefined &&
    seen.received.amountMinor === row.amountMinor &&
    seen.received.currency === row.currency &&
    seen.day === dayOf(movementOf(row))
  );
}

/** What took a credit back has not happened: the credit is decided anew. */
async function reinstateCredit(
  tx: Tx,
  standing: BankDecisionRow | null,
  { reason, at }: { reason: string; at: Date },
): Promise<boolean> {
  if (standing?.decision?.kind !== 'reversal') return false;
  await undoDecisions(tx, [standing.id], { by: MATCHING, reason, at });
  const credit = await readMovement(tx, standing.decision.creditId);
  if (credit.status !== 'reversed' || credit.removedAt !== null) return false;
  await updateMovement(tx, credit.id, { status: 'new', reversedAt: null, decidedVersion: null });
  return true;
}

function tell(
  tx: Tx,
  { id, tenantId, version }: BankMovementRow,
  {
    isRemoved,
    isReinstated,
    isTakenBack,
    at,
  }: { isRemoved: boolean; isReinstated: boolean; isTakenBack: boolean; at: Date },
): Promise<void> {
  const then = thenOf({ isReinstated, isTakenBack });
  return tellBankOperators(tx, {
    tenantId,
    title: isRemoved ? 'A bank transfer was withdrawn' : 'A bank transfer has changed',
    what: isRemoved
      ? `The bank's feed says that transaction ${id} never happened. ${then}`
      : `The bank's feed tells transaction ${id} otherwise than before. ${then} It is then matched as it is now.`,
    key: `bank_changed:${id}:${version}`,
    at,
  });
}

function thenOf({ isReinstated, isTakenBack }: { isReinstated: boolean; isTakenBack: boolean }): string {
  if (isReinstated) return 'The credit that it had taken back is looked at anew.';
  return isTakenBack
    ? 'What it had paid is open again, and the customer is told.'
    : 'The payment that was booked on a proof, and whose money it was, waits for its money again.';
}
