/** The tax engine through the API: who may choose it, what a change would cost by it, and what is answered where it is away. */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { loadConfig } from '../../config/env.ts';
import { withTenant } from '../../db/client.ts';
import { customers, subscriptionEvents } from '../../db/schema/billing.ts';
import { outbox } from '../../db/schema/operations.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import { type StripeSandbox, startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import { startTestCoinbase } from '../support/coinbase.ts';
import { startTestRates } from '../support/exchange-rates.ts';
import { startTestRazorpay } from '../support/razorpay.ts';
import { testTaxEngine } from '../support/tax-engine.ts';

const log = pino({ level: 'silent' });
const seller = {
  legalName: 'Acme Books GmbH',
  address: { country: 'DE', postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
  engine: 'stripe_tax',
};
let sandbox: StripeSandbox;
let orders: Awaited<ReturnType<typeof startTestRazorpay>>;
let checkouts: Awaited<ReturnType<typeof startTestCoinbase>>;
let rates: Awaited<ReturnType<typeof startTestRates>>;
let api: TestApi;
let tenant: TestTenant;
let billing: ReturnType<typeof createActivities>['billing'];

beforeAll(async () => {
  sandbox = await startStripeSandbox({ port: 0 });
  orders = await startTestRazorpay();
  checkouts = await startTestCoinbase();
  const taxEngine = testTaxEngine(sandbox.url);
  api = await startTestApi({ taxEngine });
  const cardVendor = createStripeCardVendor({
    secretKey: 'sk_test_api',
    apiBase: sandbox.url,
    returnUrl: 'https://portal.example/thanks',
  });
  const { orderVendor } = orders;
  rates = await startTestRates();
  const { exchangeRates } = rates;
  const { checkoutProvider } = checkouts;
  const deps = { db: api.db, cardVendor, orderVendor, checkoutProvider, taxEngine, exchangeRates, log };
  ({ billing } = createActivities({ ...deps, drainOutbox: async () => 0 }));
});
afterAll(async () => {
  await api.close();
  await orders.razorpay.close();
  await checkouts.coinbase.close();
  await rates.frankfurter.close();
  await sandbox.close();
});
beforeEach(async () => {
  sandbox.setFaults({});
  tenant = await api.tenant();
});

function request(method: string, path: string, body?: unknown): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, ...(body !== undefined && { body }) });
}

async function ok(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await request(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

/** A subscription that is due to begin with its first invoice. */
async function subscribed(address: object = { country: 'DE' }) {
  await ok('PUT', '/v1/tax_settings', seller);
  const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
  const { id: customerId } = await ok('POST', '/v1/customers', { ...person, address });
  const wish = { customerId, planCode: 'pro-monthly', start: 'payment' };
  const { body } = await request('POST', '/v1/subscriptions', wish);
  await withTenant(api.db, tenant.tenantId, (tx) =>
    tx.update(customers).set({ defaultPaymentMethodId: 'pm_card' }).where(eq(customers.id, customerId)),
  );
  const { tenantId } = tenant;
  return { customerId, subscriptionId: body.id as string, tenantId, at: new Date().toISOString() };
}

describe('the setting', () => {
  it('is own rates unless it is chosen, and the audit log says which', async () => {
    const { engine, ...settings } = seller;
    expect(await ok('PUT', '/v1/tax_settings', settings)).toMatchObject({ engine: 'own_rates' });
    expect(await ok('PUT', '/v1/tax_settings', seller)).toMatchObject({ engine });
    expect(await ok('GET', '/v1/tax_settings')).toMatchObject({ engine });
    const { data } = await ok('GET', `/v1/audit_log?entityId=${tenant.tenantId}`);
    expect(data[0].details).toMatchObject({ engine });
  });

  it('is refused where Stripe Tax is not configured, with what to do', async () => {
    const secrets = { STRIPE_SECRET_KEY: 'sk_test_real', STRIPE_WEBHOOK_SECRETS: 'whsec_real' };
    const elsewhere = await startTestApi({ config: loadConfig({ NODE_ENV: 'test', ...secrets }) });
    try {
      const { token } = await elsewhere.tenant();
      const before = await elsewhere.rowCounts();
      const answer = await elsewhere.request('PUT', '/v1/tax_settings', { token, body: seller });
      expect(answer).toMatchObject({
        status: 422,
        body: {
          code: 'tax_details_unusable',
          errors: [{ path: 'body.engine', message: expect.stringContaining('STRIPE_TAX=on') }],
        },
      });
      expect(await elsewhere.rowCounts()).toEqual(before);
    } finally {
      await elsewhere.close();
    }
  });

  it('of another name is refused', async () => {
    const answer = await request('PUT', '/v1/tax_settings', { ...seller, engine: 'abacus' });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'body.engine' }] } });
  });
});

describe('an invoice', () => {
  it('shows that the engine has calculated it', async () => {
    const due = await subscribed();
    const { invoiceId } = await billing.issueFirstInvoice(due);
    expect(await ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      taxEngine: 'stripe_tax',
      taxTreatment: 'taxed',
      taxMinor: 551,
      lines: [{ taxes: [{ name: 'VAT', percent: '19', jurisdiction: 'DE', amountMinor: 551 }] }],
    });
    expect((await request('GET', `/v1/invoices/${invoiceId}/pdf`)).status).toBe(200);
  });

  it('to a business of another member state says who owes the tax', async () => {
    const due = await subscribed({ country: 'FR' });
    await ok('PATCH', `/v1/customers/${due.customerId}`, { taxId: 'FR12345678901' });
    const { invoiceId } = await billing.issueFirstInvoice(due);
    expect(await ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      taxTreatment: 'reverse_charge',
      taxMinor: 0,
      notes: [expect.stringContaining('Article 196')],
      lines: [{ taxes: [{ name: 'Reverse charge', percent: '0', baseMinor: 2900, amountMinor: 0 }] }],
    });
  });

  it.each([
    ['exempt', { country: 'DE' }, { taxExemption: { reason: 'Charity' } }, ['Exempt from tax: Charity']],
    ['untaxed', { country: 'JP' }, {}, []],
    ['untaxed', { country: 'US', region: 'OR', postalCode: '97201' }, {}, []],
  ])('%s (%j) bears nothing', async (taxTreatment, address, details, notes) => {
    const due = await subscribed(address);
    await ok('PATCH', `/v1/customers/${due.customerId}`, { name: 'Ada King', ...details });
    const { invoiceId } = await billing.issueFirstInvoice(due);
    expect(await ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      taxEngine: 'stripe_tax',
      taxTreatment,
      taxMinor: 0,
      notes,
      lines: [{ taxes: [] }],
    });
  });
});

describe('a held invoice', () => {
  it('is seen on the subscription, and tried again when the address is mended', async () => {
    const due = await subscribed({ country: 'US' });
    await billing.issueFirstInvoice(due);
    const path = `/v1/subscriptions/${due.subscriptionId}`;
    expect((await ok('GET', path)).waitingFor).toMatch(
      /^Waiting for the tax of its invoice: the tax engine cannot use the customer's address; mend it/,
    );
    const entries = await withTenant(api.db, due.tenantId, (tx) => tx.select().from(subscriptionEvents));
    expect(entries.at(-1)).toMatchObject({
      kind: 'invoice_held',
      message: expect.stringContaining('mend it'),
      details: { reason: 'location_invalid' },
    });

    await ok('PATCH', `/v1/customers/${due.customerId}`, { name: 'Ada King' });
    const signals = async () =>
      (await withTenant(api.db, due.tenantId, (tx) => tx.select().from(outbox))).filter(
        ({ topic }) => topic === 'workflow.signal',
      ).length;
    expect(await signals()).toBe(0);
    const address = { country: 'US', region: 'NY', postalCode: '10001' };
    await ok('PATCH', `/v1/customers/${due.customerId}`, { address });
    expect(await signals()).toBe(1);
    const { invoiceId } = await billing.issueFirstInvoice({ ...due, at: new Date().toISOString() });
    expect(invoiceId).not.toBeNull();
    expect((await ok('GET', path)).waitingFor).not.toMatch(/tax/);
  });
});

describe('a preview', () => {
  const wish = { quantity: 2 };

  async function previewable() {
    const due = await subscribed();
    const { invoiceId } = await billing.issueFirstInvoice(due);
    const body = {
      amountMinor: 3451,
      currency: 'USD',
      method: 'wire',
      reason: 'on the statement',
      reference: randomUUID(),
    };
    await ok('POST', `/v1/invoices/${invoiceId}/payments`, body);
    return { ...due, path: `/v1/subscriptions/${due.subscriptionId}/preview_change` };
  }

  it('shows the tax of the difference and of each renewal, and changes nothing', async () => {
    const { path, subscriptionId } = await previewable();
    const before = await ok('GET', `/v1/subscriptions/${subscriptionId}`);
    const shown = await ok('POST', path, wish);
    expect(shown.lines.map(({ kind }: Json) => kind)).toEqual(['change_credit', 'change_charge']);
    const [credit, charge] = shown.lines;
    expect(charge.taxMinor).toBe(Math.round(charge.amountMinor * 0.19));
    expect(shown.taxMinor).toBe(credit.taxMinor + charge.taxMinor);
    expect(shown.nextInvoice).toMatchObject({ totalMinor: 6902, taxMinor: 1102 });
    expect(await ok('GET', `/v1/subscriptions/${subscriptionId}`)).toEqual(before);
  });

  it.each([
    ['vendor_unavailable', 503, 'error_before'],
    ['vendor_unavailable', 503, 'rate_limit'],
    ['vendor_unavailable', 503, 'refuse'],
  ] as const)('is answered with %s (%i) where the engine is away: %s', async (code, status, fault) => {
    const { path } = await previewable();
    sandbox.setFaults({ next: [{ fault, op: 'tax.calculations.create' }] });
    const answer = await request('POST', path, wish);
    expect(answer).toMatchObject({ status, body: { code, reason: 'tax_engine_unavailable' } });
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect((await request('POST', path, wish)).status).toBe(200);
  });

  it('says what to mend where the engine cannot use the address', async () => {
    const { path, customerId } = await previewable();
    await ok('PATCH', `/v1/customers/${customerId}`, { address: { country: 'US', region: 'NY' } });
    expect(await request('POST', path, wish)).toMatchObject({
      status: 422,
      body: { code: 'tax_location_invalid', detail: expect.stringContaining('postal code') },
    });
  });
});

describe('a mail that names a price', () => {
  it('does not ask the engine: it says that tax is added', async () => {
    await ok('PUT', '/v1/tax_settings', seller);
    const person = { email: `${randomUUID()}@example.com`, name: 'Ada', currency: 'USD' };
    const { id: customerId } = await ok('POST', '/v1/customers', { ...person, address: { country: 'DE' } });
    await request('POST', '/v1/subscriptions', { customerId, planCode: 'pro-monthly', start: 'trial' });
    const rows = await api.sql("SELECT variables FROM notifications WHERE template = 'trial_started'");
    expect(rows.at(-1)?.variables.price).toBe('USD 29.00 plus tax');
  });
});
