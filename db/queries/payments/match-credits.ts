/**
 * Credits that money out may take back: those that have paid something, and those that wait for somebody. Of thousands of one
 * amount no more are read than the rules look at (`reversedCredit`): the one whose number is named, those of an invoice that is
 * named, and the last ones, which it may mean.
 */
import { inArray, type SQL, sql } from 'drizzle-orm';
import { queueStatuses } from '../../../domain/payments/bank-movement.ts';
import { bankNumbersIn } from '../../../domain/payments/bank-number.ts';
import type { BankTransaction } from '../../../domain/payments/bank-transaction.ts';
import type { AllocatedCredit } from '../../../domain/payments/match-facts.ts';
import { SUSPECTED_MAX } from '../../../domain/payments/match-reversal.ts';
import { exactCodes, readReferences } from '../../../domain/payments/reference-text.ts';
import type { Tx } from '../../client.ts';
import { bankAllocations, bankTransactions, bankTransfers } from '../../schema/banking.ts';
import { payments, refunds } from '../../schema/payments.ts';

export type BankReturn = {
  id: string;
  accountId: string;
  transaction: BankTransaction;
  /** Of the invoices that it names. */
  invoiceIds: readonly string[];
};

type Found = AllocatedCredit & { returnId: string; texts: string[] };

/** By the ids of the returns. What else is asked for makes no difference to one of them. */
export async function creditsOf(
  tx: Tx,
  returns: readonly BankReturn[],
): Promise<Map<string, AllocatedCredit[]>> {
  if (returns.length === 0) return new Map();
  const wanted = returns.map(({ id, accountId, transaction, invoiceIds }) => ({
    id,
    account: accountId,
    currency: transaction.currency,
    amount: -transaction.amountMinor,
    day: transaction.bookedOn,
    invoices: invoiceIds,
    numbers: bankNumbersIn(transaction),
  }));
  const { rows } = await tx.execute<Found>(sql`
    select wanted.id as "returnId", credit.id, credit.external_id as "externalId", credit.account_id as "accountId",
      credit.amount_minor as "amountMinor", credit.currency, credit.booked_on::text as "bookedOn",
      credit.bank_reference as "bankReference", ${references} as "references", credit.texts,
      ${isRefunded} as "isRefunded"
    from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as wanted(id text, account text, currency char(3),
      amount bigint, day date, invoices text[], numbers text[])
    cross join lateral (
      ${lastOf(sql`${bankTransactions}`, { where: isEqual, limit: SUSPECTED_MAX })}
      union ${lastOf(numbered, { where: isEqual, limit: 1 })}
      union ${lastOf(paying, { where: isEqual, limit: 1 })}
      union ${lastOf(paying, { where: sql`true`, limit: SUSPECTED_MAX })}
    ) found join ${bankTransactions} credit on credit.id = found.id`);
  const byReturn = Map.groupBy(rows, ({ returnId }) => returnId);
  return new Map([...byReturn].map(([id, found]) => [id, found.map(toCredit)]));
}

/** In the order of `reversedCredit`. On what was taken back nothing is allocated. */
function lastOf(credits: SQL, { where, limit }: { where: SQL; limit: number }): SQL {
  return sql`(select credit.id from ${credits} credit
    where credit.account_id = wanted.account and credit.currency = wanted.currency
      and credit.booked_on <= wanted.day and (credit.allocated_minor > 0 or ${isQueued}) and ${where}
    order by credit.booked_on desc, credit.external_id collate "C" desc, credit.id desc limit ${limit})`;
}

const isEqual = sql`credit.amount_minor = wanted.amount`;
const isQueued = sql`credit.amount_minor > 0 and ${inArray(sql`credit.status`, [...queueStatuses])}`;
/** Few, whatever the amount: the fences keep the database from looking through all of one amount for them. */
const numbered = sql`(select * from ${bankTransactions}
  where account_id = wanted.account and bank_reference_key = any(wanted.numbers) offset 0)`;
const paying = sql`(select * from ${bankTransactions} where id in (select paid.transaction_id from ${bankAllocations} paid
  where paid.invoice_id = any(wanted.invoices) and paid.undone_at is null) offset 0)`;
const references = sql`array(select transfer.reference from ${bankAllocations} paid
  join ${bankTransfers} transfer on transfer.invoice_id = paid.invoice_id
  where paid.transaction_id = credit.id and paid.undone_at is null order by transfer.reference)`;
/** Each payment of it, whole. */
const isRefunded = sql`coalesce((select bool_and(payment.amount_minor <= (
    select coalesce(sum(refund.amount_minor), 0) from ${refunds} refund
    where refund.payment_id = payment.id and refund.status in ('pending', 'succeeded')))
  from ${bankAllocations} paid join ${payments} payment on payment.id = paid.payment_id
  where paid.transaction_id = credit.id and paid.undone_at is null), false)`;

function toCredit({ returnId: _returnId, amountMinor, texts, ...credit }: Found): AllocatedCredit {
  const references = [...new Set([...credit.references, ...exactCodes(readReferences(texts))])];
  return { ...credit, references, amountMinor: Number(amountMinor) };
}
