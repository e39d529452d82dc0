/**
 * Refunds at Stripe.
 *
 * Why it is safe to run twice: the request carries the refund's key, so Stripe gives the money back once within 24 hours;
 * later, or after an unknown outcome, `findRefund` finds what our id was written on, in Stripe's consistent list.
 */
import Stripe from 'stripe';
import { ChargeRefused } from '../../domain/payments/card-payment.ts';
import { type CardRefund, type CardRefundRequest, RefundRefused } from '../../domain/payments/refund.ts';
import { type StripeAmount, toStripeAmount } from './amounts.ts';
import { toVendorError } from './errors.ts';
import { read } from './requests.ts';
import { toCardRefund } from './transform.ts';

export async function refund(stripe: Stripe, request: CardRefundRequest): Promise<CardRefund> {
  const { amount } = representable(request);
  const { tenantId, invoiceId, refundId, paymentId, idempotencyKey } = request;
  try {
    const made = await stripe.refunds.create(
      { payment_intent: paymentId, amount, metadata: { tenantId, invoiceId, refundId } },
      { idempotencyKey },
    );
    return toCardRefund(made);
  } catch (error) {
    const reason = refusalReason(error);
    const failure = toVendorError(error, { mutates: true });
    throw reason === null ? failure : new RefundRefused({ reason, message: failure.message });
  }
}

export async function findRefund(
  stripe: Stripe,
  { paymentId, refundId }: Pick<CardRefundRequest, 'paymentId' | 'refundId'>,
): Promise<CardRefund | null> {
  const own = (await listRefunds(stripe, paymentId)).filter(
    ({ metadata }) => metadata?.['refundId'] === refundId,
  );
  // One that failed may stand beside the one that replaced it in the dashboard, copied with its metadata.
  const found = own.find(({ status }) => status === 'succeeded') ?? own[0];
  return found === undefined ? null : toCardRefund(found);
}

/** All refunds of a payment. */
export function listRefunds(stripe: Stripe, paymentId: string): Promise<Stripe.Refund[]> {
  return read(() =>
    stripe.refunds.list({ payment_intent: paymentId, limit: 100 }).autoPagingToArray({ limit: 1_000 }),
  );
}

function representable({ amount }: CardRefundRequest): StripeAmount {
  try {
    return toStripeAmount(amount);
  } catch (error) {
    if (!(error instanceof ChargeRefused)) throw error;
    throw new RefundRefused({ reason: error.decline.code, message: error.message });
  }
}

/** Null where asking again may help, or where the mistake is in how we ask. */
function refusalReason(error: unknown): string | null {
  if (!(error instanceof Stripe.errors.StripeInvalidRequestError) || error.statusCode !== 400) return null;
  if (error.code?.startsWith('parameter_')) return null;
  return error.code ?? (error.param === 'amount' ? 'amount_exceeds_charge' : 'refused_by_vendor');
}
