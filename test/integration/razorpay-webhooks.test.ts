/** What the API promises Razorpay: a proved event is stored once before it is answered; anything else leaves no trace. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestAnswer, type TestApi } from '../support/api.ts';
import { razorpayWebhookSecret } from '../support/razorpay.ts';

let api: TestApi;
let count = 0;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const nowSeconds = () => Math.floor(Date.now() / 1000);
const about = (orderId: string) => ({ payment: { entity: { id: `pay_${++count}`, order_id: orderId } } });

function event(type: string, payload: object = about(`order_${++count}`), createdAt = nowSeconds()): string {
  const contains = Object.keys(payload);
  return JSON.stringify({
    entity: 'event',
    account_id: 'acc_1',
    event: type,
    contains,
    payload,
    created_at: createdAt,
  });
}

const sign = (payload: string, key = razorpayWebhookSecret) =>
  createHmac('sha256', key).update(payload).digest('hex');

function send(
  payload: string,
  {
    signature = sign(payload),
    id = `evt_${++count}`,
  }: { signature?: string | null; id?: string | null } = {},
): Promise<TestAnswer> {
  return api.request('POST', '/webhooks/razorpay', {
    key: null,
    body: payload,
    headers: {
      ...(signature !== null && { 'x-razorpay-signature': signature }),
      ...(id !== null && { 'x-razorpay-event-id': id }),
    },
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
  it.each([
    'payment.authorized',
    'payment.captured',
    'payment.failed',
    'order.paid',
    'refund.created',
    'refund.processed',
    'refund.failed',
  ])('%s is stored with the signal to its order’s process, in one transaction', async (type) => {
    const orderId = `order_of_${type.replace('.', '_')}`;
    expect(await send(event(type, about(orderId)), { id: type })).toMatchObject({
      status: 200,
      body: { received: 'stored' },
    });
    const [row] = await api.sql('SELECT * FROM inbox_events WHERE external_id = $1', [type]);
    expect(row).toMatchObject({
      provider: 'razorpay',
      account: 'acc_1',
      type,
      object_id: orderId,
      source: 'webhook',
      status: 'received',
    });
    const [sent] = await api.sql('SELECT * FROM outbox ORDER BY id DESC LIMIT 1');
    expect(sent).toMatchObject({
      topic: 'workflow.signal_with_start',
      envelope: { workflowId: `razorpay-payment/${orderId}`, signalArgs: [{ inboxEventId: row.id }] },
    });
  });

  it.each([
    ['subscription.authenticated', 'subscription', 'sub_1', 'razorpay-collection'],
    ['subscription.activated', 'subscription', 'sub_2', 'razorpay-collection'],
    ['subscription.charged', 'subscription', 'sub_3', 'razorpay-collection'],
    ['subscription.pending', 'subscription', 'sub_4', 'razorpay-collection'],
    ['subscription.halted', 'subscription', 'sub_5', 'razorpay-collection'],
    ['subscription.paused', 'subscription', 'sub_6', 'razorpay-collection'],
    ['subscription.resumed', 'subscription', 'sub_7', 'razorpay-collection'],
    ['subscription.updated', 'subscription', 'sub_8', 'razorpay-collection'],
    ['subscription.cancelled', 'subscription', 'sub_9', 'razorpay-collection'],
    ['subscription.completed', 'subscription', 'sub_10', 'razorpay-collection'],
    ['payment.dispute.created', 'dispute', 'disp_1', 'razorpay-dispute'],
    ['payment.dispute.under_review', 'dispute', 'disp_2', 'razorpay-dispute'],
    ['payment.dispute.action_required', 'dispute', 'disp_3', 'razorpay-dispute'],
    ['payment.dispute.won', 'dispute', 'disp_4', 'razorpay-dispute'],
    ['payment.dispute.lost', 'dispute', 'disp_5', 'razorpay-dispute'],
    ['payment.dispute.closed', 'dispute', 'disp_6', 'razorpay-dispute'],
  ])('%s is stored with the signal to the process of its %s', async (type, part, id, process) => {
    const payment = { entity: { id: 'pay_1', order_id: 'order_1' } };
    expect(await send(event(type, { payment, [part]: { entity: { id } } }))).toMatchObject({
      body: { received: 'stored' },
    });
    const [sent] = await api.sql('SELECT * FROM outbox ORDER BY id DESC LIMIT 1');
    expect(sent.envelope.workflowId).toBe(`${process}/${id}`);
  });

  it('delivered five times at once is stored once and signalled once, and every delivery is answered 200', async () => {
    const payload = event('payment.captured');
    const before = await api.rowCounts();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(payload, { id: 'evt_storm' })));
    const after = await api.rowCounts();
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(answers.map(({ body }) => body.received).sort()).toEqual([
      ...Array(4).fill('duplicate'),
      'stored',
    ]);
    expect((after['inbox_events'] ?? 0) - (before['inbox_events'] ?? 0)).toBe(1);
    expect((after['outbox'] ?? 0) - (before['outbox'] ?? 0)).toBe(1);
  });

  it('of Stripe with the same id is another one', async () => {
    await api.sql(
      "INSERT INTO inbox_events (id, provider, account, external_id, type, source, status, occurred_at) VALUES ('inb_stripe', 'stripe', 'acc_1', 'evt_same', 'x', 'webhook', 'ignored', now())",
    );
    expect(await send(event('order.paid'), { id: 'evt_same' })).toMatchObject({
      body: { received: 'stored' },
    });
  });

  it.each([
    ['of a type nothing depends on', () => event('settlement.processed')],
    [
      'of a payment without an order',
      () => event('payment.captured', { payment: { entity: { id: 'pay_1', order_id: null } } }),
    ],
    ['without anything in it', () => event('order.paid', {})],
  ])('%s is stored as ignored and causes nothing', async (_, made) => {
    const before = await api.rowCounts();
    expect(await send(made())).toMatchObject({ status: 200, body: { received: 'ignored' } });
    const after = await api.rowCounts();
    expect(after['inbox_events']).toBe((before['inbox_events'] ?? 0) + 1);
    expect(after['outbox']).toBe(before['outbox']);
  });

  it('leaves ids and its type with us, nothing else of what the vendor sent', async () => {
    const payment = {
      id: 'pay_private',
      order_id: 'order_private',
      email: 'ada@example.com',
      vpa: 'ada@upi',
    };
    await send(event('payment.captured', { payment: { entity: payment } }));
    const stored = JSON.stringify([
      await api.sql('SELECT * FROM inbox_events'),
      await api.sql('SELECT * FROM outbox'),
    ]);
    expect(stored).toContain('order_private');
    expect(stored).not.toMatch(/ada@example|ada@upi|pay_private/);
  });

  it('of a day ago is taken: so long Razorpay sends it again', async () => {
    expect((await send(event('order.paid', about('order_late'), nowSeconds() - 24 * 3600))).status).toBe(200);
  });
});

describe('what is not proved is refused and leaves no trace', () => {
  const refused = (reason: string) => ({ code: 'invalid_signature', reason });
  const fresh = () => event('payment.captured');

  it('no signature', () =>
    expectNothingWritten(() => send(fresh(), { signature: null }), 400, refused('missing_header')));

  it('no event id', () =>
    expectNothingWritten(() => send(fresh(), { id: null }), 400, refused('missing_header')));

  it('something that is no signature', () =>
    expectNothingWritten(() => send(fresh(), { signature: 'v1=yes' }), 400, refused('malformed_header')));

  it('the signature of another secret', () => {
    const payload = fresh();
    const signature = sign(payload, 'another');
    return expectNothingWritten(() => send(payload, { signature }), 400, refused('bad_signature'));
  });

  it('the signature of another body', () =>
    expectNothingWritten(() => send(fresh(), { signature: sign(fresh()) }), 400, refused('bad_signature')));

  it('one that is older than Razorpay sends it', () =>
    expectNothingWritten(
      () => send(event('order.paid', about('order_1'), nowSeconds() - 26 * 3600)),
      400,
      refused('too_old'),
    ));

  it('one from the future', () =>
    expectNothingWritten(
      () => send(event('order.paid', about('order_1'), nowSeconds() + 400)),
      400,
      refused('in_future'),
    ));

  it.each(['{"hello":1}', 'hello', ''])('one that is signed and no event: %j', (payload) =>
    expectNothingWritten(() => send(payload), 400, refused('malformed_payload')),
  );

  it('more than 1 MiB, although signed', () =>
    expectNothingWritten(() => send(event('order.paid', { padding: 'x'.repeat(1024 * 1024) })), 413, {
      code: 'payload_too_large',
    }));

  it('a compressed body, whose bytes cannot be those that were signed', () => {
    const body = fresh();
    return expectNothingWritten(
      () =>
        api.request('POST', '/webhooks/razorpay', {
          key: null,
          body,
          headers: {
            'content-encoding': 'gzip',
            'x-razorpay-signature': sign(body),
            'x-razorpay-event-id': 'evt_gzip',
          },
        }),
      415,
      { code: 'unsupported_media_type' },
    );
  });
});
