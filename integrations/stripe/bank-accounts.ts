/** Bank accounts at Stripe: which ones we take as payment methods. Only reads. */
import type Stripe from 'stripe';
import { VendorError } from '../../domain/errors.ts';
import type { CardPaymentMethod } from '../../domain/payments/card-payment.ts';
import { DEBIT_CURRENCY } from '../../domain/payments/direct-debit.ts';
import { read, readOrNull } from './requests.ts';
import { toCardPaymentMethod } from './transform.ts';

/** Before anything is attached: a bank account is no method for somebody who is billed in another currency. */
export async function refuseForeignDebit(
  stripe: Stripe,
  { paymentMethodId, currency }: { paymentMethodId: string; currency: string | undefined },
): Promise<void> {
  if (currency === undefined || currency === DEBIT_CURRENCY) return;
  const method = await readOrNull(() => stripe.paymentMethods.retrieve(paymentMethodId));
  if (method?.type !== 'us_bank_account') return;
  throw unusable(
    `Bank accounts are debited in ${DEBIT_CURRENCY} only, and this customer is billed in ${currency}; send a card.`,
  );
}

/**
 * A bank account as a payment method. Only one whose SetupIntent has succeeded: then Stripe has verified the account (at once,
 * or by micro-deposits) and the customer has accepted the mandate. Throws `payment_method_invalid`.
 */
export async function verifiedAccount(
  stripe: Stripe,
  method: Stripe.PaymentMethod,
): Promise<CardPaymentMethod> {
  if (method.us_bank_account?.status_details?.blocked != null) {
    throw unusable('The bank does not allow debits of this account any more; send another payment method.');
  }
  const setups = await read(() => stripe.setupIntents.list({ payment_method: method.id, limit: 100 }));
  const mandate = setups.data.find(({ status }) => status === 'succeeded')?.mandate;
  if (mandate == null) {
    throw unusable(
      'The bank account is not verified yet: confirm its SetupIntent, and verify the micro-deposits where Stripe asks for them; then send it again.',
    );
  }
  return { ...toCardPaymentMethod(method), mandateId: typeof mandate === 'string' ? mandate : mandate.id };
}

function unusable(message: string): VendorError {
  return new VendorError({ code: 'payment_method_invalid', message });
}
