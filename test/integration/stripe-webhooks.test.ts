/** Webhooks of the sandbox, received and verified as the API does, and the events the reconciler reads. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CardVendor, CardVendorEvent } from '../../domain/payments/card-payment.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { verifyStripeWebhook } from '../../integrations/stripe/webhook.ts';
import { WebhookVerificationError } from '../../integrations/webhooks/webhook-refusal.ts';

const secret = 'whsec_shared';

/** Answers with the next status of the list, then 200, and keeps what was verified or why it was refused. */
const received: (CardVendorEvent | string)[] = [];
let statuses: number[] = [];
const receiver = createServer((message, response) => {
  const chunks: Buffer[] = [];
  message.on('data', (chunk: Buffer) => chunks.push(chunk));
  message.on('end', () => {
    const status = statuses.shift() ?? 200;
    const outcome = verified(Buffer.concat(chunks), message.headers['stripe-signature']);
    if (status === 200) received.push(outcome);
    response.writeHead(typeof outcome === 'string' ? 400 : status).end();
  });
});

function verified(rawBody: Buffer, signatureHeader: string | string[] | undefined): CardVendorEvent | string {
  try {
    return verifyStripeWebhook({ rawBody, signatureHeader, secrets: [secret], now: new Date() });
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.reason;
    throw error;
  }
}

let sandbox: StripeSandbox;
let vendor: CardVendor;

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
});

beforeEach(async () => {
  received.length = 0;
  statuses = [];
  sandbox = await startStripeSandbox({
    port: 0,
    webhookUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhooks/stripe`,
    webhookSecret: secret,
  });
  vendor = createStripeCardVendor({
    secretKey: 'sk_test_sandbox',
    apiBase: sandbox.url,
    returnUrl: 'https://billing.example.com/return',
  });
});

afterEach(() => sandbox.close());

afterAll(
  () =>
    new Promise((resolve) => {
      receiver.closeAllConnections();
      receiver.close(resolve);
    }),
);

async function chargeCard(outcomes: string[], ordinal = 1) {
  const vendorCustomerId = await vendor.ensureCustomer({
    tenantId: 'ten_1',
    customerId: 'cus_1',
    email: 'ada@example.com',
    name: 'Ada',
  });
  const paymentMethodId = sandbox.createCard({ outcomes });
  await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId });
  return vendor.charge({
    tenantId: 'ten_1',
    customerId: 'cus_1',
    invoiceId: `inv_${ordinal}`,
    attemptId: `att_${ordinal}`,
    vendorCustomerId,
    paymentMethodId,
    amount: { amountMinor: 2900, currency: 'USD' },
    description: 'Invoice',
    idempotencyKey: `invoice:inv_${ordinal}:charge:1`,
  });
}

const types = () => received.map((event) => (typeof event === 'string' ? event : event.type));
const paymentIds = () => received.map((event) => (typeof event === 'string' ? event : event.paymentId));
const outcomeOfDeliveries = () => sandbox.webhookDeliveries().map(({ state }) => state);

describe('webhooks', () => {
  it('tell of every end a charge can take, signed, with the payment they speak of', async () => {
    const charge = await chargeCard(['succeeded'], 1);
    await sandbox.flushWebhooks();
    await chargeCard(['insufficient_funds'], 2);
    await sandbox.flushWebhooks();
    const waiting = await chargeCard(['authentication_required'], 3);
    await sandbox.flushWebhooks();
    await vendor.cancelCharge(waiting.externalId);
    await sandbox.flushWebhooks();
    await chargeCard(['processing'], 4);
    await sandbox.flushWebhooks();
    sandbox.refund({ paymentIntent: charge.externalId });
    await sandbox.flushWebhooks();

    expect(types().toSorted()).toEqual([
      'charge.refunded',
      'payment_intent.canceled',
      'payment_intent.payment_failed',
      'payment_intent.payment_failed',
      'payment_intent.processing',
      'payment_intent.requires_action',
      'payment_intent.succeeded',
    ]);
    expect(paymentIds().at(0)).toBe(charge.externalId);
    expect(paymentIds().at(-1)).toBe(charge.externalId);
  });

  it('are sent again until they are accepted', async () => {
    statuses = [500, 503];
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    expect(types()).toEqual(['payment_intent.succeeded']);
    expect(sandbox.webhookDeliveries()).toMatchObject([{ state: 'delivered', answers: [500, 503, 200] }]);
  });

  it('come several times when the plan says so', async () => {
    sandbox.setFaults({ webhooks: { duplicate: 1, copies: 3 } });
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    expect(types()).toEqual(Array(3).fill('payment_intent.succeeded'));
    expect(new Set(received.map((event) => (event as CardVendorEvent).externalId)).size).toBe(1);
  });

  it('wait while they are held, and come in the order asked for', async () => {
    sandbox.setFaults({ webhooks: { hold: true } });
    const charges = [await chargeCard(['succeeded'], 1), await chargeCard(['succeeded'], 2)];
    expect(outcomeOfDeliveries()).toEqual(['held', 'held']);
    expect(received).toEqual([]);

    await sandbox.flushWebhooks('reversed');
    expect(paymentIds()).toEqual(charges.map(({ externalId }) => externalId).reverse());
  });

  it('are overtaken by the next one when the plan says so', async () => {
    sandbox.setFaults({ webhooks: { reorder: 1 } });
    const first = await chargeCard(['succeeded'], 1);
    const second = await chargeCard(['succeeded'], 2);
    await sandbox.flushWebhooks();
    expect(paymentIds()).toEqual([second.externalId, first.externalId]);
  });

  it('are lost when the plan says so, and stay in the list of events', async () => {
    sandbox.setFaults({ webhooks: { drop: 1 } });
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    expect(received).toEqual([]);
    expect(outcomeOfDeliveries()).toEqual(['dropped']);
    expect((await eventsSince('2020-01-01T00:00:00Z')).map(({ type }) => type)).toEqual([
      'payment_intent.succeeded',
    ]);
  });

  it('that are forged are refused, and the true one still comes', async () => {
    sandbox.setFaults({ webhooks: { forge: 1 } });
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    expect(types().toSorted()).toEqual(['bad_signature', 'payment_intent.succeeded']);
  });

  it('can come once more, long afterwards', async () => {
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    sandbox.redeliverWebhook((received[0] as CardVendorEvent).externalId);
    await sandbox.flushWebhooks();
    expect(types()).toEqual(['payment_intent.succeeded', 'payment_intent.succeeded']);
  });

  it('carry the real time though the sandbox’s clock is moved', async () => {
    sandbox.clock.advance(400 * 24 * 60 * 60);
    await chargeCard(['succeeded']);
    await sandbox.flushWebhooks();
    expect(types()).toEqual(['payment_intent.succeeded']);
  });
});

describe('the list of events', () => {
  it('is read oldest first, over several pages, without those we do not handle', async () => {
    for (let ordinal = 0; ordinal < 120; ordinal += 1) await chargeCard(['succeeded'], ordinal);
    const events = await eventsSince('2020-01-01T00:00:00Z');
    const expected = sandbox.charges().map(({ objectId }) => objectId);
    expect(events.map(({ paymentId }) => paymentId)).toEqual(expected);
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['payment_intent.succeeded']));
  });

  it('starts at the instant asked for', async () => {
    sandbox.clock.set(new Date('2030-01-01T00:00:00Z'));
    await chargeCard(['succeeded'], 1);
    sandbox.clock.advance(3_600);
    const second = await chargeCard(['succeeded'], 2);
    const events = await eventsSince('2030-01-01T00:30:00Z');
    expect(events.map(({ paymentId }) => paymentId)).toEqual([second.externalId]);
  });
});

async function eventsSince(since: string): Promise<CardVendorEvent[]> {
  const events: CardVendorEvent[] = [];
  for await (const event of vendor.listEvents({ since, until: '2040-01-01T00:00:00Z' })) events.push(event);
  return events;
}
