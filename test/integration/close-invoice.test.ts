/** An operator gives an open invoice up: the books say so, nobody is chased any more, and money on its way is not lost. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { applyFailedCharge } from '../../db/queries/payments/failed-charge.ts';
import { createInvoiceScene, day1, type InvoiceScene, statusOf } from './invoice-scene.ts';

let scene: InvoiceScene;
let customerId: string;
let subscriptionId: string;

beforeAll(async () => {
  scene = await createInvoiceScene();
});
afterAll(() => scene.close());
beforeEach(async () => {
  scene.at(day1);
  ({ subscriptionId, customerId } = await scene.subscribed());
});

const acts = [
  ['void', 'void'],
  ['uncollectible', 'mark_uncollectible'],
] as const;

const giveUp = (id: string, act: string, body: object = {}) =>
  scene.request('POST', `/v1/invoices/${id}/${act}`, body);

/** What the books have gained since they were as `before`. */
async function gained(before: Record<string, number>): Promise<Record<string, number>> {
  const after = await scene.books();
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries(
    [...names].map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]).filter(([, sum]) => sum !== 0),
  );
}

/** The renewal of the subscription whose card was refused: past due, with a ladder. */
async function pastDue(): Promise<string> {
  const at = '2026-04-01T09:00:00.000Z';
  const invoiceId = await scene.business.renew(subscriptionId, at);
  if (invoiceId === null) throw new Error('No invoice');
  await withTenant(scene.api.db, scene.tenant.tenantId, async (tx) => {
    await applyFailedCharge(tx, await lockSubscription(tx, subscriptionId), {
      invoice: await readInvoice(tx, invoiceId),
      origin: 'renewal',
      code: 'insufficient_funds',
      declineClass: 'soft',
      paymentMethodId: 'pm_1',
      actionUrl: null,
      attemptId: 'att_1',
      returned: null,
      at: new Date(at),
    });
  });
  expect(await statusOf(scene, subscriptionId)).toBe('past_due');
  return invoiceId;
}

async function attempt(invoiceId: string, status: string): Promise<void> {
  const card = `pm_${randomUUID()}`;
  await scene.api.sql(
    `INSERT INTO payment_methods (id, tenant_id, customer_id, brand, last4, exp_month, exp_year, attached_at)
     VALUES ($1, $2, $3, 'visa', '4242', 1, 2030, now())`,
    [card, scene.tenant.tenantId, customerId],
  );
  await scene.api.sql(
    `INSERT INTO charge_attempts (id, tenant_id, invoice_id, ordinal, origin, origin_key, payment_method_id,
       vendor_customer_id, status, external_id, amount_minor, currency, started_at)
     VALUES ($1, $2, $3, 1, 'renewal', 'renewal', $4, 'cus_1', $5, $6, 2900, 'USD', now())`,
    [`att_${randomUUID()}`, scene.tenant.tenantId, invoiceId, card, status, `pi_${randomUUID()}`],
  );
}

describe.each(acts)('an invoice that is given up as %s', (status, act) => {
  it('is so, with its number, in the timeline and in the audit log with the reason', async () => {
    const { id, number } = await scene.oneOff(subscriptionId);
    const answer = await giveUp(id, act, { reason: 'billed twice' });
    expect(answer).toMatchObject({ status: 200, body: { id, number, status, dueMinor: 0 } });
    expect(answer.body.closedAt).toBe(day1);
    const [entry] = (await scene.ok('GET', `/v1/audit_log?entityId=${id}`)).data;
    const action = status === 'void' ? 'invoice.voided' : 'invoice.marked_uncollectible';
    expect(entry).toMatchObject({
      action,
      reason: 'billed twice',
      actor: expect.stringMatching(/^api_key:/),
    });
    const timeline = await scene.ok('GET', `/v1/subscriptions/${subscriptionId}/timeline?limit=100`);
    const kinds = timeline.data.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toContain(status === 'void' ? 'invoice_voided' : 'invoice_uncollectible');
  });

  it('cannot be given up again, nor once it is paid', async () => {
    const { id } = await scene.oneOff(subscriptionId);
    await giveUp(id, act);
    const refused = { status: 409, body: { code: 'state_conflict', reason: 'invoice_not_open' } };
    for (const [, again] of acts) expect(await giveUp(id, again)).toMatchObject(refused);
    const paid = await scene.oneOff(subscriptionId);
    await scene.wire(paid.id, 90_000);
    const before = await scene.books();
    expect(await giveUp(paid.id, act)).toMatchObject(refused);
    expect(await scene.books()).toEqual(before);
  });

  it.each(['pending', 'processing'])('is refused while a charge is %s', async (charge) => {
    const { id } = await scene.oneOff(subscriptionId);
    await attempt(id, charge);
    expect(await giveUp(id, act)).toMatchObject({ status: 409, body: { reason: 'charge_in_flight' } });
  });

  it('calls back a charge that waits for the customer', async () => {
    const { id } = await scene.oneOff(subscriptionId);
    await attempt(id, 'requires_action');
    await scene.api.sql('DELETE FROM outbox');
    expect((await giveUp(id, act)).status).toBe(200);
    const owed = await scene.api.sql('SELECT envelope FROM outbox WHERE tenant_id = $1', [
      scene.tenant.tenantId,
    ]);
    expect(JSON.stringify(owed)).toContain('card');
  });

  it('is refused for what a change of plan waits for, and for what begins a subscription', async () => {
    const { id } = await scene.oneOff(subscriptionId);
    const pending = JSON.stringify({ kind: 'upgrade', invoiceId: id });
    await scene.api.sql('UPDATE subscriptions SET pending_change = $2 WHERE id = $1', [
      subscriptionId,
      pending,
    ]);
    expect(await giveUp(id, act)).toMatchObject({ status: 409, body: { reason: 'change_awaited' } });

    const credited = await scene.oneOff(subscriptionId);
    await scene.api.sql(
      `UPDATE invoice_lines SET kind = 'change_credit', amount_minor = -amount_minor, credits_line_id = (SELECT id FROM invoice_lines WHERE invoice_id = $2)
       WHERE invoice_id = $1`,
      [id, credited.id],
    );
    expect(await giveUp(credited.id, act)).toMatchObject({ status: 409, body: { reason: 'change_awaited' } });

    await scene.api.sql("UPDATE subscriptions SET status = 'incomplete' WHERE id = $1", [subscriptionId]);
    const first = await scene.business.renew(subscriptionId, '2026-04-01T09:00:00.000Z');
    expect(await giveUp(first ?? '', act)).toMatchObject({
      status: 409,
      body: { reason: 'subscription_awaited' },
    });
  });

  it('ends the ladder that it drives, and the access is back', async () => {
    const id = await pastDue();
    scene.at('2026-04-20T09:00:00.000Z');
    expect((await giveUp(id, act)).status).toBe(200);
    expect(await statusOf(scene, subscriptionId)).toBe('active');
    const [found] = await scene.api.sql(
      'SELECT outcome, closed_at FROM dunning_cases WHERE customer_id = $1',
      [customerId],
    );
    expect(found).toMatchObject({
      outcome: status === 'void' ? 'void' : 'written_off',
      closed_at: expect.any(Date),
    });
  });

  it('leaves a ladder alone that another invoice drives', async () => {
    const { id } = await scene.oneOff(subscriptionId);
    await pastDue();
    expect((await giveUp(id, act)).status).toBe(200);
    expect(await statusOf(scene, subscriptionId)).toBe('past_due');
    const [found] = await scene.api.sql('SELECT closed_at FROM dunning_cases WHERE customer_id = $1', [
      customerId,
    ]);
    expect(found.closed_at).toBeNull();
  });
});

it('the invoice goes with the mail that says its charge has failed', async () => {
  const invoiceId = await pastDue();
  const [mail] = await scene.api.sql('SELECT attaches FROM notifications WHERE dedupe_key = $1', [
    `invoice:${invoiceId}:payment_failed`,
  ]);
  expect(mail.attaches).toEqual({ kind: 'invoice', invoiceId });
});

it('voided takes the revenue back, and what was paid of it is credit', async () => {
  const before = await scene.books();
  const { id } = await scene.oneOff(subscriptionId);
  await scene.wire(id, 30_000);
  await giveUp(id, 'void');
  expect(await gained(before)).toEqual({ 'cash:manual': 30_000, customer_credit: -30_000 });
});

it('uncollectible is bad debt, until it is paid after all', async () => {
  const before = await scene.books();
  const { id } = await scene.oneOff(subscriptionId);
  await giveUp(id, 'mark_uncollectible');
  expect(await gained(before)).toEqual({ bad_debt: 90_000, revenue: -90_000 });
  expect(await scene.wire(id, 90_000)).toMatchObject({
    outcome: 'settled',
    invoice: { status: 'paid' },
  });
  expect(await gained(before)).toEqual({ 'cash:manual': 90_000, revenue: -90_000 });
});
