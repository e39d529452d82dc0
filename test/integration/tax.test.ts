/**
 * Tax through the API and in the books: settings and rates are kept and checked, invoices keep what they were issued with,
 * and whatever closes an invoice takes back exactly the tax that nobody pays.
 */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { issueChangeInvoice, issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription, termsOf } from '../../db/queries/billing/subscriptions.ts';
import { bookDispute } from '../../db/queries/payments/disputes.ts';
import { lockPayment } from '../../db/queries/payments/refunds.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { takeBackPayment } from '../../db/queries/payments/take-back-payment.ts';
import { invoiceLines } from '../../db/schema/billing.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import type { CardDispute } from '../../domain/payments/dispute.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import { readPdf, textsOf } from '../support/pdf.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const seller = {
  legalName: 'Acme Books GmbH',
  address: { country: 'DE', postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
  taxIds: [{ kind: 'vat', value: 'de 123.456.789' }],
};
const rate = { country: 'DE', kind: 'vat', name: 'VAT', percent: '19.00', validFrom: '2021-01-01' };

function request(method: string, path: string, body?: unknown): Promise<TestAnswer> {
  return api.request(method, path, { token: tenant.token, ...(body !== undefined && { body }) });
}

async function ok(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await request(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

/** A tenant of its own that charges 19 % in Germany. */
async function taxedTenant(settings: object = {}): Promise<void> {
  tenant = await api.tenant();
  await ok('PUT', '/v1/tax_settings', { ...seller, ...settings });
  await ok('POST', '/v1/tax_rates', rate);
}

async function newCustomer(details: object = { address: { country: 'DE' } }): Promise<Json> {
  return ok('POST', '/v1/customers', {
    email: `${randomUUID()}@example.com`,
    name: 'Ada Lovelace',
    currency: 'USD',
    ...details,
  });
}

/** An open invoice over USD 29.00 and its tax. */
async function newInvoice(customer?: Json): Promise<Json> {
  const { id: customerId } = customer ?? (await newCustomer());
  const plan = tenant.plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');
  const at = new Date('2026-11-01T09:00:00.000Z');
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  const { id } = await withTenant(api.db, tenant.tenantId, async (tx) => {
    const made = await createSubscription(tx, { customerId, plan, start: 'trial', at });
    const context = await lockSubscription(tx, made.context.subscription.id);
    return issuePeriodInvoice(tx, context, { periodIndex: 0, period, at });
  });
  return ok('GET', `/v1/invoices/${id}`);
}

/** Of a change that takes USD 5.03 of the invoice's line back and charges USD 10.01. */
async function changeInvoice(invoice: Json): Promise<Json> {
  const at = new Date('2026-11-16T00:00:00.000Z');
  const period = { startsAt: at.toISOString(), endsAt: '2026-12-01T00:00:00.000Z' };
  const { id } = await withTenant(api.db, tenant.tenantId, async (tx) => {
    const [line] = await tx.select().from(invoiceLines).where(eq(invoiceLines.invoiceId, invoice.id));
    if (line === undefined) throw new Error('no line');
    const context = await lockSubscription(tx, invoice.subscriptionId);
    const taxedAs = { rates: line.taxRates, isInclusive: false };
    return issueChangeInvoice(tx, context, {
      changeId: randomUUID(),
      target: termsOf(context),
      lines: [
        { kind: 'change_credit', amountMinor: -503, period, creditsLineId: line.id, taxedAs },
        { kind: 'change_charge', amountMinor: 1001, period },
      ],
      period,
      periodIndex: 0,
      at,
    });
  });
  return ok('GET', `/v1/invoices/${id}`);
}

async function pay({ id }: Json, amountMinor: number): Promise<string> {
  const body = {
    amountMinor,
    currency: 'USD',
    method: 'wire',
    reason: 'on the statement',
    reference: randomUUID(),
  };
  return (await ok('POST', `/v1/invoices/${id}/payments`, body)).paymentId;
}

/** Books what the card vendor would have told. */
async function payByCard({ id: invoiceId }: Json, amountMinor: number): Promise<string> {
  const { tenantId } = tenant;
  const amount = { amountMinor, currency: 'USD' };
  const charge = {
    tenantId,
    invoiceId,
    rail: 'stripe',
    externalId: randomUUID(),
    amount,
    at: new Date(),
  } as const;
  return (await withTenant(api.db, tenantId, (tx) => settlePayment(tx, charge))).paymentId;
}

function refund(paymentId: string, wish: object = {}): Promise<Json> {
  return ok('POST', `/v1/payments/${paymentId}/refunds`, wish);
}

function close({ id }: Json, as: 'void' | 'uncollectible'): Promise<boolean> {
  return withTenant(api.db, tenant.tenantId, async (tx) =>
    closeUnpaidInvoice(tx, await readInvoice(tx, id), { as, at: new Date() }),
  );
}

/** The balance of every account of the tenant that has one. */
function books(): Promise<Record<string, number>> {
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const found: Record<string, number> = {};
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      found[account] = (found[account] ?? 0) + amountMinor;
    }
    return Object.fromEntries(Object.entries(found).filter(([, sum]) => sum !== 0));
  });
}

describe('the settings of a tenant', () => {
  beforeAll(async () => {
    tenant = await api.tenant();
  });

  it('are empty at first, and then no invoice bears tax', async () => {
    expect(await ok('GET', '/v1/tax_settings')).toEqual({
      legalName: null,
      address: null,
      taxIds: [],
      priceDisplay: 'exclusive',
      engine: 'own_rates',
      updatedAt: null,
    });
    await ok('POST', '/v1/tax_rates', rate);
    expect(await newInvoice()).toMatchObject({
      subtotalMinor: 2900,
      taxMinor: 0,
      totalMinor: 2900,
      taxTreatment: null,
    });
  });

  it('are replaced whole, with ids as they are kept, and the audit log says so', async () => {
    const expected = { ...seller, taxIds: [{ kind: 'vat', value: 'DE123456789' }] };
    expect(await ok('PUT', '/v1/tax_settings', seller)).toMatchObject({
      ...expected,
      priceDisplay: 'exclusive',
    });
    const second = { ...seller, taxIds: [], priceDisplay: 'inclusive' };
    expect(await ok('PUT', '/v1/tax_settings', second)).toMatchObject({
      taxIds: [],
      priceDisplay: 'inclusive',
    });
    expect(await ok('GET', '/v1/tax_settings')).toMatchObject({ taxIds: [], priceDisplay: 'inclusive' });
    const { data } = await ok('GET', `/v1/audit_log?entityId=${tenant.tenantId}`);
    expect(data.map(({ action }: Json) => action)).toEqual(['tax_settings.changed', 'tax_settings.changed']);
  });
});

describe('the rates of a tenant', () => {
  beforeAll(async () => {
    tenant = await api.tenant();
    await ok('PUT', '/v1/tax_settings', seller);
  });

  it('are exact, one of a kind from a day on, and hold until they are archived', async () => {
    const { id } = await ok('POST', '/v1/tax_rates', rate);
    expect((await ok('GET', '/v1/tax_rates')).data).toMatchObject([{ id, percent: '19', region: null }]);
    const again = await request('POST', '/v1/tax_rates', { ...rate, percent: '7' });
    expect(again).toMatchObject({ status: 409, body: { code: 'already_exists', reason: 'tax_rate_exists' } });

    const later = await ok('POST', '/v1/tax_rates', { ...rate, percent: '20', validFrom: '2026-11-01' });
    const future = await ok('POST', '/v1/tax_rates', { ...rate, percent: '21', validFrom: '2026-11-02' });
    expect((await newInvoice()).taxMinor).toBe(580);
    await ok('POST', `/v1/tax_rates/${later.id}/archive`);
    expect((await newInvoice()).taxMinor).toBe(551);

    const archived = await ok('POST', `/v1/tax_rates/${later.id}/archive`);
    expect(archived.archivedAt).not.toBeNull();
    const listed = async (query: string) =>
      (await ok('GET', `/v1/tax_rates${query}`)).data.map((each: Json) => each.id);
    expect(await listed('')).toEqual([future.id, id]);
    expect(await listed('?archived=true&country=DE')).toEqual([future.id, later.id, id]);
    expect(await listed('?country=FR')).toEqual([]);
    expect((await ok('POST', '/v1/tax_rates', { ...rate, validFrom: '2026-11-01' })).percent).toBe('19');
  });

  it('cannot be rewritten, nor can what an invoice bears, not even by the application', async () => {
    await newInvoice();
    const forbidden = [
      "UPDATE tax_rates SET percent = '0'",
      'DELETE FROM tax_rates',
      'UPDATE invoice_line_taxes SET amount_minor = 0',
      'DELETE FROM invoice_line_taxes',
    ];
    for (const statement of forbidden) {
      await expect(
        withTenant(api.db, tenant.tenantId, (tx) => tx.execute(statement)),
        statement,
      ).rejects.toMatchObject({ cause: { code: '42501' } });
    }
    await expect(api.sql('UPDATE invoice_line_taxes SET amount_minor = 0')).rejects.toMatchObject({
      code: '23001',
    });
  });
});

describe('bad input', () => {
  beforeAll(() => taxedTenant());

  const customer = { email: 'ada@example.com', name: 'Ada', currency: 'USD' };

  it.each<[string, string, string, object, string, RegExp]>([
    [
      'a VAT id of another form',
      'POST',
      '/v1/customers',
      { ...customer, address: { country: 'FR' }, taxId: 'FR123' },
      'body.taxId',
      /form of a VAT id of France, such as FR12345678901/,
    ],
    [
      'a VAT id without a country',
      'POST',
      '/v1/customers',
      { ...customer, taxId: 'FR12345678901' },
      'body.taxId',
      /needs an address/,
    ],
    [
      'a GSTIN with a mistyped character',
      'POST',
      '/v1/customers',
      { ...customer, address: { country: 'IN', region: '29' }, taxId: '29AAPFU0939F1ZV' },
      'body.taxId',
      /check character/,
    ],
    [
      'a GSTIN of another state',
      'POST',
      '/v1/customers',
      { ...customer, address: { country: 'IN', region: '29' }, taxId: '27AAPFU0939F1ZV' },
      'body.taxId',
      /code of the state of the address, 29/,
    ],
    [
      'an Indian address without a state',
      'POST',
      '/v1/customers',
      { ...customer, address: { country: 'IN' } },
      'body.address.region',
      /29 for Karnataka/,
    ],
    [
      'a seller with an id of another form',
      'PUT',
      '/v1/tax_settings',
      { ...seller, taxIds: [{ kind: 'vat', value: 'DE1' }] },
      'body.taxIds.0.value',
      /DE123456789/,
    ],
    [
      'an Indian seller without a state',
      'PUT',
      '/v1/tax_settings',
      { ...seller, address: { country: 'IN' }, taxIds: [] },
      'body.address.region',
      /29 for Karnataka/,
    ],
    [
      'a rate of an Indian state that is none',
      'POST',
      '/v1/tax_rates',
      { ...rate, country: 'IN', kind: 'gst', region: 'KA' },
      'body.region',
      /29 for Karnataka/,
    ],
  ])('%s is refused with what is expected', async (_name, method, path, body, place, message) => {
    const before = await api.rowCounts();
    const answer = await request(method, path, body);
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'tax_details_unusable',
        errors: [{ path: place, message: expect.stringMatching(message) }],
      },
    });
    expect(await api.rowCounts()).toEqual(before);
  });

  it.each<[string, object, string]>([
    ['a percent above 100', { ...rate, percent: '100.5' }, 'body.percent'],
    ['a percent below 0', { ...rate, percent: '-1' }, 'body.percent'],
    ['a percent as a float', { ...rate, percent: 19 }, 'body.percent'],
    ['a percent of seven decimals', { ...rate, percent: '1.0000001' }, 'body.percent'],
    ['an unknown country', { ...rate, country: 'XX' }, 'body.country'],
    ['an unknown kind', { ...rate, kind: 'toll' }, 'body.kind'],
    ['a day that is none', { ...rate, validFrom: '2026-02-30' }, 'body.validFrom'],
  ])('%s is refused', async (_name, body, place) => {
    const answer = await request('POST', '/v1/tax_rates', body);
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: place }] },
    });
  });

  it('a new address must fit the id that stays, or come with another id', async () => {
    const { id } = await newCustomer({ address: { country: 'FR' }, taxId: 'fr 12 345 678 901' });
    const path = `/v1/customers/${id}`;
    const moved = await request('PATCH', path, { address: { country: 'AT' } });
    expect(moved).toMatchObject({ status: 422, body: { code: 'tax_details_unusable' } });
    expect(await ok('GET', path)).toMatchObject({ address: { country: 'FR' }, taxId: 'FR12345678901' });
    expect((await request('PATCH', path, { address: null })).status).toBe(422);
    const both = { address: { country: 'AT' }, taxId: 'ATU12345678', taxExemption: { reason: 'Charity' } };
    expect(await ok('PATCH', path, both)).toMatchObject({
      taxId: 'ATU12345678',
      taxExemption: both.taxExemption,
    });
    expect(await ok('PATCH', path, { name: 'Ada King' })).toMatchObject({ taxId: 'ATU12345678' });
    const none = { address: null, taxId: null, taxExemption: null };
    expect(await ok('PATCH', path, none)).toMatchObject(none);
  });
});

describe('an invoice', () => {
  beforeEach(() => taxedTenant());

  it('keeps its seller and its customer when both move', async () => {
    const customer = await newCustomer({ address: { country: 'DE', lines: ['Alte Gasse 1'] } });
    const issued = await newInvoice(customer);
    await ok('PATCH', `/v1/customers/${customer.id}`, { address: { country: 'FR' } });
    await ok('PUT', '/v1/tax_settings', { ...seller, legalName: 'Acme Books SE', priceDisplay: 'inclusive' });
    expect(await ok('GET', `/v1/invoices/${issued.id}`)).toEqual(issued);
    expect(issued.billTo.addressLines).toEqual(['Alte Gasse 1', 'Germany']);
    const texts = await pdfTexts(issued);
    expect(texts).toEqual(expect.arrayContaining(['Acme Books GmbH', 'VAT ID DE123456789', 'Alte Gasse 1']));
    expect(texts).not.toContain('Acme Books SE');
  });

  it('shows its tax by rate, and the sums agree', async () => {
    const texts = await pdfTexts(await newInvoice());
    const from = texts.indexOf('Subtotal');
    expect(texts.slice(from, from + 6)).toEqual([
      'Subtotal',
      'USD 29.00',
      'VAT 19 %',
      'USD 5.51',
      'Total',
      'USD 34.51',
    ]);
    const table = texts.indexOf('Taxable amount (USD)');
    expect(texts.slice(table + 2, table + 5)).toEqual(['VAT 19 %', '29.00', '5.51']);
  });

  it('whose lines contain their tax says so', async () => {
    await ok('PUT', '/v1/tax_settings', { ...seller, priceDisplay: 'inclusive' });
    const texts = await pdfTexts(await newInvoice());
    expect(texts).toContain('Amount with tax (USD)');
    const from = texts.indexOf('Net of tax');
    expect(texts.slice(from, from + 6)).toEqual([
      'Net of tax',
      'USD 24.37',
      'VAT 19 %',
      'USD 4.63',
      'Total',
      'USD 29.00',
    ]);
  });

  it('of a change rounds the tax of a rate once, on what the charge is more than the credit', async () => {
    // 19 % of 4.98 is 0.9462; of -5.03 and 10.01 apart it would be 0.94.
    expect(await changeInvoice(await newInvoice())).toMatchObject({
      subtotalMinor: 498,
      taxMinor: 95,
      totalMinor: 593,
    });
  });

  it('books what is earned apart from what is owed to the tax office', async () => {
    const invoice = await newInvoice();
    expect(await books()).toEqual({ receivable: 3451, revenue: -2900, tax_payable: -551 });
    await pay(invoice, 3451);
    expect(await books()).toEqual({ 'cash:manual': 3451, revenue: -2900, tax_payable: -551 });
  });
});

describe('tax is taken back', () => {
  beforeEach(() => taxedTenant());

  it('of a voided invoice, all of it, and what was paid is credit', async () => {
    const invoice = await newInvoice();
    await pay(invoice, 1000);
    await close(invoice, 'void');
    expect(await books()).toEqual({ 'cash:manual': 1000, customer_credit: -1000 });
  });

  it('of a voided invoice once, where a part was refunded before', async () => {
    const invoice = await newInvoice();
    await refund(await pay(invoice, 1000), { amountMinor: 400 });
    expect(await books()).toMatchObject({ tax_payable: -487, refunds: 336 });
    await close(invoice, 'void');
    expect(await books()).toEqual({ 'cash:manual': 600, customer_credit: -600 });
  });

  it('of a voided invoice, also of what the bank took back before; won after all, that is credit', async () => {
    const invoice = await newInvoice();
    const paymentId = await payByCard(invoice, 1000);
    const dispute = await loseDispute(paymentId, 1000);
    await close(invoice, 'void');
    expect(await books()).toEqual({});

    await bookSeen(paymentId, { ...dispute, status: 'won', isWithdrawn: false });
    expect(await books()).toEqual({ 'cash:stripe': 1000, customer_credit: -1000 });
    const { disputedMinor, customerId } = await ok('GET', `/v1/invoices/${invoice.id}`);
    expect([disputedMinor, (await ok('GET', `/v1/customers/${customerId}`)).creditMinor]).toEqual([0, 1000]);
  });

  it('of what is written off, in proportion, and owed again as it is paid after all', async () => {
    const invoice = await newInvoice();
    await pay(invoice, 1000);
    await close(invoice, 'uncollectible');
    expect(await books()).toEqual({ 'cash:manual': 1000, revenue: -2900, bad_debt: 2060, tax_payable: -160 });
    await pay(invoice, 1000);
    expect(await books()).toMatchObject({ bad_debt: 1219, tax_payable: -319 });
    await pay(invoice, 1451);
    expect(await books()).toEqual({ 'cash:manual': 3451, revenue: -2900, tax_payable: -551 });
  });

  it('of what is written off once, where a part was refunded before the bank took all of it back', async () => {
    const invoice = await newInvoice();
    const paymentId = await pay(invoice, 3451);
    await refund(paymentId, { amountMinor: 400 });
    const returned = { amountMinor: 3451, code: 'R10' };
    await withTenant(api.db, tenant.tenantId, async (tx) =>
      takeBackPayment(tx, await lockPayment(tx, paymentId), { returned, attempt: null, at: new Date() }),
    );
    await close(invoice, 'uncollectible');
    expect(await books()).toEqual({ 'cash:manual': -400, revenue: -2900, refunds: 336, bad_debt: 2964 });
    await pay(invoice, 3451);
    expect(await books()).toEqual({
      'cash:manual': 3051,
      revenue: -2900,
      refunds: 336,
      tax_payable: -487,
    });
  });

  it('of refunds in any parts, exactly all of it in the end', async () => {
    for (const parts of [[3451], [1, 3450], [1000, 1000, 1451], [1150, 1150, 1151], [3, 3, 3, 3442]]) {
      await taxedTenant();
      const paymentId = await pay(await newInvoice(), 3451);
      for (const amountMinor of parts) await refund(paymentId, { amountMinor });
      expect(await books()).toEqual({ revenue: -2900, refunds: 2900 });
    }
  });

  it('of a line that is given back whole: with its tax', async () => {
    const invoice = await newInvoice();
    const paymentId = await pay(invoice, 3451);
    const lines = [{ lineId: invoice.lines[0].id }];
    expect(await refund(paymentId, { lines })).toMatchObject({ amountMinor: 3451 });
    const { data } = await ok('GET', `/v1/credit_notes?invoiceId=${invoice.id}`);
    expect(data).toMatchObject([{ totalMinor: 3451, taxMinor: 551 }]);
  });

  it('not of money that had paid no invoice', async () => {
    const paymentId = await pay(await newInvoice(), 4000);
    await refund(paymentId, { amountMinor: 549 });
    expect(await books()).toMatchObject({ tax_payable: -551 });
    await refund(paymentId);
    expect(await books()).toEqual({ revenue: -2900, refunds: 2900 });
  });
});

describe('without tax settings', () => {
  it('everything is booked as before', async () => {
    tenant = await api.tenant();
    const invoice = await newInvoice();
    const paymentId = await pay(invoice, 1000);
    await refund(paymentId, { amountMinor: 400 });
    await close(invoice, 'uncollectible');
    expect(await books()).toEqual({ 'cash:manual': 600, revenue: -2900, refunds: 400, bad_debt: 1900 });
  });
});

async function pdfTexts({ id }: Json): Promise<string[]> {
  const response = await fetch(`${api.url}/v1/invoices/${id}/pdf`, {
    headers: { authorization: `Bearer ${tenant.token}` },
  });
  return textsOf(await readPdf(Buffer.from(await response.arrayBuffer())));
}

async function loseDispute(paymentId: string, amountMinor: number): Promise<CardDispute> {
  const dispute: CardDispute = {
    externalId: `dp_${randomUUID()}`,
    amount: { amountMinor, currency: 'USD' },
    reason: 'fraudulent',
    openedAt: new Date().toISOString(),
    status: 'lost',
    isWithdrawn: true,
  };
  await bookSeen(paymentId, dispute);
  return dispute;
}

async function bookSeen(paymentId: string, dispute: CardDispute): Promise<void> {
  await withTenant(api.db, tenant.tenantId, (tx) => bookDispute(tx, { paymentId, dispute, at: new Date() }));
}
