/**
 * In which order a person is shown the invoices that a movement may be for (knowledge: bank reconciliation §2.6). Points are
 * whole numbers, so that the order is the same wherever it is computed:
 *
 * | what | points |
 * |---|---|
 * | reference | E 100, N 90, D 70, T 60 |
 * | amount | exact 40; at the day's rate off by up to 1 % 30, by up to 5 % 20; in the same currency off by up to 5 % 10 |
 * | name | up to 20, as far as payer and customer are the same |
 * | date | 10 less the days between the invoice and the movement, not below 0 |
 */
import type { Money } from '../money.ts';
import type { AppliedRate } from './exchange-rate.ts';
import { convertedMoney, isWithin } from './foreign-payment.ts';
import { byText, type MatchInvoice } from './match-facts.ts';
import { nameLikeness, nameWords } from './payer-name.ts';
import type { ReferenceLevel } from './reference-text.ts';

/** One invoice, or several of a customer that are paid together. */
export type RankCandidate = { invoices: readonly MatchInvoice[]; level: ReferenceLevel | null };

export type Suggestion = {
  invoiceIds: string[];
  level: ReferenceLevel | null;
  score: number;
  points: { reference: number; amount: number; name: number; date: number };
  /** The movement has the number on the customer's confirmation of the transfer (`match-confirmed.ts`). */
  isConfirmed?: true;
};

export type RankSubject = {
  received: Money;
  day: string;
  /** Who paid as far as the bank says it, or else the whole text. */
  payerText: string;
  rates: readonly AppliedRate[];
};

/** Below this, nothing is shown. */
const SHOWN_FROM = 40;
/** The first two are so near each other that neither is the obvious one. */
const AMBIGUOUS_WITHIN = 5;

export const referencePoints: Record<ReferenceLevel, number> = { E: 100, N: 90, D: 70, T: 60 };
const NAME_POINTS = 20;
const DATE_POINTS = 10;

/** Nobody looks through more. */
const SUGGESTIONS_MAX = 20;

/** The best ones first, none below the threshold. */
export function rankSuggestions(
  subject: RankSubject,
  candidates: readonly RankCandidate[],
): { suggestions: Suggestion[]; isAmbiguous: boolean } {
  const payerWords = nameWords(subject.payerText);
  const scored = candidates
    .map((candidate) => ({ candidate, ...scoreOf(subject, payerWords, candidate) }))
    .filter(({ suggestion }) => suggestion.score >= SHOWN_FROM)
    .toSorted(
      (a, b) =>
        b.suggestion.score - a.suggestion.score ||
        a.days - b.days ||
        byInvoice(a.candidate.invoices, b.candidate.invoices),
    );
  const suggestions = scored.slice(0, SUGGESTIONS_MAX).map(({ suggestion }) => suggestion);
  const [first, second] = suggestions;
  const isAmbiguous =
    first !== undefined && second !== undefined && first.score - second.score <= AMBIGUOUS_WITHIN;
  return { suggestions, isAmbiguous };
}

function byInvoice([a]: readonly MatchInvoice[], [b]: readonly MatchInvoice[]): number {
  if (a === undefined || b === undefined) return 0;
  return Date.parse(a.createdAt) - Date.parse(b.createdAt) || byText(a.id, b.id);
}

function scoreOf(
  subject: RankSubject,
  payerWords: readonly string[],
  { invoices, level }: RankCandidate,
): { suggestion: Suggestion; days: number } {
  const days = Math.max(...invoices.map(({ createdOn }) => daysBetween(createdOn, subject.day)));
  const points = {
    reference: level === null ? 0 : referencePoints[level],
    amount: amountPoints(subject, invoices),
    name: Math.max(...invoices.map(({ customerName }) => namePoints(payerWords, customerName))),
    date: DATE_POINTS - Math.min(DATE_POINTS, days),
  };
  const score = points.reference + points.amount + points.name + points.date;
  return { suggestion: { invoiceIds: invoices.map(({ id }) => id), level, score, points }, days };
}

function amountPoints({ received, rates }: RankSubject, invoices: readonly MatchInvoice[]): number {
  const currency = invoices[0]?.currency;
  if (currency === undefined || invoices.some((invoice) => invoice.currency !== currency)) return 0;
  const dueMinor = invoices.reduce((total, invoice) => total + invoice.dueMinor, 0);
  if (currency === received.currency) {
    if (dueMinor === received.amountMinor) return 40;
    return isWithin(received.amountMinor, dueMinor, 500) ? 10 : 0;
  }
  const converted = convertedInto(currency, received, rates)?.money;
  if (converted === undefined) return 0;
  if (isWithin(converted.amountMinor, dueMinor, 100)) return 30;
  return isWithin(converted.amountMinor, dueMinor, 500) ? 20 : 0;
}

/** What money comes to in another currency at the rate there is; null where there is none, or where it comes to no amount. */
export function convertedInto(
  currency: string,
  received: Money,
  rates: readonly AppliedRate[],
): { money: Money; rate: AppliedRate } | null {
  const rate = rates.find(({ base, quote }) => base === received.currency && quote === currency);
  const converted = rate === undefined ? null : convertedMoney(received, rate);
  return rate === undefined || converted === null ? null : { money: converted, rate };
}

/** Twentieths of the likeness, half away from zero. */
function namePoints(payerWords: readonly string[], customerName: string): number {
  const { matched, whole } = nameLikeness(payerWords, nameWords(customerName));
  return whole === 0 ? 0 : Math.floor((2 * NAME_POINTS * matched + whole) / (2 * whole));
}

const DAY_MS = 86_400_000;

function daysBetween(a: string, b: string): number {
  return Math.abs(Date.parse(`${a}T00:00:00Z`) - Date.parse(`${b}T00:00:00Z`)) / DAY_MS;
}
