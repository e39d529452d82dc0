/**
 * Decides whether bytes at the webhook endpoint came from Razorpay, not too long ago, unchanged. The signature has no
 * timestamp and the event's id is in a header nobody signed, so a replay is held off by the signed `created_at` and by the
 * event's id being taken once; what passes nevertheless only makes us read the order again.
 * https://razorpay.com/docs/webhooks/validate-test/
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { OrderVendorEvent } from '../../domain/payments/razorpay-order.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import * as shapes from './shapes.ts';
import { toOrderVendorEvent } from './transform.ts';

/** `account` is the Razorpay account the event belongs to. */
export type VerifiedRazorpayWebhook = OrderVendorEvent & { account: string };

/** An event is sent again for 24 hours after it was created, with the same body; an hour more is for slow clocks and queues. */
const AGE_MAX_SECONDS = 25 * 60 * 60;
const AHEAD_MAX_SECONDS = 300;

/**
 * Verifies the signature over the raw body with any of the secrets (the old one still signs older events for a day after a
 * change), and the age of the event both ways. Throws a `WebhookVerificationError`.
 */
export function verifyRazorpayWebhook({
  rawBody,
  signatureHeader,
  eventIdHeader,
  secrets,
  now,
}: {
  rawBody: Buffer;
  signatureHeader: string | string[] | undefined;
  eventIdHeader: string | string[] | undefined;
  secrets: readonly string[];
  now: Date;
}): VerifiedRazorpayWebhook {
  if (!Buffer.isBuffer(rawBody)) throw new WebhookVerificationError('raw_body_required');
  const signature = singleHeader(signatureHeader, /^[\da-f]{64}$/);
  if (!secrets.some((secret) => isSignedWith(secret, rawBody, signature))) {
    throw new WebhookVerificationError('bad_signature');
  }
  const eventId = singleHeader(eventIdHeader, /^[\x21-\x7e]{1,255}$/);
  const event = parseEvent(rawBody);
  const ageSeconds = Math.floor(now.getTime() / 1000) - event.created_at;
  if (ageSeconds > AGE_MAX_SECONDS) throw new WebhookVerificationError('too_old');
  if (ageSeconds < -AHEAD_MAX_SECONDS) throw new WebhookVerificationError('in_future');
  return { ...toOrderVendorEvent(event, eventId), account: event.account_id };
}

/** The envelope of an event, for the document of the API. */
export const razorpayEvent = shapes.event;

/** Node joins a header that came twice with a comma, which no value of these has. */
function singleHeader(value: string | string[] | undefined, pattern: RegExp): string {
  if (value === undefined || value === '') throw new WebhookVerificationError('missing_header');
  if (typeof value !== 'string' || !pattern.test(value))
    throw new WebhookVerificationError('malformed_header');
  return value;
}

/** Both sides have 32 bytes: a signature of another length was refused before. */
function isSignedWith(secret: string, rawBody: Buffer, signature: string): boolean {
  if (secret === '') return false;
  const expected = createHmac('sha256', secret).update(rawBody).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}

function parseEvent(rawBody: Buffer): shapes.EventJson {
  try {
    return shapes.event.parse(JSON.parse(rawBody.toString('utf8')));
  } catch (error) {
    throw new WebhookVerificationError('malformed_payload', { cause: error });
  }
}
