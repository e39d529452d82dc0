/**
 * Invoices and receipts go out with the mails that speak of them, and a mail that is sent again is the same to the last
 * byte, whatever has become of its invoice meanwhile. What left is read at the mail vendor.
 */
import { eq } from 'drizzle-orm';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { withTenant } from '../../db/client.ts';
import { eraseCustomer } from '../../db/queries/billing/erase-customer.ts';
import { findReceiptDocument } from '../../db/queries/billing/invoice-document.ts';
import { lockCustomer } from '../../db/queries/billing/subscriptions.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { renderInvoicePdf } from '../../integrations/pdf/invoice-pdf.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { readPdf, textsOf } from '../support/pdf.ts';
import { businessOf } from './report-scene.ts';

const day1 = '2026-03-01T09:00:00.000Z';
const day2 = '2026-03-02T09:00:00.000Z';

let api: TestApi;
let tenant: TestTenant;
let resend: ResendSandbox;
let business: ReturnType<typeof businessOf>;

beforeAll(async () => {
  api = await startTestApi();
  resend = await startResendSandbox({ port: 0 });
});
afterAll(async () => {
  await resend.close();
  await api.close();
});
beforeEach(async () => {
  resend.reset();
  await openBusiness();
});

async function openBusiness(options: { timeZone?: string } = {}): Promise<void> {
  tenant = await api.tenant(options);
  business = businessOf({ db: api.db, tenantId: tenant.tenantId });
}

type Row = typeof notifications.$inferSelect;

/** A subscription that was paid for, and the mail that says so. */
async function paid(at = day1): Promise<{ customerId: string; paymentId: string; mailId: string }> {
  const plan = tenant.plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');
  const customerId = await business.customer();
  const paymentId = await business.begin(await business.subscribe(customerId, plan, at), at);
  const mail = (await mails()).find(({ template }) => template === 'subscription_confirmed');
  if (mail === undefined) throw new Error('Nobody was told');
  return { customerId, paymentId, mailId: mail.id };
}

function mails(): Promise<Row[]> {
  return withTenant(api.db, tenant.tenantId, (tx) => tx.select().from(notifications));
}

async function row(mailId: string): Promise<Row> {
  const found = (await mails()).find(({ id }) => id === mailId);
  if (found === undefined) throw new Error(`No notification ${mailId}`);
  return found;
}

function send(notificationId: string): Promise<void> {
  const mailer = createResendMailer({ apiKey: 're_test', baseUrl: resend.url, from: 'Acme <a@acme.test>' });
  const log = pino({ level: 'silent' });
  const sender = createSendNotification({ db: api.db, mailer, drawDocument: renderInvoicePdf, log });
  return sender({ tenantId: tenant.tenantId, notificationId });
}

async function sendInDoubt(notificationId: string): Promise<void> {
  resend.setFaults({ next: [{ fault: 'drop_answer' }] });
  await expect(send(notificationId)).rejects.toMatchObject({ code: 'outcome_unknown' });
}

function filesSent() {
  return resend.mails().flatMap(({ id }) => resend.files(id));
}

it('the receipt goes with the mail that says the payment has come, the same as it can be downloaded', async () => {
  const { paymentId, mailId } = await paid();
  await send(mailId);

  const [file, ...others] = filesSent();
  expect(others).toEqual([]);
  expect(file?.filename).toBe(`receipt-${paymentId}.pdf`);
  const bytes = Buffer.from(file?.content ?? '', 'base64');
  const response = await fetch(`${api.url}/v1/payments/${paymentId}/receipt`, {
    headers: { authorization: `Bearer ${tenant.token}` },
  });
  expect(bytes.equals(Buffer.from(await response.arrayBuffer()))).toBe(true);
  expect(textsOf(await readPdf(bytes))).toContain('Amount paid');
});

it('names the days of the period as they are where the seller is, like every other date', async () => {
  await openBusiness({ timeZone: 'Asia/Kolkata' });
  // The midnight with which 1 March begins there.
  const { paymentId, mailId } = await paid('2026-02-28T18:30:00.000Z');
  await send(mailId);
  const mailed = textsOf(await readPdf(Buffer.from(filesSent()[0]?.content ?? '', 'base64')));
  // A long line is broken into several texts.
  expect(mailed.join('')).toContain('Pro monthly, 2026-03-01 to 2026-03-31');
  expect(mailed).toContain('1 Mar 2026');

  const get = async (path: string) => (await api.request('GET', path, { token: tenant.token })).body;
  const { invoiceId } = await get(`/v1/payments/${paymentId}`);
  const { lines, subscriptionId } = await get(`/v1/invoices/${invoiceId}`);
  expect(lines[0].description).toBe('Pro monthly, 2026-03-01 to 2026-03-31');
  const { data } = await get(`/v1/subscriptions/${subscriptionId}/timeline`);
  expect(data.map(({ message }: Json) => message)).toContainEqual(
    expect.stringContaining('was issued for the period from 2026-03-01 to 2026-03-31.'),
  );
});

it('a person finds the file beside the mail in the inbox of the sandbox', async () => {
  const { paymentId, mailId } = await paid();
  await send(mailId);
  const [mail] = resend.mails();
  const page = await (await fetch(`${resend.url}/mails/${mail?.id}`)).text();
  expect(page).toContain(`receipt-${paymentId}.pdf`);
  const file = await fetch(`${resend.url}/mails/${mail?.id}/files/0`);
  expect(file.headers.get('content-disposition')).toBe(`attachment; filename="receipt-${paymentId}.pdf"`);
  expect(
    Buffer.from(await file.arrayBuffer())
      .subarray(0, 5)
      .toString(),
  ).toBe('%PDF-');
  expect((await fetch(`${resend.url}/mails/${mail?.id}/files/1`)).status).toBe(404);
});

it('sent again after a lost answer it is the same mail, though the payment was refunded meanwhile', async () => {
  const { paymentId, mailId } = await paid();
  await sendInDoubt(mailId);
  await business.refund(paymentId, 900, day2);

  await send(mailId);
  expect(resend.effects().map(({ outcome }) => outcome)).toEqual(['effect', 'replay']);
  expect(await row(mailId)).toMatchObject({ status: 'sent', attempts: 2, error: null });
  expect(textsOf(await readPdf(Buffer.from(filesSent()[0]?.content ?? '', 'base64')))).not.toContain(
    'Refunded',
  );
});

it('would be refused under its key if the document were gathered anew for each try (negative control)', async () => {
  const { paymentId, mailId } = await paid();
  await sendInDoubt(mailId);
  await business.refund(paymentId, 900, day2);
  await withTenant(api.db, tenant.tenantId, async (tx) => {
    const attached = await findReceiptDocument(tx, paymentId);
    await tx.update(notifications).set({ attached }).where(eq(notifications.id, mailId));
  });

  await send(mailId);
  expect(await row(mailId)).toMatchObject({
    status: 'unknown',
    error: expect.stringContaining('idempotency_key_reused'),
  });
});

it('one that the vendor certainly did not take says at its next try what is so then', async () => {
  const { paymentId, mailId } = await paid();
  resend.setFaults({ next: [{ fault: 'rate_limit' }] });
  await expect(send(mailId)).rejects.toMatchObject({ code: 'rate_limited' });
  await business.refund(paymentId, 900, day2);

  await send(mailId);
  expect(await row(mailId)).toMatchObject({ status: 'sent' });
  expect(textsOf(await readPdf(Buffer.from(filesSent()[0]?.content ?? '', 'base64')))).toContain('Refunded');
});

it('what the document says is kept only as long as the outcome is open', async () => {
  const { mailId } = await paid();
  await sendInDoubt(mailId);
  expect((await row(mailId)).attached).toMatchObject({ kind: 'receipt', totalMinor: 2900 });
  await send(mailId);
  expect((await row(mailId)).attached).toBeNull();
});

it('an erasure takes it out of a mail in doubt, which is not sent again', async () => {
  const { customerId, mailId } = await paid();
  await sendInDoubt(mailId);
  await withTenant(api.db, tenant.tenantId, async (tx) => {
    await eraseCustomer(tx, await lockCustomer(tx, customerId), { actor: 'system', at: new Date(day2) });
  });
  expect((await row(mailId)).attached).toBeNull();
  await send(mailId);
  expect(resend.calls()).toEqual({ 'emails.send': 1 });
  expect(await row(mailId)).toMatchObject({ status: 'unknown', attached: null });
});

it('a document whose figures contradict each other is not sent, and the row says why', async () => {
  const { paymentId, mailId } = await paid();
  const [payment] = await api.sql('SELECT invoice_id FROM payments WHERE id = $1', [paymentId]);
  const attaches = { kind: 'invoice' as const, invoiceId: payment.invoice_id };
  await withTenant(api.db, tenant.tenantId, (tx) =>
    tx.update(notifications).set({ attaches }).where(eq(notifications.id, mailId)),
  );
  await api.sql('UPDATE invoice_lines SET amount_minor = 1, unit_minor = 1 WHERE invoice_id = $1', [
    attaches.invoiceId,
  ]);
  await send(mailId);
  expect(resend.calls()).toEqual({});
  expect(await row(mailId)).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('does not add up'),
  });
});
