/** Invoices and receipts as files: for their tenant only, saying what the API says, and the same bytes again. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { readPdf, textsOf } from '../support/pdf.ts';

let api: TestApi;
let tenant: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
  [tenant, other] = [await api.tenant(), await api.tenant()];
});
afterAll(() => api.close());

type Issued = { invoiceId: string; number: string; customerId: string };

async function newInvoice(name = 'Ada Lovelace'): Promise<Issued> {
  const { tenantId, token, plans } = tenant;
  const plan = plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');
  const body = { email: `${randomUUID()}@example.com`, name, currency: 'USD' };
  const customer = await api.request('POST', '/v1/customers', { token, body });
  const period = { startsAt: '2026-11-01T00:00:00.000Z', endsAt: '2026-12-01T00:00:00.000Z' };
  const at = new Date('2026-11-01T09:00:00.000Z');
  const { id, number } = await withTenant(api.db, tenantId, async (tx) => {
    const made = await createSubscription(tx, { customerId: customer.body.id, plan, start: 'trial', at });
    const context = await lockSubscription(tx, made.context.subscription.id);
    return issuePeriodInvoice(tx, context, { periodIndex: 0, period, at });
  });
  return { invoiceId: id, number, customerId: customer.body.id };
}

async function pay(invoiceId: string, amountMinor: number, reference: string): Promise<string> {
  const how = { method: 'other', reason: 'on the statement', receivedAt: '2026-11-02T10:00:00.000Z' };
  const body = { amountMinor, currency: 'USD', reference, ...how };
  const { token } = tenant;
  const answer = await api.request('POST', `/v1/invoices/${invoiceId}/payments`, { token, body });
  expect(answer.status).toBe(201);
  return answer.body.paymentId;
}

/** The bytes, which a text would not keep. */
async function download(path: string, { token } = tenant): Promise<{ bytes: Buffer; headers: Headers }> {
  expect((await api.request('GET', path, { token })).status).toBe(200);
  const response = await fetch(`${api.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { bytes: Buffer.from(await response.arrayBuffer()), headers: response.headers };
}

async function textsAt(path: string): Promise<string[]> {
  return textsOf(await readPdf((await download(path)).bytes));
}

/** The text behind a label. */
function behind(texts: readonly string[], label: string): string | undefined {
  return texts[texts.indexOf(label) + 1];
}

describe('the PDF of an invoice', () => {
  it('is named after its number, is not cached, and is the same bytes on a second download', async () => {
    const { invoiceId, number } = await newInvoice();
    const first = await download(`/v1/invoices/${invoiceId}/pdf`);
    expect(first.headers.get('content-type')).toBe('application/pdf');
    expect(first.headers.get('content-disposition')).toBe(`inline; filename="${number}.pdf"`);
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.bytes.subarray(0, 5).toString()).toBe('%PDF-');
    const second = await download(`/v1/invoices/${invoiceId}/pdf`);
    expect(second.bytes.equals(first.bytes)).toBe(true);
    const { invoiceId: another } = await newInvoice();
    expect((await download(`/v1/invoices/${another}/pdf`)).bytes.equals(first.bytes)).toBe(false);
  });

  it('says who bills whom for what, and what is still due of it', async () => {
    const { invoiceId, number } = await newInvoice('עדה לאבלייס');
    const open = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(open.slice(0, 4)).toEqual(['Invoice', 'Open', 'Invoice number', number]);
    expect(behind(open, 'Date of issue')).toBe('1 Nov 2026');
    expect(behind(open, 'From')).toBe('Acme Books');
    expect(open.join(' ')).toContain('עדה');
    expect(behind(open, 'Total')).toBe('USD 29.00');
    expect(behind(open, 'Amount due')).toBe('USD 29.00');
    expect(open.filter((text) => text.includes('Pro monthly'))).toHaveLength(1);

    await pay(invoiceId, 900, 'wire 1');
    const partly = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(partly[1]).toBe('Open');
    expect(behind(partly, 'Paid')).toBe('-USD 9.00');
    expect(behind(partly, 'Amount due')).toBe('USD 20.00');

    // One dollar more than is due becomes credit, and is not on the invoice.
    await pay(invoiceId, 2100, 'wire 2');
    const paid = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(paid[1]).toBe('Paid');
    expect(behind(paid, 'Amount due')).toBe('USD 0.00');
    expect([behind(paid, 'wire 1'), behind(paid, 'wire 2')]).toEqual(['9.00', '20.00']);
  });

  it('says when it is due, which credit notes correct it, and what the bank took back', async () => {
    const { invoiceId } = await newInvoice();
    const paymentId = await pay(invoiceId, 2900, randomUUID());
    const { token } = tenant;
    const refunded = await api.request('POST', `/v1/payments/${paymentId}/refunds`, {
      token,
      body: { amountMinor: 900 },
    });
    expect(refunded.status).toBe(201);
    const [note] = (await api.request('GET', `/v1/credit_notes?invoiceId=${invoiceId}`, { token })).body.data;
    const corrected = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(corrected[1]).toBe('Partly refunded');
    expect(behind(corrected, 'Due date')).toBe('1 Nov 2026');
    expect(behind(corrected, 'Refunded')).toBe('USD 9.00');
    expect(corrected.slice(corrected.indexOf(note.number)).slice(0, 3)).toEqual([
      note.number,
      expect.any(String),
      '9.00',
    ]);
    expect(corrected).not.toContain('Taken back by your bank');

    await api.sql('UPDATE invoices SET disputed_minor = 2000 WHERE id = $1', [invoiceId]);
    const disputed = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(disputed[1]).toBe('Charged back');
    expect(behind(disputed, 'Taken back by your bank')).toBe('USD 20.00');
  });

  it('shows the pseudonym once the data of the customer is erased', async () => {
    const { invoiceId, customerId } = await newInvoice('Grace Hopper');
    expect(await textsAt(`/v1/invoices/${invoiceId}/pdf`)).toContain('Grace Hopper');
    const pseudonym = JSON.stringify({ name: 'Erased customer', email: '' });
    await api.sql('UPDATE invoices SET bill_to = $2 WHERE customer_id = $1', [customerId, pseudonym]);
    const texts = await textsAt(`/v1/invoices/${invoiceId}/pdf`);
    expect(texts).not.toContain('Grace Hopper');
    expect(behind(texts, 'Bill to')).toBe('Erased customer');
  });

  it('has the day of the tenant, not the one in London', async () => {
    const { invoiceId } = await newInvoice();
    await api.sql("UPDATE invoices SET issued_at = '2027-03-31T20:00:00Z' WHERE id = $1", [invoiceId]);
    expect(behind(await textsAt(`/v1/invoices/${invoiceId}/pdf`), 'Date of issue')).toBe('31 Mar 2027');
    await api.sql("UPDATE tenants SET time_zone = 'Asia/Kolkata' WHERE id = $1", [tenant.tenantId]);
    expect(behind(await textsAt(`/v1/invoices/${invoiceId}/pdf`), 'Date of issue')).toBe('1 Apr 2027');
    await api.sql("UPDATE tenants SET time_zone = 'UTC' WHERE id = $1", [tenant.tenantId]);
  });

  it('whose rows contradict each other is an error, not a file', async () => {
    const { invoiceId } = await newInvoice();
    await api.sql('UPDATE invoice_lines SET amount_minor = 1, unit_minor = 1 WHERE invoice_id = $1', [
      invoiceId,
    ]);
    const { token } = tenant;
    const answer = await api.request('GET', `/v1/invoices/${invoiceId}/pdf`, { token });
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal_error' } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('content-disposition')).toBeNull();
  });
});

describe('the receipt of a payment', () => {
  it('is named after the payment and is the same bytes on a second download', async () => {
    const { invoiceId } = await newInvoice();
    const path = `/v1/payments/${await pay(invoiceId, 2900, randomUUID())}/receipt`;
    const first = await download(path);
    expect(first.headers.get('content-disposition')).toMatch(
      /^inline; filename="receipt-pay_[0-9a-f]{32}\.pdf"$/,
    );
    expect((await download(path)).bytes.equals(first.bytes)).toBe(true);
  });

  it('says what came in, when and how, which invoice it paid, and what became credit', async () => {
    const { invoiceId, number } = await newInvoice();
    const paymentId = await pay(invoiceId, 3000, 'wire 3');
    const texts = await textsAt(`/v1/payments/${paymentId}/receipt`);
    expect(texts.slice(0, 4)).toEqual(['Receipt', 'Paid', 'Receipt number', paymentId]);
    expect(behind(texts, 'For invoice')).toBe(number);
    expect(behind(texts, 'Date of payment')).toBe('2 Nov 2026');
    expect(texts.join(' ')).toContain(`Payment of invoice ${number}: Pro monthly`);
    expect(texts.slice(texts.indexOf('Kept as your credit'))).toEqual([
      ...['Kept as your credit', '1', '1.00', '1.00', 'Amount paid', 'USD 30.00'],
      ...['Received', 'Payment method', 'Reference', 'Amount (USD)'],
      ...['2 Nov 2026', 'Direct payment', 'wire 3', '30.00', 'Page 1 of 1'],
    ]);
  });

  it('names the card that was charged, as long as its data is there', async () => {
    const { invoiceId, customerId } = await newInvoice();
    const paymentId = await pay(invoiceId, 2900, 'pi_card');
    const card = `pm_${randomUUID()}`;
    await api.sql(
      `INSERT INTO payment_methods (id, tenant_id, customer_id, brand, last4, exp_month, exp_year, attached_at)
       VALUES ($1, $2, $3, 'visa', '4242', 1, 2030, now())`,
      [card, tenant.tenantId, customerId],
    );
    await api.sql(
      `INSERT INTO charge_attempts (id, tenant_id, invoice_id, ordinal, origin, origin_key, payment_method_id,
         vendor_customer_id, status, external_id, amount_minor, currency, started_at)
       VALUES ($1, $2, $3, 1, 'renewal', 'renewal', $4, 'cus_1', 'succeeded', 'pi_card', 2900, 'USD', now())`,
      [`catt_${randomUUID()}`, tenant.tenantId, invoiceId, card],
    );
    await api.sql(
      `UPDATE payments SET rail = 'stripe', method = NULL, reason = NULL, recorded_by = NULL, recorded_at = NULL WHERE id = $1`,
      [paymentId],
    );
    expect(await textsAt(`/v1/payments/${paymentId}/receipt`)).toContain('Visa ending in 4242');
    await api.sql("UPDATE payment_methods SET brand = '', last4 = '' WHERE id = $1", [card]);
    expect(await textsAt(`/v1/payments/${paymentId}/receipt`)).toContain('Card');
  });
});

describe('another tenant', () => {
  it('and an unknown id get 404 for both', async () => {
    const { invoiceId } = await newInvoice();
    const paymentId = await pay(invoiceId, 2900, randomUUID());
    const paths = [`/v1/invoices/${invoiceId}/pdf`, `/v1/payments/${paymentId}/receipt`];
    for (const path of paths) {
      await download(path);
      const foreign = await api.request('GET', path, { token: other.token });
      expect(foreign).toMatchObject({ status: 404, body: { code: 'not_found' } });
      const unknown = await api.request('GET', path.replace(/[0-9a-f]{32}/, '0'.repeat(32)), {
        token: tenant.token,
      });
      expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });
});

describe('the OpenAPI document', () => {
  it('declares both as binary files', () => {
    for (const path of ['/v1/invoices/{invoiceId}/pdf', '/v1/payments/{paymentId}/receipt']) {
      expect(api.document.paths[path].get.responses['200'].content).toEqual({
        'application/pdf': { schema: { type: 'string', format: 'binary' } },
      });
    }
  });
});
