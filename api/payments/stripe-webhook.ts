/**
 * What Stripe tells us. Verified on the raw bytes, stored with the signal it causes in one transaction, answered; the
 * payment itself is read again at Stripe by its process. A type nothing depends on is stored as ignored.
 *
 * Why it is safe to run twice: an event is unique, so a second delivery answers 200 and changes nothing. What cannot be
 * stored is answered 503, and Stripe delivers it again for days.
 */
import type { RequestHandler } from 'express';
import { withSystem } from '../../db/client.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import { isBooked } from '../../db/queries/payments/booked-event.ts';
import { stripeEvent, verifyStripeWebhook } from '../../integrations/stripe/webhook.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { OpenRoute } from '../route.ts';
import { answerReceipt, proved, rawBodyOf, readRaw, webhookResponses } from '../webhook.ts';

export function stripeWebhook(deps: ApiDependencies): OpenRoute {
  return {
    method: 'post',
    path: '/webhooks/stripe',
    operationId: 'receiveStripeEvent',
    tag: 'Webhooks',
    summary: 'Receive an event of Stripe',
    description:
      'Proved by the Stripe-Signature header, not by an API key. Register it in the Stripe dashboard.',
    request: {
      mediaType: 'application/json',
      schema: stripeEvent.meta({ description: "Stripe's Event object." }),
      headers: {
        'Stripe-Signature': {
          description: 'Seconds, and the HMAC-SHA256 of both in hex.',
          example: 't=1795770000,v1=dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82',
        },
      },
    },
    ...webhookResponses,
    handlers: [readRaw, receive(deps)],
  };
}

function receive({ db, config }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const event = proved(req, 'Stripe', () =>
      verifyStripeWebhook({
        rawBody: rawBodyOf(req),
        signatureHeader: req.headers['stripe-signature'],
        secrets: config.stripe.webhookSecrets,
        // Real time, also where business time is virtual: it is the vendor's clock that signs.
        now: new Date(),
      }),
    );
    const known = await isBooked(db, event);
    const { outcome } = await withSystem(db, (tx) =>
      storeCardEvent(tx, { event, account: event.account, known, source: 'webhook' }),
    );
    req.log.info({ eventId: event.externalId, eventType: event.type, outcome }, 'webhook');
    answerReceipt(res, outcome);
  };
}
