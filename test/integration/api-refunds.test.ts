/** What the API says of refunds and credit notes: it creates, refuses with the reason, lists and reads, each tenant its own. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { dueOf, readInvoice } from '../../db/queries/billing/invoices.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { payFromCredit } from '../../db/queries/payments/pay-from-credit.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { addDays, realDayMs } from '../../domain/instant.ts';
import type { PaymentRail } from '../../domain/payments/payment.ts';
import { eventually } from '../../scripts/processes.ts';
import { cardPaymentEvent } from '../../workflows/payments/card-payment.contract.ts';
import { refundWorkflowId } from '../../workflows/payments/refund.contract.ts';
import {
  type Json,
  openTemporal,
  startTestApi,
  type TestAnswer,
  type TestApi,
  type TestTenant,
} from '../support/api.ts';
import { type Processes, startProcesses } from './api-processes.ts';

let temporal: Client;
let api: TestApi;
let processes: Processes;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  temporal = await openTemporal();
  api = await startTestApi({ temporal });
  processes = await startProcesses({ db: api.db, temporal });
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterAll(async () => {
  await processes.stop();
  await api.close();
  await temporal.connection.close();
});

describe('a refund of a card payment', () => {
  it('answers 201 once its process runs, links to it, and is given back', async () => {
    const payment = await cardPayment();
    const { status, body } = await refund(payment.id, { amountMinor: 900, reason: 'duplicate' });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      paymentId: payment.id,
      invoiceId: payment.invoiceId,
      customerId: payment.customerId,
      status: 'pending',
      amountMinor: 900,
      currency: 'USD',
      reason: 'duplicate',
      externalId: null,
      refundedAt: null,
      links: { temporal: expect.stringContaining(encodeURIComponent(refundWorkflowId(body.id))) },
    });
    const done = await given(body.id);
    expect(done).toMatchObject({
      status: 'succeeded',
      externalId: expect.stringMatching(/^re_/),
      refundedAt: expect.any(String),
      links: body.links,
    });
    expect(await get(`/v1/payments/${payment.id}`)).toMatchObject({ refundedMinor: 900 });
    expect(await get(`/v1/invoices/${payment.invoiceId}`)).toMatchObject({ refundedMinor: 900 });
    const { data } = await get(`/v1/credit_notes?invoiceId=${payment.invoiceId}`);
    expect(data).toMatchObject([
      { refundId: body.id, totalMinor: 900, number: expect.stringMatching(/^CN-\d{6}$/) },
    ]);
    expect(await get(`/v1/credit_notes/${data[0].id}`)).toMatchObject({
      ...data[0],
      lines: [
        { invoiceLineId: null, amountMinor: 900, description: expect.stringMatching(/^Refund of invoice/) },
      ],
    });
  });

  it('is one, however often it is asked for under the same key', async () => {
    const payment = await cardPayment();
    const key = randomUUID();
    const first = await refund(payment.id, { amountMinor: 900 }, { key });
    const again = await refund(payment.id, { amountMinor: 900 }, { key });
    expect(again.body.id).toBe(first.body.id);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await refund(payment.id, { amountMinor: 901 }, { key })).body.code).toBe(
      'idempotency_key_reused',
    );
    expect((await get(`/v1/refunds?paymentId=${payment.id}`)).data).toHaveLength(1);
  });

  it('is 202 while Temporal cannot be reached: row and start are there, once', async () => {
    const offline = await startTestApi();
    try {
      const owner = await offline.tenant();
      const ask = (method: string, path: string, body: object) =>
        offline.request(method, path, { token: owner.token, body });
      const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
      const { id: customerId } = (await ask('POST', '/v1/customers', person)).body;
      const { id } = (await ask('POST', '/v1/subscriptions', { customerId, planCode: 'pro-monthly' })).body;
      const { paymentId } = await withTenant(offline.db, owner.tenantId, (tx) => paidBy(tx, id, 'stripe'));
      const answer = await ask('POST', `/v1/payments/${paymentId}/refunds`, {});
      expect(answer).toMatchObject({ status: 202, body: { status: 'pending', amountMinor: 2900 } });
      const starts = await offline.sql(
        "SELECT envelope FROM outbox WHERE delivered_at IS NULL AND envelope ->> 'workflowId' = $1",
        [refundWorkflowId(answer.body.id)],
      );
      expect(starts).toHaveLength(1);
    } finally {
      await offline.close();
    }
  });

  it('is written down by whom it was asked for', async () => {
    const payment = await cardPayment();
    const { body } = await refund(payment.id, { reason: 'duplicate' });
    const { data } = await get(`/v1/audit_log?entityId=${body.id}`);
    expect(data).toMatchObject([
      {
        action: 'refund.requested',
        entityType: 'refund',
        reason: 'duplicate',
        actor: expect.stringMatching(/^api_key:/),
      },
    ]);
  });
});

describe('a refund in yen, which have no decimals', () => {
  it('asks the vendor for 500 of 500, in full and in parts', async () => {
    const [whole, parted] = [await yenPayment(), await yenPayment()];
    expect(whole).toMatchObject({ amountMinor: 500, currency: 'JPY' });
    expect(await given((await refund(whole.id)).body.id)).toMatchObject({
      status: 'succeeded',
      amountMinor: 500,
      currency: 'JPY',
    });
    expect(givenAtVendor(whole)).toEqual([500]);
    for (const amountMinor of [200, 300]) {
      const { body } = await refund(parted.id, { amountMinor });
      expect(await given(body.id)).toMatchObject({ status: 'succeeded', amountMinor });
    }
    expect(givenAtVendor(parted)).toEqual([200, 300]);
    for (const payment of [whole, parted]) {
      expect(await get(`/v1/payments/${payment.id}`)).toMatchObject({ refundedMinor: 500 });
      const answer = await refund(payment.id, { amountMinor: 1 });
      expect(answer.body).toMatchObject({
        reason: 'refund_exceeds_payment',
        detail: expect.stringContaining('JPY 0 '),
      });
    }
  });
});

describe('a refund that cannot be', () => {
  it('of more than is left is 409 and says how much that is', async () => {
    const payment = await recordedPayment(2900);
    await refund(payment.id, { amountMinor: 1000 });
    const answer = await expectRefusal(
      () => refund(payment.id, { amountMinor: 1901 }),
      409,
      'state_conflict',
    );
    expect(answer.body.reason).toBe('refund_exceeds_payment');
    expect(answer.body.detail).toContain('USD 19.00');
    await refund(payment.id);
    const nothing = await expectRefusal(() => refund(payment.id), 409, 'state_conflict');
    expect(nothing.body.detail).toContain('USD 0.00');
  });

  it('of a line beyond its amount is 409, of a line of another invoice 404', async () => {
    const [payment, another] = [await recordedPayment(2900), await recordedPayment(2900)];
    const [line, foreign] = [await lineOf(payment), await lineOf(another)];
    const beyond = { lines: [{ lineId: line, amountMinor: 2901 }] };
    const answer = await expectRefusal(() => refund(payment.id, beyond), 409, 'state_conflict');
    expect(answer.body.reason).toBe('refund_exceeds_line');
    await expectRefusal(() => refund(payment.id, { lines: [{ lineId: foreign }] }), 404, 'not_found');
  });

  it('of what paid a part of an invoice that is void now is 409 once that has become credit and is spent', async () => {
    const { id, customerId } = await subscribe();
    await recorded(await invoiceOf(id, 0), 2900);
    const payment = await recorded(await invoiceOf(id, 1), 1000);
    await post(`/v1/invoices/${payment.invoiceId}/void`, {});
    expect(await get(`/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 1000 });
    await paidFromCredit(id, 2);
    await expectNothingLeft(payment);
  });

  it('of what the credit paid of an invoice that is void now is 409: it is back in the credit, or spent again', async () => {
    const { id, customerId } = await subscribe();
    await recorded(await invoiceOf(id, 0), 3900);
    const payment = await paidFromCredit(id, 1);
    expect(payment).toMatchObject({ rail: 'credit', amountMinor: 1000 });
    await post(`/v1/invoices/${payment.invoiceId}/void`, {});
    expect(await get(`/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 1000 });
    await expectNothingLeft(payment);
    await paidFromCredit(id, 2);
    await expectNothingLeft(payment);
  });

  it.each([
    ['nothing', { amountMinor: 0 }],
    ['less than nothing', { amountMinor: -1 }],
    ['half a cent', { amountMinor: 1.5 }],
    ['an amount as text', { amountMinor: '900' }],
    ['no line', { lines: [] }],
    ['a line that is none', { lines: [{ lineId: 'line_1' }] }],
    ['a line for nothing', { lines: [{ lineId: newId('line'), amountMinor: 0 }] }],
    ['an amount and lines', { amountMinor: 900, lines: [{ lineId: newId('line') }] }],
    ['a reason in words', { reason: 'They asked for it' }],
    ['an unknown field', { currency: 'USD' }],
  ])('of %s is 400', async (_what, body) => {
    const payment = await recordedPayment(2900);
    await expectRefusal(() => refund(payment.id, body), 400, 'invalid_request');
  });

  it('without a key is 400', async () => {
    const payment = await recordedPayment(2900);
    await expectRefusal(() => refund(payment.id, {}, { key: null }), 400, 'idempotency_key_required');
  });

  it('of a payment that is nobody’s or another tenant’s is 404', async () => {
    const payment = await recordedPayment(2900);
    await expectRefusal(() => refund(newId('pay')), 404, 'not_found');
    await expectRefusal(() => refund(payment.id, {}, { token: other.token }), 404, 'not_found');
  });
});

describe('what was given back', () => {
  it('is listed newest first, by payment and by customer, page by page, to its own tenant only', async () => {
    const payment = await recordedPayment(2900);
    const ids: string[] = [];
    for (const amountMinor of [100, 200, 300])
      ids.unshift((await refund(payment.id, { amountMinor })).body.id);
    for (const filter of [`paymentId=${payment.id}`, `customerId=${payment.customerId}`]) {
      const first = await get(`/v1/refunds?${filter}&limit=2`);
      const second = await get(`/v1/refunds?${filter}&limit=2&cursor=${first.nextCursor}`);
      expect([...first.data, ...second.data].map(({ id }: Json) => id)).toEqual(ids);
      expect(second.nextCursor).toBeNull();
      expect((await get(`/v1/refunds?${filter}`, other)).data).toEqual([]);
      expect((await get(`/v1/credit_notes?customerId=${payment.customerId}`, other)).data).toEqual([]);
    }
    expect(await get(`/v1/refunds/${ids[0]}`)).toMatchObject({
      status: 'succeeded',
      externalId: null,
      links: { temporal: null },
    });
    for (const path of [`/v1/refunds/${ids[0]}`, `/v1/credit_notes/${await noteOf(payment)}`]) {
      expect(await api.request('GET', path, { token: other.token })).toMatchObject({ status: 404 });
    }
  });

  it('in the vendor’s dashboard is listed too, without a process', async () => {
    const payment = await cardPayment();
    processes.stripe.refund({ paymentIntent: payment.externalId, amount: 500 });
    await syncedBy(payment);
    expect((await get(`/v1/refunds?paymentId=${payment.id}`)).data).toMatchObject([
      { amountMinor: 500, status: 'succeeded', reason: null, links: { temporal: null } },
    ]);
  });
});

function refund(
  paymentId: string,
  body: object = {},
  { token = tenant.token, key }: { token?: string; key?: string | null } = {},
): Promise<TestAnswer> {
  const path = `/v1/payments/${paymentId}/refunds`;
  return api.request('POST', path, { token, body, ...(key !== undefined && { key }) });
}

async function get(path: string, { token }: TestTenant = tenant): Promise<Json> {
  const answer = await api.request('GET', path, { token });
  expect(answer.status).toBe(200);
  return answer.body;
}

/** The request is refused with this status and code, and every table has as many rows as before. */
async function expectRefusal(
  request: () => Promise<TestAnswer>,
  status: number,
  code: string,
): Promise<TestAnswer> {
  const before = await api.rowCounts();
  const answer = await request();
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(await api.rowCounts()).toEqual(before);
  return answer;
}

/** Neither all, nor a unit, nor a line of the payment is given back, and nothing is written. */
async function expectNothingLeft(payment: Json): Promise<void> {
  for (const body of [{}, { amountMinor: 1 }]) {
    const answer = await expectRefusal(() => refund(payment.id, body), 409, 'state_conflict');
    expect(answer.body.reason).toBe('refund_exceeds_payment');
    expect(answer.body.detail).toContain('USD 0.00');
  }
  const lines = [{ lineId: await lineOf(payment) }];
  const answer = await expectRefusal(() => refund(payment.id, { lines }), 409, 'state_conflict');
  expect(answer.body.reason).toBe('refund_exceeds_payment');
}

/** The refund once its process has had its answer. */
async function given(refundId: string): Promise<Json> {
  const isDone = async () => (await get(`/v1/refunds/${refundId}`)).status !== 'pending';
  expect(await eventually(isDone, PATIENCE_MS)).toBe(true);
  return get(`/v1/refunds/${refundId}`);
}

const PATIENCE_MS = 20_000;

async function subscribe({ planCode = 'pro-monthly', currency = 'USD' } = {}): Promise<Json> {
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency };
  const { id: customerId } = await post('/v1/customers', person);
  return post('/v1/subscriptions', { customerId, planCode });
}

async function post(path: string, body: unknown, method = 'POST'): Promise<Json> {
  const answer = await api.request(method, path, { token: tenant.token, body });
  expect(answer).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
  return answer.body;
}

/** A subscription whose first period was paid by card. */
async function cardPayment(terms?: { planCode: string; currency: string }): Promise<Json> {
  const { id, customerId } = await subscribe(terms);
  const path = `/v1/subscriptions/${id}`;
  await post(`${path}/payment_method`, { paymentMethodId: 'pm_card_visa' }, 'PUT');
  await post(`${path}/convert`, {});
  return (await get(`/v1/payments?customerId=${customerId}`)).data[0];
}

/** JPY 500 by card. */
async function yenPayment(): Promise<Json> {
  const { code } = await post('/v1/plans', {
    code: `yen-${randomUUID()}`,
    name: 'Pro in yen',
    family: `yen-${randomUUID()}`,
    priceMinor: 500,
    currency: 'JPY',
    interval: { unit: 'month' },
  });
  return cardPayment({ planCode: code, currency: 'JPY' });
}

/** What the vendor was asked for and has given, in its own log and units. */
function givenAtVendor({ invoiceId }: Json): number[] {
  return processes.stripe
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'refunds.create' && outcome === 'effect' && businessRef === invoiceId,
    )
    .map(({ amountMinor }) => amountMinor ?? 0);
}

/** An invoice of the subscription, and a payment of all of it. */
async function paidBy(tx: Tx, subscriptionId: string, rail: PaymentRail) {
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  const context = await lockSubscription(tx, subscriptionId);
  const at = new Date();
  const invoice = await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at });
  const { tenantId, id: invoiceId } = invoice;
  return settlePayment(tx, {
    tenantId,
    invoiceId,
    rail,
    externalId: `pi_${invoiceId}`,
    amount: dueOf(invoice),
    at,
  });
}

/** An invoice that was paid beside the card vendor. */
async function recordedPayment(amountMinor: number): Promise<Json> {
  const { id } = await subscribe();
  return recorded(await invoiceOf(id, 0), amountMinor);
}

/** Issues the invoice of a period, as its process would; returns its id. */
function invoiceOf(subscriptionId: string, periodIndex: number): Promise<string> {
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscriptionId);
    const at = new Date();
    return (await issuePeriodInvoice(tx, context, { periodIndex, period: monthFrom(at, periodIndex), at }))
      .id;
  });
}

/** Issues the invoice of a period and pays as much of it as there is credit; returns that payment. */
async function paidFromCredit(subscriptionId: string, periodIndex: number): Promise<Json> {
  const invoiceId = await invoiceOf(subscriptionId, periodIndex);
  await withTenant(api.db, tenant.tenantId, async (tx) =>
    payFromCredit(tx, await lockSubscription(tx, subscriptionId), {
      invoice: await readInvoice(tx, invoiceId),
      at: new Date(),
    }),
  );
  const [payment] = (await get(`/v1/payments?invoiceId=${invoiceId}`)).data;
  expect(await get(`/v1/customers/${payment.customerId}`)).toMatchObject({ creditMinor: 0 });
  return payment;
}

/** So far in the future that no process begins a period of its own meanwhile. */
function monthFrom(at: Date, periodIndex: number) {
  const [startsAt = '', endsAt = ''] = [0, 1].map((ahead) =>
    addDays(at.toISOString(), 30 * (periodIndex + ahead), realDayMs),
  );
  return { startsAt, endsAt };
}

async function recorded(invoiceId: string, amountMinor: number): Promise<Json> {
  const cash = {
    amountMinor,
    currency: 'USD',
    method: 'cash',
    reason: 'on the statement',
    reference: randomUUID(),
  };
  const { paymentId } = await post(`/v1/invoices/${invoiceId}/payments`, cash);
  return get(`/v1/payments/${paymentId}`);
}

async function lineOf({ invoiceId }: Json): Promise<string> {
  const [line] = await api.sql('SELECT id FROM invoice_lines WHERE invoice_id = $1', [invoiceId]);
  return line.id;
}

async function noteOf({ invoiceId }: Json): Promise<string> {
  return (await get(`/v1/credit_notes?invoiceId=${invoiceId}`)).data[0].id;
}

/** The payment's process has looked at the vendor. */
async function syncedBy({ id, externalId }: Json): Promise<void> {
  await withTenant(api.db, tenant.tenantId, (tx) =>
    appendOutbox(tx, tenant.tenantId, [cardPaymentEvent(externalId, null)]),
  );
  await processes.deliver();
  const isBooked = async () => (await get(`/v1/payments/${id}`)).refundedMinor > 0;
  expect(await eventually(isBooked, PATIENCE_MS)).toBe(true);
}
