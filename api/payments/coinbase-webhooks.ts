/**
 * What Coinbase tells us, of two of its products. Verified on the raw bytes. An event of Coinbase Business is stored with the
 * signal it causes in one transaction; what it speaks of is read again there by its process. Coinbase closed Commerce on
 * 2026-03-31: nothing can be read there any more, and no charge made; an event about one that was made before is booked as it
 * was signed, and then stored.
 *
 * Why it is safe to run twice: an event is unique, so a second delivery answers 200 and changes nothing. A payment of a charge
 * is booked once, by its id, so that after a crash between booking and storing the next delivery finds it booked. What cannot
 * be stored is answered 503, and Coinbase delivers it again.
 */
import type { Request, RequestHandler } from 'express';
import { withSystem, withTenant } from '../../db/client.ts';
import { storeCheckoutEvent, storeCommerceEvent } from '../../db/queries/operations/inbox.ts';
import { bookCommerceCharge } from '../../db/queries/payments/book-checkout.ts';
import type { ProviderCheckout } from '../../domain/payments/coinbase-checkout.ts';
import { coinbaseEvent, verifyCoinbaseWebhook } from '../../integrations/coinbase-business/webhook.ts';
import { commerceDelivery, verifyCommerceWebhook } from '../../integrations/coinbase-commerce/webhook.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { OpenRoute } from '../route.ts';
import { answerReceipt, proved, rawBodyOf, readRaw, webhookResponses } from '../webhook.ts';

export function coinbaseWebhook(deps: ApiDependencies): OpenRoute {
  return {
    method: 'post',
    path: '/webhooks/coinbase',
    operationId: 'receiveCoinbaseEvent',
    tag: 'Webhooks',
    summary: 'Receive an event of Coinbase Business',
    description:
      'Proved by the X-Hook0-Signature header, not by an API key. Subscribe it to the events of checkouts.',
    request: {
      mediaType: 'application/json',
      schema: coinbaseEvent.meta({ description: 'The checkout, with the type of the event.' }),
      headers: {
        'X-Hook0-Signature': {
          description: 'HMAC-SHA256 of the time, the headers it names and the body, in hex.',
          example:
            't=1796550000,h=content-type x-event-id,v1=dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82',
        },
      },
    },
    ...webhookResponses,
    handlers: [readRaw, receive(deps)],
  };
}

export function coinbaseCommerceWebhook(deps: ApiDependencies): OpenRoute {
  return {
    method: 'post',
    path: '/webhooks/coinbase_commerce',
    operationId: 'receiveCoinbaseCommerceEvent',
    tag: 'Webhooks',
    summary: 'Receive an event of Coinbase Commerce, about a charge made before it was closed',
    description:
      'Proved by the X-CC-Webhook-Signature header, not by an API key. Coinbase closed Commerce on 2026-03-31; new checkouts are made at Coinbase Business.',
    request: {
      mediaType: 'application/json',
      schema: commerceDelivery.meta({ description: 'The delivery of an event.' }),
      headers: {
        'X-CC-Webhook-Signature': {
          description: 'HMAC-SHA256 of the body, in hex.',
          example: 'dd0f51ec9e75790ad1f7cc8e1a83d12f0a58a9641601a3cffa5c695972543c82',
        },
      },
    },
    ...webhookResponses,
    handlers: [readRaw, receiveCommerce(deps)],
  };
}

function receive({ db, config }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const event = proved(req, 'Coinbase', () =>
      verifyCoinbaseWebhook({
        rawBody: rawBodyOf(req),
        headers: req.headers,
        secrets: config.coinbase.webhookSecrets,
        // Real time, also where business time is virtual: it is the vendor's clock that dates the delivery.
        now: new Date(),
      }),
    );
    const { outcome } = await withSystem(db, (tx) => storeCheckoutEvent(tx, { event }));
    req.log.info({ eventId: event.externalId, eventType: event.type, outcome }, 'webhook');
    answerReceipt(res, outcome);
  };
}

function receiveCommerce({ db, config, clock }: ApiDependencies): RequestHandler {
  return async (req, res) => {
    const { charge, ...event } = proved(req, 'Coinbase Commerce', () =>
      verifyCommerceWebhook({
        rawBody: rawBodyOf(req),
        signatureHeader: req.headers['x-cc-webhook-signature'],
        secrets: config.coinbase.commerceWebhookSecrets,
        now: new Date(),
      }),
    );
    const isBooked = charge !== null && (await book(req, { db, seen: charge, at: clock() }));
    const checkoutId = isBooked ? charge.owner.checkoutId : null;
    const { outcome } = await withSystem(db, (tx) =>
      storeCommerceEvent(tx, { event: { ...event, checkoutId } }),
    );
    req.log.info({ eventId: event.externalId, eventType: event.type, outcome }, 'webhook');
    answerReceipt(res, outcome);
  };
}

async function book(
  { log }: Pick<Request, 'log'>,
  { db, seen, at }: Pick<ApiDependencies, 'db'> & { seen: ProviderCheckout; at: Date },
): Promise<boolean> {
  const isOurs = await withTenant(db, seen.owner.tenantId, (tx) => bookCommerceCharge(tx, { seen, at }));
  if (!isOurs) log.warn({ chargeId: seen.externalId }, 'a charge for no invoice of ours was ignored');
  return isOurs;
}
