/**
 * What is known of movements before they are matched: a constant number of questions to the database, however many movements.
 * What their texts name is asked for first; only for money that names nothing of ours the amounts, payers and confirmations.
 */
import { and, eq, inArray } from 'drizzle-orm';
import type { Money } from '../../../domain/money.ts';
import { bankNumbersIn } from '../../../domain/payments/bank-number.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import type { BankTransaction } from '../../../domain/payments/bank-transaction.ts';
import { creditableOnly } from '../../../domain/payments/duplicate-credit.ts';
import type { AppliedRate } from '../../../domain/payments/exchange-rate.ts';
import { type Confirmed, withConfirmed } from '../../../domain/payments/match-confirmed.ts';
import type { MatchDecision } from '../../../domain/payments/match-decision.ts';
import {
  type MatchFacts,
  type MatchInvoice,
  type TentativeMatch,
  type WantedFacts,
  wantedFacts,
  wantedNeighbours,
} from '../../../domain/payments/match-facts.ts';
import { isReturn } from '../../../domain/payments/match-reversal.ts';
import { type MatchInput, matchTransaction } from '../../../domain/payments/match-transaction.ts';
import { findReferences } from '../../../domain/payments/reference-text.ts';
import type { Tx } from '../../client.ts';
import { distinct } from '../../distinct.ts';
import { bankAccounts, bankDecisions, bankTransactions } from '../../schema/banking.ts';
import { together } from '../../together.ts';
import { type BankMovementRow, movementOf } from './bank-movements.ts';
import { findRates } from './exchange-rates.ts';
import { type BankReturn, creditsOf } from './match-credits.ts';
import { invoicesByAmount, invoicesByConfirmation, invoicesByReference } from './match-invoices.ts';
import { readPayers } from './match-payers.ts';

/** A movement with all that a decision about it rests on. */
export type GatheredMovement = { row: BankMovementRow; input: MatchInput } & Confirmed;

/** What the rules say of it. */
export function decideMovement({ input, facts, confirmed }: GatheredMovement): MatchDecision {
  const decision = withConfirmed(matchTransaction(input), {
    transaction: input.transaction,
    facts,
    confirmed,
  });
  return creditableOnly(decision, facts);
}

/** In the order given. */
export async function gatherMatchFacts(
  tx: Tx,
  rows: readonly BankMovementRow[],
): Promise<GatheredMovement[]> {
  const asked = rows.map((row): Asked => {
    const transaction = movementOf(row);
    return { row, transaction, wanted: wantedFacts(transaction) };
  });
  const [roles, tentatives, exact] = await together([
    readRoles(tx),
    readTentatives(tx, asked),
    invoicesByReference(tx, distinct(asked.flatMap(({ wanted }) => wanted.references))),
  ]);
  const near = asked.map(({ wanted }) => wantedNeighbours(wanted, (code) => exact.has(code)));
  const carried = [...tentatives.values()].map(({ reference }) => reference);
  const further = distinct([...near.flat(), ...carried]).filter((code) => !exact.has(code));
  const known = new Map([...exact, ...(await invoicesByReference(tx, further))]);
  const isOurs = (code: string) => known.has(code);
  const named = asked.map(({ row, transaction, wanted }): Named => {
    // A slip that leads to two of ours names neither.
    const { known: found } = findReferences(wanted.readings, isOurs);
    const invoices = found.flatMap(({ code }) => known.get(code) ?? []);
    return { row, transaction, wanted, invoices, match: tentatives.get(row.id) ?? null };
  });

  const unnamed = named.filter((each) => isUnnamed(each, roles));
  const numbers = new Map(unnamed.map(({ row, transaction }) => [row.id, bankNumbersIn(transaction)]));
  const [equal, payers, confirmations, credits, rates] = await together([
    invoicesByAmount(tx, amountsOf(unnamed)),
    readPayers(
      tx,
      unnamed.map(({ transaction }) => transaction),
    ),
    invoicesByConfirmation(tx, distinct([...numbers.values()].flat())),
    creditsOf(tx, named.filter(({ transaction }) => isReturnOut(transaction)).map(toReturn)),
    readRates(tx, named, known),
  ]);
  const byAmount = invoicesByAwaited(equal);
  return named.map(({ row, transaction, wanted, match }) => {
    const invoice = match === null ? undefined : known.get(match.reference);
    const ownNumbers = numbers.get(row.id);
    const open =
      ownNumbers === undefined
        ? []
        : [
            ...(byAmount.get(amountKey(row.amountMinor, row.currency)) ?? []),
            ...payers.openInvoicesOf(transaction),
          ];
    const facts: MatchFacts = {
      isDecided: false,
      invoiceOf: (reference) => known.get(reference) ?? null,
      openInvoices: [...new Map(open.map((each) => [each.id, each])).values()],
      carried: match === null || invoice === undefined ? null : { match, invoice },
      credits: credits.get(row.id) ?? [],
      rates: rates.get(row.id) ?? [],
    };
    const account = { id: row.accountId, role: roles.get(row.accountId) ?? 'other' } as const;
    return {
      row,
      input: { transaction, account, facts, policy: bankPolicy.match, readings: wanted.readings },
      facts,
      confirmed: distinct((ownNumbers ?? []).flatMap((key) => confirmations.get(key) ?? [])),
    };
  });
}

type Asked = { row: BankMovementRow; transaction: BankTransaction; wanted: WantedFacts };
/** With the invoices of ours that its text names, by a slip or not, and what a pending one that it replaces was seen as. */
type Named = Asked & { invoices: MatchInvoice[]; match: TentativeMatch | null };
type Roles = ReadonlyMap<string, MatchInput['account']['role']>;
type KnownInvoices = ReadonlyMap<string, MatchInvoice>;

/** A tenant has few accounts. */
async function readRoles(tx: Tx): Promise<Roles> {
  const accounts = await tx
    .select({
      id: bankAccounts.id,
      isReceiving: bankAccounts.isReceiving,
      connectionId: bankAccounts.connectionId,
    })
    .from(bankAccounts);
  const receiving = new Set(
    accounts.filter(({ isReceiving }) => isReceiving).map(({ connectionId }) => connectionId),
  );
  return new Map(
    accounts.map(({ id, isReceiving, connectionId }) => {
      if (isReceiving) return [id, 'receiving'];
      return [id, connectionId !== null && receiving.has(connectionId) ? 'same_connection' : 'other'];
    }),
  );
}

/** What the pending movements that are replaced were seen as, by the ids of those that replace them. */
async function readTentatives(tx: Tx, asked: readonly Asked[]): Promise<Map<string, TentativeMatch>> {
  const replacing = asked.filter(({ wanted }) => wanted.pendingExternalId !== null);
  if (replacing.length === 0) return new Map();
  const names = replacing.flatMap(({ wanted }) => wanted.pendingExternalId ?? []);
  const { accountId, source, externalId } = bankTransactions;
  const held = await tx
    .select({ accountId, source, externalId, decision: bankDecisions.decision })
    .from(bankTransactions)
    .innerJoin(bankDecisions, eq(bankDecisions.transactionId, bankTransactions.id))
    .where(
      and(
        inArray(accountId, distinct(replacing.map(({ row }) => row.accountId))),
        inArray(externalId, distinct(names)),
        eq(bankDecisions.kind, 'hold_pending'),
      ),
    )
    .orderBy(bankDecisions.ordinal);
  const found = new Map<string, TentativeMatch>();
  for (const { row, wanted } of replacing) {
    const last = held.findLast(
      (each) =>
        each.accountId === row.accountId &&
        each.source === row.source &&
        each.externalId === wanted.pendingExternalId,
    );
    const decision = last?.decision;
    if (decision?.kind === 'hold_pending' && decision.tentative !== null) {
      found.set(row.id, decision.tentative);
    }
  }
  return found;
}

/** Money in for customers that names no invoice of ours; on the wrong account, whatever it names. */
function isUnnamed({ row, wanted, invoices }: Named, roles: Roles): boolean {
  if (wanted.amount === null) return false;
  const role = roles.get(row.accountId);
  if (role === 'same_connection') return true;
  return role === 'receiving' && !row.pending && invoices.length === 0;
}

function isReturnOut({ amountMinor, texts }: BankTransaction): boolean {
  return amountMinor < 0 && isReturn(texts);
}

/** Of money out a slip names nothing. */
function toReturn({ row, transaction, wanted, invoices }: Named): BankReturn {
  const { id, accountId } = row;
  const named = invoices.filter(({ reference }) => wanted.references.includes(reference));
  return { id, accountId, transaction, invoiceIds: named.map((invoice) => invoice.id) };
}

function amountsOf(unnamed: readonly Named[]): Money[] {
  const amounts = unnamed.flatMap(({ wanted }) => wanted.amount ?? []);
  return [...new Map(amounts.map((each) => [amountKey(each.amountMinor, each.currency), each])).values()];
}

function invoicesByAwaited(invoices: readonly MatchInvoice[]): Map<string, MatchInvoice[]> {
  const byAmount = new Map<string, MatchInvoice[]>();
  for (const invoice of invoices) {
    for (const amountMinor of new Set([invoice.dueMinor, ...invoice.provenMinor])) {
      const key = amountKey(amountMinor, invoice.currency);
      const equal = byAmount.get(key);
      if (equal === undefined) byAmount.set(key, [invoice]);
      else equal.push(invoice);
    }
  }
  return byAmount;
}

function amountKey(amountMinor: number, currency: string): string {
  return `${amountMinor} ${currency}`;
}

/** From the currency of a movement into those of the invoices that it names, on its day. */
async function readRates(
  tx: Tx,
  named: readonly Named[],
  known: KnownInvoices,
): Promise<Map<string, AppliedRate[]>> {
  const wanted = named.flatMap(({ row, transaction, wanted: { rateDay: day }, invoices, match }) => {
    if (transaction.amountMinor <= 0) return [];
    const carried = match === null ? undefined : known.get(match.reference);
    const quotes = [...invoices, ...(carried === undefined ? [] : [carried])].map(({ currency }) => currency);
    return distinct(quotes)
      .filter((quote) => quote !== row.currency)
      .map((quote) => ({ id: row.id, base: row.currency, quote, day }));
  });
  const found = await findRates(tx, wanted);
  const rated = wanted.flatMap(({ id }, index) => {
    const rate = found[index] ?? null;
    return rate === null ? [] : [{ id, rate }];
  });
  const byMovement = Map.groupBy(rated, ({ id }) => id);
  return new Map([...byMovement].map(([id, each]) => [id, each.map(({ rate }) => rate)]));
}
