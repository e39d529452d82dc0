/**
 * The contract with Stripe, as far as it can be checked without Stripe: stripe-mock knows Stripe's OpenAPI
 * description. Every request our client makes must pass it, and the sandbox's objects must have the fields and
 * types of stripe-mock's.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TaxEngine, TaxRequest } from '../../domain/billing/tax-engine.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { stripeMockUrl } from '../support/services.ts';
import { testTaxEngine } from '../support/tax-engine.ts';

type Recorded = { method: string; path: string; body: string };

const recorded: Recorded[] = [];
const mockUrl = stripeMockUrl();
let sandbox: StripeSandbox;
let recorder: Server;
let vendor: CardVendor;
let taxEngine: TaxEngine;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
  recorder = await recordRequestsTo(sandbox.url);
  const apiBase = `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`;
  vendor = createStripeCardVendor({
    secretKey: 'sk_test_sandbox',
    apiBase,
    returnUrl: 'https://billing.example.com/return',
  });
  taxEngine = testTaxEngine(apiBase);
  await useEveryMethod();
  await useEveryTaxMethod();
});

afterAll(async () => {
  recorder.closeAllConnections();
  recorder.close();
  await sandbox.close();
});

it('every request our client makes is one Stripe understands', async () => {
  const shapes = recorded.map(({ method, path }) => `${method} ${withoutIds(path.split('?')[0] ?? '')}`);
  expect([...new Set(shapes)].toSorted()).toEqual([
    'DELETE /v1/customers/:id',
    'GET /v1/customers',
    'GET /v1/disputes',
    'GET /v1/events',
    'GET /v1/payment_intents',
    'GET /v1/payment_intents/:id',
    'GET /v1/payment_methods/:id',
    'GET /v1/refunds',
    'GET /v1/setup_intents',
    'POST /v1/customers',
    'POST /v1/customers/:id',
    'POST /v1/payment_intents',
    'POST /v1/payment_intents/:id/cancel',
    'POST /v1/payment_intents/:id/confirm',
    'POST /v1/payment_methods/:id/attach',
    'POST /v1/refunds',
    'POST /v1/tax/calculations',
    'POST /v1/tax/transactions/create_from_calculation',
    'POST /v1/tax/transactions/create_reversal',
  ]);
  for (const request of recorded) {
    const answer = await send(mockUrl, request);
    expect(
      `${answer.status} ${request.method} ${request.path}\n${answer.ok ? '' : await answer.text()}`,
    ).toBe(`200 ${request.method} ${request.path}\n`);
  }
});

it('stripe-mock would notice a parameter Stripe does not have (negative control)', async () => {
  const wrong = {
    method: 'POST',
    path: '/v1/payment_intents',
    body: 'amount=2900&currency=usd&colour=blue',
  };
  expect((await send(mockUrl, wrong)).status).toBe(400);
});

it('the sandbox’s objects have the fields and types of Stripe’s', async () => {
  const ids = await makeOneOfEach();
  const expandRefunds = 'expand%5B%5D=latest_charge.refunds';
  for (const path of [
    `/v1/customers/${ids.customer}`,
    `/v1/payment_methods/${ids.method}`,
    `/v1/payment_intents/${ids.intent}`,
    `/v1/payment_intents/${ids.intent}?${expandRefunds}`,
    `/v1/payment_intents?customer=${ids.customer}&limit=1`,
    `/v1/charges/${ids.charge}?expand%5B%5D=refunds`,
    `/v1/refunds/${ids.refund}`,
    `/v1/disputes/${ids.dispute}`,
    `/v1/disputes?payment_intent=${ids.intent}&limit=1`,
    `/v1/setup_intents?payment_method=${ids.account}&limit=1`,
    `/v1/payment_intents/${ids.debit}`,
    '/v1/events?limit=1',
    `/v1/tax/calculations/${ids.calculation}?expand%5B%5D=line_items.data.tax_breakdown`,
    `/v1/tax/transactions/${ids.sale}?expand%5B%5D=line_items`,
  ]) {
    const request = { method: 'GET', path, body: '' };
    const [ours, theirs] = await Promise.all(
      [sandbox.url, mockUrl].map(async (url) => (await send(url, request)).json()),
    );
    expect({ path, differences: differences(ours, theirs) }).toEqual({ path, differences: [] });
  }
});

/** Takes every path through the client on which a request of its own is sent. */
async function useEveryMethod(): Promise<void> {
  const customer = { tenantId: 'ten_1', customerId: 'cus_1', email: 'ada@example.com', name: 'Ada' };
  sandbox.setFaults({ next: [{ fault: 'error_after', op: 'customers.create' }] });
  const vendorCustomerId = await vendor.ensureCustomer(customer);
  const card = sandbox.createCard({ outcomes: ['authentication_required', 'succeeded'] });
  sandbox.setFaults({ next: [{ fault: 'error_after', op: 'payment_methods.attach' }] });
  await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId: card });
  const charge = (ordinal: number) =>
    vendor.charge({
      tenantId: 'ten_1',
      customerId: 'cus_1',
      invoiceId: 'inv_1',
      attemptId: `att_${ordinal}`,
      vendorCustomerId,
      paymentMethodId: card,
      amount: { amountMinor: 2900, currency: 'USD' },
      description: 'Invoice 2025-0001',
      idempotencyKey: `invoice:inv_1:charge:${ordinal}`,
    });
  const waiting = await charge(1);
  await vendor.cancelCharge(waiting.externalId);
  const paid = await charge(2);
  for (let count = 0; count < 11; count += 1) sandbox.refund({ paymentIntent: paid.externalId, amount: 100 });
  const back = { refundId: 'ref_1', paymentId: paid.externalId, idempotencyKey: 'refund:ref_1' };
  const amount = { amountMinor: 100, currency: 'USD' };
  await vendor.refund({ ...back, tenantId: 'ten_1', invoiceId: 'inv_1', amount });
  await vendor.findRefund(back);
  sandbox.openDispute({ paymentIntent: paid.externalId });
  await vendor.fetchCharge(paid.externalId);
  await vendor.findCharge({ vendorCustomerId, attemptId: 'att_2', createdAfter: '2020-01-01T00:00:00Z' });
  for await (const _ of vendor.listEvents({ since: '2020-01-01T00:00:00Z', until: '2040-01-01T00:00:00Z' }))
    break;
  await debitAccount(vendorCustomerId);
  await vendor.deleteCustomer(vendorCustomerId);
}

/** With every field the engine sends. */
async function useEveryTaxMethod(): Promise<void> {
  const now = new Date().toISOString();
  const lines = ['Unter den Linden 1', 'Second floor', 'Berlin'];
  const address = { country: 'DE', region: 'BE', postalCode: '10117', lines };
  const request: TaxRequest = {
    engine: 'stripe_tax',
    subject: 'sub_1:period:0',
    currency: 'USD',
    taxAt: now,
    isInclusive: false,
    from: address,
    to: address,
    taxId: { kind: 'vat', value: 'DE123456789' },
    isExempt: false,
    lines: [{ reference: '0', amountMinor: 2900, taxCode: 'txcd_10103001' }],
  };
  await taxEngine.calculate({ ...request, isInclusive: true, isExempt: true }, { now });
  const { externalId: calculation } = await taxEngine.calculate(request, { now });
  const named = (reference: string) => ({ reference, idempotencyKey: `tax:${reference}` });
  const sale = await taxEngine.recordSale({ ...named('inv_1'), calculation });
  const reversed = await taxEngine.recordReversal({
    ...named('cn_1'),
    original: sale?.externalId ?? '',
    currency: 'USD',
    lines: [{ externalLineId: sale?.lines['0'] ?? '', amountMinor: 1000, taxMinor: 190 }],
  });
  await taxEngine.undoReversal({ ...named('cn_2'), original: reversed?.externalId ?? '' });
}

/** A bank account, and a debit of it that comes back after it had succeeded. */
async function debitAccount(vendorCustomerId: string): Promise<void> {
  const paymentMethodId = sandbox.createBankAccount({ answers: ['succeeded'] });
  const account = await vendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId, currency: 'USD' });
  const debit = await vendor.charge({
    tenantId: 'ten_1',
    customerId: 'cus_1',
    invoiceId: 'inv_2',
    attemptId: 'att_3',
    vendorCustomerId,
    paymentMethodId: account.externalId,
    mandateId: account.mandateId ?? '',
    amount: { amountMinor: 2900, currency: 'USD' },
    description: 'Invoice 2025-0002',
    idempotencyKey: 'invoice:inv_2:charge:1',
  });
  expect(debit).toMatchObject({ status: 'processing', directDebit: true });
  sandbox.settle(debit.externalId);
  sandbox.returnDebit(debit.externalId, 'R10');
  expect(await vendor.fetchCharge(debit.externalId)).toMatchObject({
    status: 'succeeded',
    disputes: [],
    returned: { code: 'R10', amountMinor: 2900 },
  });
}

async function makeOneOfEach() {
  const post = async (path: string, fields: Record<string, string>) => {
    const body = new URLSearchParams(fields).toString();
    const answer = await send(sandbox.url, { method: 'POST', path, body });
    return (await answer.json()) as { id: string; latest_charge: string };
  };
  const { id: customer } = await post('/v1/customers', { email: 'ada@example.com' });
  const { id: method } = await post('/v1/payment_methods/pm_card_visa/attach', { customer });
  const intent = await post('/v1/payment_intents', {
    amount: '2900',
    currency: 'usd',
    customer,
    payment_method: method,
    confirm: 'true',
    'allowed_payment_method_types[0]': 'card',
  });
  const { id: refund } = await post('/v1/refunds', { payment_intent: intent.id, amount: '900' });
  const dispute = sandbox.openDispute({ paymentIntent: intent.id });
  const { id: calculation } = await post('/v1/tax/calculations', {
    currency: 'usd',
    'customer_details[address][country]': 'DE',
    'customer_details[address_source]': 'billing',
    'line_items[0][amount]': '2900',
    'line_items[0][reference]': '0',
  });
  const { id: sale } = await post('/v1/tax/transactions/create_from_calculation', {
    calculation,
    reference: 'inv_2',
  });
  const { id: account } = await post('/v1/payment_methods/pm_usBankAccount_success/attach', { customer });
  const setups = await send(sandbox.url, {
    method: 'GET',
    path: `/v1/setup_intents?payment_method=${account}`,
    body: '',
  });
  const [setup] = ((await setups.json()) as { data: { mandate: string }[] }).data;
  const { id: debit } = await post('/v1/payment_intents', {
    amount: '2900',
    currency: 'usd',
    customer,
    payment_method: account,
    mandate: setup?.mandate ?? '',
    confirm: 'true',
    'allowed_payment_method_types[0]': 'us_bank_account',
  });
  sandbox.settle(debit);
  return {
    account,
    debit,
    customer,
    method,
    calculation,
    sale,
    intent: intent.id,
    charge: intent.latest_charge,
    refund,
    dispute,
  };
}

/**
 * Fields only one side has, and values of different types. `null` fits everything. Inside an object without a type
 * of its own, fields may be missing on our side: we fill in what is read.
 */
function differences(ours: unknown, theirs: unknown, path = ''): string[] {
  if (ours === null || theirs === null || ours === undefined || theirs === undefined) return [];
  if (typeOf(ours) !== typeOf(theirs)) return [`${path}: ${typeOf(ours)} here, ${typeOf(theirs)} at Stripe`];
  if (Array.isArray(ours) && Array.isArray(theirs)) return differences(ours[0], theirs[0], `${path}[0]`);
  if (typeof ours !== 'object' || freeForm.has(path.split('.').at(-1) ?? '')) return [];

  const [mine, stripes] = [ours as Record<string, unknown>, theirs as Record<string, unknown>];
  const unknown = Object.keys(mine).filter((key) => !(key in stripes));
  const missing = 'object' in stripes ? Object.keys(stripes).filter((key) => !(key in mine)) : [];
  return [
    ...unknown.map((key) => `${path}.${key}: not at Stripe`),
    ...missing.map((key) => `${path}.${key}: missing here`),
    ...Object.keys(mine).flatMap((key) => differences(mine[key], stripes[key], `${path}.${key}`)),
  ];
}

/** What is inside differs from object to object. */
const freeForm = new Set(['metadata', 'fraud_details', 'payment_method_options', 'object']);

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'list' : typeof value;
}

function withoutIds(path: string): string {
  return path.replace(/\/(cus|pm|pi|re|ch|dp|evt)_\w+/g, '/:id');
}

function send(base: string, { method, path, body }: Recorded): Promise<Response> {
  return fetch(`${base}${path}`, {
    method,
    headers: {
      authorization: 'Bearer sk_test_123',
      'content-type': 'application/x-www-form-urlencoded',
    },
    ...(method === 'POST' ? { body } : {}),
  });
}

/** Hands every request on, with its headers, and keeps it. */
async function recordRequestsTo(target: string): Promise<Server> {
  const server = createServer((message, response) => {
    forward(message, target).then(
      ({ status, text }) => response.writeHead(status, { 'content-type': 'application/json' }).end(text),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

async function forward(message: IncomingMessage, target: string): Promise<{ status: number; text: string }> {
  const body = await bodyOf(message);
  const { method = 'GET', url: path = '/' } = message;
  recorded.push({ method, path, body });
  const key = message.headers['idempotency-key'];
  const answer = await fetch(`${target}${path}`, {
    method,
    headers: {
      authorization: message.headers.authorization ?? '',
      ...(typeof key === 'string' ? { 'idempotency-key': key } : {}),
    },
    ...(method === 'POST' ? { body } : {}),
  });
  return { status: answer.status, text: await answer.text() };
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of message) body += String(chunk);
  return body;
}
