/**
 * Movements that wait for a person are decided again: the invoice they are for may be there by now, its instructions, the number
 * of the customer's confirmation, or the rate of the day. What a person has undone or ignored stays with people.
 *
 * Why it is safe to run twice: a movement that is decided as before is left as it is.
 */
import { and, asc, count, eq, gte, inArray, sql } from 'drizzle-orm';
import { queueStatuses } from '../../../domain/payments/bank-movement.ts';
import type { Tx } from '../../client.ts';
import { bankTransactions } from '../../schema/banking.ts';

/** `since`: the first day that is looked at; left out for all. Returns how many movements wait for the rules then. */
export async function reconsiderMovements(tx: Tx, { since }: { since?: string } = {}): Promise<number> {
  const { id, status, allocatedMinor, leftToPeople, bookedOn, isWaiting } = bankTransactions;
  const queued = await tx
    .select({ id })
    .from(bankTransactions)
    .where(
      and(
        inArray(status, [...queueStatuses]),
        eq(allocatedMinor, 0),
        eq(leftToPeople, false),
        since === undefined ? undefined : gte(bookedOn, since),
      ),
    )
    .orderBy(asc(id))
    .for('update');
  if (queued.length > 0) {
    const ids = queued.map((row) => row.id);
    await tx
      .update(bankTransactions)
      .set({ decidedVersion: null })
      .where(sql`${id} = any(${sql.param(ids)}::text[])`);
  }
  const [waiting] = await tx.select({ count: count() }).from(bankTransactions).where(sql`${isWaiting}`);
  return waiting?.count ?? 0;
}
