/** What tests and the demo can do to any sandbox's webhooks, and the control endpoints for it. */
import { z } from 'zod';
import { control, jsonBody } from './control-routes.ts';
import { jsonAnswer, type Route } from './http.ts';
import type {
  FlushOrder,
  SandboxEvent,
  WebhookDelivery,
  WebhookEndpoint,
  WebhookSender,
} from './webhooks.ts';

export type WebhookControl = {
  webhookDeliveries(): WebhookDelivery[];
  /** Without `events` all that we act on are sent. */
  setWebhookEndpoint(
    endpoint: Omit<WebhookEndpoint, 'events'> & { events?: readonly string[] | undefined },
  ): void;
  /** Releases held webhooks and waits until none is pending. */
  flushWebhooks(order?: FlushOrder): Promise<void>;
  /** Sends an event once more, as the vendor may do days later. */
  redeliverWebhook(eventId: string): void;
};

export function createWebhookControl<Event extends SandboxEvent>(
  webhooks: WebhookSender<Event>,
  eventTypes: readonly string[],
): WebhookControl {
  return {
    webhookDeliveries: () => webhooks.deliveries(),
    setWebhookEndpoint: ({ url, secret, events = eventTypes }) =>
      webhooks.setEndpoint({ url, secret, events }),
    flushWebhooks: (order) => webhooks.flush(order),
    redeliverWebhook: (eventId) => webhooks.redeliver(eventId),
  };
}

const endpoint = z.strictObject({
  url: z.url(),
  secret: z.string().min(1),
  events: z.array(z.string()).optional(),
});

export function webhookControlRoutes(actions: WebhookControl): Route[] {
  return [
    control('GET', '/_sandbox/webhooks', () => jsonAnswer(200, { deliveries: actions.webhookDeliveries() })),
    control('POST', '/_sandbox/webhooks/endpoint', (request) => {
      actions.setWebhookEndpoint(endpoint.parse(jsonBody(request)));
      return jsonAnswer(200, { configured: true });
    }),
    control('POST', '/_sandbox/webhooks/flush', async (request) => {
      const body = z
        .strictObject({ order: z.enum(['created', 'reversed', 'shuffled']).optional() })
        .parse(jsonBody(request));
      await actions.flushWebhooks(body.order);
      return jsonAnswer(200, { flushed: true });
    }),
    control('POST', '/_sandbox/webhooks/redeliver', (request) => {
      const { eventId } = z.strictObject({ eventId: z.string() }).parse(jsonBody(request));
      actions.redeliverWebhook(eventId);
      return jsonAnswer(200, { redelivering: eventId });
    }),
  ];
}
