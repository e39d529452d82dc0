/**
 * Decides whether bytes at the webhook endpoint came from Coinbase, just now, unchanged. The signature is over the time, the
 * headers it names and the raw body; an older scheme beside it, over the time and the body alone, is not looked at, because
 * the event's id is in a header.
 * https://docs.cdp.coinbase.com/webhooks/verify-signatures
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { CheckoutEvent } from '../../domain/payments/coinbase-checkout.ts';
import { WebhookVerificationError } from '../webhooks/webhook-refusal.ts';
import * as shapes from './shapes.ts';
import { toCheckoutEvent } from './transform.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Both ways: every delivery is signed anew. */
const TOLERANCE_SECONDS = 300;

/**
 * Verifies the signature over the raw body with any of the secrets (two during a rotation), and its age. Throws a
 * `WebhookVerificationError`.
 */
export function verifyCoinbaseWebhook({
  rawBody,
  headers,
  secrets,
  now,
}: {
  rawBody: Buffer;
  headers: Headers;
  secrets: readonly string[];
  now: Date;
}): CheckoutEvent {
  if (!Buffer.isBuffer(rawBody)) throw new WebhookVerificationError('raw_body_required');
  const { seconds, names, signatures } = readSignature(headers[SIGNATURE_HEADER]);
  const values = names === '' ? '' : names.split(' ').map((name) => single(headers[name.toLowerCase()]));
  const head = `${seconds}.${names}.${Array.isArray(values) ? values.join('.') : values}.`;
  const isGenuine = secrets.some((secret) =>
    signatures.some((signature) => isSignedWith(secret, { head, rawBody, signature })),
  );
  if (!isGenuine) throw new WebhookVerificationError('bad_signature');
  const age = Math.floor(now.getTime() / 1000) - Number(seconds);
  if (age > TOLERANCE_SECONDS) throw new WebhookVerificationError('too_old');
  if (age < -TOLERANCE_SECONDS) throw new WebhookVerificationError('in_future');
  const sentAt = new Date(Number(seconds) * 1000);
  return toCheckoutEvent(parseEvent(rawBody), { externalId: eventId({ headers, names, rawBody }), sentAt });
}

/** The body of an event, for the document of the API. */
export const coinbaseEvent = shapes.event;

const SIGNATURE_HEADER = 'x-hook0-signature';
/** Where the id of an event may be, by the age of the subscription. */
const ID_HEADERS = ['x-event-id', 'x-hook0-id'];

/** `t=1728394718,v0=…,h=content-type x-event-id,v1=…` */
function readSignature(value: string | string[] | undefined): {
  seconds: string;
  names: string;
  signatures: string[];
} {
  if (value === undefined || value === '') throw new WebhookVerificationError('missing_header');
  if (typeof value !== 'string') throw new WebhookVerificationError('malformed_header');
  const parts = value.split(',').map((part) => part.split(/=(.*)/s, 2) as [string, string | undefined]);
  const of = (name: string) => parts.filter(([key]) => key.trim() === name).map(([, text]) => text ?? '');
  const [[seconds = ''], [names = ''], signatures] = [of('t'), of('h'), of('v1')];
  if (!/^\d{1,12}$/.test(seconds) || !/^[\w-]*( [\w-]+)*$/.test(names)) {
    throw new WebhookVerificationError('malformed_header');
  }
  if (signatures.length === 0) throw new WebhookVerificationError('no_supported_signature');
  if (!signatures.every((each) => /^[\da-f]{64}$/.test(each))) {
    throw new WebhookVerificationError('malformed_header');
  }
  return { seconds, names, signatures };
}

function single(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Both sides have 32 bytes: a signature of another length was refused before. */
function isSignedWith(
  secret: string,
  { head, rawBody, signature }: { head: string; rawBody: Buffer; signature: string },
): boolean {
  if (secret === '') return false;
  const expected = createHmac('sha256', secret).update(head).update(rawBody).digest();
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'));
}

/** Only a header that was signed names an event. Without one the body does: the same change of the same checkout. */
function eventId({ headers, names, rawBody }: { headers: Headers; names: string; rawBody: Buffer }): string {
  const signed = names.toLowerCase().split(' ');
  const given = ID_HEADERS.filter((name) => signed.includes(name)).map((name) => single(headers[name]))[0];
  if (given !== undefined && /^[\x21-\x7e]{1,255}$/.test(given)) return given;
  return `sha256:${createHash('sha256').update(rawBody).digest('hex')}`;
}

function parseEvent(rawBody: Buffer): shapes.EventJson {
  try {
    return shapes.event.parse(JSON.parse(rawBody.toString('utf8')));
  } catch (error) {
    throw new WebhookVerificationError('malformed_payload', { cause: error });
  }
}
