/**
 * Stripe as our card vendor, on the official SDK.
 *
 * Why it is safe to run twice: every POST carries a key built from business identity, so within 24 hours Stripe
 * answers a repeat with its first answer. Nothing here repeats a request by itself, the SDK included; after an
 * unknown outcome the caller asks `findCharge` or `findRefund` first, which read Stripe's consistent list rather than its
 * search index, and so find it however much later.
 */
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { cancelCharge, charge, fetchCharge, findCharge } from './charges.ts';
import { createStripe, type StripeConnection } from './connection.ts';
import { attachPaymentMethod, deleteCustomer, ensureCustomer } from './customers.ts';
import { listEvents } from './events.ts';
import { findRefund, refund } from './refunds.ts';

/**
 * Connects to Stripe, or to whatever listens at `apiBase`. `returnUrl` is where customers come back to after they
 * have confirmed a payment with their bank.
 */
export function createStripeCardVendor({
  returnUrl,
  ...connection
}: StripeConnection & { returnUrl: string }): CardVendor {
  const stripe = createStripe(connection);
  return {
    ensureCustomer: (input) => ensureCustomer(stripe, input),
    attachPaymentMethod: (input) => attachPaymentMethod(stripe, input),
    charge: (request) => charge(stripe, request, returnUrl),
    findCharge: (input) => findCharge(stripe, input, returnUrl),
    fetchCharge: (externalId) => fetchCharge(stripe, externalId),
    cancelCharge: (externalId) => cancelCharge(stripe, externalId),
    refund: (request) => refund(stripe, request),
    findRefund: (input) => findRefund(stripe, input),
    listEvents: (input) => listEvents(stripe, input),
    deleteCustomer: (vendorCustomerId) => deleteCustomer(stripe, vendorCustomerId),
  };
}
