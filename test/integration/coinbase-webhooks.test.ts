/**
 * What the API promises Coinbase: a proved event is stored once before it is answered, and what Commerce says of a charge is
 * booked once; anything else leaves no trace.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import {
  type Json,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
  testConfig,
} from '../support/api.ts';
import { businessHeaders, commerceHeaders } from '../support/coinbase-webhooks.ts';
import { booksOf } from './coinbase-scene.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  tenant = await api.tenant();
});
afterAll(() => api.close());

function post(path: string, body: string, headers: Record<string, string>): Promise<TestAnswer> {
  return api.request('POST', path, { key: null, body, headers });
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

const refused = (reason: string) => ({ code: 'invalid_signature', reason });

describe('an event of Coinbase Business', () => {
  const event = (eventType: string, metadata: object = owner()) =>
    JSON.stringify({
      id: '68f7a946db0529ea9b6d3a12',
      eventType,
      metadata,
      status: 'COMPLETED',
      payerEmail: 'ada@example.com',
      updatedAt: new Date().toISOString(),
    });
  const owner = () => ({ tenantId: 'ten_1', invoiceId: 'inv_1', checkoutId: newId('cbc') });
  const send = (payload: string, options: Partial<Parameters<typeof businessHeaders>[1]> = {}) =>
    post('/webhooks/coinbase', payload, businessHeaders(payload, { id: randomUUID(), ...options }));

  it.each([
    'checkout.payment.success',
    'checkout.payment.failed',
    'checkout.payment.expired',
    'checkout.refund.success',
    'checkout.refund.failed',
  ])('%s is stored with the signal to its checkout’s process, in one transaction', async (type) => {
    const [id, about] = [randomUUID(), owner()];
    expect(await send(event(type, about), { id })).toMatchObject({
      status: 200,
      body: { received: 'stored' },
    });
    const [row] = await api.sql('SELECT * FROM inbox_events WHERE external_id = $1', [id]);
    expect(row).toMatchObject({
      provider: 'coinbase',
      type,
      object_id: about.checkoutId,
      source: 'webhook',
      status: 'received',
    });
    const [sent] = await api.sql('SELECT * FROM outbox ORDER BY id DESC LIMIT 1');
    expect(sent).toMatchObject({
      topic: 'workflow.signal_with_start',
      envelope: {
        workflowId: `coinbase-checkout/${about.checkoutId}`,
        args: [{ checkoutId: about.checkoutId }],
        signalArgs: [{ inboxEventId: row.id }],
      },
    });
    expect(JSON.stringify([row, sent])).not.toContain('ada@example.com');
  });

  it('delivered five times at once is stored once and signalled once, and every delivery is answered 200', async () => {
    const [payload, id] = [event('checkout.payment.success'), randomUUID()];
    const before = await api.rowCounts();
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(payload, { id })));
    const after = await api.rowCounts();
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(answers.map(({ body }) => body.received).sort()).toEqual([
      ...Array(4).fill('duplicate'),
      'stored',
    ]);
    expect((after['inbox_events'] ?? 0) - (before['inbox_events'] ?? 0)).toBe(1);
    expect((after['outbox'] ?? 0) - (before['outbox'] ?? 0)).toBe(1);
  });

  it.each([
    ['of a type nothing depends on', () => event('checkout.created')],
    ['of a checkout of another program', () => event('checkout.payment.success', { order_id: '7' })],
  ])('%s is stored as ignored and causes nothing', async (_, made) => {
    const before = await api.rowCounts();
    expect(await send(made())).toMatchObject({ status: 200, body: { received: 'ignored' } });
    const after = await api.rowCounts();
    expect(after['inbox_events']).toBe((before['inbox_events'] ?? 0) + 1);
    expect(after['outbox']).toBe(before['outbox']);
  });

  const fresh = () => event('checkout.payment.success');
  const ago = (seconds: number) => Math.floor(Date.now() / 1000) - seconds;

  it('without a signature leaves no trace', () =>
    expectNothingWritten(() => post('/webhooks/coinbase', fresh(), {}), 400, refused('missing_header')));
  it('signed with another secret leaves no trace', () =>
    expectNothingWritten(() => send(fresh(), { secret: 'guessed' }), 400, refused('bad_signature')));
  it('signed for another body leaves no trace', () =>
    expectNothingWritten(
      () => post('/webhooks/coinbase', fresh(), businessHeaders(fresh().concat(' '), { id: 'evt' })),
      400,
      refused('bad_signature'),
    ));
  it('signed with the secret of Commerce leaves no trace', () =>
    expectNothingWritten(
      () => post('/webhooks/coinbase', fresh(), commerceHeaders(fresh())),
      400,
      refused('missing_header'),
    ));
  it('of more than five minutes ago leaves no trace', () =>
    expectNothingWritten(() => send(fresh(), { seconds: ago(310) }), 400, refused('too_old')));
  it('of the future leaves no trace', () =>
    expectNothingWritten(() => send(fresh(), { seconds: ago(-310) }), 400, refused('in_future')));
  it.each(['{"hello":1}', 'hello', ''])('that is %j leaves no trace, although signed', (payload) =>
    expectNothingWritten(() => send(payload), 400, refused('malformed_payload')),
  );
  it('of more than 1 MiB leaves no trace, although signed', () =>
    expectNothingWritten(
      () => send(event('checkout.payment.success', { padding: 'x'.repeat(1024 * 1024) })),
      413,
      { code: 'payload_too_large' },
    ));
});

describe('an event of Coinbase Commerce', () => {
  type Told = {
    id?: string;
    type?: string;
    charge?: string;
    owner?: object;
    payments?: object[];
    timeline?: string[];
    price?: { amount: string; currency: string };
  };
  const payment = (transaction_id: string, amount = '29.00', status = 'CONFIRMED', currency = 'USD') => ({
    transaction_id,
    status,
    detected_at: new Date(Date.now() - 60_000).toISOString(),
    value: { local: { amount, currency }, crypto: { amount: '0.01', currency: 'ETH' } },
  });
  const told = ({
    id = randomUUID(),
    type = 'charge:confirmed',
    charge = randomUUID(),
    owner = {},
    payments = [payment(`0x${randomUUID()}`)],
    timeline = ['NEW', 'PENDING', 'COMPLETED'],
    price = { amount: '29.00', currency: 'USD' },
  }: Told): string => {
    const time = (minute: number) => new Date(Date.now() - (10 - minute) * 60_000).toISOString();
    const entries = timeline.map((status, minute) => ({ status, time: time(minute) }));
    return JSON.stringify({
      attempt_number: 1,
      event: {
        id,
        type,
        created_at: new Date().toISOString(),
        data: {
          id: charge,
          pricing: { local: price },
          metadata: owner,
          timeline: entries.toReversed(),
          payments,
          created_at: time(0),
        },
      },
    });
  };
  const send = (payload: string, headers = commerceHeaders(payload)) =>
    post('/webhooks/coinbase_commerce', payload, headers);

  async function openInvoice(currency = 'USD') {
    const { tenantId, token } = tenant;
    const make = async (path: string, body: object): Promise<Json> =>
      (await api.request('POST', path, { token, body })).body;
    const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency };
    const customerId = (await make('/v1/customers', person)).id;
    const subscription = await make('/v1/subscriptions', { customerId, planCode: 'pro-monthly' });
    const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
    const invoiceId = await withTenant(api.db, tenantId, async (tx) => {
      const context = await lockSubscription(tx, subscription.id);
      return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
    });
    return { tenantId, invoiceId };
  }
  const books = (owner: { tenantId: string; invoiceId: string }) => booksOf(api, owner);

  it('about a charge that is paid settles its invoice once, however often it is delivered', async () => {
    const owner = await openInvoice();
    const payload = told({ owner });
    const answers = await Promise.all(Array.from({ length: 4 }, () => send(payload)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.map(({ body }) => body.received).sort()).toEqual([
      'duplicate',
      'duplicate',
      'duplicate',
      'known',
    ]);
    expect(await books(owner)).toMatchObject({ invoice: 'paid 2900', payments: ['coinbase 2900'] });
    const [event] = await api.sql("SELECT * FROM inbox_events WHERE provider = 'coinbase_commerce'");
    expect(event).toMatchObject({ status: 'processed', type: 'charge:confirmed' });
  });

  it('that comes again as another event, after a crash or out of order, changes nothing', async () => {
    const owner = await openInvoice();
    const [charge, payments] = [randomUUID(), [payment('0xone')]];
    await send(told({ owner, charge, payments }));
    await send(told({ owner, charge, payments, type: 'charge:resolved' }));
    const early = { type: 'charge:pending', timeline: ['NEW', 'PENDING'] };
    await send(told({ owner, charge, ...early, payments: [payment('0xone', '29.00', 'PENDING')] }));
    expect(await books(owner)).toMatchObject({ payments: ['coinbase 2900'] });
    const [row] = await api.sql('SELECT * FROM coinbase_checkouts WHERE invoice_id = $1', [owner.invoiceId]);
    expect(row).toMatchObject({
      id: `cbc_${charge.replaceAll('-', '')}`,
      provider: 'commerce',
      status: 'completed',
      external_id: charge,
      received: '0.01 ETH',
      transaction_id: '0xone',
    });
    const read = await api.request('GET', `/v1/coinbase_checkouts/${row.id}`, { token: tenant.token });
    expect(read).toMatchObject({ status: 200, body: { provider: 'commerce', url: null } });
  });

  it('about a second payment, in parts or too late, books each of them', async () => {
    const owner = await openInvoice();
    const charge = randomUUID();
    const first = payment('0xa', '10.00');
    await send(told({ owner, charge, payments: [first], timeline: ['NEW', 'UNRESOLVED'] }));
    expect(await books(owner)).toMatchObject({ invoice: 'open 1000' });
    const both = [first, payment('0xb', '25.00')];
    const late = { type: 'charge:delayed', timeline: ['NEW', 'EXPIRED'] };
    await send(told({ owner, charge, payments: both, ...late }));
    expect(await books(owner)).toMatchObject({
      invoice: 'paid 2900',
      payments: ['coinbase 1000', 'coinbase 2500 (1900)'],
      creditMinor: 600,
    });
  });

  it('about a charge that nobody has paid books nothing, and remembers it', async () => {
    const owner = await openInvoice();
    const expired = { type: 'charge:failed', payments: [], timeline: ['NEW', 'EXPIRED'] };
    expect(await send(told({ owner, ...expired }))).toMatchObject({ body: { received: 'known' } });
    expect(await books(owner)).toMatchObject({ invoice: 'open 0', payments: [] });
    const rows = await api.sql('SELECT status FROM coinbase_checkouts WHERE invoice_id = $1', [
      owner.invoiceId,
    ]);
    expect(rows).toEqual([{ status: 'expired' }]);
  });

  it.each<[string, () => Promise<Told> | Told]>([
    ['of another program', () => ({ owner: { order: '7' } })],
    ['of an invoice that is not there', () => ({ owner: { ...tenantOf(), invoiceId: newId('inv') } })],
    [
      'of a tenant that is not there',
      async () => ({ owner: { ...(await openInvoice()), tenantId: newId('ten') } }),
    ],
    [
      'in another currency than its invoice',
      async () => ({
        owner: await openInvoice(),
        price: { amount: '29.00', currency: 'EUR' },
        payments: [payment('0xeur', '29.00', 'CONFIRMED', 'EUR')],
      }),
    ],
  ])('about a charge %s is stored as ignored and books nothing', async (_, made) => {
    const payload = told(await made());
    const before = await api.rowCounts();
    expect(await send(payload)).toMatchObject({ status: 200, body: { received: 'ignored' } });
    const after = await api.rowCounts();
    expect(after['inbox_events']).toBe((before['inbox_events'] ?? 0) + 1);
    for (const table of ['payments', 'coinbase_checkouts', 'outbox', 'ledger_entries']) {
      expect([table, after[table]]).toEqual([table, before[table]]);
    }
  });
  const tenantOf = () => ({ tenantId: tenant.tenantId });

  it('that is forged settles nothing and leaves no trace', async () => {
    const owner = await openInvoice();
    const payload = told({ owner });
    const forged =
      (headers: Record<string, string>, body = payload) =>
      () =>
        send(body, headers);
    await expectNothingWritten(forged({}), 400, refused('missing_header'));
    await expectNothingWritten(forged(commerceHeaders(payload, 'guessed')), 400, refused('bad_signature'));
    const business = testConfig.coinbase.webhookSecrets[0] ?? '';
    await expectNothingWritten(forged(commerceHeaders(payload, business)), 400, refused('bad_signature'));
    // The same JSON in other bytes: what is signed are bytes, not what a parser makes of them.
    const respelled = JSON.stringify(JSON.parse(payload), null, 1);
    await expectNothingWritten(forged(commerceHeaders(payload), respelled), 400, refused('bad_signature'));
    expect(await books(owner)).toMatchObject({ invoice: 'open 0', payments: [] });
  });
});

describe('where Coinbase is not set up in production', () => {
  const coinbase = {
    ...testConfig.coinbase,
    enabled: false,
    webhookSecrets: [],
    commerceWebhookSecrets: [],
  };

  it('no checkout is made, the answer says what to set, and nothing is believed', async () => {
    const off = await startTestApi({ config: { ...testConfig, coinbase } });
    const { tenantId, token } = await off.tenant();
    const person = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };
    const { body: customer } = await off.request('POST', '/v1/customers', { token, body: person });
    const wanted = { customerId: customer.id, planCode: 'pro-monthly' };
    const { body: subscription } = await off.request('POST', '/v1/subscriptions', { token, body: wanted });
    const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
    const invoiceId = await withTenant(off.db, tenantId, async (tx) => {
      const context = await lockSubscription(tx, subscription.id);
      return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at: new Date() })).id;
    });
    const path = `/v1/invoices/${invoiceId}/coinbase_checkouts`;
    expect(await off.request('POST', path, { token, body: {} })).toMatchObject({
      status: 409,
      body: {
        reason: 'coinbase_not_configured',
        detail: expect.stringContaining('COINBASE_BUSINESS_KEY_NAME'),
      },
    });
    const payload = '{}';
    const send = (to: string, headers: Record<string, string>) =>
      off.request('POST', to, { key: null, body: payload, headers });
    for (const answer of [
      await send('/webhooks/coinbase', businessHeaders(payload, { id: 'evt' })),
      await send('/webhooks/coinbase', businessHeaders(payload, { id: 'evt', secret: '' })),
      await send('/webhooks/coinbase_commerce', commerceHeaders(payload)),
      await send('/webhooks/coinbase_commerce', commerceHeaders(payload, '')),
    ]) {
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'invalid_signature', reason: 'bad_signature' },
      });
    }
    await off.close();
  });
});
