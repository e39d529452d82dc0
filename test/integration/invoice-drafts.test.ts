/** A draft is nobody's debt until it is issued; issued it has a number without gaps, the tax of the day, and a due date. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { eraseCustomer } from '../../db/queries/billing/erase-customer.ts';
import { finaliseDraft } from '../../db/queries/billing/finalise-draft.ts';
import { createDraft } from '../../db/queries/billing/invoice-drafts.ts';
import { lockCustomer } from '../../db/queries/billing/subscriptions.ts';
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

describe('a draft', () => {
  it('has lines and no number, is in no book, and is owed by nobody', async () => {
    const before = await scene.books();
    const draft = await scene.draft(subscriptionId);
    expect(draft).toMatchObject({
      number: null,
      kind: 'one_off',
      status: 'draft',
      currency: 'USD',
      subtotalMinor: 90_000,
      totalMinor: 90_000,
      dueMinor: 0,
      issuedAt: null,
      dueAt: null,
      billTo: null,
      draft: { daysUntilDue: 14, finalisesAt: null },
      lines: [{ kind: 'item', quantity: 2, unitMinor: 45_000, amountMinor: 90_000, taxes: [] }],
    });
    expect(await scene.books()).toEqual(before);
    expect(await scene.ok('GET', `/v1/invoices/${draft.id}`)).toEqual(draft);
    expect((await scene.ok('GET', '/v1/audit_log')).data[0]).toMatchObject({
      action: 'invoice.drafted',
      entityId: draft.id,
    });
  });

  it.each([
    ['downloaded', 'GET', 'pdf', undefined],
    [
      'paid',
      'POST',
      'payments',
      { amountMinor: 1, currency: 'USD', method: 'wire', reason: 'on the statement', reference: 'x' },
    ],
    ['voided', 'POST', 'void', {}],
    ['given up', 'POST', 'mark_uncollectible', {}],
  ])('cannot be %s; the answer says what to do first', async (_, method, act, body) => {
    const { id } = await scene.draft(subscriptionId);
    const answer = await scene.request(method, `/v1/invoices/${id}/${act}`, body);
    expect(answer).toMatchObject({ status: 409, body: { code: 'state_conflict', reason: 'invoice_draft' } });
    expect(answer.body.detail).toContain('/finalise');
  });

  it('is listed among the invoices, newest first, and by its state', async () => {
    const oldest = await scene.draft(subscriptionId);
    const issued = await scene.oneOff(subscriptionId);
    const newest = await scene.draft(subscriptionId);
    const path = `/v1/invoices?subscriptionId=${subscriptionId}`;
    const listed = async (query: string) =>
      (await scene.ok('GET', `${path}${query}`)).data.map(({ id }: { id: string }) => id);
    expect((await listed('')).slice(0, 3)).toEqual([newest.id, issued.id, oldest.id]);
    expect(await listed('&status=draft')).toEqual([newest.id, oldest.id]);
    expect(await listed('&status=open')).toEqual([issued.id]);
    const first = await scene.ok('GET', `${path}&limit=1`);
    expect(first.data[0].id).toBe(newest.id);
    expect(await listed(`&limit=2&cursor=${first.nextCursor}`)).toEqual([issued.id, oldest.id]);
  });

  it('gets other lines in place of all, and keeps what is not named', async () => {
    const { id } = await scene.draft(subscriptionId, { daysUntilDue: 30 });
    const lines = [{ description: 'A fee', unitMinor: 500, taxCode: '998314' }];
    expect(await scene.ok('PATCH', `/v1/invoices/${id}`, { lines })).toMatchObject({
      totalMinor: 500,
      draft: { daysUntilDue: 30 },
      lines: [{ description: 'A fee', quantity: 1, amountMinor: 500, taxCode: '998314' }],
    });
    const finalisesAt = '2026-04-01T00:00:00.000Z';
    const dated = await scene.ok('PATCH', `/v1/invoices/${id}`, { finalisesAt, daysUntilDue: 0 });
    expect(dated).toMatchObject({ totalMinor: 500, draft: { daysUntilDue: 0, finalisesAt } });
    const undated = await scene.ok('PATCH', `/v1/invoices/${id}`, { finalisesAt: null });
    expect(undated.draft.finalisesAt).toBeNull();
    expect(await scene.ok('PATCH', `/v1/invoices/${id}`, {})).toEqual(undated);
  });

  it('is thrown away, and then there is none', async () => {
    const { id } = await scene.draft(subscriptionId);
    expect(await scene.ok('POST', `/v1/invoices/${id}/discard`, {})).toMatchObject({ status: 'draft' });
    for (const [method, act, body] of [
      ['GET', '', undefined],
      ['PATCH', '', {}],
      ['POST', '/finalise', {}],
      ['POST', '/discard', {}],
    ] as const) {
      expect((await scene.request(method, `/v1/invoices/${id}${act}`, body)).status).toBe(404);
    }
  });

  it.each([
    ['no lines', { lines: [] }],
    ['a price of nothing', { lines: [{ description: 'x', unitMinor: 0 }] }],
    ['a price below nothing', { lines: [{ description: 'x', unitMinor: -1 }] }],
    ['half a piece', { lines: [{ description: 'x', quantity: 0.5, unitMinor: 1 }] }],
    ['no words', { lines: [{ description: '', unitMinor: 1 }] }],
    ['a due date in the past', { daysUntilDue: -1 }],
    ['a currency of its own', { currency: 'EUR' }],
  ])('with %s is refused and not kept', async (_, fields) => {
    const answer = await scene.request('POST', '/v1/invoices', {
      subscriptionId,
      lines: [{ description: 'x', unitMinor: 1 }],
      ...fields,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(
      (await scene.ok('GET', `/v1/invoices?subscriptionId=${subscriptionId}&status=draft`)).data,
    ).toEqual([]);
  });

  it('over more money than there is is refused', async () => {
    const lines = [{ description: 'x', quantity: 1_000_000, unitMinor: 999_999_999_999 }];
    const refused = { status: 422, body: { code: 'amount_out_of_range' } };
    expect(await scene.request('POST', '/v1/invoices', { subscriptionId, lines })).toMatchObject(refused);
    const { id } = await scene.draft(subscriptionId);
    expect(await scene.request('PATCH', `/v1/invoices/${id}`, { lines })).toMatchObject(refused);
  });

  it('to be issued in the past is refused', async () => {
    const body = { subscriptionId, lines: [{ description: 'x', unitMinor: 1 }], finalisesAt: day1 };
    expect(await scene.request('POST', '/v1/invoices', body)).toMatchObject({
      status: 422,
      body: { code: 'date_out_of_range' },
    });
  });

  it('goes with the data of its customer, who gets no other', async () => {
    const { id } = await scene.draft(subscriptionId);
    await withTenant(scene.api.db, scene.tenant.tenantId, async (tx) => {
      await eraseCustomer(tx, await lockCustomer(tx, customerId), { actor: 'system', at: scene.now() });
    });
    expect((await scene.request('GET', `/v1/invoices/${id}`)).status).toBe(404);
    const body = { subscriptionId, lines: [{ description: 'x', unitMinor: 1 }] };
    expect(await scene.request('POST', '/v1/invoices', body)).toMatchObject({
      status: 409,
      body: { code: 'customer_erased' },
    });
  });
});

describe('issued', () => {
  it('it keeps its id and lines, has a number and a due date, is in the books, and is mailed with its PDF', async () => {
    const before = await scene.books();
    const draft = await scene.draft(subscriptionId, { daysUntilDue: 30 });
    scene.at('2026-03-05T10:00:00.000Z');
    const invoice = await scene.ok('POST', `/v1/invoices/${draft.id}/finalise`, {});
    expect(invoice).toMatchObject({
      id: draft.id,
      number: expect.stringMatching(/^INV-\d{6}$/),
      kind: 'one_off',
      status: 'open',
      totalMinor: 90_000,
      dueMinor: 90_000,
      issuedAt: '2026-03-05T10:00:00.000Z',
      dueAt: '2026-04-04T10:00:00.000Z',
      draft: null,
      lines: [{ id: draft.lines[0].id, kind: 'item', amountMinor: 90_000 }],
    });
    const after = await scene.books();
    expect((after['receivable'] ?? 0) - (before['receivable'] ?? 0)).toBe(90_000);
    expect((after['revenue'] ?? 0) - (before['revenue'] ?? 0)).toBe(-90_000);
    expect(await scene.told(draft.id)).toEqual(['invoice_issued']);
    const [mail] = await scene.api.sql('SELECT * FROM notifications WHERE dedupe_key = $1', [
      `invoice:${draft.id}:issued`,
    ]);
    expect(mail.attaches).toEqual({ kind: 'invoice', invoiceId: draft.id });
    expect(mail.variables).toMatchObject({ amount: 'USD 900.00', dueOn: '4 Apr 2026' });
  });

  it('it bears the tax of that day, not of the day it was drafted', async () => {
    await scene.ok('PATCH', `/v1/customers/${customerId}`, { address: { country: 'DE' } });
    await scene.ok('PUT', '/v1/tax_settings', { legalName: 'Acme', address: { country: 'DE' } });
    await scene.ok('POST', '/v1/tax_rates', {
      country: 'DE',
      kind: 'vat',
      name: 'VAT',
      percent: '19',
      validFrom: '2026-03-02',
    });
    const draft = await scene.draft(subscriptionId);
    expect(draft).toMatchObject({ taxMinor: 0, totalMinor: 90_000 });
    scene.at('2026-03-05T10:00:00.000Z');
    const invoice = await scene.ok('POST', `/v1/invoices/${draft.id}/finalise`, {});
    expect(invoice).toMatchObject({ subtotalMinor: 90_000, taxMinor: 17_100, totalMinor: 107_100 });
    expect(invoice.lines[0].taxes).toMatchObject([{ percent: '19', amountMinor: 17_100 }]);
  });

  it('it is no draft any more', async () => {
    const { id } = await scene.oneOff(subscriptionId);
    for (const [method, act, body] of [
      ['PATCH', '', {}],
      ['POST', '/finalise', {}],
      ['POST', '/discard', {}],
    ] as const) {
      const answer = await scene.request(method, `/v1/invoices/${id}${act}`, body);
      expect(answer).toMatchObject({ status: 409, body: { reason: 'invoice_open' } });
    }
  });

  it('twice under one key it is one invoice, one number and one mail', async () => {
    const { id } = await scene.draft(subscriptionId);
    const again = { token: scene.tenant.token, body: {}, key: randomUUID() };
    const path = `/v1/invoices/${id}/finalise`;
    const answers = await Promise.all([
      scene.api.request('POST', path, again),
      scene.api.request('POST', path, again),
    ]);
    const third = await scene.api.request('POST', path, again);
    expect([...answers, third].map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set([...answers, third].map(({ body }) => body.number)).size).toBe(1);
    expect(await scene.told(id)).toEqual(['invoice_issued']);
  });

  it('by ten at the same moment it is one invoice', async () => {
    const { id } = await scene.draft(subscriptionId);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => scene.request('POST', `/v1/invoices/${id}/finalise`, {})),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(
      answers.filter(({ status }) => status !== 200).every(({ status }) => [404, 409].includes(status)),
    ).toBe(true);
    expect(await scene.told(id)).toEqual(['invoice_issued']);
  });

  it('it is paid with what we hold for the customer; then the mail is that of a payment, with its receipt', async () => {
    const first = await scene.oneOff(subscriptionId);
    await scene.wire(first.id, 200_000);
    const second = await scene.oneOff(subscriptionId);
    expect(second).toMatchObject({ status: 'paid', paidMinor: 90_000, dueMinor: 0 });
    expect(await scene.told(second.id)).toEqual(['payment_received']);
    const third = await scene.oneOff(subscriptionId);
    expect(third).toMatchObject({ status: 'open', paidMinor: 20_000, dueMinor: 70_000 });
    const [mail] = await scene.api.sql('SELECT * FROM notifications WHERE dedupe_key = $1', [
      `invoice:${third.id}:issued`,
    ]);
    expect(mail.variables.amount).toBe('USD 700.00');
  });

  it('paid by wire it changes nothing of a subscription that waits for something else', async () => {
    const waiting = await scene.business.subscribe(
      customerId,
      scene.tenant.plans['team-monthly'] as never,
      day1,
    );
    const { id } = await scene.oneOff(waiting);
    expect(await scene.wire(id, 90_000)).toMatchObject({ outcome: 'settled' });
    expect(await statusOf(scene, waiting)).toBe('incomplete');
    expect(await scene.told(id)).toEqual(['invoice_issued', 'payment_received']);
  });

  it('is numbered 1 to N by 50 concurrent ones, 10 of which are rolled back', async () => {
    const other = await createInvoiceScene();
    const { tenantId, plans } = other.tenant;
    const drafts: string[] = [];
    for (let index = 0; index < 60; index += 1) {
      const customer = await other.business.customer();
      const id = await other.business.subscribe(customer, plans['pro-monthly'] as never, day1);
      const lines = [{ description: 'A fee', quantity: 1, unitMinor: 100, taxCode: null }];
      const draft = { subscriptionId: id, lines, daysUntilDue: 14, finalisesAt: null, at: new Date(day1) };
      drafts.push((await withTenant(other.api.db, tenantId, (tx) => createDraft(tx, draft))).id);
    }
    const rolledBack = new Error('rolled back');
    const outcomes = await Promise.allSettled(
      drafts.map((draftId, index) =>
        withTenant(other.api.db, tenantId, async (tx) => {
          const { number } = await finaliseDraft(tx, { draftId, actor: 'test', at: new Date(day1) });
          if (index % 6 === 5) throw rolledBack;
          return number;
        }),
      ),
    );
    const numbers = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(numbers.sort()).toEqual(
      Array.from({ length: 50 }, (_, index) => `INV-${String(index + 1).padStart(6, '0')}`),
    );
    const left = await other.ok('GET', '/v1/invoices?status=draft&limit=100');
    expect(left.data).toHaveLength(10);
    await other.close();
  });
});
