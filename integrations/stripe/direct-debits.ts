/**
 * Debits of bank accounts (ACH) at Stripe, in our words. Pure: what Stripe said goes in, what it means to us comes out.
 * https://docs.stripe.com/payments/ach-direct-debit, https://docs.stripe.com/declines/network-codes
 */
import type Stripe from 'stripe';
import { type DebitReturn, isReturnCode } from '../../domain/payments/direct-debit.ts';
import { fromStripeAmount } from './amounts.ts';

/** Stripe's words for the network's codes. One that stands for several is taken for the most usual one. */
const networkCodes: ReadonlyMap<string, string> = new Map(
  Object.entries({
    insufficient_funds: 'R01',
    account_closed: 'R02',
    bank_account_closed: 'R02',
    no_account: 'R03',
    bank_account_invalid_details: 'R03',
    incorrect_account_details: 'R03',
    debit_not_authorized: 'R10',
    bank_account_frozen: 'R16',
    bank_account_restricted: 'R20',
  }),
);

/** The network's code of a return: as Stripe tells it, else by Stripe's own word; else that word itself. */
export function returnCodeOf({
  networkCode,
  word,
}: {
  networkCode: string | null | undefined;
  word: string;
}): string {
  if (networkCode != null && isReturnCode(networkCode)) return networkCode;
  return networkCodes.get(word) ?? word;
}

/** Whether the payment debits a bank account; its latest charge tells, or the error of its last try. */
export function isDirectDebit({
  latest_charge: charge,
  last_payment_error: error,
  payment_method_types: types,
}: Stripe.PaymentIntent): boolean {
  const made =
    charge === null || typeof charge === 'string' ? undefined : charge.payment_method_details?.type;
  return (made ?? error?.payment_method?.type ?? types[0]) === 'us_bank_account';
}

/**
 * What the bank took back of a debit that had succeeded. Stripe tells of it by a dispute that nobody can contest; until the
 * money has left our account nothing has happened.
 */
export function returnOf(disputes: readonly Stripe.Dispute[]): DebitReturn | undefined {
  const lost = disputes.find(
    ({ status, balance_transactions: moved }) =>
      status === 'lost' || moved.reduce((sum, { amount }) => sum + amount, 0) < 0,
  );
  if (lost === undefined) return undefined;
  return {
    externalId: lost.id,
    code: returnCodeOf({ networkCode: lost.network_reason_code, word: lost.reason }),
    amountMinor: fromStripeAmount(lost).amountMinor,
  };
}
