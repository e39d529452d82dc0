/**
 * What was booked of a movement is taken back: its bank returned it, its source says something else now, or a person had it
 * matched wrongly. Each payment leaves the books as any that does not stand (`take-back-payment.ts`): its invoice is owed
 * again, and its customer hears of it. A payment that was booked on a proof before stands by that, unless the bank has returned
 * its money: it waits for its money again.
 *
 * Why it is safe to run twice: called under the locks of the customers and of the movement, with the rows that say what stands;
 * what is taken back stands no longer, in the same transaction.
 */
import { and, eq, isNull } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { bankAllocations } from '../../schema/banking.ts';
import { standingAllocations, undoDecisions } from './bank-decisions.ts';
import { type BankMovementRow, updateMovement } from './bank-movements.ts';
import { isOnProof } from './proof-payments.ts';
import { lockPayment } from './refunds.ts';
import { takeBackPayment } from './take-back-payment.ts';

/** Why, as a code that the payment keeps: the bank's own (`R01`), or one of these. */
type UndoCode = `R${string}` | 'returned' | 'transfer_changed' | 'transfer_unmatched';

/** `by`: `matching`, or who did it. Returns the movement with nothing booked of it, and how much has left the books. */
export async function undoMatch(
  tx: Tx,
  row: BankMovementRow,
  { code, by, reason, at }: { code: UndoCode; by: string; reason: string; at: Date },
): Promise<{ row: BankMovementRow; undoneMinor: number }> {
  const standing = await standingAllocations(tx, [row.id]);
  const isReturned = code !== 'transfer_changed' && code !== 'transfer_unmatched';
  let undoneMinor = 0;
  for (const { paymentId, amountMinor: partMinor } of standing) {
    const subject = await lockPayment(tx, paymentId);
    if (isOnProof(subject.payment) && !isReturned) continue;
    const { amountMinor } = subject.payment;
    await takeBackPayment(tx, subject, { returned: { amountMinor, code }, attempt: null, at });
    undoneMinor += partMinor;
  }
  await tx
    .update(bankAllocations)
    .set({ undoneAt: at })
    .where(and(eq(bankAllocations.transactionId, row.id), isNull(bankAllocations.undoneAt)));
  const decisionIds = [...new Set(standing.map(({ decisionId }) => decisionId))];
  await undoDecisions(tx, decisionIds, { by, reason, at });
  return { row: await updateMovement(tx, row.id, { allocatedMinor: 0 }), undoneMinor };
}
