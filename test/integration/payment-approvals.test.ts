/**
 * Four eyes: what one person may record alone, in any currency and in how many parts, what waits for a second person, and who that
 * may be. Nothing is booked before, and once it is, it is booked once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { eraseCustomer } from '../../db/queries/billing/erase-customer.ts';
import { lockCustomer } from '../../db/queries/billing/subscriptions.ts';
import { decideApproval } from '../../db/queries/payments/payment-approvals.ts';
import type { Json, TestAnswer } from '../support/api.ts';
import {
  createManualScene,
  type Debtor,
  type ManualScene,
  money,
  now,
  PRICE_MINOR,
  wire,
} from './manual-scene.ts';
import { Death, mortalDatabase } from './mortal.ts';

/** USD 1,000.00. */
const LIMIT_MINOR = 100_000;

let scene: ManualScene;
beforeAll(async () => {
  scene = await createManualScene();
});
afterAll(() => scene.close());

describe('from the limit on', () => {
  it('a payment waits, and nothing of it is booked', async () => {
    const debtor = await scene.owing();
    const before = await scene.balance('cash:manual');
    const body = money(LIMIT_MINOR, { receivedAt: '2026-03-02T09:00:00.000Z', note: 'a stamp on it' });
    const { status, body: approval } = await record(debtor, body);
    expect(status).toBe(202);
    expect(approval).toMatchObject({
      ...body,
      status: 'asked',
      customerId: debtor.customerId,
      invoiceId: debtor.invoices[0],
      usdMinor: LIMIT_MINOR,
      askedBy: expect.stringMatching(/^api_key:key_/),
      askedAt: now,
      decidedBy: null,
      paymentId: null,
    });
    expect(await scene.get(`/v1/payment_approvals/${approval.id}`)).toEqual(approval);
    const { data } = await scene.get('/v1/payment_approvals?status=asked&limit=100');
    expect(data).toContainEqual(approval);
    expect(await paymentsOf(debtor)).toEqual([]);
    expect(await scene.balance('cash:manual')).toBe(before);
    expect(await scene.auditOf(approval.id)).toMatchObject([
      { action: 'payment_approval.asked', reason: 'handed in at the office' },
    ]);
    expect((await scene.alerts()).at(-1)).toContain(approval.id);
    expect((await scene.alerts()).join()).not.toContain('000417');
  });

  it('approved by another person it is booked with the date it was asked with', async () => {
    const debtor = await scene.owing();
    const receivedAt = '2026-03-02T09:00:00.000Z';
    const approval = await asked(debtor, money(LIMIT_MINOR, { receivedAt, note: 'a stamp on it' }));
    const { status, body } = await decide(approval.id, 'approve', scene.bob);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'approved',
      decidedAt: now,
      paymentId: expect.stringMatching(/^pay_/),
    });
    expect(body.decidedBy).not.toBe(body.askedBy);
    expect(await scene.get(`/v1/payments/${body.paymentId}`)).toMatchObject({
      amountMinor: LIMIT_MINOR,
      allocatedMinor: PRICE_MINOR,
      receivedAt,
      note: 'a stamp on it',
      recordedBy: body.askedBy,
      approvalId: approval.id,
    });
    expect(await scene.get(`/v1/invoices/${debtor.invoices[0]}`)).toMatchObject({ status: 'paid' });
    expect(await scene.auditOf(body.paymentId)).toMatchObject([
      {
        action: 'payment.recorded',
        actor: body.decidedBy,
        reason: 'handed in at the office',
        details: { approvalId: approval.id, recordedBy: body.askedBy },
      },
    ]);
    expect(await scene.mailsTo(debtor.customerId)).toEqual(['subscription_confirmed']);
  });

  it('its own author neither approves nor rejects it', async () => {
    const approval = await asked(await scene.owing(), money(LIMIT_MINOR));
    for (const act of ['approve', 'reject'] as const)
      await scene.refused(() => decide(approval.id, act, scene.ada), 409, 'second_person_required');
  });

  it('approved twice, and by ten at once, it is booked once', async () => {
    const debtor = await scene.owing();
    const approval = await asked(debtor, money(LIMIT_MINOR));
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => decide(approval.id, 'approve', scene.bob)),
    );
    const [first] = answers;
    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: first?.body });
    expect(await decide(approval.id, 'approve', scene.tenant.token)).toMatchObject({ body: first?.body });
    expect(await paymentsOf(debtor)).toHaveLength(1);
    expect(await scene.auditOf(approval.id)).toHaveLength(2);
  });

  it('rejected it is never booked, and its reference is free again', async () => {
    const debtor = await scene.owing();
    const body = money(LIMIT_MINOR);
    const approval = await asked(debtor, body);
    const rejected = await decide(approval.id, 'reject', scene.bob);
    expect(rejected.body).toMatchObject({
      status: 'rejected',
      rejection: 'not on the statement',
      paymentId: null,
    });
    expect(await decide(approval.id, 'reject', scene.bob)).toMatchObject({
      status: 200,
      body: rejected.body,
    });
    await scene.refused(() => decide(approval.id, 'approve', scene.bob), 409, 'approval_rejected');
    expect(await paymentsOf(debtor)).toEqual([]);
    expect((await asked(debtor, body)).id).not.toBe(approval.id);
  });

  it('approved, it is not rejected any more: it says how the money goes back', async () => {
    const approval = await asked(await scene.owing(), money(LIMIT_MINOR));
    await decide(approval.id, 'approve', scene.bob);
    const answer = await scene.refused(
      () => decide(approval.id, 'reject', scene.bob),
      409,
      'approval_approved',
    );
    expect(answer.body.detail).toContain('/bounce');
  });

  it('approved and rejected in the same moment it is one of both', async () => {
    for (let round = 0; round < 4; round += 1) {
      const debtor = await scene.owing();
      const approval = await asked(debtor, money(LIMIT_MINOR));
      const answers = await Promise.all([
        decide(approval.id, 'approve', scene.bob),
        decide(approval.id, 'reject', scene.tenant.token),
      ]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      const { status } = await scene.get(`/v1/payment_approvals/${approval.id}`);
      expect(await paymentsOf(debtor)).toHaveLength(status === 'approved' ? 1 : 0);
    }
  });

  it('when the process dies while it is approved all of it is done or nothing, and repeated it is done once', async () => {
    const debtor = await scene.owing();
    const { id } = await asked(debtor, money(LIMIT_MINOR));
    const { tenantId } = scene.tenant;
    const wish = { id, act: 'approve', actor: 'somebody', at: new Date(now) } as const;
    for (const [dieAt, booked] of [
      [1, 0],
      [2, 0],
      [3, 1],
    ] as const) {
      const dying = withTenant(mortalDatabase(scene.api.db, dieAt), tenantId, (tx) =>
        decideApproval(tx, wish),
      );
      await expect(dying).rejects.toThrow(Death);
      expect(await paymentsOf(debtor)).toHaveLength(booked);
    }
    expect((await decide(id, 'approve', scene.bob)).body).toMatchObject({ status: 'approved' });
    expect(await paymentsOf(debtor)).toHaveLength(1);
  });

  it('a payment that names no invoice waits as well, and pays what is owed when it is approved', async () => {
    const debtor = await scene.owing(2);
    const path = `/v1/customers/${debtor.customerId}/payments`;
    const { status, body: approval } = await scene.post(path, wire(LIMIT_MINOR));
    expect([status, approval.invoiceId]).toEqual([202, null]);
    const { body } = await decide(approval.id, 'approve', scene.bob);
    const { allocations } = await scene.get(`/v1/payments/${body.paymentId}`);
    expect(allocations.map(({ invoiceId }: Json) => invoiceId)).toEqual(debtor.invoices);
  });

  it('a cheque that was approved bounces like any', async () => {
    const debtor = await scene.owing();
    const approval = await asked(debtor, money(LIMIT_MINOR));
    const { body } = await decide(approval.id, 'approve', scene.bob);
    const bounced = await scene.post(`/v1/payments/${body.paymentId}/bounce`, { reason: 'no funds' });
    expect(bounced.body).toMatchObject({ returnedMinor: LIMIT_MINOR });
    expect(await scene.get(`/v1/customers/${debtor.customerId}`)).toMatchObject({ creditMinor: 0 });
  });

  it.each([
    ['a fee of all of it', { feeMinor: LIMIT_MINOR }, 422, 'fee_above_amount'],
    ['a rate for its own currency', { exchangeRate: '1', rateSource: 'bank' }, 422, 'exchange_rate_unusable'],
    ['a day to come', { receivedAt: '2999-01-01T00:00:00Z' }, 422, 'date_out_of_range'],
    ['a currency whose rate nobody knows', { currency: 'KWD' }, 422, 'exchange_rate_missing'],
  ])(
    'what could not be booked is refused at once and asks nobody: %s',
    async (_what, differs, status, cause) => {
      const debtor = await scene.owing();
      await scene.refused(() => record(debtor, money(LIMIT_MINOR, differs)), status, cause);
    },
  );

  it("another tenant's approval is not found", async () => {
    const approval = await asked(await scene.owing(), money(LIMIT_MINOR));
    const { token } = await scene.api.tenant();
    for (const act of ['approve', 'reject'] as const)
      await scene.refused(() => decide(approval.id, act, token), 404, 'payment_approval_not_found');
  });
});

describe('the same money', () => {
  it('recorded again while it waits is the same approval, whoever records it, and under the same key as well', async () => {
    const debtor = await scene.owing();
    const body = money(LIMIT_MINOR);
    const path = `/v1/invoices/${debtor.invoices[0]}/payments`;
    const key = 'one-key-of-many';
    const first = await scene.api.request('POST', path, { token: scene.ada, body, key });
    const answers = [
      await scene.api.request('POST', path, { token: scene.ada, body, key }),
      await record(debtor, body),
      await record(debtor, body, scene.bob),
    ];
    for (const answer of answers) expect(answer).toMatchObject({ status: 202, body: first.body });
  });

  it('recorded by ten at once asks once', async () => {
    const debtor = await scene.owing();
    const body = money(LIMIT_MINOR);
    const answers = await Promise.all(Array.from({ length: 10 }, () => record(debtor, body)));
    expect(new Set(answers.map(({ status, body: { id } }) => `${status} ${id}`)).size).toBe(1);
  });

  it('recorded once more after it was approved is a duplicate', async () => {
    const debtor = await scene.owing();
    const body = money(LIMIT_MINOR);
    const { id } = await asked(debtor, body);
    const { paymentId } = (await decide(id, 'approve', scene.bob)).body;
    expect(await record(debtor, body)).toMatchObject({
      status: 200,
      body: { outcome: 'duplicate', paymentId },
    });
  });

  it('is not less money, nor for another invoice, under its reference', async () => {
    const [debtor, other] = [await scene.owing(), await scene.owing()];
    const body = money(LIMIT_MINOR);
    await asked(debtor, body);
    const cause = 'reference_awaits_approval';
    await scene.refused(() => record(debtor, { ...body, amountMinor: 100 }), 409, cause);
    await scene.refused(() => record(other, body), 409, cause);
  });
});

describe('money in parts', () => {
  it('of one person for one customer counts together within a day, however it is recorded', async () => {
    const debtor = await scene.owing(3);
    expect((await record(debtor, wire(60_000))).status).toBe(201);
    const last = { ...debtor, invoices: debtor.invoices.slice(2) };
    expect((await record(last, wire(39_999))).status).toBe(201);
    expect((await record(last, wire(1))).status).toBe(202);
    expect((await record(debtor, wire(1))).status).toBe(202);
    // Another person has not recorded anything yet, nor has this one for another customer.
    expect((await record(debtor, wire(60_000), scene.bob)).status).toBe(201);
    expect((await record(await scene.owing(), wire(60_000))).status).toBe(201);
    scene.at('2026-03-06T12:00:00.000Z');
    expect((await record(debtor, wire(60_000))).status).toBe(201);
    scene.at(now);
  });

  it('at once is no way round it', async () => {
    const debtor = await scene.owing();
    const answers = await Promise.all([60_000, 60_000, 60_000].map((minor) => record(debtor, wire(minor))));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 202, 202]);
  });

  it('that were approved count no more', async () => {
    const debtor = await scene.owing();
    const { id } = await asked(debtor, wire(LIMIT_MINOR));
    await decide(id, 'approve', scene.bob);
    expect((await record(debtor, wire(99_999))).status).toBe(201);
  });
});

describe('money in another currency', () => {
  it.each([
    ['EUR', 92_029, 201],
    ['EUR', 92_030, 202],
    ['GBP', 78_740, 202],
    ['GBP', 78_739, 201],
  ])('%s %i by the rate of the day: %i', async (currency, amountMinor, status) => {
    expect((await record(await scene.owing(), wire(amountMinor, { currency }))).status).toBe(status);
  });

  it('is worth no less for a rate that a person entered beside a published one, or named with it', async () => {
    const entered = { date: '2026-03-04', base: 'EUR', quote: 'USD', rate: '0.01', reason: 'mistake' };
    const named = { currency: 'EUR', exchangeRate: '100', rateSource: 'advice of the bank' };
    expect((await record(await scene.owing(), wire(1000, named))).status).toBe(202);
    const euro = await scene.owing(1, { code: 'pro-euro', currency: 'EUR' });
    expect((await scene.post('/v1/exchange_rates', entered)).status).toBe(201);
    expect((await record(euro, wire(92_031, { currency: 'EUR' }))).status).toBe(202);
  });

  it('whose worth nobody knows waits, however little it is', async () => {
    await plan('pro-dinar', 'KWD');
    const debtor = await scene.owing(1, { code: 'pro-dinar', currency: 'KWD' });
    const approval = await asked(debtor, wire(9000, { currency: 'KWD' }));
    expect(approval.usdMinor).toBeNull();
    expect((await decide(approval.id, 'approve', scene.bob)).body.paymentId).toMatch(/^pay_/);
    expect(await scene.get(`/v1/invoices/${debtor.invoices[0]}`)).toMatchObject({ status: 'paid' });
  });
});

describe('a rate that a person entered for a currency that nobody publishes', () => {
  const rate = { date: '2026-03-05', base: 'KES', quote: 'USD', reason: 'not_published' };
  const shillings = (amountMinor: number) => wire(amountMinor, { currency: 'KES' });

  it('does not say what that person may record alone; of another one it does', async () => {
    await plan('pro-shilling', 'KES');
    const debtor = await scene.owing(1, { code: 'pro-shilling', currency: 'KES' });
    expect((await scene.post('/v1/exchange_rates', { ...rate, rate: '0.0000001' })).status).toBe(201);
    const approval = await asked(debtor, shillings(500_000_000));
    expect(approval.usdMinor).toBeNull();
    expect((await asked(debtor, shillings(100))).usdMinor).toBeNull();
    expect((await scene.post('/v1/exchange_rates', { ...rate, rate: '0.0077' }, scene.bob)).status).toBe(201);
    expect((await asked(debtor, shillings(12_987_100))).usdMinor).toBe(100_001);
    expect((await record(debtor, shillings(12_980_000))).status).toBe(201);
  });

  it('does not make it worth less than by the rate of another person, whoever enters one last', async () => {
    const debtor = await scene.owing(1, { code: 'pro-shilling', currency: 'KES' });
    expect((await scene.post('/v1/exchange_rates', { ...rate, rate: '0.0000001' })).status).toBe(201);
    expect((await asked(debtor, shillings(12_987_100))).usdMinor).toBe(100_001);
  });
});

it('a customer who was erased leaves no number of a cheque in references either; other references stay', async () => {
  const debtor = await scene.owing();
  const [cheque, plain] = [`cheque 000417 of ${debtor.customerId}`, `slip of ${debtor.customerId}`];
  for (const [reference, amountMinor] of [
    [cheque, 100],
    [plain, 100],
    [`${cheque} too`, LIMIT_MINOR],
  ] as const)
    await record(debtor, money(amountMinor, { reference }));
  await withTenant(scene.api.db, scene.tenant.tenantId, async (tx) =>
    eraseCustomer(tx, await lockCustomer(tx, debtor.customerId), { actor: 'test', at: new Date(now) }),
  );
  const payments = await paymentsOf(debtor);
  expect(payments.map(({ id, externalId }) => externalId === id || externalId)).toEqual([plain, true]);
  const approvals = await scene.api.sql(
    'SELECT reference = id AS is_blank FROM payment_approvals WHERE customer_id = $1',
    [debtor.customerId],
  );
  expect(approvals).toEqual([{ is_blank: true }]);
});

it('a customer who was erased leaves neither note nor number in what was asked', async () => {
  const debtor = await scene.owing();
  const { id } = await asked(debtor, money(LIMIT_MINOR, { note: 'brought by her brother' }));
  const [row] = await scene.api.sql(
    'SELECT response_body::text AS kept FROM idempotency_keys WHERE response_body::text LIKE $1',
    [`%${id}%`],
  );
  expect(row.kept).not.toContain('brother');
  expect(row.kept).not.toContain('000417');
});

/** A plan in a currency of its own, which nobody has a rate of. */
async function plan(code: string, currency: string): Promise<void> {
  const fields = { name: code, family: code, priceMinor: 9000, interval: { unit: 'month' } };
  const made = await scene.post('/v1/plans', { ...fields, code, currency }, scene.tenant.token);
  expect(made.status).toBe(201);
}

function record({ invoices }: Debtor, body: object, token?: string): Promise<TestAnswer> {
  return scene.post(`/v1/invoices/${invoices[0]}/payments`, body, token);
}

async function asked(debtor: Debtor, body: object): Promise<Json> {
  const answer = await record(debtor, body);
  expect(answer.status).toBe(202);
  return answer.body;
}

function decide(id: string, act: 'approve' | 'reject', token: string): Promise<TestAnswer> {
  const body = act === 'reject' ? { reason: 'not on the statement' } : {};
  return scene.post(`/v1/payment_approvals/${id}/${act}`, body, token);
}

async function paymentsOf({ customerId }: Debtor): Promise<Json[]> {
  return (await scene.get(`/v1/payments?customerId=${customerId}`)).data;
}
