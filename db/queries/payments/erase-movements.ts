/**
 * What movements on bank accounts tell of a customer who is erased: of those that pay the customer's invoices, or paid them last
 * before their money went back, of what they replaced or were copied by, and of what took them back; and what people wrote when
 * they decided about them. What was matched wrongly is somebody else's. The amounts stay, as the books do.
 *
 * Why it is safe to run twice: what is erased is erased, and is not kept again when its source tells it anew (`erasedAt`).
 */
import { sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { bankAccounts, bankAllocations, bankDecisions, bankTransactions } from '../../schema/banking.ts';
import { invoices } from '../../schema/billing.ts';
import { lockMovements } from './bank-movements.ts';

/** Call under the customer's lock. */
export async function eraseMovements(
  tx: Tx,
  { customerId, at }: { customerId: string; at: Date },
): Promise<void> {
  const own = sql`
    select movement.* from ${bankTransactions} movement
    where movement.id in (
      select allocation.transaction_id from ${bankAllocations} allocation
      join ${invoices} invoice on invoice.id = allocation.invoice_id
      where invoice.customer_id = ${customerId} and (allocation.undone_at is null
        or (movement.reversed_at is not null or movement.removed_at is not null)
          and allocation.undone_at = (
            select max(last.undone_at) from ${bankAllocations} last
            where last.transaction_id = allocation.transaction_id))
    )`;
  // Whoever tells movements holds their account: a copy that is being told is there then, or finds its original erased.
  await tx.execute(sql`
    select id from ${bankAccounts} where id in (select account_id from (${own}) own) order by id for no key update`);
  const { rows } = await tx.execute<{ id: string }>(sql`
    with own as (${own})
    select id from own
    union
    select copy.id from own join ${bankTransactions} copy
      on copy.copy_of_id = own.id and copy.status in ('copy', 'copy_suspected')
    union
    select pending.id from own join ${bankTransactions} pending
      on pending.account_id = own.account_id and pending.source = own.source
      and pending.external_id = own.pending_external_id
    union
    select reversal.id from own
      join ${bankTransactions} reversal on reversal.account_id = own.account_id
        and reversal.currency = own.currency and reversal.amount_minor = -own.amount_minor
      join ${bankDecisions} decision on decision.transaction_id = reversal.id
        and decision.kind = 'reversal' and decision.decision ->> 'creditId' = own.id`);
  const ids = (
    await lockMovements(
      tx,
      rows.map(({ id }) => id),
    )
  ).map(({ id }) => id);
  await tx.execute(sql`
    update ${bankDecisions} decided
    set act = case when act is null then null else jsonb_set(act, '{reason}', 'null') end,
      undone_reason = case when undone_reason is null then null else 'erased' end
    where decided.transaction_id = any(${sql.param(ids)}::text[])`);
  await tx.execute(sql`
    update ${bankTransactions} movement set ${blank}, erased_at = ${at}
    where movement.id = any(${sql.param(ids)}::text[]) and movement.erased_at is null`);
}

/** What was erased with a customer is not kept again by what tells the same money. */
export async function eraseCopies(tx: Tx, originalIds: readonly string[]): Promise<void> {
  await tx.execute(sql`
    update ${bankTransactions} copy set ${blank}, erased_at = original.erased_at
    from ${bankTransactions} original
    where copy.copy_of_id = original.id and original.id = any(${sql.param([...originalIds])}::text[])
      and original.erased_at is not null and copy.erased_at is null`);
}

const blank = sql`texts = '{}', payer_name = null, payer_account = null, bank_reference = null`;
