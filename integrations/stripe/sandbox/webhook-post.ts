/** One webhook on its way: signed as Stripe signs, answered within a time limit. */
import Stripe from 'stripe';
import { postWebhook } from '../../sandbox/post-webhook.ts';
import type { WebhookEndpoint } from '../../sandbox/webhooks.ts';

/** The signature carries the real time, as Stripe signs every attempt anew. */
export async function postEvent(
  endpoint: WebhookEndpoint,
  event: Stripe.Event,
  forged: boolean,
): Promise<number | string> {
  const payload = JSON.stringify(event, null, 2);
  const secret = forged ? `${endpoint.secret}-forged` : endpoint.secret;
  return postWebhook(endpoint.url, {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret }),
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    },
    body: payload,
    timeoutMs: answerTimeoutMs,
  });
}

const answerTimeoutMs = 10_000;

/** The payment the event speaks of, or else its own object. */
export function subjectOf(event: Stripe.Event): string {
  const { id, payment_intent } = event.data.object as { id?: string; payment_intent?: string };
  return payment_intent ?? id ?? event.id;
}
