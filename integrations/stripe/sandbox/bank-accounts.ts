/**
 * Bank accounts that are debited (ACH). Stripe's own `pm_usBankAccount_…` ids behave as documented; further ones are made
 * through the control endpoint with a script of the bank's answers, one for each debit, the last one repeating. The bank
 * answers when the payment is settled, which on a real day is up to four business days later.
 * https://docs.stripe.com/payments/ach-direct-debit/accept-a-payment#test-account-numbers
 */
import type Stripe from 'stripe';
import { vendorId } from '../../sandbox/random.ts';
import type { StripeContext } from './context.ts';
import type { CardDecline } from './errors.ts';

/** An answer is `succeeded`, `processing` (no answer), a code of the network, or `succeeded_then_<code>`. */
type BankAccount = { last4: string; answers: string[] };

const magicAccounts: Partial<Record<string, BankAccount>> = {
  pm_usBankAccount_success: { last4: '6789', answers: ['succeeded'] },
  pm_usBankAccount_accountClosed: { last4: '1113', answers: ['R02'] },
  pm_usBankAccount_noAccount: { last4: '1116', answers: ['R03'] },
  pm_usBankAccount_insufficientFunds: { last4: '2227', answers: ['R01'] },
  pm_usBankAccount_debitNotAuthorized: { last4: '3335', answers: ['R10'] },
  pm_usBankAccount_dispute: { last4: '5559', answers: ['succeeded_then_R10'] },
  pm_usBankAccount_processing: { last4: '0009', answers: ['processing'] },
};

/** A fresh PaymentMethod from one of Stripe's test ids: each use makes a copy with its own id. */
export function copyMagicAccount(context: StripeContext, id: string): Stripe.PaymentMethod | null {
  const account = magicAccounts[id];
  return account === undefined ? null : createAccount(context, account);
}

/** A bank account as it comes from Stripe's form: not verified yet, and of nobody. */
export function createAccount(
  context: StripeContext,
  { last4, answers, bankName = 'STRIPE TEST BANK' }: BankAccount & { bankName?: string | undefined },
): Stripe.PaymentMethod {
  const method = {
    id: vendorId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: {
      address: { city: null, country: null, line1: null, line2: null, postal_code: null, state: null },
      email: null,
      name: null,
      phone: null,
      tax_id: null,
    },
    created: context.clock.seconds(),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: 'us_bank_account',
    us_bank_account: {
      account_holder_type: 'individual',
      account_type: 'checking',
      bank_name: bankName,
      financial_connections_account: null,
      fingerprint: `sandbox${last4}`,
      last4,
      networks: { preferred: 'ach', supported: ['ach'] },
      routing_number: '110000000',
      status_details: {},
    },
  } as Stripe.PaymentMethod;
  context.paymentMethods.put(method.id, method);
  context.cardScripts.put(method.id, { outcomes: answers, used: 0 });
  return method;
}

export function isBankAccount({ type }: Stripe.PaymentMethod): boolean {
  return type === 'us_bank_account';
}

/** A return as the failure of a payment: Stripe's word for it, and the network's own code. */
export function bankReturn(networkCode: string): CardDecline {
  const { failure, message } = wordsOf(networkCode);
  return { code: failure, decline_code: failure, network_decline_code: networkCode, message };
}

/** The reason of the dispute by which Stripe tells of a return after the payment had succeeded. */
export function returnReason(networkCode: string): string {
  return wordsOf(networkCode).reason;
}

type Words = { failure: string; reason: string; message: string };

function wordsOf(networkCode: string): Words {
  return returnWords[networkCode] ?? other;
}

const funds = {
  failure: 'insufficient_funds',
  reason: 'insufficient_funds',
  message: "The customer's account has insufficient funds to cover this payment.",
};
const unauthorised = {
  failure: 'debit_not_authorized',
  reason: 'debit_not_authorized',
  message: 'The customer has notified their bank that this payment was unauthorized.',
};
const wrongDetails = {
  failure: 'no_account',
  reason: 'incorrect_account_details',
  message: 'The bank account could not be located.',
};
const other = {
  failure: 'could_not_process',
  reason: 'bank_cannot_process',
  message: 'The bank could not process this payment.',
};

const returnWords: Partial<Record<string, Words>> = {
  R01: funds,
  R09: funds,
  R02: {
    failure: 'account_closed',
    reason: 'incorrect_account_details',
    message: "The customer's bank account has been closed.",
  },
  R03: wrongDetails,
  R04: wrongDetails,
  R05: unauthorised,
  R07: unauthorised,
  R08: unauthorised,
  R10: unauthorised,
  R11: unauthorised,
  R29: unauthorised,
};

/** After such a return Stripe debits the account no more. */
export function blockAfter(context: StripeContext, method: Stripe.PaymentMethod, networkCode: string): void {
  if (
    method.us_bank_account === undefined ||
    wordsOf(networkCode) === funds ||
    wordsOf(networkCode) === other
  )
    return;
  const blocked = { network_code: networkCode, reason: returnReason(networkCode) };
  Object.assign(method.us_bank_account, { status_details: { blocked } });
  context.paymentMethods.put(method.id, method);
}
