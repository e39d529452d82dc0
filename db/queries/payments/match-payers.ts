/** Whose money a movement may be, by the account it comes from and by the payer's name. */
import { and, eq, inArray, isNull } from 'drizzle-orm';
import type { BankTransaction } from '../../../domain/payments/bank-transaction.ts';
import type { MatchInvoice } from '../../../domain/payments/match-facts.ts';
import { nameKeysIn } from '../../../domain/payments/payer-name.ts';
import type { Tx } from '../../client.ts';
import { distinct } from '../../distinct.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankAllocations, bankTransactions } from '../../schema/banking.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { together } from '../../together.ts';
import { openInvoicesOf } from './match-invoices.ts';

export type Payers = {
  /** Open invoices of whoever may have paid, with the accounts they have paid from before. */
  openInvoicesOf(transaction: BankTransaction): MatchInvoice[];
};

/** Two questions for whose they may be, one for what these owe. */
export async function readPayers(tx: Tx, transactions: readonly BankTransaction[]): Promise<Payers> {
  const accounts = distinct(transactions.flatMap(({ payer }) => accountKey(payer.account) ?? []));
  const names = distinct(transactions.flatMap(namesIn));
  const [byAccount, byName] = await together([customersByAccount(tx, accounts), customersByName(tx, names)]);
  const accountsOf = Map.groupBy(byAccount, ({ customerId }) => customerId);
  const ids = distinct([...byAccount, ...byName].map(({ customerId }) => customerId));
  const open = await openInvoicesOf(tx, ids);
  const invoicesOf = Map.groupBy(
    open.map((invoice) => ({
      ...invoice,
      payerAccounts: (accountsOf.get(invoice.customerId) ?? []).map(({ key }) => key),
    })),
    ({ customerId }) => customerId,
  );
  const [ofAccount, ofName] = [byAccount, byName].map((rows) => Map.groupBy(rows, ({ key }) => key));
  return {
    openInvoicesOf(transaction) {
      const account = accountKey(transaction.payer.account);
      const found = [
        ...((account !== null && ofAccount?.get(account)) || []),
        ...namesIn(transaction).flatMap((name) => ofName?.get(name) ?? []),
      ];
      return distinct(found.map(({ customerId }) => customerId)).flatMap((id) => invoicesOf.get(id) ?? []);
    },
  };
}

/** As the database has it. */
function accountKey(account: string | null): string | null {
  const key = account?.replace(/[^A-Za-z0-9]/g, '').toUpperCase() ?? '';
  return key === '' ? null : key;
}

/** The payer's, or else what stands in the text. */
function namesIn({ payer, texts }: BankTransaction): string[] {
  return nameKeysIn(payer.name ?? texts.join(' '));
}

type Found = { key: string; customerId: string };

/** Whoever has had an invoice paid from the account, and it stands. */
async function customersByAccount(tx: Tx, keys: readonly string[]): Promise<Found[]> {
  if (keys.length === 0) return [];
  const rows = await tx
    .selectDistinct({ key: bankTransactions.payerAccountKey, customerId: invoices.customerId })
    .from(bankTransactions)
    .innerJoin(
      bankAllocations,
      and(eq(bankAllocations.transactionId, bankTransactions.id), isNull(bankAllocations.undoneAt)),
    )
    .innerJoin(invoices, eq(invoices.id, bankAllocations.invoiceId))
    .where(inArray(bankTransactions.payerAccountKey, [...keys]))
    .limit(CUSTOMERS_MAX);
  return rows.map(({ key, customerId }) => ({ key: key ?? '', customerId }));
}

async function customersByName(tx: Tx, keys: readonly string[]): Promise<Found[]> {
  if (keys.length === 0) return [];
  const rows = await tx
    .select({ key: customers.nameKey, customerId: customers.id })
    .from(customers)
    .where(isOneOf(customers.nameKey, keys))
    .limit(CUSTOMERS_MAX);
  return rows.map(({ key, customerId }) => ({ key: key ?? '', customerId }));
}

/** A name that so many have says nothing. */
const CUSTOMERS_MAX = 2000;
