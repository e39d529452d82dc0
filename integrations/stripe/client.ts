/**
 * Stripe as our card vendor, on the official SDK.
 *
 * Why it is safe to run twice: every POST carries a key built from business identity, so within 24 hours Stripe
 * answers a repeat with its first answer. Nothing here repeats a request by itself, the SDK included; after an
 * unknown outcome the caller asks `findCharge` first, which reads Stripe's consistent list rather than its
 * search index, and so finds the charge however much later.
 */
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { VendorError } from '../../domain/errors.ts';
import type { CardCharge, CardChargeRequest, CardVendor } from '../../domain/payments/card-payment.ts';
import { toStripeAmount } from './amounts.ts';
import { createStripe, type StripeConnection } from './connection.ts';
import { toVendorError, withCode } from './errors.ts';
import { toCardCharge, toCardPaymentMethod, toCardVendorEvent } from './transform.ts';

/** Events the reconciler reads; the same the webhook endpoint is to be subscribed to. */
export const stripeEventTypes = [
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'payment_intent.requires_action',
  'payment_intent.processing',
  'payment_intent.canceled',
  'charge.refunded',
] as const;

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
    listEvents: (input) => listEvents(stripe, input),
    deleteCustomer: (vendorCustomerId) => deleteCustomer(stripe, vendorCustomerId),
  };
}

/** Keyed by our customer. Stripe repeats a stored 500 for that key, so an unknown outcome is looked up. */
async function ensureCustomer(
  stripe: Stripe,
  { tenantId, customerId, email, name }: Parameters<CardVendor['ensureCustomer']>[0],
): Promise<string> {
  try {
    const customer = await mutation(() =>
      stripe.customers.create(
        { email, name, metadata: { tenantId, customerId } },
        { idempotencyKey: `customer:${customerId}:create` },
      ),
    );
    return customer.id;
  } catch (error) {
    if (!(error instanceof VendorError) || error.code !== 'outcome_unknown') throw error;
    const candidates = await read(() => stripe.customers.list({ email, limit: 100 }));
    const existing = candidates.data.find((customer) => customer.metadata['customerId'] === customerId);
    if (existing) return existing.id;
    throw error;
  }
}

async function attachPaymentMethod(
  stripe: Stripe,
  { vendorCustomerId, paymentMethodId }: Parameters<CardVendor['attachPaymentMethod']>[0],
) {
  const method = await attachOnce(stripe, vendorCustomerId, paymentMethodId);
  // Setting a field is repeatable by itself. A key built from the two ids would not be: when a customer goes back
  // to an earlier card within 24 hours, Stripe would answer from memory and leave the other card in place.
  await mutation(() =>
    stripe.customers.update(
      vendorCustomerId,
      { invoice_settings: { default_payment_method: method.id } },
      { idempotencyKey: `customer:${vendorCustomerId}:default:${randomUUID()}` },
    ),
  );
  return toCardPaymentMethod(method);
}

/** A refused or unanswered attach is fine when the method turns out to be this customer's already. */
async function attachOnce(
  stripe: Stripe,
  customer: string,
  paymentMethodId: string,
): Promise<Stripe.PaymentMethod> {
  try {
    return await mutation(() =>
      stripe.paymentMethods.attach(
        paymentMethodId,
        { customer },
        { idempotencyKey: `customer:${customer}:attach:${paymentMethodId}` },
      ),
    );
  } catch (error) {
    if (!(error instanceof VendorError) || !attachDoubts.has(error.code)) throw error;
    const method = await readOrNull(() => stripe.paymentMethods.retrieve(paymentMethodId));
    if (method?.customer === customer) return method;
    if (error.code === 'outcome_unknown') throw error;
    throw withCode(error, 'payment_method_invalid');
  }
}

const attachDoubts: ReadonlySet<string> = new Set([
  'outcome_unknown',
  'vendor_rejected_request',
  'not_found',
  'card_declined',
]);

/** A decline comes as an error that carries the PaymentIntent, which says all there is to say. */
async function charge(stripe: Stripe, request: CardChargeRequest, returnUrl: string): Promise<CardCharge> {
  const intent = await declinedIntentAsAnswer(() =>
    stripe.paymentIntents.create(
      {
        ...toStripeAmount(request.amount),
        customer: request.vendorCustomerId,
        payment_method: request.paymentMethodId,
        allowed_payment_method_types: ['card'],
        confirm: true,
        off_session: true,
        description: request.description,
        metadata: {
          tenantId: request.tenantId,
          customerId: request.customerId,
          invoiceId: request.invoiceId,
          attemptId: request.attemptId,
          chargeKey: request.idempotencyKey,
        },
      },
      { idempotencyKey: request.idempotencyKey },
    ),
  );
  return toCardCharge(await askToAuthenticate(stripe, intent, returnUrl));
}

/**
 * The bank wants the customer, who is not there: the same payment is confirmed again as if the customer were, and
 * so gets the link where the bank asks. Keyed by the charge, so that a repeat gets the same link.
 */
async function askToAuthenticate(
  stripe: Stripe,
  intent: Stripe.PaymentIntent,
  returnUrl: string,
): Promise<Stripe.PaymentIntent> {
  const error = intent.last_payment_error;
  const chargeKey = intent.metadata['chargeKey'];
  const awaitsCustomer =
    intent.status === 'requires_payment_method' && error?.code === 'authentication_required';
  if (!awaitsCustomer || error?.payment_method === undefined || chargeKey === undefined) return intent;

  const { id: paymentMethodId } = error.payment_method;
  return declinedIntentAsAnswer(() =>
    stripe.paymentIntents.confirm(
      intent.id,
      { payment_method: paymentMethodId, return_url: returnUrl },
      { idempotencyKey: `${chargeKey}:authenticate` },
    ),
  );
}

/**
 * Newest first, matched on what we wrote on the payment. `createdAfter` only ends the search after a page, it
 * never filters: a clock that differs from Stripe's must not hide a charge.
 */
async function findCharge(
  stripe: Stripe,
  { vendorCustomerId, attemptId, createdAfter }: Parameters<CardVendor['findCharge']>[0],
  returnUrl: string,
): Promise<CardCharge | null> {
  const oldestSeconds = Date.parse(createdAfter) / 1000;
  let startingAfter: string | undefined;
  for (;;) {
    const page = await read(() =>
      stripe.paymentIntents.list({
        customer: vendorCustomerId,
        limit: 100,
        expand: ['data.latest_charge.refunds'],
        ...(startingAfter === undefined ? {} : { starting_after: startingAfter }),
      }),
    );
    const found = page.data.find((intent) => intent.metadata['attemptId'] === attemptId);
    if (found) return toCardCharge(await askToAuthenticate(stripe, found, returnUrl));

    const last = page.data.at(-1);
    if (!page.has_more || !last || last.created < oldestSeconds) return null;
    startingAfter = last.id;
  }
}

async function fetchCharge(stripe: Stripe, externalId: string): Promise<CardCharge> {
  const intent = await read(() =>
    stripe.paymentIntents.retrieve(externalId, { expand: ['latest_charge.refunds'] }),
  );
  const { latest_charge: latest } = intent;
  const hasMoreRefunds = latest !== null && typeof latest !== 'string' && latest.refunds?.has_more === true;
  if (!hasMoreRefunds) return toCardCharge(intent);

  const refunds = await read(() =>
    stripe.refunds.list({ payment_intent: externalId, limit: 100 }).autoPagingToArray({ limit: 1_000 }),
  );
  return toCardCharge(intent, refunds);
}

/** A payment that ended meanwhile cannot be cancelled; how it ended is the answer. */
async function cancelCharge(stripe: Stripe, externalId: string): Promise<CardCharge> {
  try {
    await mutation(() =>
      stripe.paymentIntents.cancel(externalId, {}, { idempotencyKey: `payment:${externalId}:cancel` }),
    );
  } catch (error) {
    const isDoubtful =
      error instanceof VendorError &&
      (error.code === 'vendor_rejected_request' || error.code === 'outcome_unknown');
    if (!isDoubtful) throw error;
    const current = await fetchCharge(stripe, externalId);
    if (current.status !== 'succeeded' && current.status !== 'canceled') throw error;
    return current;
  }
  return fetchCharge(stripe, externalId);
}

/** Stripe lists newest first, so all are read before the oldest is handed out; an hour's events are few. */
async function* listEvents(stripe: Stripe, { since }: { since: string }) {
  const created = { gte: Math.floor(Date.parse(since) / 1000) };
  const newestFirst = [];
  let startingAfter: string | undefined;
  for (;;) {
    const page: Stripe.ApiList<Stripe.Event> = await read(() =>
      stripe.events.list({
        created,
        types: [...stripeEventTypes],
        limit: 100,
        ...(startingAfter === undefined ? {} : { starting_after: startingAfter }),
      }),
    );
    newestFirst.push(...page.data);
    startingAfter = page.data.at(-1)?.id;
    if (!page.has_more || startingAfter === undefined) break;
  }
  for (const event of newestFirst.reverse()) yield toCardVendorEvent(event);
}

async function deleteCustomer(stripe: Stripe, vendorCustomerId: string): Promise<void> {
  try {
    await mutation(() => stripe.customers.del(vendorCustomerId));
  } catch (error) {
    if (!(error instanceof VendorError) || error.code !== 'not_found') throw error;
  }
}

async function declinedIntentAsAnswer(
  request: () => Promise<Stripe.PaymentIntent>,
): Promise<Stripe.PaymentIntent> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError && error.payment_intent) return error.payment_intent;
    const concernsMethod =
      error instanceof Stripe.errors.StripeInvalidRequestError && error.param === 'payment_method';
    const failure = toVendorError(error, { mutates: true });
    throw concernsMethod ? withCode(failure, 'payment_method_invalid') : failure;
  }
}

async function mutation<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw toVendorError(error, { mutates: true });
  }
}

async function read<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw toVendorError(error, { mutates: false });
  }
}

async function readOrNull<T>(request: () => Promise<T>): Promise<T | null> {
  try {
    return await read(request);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return null;
    throw error;
  }
}
