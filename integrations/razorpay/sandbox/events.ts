/** Events: written with the change they tell of, and handed to the webhook sender. Razorpay keeps no list of them. */
import { createHmac } from 'node:crypto';
import { postWebhook } from '../../sandbox/post-webhook.ts';
import { vendorId } from '../../sandbox/random.ts';
import type { WebhookEndpoint } from '../../sandbox/webhooks.ts';
import type {
  Dispute,
  Order,
  Payment,
  RazorpayContext,
  RazorpayEvent,
  Refund,
  Subscription,
} from './context.ts';

/** Records what has just happened, as it looks now. Dated by the real clock, as its receiver reads it. */
export function emit(
  context: RazorpayContext,
  type: string,
  about: {
    payment?: Payment;
    order?: Order;
    refund?: Refund;
    subscription?: Subscription;
    dispute?: Dispute;
  },
): void {
  const { dispute, subscription, payment } = about;
  const entities = Object.entries(about).map(([name, entity]) => [name, { entity: structuredClone(entity) }]);
  const event: RazorpayEvent = {
    id: vendorId('evt'),
    type,
    subjectId: dispute?.id ?? subscription?.id ?? payment?.invoice_id ?? payment?.order_id ?? '',
    createdAt: Math.floor(Date.now() / 1000),
    payload: Object.fromEntries(entities),
  };
  context.events.put(event.id, event);
  context.deliver(event);
}

function bodyOf({ type, createdAt, payload }: RazorpayEvent): string {
  return JSON.stringify({
    entity: 'event',
    account_id: 'acc_Sandbox00000001',
    event: type,
    contains: Object.keys(payload),
    payload,
    created_at: createdAt,
  });
}

/** One webhook on its way: every delivery has the same body, and so the same signature. */
export async function postEvent(
  endpoint: WebhookEndpoint,
  event: RazorpayEvent,
  forged: boolean,
): Promise<number | string> {
  const body = bodyOf(event);
  const secret = forged ? `${endpoint.secret}-forged` : endpoint.secret;
  return postWebhook(endpoint.url, {
    headers: {
      'content-type': 'application/json',
      'x-razorpay-signature': createHmac('sha256', secret).update(body).digest('hex'),
      'x-razorpay-event-id': event.id,
      'user-agent': 'Razorpay-Webhook/v1',
    },
    body,
    timeoutMs: answerTimeoutMs,
  });
}

/** https://razorpay.com/docs/webhooks/best-practices/ */
const answerTimeoutMs = 5_000;
