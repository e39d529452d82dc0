/** One webhook on its way: signed as Stripe signs, answered within a time limit. */
import Stripe from 'stripe';

export type WebhookEndpoint = {
  url: string;
  secret: string;
  /** Event types sent there; others stay in the event list. */
  events: readonly string[];
};

/** The signature carries the real time, as Stripe signs every attempt anew. */
export async function postEvent(
  endpoint: WebhookEndpoint,
  event: Stripe.Event,
  forged: boolean,
): Promise<number | string> {
  const payload = JSON.stringify(event, null, 2);
  const secret = forged ? `${endpoint.secret}-forged` : endpoint.secret;
  try {
    const response = await fetch(endpoint.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret }),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
      body: payload,
      redirect: 'manual',
      signal: AbortSignal.timeout(answerTimeoutMs),
    });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    const { name, cause } = error as Error & { cause?: { code?: string } };
    return cause?.code ?? name;
  }
}

const answerTimeoutMs = 10_000;
