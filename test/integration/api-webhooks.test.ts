/** What the API promises Stripe: a proved event is stored once before it is answered; anything else leaves no trace. */
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApi, type TestAnswer, type TestApi, testConfig } from '../support/api.ts';

const [secret = ''] = testConfig.stripe.webhookSecrets;
let api: TestApi;
let count = 0;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

type Event = { id: string; type: string; [field: string]: unknown };

function event(
  type: string,
  object: Record<string, unknown> = { object: 'payment_intent', id: `pi_${++count}` },
): Event {
  const created = Math.floor(Date.now() / 1000);
  return { id: `evt_${++count}`, object: 'event', type, created, data: { object } };
}

function sign(payload: string, { timestamp = Math.floor(Date.now() / 1000), key = secret } = {}): string {
  return Stripe.webhooks.generateTestHeaderString({ payload, secret: key, timestamp });
}

function send(payload: string, signature: string | null = sign(payload)): Promise<TestAnswer> {
  return api.request('POST', '/webhooks/stripe', {
    key: null,
    body: payload,
    headers: signature === null ? {} : { 'stripe-signature': signature },
  });
}

async function expectNothingWritten(
  request: () => Promise<TestAnswer>,
  status: number,
  body: object,
): Promise<void> {
  const before = await api.rowCounts();
  expect(await request()).toMatchObject({ status, body });
  expect(await api.rowCounts()).toEqual(before);
}

describe('an event', () => {
  it('about a payment is stored with the signal to its process, in one transaction', async () => {
    const payment = event('payment_intent.succeeded', { object: 'payment_intent', id: 'pi_booked' });
    expect(await send(JSON.stringify(payment))).toMatchObject({ status: 200, body: { received: 'stored' } });

    const [row] = await api.sql('SELECT * FROM inbox_events WHERE external_id = $1', [payment.id]);
    expect(row).toMatchObject({
      provider: 'stripe',
      type: 'payment_intent.succeeded',
      object_id: 'pi_booked',
      source: 'webhook',
      status: 'received',
    });
    const [sent] = await api.sql('SELECT * FROM outbox ORDER BY id DESC LIMIT 1');
    expect(sent).toMatchObject({
      topic: 'workflow.signal_with_start',
      envelope: { workflowId: 'card-payment/pi_booked', signalArgs: [{ inboxEventId: row.id }] },
    });
  });

  it('delivered five times at once is stored once and signalled once, and every delivery is answered 200', async () => {
    const payload = JSON.stringify(event('payment_intent.payment_failed'));
    const before = await api.rowCounts();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(payload)));
    const after = await api.rowCounts();

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(answers.map(({ body }) => body.received).sort()).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
      'duplicate',
      'stored',
    ]);
    expect((after['inbox_events'] ?? 0) - (before['inbox_events'] ?? 0)).toBe(1);
    expect((after['outbox'] ?? 0) - (before['outbox'] ?? 0)).toBe(1);
  });

  it('of a refund finds the payment it belongs to', async () => {
    const refund = event('charge.refunded', { object: 'charge', id: 'ch_1', payment_intent: 'pi_refunded' });
    expect(await send(JSON.stringify(refund))).toMatchObject({ body: { received: 'stored' } });
    const [row] = await api.sql('SELECT object_id FROM inbox_events WHERE external_id = $1', [refund.id]);
    expect(row.object_id).toBe('pi_refunded');
  });

  it('of a type nothing depends on is stored as ignored and causes nothing', async () => {
    const before = await api.rowCounts();
    const answer = await send(JSON.stringify(event('customer.created', { object: 'customer', id: 'cus_1' })));
    expect(answer).toMatchObject({ status: 200, body: { received: 'ignored' } });
    const after = await api.rowCounts();
    expect(after['inbox_events']).toBe((before['inbox_events'] ?? 0) + 1);
    expect(after['outbox']).toBe(before['outbox']);
  });

  it('leaves ids and its type with us, nothing else of what the vendor sent', async () => {
    const payment = event('payment_intent.succeeded', {
      object: 'payment_intent',
      id: 'pi_private',
      receipt_email: 'ada@example.com',
      charges: { data: [{ billing_details: { name: 'Ada Lovelace' } }] },
    });
    await send(JSON.stringify(payment));
    const stored = JSON.stringify([
      await api.sql('SELECT * FROM inbox_events'),
      await api.sql('SELECT * FROM outbox'),
    ]);
    expect(stored).toContain('pi_private');
    expect(stored).not.toMatch(/ada@example|Lovelace|receipt_email/);
  });

  it('of 299 seconds ago is taken', async () => {
    const payload = JSON.stringify(event('payment_intent.succeeded'));
    const now = Math.floor(Date.now() / 1000);
    vi.useFakeTimers({ toFake: ['Date'], now: now * 1000 });
    try {
      expect((await send(payload, sign(payload, { timestamp: now - 299 }))).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('what is not proved is refused and leaves no trace', () => {
  const refused = (reason: string) => ({ code: 'invalid_signature', reason });
  const fresh = () => JSON.stringify(event('payment_intent.succeeded'));

  it('no signature', () => expectNothingWritten(() => send(fresh(), null), 400, refused('missing_header')));

  it('something that is no signature', () =>
    expectNothingWritten(() => send(fresh(), 'v1=yes'), 400, refused('malformed_header')));

  it('the signature of another secret', async () => {
    const payload = fresh();
    await expectNothingWritten(
      () => send(payload, sign(payload, { key: 'whsec_other' })),
      400,
      refused('bad_signature'),
    );
  });

  it('the signature of another body', () =>
    expectNothingWritten(() => send(fresh(), sign(fresh())), 400, refused('bad_signature')));

  it('a stale one', async () => {
    const payload = fresh();
    const timestamp = Math.floor(Date.now() / 1000) - 310;
    await expectNothingWritten(() => send(payload, sign(payload, { timestamp })), 400, refused('too_old'));
  });

  it('one from the future', async () => {
    const payload = fresh();
    const timestamp = Math.floor(Date.now() / 1000) + 310;
    await expectNothingWritten(() => send(payload, sign(payload, { timestamp })), 400, refused('in_future'));
  });

  it('one that is signed and no event', () =>
    expectNothingWritten(() => send('{"hello":1}'), 400, refused('malformed_payload')));

  it('one that is signed and no JSON', () =>
    expectNothingWritten(() => send('hello'), 400, refused('malformed_payload')));

  it('an empty body', () => expectNothingWritten(() => send(''), 400, refused('malformed_payload')));

  it('more than 1 MiB, although signed', async () => {
    const payload = JSON.stringify({
      ...event('payment_intent.succeeded'),
      padding: 'x'.repeat(1024 * 1024),
    });
    await expectNothingWritten(() => send(payload), 413, { code: 'payload_too_large' });
  });

  it('a compressed body, whose bytes cannot be those that were signed', () =>
    expectNothingWritten(
      () =>
        api.request('POST', '/webhooks/stripe', {
          key: null,
          body: fresh(),
          headers: { 'content-encoding': 'gzip', 'stripe-signature': sign(fresh()) },
        }),
      415,
      { code: 'unsupported_media_type' },
    ));

  it.each([
    '/webhooks/stripe/',
    '/webhooks/razorpay/',
    '/webhooks/coinbase/',
    '//webhooks/stripe',
    '//webhooks/razorpay',
    '/Webhooks/Razorpay',
    '/webhooks',
    '/webhooks/',
  ])('never a redirect: %s is 404', async (path) => {
    const body = fresh();
    await expectNothingWritten(
      () => api.request('POST', path, { key: null, body, headers: { 'stripe-signature': sign(body) } }),
      404,
      { code: 'not_found' },
    );
  });

  it.each(['/webhooks/stripe', '/webhooks/razorpay', '/webhooks/coinbase', '/webhooks/coinbase_commerce'])(
    'only a POST: GET %s is 405',
    async (path) => {
      await expectNothingWritten(() => api.request('GET', path), 405, { code: 'method_not_allowed' });
    },
  );
});
