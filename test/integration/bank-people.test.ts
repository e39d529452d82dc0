/** What people do about movements: match, split, credit, take back, ignore; every way in which that is refused; two at once. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { eraseMovements } from '../../db/queries/payments/erase-movements.ts';
import { keepConfirmation } from '../../db/queries/payments/transfer-acts.ts';
import { subscriptions } from '../../db/schema/billing.ts';
import { bankMatchingWorkflowId } from '../../workflows/payments/bank-matching.contract.ts';
import { type BankScene, createBankScene, NOW } from './bank-scene.ts';
import { businessOf } from './report-scene.ts';

let scene: BankScene;
let references = 10_000_000;

beforeAll(async () => {
  scene = await createBankScene();
});
afterEach(() => scene.check());
afterAll(() => scene.close());

const nextReference = () => {
  references += 7;
  return `ADV${references}`;
};
const path = (id: string, act: string) => `/v1/bank_transactions/${id}/${act}`;
const match = (id: string, body: object) => scene.request('POST', path(id, 'match'), body);

describe('a suggestion', () => {
  it('is read with its rank and sentence, and accepted with one click: activation, receipt, audit', async () => {
    const customerId = await scene.business.customer();
    const plan = scene.tenant.plans['pro-monthly'];
    if (plan === undefined) throw new Error('no plan');
    scene.at('2026-03-02T09:00:00.000Z');
    const subscriptionId = await scene.business.subscribe(customerId, plan, '2026-03-02T09:00:00.000Z');
    const invoiceId = await issueFirst(subscriptionId);
    scene.at(NOW);
    const before = (await scene.mails()).length;
    const id = await scene.tell('INCOMING WIRE OF SOMEBODY', plan.priceMinor);
    await scene.match();
    const { data } = await scene.ok('GET', path(id, 'decisions'));
    expect(data).toMatchObject([
      {
        kind: 'suggest',
        rule: '11',
        sentence: expect.stringContaining('there is one suggestion'),
        suggestions: [{ invoices: [{ invoiceId }], points: { amount: 40 }, isConfirmed: false }],
        decidedBy: 'matching',
      },
    ]);
    const { status, body } = await match(id, { invoices: [{ invoiceId }], reason: 'Told us by phone' });
    expect([status, body.status, body.leftMinor]).toEqual([200, 'matched', 0]);
    expect(body.payments).toMatchObject([{ invoiceId, outcome: 'settled', amountMinor: plan.priceMinor }]);
    const [subscription] = (await scene.inTenant((tx) => tx.select().from(subscriptions))).filter(
      (each) => each.id === subscriptionId,
    );
    expect(subscription?.status).toBe('active');
    expect((await scene.mails()).slice(before)).toEqual(['bank_matching_alert', 'subscription_confirmed']);
    const audit = await scene.ok('GET', `/v1/audit_log?entityId=${id}`);
    expect(audit.data).toMatchObject([{ action: 'bank_transaction.matched', reason: 'Told us by phone' }]);
    expect((await scene.ok('GET', path(id, 'decisions'))).data.at(-1)).toMatchObject({
      kind: 'match',
      rule: null,
      sentence: expect.stringContaining('to 1 invoice: Told us by phone.'),
    });
  });

  it('of the number on the customer’s confirmation comes first', async () => {
    const other = await scene.invoice(nextReference(), 61_100);
    const told = await scene.invoice(nextReference(), 61_200, { confirmationNumber: '2026 0305-MMQF 77' });
    const id = await scene.tell('INCOMING WIRE', 61_100, { bankReference: '20260305MMQF77' });
    await scene.match();
    const { data } = await scene.ok('GET', path(id, 'decisions'));
    expect(data[0].sentence).toContain("it has the number that is on the customer's confirmation");
    expect(data[0].suggestions).toMatchObject([
      { invoices: [{ invoiceId: told.invoiceId }], isConfirmed: true },
      { invoices: [{ invoiceId: other.invoiceId }], isConfirmed: false },
    ]);
  });

  it('appears as soon as the customer has told the number, and nothing else is looked at again', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 61_300);
    const id = await scene.tell('INCOMING WIRE', 9, { bankReference: 'FED778899' });
    await scene.match();
    const other = await unmatched(8);
    expect(await scene.statusOf(id)).toBe('unmatched');
    const [transfer] = await scene.api.sql('SELECT id FROM bank_transfers WHERE reference = $1', [reference]);
    const started = await matchingsStarted();
    const told = { bankTransferId: String(transfer?.['id']), number: 'fed 778899' };
    for (const _twice of [1, 2]) {
      await scene.inTenant((tx) => keepConfirmation(tx, { ...told, actor: 'customer', at: new Date(NOW) }));
    }
    expect(await matchingsStarted()).toBe(started + 1);
    expect([(await scene.movement(id)).isWaiting, (await scene.movement(other)).isWaiting]).toEqual([
      true,
      false,
    ]);
    await scene.match();
    const { data } = await scene.ok('GET', path(id, 'decisions'));
    expect(data.at(-1).suggestions[0].invoices).toMatchObject([{ invoiceId }]);
  });
});

describe('what is decided about a movement that waits', () => {
  it('is one decision of a kind, however often the invoices change; what people do is one more, and is read in pages', async () => {
    const id = await scene.tell('INCOMING WIRE', 61_500);
    await scene.match();
    const all = async () => (await scene.ok('GET', path(id, 'decisions'))).data;
    const again = async (at: string) => {
      await scene.ok('POST', '/v1/bank/reconcile', {});
      await scene.match(at);
    };
    const { invoiceId: first } = await scene.invoice(nextReference(), 61_500);
    await again('2026-03-06T13:00:00.000Z');
    const [unmatchedOnce, suggested] = await all();
    const { invoiceId: second } = await scene.invoice(nextReference(), 61_500);
    await again('2026-03-06T14:00:00.000Z');
    const renewed = await all();
    expect(renewed).toMatchObject([
      unmatchedOnce,
      { id: suggested.id, ordinal: 2, kind: 'suggest', decidedAt: '2026-03-06T14:00:00.000Z' },
    ]);
    expect(
      renewed[1].suggestions.map(
        (each: { invoices: { invoiceId: string }[] }) => each.invoices[0]?.invoiceId,
      ),
    ).toEqual(expect.arrayContaining([first, second]));

    await match(id, { invoices: [{ invoiceId: first }] });
    await scene.ok('POST', path(id, 'unmatch'), { reason: 'The other one' });
    await again('2026-03-06T15:00:00.000Z');
    const kinds = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { data, nextCursor } = await scene.ok('GET', `${path(id, 'decisions')}?limit=1${query}`);
      kinds.push(...data.map(({ kind }: { kind: string }) => kind));
      cursor = nextCursor;
    }
    expect(kinds).toEqual(['unmatched', 'suggest', 'match', 'unmatch']);
  });
});

describe('a match', () => {
  it('is split over several invoices, and the rest is credit of a named customer', async () => {
    const [one, two] = [
      await scene.invoice(nextReference(), 1000),
      await scene.invoice(nextReference(), 2000),
    ];
    const id = await unmatched(3500);
    const { body } = await match(id, {
      invoices: [{ invoiceId: one.invoiceId, amountMinor: 400 }, { invoiceId: two.invoiceId }],
      creditCustomerId: two.customerId,
    });
    expect(body).toMatchObject({ status: 'matched', allocatedMinor: 3500 });
    expect(await scene.dueOf(one.invoiceId)).toBe('open 400/1000');
    expect(await scene.dueOf(two.invoiceId)).toBe('paid 2000/2000');
    expect(await scene.creditOf(two.customerId)).toBe(1100);
  });

  it('leaves a rest with the movement, which somebody matches later', async () => {
    const [one, two] = [
      await scene.invoice(nextReference(), 1000),
      await scene.invoice(nextReference(), 2000),
    ];
    const id = await unmatched(2500);
    const first = await match(id, { invoices: [{ invoiceId: one.invoiceId }] });
    expect(first.body).toMatchObject({ status: 'partly_matched', leftMinor: 1500 });
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.statusOf(id)).toBe('partly_matched 1000');
    const second = await match(id, { invoices: [{ invoiceId: two.invoiceId }] });
    expect(second.body).toMatchObject({ status: 'matched', payments: [{ outcome: 'partial' }] });
  });

  it('makes all of it the credit of a customer who owes nothing', async () => {
    const { customerId } = await scene.invoice(nextReference(), 1000, { as: 'paid' });
    const id = await unmatched(700);
    const { body } = await match(id, { invoices: [], creditCustomerId: customerId });
    expect(body).toMatchObject({ status: 'matched', payments: [{ outcome: 'credited' }] });
    expect(await scene.creditOf(customerId)).toBe(700);
  });

  it('of late money is accepted, and what is missing has time again', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 5000, {
      status: 'expired',
      expiresAt: '2026-03-04T09:00:00.000Z',
    });
    const id = await scene.tell(`WIRE ${reference}`, 3000);
    await scene.match();
    expect(await scene.decisionOf(id)).toBe('late_admin 5');
    await match(id, { invoices: [{ invoiceId }] });
    expect(
      await scene.api.sql('SELECT status, expires_at FROM bank_transfers WHERE reference = $1', [reference]),
    ).toEqual([{ status: 'partially_paid', expires_at: new Date('2026-03-13T12:00:00.000Z') }]);
    const rest = await scene.tell(`WIRE ${reference}`, 2000, { bookedOn: '2026-03-10' });
    await scene.match('2026-03-10T12:00:00.000Z');
    expect(await scene.decisionOf(rest)).toBe('auto 7');
    expect(await scene.dueOf(invoiceId)).toBe('paid 5000/5000');
  });

  it('of foreign money counts at the rate of its day, if that is asked for', async () => {
    const { invoiceId } = await scene.invoice(nextReference(), 10_000);
    const id = await unmatched(7800, { currency: 'GBP' });
    const body = { invoices: [{ invoiceId }] };
    expect(await match(id, body)).toMatchObject({ status: 422, body: { code: 'currency_mismatch' } });
    expect(await match(id, { ...body, convert: true })).toMatchObject({
      status: 422,
      body: { code: 'exchange_rate_missing' },
    });
    const rate = { base: 'GBP', quote: 'USD', date: '2026-03-05', rate: '1.27', reason: 'agreed' };
    await scene.ok('POST', '/v1/exchange_rates', rate);
    expect(await match(id, { ...body, convert: true })).toMatchObject({
      status: 409,
      body: { reason: 'second_person_required' },
    });
    const { token } = await scene.api.key(scene.tenantId, ['billing:write']);
    await scene.api.request('POST', '/v1/exchange_rates', { token, body: rate });
    expect(await match(id, { ...body, convert: true })).toMatchObject({ body: { status: 'matched' } });
    expect(await scene.dueOf(invoiceId)).toBe('paid 10000/10000');
  });

  it('of money on the wrong account is made all the same', async () => {
    const connectionId = await scene.connection();
    const savings = await scene.account({ isReceiving: false, connectionId, externalId: 'savings' });
    await scene.account({ isReceiving: true, connectionId, externalId: 'checking' });
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1234);
    const id = await scene.tell(`WIRE ${reference}`, 1234, { accountId: savings });
    await scene.match();
    expect([await scene.decisionOf(id), await scene.statusOf(id)]).toEqual(['wrong_account g5', 'exception']);
    await match(id, { invoices: [{ invoiceId }] });
    expect(await scene.dueOf(invoiceId)).toBe('paid 1234/1234');
  });

  it('twice under one key is one, and under another key hears that it is done', async () => {
    const { invoiceId } = await scene.invoice(nextReference(), 1000);
    const id = await unmatched(1000);
    const { token } = scene.tenant;
    const request = { token, body: { invoices: [{ invoiceId }] }, key: 'click' };
    const first = await scene.api.request('POST', path(id, 'match'), request);
    expect(await scene.api.request('POST', path(id, 'match'), request)).toMatchObject({
      status: 200,
      body: first.body,
    });
    expect(await match(id, { invoices: [{ invoiceId }] })).toMatchObject({
      status: 409,
      body: { reason: 'already_matched' },
    });
  });

  it('by two people at once books one payment', async () => {
    const { invoiceId } = await scene.invoice(nextReference(), 1000);
    const id = await unmatched(1000);
    const answers = await Promise.all([1, 2].map(() => match(id, { invoices: [{ invoiceId }] })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
  });

  it('of two movements to one invoice at once pays it once, and the second person is told', async () => {
    const { invoiceId } = await scene.invoice(nextReference(), 1000);
    const ids = [await unmatched(1000), await unmatched(1000)];
    const answers = await Promise.all(ids.map((id) => match(id, { invoices: [{ invoiceId }] })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.reason).toBe('invoice_not_open');
  });

  it('by hand and by the rules at once is one payment', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    const [byHand] = await Promise.all([match(id, { invoices: [{ invoiceId }] }), scene.match()]);
    await scene.match();
    expect([200, 409]).toContain(byHand.status);
    expect(await scene.statusOf(id)).toBe('matched 1000');
    expect(
      await scene.api.sql("SELECT count(*)::int FROM payments WHERE rail = 'bank' AND invoice_id = $1", [
        invoiceId,
      ]),
    ).toEqual([{ count: 1 }]);
  });
});

describe('a match that cannot be is refused, and nothing is written:', () => {
  const refused: [string, () => Promise<{ id: string; body: object }>, number, string][] = [
    ['money out', () => about(-500, 'open'), 409, 'money_out'],
    ['a movement that is not booked', () => about(500, 'open', { pending: true }), 409, 'not_booked'],
    ['a paid invoice', () => about(500, 'paid'), 409, 'invoice_not_open'],
    ['a void invoice', () => about(500, 'void'), 409, 'invoice_not_open'],
    ['more than is due', () => about(2000, 'open', {}, 1001), 409, 'above_due'],
    ['more than came', () => about(500, 'open', {}, 501), 409, 'above_movement'],
    ['another currency', () => about(500, 'open', { currency: 'EUR' }), 422, 'currency_mismatch'],
    [
      'a rest that there is none of',
      async () => {
        const { id, body, customerId } = await about(1000, 'open');
        return { id, body: { ...body, creditCustomerId: customerId } };
      },
      409,
      'nothing_left',
    ],
    [
      "another tenant's invoice",
      async () => {
        const { id } = await about(500, 'open');
        return { id, body: { invoices: [{ invoiceId: await foreignInvoice() }] } };
      },
      404,
      'invoice_not_found',
    ],
    [
      'one invoice twice',
      async () => {
        const { id, body } = await about(500, 'open');
        return { id, body: { invoices: [...body.invoices, ...body.invoices] } };
      },
      409,
      'invoice_named_twice',
    ],
    [
      'nothing',
      async () => ({ id: (await about(500, 'open')).id, body: { invoices: [] } }),
      409,
      'nothing_to_match',
    ],
    ['a negative amount', () => about(500, 'open', {}, -1), 400, 'invalid_request'],
    ['a part of a cent', () => about(500, 'open', {}, 1.5), 400, 'invalid_request'],
    [
      'a movement that does not exist',
      async () => ({ id: `btx_${'0'.repeat(32)}`, body: (await about(500, 'open')).body }),
      404,
      'bank_transaction_not_found',
    ],
  ];

  it.each(refused)('%s', async (_name, prepare, status, reason) => {
    const { id, body } = await prepare();
    const before = await scene.api.rowCounts(scene.tenantId);
    const answer = await match(id, body);
    expect([answer.status, answer.body.reason ?? answer.body.code]).toEqual([status, reason]);
    expect(await scene.api.rowCounts(scene.tenantId)).toEqual(before);
  });

  it('money that may be a copy of a known movement', async () => {
    const original = await unmatched(800);
    const { id, body } = await about(800, 'open');
    await scene.api.sql(
      "UPDATE bank_transactions SET status = 'copy_suspected', copy_of_id = $2 WHERE id = $1",
      [id, original],
    );
    expect((await match(id, body)).body.reason).toBe('copy_suspected');
  });
});

describe('a customer who is erased', () => {
  it('is forgotten in movements that pay, or paid last before they were taken back, and in nobody else’s', async () => {
    const [wrong, right] = [await open(2100), await open(2100)];
    const [waiting, paying, returned] = [await named(2100), await named(2100), await named(2100)];
    for (const id of [waiting, paying, returned]) {
      expect((await match(id, wrong.body)).status).toBe(200);
      await scene.ok('POST', path(id, 'unmatch'), { reason: 'Somebody else' });
    }
    expect((await match(paying, right.body)).status).toBe(200);
    await scene.api.sql('UPDATE bank_transactions SET reversed_at = now() WHERE id = $1', [returned]);
    const erase = (customerId: string) =>
      scene.inTenant((tx) => eraseMovements(tx, { customerId, at: new Date(NOW) }));
    const payers = () =>
      Promise.all([waiting, paying, returned].map(async (id) => (await scene.movement(id)).payerName));
    await erase(wrong.customerId);
    expect(await payers()).toEqual(['Ada', 'Ada', null]);
    await erase(right.customerId);
    expect(await payers()).toEqual(['Ada', null, null]);
  });

  async function open(amountMinor: number) {
    const { customerId, invoiceId } = await scene.invoice(nextReference(), amountMinor);
    return { customerId, body: { invoices: [{ invoiceId }] } };
  }

  async function named(amountMinor: number): Promise<string> {
    const id = await scene.tell('WIRE', amountMinor, { payer: { name: 'Ada', account: null } });
    await scene.match();
    return id;
  }
});

describe('taking a match back', () => {
  it('opens the invoice again, tells the customer, and leaves the movement to people for good', async () => {
    const { invoiceId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    const before = (await scene.mails()).length;
    const { status, body } = await scene.request('POST', path(id, 'unmatch'), { reason: 'Wrong branch' });
    expect([status, body.status, body.allocatedMinor]).toEqual([200, 'unmatched', 0]);
    expect(await scene.dueOf(invoiceId)).toBe('open 0/1000');
    expect((await scene.mails()).slice(before)).toEqual(['bank_payment_returned']);
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.statusOf(id)).toBe('unmatched');
    const { data } = await scene.ok('GET', path(id, 'decisions'));
    expect(
      data.map(({ kind, undoneReason }: { kind: string; undoneReason: string }) => [kind, undoneReason]),
    ).toEqual([
      ['auto', 'Wrong branch'],
      ['unmatch', null],
    ]);
    expect((await match(id, { invoices: [{ invoiceId }] })).status).toBe(200);
    expect(await scene.dueOf(invoiceId)).toBe('paid 1000/1000');
  });

  it('takes credit back that nobody has spent', async () => {
    const { customerId, reference } = await scene.invoice(nextReference(), 1000);
    const id = await scene.tell(`WIRE ${reference}`, 1500);
    await scene.match();
    expect(await scene.creditOf(customerId)).toBe(500);
    await scene.ok('POST', path(id, 'unmatch'), { reason: 'Not theirs' });
    expect(await scene.creditOf(customerId)).toBe(0);
  });

  it('is refused where nothing is booked, and where the money was given back', async () => {
    const id = await unmatched(10);
    expect((await scene.request('POST', path(id, 'unmatch'), { reason: 'x' })).body.reason).toBe(
      'not_matched',
    );
    const { reference } = await scene.invoice(nextReference(), 1000);
    const paid = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    const [payment] = await scene.api.sql(
      'SELECT payment_id FROM bank_allocations WHERE transaction_id = $1',
      [paid],
    );
    const refund = await scene.ok('POST', `/v1/payments/${payment.payment_id}/refunds`, { amountMinor: 300 });
    expect(refund.status).toBe('succeeded');
    expect((await scene.request('POST', path(paid, 'unmatch'), { reason: 'x' })).body.reason).toBe(
      'payment_refunded',
    );
  });
});

describe('a duplicate', () => {
  it('is refunded where the customer wants that: recorded as given back by hand', async () => {
    const { customerId, reference } = await scene.invoice(nextReference(), 1000, { as: 'paid' });
    const id = await scene.tell(`WIRE ${reference}`, 1000);
    await scene.match();
    const [payment] = await scene.api.sql(
      'SELECT payment_id FROM bank_allocations WHERE transaction_id = $1',
      [id],
    );
    const refund = await scene.ok('POST', `/v1/payments/${payment.payment_id}/refunds`, {});
    expect(refund).toMatchObject({ status: 'succeeded', amountMinor: 1000 });
    expect(await scene.creditOf(customerId)).toBe(0);
  });
});

describe('ignoring', () => {
  it('takes a movement out of the queue until somebody matches it after all', async () => {
    const { invoiceId } = await scene.invoice(nextReference(), 1000);
    const id = await unmatched(1000);
    const ignored = await scene.ok('POST', path(id, 'ignore'), { reason: 'Interest' });
    expect(ignored.status).toBe('ignored');
    await scene.ok('POST', '/v1/bank/reconcile', {});
    await scene.match();
    expect(await scene.statusOf(id)).toBe('ignored');
    const again = await scene.request('POST', path(id, 'ignore'), { reason: 'Interest' });
    expect(again.body.reason).toBe('already_ignored');
    expect((await match(id, { invoices: [{ invoiceId }] })).status).toBe(200);
    expect((await scene.request('POST', path(id, 'ignore'), { reason: 'x' })).body.reason).toBe(
      'already_matched',
    );
  });
});

async function matchingsStarted(): Promise<number> {
  const rows = await scene.api.sql("SELECT 1 FROM outbox WHERE envelope ->> 'workflowId' = $1", [
    bankMatchingWorkflowId(scene.tenantId),
  ]);
  return rows.length;
}

async function unmatched(amountMinor: number, details: object = {}): Promise<string> {
  const id = await scene.tell('SOMETHING', amountMinor, details);
  await scene.match();
  return id;
}

/** A movement and the wish to pay an invoice of 10.00 with it. */
async function about(
  amountMinor: number,
  as: 'open' | 'paid' | 'void',
  details: object = {},
  partMinor?: number,
) {
  const { invoiceId, customerId } = await scene.invoice(nextReference(), 1000, as === 'open' ? {} : { as });
  const id = await unmatched(amountMinor, details);
  const part = partMinor === undefined ? {} : { amountMinor: partMinor };
  return { id, customerId, body: { invoices: [{ invoiceId, ...part }] } };
}

async function issueFirst(subscriptionId: string): Promise<string> {
  return scene.inTenant(async (tx) => {
    const context = await lockSubscription(tx, subscriptionId);
    const period = { startsAt: '2026-03-02T09:00:00.000Z', endsAt: '2026-04-01T09:00:00.000Z' };
    const at = new Date(period.startsAt);
    return (await issuePeriodInvoice(tx, context, { periodIndex: 0, period, at })).id;
  });
}

async function foreignInvoice(): Promise<string> {
  const other = await scene.api.tenant();
  const business = businessOf({ db: scene.db, tenantId: other.tenantId });
  const plan = other.plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');
  const subscriptionId = await business.subscribe(await business.customer(), plan, NOW);
  await business.begin(subscriptionId, NOW);
  const [invoice] = await scene.api.sql('SELECT id FROM invoices WHERE tenant_id = $1', [other.tenantId]);
  return invoice.id;
}
