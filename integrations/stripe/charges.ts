/**
 * Charges as PaymentIntents, created and confirmed in one request.
 *
 * Why it is safe to run twice: the request carries the attempt's key, so Stripe takes the money once within 24
 * hours; later, or after an unknown outcome, `findCharge` finds what the attempt's id was written on.
 */
import Stripe from 'stripe';
import { VendorError } from '../../domain/errors.ts';
import {
  type CardCharge,
  type CardChargeRequest,
  type CardVendor,
  ChargeRefused,
  type OwnCharge,
} from '../../domain/payments/card-payment.ts';
import { toStripeAmount } from './amounts.ts';
import { listDisputes } from './disputes.ts';
import { toVendorError } from './errors.ts';
import { listRefunds } from './refunds.ts';
import { mutation, read } from './requests.ts';
import { isOwn, toCardCharge } from './transform.ts';

/** A decline comes as an error that carries the PaymentIntent, which says all there is to say. */
export async function charge(
  stripe: Stripe,
  request: CardChargeRequest,
  returnUrl: string,
): Promise<CardCharge> {
  const intent = await declinedIntentAsAnswer(async () =>
    stripe.paymentIntents.create(
      {
        ...toStripeAmount(request.amount),
        customer: request.vendorCustomerId,
        payment_method: request.paymentMethodId,
        // A bank account is debited under the mandate the customer has accepted.
        ...(request.mandateId === undefined
          ? { allowed_payment_method_types: ['card'] }
          : { allowed_payment_method_types: ['us_bank_account'], mandate: request.mandateId }),
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
 * Newest first, matched on what we wrote on the payment. `createdAfter` only ends the search after a page, it
 * never filters: a clock that differs from Stripe's must not hide a charge.
 */
export async function findCharge(
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
    const matching = page.data.filter((intent) => intent.metadata['attemptId'] === attemptId);
    const found = matching.find((intent) => intent.status === 'succeeded') ?? matching[0];
    if (found) return toCardCharge(await askToAuthenticate(stripe, found, returnUrl));

    const last = page.data.at(-1);
    if (!page.has_more || !last || last.created < oldestSeconds) return null;
    startingAfter = last.id;
  }
}

/** The charge with all its refunds and disputes. A payment that is none of ours is not read any further: it may be like none of ours. */
export async function fetchCharge(stripe: Stripe, externalId: string): Promise<OwnCharge | null> {
  const intent = await readIntent(stripe, externalId);
  return isOwn(intent) ? ((await whole(stripe, intent)) as OwnCharge) : null;
}

function readIntent(stripe: Stripe, externalId: string): Promise<Stripe.PaymentIntent> {
  return read(() => stripe.paymentIntents.retrieve(externalId, { expand: ['latest_charge.refunds'] }));
}

async function whole(stripe: Stripe, intent: Stripe.PaymentIntent): Promise<CardCharge> {
  const latest = typeof intent.latest_charge === 'string' ? null : intent.latest_charge;
  const disputes = latest?.disputed === true ? await listDisputes(stripe, intent.id) : [];
  if (latest?.refunds?.has_more !== true) return toCardCharge(intent, { disputes });

  return toCardCharge(intent, { refunds: await listRefunds(stripe, intent.id), disputes });
}

/** A payment that ended meanwhile, or that the bank works on, cannot be cancelled; how it stands is the answer. */
export async function cancelCharge(stripe: Stripe, externalId: string): Promise<CardCharge> {
  const asItStands = async () => whole(stripe, await readIntent(stripe, externalId));
  try {
    await mutation(() =>
      stripe.paymentIntents.cancel(externalId, {}, { idempotencyKey: `payment:${externalId}:cancel` }),
    );
  } catch (error) {
    const isDoubtful =
      error instanceof VendorError &&
      (error.code === 'vendor_rejected_request' || error.code === 'outcome_unknown');
    if (!isDoubtful) throw error;
    const current = await asItStands();
    if (current.status === 'requires_action' || current.status === 'failed') throw error;
    return current;
  }
  return asItStands();
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

async function declinedIntentAsAnswer(
  request: () => Promise<Stripe.PaymentIntent>,
): Promise<Stripe.PaymentIntent> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof Stripe.errors.StripeCardError && error.payment_intent) return error.payment_intent;
    const code = refusalCode(error);
    const failure = toVendorError(error, { mutates: true });
    throw code === null ? failure : new ChargeRefused({ code, message: failure.message });
  }
}

/** Said of the amount, or of a bank account that the bank is not even asked about. */
const refusals: ReadonlySet<string> = new Set([
  'amount_too_small',
  'amount_too_large',
  'payment_intent_mandate_invalid',
  'payment_method_bank_account_blocked',
  'bank_account_unusable',
]);

/** Null where asking again may help, or where the mistake is ours and no answer for the customer. */
function refusalCode(error: unknown): string | null {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) return null;
  if (error.code !== undefined && refusals.has(error.code)) return error.code;
  const customerIsGone = error.param === 'customer' && error.code === 'resource_missing';
  return error.param === 'payment_method' || customerIsGone ? 'payment_method_invalid' : null;
}
