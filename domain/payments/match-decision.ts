/**
 * What is decided about a movement, by which rule and from what. A decision is plain data: it is stored as it is, and read as a
 * sentence (`match-sentence.ts`).
 */
import type { Money } from '../money.ts';
import type { AppliedRate } from './exchange-rate.ts';
import type { MatchInvoice, TentativeMatch } from './match-facts.ts';
import type { Suggestion } from './match-rank.ts';
import type { FoundReference, ReferenceLevel } from './reference-text.ts';

/** Gates and rules as the specification counts them (knowledge: bank reconciliation §2.4 and §2.5). */
export type MatchRule =
  | 'g1'
  | 'g3'
  | 'g4'
  | 'g5'
  | 'g6'
  | 'g7'
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12;

/** An invoice as it stood when it was decided on. */
export type DecidedInvoice = Pick<
  MatchInvoice,
  'id' | 'reference' | 'status' | 'dueMinor' | 'currency' | 'createdOn' | 'expiresOn'
>;

export function decidedInvoice(invoice: MatchInvoice): DecidedInvoice {
  const { id, reference, status, dueMinor, currency, createdOn, expiresOn } = invoice;
  return { id, reference, status, dueMinor, currency, createdOn, expiresOn };
}

export type MatchEvidence = {
  received: Money;
  /** The day the movement counts for. */
  day: string;
  /** References of ours in the text, and where. */
  references: FoundReference[];
  /** Well-formed references that are not ours. */
  foreignReferences: string[];
  /** The invoices that the decision is about. */
  invoices: DecidedInvoice[];
  /** Where the invoice is in another currency, and what the money comes to at it. */
  rate: AppliedRate | null;
  converted: Money | null;
  /** What the pending movement that this one replaces was seen as. */
  carried: TentativeMatch | null;
};

/** What becomes of the money, all of it in the invoices' `currency`. */
export type Settlement = {
  currency: string;
  /** What was received, or what it comes to at the rate. */
  countedMinor: number;
  /** What pays which invoice; never more than is due. Together with the credit it is what counts and the fee. */
  allocations: { invoiceId: string; amountMinor: number }[];
  /** More than was due: credit of the customer. */
  creditMinor: number;
  /** What the exchange cost where the invoice is paid in full all the same; negative where it brought more. */
  fxFeeMinor: number;
  /** So little is missing that the invoice counts as paid. */
  writtenOffMinor: number;
};

type Decided<Kind extends string, Details = unknown> = Kind extends string
  ? { kind: Kind; rule: MatchRule; evidence: MatchEvidence } & Details
  : never;

/** No decision that pays an invoice rests on less than `D`. */
type Paying = { level: Exclude<ReferenceLevel, 'T'>; settlement: Settlement };

/**
 * - `auto`, `auto_over`, `auto_combined`, `auto_fx`, `partial`: money is booked without a person. Each names a reference.
 * - `proof_seen`: the money of a payment that was booked on a proof before; nothing is booked again.
 * - `suggest`, `late_admin`, `exception_void`, `exception_fx`, `wrong_account`, `unmatched`: a person decides.
 * - `exception_proof`: the invoice has payments on a proof whose money was not seen, and this is another amount: a person says
 *   whether it is that money.
 * - `duplicate_credit`: the invoice was paid before. The money is the customer's credit, and nothing is activated again; found
 *   with a slip only, or worth what an entered rate says (`needsConfirmation`), a person first says that it is that customer's.
 * - `hold_pending`: seen and not booked; nothing is done.
 * - `reversal`: takes the credit `creditId` back.
 * - `payout`: money of a card vendor. `ignore_…`: no customer's money, or decided before.
 */
export type MatchDecision =
  | Decided<'auto' | 'auto_over' | 'auto_combined' | 'auto_fx' | 'partial', Paying>
  | Decided<'proof_seen', { invoiceId: string; level: Exclude<ReferenceLevel, 'T'> }>
  | Decided<'suggest', { suggestions: Suggestion[]; isAmbiguous: boolean; isForeignReference: boolean }>
  | Decided<'unmatched', { isForeignReference: boolean }>
  | Decided<
      'duplicate_credit',
      { invoiceId: string; credit: Money; level: ReferenceLevel; needsConfirmation: boolean }
    >
  | Decided<'late_admin' | 'exception_void' | 'exception_fx', { invoiceId: string; level: ReferenceLevel }>
  | Decided<'exception_proof', { invoiceId: string; level: ReferenceLevel; proven: Money[] }>
  | Decided<'wrong_account', { suggestions: Suggestion[]; isAmbiguous: boolean }>
  | Decided<'hold_pending', { tentative: TentativeMatch | null }>
  | Decided<'reversal', { creditId: string; linkedBy: 'bank_reference' | 'reference' }>
  | Decided<'ignore_outflow', { suspectedCredits: string[] }>
  | Decided<'payout', { vendor: PayoutVendor }>
  | Decided<'ignore_redelivery' | 'ignore_zero' | 'ignore_account'>;

export type MatchDecisionKind = MatchDecision['kind'];

export type DecisionOf<Kind extends MatchDecisionKind> = Extract<MatchDecision, { kind: Kind }>;

/** Vendors whose payouts come to the account; they are never a customer's payment. */
export const payoutVendors = ['stripe', 'paypal', 'coinbase', 'razorpay'] as const;

export type PayoutVendor = (typeof payoutVendors)[number];
