/** How a tenant's connections to banks fare, and what moved on their accounts and still waits for a decision. */
import { asc, eq, inArray, ne, sql } from 'drizzle-orm';
import type { BankMovementStatus } from '../../../domain/payments/bank-movement.ts';
import type { Tx } from '../../client.ts';
import { bankConnections } from '../../schema/bank-connections.ts';
import { bankAccounts, bankTransactions } from '../../schema/banking.ts';
import { together } from '../../together.ts';
import type { BankConnectionRow } from './bank-connections.ts';

/** `oldestOn`: the day of the oldest one, in the bank's calendar. */
export type WaitingMovements = { waiting: number; oldestOn: string | null };

export type BankHealth = {
  /** But for those that were unlinked, the first one first. */
  connections: (WaitingMovements & { connection: BankConnectionRow })[];
  /** On all accounts, whoever tells of them. */
  all: WaitingMovements;
};

/** Movements are counted with the connection that reads their account now. */
export async function readBankHealth(tx: Tx): Promise<BankHealth> {
  const [connections, counts] = await together([
    tx
      .select()
      .from(bankConnections)
      .where(ne(bankConnections.status, 'unlinked'))
      .orderBy(asc(bankConnections.id))
      .execute(),
    tx
      .select({
        connectionId: bankAccounts.connectionId,
        waiting: sql<number>`count(*)::int`,
        oldestOn: sql<string | null>`min(${bankTransactions.bookedOn})::text`,
      })
      .from(bankTransactions)
      .innerJoin(bankAccounts, eq(bankAccounts.id, bankTransactions.accountId))
      .where(inArray(bankTransactions.status, [...waitingStatuses]))
      .groupBy(bankAccounts.connectionId)
      .execute(),
  ]);
  const waitingOf = (connectionId: string): WaitingMovements => {
    const found = counts.find((count) => count.connectionId === connectionId);
    return { waiting: found?.waiting ?? 0, oldestOn: found?.oldestOn ?? null };
  };
  const days = counts.map(({ oldestOn }) => oldestOn).filter((day) => day !== null);
  return {
    connections: connections.map((connection) => ({ connection, ...waitingOf(connection.id) })),
    all: {
      waiting: counts.reduce((sum, { waiting }) => sum + waiting, 0),
      oldestOn: days.toSorted((a, b) => (a < b ? -1 : 1))[0] ?? null,
    },
  };
}

/** Nobody has decided yet, or nothing fits, or a person has to. */
const waitingStatuses: readonly BankMovementStatus[] = [
  'new',
  'suggested',
  'exception',
  'unmatched',
  'copy_suspected',
  'partly_matched',
];
