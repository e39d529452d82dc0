/**
 * What Plaid tells us. Verified on the raw bytes by a key that Plaid shows, stored with the signal it causes in one transaction;
 * what it speaks of is read again at Plaid by the connection's process. An event about no connection of ours, or of a type
 * nothing depends on, is stored as ignored.
 *
 * Why it is safe to run twice: a delivery is unique, so a copy of it answers 200 and changes nothing; one that Plaid has signed
 * anew causes one look more, which finds nothing new. What cannot be stored, or not be verified because its key cannot be
 * asked for, is answered 503, and Plaid delivers it again.
 */
import type { RequestHandler } from 'express';
import { withSystem } from '../../db/client.ts';
import { storeFeedEvent } from '../../db/queries/operations/inbox.ts';
import {
  PLAID_SIGNATURE_HEADER,
  plaidEvent,
  verifyPlaidWebhook,
} from '../../integrations/plaid/verify-webhook.ts';
import { WebhookVerificationError } from '../../integrations/webhooks/webhook-refusal.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { OpenRoute } from '../route.ts';
import { answerReceipt, provedByKey, rawBodyOf, readRaw, webhookResponses } from '../webhook.ts';

export function plaidWebhook(deps: ApiDependencies): OpenRoute {
  return {
    method: 'post',
    path: '/webhooks/plaid',
    operationId: 'receivePlaidEvent',
    tag: 'Webhooks',
    summary: 'Receive an event of Plaid',
    description:
      'Proved by the Plaid-Verification header, not by an API key. Nothing is to be registered: every connection names this address.',
    request: {
      mediaType: 'application/json',
      schema: plaidEvent,
      headers: {
        'Plaid-Verification': {
          description: 'A JWT (ES256) with its time and the SHA-256 of the body.',
          example: 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJpYXQiOjF9.c2lnbmF0dXJl',
        },
      },
    },
    responses: webhookResponses.responses,
    problems: [
      ...(webhookResponses.problems ?? []),
      'vendor_unavailable',
      'vendor_rejected_request',
      'rate_limited',
    ],
    handlers: [readRaw, receive(deps)],
  };
}

function receive({ db, feedKeys, config }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const event = await provedByKey(req, 'Plaid', () => {
      // Nobody's keys are believed where no bank is connected by Plaid.
      if (!config.plaid.enabled) throw new WebhookVerificationError('bad_signature');
      return verifyPlaidWebhook({
        rawBody: rawBodyOf(req),
        signatureHeader: req.headers[PLAID_SIGNATURE_HEADER],
        keys: feedKeys,
        // Real time, also where business time is virtual: it is the vendor's clock that dates the delivery.
        now: new Date(),
      });
    });
    const { outcome } = await withSystem(db, (tx) => storeFeedEvent(tx, { event }));
    req.log.info({ eventId: event.externalId, eventType: event.type, outcome }, 'webhook');
    answerReceipt(res, outcome);
  };
}
