/**
 * What is to be known of a movement before it is matched. The rows of a run are read first, what all of them want is looked up
 * together, a constant number of queries for any number of movements, and each is then matched with what was found:
 *
 * 1. `wantedFacts` of every movement: the codes it may name, the amounts and earlier movements to look for.
 * 2. `wantedNeighbours` of those whose codes are all unknown.
 */
import type { Money } from '../money.ts';
import type { BankTransaction } from './bank-transaction.ts';
import type { AppliedRate } from './exchange-rate.ts';
import {
  exactCodes,
  nearCodes,
  type ReferenceLevel,
  type ReferenceReadings,
  readReferences,
} from './reference-text.ts';

/** An invoice as the matching sees it. Days are in the calendar of the account that receives. */
export type MatchInvoice = {
  id: string;
  reference: string;
  customerId: string;
  customerName: string;
  /** Accounts from which this customer has paid before. */
  payerAccounts: readonly string[];
  status: 'open' | 'paid' | 'void' | 'expired';
  /** What is still due, in the minor units of `currency`. */
  dueMinor: number;
  /** Payments that were booked on a proof, and whose money was not seen yet; in `currency`. */
  provenMinor: readonly number[];
  currency: string;
  createdAt: string;
  createdOn: string;
  /** The last day on which money is in time; null where time never ends. */
  expiresOn: string | null;
};

/** Whether the money may be that of a payment that was booked on a proof. */
export function isProven({ provenMinor, currency }: MatchInvoice, received: Money): boolean {
  return currency === received.currency && provenMinor.includes(received.amountMinor);
}

/** A movement in that was matched and not taken back, as a reversal of it would name it. */
export type AllocatedCredit = {
  id: string;
  externalId: string;
  accountId: string;
  amountMinor: number;
  currency: string;
  bookedOn: string;
  /** Of the invoices that it paid, and those that its own text names. */
  references: readonly string[];
  bankReference: string | null;
  /** We have given all of it back, or are about to. */
  isRefunded: boolean;
};

/** What a pending movement was seen as. */
export type TentativeMatch = { invoiceId: string; reference: string; level: ReferenceLevel };

export type MatchFacts = {
  /** The movement has a decision already. That it was held while it was pending (g7) is none: booked, it is decided. */
  isDecided: boolean;
  /** The invoice a code was ever given for, in whatever state; null for a code that is none of ours. Always answers the same. */
  invoiceOf: (reference: string) => MatchInvoice | null;
  /**
   * Invoices in the movement's currency that wait for money: those with exactly its amount due, or booked on a proof and not
   * seen, and open ones of whoever may have paid. The matching itself tells which is which, and leaves out what fits neither.
   * Whoever has thousands of equal amounts gives the newest of them.
   */
  openInvoices: readonly MatchInvoice[];
  /** What the pending movement that this one replaces was seen as, with its invoice. */
  carried: { match: TentativeMatch; invoice: MatchInvoice } | null;
  /** For a movement out: credits of its account that it may take back. */
  credits: readonly AllocatedCredit[];
  /** Rates that hold on the movement's day, from its currency into those of the invoices it names. */
  rates: readonly AppliedRate[];
};

/** Nothing known yet; a base for those who gather. */
export const noFacts: MatchFacts = {
  isDecided: false,
  invoiceOf: () => null,
  openInvoices: [],
  carried: null,
  credits: [],
  rates: [],
};

export type WantedFacts = {
  /** What the texts say, to be read only once. */
  readings: ReferenceReadings;
  /** Codes to be asked for in the first round. */
  references: string[];
  /** Open invoices with exactly this due. Null for what is no money in. */
  amount: Money | null;
  /** Which earlier, pending movement it replaces. */
  pendingExternalId: string | null;
  /** The day of which a rate is wanted, if an invoice it names is in another currency. */
  rateDay: string;
};

/** The day a movement counts for: when it was made, or else when it was booked. */
export function dayOf({ authorisedOn, bookedOn }: BankTransaction): string {
  return authorisedOn ?? bookedOn;
}

export function wantedFacts(transaction: BankTransaction): WantedFacts {
  const { amountMinor, currency, texts, pendingExternalId } = transaction;
  const readings = readReferences(texts);
  return {
    readings,
    references: exactCodes(readings),
    amount: amountMinor > 0 ? { amountMinor, currency } : null,
    pendingExternalId,
    rateDay: dayOf(transaction),
  };
}

/**
 * Codes to be asked for in the second round, when `isKnown` answers for those of the first: none where one of them is known,
 * none for money out.
 */
export function wantedNeighbours(
  { readings, amount }: WantedFacts,
  isKnown: (reference: string) => boolean,
): string[] {
  return amount === null ? [] : nearCodes(readings, isKnown);
}

/**
 * The order in which the movements of a run are decided, whatever order they came in: by day, money in before money out, so
 * that a credit is known before it is taken back. The same movements in this order always end in the same state.
 */
export function inDecisionOrder(a: BankTransaction, b: BankTransaction): number {
  return (
    byText(a.bookedOn, b.bookedOn) ||
    Number(a.amountMinor < 0) - Number(b.amountMinor < 0) ||
    byText(a.externalId, b.externalId)
  );
}

export function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
