/**
 * Invoices a movement may be for, for a person to choose from (knowledge: bank reconciliation §2.5 rule 11). The work for one
 * movement is bounded, however many equal amounts are open.
 */
import type { Money } from '../money.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { subsetsOf } from './invoice-subset.ts';
import { byText, isProven, type MatchFacts, type MatchInvoice } from './match-facts.ts';
import type { RankCandidate, RankSubject } from './match-rank.ts';
import { nameLikeness, nameWords } from './payer-name.ts';
import type { FoundReference } from './reference-text.ts';

/** What candidates are looked for with. */
export type CandidateSubject = {
  transaction: BankTransaction;
  facts: MatchFacts;
  received: Money;
  day: string;
};

/** Nothing is due any more. */
export function isPaid({ status, dueMinor }: MatchInvoice): boolean {
  return status === 'paid' || (status !== 'void' && dueMinor <= 0);
}

/** Waits for money on this day. */
export function isOpenOn(invoice: MatchInvoice, day: string): boolean {
  const { status, createdOn, expiresOn } = invoice;
  return (
    status === 'open' && !isPaid(invoice) && createdOn <= day && (expiresOn === null || day <= expiresOn)
  );
}

export function rankSubjectOf({ transaction, facts, received, day }: CandidateSubject): RankSubject {
  return { received, day, payerText: payerTextOf(transaction), rates: facts.rates };
}

/** Who paid as far as the bank says it, or else all it says. */
function payerTextOf({ payer, texts }: BankTransaction): string {
  return payer.name ?? texts.join(' ');
}

/** Of those that a text names, the ones that the money can still be for. */
export function namedCandidates(
  named: readonly { invoice: MatchInvoice; reference: FoundReference }[],
  received: Money,
): RankCandidate[] {
  return named.flatMap(({ invoice, reference: { level } }) => candidatesOf(invoice, { received, level }));
}

/** The invoice with what it waits for: the money of a payment on a proof, or what is due. None where it waits for nothing. */
export function candidatesOf(
  invoice: MatchInvoice,
  { received, level }: { received: Money; level: RankCandidate['level'] },
): RankCandidate[] {
  if (isProven(invoice, received))
    return [{ invoices: [{ ...invoice, dueMinor: received.amountMinor }], level }];
  return isPaid(invoice) || invoice.status === 'void' ? [] : [{ invoices: [invoice], level }];
}

/**
 * Invoices that nothing in the text names: the one that the pending movement was seen as, those of exactly this amount, due or
 * booked on a proof, and where there are none of these, several of one payer that come to it together.
 */
export function unnamedCandidates(subject: CandidateSubject): RankCandidate[] {
  const { facts, received, day } = subject;
  const carried =
    facts.carried === null
      ? []
      : candidatesOf(facts.carried.invoice, { received, level: facts.carried.match.level });
  const carriedId = facts.carried?.invoice.id;
  const others = facts.openInvoices.filter(
    ({ id, currency }) => currency === received.currency && id !== carriedId,
  );
  const open = others.filter((invoice) => isOpenOn(invoice, day));
  const equal = others.filter(
    (invoice) =>
      (isProven(invoice, received) && invoice.createdOn <= day) ||
      (isOpenOn(invoice, day) && invoice.dueMinor === received.amountMinor),
  );
  const found = [...carried, ...equal.flatMap((invoice) => candidatesOf(invoice, { received, level: null }))];
  return found.length > 0 ? found : combinedCandidates(subject, open);
}

function combinedCandidates(
  { received, transaction }: CandidateSubject,
  open: readonly MatchInvoice[],
): RankCandidate[] {
  const payer = payerOf(transaction);
  const ofPayer = open.filter((invoice) => isSamePayer(invoice, payer));
  const oldestFirst = ofPayer.toSorted(
    (a, b) => Date.parse(a.createdAt) - Date.parse(b.createdAt) || byText(a.id, b.id),
  );
  const ofCustomers = [...Map.groupBy(oldestFirst, ({ customerId }) => customerId).values()];
  return ofCustomers
    .flatMap((invoices) => subsetsOf(invoices, received.amountMinor))
    .map((invoices) => ({ invoices, level: null }));
}

type Payer = { account: string | null; words: string[] };

function payerOf(transaction: BankTransaction): Payer {
  const { account } = transaction.payer;
  return {
    account: account === null ? null : accountNumber(account),
    words: nameWords(payerTextOf(transaction)),
  };
}

/** Paid from the same account before, or is of nearly the same name: four fifths of its letters. */
function isSamePayer({ payerAccounts, customerName }: MatchInvoice, { account, words }: Payer): boolean {
  if (account !== null && payerAccounts.some((known) => accountNumber(known) === account)) return true;
  const { matched, whole } = nameLikeness(words, nameWords(customerName));
  return whole > 0 && 5 * matched >= 4 * whole;
}

function accountNumber(text: string): string {
  return text.toUpperCase().replace(/[^A-Z0-9]/g, '');
}
