/**
 * What Razorpay tells us. Verified on the raw bytes, stored with the signal it causes in one transaction, answered well within
 * Razorpay's five seconds; what it speaks of is read again at Razorpay by its process. A type nothing depends on is stored as
 * ignored.
 *
 * Why it is safe to run twice: an event is unique, so a second delivery answers 200 and changes nothing. What cannot be
 * stored is answered 503, and Razorpay delivers it again for a day.
 */
import type { RequestHandler } from 'express';
import { withSystem } from '../../db/client.ts';
import { storeOrderEvent } from '../../db/queries/operations/inbox.ts';
import { razorpayEvent, verifyRazorpayWebhook } from '../../integrations/razorpay/webhook.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { OpenRoute } from '../route.ts';
import { answerReceipt, proved, rawBodyOf, readRaw, webhookResponses } from '../webhook.ts';

export function razorpayWebhook(deps: ApiDependencies): OpenRoute {
  return {
    method: 'post',
    path: '/webhooks/razorpay',
    operationId: 'receiveRazorpayEvent',
    tag: 'Webhooks',
    summary: 'Receive an event of Razorpay',
    description:
      'Proved by the X-Razorpay-Signature header, not by an API key. Register it in the Razorpay dashboard.',
    request: {
      mediaType: 'application/json',
      schema: razorpayEvent.meta({ description: "Razorpay's event." }),
      headers: {
        'X-Razorpay-Signature': {
          description: 'HMAC-SHA256 of the body, in hex.',
          example: 'dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82',
        },
        'X-Razorpay-Event-Id': {
          description: 'The id of the event, the same for every delivery.',
          example: 'IluGWxBm9U8zJ8',
        },
      },
    },
    ...webhookResponses,
    handlers: [readRaw, receive(deps)],
  };
}

function receive({ db, config }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const { account, ...event } = proved(req, 'Razorpay', () =>
      verifyRazorpayWebhook({
        rawBody: rawBodyOf(req),
        signatureHeader: req.headers['x-razorpay-signature'],
        eventIdHeader: req.headers['x-razorpay-event-id'],
        secrets: config.razorpay.webhookSecrets,
        // Real time, also where business time is virtual: it is the vendor's clock that dates the event.
        now: new Date(),
      }),
    );
    const { outcome } = await withSystem(db, (tx) => storeOrderEvent(tx, { event, account }));
    req.log.info({ eventId: event.externalId, eventType: event.type, outcome }, 'webhook');
    answerReceipt(res, outcome);
  };
}
