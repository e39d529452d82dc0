/**
 * What Stripe tells us. Verified on the raw bytes, stored with the signal it causes in one transaction, answered; the
 * payment itself is read again at Stripe by its process. A type nothing depends on is stored as ignored.
 *
 * Why it is safe to run twice: an event is unique, so a second delivery answers 200 and changes nothing. What cannot be
 * stored is answered 503, and Stripe delivers it again for days.
 */
import express, { type RequestHandler } from 'express';
import { z } from 'zod';
import { withSystem } from '../../db/client.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import { isBooked } from '../../db/queries/payments/booked-event.ts';
import {
  stripeEvent,
  verifyStripeWebhook,
  WebhookVerificationError,
} from '../../integrations/stripe/webhook.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Problem } from '../problem.ts';
import type { OpenRoute } from '../route.ts';

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
      headers: { 'Stripe-Signature': 't=<seconds>,v1=<HMAC-SHA256 of the body>' },
    },
    responses: {
      200: { description: 'Stored, or known already.', schema: receipt, example: { received: 'stored' } },
    },
    problems: ['invalid_signature', 'payload_too_large', 'unsupported_media_type', 'database_unavailable'],
    handlers: [readRaw, receive(deps)],
  };
}

const BODY_MAX_BYTES = 1024 * 1024;

const receipt = z
  .object({ received: z.enum(['stored', 'known', 'ignored', 'duplicate']) })
  .meta({ id: 'WebhookReceipt' });

/** The signature is over the bytes as they came, whatever type they claim to have. */
const readRaw: RequestHandler = express.raw({ limit: BODY_MAX_BYTES, type: () => true, inflate: false });

function receive({ db, config }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const event = verified(() =>
      verifyStripeWebhook({
        rawBody: Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0),
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
    res.set('Cache-Control', 'no-store').json({ received: outcome } satisfies z.infer<typeof receipt>);
  };
}

function verified<T>(verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    throw new Problem({
      code: 'invalid_signature',
      detail: 'The event cannot be proved to come from Stripe just now; nothing was stored.',
      reason: error.reason,
      cause: error,
    });
  }
}
