/**
 * Direct debits of bank accounts in the US (ACH). A debit takes days; until then the bank may return it, and for weeks
 * after. The bank's code says why, and so what may be done next (seed 002 §3.3; knowledge: billing §1.6, bank
 * reconciliation §5; Nacha's rules on returns and reinitiation).
 */
import { addDays } from '../instant.ts';
import type { DeclineClass } from './card-payment.ts';

/** Only in this currency are bank accounts debited. */
export const DEBIT_CURRENCY = 'USD';

/**
 * - `funds`: the account is right, the money is not there (yet). May be presented again.
 * - `account`: this account can never be debited.
 * - `unauthorised`: the customer does not allow it, or not any more: the mandate is over, too.
 * - `other`: none of these; the ladder goes on as after a card's soft decline.
 */
export type ReturnClass = 'funds' | 'account' | 'unauthorised' | 'other';

/** Codes of the network, with what the customer is told: a clause that follows "because". */
const returnCodes: Readonly<Record<string, { class: ReturnClass; reason: string }>> = {
  R01: { class: 'funds', reason: 'your bank account had insufficient funds' },
  R09: { class: 'funds', reason: 'the funds in your bank account were not available yet' },

  R02: { class: 'account', reason: 'your bank account is closed' },
  R03: { class: 'account', reason: 'your bank could not find the account' },
  R04: { class: 'account', reason: 'the number of your bank account is not valid' },
  R12: { class: 'account', reason: 'your bank has moved the account to another one' },
  R13: { class: 'account', reason: 'the routing number of your bank account is not valid' },
  R14: { class: 'account', reason: 'your bank account cannot be debited' },
  R15: { class: 'account', reason: 'your bank account cannot be debited' },
  R16: { class: 'account', reason: 'your bank account is frozen' },
  R20: { class: 'account', reason: 'your bank account does not allow debits' },

  R05: { class: 'unauthorised', reason: 'your bank says that the debit was not authorised' },
  R07: { class: 'unauthorised', reason: 'you have revoked the authorisation at your bank' },
  // A stopped payment may only be asked for again with a new authorisation.
  R08: { class: 'unauthorised', reason: 'you have stopped the payment at your bank' },
  R10: { class: 'unauthorised', reason: 'your bank says that the debit was not authorised' },
  R11: { class: 'unauthorised', reason: 'your bank says that the debit was not as authorised' },
  R29: { class: 'unauthorised', reason: 'your bank says that the debit was not authorised' },
  R31: { class: 'unauthorised', reason: 'your bank says that the debit was not authorised' },
};

/** The codes after which a debit may be presented again. */
export const fundsCodes: readonly string[] = Object.keys(returnCodes).filter(
  (code) => returnCodes[code]?.class === 'funds',
);

/** What a bank's return means. Codes that are not listed, and vendors' own words, are `other`. */
export function returnClassOf(code: string): ReturnClass {
  return returnCodes[code]?.class ?? 'other';
}

/** Whether this is a code of the network, not a word of the vendor. */
export function isReturnCode(code: string): boolean {
  return /^R\d{2}$/.test(code);
}

/** The return as a decline: what can never work again is `hard`, everything else waits for the ladder. */
export function declineClassOfReturn(code: string): DeclineClass {
  const kind = returnClassOf(code);
  return kind === 'account' || kind === 'unauthorised' ? 'hard' : 'soft';
}

/** What the customer is told, as a clause; undefined for a code of cards. */
export function returnReasonForCustomer(code: string): string | undefined {
  if (!isReturnCode(code)) return undefined;
  return returnCodes[code]?.reason ?? 'your bank returned the debit';
}

/** Such a return also ends the mandate: without a new one the account must not be debited. */
export function endsMandate(code: string): boolean {
  return returnClassOf(code) === 'unauthorised';
}

/** We present a returned debit again once, so many days after its return. No step of the ladder, and before its first. */
const REPRESENT_AFTER_DAYS = 3;

/**
 * When a returned debit is presented again; `null` when it is not: only for want of funds, and only after the first such
 * return of the invoice from this account. `returns` counts these, this one included.
 */
export function representAt({
  code,
  returns,
  returnedAt,
  dayMs,
}: {
  code: string;
  returns: number;
  returnedAt: string;
  dayMs: number;
}): string | null {
  if (returnClassOf(code) !== 'funds' || returns > 1) return null;
  return addDays(returnedAt, REPRESENT_AFTER_DAYS, dayMs);
}

/**
 * The network's own ceiling: after its first return an entry may be presented twice more within 180 days. The second one is
 * left to the ladder's first charge; then the account is not asked for this invoice any more, unless the customer gives it anew.
 */
export const representmentsMax = { tries: 2, days: 180 } as const;

/** Whether the network forbids to ask again. `returns` of this invoice from this account, within the ceiling's days. */
export function isRepresentmentForbidden(returns: number): boolean {
  return returns > representmentsMax.tries;
}

/** Identifies the new presentation of a returned debit. */
export function representmentKey(attemptId: string): string {
  return `representment:${attemptId}`;
}

/** A payment that had been made, and that the bank took back afterwards, as the vendor sees it. */
export type DebitReturn = {
  /** Vendor id of the return (Stripe: Dispute). */
  externalId: string;
  /** The network's code where the vendor tells it, else the vendor's own word. */
  code: string;
  /** What the bank took back, in minor units of the payment's currency. */
  amountMinor: number;
};
