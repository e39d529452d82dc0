/**
 * A decision as one sentence for whoever looks at a movement: what becomes of the money, by which of the rules, and what that
 * rests on.
 */
import { formatMoney, type Money } from '../money.ts';
import { foreignInWords } from './foreign-payment.ts';
import type { DecisionOf, MatchDecision, MatchDecisionKind, MatchEvidence } from './match-decision.ts';
import type { FoundReference, ReferenceLevel } from './reference-text.ts';

export function matchInWords(decision: MatchDecision): string {
  return sentenceOf(decision.kind, decision);
}

function sentenceOf<Kind extends MatchDecisionKind>(kind: Kind, decision: MatchDecision): string {
  // The table holds for each kind what takes exactly that kind.
  return sentences[kind](decision as DecisionOf<Kind>);
}

const sentences: { [Kind in MatchDecisionKind]: (decision: DecisionOf<Kind>) => string } = {
  auto: ({ evidence, settlement }) =>
    settlement.writtenOffMinor === 0
      ? `${amountOf(evidence)} pays ${invoicesOf(evidence)} in full: ${referencesOf(evidence)}, and the amount is what was due.`
      : `${amountOf(evidence)} pays ${invoicesOf(evidence)}: ${referencesOf(evidence)}, and the ${inCurrency(settlement, settlement.writtenOffMinor)} missing are so little that they are let go.`,
  auto_over: ({ evidence, settlement }) =>
    `${amountOf(evidence)} pays ${invoicesOf(evidence)} in full, and ${inCurrency(settlement, settlement.creditMinor)} beyond it become credit: ${referencesOf(evidence)}.`,
  auto_combined: ({ evidence }) =>
    `${amountOf(evidence)} pays ${invoicesOf(evidence)} together: ${referencesOf(evidence)}, and the amount is what was due for all of them.`,
  auto_fx: ({ evidence, settlement }) =>
    `${amountOf(evidence)} pays ${invoicesOf(evidence)} in full: ${referencesOf(evidence)}, and ${feeOf(settlement)}.`,
  partial: ({ evidence, settlement }) =>
    `${amountOf(evidence)} pays a part of ${invoicesOf(evidence)}, and ${inCurrency(settlement, missingOf(evidence, settlement.countedMinor))} are still due: ${referencesOf(evidence)}.`,
  suggest: ({ evidence, rule, suggestions, isAmbiguous, isForeignReference }) => {
    const choice = choiceOf(suggestions.length, isAmbiguous);
    const foreign = isForeignReference ? ` ${foreignOf(evidence)}.` : '';
    const reason = suggestions.some(({ isConfirmed }) => isConfirmed)
      ? "it has the number that is on the customer's confirmation"
      : (suggestReasons[rule]?.(evidence) ?? 'nothing in it names an invoice for sure');
    return `${amountOf(evidence)} waits for somebody to say what it is for: ${reason}; ${choice}.${foreign}`;
  },
  unmatched: ({ evidence, isForeignReference }) =>
    `${amountOf(evidence)} fits no open invoice: ${isForeignReference ? `${lowered(foreignOf(evidence))}, and` : 'the text names none, and'} no amount or payer does either.`,
  proof_seen: ({ evidence }) =>
    `${amountOf(evidence)} is the money that was proved for ${invoicesOf(evidence)} before: ${referencesOf(evidence)}. Nothing is booked again.`,
  duplicate_credit: ({ evidence, needsConfirmation }) =>
    `${amountOf(evidence)} comes for ${invoicesOf(evidence)}, which was paid before: ${referencesOf(evidence)}. It is credit of the customer, to be refunded or kept for the next invoice${needsConfirmation ? ', once somebody has confirmed whose it is' : ''}.`,
  late_admin: ({ evidence }) =>
    `${amountOf(evidence)} of ${evidence.day} comes too late for ${invoicesOf(evidence)}${expiryOf(evidence)}: ${referencesOf(evidence)}. Somebody is to accept or refund it.`,
  exception_void: ({ evidence }) =>
    `${amountOf(evidence)} comes for ${invoicesOf(evidence)}, which is void: ${referencesOf(evidence)}. Somebody is to decide.`,
  exception_proof: ({ evidence, proven }) =>
    `${amountOf(evidence)} comes for ${invoicesOf(evidence)}, for which ${listed(proven.map(formatMoney), 'and')} ${proven.length === 1 ? 'was' : 'were'} booked on a proof and not seen: ${referencesOf(evidence)}. Somebody is to say whether it is that money.`,
  exception_fx: ({ evidence }) =>
    `${amountOf(evidence)} comes for ${invoicesOf(evidence)}, and there is no exchange rate of ${evidence.day} to say what it is worth: ${referencesOf(evidence)}.`,
  wrong_account: ({ evidence, suggestions, isAmbiguous }) =>
    `${amountOf(evidence)} came in on an account to which nobody is told to pay; ${suggestions.length === 0 ? 'no open invoice fits' : choiceOf(suggestions.length, isAmbiguous)}.`,
  hold_pending: ({ evidence, tentative }) =>
    tentative === null
      ? `${amountOf(evidence)} is seen and not booked yet; nothing is done until it is.`
      : `${amountOf(evidence)} for ${tentative.reference} is seen and not booked yet; nothing is done until it is.`,
  reversal: ({ evidence, creditId, linkedBy }) =>
    `${amountOut(evidence)} went back: the text says that it is a return, and ${linkedBy === 'bank_reference' ? 'the number of the bank' : 'the reference'} is that of the credit ${creditId}, which is undone.`,
  ignore_outflow: ({ evidence, suspectedCredits }) =>
    suspectedCredits.length === 0
      ? `${amountOut(evidence)} is money out and pays no invoice.`
      : `${amountOut(evidence)} is money out; it says that it is a return, and nothing proves that it takes back ${listed(suspectedCredits, 'or')}.`,
  payout: ({ evidence, vendor }) =>
    `${amountOf(evidence)} is a payout of ${vendorNames[vendor]}, not a payment of a customer.`,
  ignore_redelivery: ({ evidence }) => `${amountOf(evidence)} was decided before and is left as it is.`,
  ignore_zero: () => 'A movement of nothing pays nothing.',
  ignore_account: ({ evidence }) =>
    `${amountOf(evidence)} came in on an account that is not for payments of customers.`,
};

const suggestReasons: Partial<Record<MatchDecision['rule'], (evidence: MatchEvidence) => string>> = {
  1: (evidence) => `${referencesOf(evidence)}, and together they do not come to that amount as open invoices`,
  4: (evidence) => `${referencesOf(evidence)}, which is not sure enough`,
  5: (evidence) => `${referencesOf(evidence)}, and the money was sent before the invoice was made`,
  6: (evidence) =>
    `${referencesOf(evidence)}, and what it is worth there says only a rate that somebody entered`,
  8: (evidence) => `${referencesOf(evidence)}, and digits alone need the exact amount`,
};

const vendorNames = {
  stripe: 'Stripe',
  paypal: 'PayPal',
  coinbase: 'Coinbase',
  razorpay: 'Razorpay',
} as const;

function choiceOf(count: number, isAmbiguous: boolean): string {
  if (count === 0) return 'no open invoice is left to choose';
  if (count === 1) return 'there is one suggestion';
  return `there are ${count} suggestions${isAmbiguous ? ', none of which is the obvious one' : ''}`;
}

function amountOf({ received, rate, converted }: MatchEvidence): string {
  if (rate === null || converted === null) return formatMoney(received);
  return foreignInWords({ received, rate, converted });
}

function amountOut({ received: { amountMinor, currency } }: MatchEvidence): string {
  return formatMoney({ amountMinor: -amountMinor, currency });
}

function inCurrency({ currency }: Pick<Money, 'currency'>, amountMinor: number): string {
  return formatMoney({ amountMinor, currency });
}

function feeOf({ fxFeeMinor, currency }: { fxFeeMinor: number; currency: string }): string {
  if (fxFeeMinor === 0) return 'at the rate of the day it is what was due';
  return fxFeeMinor > 0
    ? `the ${inCurrency({ currency }, fxFeeMinor)} that it is short of are booked as a cost of the exchange`
    : `the ${inCurrency({ currency }, -fxFeeMinor)} beyond it are booked as a gain of the exchange`;
}

function missingOf({ invoices }: MatchEvidence, paidMinor: number): number {
  return invoices.reduce((total, { dueMinor }) => total + dueMinor, 0) - paidMinor;
}

function invoicesOf({ invoices }: MatchEvidence): string {
  return listed(
    invoices.map(({ reference }) => reference),
    'and',
  );
}

function expiryOf({ invoices: [invoice] }: MatchEvidence): string {
  return invoice === undefined || invoice.expiresOn === null ? '' : ` (until ${invoice.expiresOn})`;
}

/** How the references that the decision is about stand in the text. */
function referencesOf({ references, invoices }: MatchEvidence): string {
  const about = references.filter(({ code }) => invoices.some(({ reference }) => reference === code));
  return listed(about.map(referenceInWords), 'and');
}

const written: Record<ReferenceLevel, (reference: FoundReference) => string> = {
  E: ({ written }) => `the text says ${quoted(written)}`,
  N: ({ written, code }) => `the text says ${quoted(written)}, which reads as ${code}`,
  D: ({ written, code }) => `the text has the digits ${written} of ${code}`,
  T: ({ written, code }) => `the text says ${quoted(written)}, which may be meant for ${code}`,
};

function referenceInWords(reference: FoundReference): string {
  return written[reference.level](reference);
}

/** On one line, whatever the bank wrapped. */
function quoted(text: string): string {
  return `“${text.replace(/\s+/g, ' ').trim()}”`;
}

function foreignOf({ foreignReferences }: MatchEvidence): string {
  const [one] = foreignReferences;
  return foreignReferences.length === 1
    ? `The reference ${one} is none of ours`
    : `The references ${listed(foreignReferences, 'and')} are none of ours`;
}

function lowered(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function listed(words: readonly string[], last: 'and' | 'or'): string {
  if (words.length <= 1) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
