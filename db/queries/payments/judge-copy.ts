/**
 * What a person says of a movement that two sources seem to have told.
 *
 * Why it is safe to run twice: said again it changes nothing. The contrary is refused, for by then the movement may pay an
 * invoice, or may be left out of what does.
 */
import { eq } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { lookForMatches } from '../../../workflows/payments/bank-matching.contract.ts';
import type { Tx } from '../../client.ts';
import { bankTransactions } from '../../schema/banking.ts';
import { notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { type BankMovementRow, lockMovements } from './bank-movements.ts';

/** Throws `not_found`, and `state_conflict` with the reasons `copy_not_suspected` and `copy_judged`. */
export async function judgeCopy(
  tx: Tx,
  { transactionId, isCopy, actor, at }: { transactionId: string; isCopy: boolean; actor: string; at: Date },
): Promise<BankMovementRow> {
  const [transaction] = await lockMovements(tx, [transactionId]);
  if (transaction === undefined) throw notFound('bank transaction', transactionId);
  const { id, tenantId, status, copyOfId, copyJudgedAt } = transaction;
  if (status !== 'copy_suspected') {
    if (copyJudgedAt === null) {
      throw stateConflict('copy_not_suspected', 'Nobody suspects that this movement is a copy of another.');
    }
    if ((status === 'copy') === isCopy) return transaction;
    throw stateConflict(
      'copy_judged',
      `Somebody has said that this movement is ${isCopy ? 'no copy; ignore it' : 'a copy; match the other one'} instead.`,
    );
  }
  const [judged = transaction] = await tx
    .update(bankTransactions)
    .set({ status: isCopy ? 'copy' : 'new', copyJudgedAt: at })
    .where(eq(bankTransactions.id, id))
    .returning();
  if (!isCopy) await appendOutbox(tx, tenantId, [lookForMatches({ tenantId })]);
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_transaction.copy_judged',
    entityType: 'bank_transaction',
    entityId: id,
    details: { isCopy, copyOfId },
    at,
  });
  return judged;
}
