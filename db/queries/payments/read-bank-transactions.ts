/** Movements on bank accounts as they are read and searched, with what was decided about them. */
import { and, asc, desc, eq, gte, lt, lte, sql } from 'drizzle-orm';
import type { BankMovementStatus } from '../../../domain/payments/bank-movement.ts';
import type { Tx } from '../../client.ts';
import { bankAllocations, bankTransactions } from '../../schema/banking.ts';
import { together } from '../../together.ts';
import { type BankAllocationRow, type BankDecisionRow, lastDecisions } from './bank-decisions.ts';
import { type BankMovementRow, readMovement } from './bank-movements.ts';

export type BankTransactionFilter = {
  accountId?: string | undefined;
  statementId?: string | undefined;
  status?: BankMovementStatus | undefined;
  currency?: string | undefined;
  /** Days of booking, both included. */
  from?: string | undefined;
  to?: string | undefined;
  /** Minor units, both included; money out is negative. */
  minAmountMinor?: number | undefined;
  maxAmountMinor?: number | undefined;
  /** A part of a text, of the payer's name or of the bank's number, in any case. */
  text?: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first, as we have heard of them. */
export function listBankTransactions(tx: Tx, filter: BankTransactionFilter): Promise<BankMovementRow[]> {
  const { amountMinor, bookedOn, id } = bankTransactions;
  const { from, to, minAmountMinor: min, maxAmountMinor: max, text, cursor } = filter;
  return tx
    .select()
    .from(bankTransactions)
    .where(
      and(
        ...(['accountId', 'statementId', 'status', 'currency'] as const).map((name) =>
          filter[name] === undefined ? undefined : eq(bankTransactions[name], filter[name]),
        ),
        from === undefined ? undefined : gte(bookedOn, from),
        to === undefined ? undefined : lte(bookedOn, to),
        min === undefined ? undefined : gte(amountMinor, min),
        max === undefined ? undefined : lte(amountMinor, max),
        text === undefined ? undefined : sql`strpos(lower(${searched}), lower(${text})) > 0`,
        cursor === undefined ? undefined : lt(id, cursor),
      ),
    )
    .orderBy(desc(id))
    .limit(filter.limit);
}

const searched = sql`concat_ws(' ', array_to_string(${bankTransactions.texts}, ' '), ${bankTransactions.payerName}, ${bankTransactions.bankReference})`;

export type BankTransactionView = {
  transaction: BankMovementRow;
  /** The last ones, in the order they were made. */
  decisions: BankDecisionRow[];
  allocations: BankAllocationRow[];
};

/** Throws `not_found`. */
export async function readBankTransaction(tx: Tx, transactionId: string): Promise<BankTransactionView> {
  const [transaction, decisions, allocations] = await together([
    readMovement(tx, transactionId),
    lastDecisions(tx, { transactionId, limit: DECISIONS_SHOWN }),
    tx
      .select()
      .from(bankAllocations)
      .where(eq(bankAllocations.transactionId, transactionId))
      .orderBy(asc(bankAllocations.id)),
  ]);
  return { transaction, decisions, allocations };
}

/** Of more, the first ones are read in pages. */
const DECISIONS_SHOWN = 20;
