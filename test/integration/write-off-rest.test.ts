/** The small rest of an invoice that an operator lets go: how small, of what, twice, at once, and what becomes of it later. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestAnswer } from '../support/api.ts';
import {
  createManualScene,
  type Debtor,
  type ManualScene,
  money,
  now,
  PRICE_MINOR,
  wire,
} from './manual-scene.ts';

let scene: ManualScene;
beforeAll(async () => {
  scene = await createManualScene();
});
afterAll(() => scene.close());

it('is a cost, and the invoice is paid with everything that follows', async () => {
  const debtor = await scene.owing();
  const before = await scene.balance('write_off');
  const paymentId = await pay(debtor, 1900);
  expect(await statusOf(debtor)).toBe('incomplete');
  const { status, body } = await writeOff(debtor);
  expect(status).toBe(200);
  expect(body).toMatchObject({ status: 'paid', paidMinor: PRICE_MINOR, writtenOffMinor: 1000, dueMinor: 0 });
  expect(await statusOf(debtor)).toBe('active');
  expect((await scene.balance('write_off')) - before).toBe(1000);
  expect(await scene.mailsTo(debtor.customerId)).toEqual(['payment_recorded', 'subscription_confirmed']);
  const [mail] = await scene.api.sql(
    "SELECT attaches FROM notifications WHERE template = 'subscription_confirmed' AND customer_id = $1",
    [debtor.customerId],
  );
  expect(mail.attaches).toEqual({ kind: 'receipt', paymentId });
  expect(await scene.auditOf(debtor.invoices[0] ?? '')).toMatchObject([
    {
      action: 'invoice.rest_written_off',
      reason: 'a bank kept it',
      details: { amountMinor: 1000, currency: 'USD' },
    },
  ]);
  const pdf = await scene.api.request('GET', `/v1/invoices/${debtor.invoices[0]}/pdf`, { token: scene.ada });
  expect(pdf.status).toBe(200);
});

it('again, and by ten at once, it is let go once', async () => {
  const debtor = await scene.owing();
  await pay(debtor, 2800);
  const answers = await Promise.all(Array.from({ length: 10 }, () => writeOff(debtor)));
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: answers[0]?.body });
  expect(await scene.auditOf(debtor.invoices[0] ?? '')).toHaveLength(1);
});

it.each([
  ['above the limit', 1899, 'write_off_above_limit'],
  ['of which nothing was paid', 0, 'nothing_paid'],
  ['that is paid', PRICE_MINOR, 'invoice_not_open'],
])('of an invoice %s is refused, and nothing is written', async (_what, paidMinor, cause) => {
  const debtor = await scene.owing();
  if (paidMinor > 0) await pay(debtor, paidMinor);
  await scene.refused(() => writeOff(debtor), 409, cause);
});

it.each([
  [920, 200],
  [921, 409],
])('in euro by the rate of the day: EUR cents %i meet %i', async (restMinor, status) => {
  const debtor = await scene.owing(1, { code: 'pro-euro', currency: 'EUR' });
  await pay(debtor, PRICE_MINOR - restMinor, { currency: 'EUR' });
  expect((await writeOff(debtor)).status).toBe(status);
});

it('is not let go by whoever entered the only rate that says how small it is, but by another person', async () => {
  const plan = { code: 'pro-shilling', name: 'Pro', family: 'shilling', interval: { unit: 'month' } };
  const priced = { ...plan, priceMinor: PRICE_MINOR, currency: 'KES' };
  expect((await scene.post('/v1/plans', priced, scene.tenant.token)).status).toBe(201);
  const debtor = await scene.owing(1, { code: 'pro-shilling', currency: 'KES' });
  await scene.business.pay(debtor.invoices[0] ?? '', 100, now);
  await scene.refused(() => writeOff(debtor), 422, 'exchange_rate_missing');
  const rate = { date: '2026-03-05', base: 'KES', quote: 'USD', rate: '0.0077', reason: 'not_published' };
  expect((await scene.post('/v1/exchange_rates', rate)).status).toBe(201);
  await scene.refused(() => writeOff(debtor), 409, 'second_person_required');
  expect((await writeOff(debtor, scene.bob)).status).toBe(200);
});

it('is refused without a reason, for another tenant, and while a card is charged for it', async () => {
  const debtor = await scene.owing();
  await pay(debtor, 2800);
  const path = `/v1/invoices/${debtor.invoices[0]}/write_off`;
  await scene.refused(() => scene.post(path, {}), 400, 'invalid_request');
  const { token } = await scene.api.tenant();
  await scene.refused(() => scene.post(path, { reason: 'x' }, token), 404, 'invoice_not_found');
  await scene.api.sql(
    `INSERT INTO payment_methods (id, tenant_id, customer_id, brand, last4, exp_month, exp_year, attached_at)
     VALUES ('pm_1', $1, $2, 'visa', '4242', 1, 2030, now())`,
    [scene.tenant.tenantId, debtor.customerId],
  );
  await scene.api.sql(
    `INSERT INTO charge_attempts (id, tenant_id, invoice_id, ordinal, origin, origin_key, payment_method_id, vendor_customer_id,
       status, amount_minor, currency, started_at)
     VALUES ('att_1', $1, $2, 1, 'first_invoice', 'first', 'pm_1', 'cus_1', 'processing', 100, 'USD', now())`,
    [scene.tenant.tenantId, debtor.invoices[0]],
  );
  await scene.refused(() => writeOff(debtor), 409, 'charge_in_flight');
});

it('in the same moment as a payment of it: one pays it, what comes second is credit or refused', async () => {
  for (let round = 0; round < 4; round += 1) {
    const debtor = await scene.owing();
    await pay(debtor, 2800);
    const [let_go, paid] = await Promise.all([
      writeOff(debtor),
      scene.post(`/v1/invoices/${debtor.invoices[0]}/payments`, wire(100)),
    ]);
    expect(paid.status).toBe(201);
    const { creditMinor } = await scene.get(`/v1/customers/${debtor.customerId}`);
    if (let_go.status === 200) expect([paid.body.outcome, creditMinor]).toEqual(['credited', 100]);
    else
      expect([let_go.body.reason, paid.body.outcome, creditMinor]).toEqual([
        'invoice_not_open',
        'settled',
        0,
      ]);
  }
});

it('is owed again when the cheque that had paid the others bounces, and may be let go once more', async () => {
  const debtor = await scene.owing();
  const before = await scene.balance('write_off');
  const paymentId = await pay(debtor, 2800);
  await writeOff(debtor);
  await scene.post(`/v1/payments/${paymentId}/bounce`, { reason: 'no funds' });
  expect(await scene.get(`/v1/invoices/${debtor.invoices[0]}`)).toMatchObject({
    status: 'open',
    dueMinor: PRICE_MINOR,
    writtenOffMinor: 0,
  });
  expect(await scene.balance('write_off')).toBe(before);
  await pay(debtor, 2850);
  expect((await writeOff(debtor)).body).toMatchObject({ status: 'paid', writtenOffMinor: 50 });
  expect((await scene.balance('write_off')) - before).toBe(50);
});

it('of an invoice whose last cheque bounced goes with the receipt of what did pay it', async () => {
  const debtor = await scene.owing();
  const paidBy = await pay(debtor, 2800);
  const bounced = await pay(debtor, 100);
  await scene.post(`/v1/payments/${bounced}/bounce`, { reason: 'no funds' });
  expect((await writeOff(debtor)).body).toMatchObject({ status: 'paid', writtenOffMinor: 100 });
  const receipts = await scene.api.sql(
    "SELECT attaches ->> 'paymentId' AS of FROM notifications WHERE customer_id = $1 AND attaches ->> 'kind' = 'receipt' ORDER BY id",
    [debtor.customerId],
  );
  expect(receipts.at(-1)).toEqual({ of: paidBy });
});

async function pay({ invoices }: Debtor, amountMinor: number, differs: object = {}): Promise<string> {
  const answer = await scene.post(`/v1/invoices/${invoices[0]}/payments`, money(amountMinor, differs));
  expect(answer.status).toBe(201);
  return answer.body.paymentId;
}

function writeOff({ invoices }: Debtor, token = scene.ada): Promise<TestAnswer> {
  return scene.post(`/v1/invoices/${invoices[0]}/write_off`, { reason: 'a bank kept it' }, token);
}

async function statusOf({ subscriptionId }: Debtor): Promise<string> {
  return (await scene.get(`/v1/subscriptions/${subscriptionId}`)).status;
}
