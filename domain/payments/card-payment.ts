/**
 * Card payments in our own words: the port every card vendor's client implements, and what a decline means for
 * what we do next. Decline classes: Stripe's decline code page and the network rules on repeated authorisation.
 */
import { VendorError } from '../errors.ts';
import { exponentOf, type Money, money } from '../money.ts';
import {
  type DebitReturn,
  declineClassOfReturn,
  isReturnCode,
  returnReasonForCustomer,
} from './direct-debit.ts';
import type { CardDispute } from './dispute.ts';
import type { CardRefund, CardRefundRequest } from './refund.ts';

/**
 * - `hard`: never try this method again; wait for another one.
 * - `soft`: may work later; tried again on the ladder's dates.
 * - `customer_action`: the customer must authenticate (3-D Secure).
 * - `technical`: nobody decided anything; tried again within hours, not an attempt of the ladder.
 */
export type DeclineClass = 'hard' | 'soft' | 'customer_action' | 'technical';

/** A card charge as the vendor sees it now. */
export type CardCharge = {
  /** Vendor id of the payment (Stripe: PaymentIntent). */
  externalId: string;
  status: 'succeeded' | 'processing' | 'requires_action' | 'failed' | 'canceled';
  amount: Money;
  /** Sum given back so far, in minor units. */
  refundedMinor: number;
  /** All of them, also those that are not decided yet and those that failed. */
  refunds: CardRefund[];
  disputes: CardDispute[];
  /** The charge debits a bank account: it takes days, and its disputes are returns. */
  directDebit?: true;
  /** A direct debit that had succeeded, and was returned by the bank afterwards. */
  returned?: DebitReturn;
  /** Where the customer confirms, when `requires_action`. */
  actionUrl?: string;
  decline?: CardDecline;
  /** What we wrote on the payment when we created it. */
  metadata: { tenantId?: string; customerId?: string; invoiceId?: string; attemptId?: string };
  createdAt: string;
};

/** One that names the tenant and the attempt it was made for. */
export type OwnCharge = CardCharge & { metadata: { tenantId: string; attemptId: string } };

export type CardDecline = { code: string; class: DeclineClass };

/**
 * The vendor makes no payment of the request, and would not if asked again: the card is gone, the amount too small.
 * What a decline is to a payment, this is to a request.
 */
export class ChargeRefused extends VendorError {
  readonly decline: CardDecline;

  constructor({ code, message }: { code: string; message: string }) {
    super({ code: 'vendor_rejected_request', message });
    this.decline = { code, class: declineClassOf(code) };
  }
}

/** What is booked of it. */
export type RefusedCharge = { externalId: null; status: 'failed'; decline: CardDecline };

/** What a charge needs. Amounts are minor units by our exponent table; the adapter converts where the vendor differs. */
export type CardChargeRequest = {
  tenantId: string;
  customerId: string;
  invoiceId: string;
  attemptId: string;
  vendorCustomerId: string;
  paymentMethodId: string;
  /** The customer's authorisation to debit the bank account; absent for a card. */
  mandateId?: string;
  amount: Money;
  description: string;
  /** `invoice:<id>:charge:<ordinal>`: business identity, the same for every try of the same attempt. */
  idempotencyKey: string;
};

export type PaymentMethodType = 'card' | 'us_bank_account';

/** A card, or a bank account that may be debited. */
export type CardPaymentMethod = {
  externalId: string;
  type: PaymentMethodType;
  /** The card's brand, or the bank's name. */
  brand: string;
  last4: string;
  /** 0 for a bank account, which does not expire. */
  expMonth: number;
  expYear: number;
  /** The vendor's id of the customer's authorisation to debit; bank accounts only. */
  mandateId?: string;
};

/** One event of the vendor's event list, as far as we trust it: ids only, the object is fetched again. */
export type CardVendorEvent = {
  externalId: string;
  type: string;
  /** The PaymentIntent the event speaks of, when it does. */
  paymentId?: string;
  /** The attempt of ours that the payment names, by the metadata the event carries. */
  attempt?: { tenantId: string; attemptId: string };
  createdAt: string;
};

/**
 * The card vendor. Every method throws `VendorError` on failure; a decline is an answer (`status: 'failed'`),
 * not an error.
 */
export type CardVendor = {
  /**
   * Creates the vendor's customer once per `customerId` (keyed), returns its vendor id. `replaces` is the id of one that
   * somebody has deleted at the vendor.
   */
  ensureCustomer(input: {
    replaces?: string;
    tenantId: string;
    customerId: string;
    email: string;
    name: string;
  }): Promise<string>;
  /**
   * Attaches a payment method to the customer and makes it the default. Safe to repeat. Throws `not_found` when the vendor
   * does not have the customer any more, and `payment_method_invalid` for a bank account that is not verified, is blocked,
   * or cannot be debited in the customer's currency.
   */
  attachPaymentMethod(input: {
    vendorCustomerId: string;
    paymentMethodId: string;
    /** In which the customer is billed. */
    currency?: string;
  }): Promise<CardPaymentMethod>;
  /**
   * Charges off-session. Ends `succeeded`, `processing`, `requires_action` (with a link) or `failed` (with a class).
   * Throws `ChargeRefused`.
   */
  charge(input: CardChargeRequest): Promise<CardCharge>;
  /** Finds the charge of an attempt whose answer was lost; `null` when the vendor never saw it. */
  findCharge(input: {
    vendorCustomerId: string;
    attemptId: string;
    createdAfter: string;
  }): Promise<CardCharge | null>;
  /** The charge as it stands now; `null` for one that another program has made on the same account. */
  fetchCharge(externalId: string): Promise<OwnCharge | null>;
  /** Cancels a charge that waits for the customer; returns it as it stands (it may have succeeded meanwhile). */
  cancelCharge(externalId: string): Promise<CardCharge>;
  /** Gives a part of a payment back, or all of it. Throws `RefundRefused`. */
  refund(input: CardRefundRequest): Promise<CardRefund>;
  /** Finds a refund of ours whose answer was lost; `null` when the vendor never saw it. */
  findRefund(input: Pick<CardRefundRequest, 'paymentId' | 'refundId'>): Promise<CardRefund | null>;
  /** Events between two instants, oldest first, for the reconciler. */
  listEvents(input: { since: string; until: string }): AsyncIterable<CardVendorEvent>;
  /** Deletes the vendor's customer and with it the stored payment methods. Safe to repeat. */
  deleteCustomer(vendorCustomerId: string): Promise<void>;
};

const codesByClass: Record<DeclineClass, readonly string[]> = {
  hard: [
    'stolen_card',
    'lost_card',
    'pickup_card',
    'fraudulent',
    'do_not_try_again',
    'revocation_of_authorization',
    'revocation_of_all_authorizations',
    'transaction_not_allowed',
    'incorrect_number',
    'invalid_account',
    'card_not_supported',
    'currency_not_supported',
    'expired_card',
    // Our own: there is no card to charge, the vendor does not have it any more, or it was refused for good before.
    'payment_method_missing',
    'payment_method_invalid',
    'payment_method_refused',
    // Bank accounts that the vendor does not even ask the bank about.
    'payment_intent_mandate_invalid',
    'payment_method_bank_account_blocked',
    'bank_account_unusable',
    'tokenized_account_number_deactivated',
  ],
  soft: [
    'insufficient_funds',
    'do_not_honor',
    'generic_decline',
    'call_issuer',
    'card_velocity_exceeded',
    // The vendor takes no such amount. Nothing is wrong with the card.
    'amount_too_small',
    'amount_too_large',
    // Our own: the card networks' ceiling of tries, see `softTriesMax`.
    'try_limit_reached',
    // The same of the network of bank accounts, see `representmentsMax`.
    'representment_limit_reached',
    // Our own: Razorpay charged by itself and was refused.
    'razorpay_charge_failed',
  ],
  customer_action: ['authentication_required', 'payment_intent_authentication_failure'],
  technical: ['processing_error', 'try_again_later', 'issuer_not_available'],
};

const declineClasses: ReadonlyMap<string, DeclineClass> = new Map(
  (Object.keys(codesByClass) as DeclineClass[]).flatMap((kind) =>
    codesByClass[kind].map((code) => [code, kind] as const),
  ),
);

/**
 * The class of a vendor's decline code, or of a bank's return code; an unknown code is soft: tried again on the ladder,
 * never in a hurry.
 */
export function declineClassOf(code: string): DeclineClass {
  if (isReturnCode(code)) return declineClassOfReturn(code);
  return declineClasses.get(code) ?? 'soft';
}

/**
 * Card networks fine who asks again and again: about 20 soft declines of a card within 30 days. After that the card is
 * not asked any more until some of them are older.
 */
export const softTriesMax = { tries: 20, days: 30 } as const;

/** The customer told the bank to stop our charges: they mean to leave. */
export function isCancelIntent(code: string): boolean {
  return code === 'revocation_of_authorization' || code === 'revocation_of_all_authorizations';
}

/**
 * What of an amount due a card can be charged: vendors take three-decimal currencies in tens, and the ariary without
 * decimals. Rounded down, so that nobody pays more than was invoiced; what is left is booked as rounding, see
 * `roundingOf`. An amount below one step is returned as it is: the vendor refuses it.
 */
export function cardAmount(due: Money): Money {
  const step = cardAmountStep(due.currency);
  const amountMinor = due.amountMinor - (due.amountMinor % step);
  return amountMinor === 0 ? due : money(amountMinor, due.currency);
}

/** What a card payment leaves open only because cards do not take the exact amount: rounding, no debt. Minor units. */
export function roundingOf({ due, paid }: { due: Money; paid: Money }): number {
  const leftMinor = due.amountMinor - paid.amountMinor;
  return leftMinor > 0 && leftMinor < cardAmountStep(due.currency) ? leftMinor : 0;
}

function cardAmountStep(currency: string): number {
  if (currency === 'MGA') return 10 ** exponentOf(currency);
  return exponentOf(currency) === 3 ? 10 : 1;
}

/** Codes whose reason must not be told to whoever holds the card: they only hear that the card was declined. */
const confidentialCodes: ReadonlySet<string> = new Set([
  'stolen_card',
  'lost_card',
  'pickup_card',
  'fraudulent',
]);

/** What the customer is told about a decline, in words. */
export function declineReasonForCustomer(code: string): string {
  if (confidentialCodes.has(code)) return 'your card was declined';
  const returned = returnReasonForCustomer(code);
  if (returned !== undefined) return returned;
  switch (code) {
    case 'insufficient_funds':
      return 'your card had insufficient funds';
    case 'expired_card':
      return 'your card has expired';
    case 'authentication_required':
      return 'your bank asks you to confirm the payment';
    case 'payment_method_missing':
      return 'there is no payment method on file';
    case 'payment_method_refused':
      return 'your card was refused, and there is no other one on file';
    case 'payment_method_invalid':
      return 'your card is not on file with our payment provider any more';
    case 'amount_too_small':
    case 'amount_too_large':
      return 'the amount cannot be charged to a card';
    case 'currency_not_supported':
      return 'your payment method does not take this currency';
    case 'representment_limit_reached':
      return 'your bank has returned the debit too often';
    case 'payment_intent_mandate_invalid':
    case 'payment_method_bank_account_blocked':
    case 'bank_account_unusable':
    case 'tokenized_account_number_deactivated':
    case 'bank_cannot_process':
      return 'your bank account could not be debited';
    case 'cheque_bounced':
      return 'your bank did not pay the cheque';
    case 'money_order_bounced':
      return 'the money order was not paid';
    case 'double_spent':
      return 'the coins you had sent went elsewhere before the payment was final';
    case 'returned':
      return 'your bank took the transfer back';
    case 'transfer_not_received':
      return 'your transfer did not arrive';
    case 'transfer_changed':
      return 'the bank corrected the transfer';
    case 'transfer_unmatched':
      return 'the transfer was for something else';
    case 'left_chain':
      return 'the chain dropped the transaction of your payment';
    case 'razorpay_charge_failed':
      return 'your bank did not carry out the automatic payment';
    case 'processing_error':
    case 'try_again_later':
    case 'issuer_not_available':
      return 'your bank could not be reached';
    default:
      return 'your card was declined';
  }
}

/** The idempotency key of a charge attempt. Never built from a retry, a run or a random number. */
export function chargeIdempotencyKey({ invoiceId, ordinal }: { invoiceId: string; ordinal: number }): string {
  return `invoice:${invoiceId}:charge:${ordinal}`;
}
