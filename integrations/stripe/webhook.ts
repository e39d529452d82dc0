/**
 * Decides whether bytes at the webhook endpoint came from Stripe, just now, unchanged. The header is taken apart
 * here first, so that the SDK, which throws whatever Node throws on odd headers and accepts any future
 * timestamp, only meets well-formed signatures of a fresh request.
 */
import Stripe from 'stripe';
import { z } from 'zod';
import type { CardVendorEvent } from '../../domain/payments/card-payment.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import { toCardVendorEvent } from './transform.ts';

/** `account` is the connected account the event belongs to, `null` for our own. */
export type VerifiedWebhook = CardVendorEvent & { account: string | null };

/**
 * Verifies the signature over the raw body with any of the secrets (two during a rotation), and the age both
 * ways. Throws a `WebhookVerificationError`.
 */
export function verifyStripeWebhook({
  rawBody,
  signatureHeader,
  secrets,
  now,
  toleranceSeconds = 300,
}: {
  rawBody: Buffer;
  signatureHeader: string | string[] | undefined;
  secrets: readonly string[];
  now: Date;
  toleranceSeconds?: number;
}): VerifiedWebhook {
  if (!Buffer.isBuffer(rawBody)) throw new WebhookVerificationError('raw_body_required');
  const { timestamp, signatures } = parseHeader(signatureHeader);

  const ageSeconds = Math.floor(now.getTime() / 1000) - timestamp;
  if (ageSeconds > toleranceSeconds) throw new WebhookVerificationError('too_old');
  if (ageSeconds < -toleranceSeconds) throw new WebhookVerificationError('in_future');

  const header = [`t=${timestamp}`, ...signatures.map((signature) => `v1=${signature}`)].join(',');
  if (!secrets.some((secret) => isSignedWith(secret, rawBody, header))) {
    throw new WebhookVerificationError('bad_signature');
  }
  return parseEvent(rawBody);
}

const visibleAscii = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const END_OF_9999_SECONDS = 253_402_300_799;

/** What we need of Stripe's Event object; it has more. */
export const stripeEvent = z.looseObject({
  id: visibleAscii,
  object: z.literal('event'),
  type: visibleAscii,
  created: z.int().min(0).max(END_OF_9999_SECONDS),
  account: visibleAscii.nullish(),
  data: z.looseObject({ object: z.looseObject({}) }),
});

/** Exactly one timestamp; signatures of other schemes are skipped, those of ours must look like one. */
function parseHeader(header: string | string[] | undefined): { timestamp: number; signatures: string[] } {
  if (header === undefined || header === '') throw new WebhookVerificationError('missing_header');
  if (typeof header !== 'string') throw new WebhookVerificationError('malformed_header');

  const items = header.split(',').map((item) => item.trim().split('='));
  const valuesOf = (scheme: string) =>
    items.filter(([name]) => name === scheme).map(([, value]) => value ?? '');

  const [timestamp, ...others] = valuesOf('t');
  if (timestamp === undefined || others.length > 0 || !/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookVerificationError('malformed_header');
  }
  const signatures = valuesOf('v1');
  if (signatures.length === 0) throw new WebhookVerificationError('no_supported_signature');
  if (!signatures.every((signature) => /^[\da-f]{64}$/.test(signature))) {
    throw new WebhookVerificationError('malformed_header');
  }
  return { timestamp: Number(timestamp), signatures };
}

/** The age has been checked already, so the SDK's own check is off (tolerance 0). */
function isSignedWith(secret: string, rawBody: Buffer, header: string): boolean {
  try {
    return Stripe.webhooks.signature?.verifyHeader(rawBody, header, secret, 0) === true;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeSignatureVerificationError) return false;
    throw error;
  }
}

function parseEvent(rawBody: Buffer): VerifiedWebhook {
  try {
    const event = stripeEvent.parse(JSON.parse(rawBody.toString('utf8')));
    return { ...toCardVendorEvent(event), account: event.account ?? null };
  } catch (error) {
    throw new WebhookVerificationError('malformed_payload', { cause: error });
  }
}
