/**
 * Decides whether bytes at the webhook endpoint came from Plaid, just now, unchanged. Plaid sends a token (JWT, ES256) that
 * says when it was made and what the SHA-256 of the body is. What can be refused without the key is refused before Plaid is
 * asked for one: an old copy, a changed body, another algorithm.
 * https://plaid.com/docs/api/webhooks/webhook-verification/
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { z } from 'zod';
import type { BankFeedEvent, VerificationKey } from '../../domain/payments/bank-feed.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import * as shapes from './shapes.ts';
import { toBankFeedEvent } from './transform.ts';
import type { VerificationKeys } from './verify-keys.ts';

const TOLERANCE_SECONDS = 300;

/** Its header, in lower case. */
export const PLAID_SIGNATURE_HEADER = 'plaid-verification';

/**
 * Verifies token, age and body. Throws a `WebhookVerificationError` for what is not Plaid's, and a `VendorError` where the key
 * cannot be asked for: then nobody knows, and the answer must be one after which Plaid sends it again (5xx).
 */
export async function verifyPlaidWebhook({
  rawBody,
  signatureHeader,
  keys,
  now,
}: {
  rawBody: Buffer;
  signatureHeader: string | string[] | undefined;
  keys: VerificationKeys;
  now: Date;
}): Promise<BankFeedEvent> {
  if (!Buffer.isBuffer(rawBody)) throw new WebhookVerificationError('raw_body_required');
  const { token, keyId, claims } = readToken(signatureHeader);
  checkAge(claims.iat, now);
  if (!isHashOf(claims.request_body_sha256, rawBody)) throw new WebhookVerificationError('bad_signature');
  const key = await keys.find(keyId);
  if (key === null || isExpired(key, now)) throw new WebhookVerificationError('bad_signature');
  await checkSignature(token, key, now);
  return toBankFeedEvent(parseEvent(rawBody), {
    externalId: `sha256:${createHash('sha256').update(token).digest('hex')}`,
    createdAt: new Date(claims.iat * 1000),
  });
}

/** The body of an event, for the document of the API. */
export const plaidEvent = shapes.event.meta({ description: "Plaid's event." });

const header = z.object({ alg: z.string(), kid: z.string().regex(/^[\w-]{1,64}$/) });
const claims = z.object({
  iat: z.int().min(0).max(253_402_300_799),
  request_body_sha256: z.string().regex(/^[\da-f]{64}$/),
});

/** What it says is believed only once its signature has been verified. */
function readToken(value: string | string[] | undefined): {
  token: string;
  keyId: string;
  claims: z.output<typeof claims>;
} {
  if (value === undefined || value === '') throw new WebhookVerificationError('missing_header');
  if (typeof value !== 'string' || value.length > TOKEN_MAX) {
    throw new WebhookVerificationError('malformed_header');
  }
  try {
    const { alg, kid } = header.parse(decodeProtectedHeader(value));
    if (alg !== ALGORITHM) throw new WebhookVerificationError('no_supported_signature');
    return { token: value, keyId: kid, claims: claims.parse(decodeJwt(value)) };
  } catch (cause) {
    if (cause instanceof WebhookVerificationError) throw cause;
    throw new WebhookVerificationError('malformed_header', { cause });
  }
}

const ALGORITHM = 'ES256';
const TOKEN_MAX = 4_096;

function checkAge(issuedAt: number, now: Date): void {
  const age = Math.floor(now.getTime() / 1000) - issuedAt;
  if (age > TOLERANCE_SECONDS) throw new WebhookVerificationError('too_old');
  if (age < 0) throw new WebhookVerificationError('in_future');
}

/** Both have 32 bytes: a claim of another length is malformed. */
function isHashOf(claimed: string, rawBody: Buffer): boolean {
  return timingSafeEqual(Buffer.from(claimed, 'hex'), createHash('sha256').update(rawBody).digest());
}

function isExpired({ expiredAt }: VerificationKey, now: Date): boolean {
  return expiredAt !== null && expiredAt <= now;
}

async function checkSignature(token: string, { jwk }: VerificationKey, now: Date): Promise<void> {
  try {
    const key = await importJWK(jwk, ALGORITHM);
    await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      maxTokenAge: TOLERANCE_SECONDS,
      currentDate: now,
    });
  } catch (cause) {
    throw new WebhookVerificationError('bad_signature', { cause });
  }
}

function parseEvent(rawBody: Buffer): shapes.EventJson {
  try {
    return shapes.event.parse(JSON.parse(rawBody.toString('utf8')));
  } catch (cause) {
    throw new WebhookVerificationError('malformed_payload', { cause });
  }
}
