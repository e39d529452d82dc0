/**
 * Customers and their cards at Stripe.
 *
 * Why it is safe to run twice: creating and attaching are keyed by our ids, and where Stripe has forgotten the key, or
 * repeats a stored failure under it, what is really there is looked up. Setting and deleting are repeatable by themselves.
 */
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { VendorError } from '../../domain/errors.ts';
import type { CardPaymentMethod, CardVendor } from '../../domain/payments/card-payment.ts';
import { refuseForeignDebit, verifiedAccount } from './bank-accounts.ts';
import { toVendorError, withCode } from './errors.ts';
import { mutation, read, readOrNull } from './requests.ts';
import { toCardPaymentMethod } from './transform.ts';

/**
 * Looked up before it is created: Stripe forgets a key after a day, and a customer made twice would keep name and address
 * where no erasure looks for them. Stripe also repeats a stored 500 for a key, so an unknown outcome is looked up again.
 */
export async function ensureCustomer(
  stripe: Stripe,
  { tenantId, customerId, email, name, replaces }: Parameters<CardVendor['ensureCustomer']>[0],
): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const { data } = await read(() => stripe.customers.list({ email, limit: 100 }));
    return data.find(({ id, metadata }) => metadata['customerId'] === customerId && id !== replaces)?.id;
  };
  const known = await find();
  if (known !== undefined) return known;
  try {
    const customer = await mutation(() =>
      stripe.customers.create(
        { email, name, metadata: { tenantId, customerId } },
        // Under the first one's key Stripe would answer with the customer that is gone.
        { idempotencyKey: `customer:${customerId}:create${replaces === undefined ? '' : `:${replaces}`}` },
      ),
    );
    return customer.id;
  } catch (error) {
    if (!(error instanceof VendorError) || error.code !== 'outcome_unknown') throw error;
    const existing = await find();
    if (existing === undefined) throw error;
    return existing;
  }
}

/** Attaches the card or the bank account and makes it the default. */
export async function attachPaymentMethod(
  stripe: Stripe,
  { vendorCustomerId, paymentMethodId, currency }: Parameters<CardVendor['attachPaymentMethod']>[0],
): Promise<CardPaymentMethod> {
  await refuseForeignDebit(stripe, { paymentMethodId, currency });
  const method = await attachOnce(stripe, vendorCustomerId, paymentMethodId);
  const attached =
    method.type === 'us_bank_account' ? await verifiedAccount(stripe, method) : toCardPaymentMethod(method);
  // Setting a field is repeatable by itself. A key built from the two ids would not be: when a customer goes back
  // to an earlier card within 24 hours, Stripe would answer from memory and leave the other card in place.
  await mutation(() =>
    stripe.customers.update(
      vendorCustomerId,
      { invoice_settings: { default_payment_method: method.id } },
      { idempotencyKey: `customer:${vendorCustomerId}:default:${randomUUID()}` },
    ),
  );
  return attached;
}

/** A refused or unanswered attach is fine when the method turns out to be this customer's already. */
async function attachOnce(
  stripe: Stripe,
  customer: string,
  paymentMethodId: string,
): Promise<Stripe.PaymentMethod> {
  try {
    return await attaching(() =>
      stripe.paymentMethods.attach(
        paymentMethodId,
        { customer },
        { idempotencyKey: `customer:${customer}:attach:${paymentMethodId}` },
      ),
    );
  } catch (error) {
    if (!(error instanceof VendorError) || error instanceof CustomerGone) throw error;
    if (!attachDoubts.has(error.code)) throw error;
    const method = await readOrNull(() => stripe.paymentMethods.retrieve(paymentMethodId));
    if (method?.customer === customer) return method;
    if (error.code === 'outcome_unknown') throw error;
    throw withCode(error, 'payment_method_invalid');
  }
}

/** A customer who is gone is told apart from a card that cannot be attached. */
async function attaching(request: () => Promise<Stripe.PaymentMethod>): Promise<Stripe.PaymentMethod> {
  try {
    return await request();
  } catch (error) {
    const failure = toVendorError(error, { mutates: true });
    const isGone = error instanceof Stripe.errors.StripeInvalidRequestError && error.param === 'customer';
    throw isGone ? new CustomerGone(failure.message) : failure;
  }
}

class CustomerGone extends VendorError {
  constructor(message: string) {
    super({ code: 'not_found', message });
  }
}

const attachDoubts: ReadonlySet<string> = new Set([
  'outcome_unknown',
  'vendor_rejected_request',
  'not_found',
  'card_declined',
]);

/** A customer who is gone already is deleted. */
export async function deleteCustomer(stripe: Stripe, vendorCustomerId: string): Promise<void> {
  try {
    await mutation(() => stripe.customers.del(vendorCustomerId));
  } catch (error) {
    if (!(error instanceof VendorError) || error.code !== 'not_found') throw error;
  }
}
