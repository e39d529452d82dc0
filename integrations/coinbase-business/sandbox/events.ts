/** Events: written with the change they tell of, and handed to the webhook sender. */
import { createHmac, randomUUID } from 'node:crypto';
import { postWebhook } from '../../sandbox/post-webhook.ts';
import type { WebhookEndpoint } from '../../sandbox/webhooks.ts';
import type { Checkout, CoinbaseContext, CoinbaseEvent } from './context.ts';

/** Records what has just happened, as it looks now. */
export function emit(context: CoinbaseContext, type: string, checkout: Checkout): void {
  const event: CoinbaseEvent = { id: randomUUID(), type, checkout: structuredClone(checkout) };
  context.events.put(event.id, event);
  context.deliver(event);
}

/** One webhook on its way: every delivery has the same body and is signed anew, at the real time. */
export function postEvent(
  endpoint: WebhookEndpoint,
  { id, type, checkout }: CoinbaseEvent,
  forged: boolean,
): Promise<number | string> {
  const body = JSON.stringify({ ...checkout, eventType: type });
  const secret = forged ? `${endpoint.secret}-forged` : endpoint.secret;
  const headers = { 'content-type': 'application/json', 'x-event-id': id, 'x-event-type': type };
  const signature = signatureOf({ secret, body, headers, seconds: Math.floor(Date.now() / 1000) });
  return postWebhook(endpoint.url, {
    headers: { ...headers, 'x-hook0-signature': signature },
    body,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
}

function signatureOf({
  secret,
  body,
  headers,
  seconds,
}: {
  secret: string;
  body: string;
  headers: Record<string, string>;
  seconds: number;
}): string {
  const names = Object.keys(headers).join(' ');
  const mac = (text: string) => createHmac('sha256', secret).update(text).digest('hex');
  const v1 = mac(`${seconds}.${names}.${Object.values(headers).join('.')}.${body}`);
  return `t=${seconds},v0=${mac(`${seconds}.${body}`)},h=${names},v1=${v1}`;
}

const ANSWER_TIMEOUT_MS = 5_000;
