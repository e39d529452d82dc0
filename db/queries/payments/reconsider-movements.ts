/**
 * Movements that wait for a person are decided again: the invoice they are for may be there by now, its instructions, the number
 * of the customer's confirmation, or the rate of the day. What a person has undone or ignored stays with people.
 *
 * Why it is safe to run twice: a movement that is decided as before is left as it is.
 */
import { and, asc, count, eq, gte, inArray, type SQL, sql } from 'drizzle-orm';
import { queueStatuses } from '../../../domain/payments/bank-movement.ts';
import { bankNumbersIn, hasBankNumber } from '../../../domain/payments/bank-number.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { dayAt, daysLater } from '../../../domain/reporting/report-days.ts';
import { lookForMatches } from '../../../workflows/payments/bank-matching.contract.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankDecisions, bankTransactions } from '../../schema/banking.ts';
import { appendOutbox } from '../operations/outbox.ts';
import type { BankMovementRow } from './bank-movements.ts';

/** The first day that is looked at again. */
export function reconsideredSince(at: Date): string {
  return daysLater(dayAt(at.toISOString(), 'UTC'), -bankPolicy.reconsideredDays);
}

/** `since`: the first day that is looked at; left out for all. Returns how many movements wait for the rules then. */
export async function reconsiderMovements(tx: Tx, { since }: { since?: string } = {}): Promise<number> {
  const { bookedOn, isWaiting } = bankTransactions;
  await decideAnew(tx, isQueued(since === undefined ? undefined : gte(bookedOn, since)));
  const [waiting] = await tx.select({ count: count() }).from(bankTransactions).where(sql`${isWaiting}`);
  return waiting?.count ?? 0;
}

/**
 * A customer has told the number on a confirmation: what waits for people and has it, or names it, is matched again at once. One
 * that the rules decide about at this very moment is found within the hour.
 */
export async function reconsiderConfirmed(
  tx: Tx,
  { tenantId, number, at }: { tenantId: string; number: string; at: Date },
): Promise<void> {
  const { id, texts, bankReference, bookedOn } = bankTransactions;
  const [key] = bankNumbersIn({ texts: [], bankReference: number });
  if (key === undefined) return;
  const queued = await tx
    .select({ id, texts, bankReference })
    .from(bankTransactions)
    .where(isQueued(and(gte(bookedOn, reconsideredSince(at)), mayHave(key))));
  const ids = queued.filter((row) => hasBankNumber(row, number)).map((row) => row.id);
  if (ids.length === 0) return;
  await decideAnew(tx, isQueued(isOneOf(id, ids)));
  await appendOutbox(tx, tenantId, [lookForMatches({ tenantId })]);
}

/** Leaves out none that has it: what is not written in plain letters is looked at wherever it stands. */
function mayHave(key: string): SQL {
  const { texts, bankReference, bankReferenceKey } = bankTransactions;
  const written = sql`concat_ws(' ', array_to_string(${texts}, ' '), ${bankReference})`;
  return sql`(${bankReferenceKey} = ${key} or strpos(upper(${written} collate "C"), ${key}) > 0
    or ${written} collate "C" ~ '[^ -~\\n]')`;
}

/**
 * Money of these movements is booked, or waits for somebody: returns of it that came or were looked at before are decided
 * again. Returns whether there are any.
 */
export async function reconsiderReturns(tx: Tx, credits: readonly BankMovementRow[]): Promise<boolean> {
  if (credits.length === 0) return false;
  const came = credits.map(({ accountId, currency, amountMinor, bookedOn }) => ({
    account: accountId,
    currency,
    amount: 0 - amountMinor,
    day: bookedOn,
  }));
  const equalReturns = sql`${bankTransactions.id} in (select out.id
    from jsonb_to_recordset(${JSON.stringify(came)}::jsonb)
      as came(account text, currency char(3), amount bigint, day date)
    join ${bankTransactions} out on out.account_id = came.account and out.currency = came.currency
      and out.amount_minor = came.amount and out.booked_on >= came.day
    where out.status = 'ignored' and not out.left_to_people and exists (select from ${bankDecisions} decision
      where decision.transaction_id = out.id and decision.kind = 'ignore_outflow' and decision.undone_at is null))`;
  return decideAnew(tx, equalReturns);
}

function isQueued(further?: SQL): SQL | undefined {
  const { status, allocatedMinor, leftToPeople } = bankTransactions;
  return and(inArray(status, [...queueStatuses]), eq(allocatedMinor, 0), eq(leftToPeople, false), further);
}

/** Locks them in the order in which everybody does (`match-locks.ts`). Returns whether there are any. */
async function decideAnew(tx: Tx, which: SQL | undefined): Promise<boolean> {
  const { id } = bankTransactions;
  const found = await tx.select({ id }).from(bankTransactions).where(which).orderBy(asc(id)).for('update');
  if (found.length === 0) return false;
  await tx
    .update(bankTransactions)
    .set({ decidedVersion: null })
    .where(
      isOneOf(
        id,
        found.map((row) => row.id),
      ),
    );
  return true;
}
