/**
 * Decides whether bytes at the webhook endpoint came from Coinbase Commerce, unchanged: the signature is over the raw bytes,
 * never over what a parser makes of them. Coinbase closed Commerce on 2026-03-31; there is no request by which a charge could
 * be made or read any more, so this is all there is of it. It serves charges made before that.
 * https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-security
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ProviderCheckout } from '../../domain/payments/coinbase-checkout.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import * as shapes from './shapes.ts';
import { toProviderCheckout } from './transform.ts';

export type VerifiedCommerceWebhook = {
  externalId: string;
  type: string;
  createdAt: string;
  /** What the event says of its charge; null where it names no invoice of ours. */
  charge: ProviderCheckout | null;
};

/** An event was sent again for three days; a day more is for slow clocks and queues. */
const AGE_MAX_SECONDS = 4 * 24 * 60 * 60;
const AHEAD_MAX_SECONDS = 300;

/**
 * Verifies the signature over the raw body with any of the secrets (two during a rotation), and the age of the event both
 * ways. Throws a `WebhookVerificationError`.
 */
export function verifyCommerceWebhook({
  rawBody,
  signatureHeader,
  secrets,
  now,
}: {
  rawBody: Buffer;
  signatureHeader: string | string[] | undefined;
  secrets: readonly string[];
  now: Date;
}): VerifiedCommerceWebhook {
  if (!Buffer.isBuffer(rawBody)) throw new WebhookVerificationError('raw_body_required');
  if (signatureHeader === undefined || signatureHeader === '')
    throw new WebhookVerificationError('missing_header');
  if (typeof signatureHeader !== 'string' || !/^[\da-f]{64}$/i.test(signatureHeader))
    throw new WebhookVerificationError('malformed_header');
  if (!secrets.some((secret) => isSignedWith(secret, rawBody, signatureHeader)))
    throw new WebhookVerificationError('bad_signature');
  const { event } = parseDelivery(rawBody);
  const ageSeconds = (now.getTime() - Date.parse(event.created_at)) / 1000;
  if (ageSeconds > AGE_MAX_SECONDS) throw new WebhookVerificationError('too_old');
  if (ageSeconds < -AHEAD_MAX_SECONDS) throw new WebhookVerificationError('in_future');
  return {
    externalId: event.id,
    type: event.type,
    createdAt: new Date(event.created_at).toISOString(),
    charge: chargeOf(event),
  };
}

/** The envelope of an event, for the document of the API. */
export const commerceDelivery = shapes.delivery;

/** Both sides have 32 bytes: a signature of another length was refused before. */
function isSignedWith(secret: string, rawBody: Buffer, signature: string): boolean {
  if (secret === '') return false;
  const expected = createHmac('sha256', secret).update(rawBody).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}

function parseDelivery(rawBody: Buffer): shapes.DeliveryJson {
  try {
    return shapes.delivery.parse(JSON.parse(rawBody.toString('utf8')));
  } catch (error) {
    throw new WebhookVerificationError('malformed_payload', { cause: error });
  }
}

/** An amount in a currency we do not know is no charge of ours. */
function chargeOf({ type, data }: shapes.DeliveryJson['event']): ProviderCheckout | null {
  try {
    return toProviderCheckout(type, data);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
