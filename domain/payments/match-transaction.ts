/**
 * Which invoice a movement on a bank account pays (knowledge: bank reconciliation §2.4 and §2.5, whose gates and rules are
 * tried in their order and named by their numbers). Money is booked without a person only where the text names an invoice of
 * ours; an amount or a name alone never does that, however well they fit.
 *
 * Why it is safe to run twice: the decision depends on the movement and the facts and on nothing else, no clock and no order of
 * arrival; a movement that was decided is not decided again (g1). Whoever applies a decision does so in one transaction with
 * the facts read under lock, so that dying before it leaves the movement to be decided, and dying after it finds it decided.
 */
import { type Money, money } from '../money.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { type AppliedRate, isEntered } from './exchange-rate.ts';
import { isWithin } from './foreign-payment.ts';
import { isOpenOn, isPaid, namedCandidates, rankSubjectOf, unnamedCandidates } from './match-candidates.ts';
import {
  decidedInvoice,
  type MatchDecision,
  type MatchEvidence,
  type MatchRule,
  type PayoutVendor,
  payoutVendors,
} from './match-decision.ts';
import { dayOf, isProven, type MatchFacts, type MatchInvoice, type TentativeMatch } from './match-facts.ts';
import { convertedInto, type RankCandidate, rankSuggestions, type Suggestion } from './match-rank.ts';
import { reversedCredit } from './match-reversal.ts';
import { settledInFull, settledWith, totalDueOf } from './match-settlement.ts';
import {
  type FoundReference,
  type FoundReferences,
  findReferences,
  type ReferenceLevel,
  type ReferenceReadings,
  readReferences,
  searchedText,
} from './reference-text.ts';

export type MatchPolicy = {
  /** How far converted money may be off and still pays in full, in hundredths of a percent, inclusive. */
  fxToleranceBps: number;
  /** How much less than due still pays in full, in minor units. */
  underpayToleranceMinor: number;
};

export type MatchInput = {
  transaction: BankTransaction;
  /**
   * The account it is on: one that customers are told to pay to (`receiving`), another of the same connection to a bank, on
   * which money by mistake may come, or any other.
   */
  account: { id: string; role: 'receiving' | 'same_connection' | 'other' };
  facts: MatchFacts;
  policy: MatchPolicy;
  /** As `wantedFacts` read them; else the texts are read again. */
  readings?: ReferenceReadings;
};

/** Throws a `RangeError` for an amount that is no whole number of minor units, and for a currency that we do not know. */
export function matchTransaction(input: MatchInput): MatchDecision {
  const { transaction } = input;
  const received = money(transaction.amountMinor, transaction.currency);
  const subject: Subject = {
    ...input,
    received,
    day: dayOf(transaction),
    references: referencesIn(input),
  };
  return passGates(subject) ?? applyRules(subject);
}

type Subject = MatchInput & { received: Money; day: string; references: FoundReferences };

/** What was decided is not read again, and slips are looked for only in money in. */
function referencesIn({ transaction, facts, readings: read }: MatchInput): FoundReferences {
  if (facts.isDecided) return { known: [], foreign: [] };
  const readings = read ?? readReferences(transaction.texts);
  const isKnown = (code: string) => facts.invoiceOf(code) !== null;
  return findReferences(transaction.amountMinor <= 0 ? { ...readings, near: [] } : readings, isKnown);
}

/** Null for booked money of somebody on an account that receives. */
function passGates(subject: Subject): MatchDecision | null {
  const { transaction, account, facts, received } = subject;
  if (facts.isDecided) return { kind: 'ignore_redelivery', rule: 'g1', evidence: evidenceOf(subject) };
  // g2: what the pending movement was seen as comes with the facts, and counts among the suggestions.
  if (received.amountMinor < 0) return moneyOut(subject);
  if (received.amountMinor === 0) return { kind: 'ignore_zero', rule: 'g4', evidence: evidenceOf(subject) };
  if (account.role === 'other') return { kind: 'ignore_account', rule: 'g5', evidence: evidenceOf(subject) };
  if (account.role === 'same_connection') {
    const ranked = rankSuggestions(rankSubjectOf(subject), everyCandidate(subject));
    const evidence = evidenceOf(subject, invoicesOf(subject, ranked.suggestions));
    return { kind: 'wrong_account', rule: 'g5', evidence, ...ranked };
  }
  const vendor = payoutVendorOf(subject);
  if (vendor !== null) return { kind: 'payout', rule: 'g6', evidence: evidenceOf(subject), vendor };
  if (!transaction.pending) return null;
  const tentative = tentativeOf(subject);
  return {
    kind: 'hold_pending',
    rule: 'g7',
    evidence: evidenceOf(subject, tentative.invoices),
    ...tentative,
  };
}

function moneyOut(subject: Subject): MatchDecision {
  const { transaction, account, facts, references } = subject;
  // Digits that read as a date are too little to take a payment away.
  const codes = references.known.filter(({ level }) => level !== 'T').map(({ code }) => code);
  const { linked, suspected } = reversedCredit(
    { transaction, accountId: account.id },
    { references: codes, credits: facts.credits },
  );
  const evidence = evidenceOf(subject);
  if (linked === null) return { kind: 'ignore_outflow', rule: 'g3', evidence, suspectedCredits: suspected };
  const { credit, linkedBy } = linked;
  return { kind: 'reversal', rule: 'g3', evidence, creditId: credit.id, linkedBy };
}

/**
 * A descriptor that begins with the vendor's name, as a word: `STRIPES LTD` is somebody else. Statement files put the purpose
 * first and say beside it who paid; there a movement that names an invoice of ours is a payment all the same.
 */
function payoutVendorOf({ transaction, references }: Subject): PayoutVendor | null {
  const { texts, payer } = transaction;
  const isOfCustomer = surestOf(references.known).some(({ level }) => level !== 'T');
  return vendorNamedFirst(texts[0]) ?? (isOfCustomer ? null : vendorNamedFirst(payer.name));
}

function vendorNamedFirst(text: string | null | undefined): PayoutVendor | null {
  const [first] =
    searchedText([text ?? ''])
      .trimStart()
      .match(/^[A-Z]+/) ?? [];
  return payoutVendors.find((vendor) => vendor.toUpperCase() === first) ?? null;
}

/** Both what the text names and what it does not. */
function everyCandidate(subject: Subject): RankCandidate[] {
  const named = namedCandidates(namedInvoices(subject, subject.references.known), subject.received);
  const namedIds = new Set(named.flatMap(({ invoices }) => invoices.map(({ id }) => id)));
  const others = unnamedCandidates(subject).filter(
    ({ invoices }) => !invoices.some(({ id }) => namedIds.has(id)),
  );
  return [...named, ...others];
}

/** What a pending movement is shown as: the one invoice that its text names. */
function tentativeOf(subject: Subject): { tentative: TentativeMatch | null; invoices: MatchInvoice[] } {
  const named = namedInvoices(subject, surestOf(subject.references.known));
  const [only] = named;
  if (only === undefined || named.length > 1) return { tentative: null, invoices: [] };
  const { invoice, reference } = only;
  return {
    tentative: { invoiceId: invoice.id, reference: invoice.reference, level: reference.level },
    invoices: [invoice],
  };
}

function applyRules(subject: Subject): MatchDecision {
  const named = namedInvoices(subject, surestOf(subject.references.known));
  const [only] = named;
  if (only === undefined) return withoutReference(subject);
  if (named.length === 1) return withReference(subject, only);
  return withReferences(subject, named);
}

type Named = { reference: FoundReference; invoice: MatchInvoice };

/** Of the references of a text those that count: E and N together, or else D, or else T. */
function surestOf(known: readonly FoundReference[]): FoundReference[] {
  const tiers: readonly (readonly ReferenceLevel[])[] = [['E', 'N'], ['D'], ['T']];
  const found = tiers.map((tier) => known.filter(({ level }) => tier.includes(level)));
  return found.find((references) => references.length > 0) ?? [];
}

function namedInvoices({ facts }: Subject, references: readonly FoundReference[]): Named[] {
  return references.flatMap((reference) => {
    const invoice = facts.invoiceOf(reference.code);
    return invoice === null ? [] : [{ reference, invoice }];
  });
}

/** Several references. Rule 1 speaks of E and N; of several at a lower level none is sure enough either. */
function withReferences(subject: Subject, named: readonly Named[]): MatchDecision {
  const { received } = subject;
  const invoices = named.map(({ invoice }) => invoice);
  const level = weakestOf(named);
  const isPayable = invoices.every(
    (invoice) => isOpenOn(invoice, subject.day) && invoice.currency === received.currency,
  );
  if ((level !== 'E' && level !== 'N') || !isPayable || totalDueOf(invoices) !== received.amountMinor) {
    return suggest(subject, level === 'T' ? 4 : 1, named);
  }
  return {
    kind: 'auto_combined',
    rule: 1,
    evidence: evidenceOf(subject, invoices),
    level,
    settlement: settledInFull(invoices, received),
  };
}

function weakestOf(named: readonly Named[]): ReferenceLevel {
  const levels = named.map(({ reference }) => reference.level);
  return (['T', 'D', 'N'] as const).find((level) => levels.includes(level)) ?? 'E';
}

/** Rules 2 to 10. */
function withReference(subject: Subject, named: Named): MatchDecision {
  const { received, day } = subject;
  const { invoice, reference } = named;
  const { level } = reference;
  const about = { invoiceId: invoice.id, level };
  const evidence = evidenceOf(subject, [invoice]);
  if (isProven(invoice, received)) {
    // What was paid on a proof is the first thing that its money can be.
    return level === 'T'
      ? suggest(subject, 4, [named])
      : { kind: 'proof_seen', rule: 2, evidence, invoiceId: invoice.id, level };
  }
  if (level !== 'T' && invoice.provenMinor.length > 0 && !isWhatIsDue(invoice, received)) {
    const proven = invoice.provenMinor.map((amountMinor) => money(amountMinor, invoice.currency));
    return { kind: 'exception_proof', rule: 2, evidence, ...about, proven };
  }
  if (isPaid(invoice)) {
    const needsConfirmation = level === 'T';
    return { kind: 'duplicate_credit', rule: 2, evidence, ...about, credit: received, needsConfirmation };
  }
  if (invoice.status === 'void') return { kind: 'exception_void', rule: 3, evidence, ...about };
  if (level === 'T') return suggest(subject, 4, [named]);
  if (invoice.status === 'expired' || (invoice.expiresOn !== null && day > invoice.expiresOn)) {
    return { kind: 'late_admin', rule: 5, evidence, ...about };
  }
  if (day < invoice.createdOn) return suggest(subject, 5, [named]);
  if (invoice.currency !== received.currency) return inForeignMoney(subject, named, level);
  if (isWhatIsDue(invoice, received)) {
    return { kind: 'auto', rule: 7, evidence, level, settlement: settledInFull([invoice], received) };
  }
  return byAmount(subject, named, { counted: received, level, rule: null, rate: null });
}

function isWhatIsDue({ dueMinor, currency }: MatchInvoice, received: Money): boolean {
  return received.currency === currency && received.amountMinor === dueMinor;
}

/** Rule 6. */
function inForeignMoney(subject: Subject, named: Named, level: 'E' | 'N' | 'D'): MatchDecision {
  const { received, facts, policy } = subject;
  const { invoice } = named;
  const exchanged = convertedInto(invoice.currency, received, facts.rates);
  if (exchanged === null) {
    const evidence = evidenceOf(subject, [invoice]);
    return { kind: 'exception_fx', rule: 6, evidence, invoiceId: invoice.id, level };
  }
  const { money: counted, rate } = exchanged;
  // One person said alone what the money is worth.
  if (isEntered(rate)) return suggest(subject, 6, [named]);
  if (!isWithin(counted.amountMinor, invoice.dueMinor, policy.fxToleranceBps)) {
    return byAmount(subject, named, { counted, level, rule: 6, rate });
  }
  return {
    kind: 'auto_fx',
    rule: 6,
    evidence: evidenceOf(subject, [invoice], { rate, converted: counted }),
    level,
    settlement: settledInFull([invoice], counted),
  };
}

/** Rules 8 to 10: another amount than the one due. Of converted money too, digits alone need the right amount. */
function byAmount(
  subject: Subject,
  named: Named,
  {
    counted,
    level,
    rule,
    rate,
  }: { counted: Money; level: 'E' | 'N' | 'D'; rule: 6 | null; rate: AppliedRate | null },
): MatchDecision {
  if (level === 'D') return suggest(subject, 8, [named]);
  const { invoice } = named;
  const evidence = evidenceOf(subject, [invoice], { rate, converted: rate === null ? null : counted });
  const settlement = settledWith(invoice, counted, subject.policy);
  if (settlement.creditMinor > 0) return { kind: 'auto_over', rule: rule ?? 9, evidence, level, settlement };
  const kind = settlement.writtenOffMinor > 0 ? 'auto' : 'partial';
  return { kind, rule: rule ?? 10, evidence, level, settlement };
}

/** Rules 11 and 12. */
function withoutReference(subject: Subject): MatchDecision {
  const isForeignReference = subject.references.foreign.length > 0;
  const rule = isForeignReference ? 12 : 11;
  const { suggestions, isAmbiguous } = rankSuggestions(rankSubjectOf(subject), unnamedCandidates(subject));
  if (suggestions.length === 0) {
    return { kind: 'unmatched', rule, evidence: evidenceOf(subject), isForeignReference };
  }
  const evidence = evidenceOf(subject, invoicesOf(subject, suggestions));
  return { kind: 'suggest', rule, evidence, suggestions, isAmbiguous, isForeignReference };
}

/** The invoices that the text names, for a person to choose from. */
function suggest(subject: Subject, rule: MatchRule, named: readonly Named[]): MatchDecision {
  const ranked = rankSuggestions(rankSubjectOf(subject), namedCandidates(named, subject.received));
  const invoices = named.map(({ invoice }) => invoice);
  const evidence = evidenceOf(subject, invoices);
  return { kind: 'suggest', rule, evidence, ...ranked, isForeignReference: false };
}

/** In the order of the suggestions, so that the same rows make the same decision. */
function invoicesOf(subject: Subject, suggestions: readonly Suggestion[]): MatchInvoice[] {
  const { facts, references } = subject;
  const carried = facts.carried === null ? [] : [facts.carried.invoice];
  const named = namedInvoices(subject, references.known).map(({ invoice }) => invoice);
  const byId = new Map([...named, ...carried, ...facts.openInvoices].map((invoice) => [invoice.id, invoice]));
  const shown = new Set(suggestions.flatMap(({ invoiceIds }) => invoiceIds));
  return [...shown].flatMap((id) => byId.get(id) ?? []);
}

function evidenceOf(
  { received, day, references, facts }: Subject,
  invoices: readonly MatchInvoice[] = [],
  { rate, converted }: { rate: AppliedRate | null; converted: Money | null } = {
    rate: null,
    converted: null,
  },
): MatchEvidence {
  return {
    received,
    day,
    references: references.known,
    foreignReferences: references.foreign,
    invoices: invoices.map(decidedInvoice),
    rate,
    converted,
    carried: facts.carried?.match ?? null,
  };
}
