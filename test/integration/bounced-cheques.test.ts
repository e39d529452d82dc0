/**
 * Cheques and money orders that are recorded and come back unpaid: what is taken back, who hears of it, twice, two at once, beside
 * a refund, and by a process that dies. After each of them the books explain every cent.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSubscriptionRequestActivities } from '../../activities/billing/subscription-requests.ts';
import { withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { bouncePayment } from '../../db/queries/payments/bounce-payment.ts';
import { subscriptions } from '../../db/schema/billing.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { SubscriptionEvent } from '../../domain/billing/subscription.ts';
import type { TestAnswer } from '../support/api.ts';
import { readPdf } from '../support/pdf.ts';
import { noTaxEngine } from '../support/tax-engine.ts';
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

let scene: ManualScene;
beforeEach(async () => {
  scene = await createManualScene();
});
afterEach(() => scene.close());

describe('a payment recorded by hand', () => {
  it('says how it came, why it was recorded and by whom: itself, in the audit log and on the receipt that is mailed', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    expect(await scene.get(`/v1/payments/${paymentId}`)).toMatchObject({
      rail: 'manual',
      method: 'cheque',
      chequeNumber: '000417',
      reason: 'handed in at the office',
      recordedBy: expect.stringMatching(/^api_key:key_/),
      approvalId: null,
    });
    expect(await scene.auditOf(paymentId)).toMatchObject([
      {
        action: 'payment.recorded',
        actor: expect.stringMatching(/^api_key:key_/),
        reason: 'handed in at the office',
        details: { invoiceId: debtor.invoices[0], outcome: 'settled', method: 'cheque' },
      },
    ]);
    expect(await receiptsOf(debtor)).toEqual([['subscription_confirmed', paymentId]]);
    expect(await receiptOf(paymentId)).toContain('Cheque 000417');
  });

  it.each([
    ['a part of the invoice', PRICE_MINOR - 900, 'Of the invoice USD 9.00 are still to be paid.'],
    [
      'an invoice that needs nothing more',
      500,
      'Nothing of the invoice was due any more, so it is kept as your credit.',
    ],
  ])('for %s has a receipt of its own', async (_what, amountMinor, standing) => {
    const debtor = await scene.owing();
    if (amountMinor === 500) await pay(debtor, PRICE_MINOR);
    const paymentId = await pay(debtor, amountMinor);
    const [mail] = await scene.api.sql(
      "SELECT variables, attaches FROM notifications WHERE template = 'payment_recorded'",
    );
    expect(mail).toMatchObject({
      variables: { method: 'Cheque 000417', standing, amount: 'USD 29.00' },
      attaches: { kind: 'receipt', paymentId },
    });
  });

  it.each([
    ['no method', { method: undefined }],
    ['a method nobody knows', { method: 'barter' }],
    ['no reason', { reason: undefined }],
    ['an empty reason', { reason: '' }],
    ['a number of a cheque that is none', { method: 'cash' }],
    ['a number of a cheque with a line end', { chequeNumber: '1\n2' }],
  ])('with %s is refused, and nothing is written', async (_what, differs) => {
    const { invoices } = await scene.owing();
    const record = () => scene.post(`/v1/invoices/${invoices[0]}/payments`, money(PRICE_MINOR, differs));
    await scene.refused(record, 400, 'invalid_request');
  });
});

describe('a cheque that bounces', () => {
  it('is taken back: the invoice is owed again, access is in grace, the customer and the operators are told', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    const { status, body } = await bounce(paymentId);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: paymentId,
      returnedMinor: PRICE_MINOR,
      returnedAt: now,
      returnCode: 'cheque_bounced',
      allocatedMinor: 0,
      allocations: [],
    });
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR]);
    expect(await statusOf(debtor)).toEqual(['past_due', 'grace']);
    expect(await casesOf(debtor)).toBe(1);
    expect(await scene.mailsTo(debtor.customerId)).toEqual(['subscription_confirmed', 'payment_bounced']);
    expect(await scene.alerts()).toEqual([
      expect.stringMatching(
        `over USD 29.00 was not paid by the bank \\(${paymentId}\\)\\. Invoice INV-\\d+ is owed again, and the customer has been told\\.$`,
      ),
    ]);
    expect(await scene.auditOf(paymentId)).toMatchObject([
      { action: 'payment.recorded' },
      {
        action: 'payment.bounced',
        reason: 'returned for want of funds',
        details: { amountMinor: PRICE_MINOR },
      },
    ]);
    expect(await scene.balance('cash:manual')).toBe(0);
  });

  it('again is the same answer, and changes nothing', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    const first = await bounce(paymentId);
    const before = await rowsBesideKeys();
    expect(await bounce(paymentId, scene.bob)).toMatchObject({ status: 200, body: first.body });
    expect(await rowsBesideKeys()).toEqual(before);
  });

  it('told by ten people at once is taken back once', async () => {
    const debtor = await scene.owing(2);
    const paymentId = await pay(debtor, 2 * PRICE_MINOR);
    const answers = await Promise.all(Array.from({ length: 10 }, () => bounce(paymentId)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(await scene.auditOf(paymentId)).toHaveLength(2);
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR, PRICE_MINOR]);
    expect(await scene.mailsTo(debtor.customerId)).toHaveLength(4);
  });

  it('is taken back whole: what it paid of other invoices, and what is left of it as credit', async () => {
    const debtor = await scene.owing(3);
    const paymentId = await pay(debtor, 10_000);
    expect(await creditOf(debtor)).toBe(10_000 - 3 * PRICE_MINOR);
    await bounce(paymentId);
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR, PRICE_MINOR, PRICE_MINOR]);
    expect(await creditOf(debtor)).toBe(0);
    expect(await scene.balance('cash:manual')).toBe(0);
    expect(await scene.balance('bad_debt')).toBe(0);
    expect(
      (await scene.mailsTo(debtor.customerId)).filter((mail) => mail === 'payment_bounced'),
    ).toHaveLength(3);
  });

  it('by credit that came otherwise the invoice is paid again, and nobody is chased', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    await scene.post(`/v1/invoices/${debtor.invoices[0]}/payments`, wire(PRICE_MINOR));
    await bounce(paymentId);
    expect(await duesOf(debtor)).toEqual([0]);
    expect(await statusOf(debtor)).toEqual(['active', 'full']);
    expect(await casesOf(debtor)).toBe(0);
    expect(await creditOf(debtor)).toBe(0);
  });

  it('whose excess was given back before is a loss as far as that', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR + 500);
    const refund = await scene.post(`/v1/payments/${paymentId}/refunds`, { amountMinor: 500 });
    expect(refund.status).toBe(201);
    await bounce(paymentId);
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR]);
    expect(await scene.balance('bad_debt')).toBe(500);
  });

  it('in another currency leaves nothing in the clearing', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, 2238, { currency: 'GBP', feeMinor: 100 });
    await bounce(paymentId);
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR]);
    expect(await scene.balance('fx_clearing')).toBe(0);
    expect(await scene.balance('fx_fee')).toBe(0);
    // What the bank kept of it is gone.
    expect(await scene.balance('cash:manual')).toBe(-100);
  });

  it('of which a part was given back before: that part stays corrected, and is lost', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    await scene.post(`/v1/payments/${paymentId}/refunds`, { amountMinor: 900 });
    await bounce(paymentId);
    expect(await duesOf(debtor)).toEqual([PRICE_MINOR - 900]);
    expect(await scene.balance('cash:manual')).toBe(-900);
    expect(await scene.balance('bad_debt')).toBe(900);
    expect((await scene.alerts()).at(-1)).toContain(
      'USD 9.00 of it had been given back before and are lost.',
    );
  });

  it.each([0, 5000])(
    'of an invoice that was voided after a part was given back: its credit is gone and no more, that part is lost (%i of other credit)',
    async (otherMinor) => {
      const debtor = await subscribed('payment', ['paid']);
      const [cash, lost] = [await scene.balance('cash:manual'), await scene.balance('bad_debt')];
      const paymentId = await pay(debtor, 2000);
      await scene.post(`/v1/payments/${paymentId}/refunds`, { amountMinor: 900 });
      expect((await scene.post(`/v1/invoices/${debtor.invoices[0]}/void`, {})).status).toBe(200);
      if (otherMinor > 0) await scene.business.pay(debtor.invoices[0] ?? '', otherMinor, now);
      expect(await creditOf(debtor)).toBe(1100 + otherMinor);
      expect((await bounce(paymentId)).body).toMatchObject({ returnedMinor: 2000, allocatedMinor: 0 });
      expect(await scene.get(`/v1/invoices/${debtor.invoices[0]}`)).toMatchObject({
        status: 'void',
        paidMinor: 0,
      });
      expect(await creditOf(debtor)).toBe(otherMinor);
      expect((await scene.balance('bad_debt')) - lost).toBe(900);
      expect((await scene.balance('cash:manual')) - cash).toBe(otherMinor - 900);
    },
  );

  it.each([0, 5000])(
    'whose excess had paid an invoice that was voided since takes the credit of that once (%i of other credit)',
    async (otherMinor) => {
      const debtor = await scene.owing(2);
      const paymentId = await pay(debtor, PRICE_MINOR + 900);
      expect((await scene.post(`/v1/invoices/${debtor.invoices[1]}/void`, {})).status).toBe(200);
      if (otherMinor > 0) await scene.business.pay(debtor.invoices[1] ?? '', otherMinor, now);
      expect(await creditOf(debtor)).toBe(900 + otherMinor);
      await bounce(paymentId);
      expect(await creditOf(debtor)).toBe(otherMinor === 0 ? 0 : otherMinor - PRICE_MINOR);
      expect(await duesOf(debtor)).toEqual([otherMinor === 0 ? PRICE_MINOR : 0, 0]);
      expect(await scene.balance('bad_debt')).toBe(0);
      expect(await scene.balance('cash:manual')).toBe(otherMinor);
    },
  );

  it.each([
    ['was voided', 900, 'void', 'stays void'],
    ['was given up', PRICE_MINOR, 'mark_uncollectible', 'is bad debt'],
    ['is to activate', 900, null, 'is owed again'],
  ] as const)(
    'of an invoice that %s: operators read what has become of it, and that nobody has been told',
    async (_what, amountMinor, act, standing) => {
      const debtor = act === null ? await scene.owing() : await subscribed('payment', ['paid']);
      if (act === 'mark_uncollectible') await scene.post(`/v1/invoices/${debtor.invoices[0]}/${act}`, {});
      const paymentId = await pay(debtor, amountMinor);
      if (act === 'void') await scene.post(`/v1/invoices/${debtor.invoices[0]}/${act}`, {});
      const { number, status } = await scene.get(`/v1/invoices/${debtor.invoices[0]}`);
      expect(status).toBe(act === null ? 'open' : act === 'void' ? 'void' : 'paid');
      await bounce(paymentId);
      expect((await scene.alerts()).at(-1)).toContain(
        `Invoice ${number} ${standing}, and the customer has not been told.`,
      );
      expect(await scene.mailsTo(debtor.customerId)).not.toContain('payment_bounced');
    },
  );

  it('in the same moment as its refund: one comes first, and the other knows of it', async () => {
    for (let round = 0; round < 6; round += 1) {
      const debtor = await scene.owing();
      const paymentId = await pay(debtor, PRICE_MINOR);
      const refund = () => scene.post(`/v1/payments/${paymentId}/refunds`, {});
      const acts = [() => bounce(paymentId), refund];
      const [first, second] = await Promise.all(
        (round % 2 === 0 ? acts : acts.toReversed()).map((act) => act()),
      );
      const [bounced, given] = round % 2 === 0 ? [first, second] : [second, first];
      expect(bounced?.status).toBe(200);
      if (given?.status === 201) expect(await duesOf(debtor)).toEqual([0]);
      else {
        expect(given).toMatchObject({ status: 409, body: { reason: 'payment_returned' } });
        expect(await duesOf(debtor)).toEqual([PRICE_MINOR]);
      }
    }
  });

  it('and is paid anew: the subscription recovers, and the new payment has a mail of its own', async () => {
    const debtor = await scene.owing();
    await bounce(await pay(debtor, PRICE_MINOR));
    await pay(debtor, PRICE_MINOR);
    expect(await statusOf(debtor)).toEqual(['active', 'full']);
    expect(await scene.mailsTo(debtor.customerId)).toEqual([
      'subscription_confirmed',
      'payment_bounced',
      'payment_recovered',
    ]);
  });

  it('and is paid in the end is refused under its reference, and recorded under one of its own', async () => {
    const debtor = await scene.owing();
    const record = (reference: string) =>
      scene.post(`/v1/invoices/${debtor.invoices[0]}/payments`, money(PRICE_MINOR, { reference }));
    const { body } = await record(debtor.customerId);
    expect((await record(debtor.customerId)).body).toMatchObject({ outcome: 'duplicate' });
    await bounce(body.paymentId);
    const answer = await scene.refused(() => record(debtor.customerId), 409, 'payment_returned');
    expect(answer.body.detail).toContain('a reference of its own');
    expect((await record(`${debtor.customerId} again`)).body).toMatchObject({ outcome: 'settled' });
    expect(await duesOf(debtor)).toEqual([0]);
  });

  it('when the process dies all of it is done or nothing, and repeated it is done once', async () => {
    const debtor = await scene.owing(2);
    const paymentId = await pay(debtor, 2 * PRICE_MINOR);
    const { tenantId } = scene.tenant;
    const wish = { paymentId, reason: 'no funds', actor: 'test', at: new Date(now) };
    for (const [dieAt, dues] of [
      [1, [0, 0]],
      [2, [0, 0]],
      [3, [PRICE_MINOR, PRICE_MINOR]],
    ] as const) {
      const dying = withTenant(mortalDatabase(scene.api.db, dieAt), tenantId, (tx) =>
        bouncePayment(tx, wish),
      );
      await expect(dying).rejects.toThrow(Death);
      expect(await duesOf(debtor)).toEqual(dues);
    }
    await bounce(paymentId);
    expect(await scene.auditOf(paymentId)).toHaveLength(2);
  });

  it.each(['cash', 'wire', 'other'])(
    'that is %s is none: it says to refund it, and writes nothing',
    async (method) => {
      const debtor = await scene.owing();
      const paymentId = await pay(debtor, PRICE_MINOR, { method, chequeNumber: undefined });
      const answer = await scene.refused(() => bounce(paymentId), 409, 'payment_cannot_bounce');
      expect(answer.body.detail).toContain('/refunds');
    },
  );

  it('a money order bounces as well; what its excess paid does not bounce by itself', async () => {
    const debtor = await scene.owing(2);
    const paymentId = await pay(debtor, 2 * PRICE_MINOR, { method: 'money_order', chequeNumber: undefined });
    const { data } = await scene.get(`/v1/payments?invoiceId=${debtor.invoices[1]}`);
    await scene.refused(() => bounce(data[0].id), 409, 'payment_cannot_bounce');
    expect((await bounce(paymentId)).body.returnCode).toBe('money_order_bounced');
  });

  it('has a receipt that says so', async () => {
    const debtor = await scene.owing();
    const paymentId = await pay(debtor, PRICE_MINOR);
    await bounce(paymentId);
    const receipt = (await receiptOf(paymentId)).join(' ');
    expect(receipt).toContain('took USD 29.00 of this payment back (cheque_bounced)');
    expect(receipt).toContain('Taken back by the bank 1 29.00 29.00');
    expect(receipt).toMatch(/^Receipt Taken back /);
    expect(receipt).not.toContain('Kept as your credit');
  });
});

describe('a subscription that is cancelled after its cheque has bounced', () => {
  it.each([
    ['keep', [PRICE_MINOR]],
    ['void', [0]],
  ] as const)(
    'while it is paused, under the policy %s, owes the period that was given as an active one does',
    async (openInvoiceOnCancel, dues) => {
      const debtor = await scene.owing();
      const { customerId, subscriptionId } = debtor;
      const paymentId = await pay(debtor, PRICE_MINOR);
      const { db } = scene.api;
      const { tenantId } = scene.tenant;
      const policy = { ...defaultSubscriptionPolicy, openInvoiceOnCancel };
      await withTenant(db, tenantId, (tx) => tx.update(subscriptions).set({ policy }));
      await scene.business.happen(subscriptionId, 'paused', now);
      await bounce(paymentId);
      expect(await statusOf(debtor)).toEqual(['paused', 'suspended']);
      const { cancelSubscription } = createSubscriptionRequestActivities({ db, taxEngine: noTaxEngine });
      const leave = { requestId: customerId, actor: 'test', mode: 'now', reason: 'other' } as const;
      await cancelSubscription({ tenantId, subscriptionId, at: now, ...leave });
      expect(await duesOf(debtor)).toEqual(dues);
    },
  );
});

describe('a cheque for a one-off that bounces', () => {
  it.each([
    ['trialing', ['trial']],
    ['incomplete', ['payment']],
    ['active', ['payment', 'paid']],
    ['past_due', ['payment', 'paid', 'payment_failed']],
    ['paused', ['payment', 'paid', 'paused']],
    ['suspended', ['trial', 'trial_ended_without_method']],
    ['cancelled', ['payment', 'paid', 'cancelled']],
  ] as const)(
    'leaves it open and the subscription %s: nobody is dunned, the customer is told, and it can be paid again',
    async (status, [start, ...events]) => {
      const debtor = await subscribed(start, events);
      const paymentId = await pay(debtor, PRICE_MINOR);
      const before = await scene.get(`/v1/subscriptions/${debtor.subscriptionId}`);
      expect(before.status).toBe(status);
      await bounce(paymentId);
      expect(await duesOf(debtor)).toEqual([PRICE_MINOR]);
      expect(await scene.get(`/v1/invoices/${debtor.invoices[0]}`)).toMatchObject({ status: 'open' });
      expect(await scene.get(`/v1/subscriptions/${debtor.subscriptionId}`)).toEqual(before);
      expect(await casesOf(debtor)).toBe(0);
      expect((await scene.mailsTo(debtor.customerId)).at(-1)).toBe('payment_bounced');
      await pay(debtor, PRICE_MINOR);
      expect(await duesOf(debtor)).toEqual([0]);
      expect(await scene.get(`/v1/subscriptions/${debtor.subscriptionId}`)).toEqual(before);
      expect((await scene.mailsTo(debtor.customerId)).at(-1)).toBe('payment_received');
    },
  );
});

/** A customer whose subscription went through these events, with an open one-off over USD 29.00. */
async function subscribed(start: 'trial' | 'payment', events: readonly SubscriptionEvent[]): Promise<Debtor> {
  const { tenantId } = scene.tenant;
  const customerId = await scene.business.customer();
  const subscriptionId = await withTenant(scene.api.db, tenantId, async (tx) => {
    const wish = { customerId, plan: { code: 'pro-monthly' }, start, at: new Date(now) };
    return (await createSubscription(tx, wish)).context.subscription.id;
  });
  for (const event of events) {
    if (event === 'paid') await scene.business.begin(subscriptionId, now);
    else await scene.business.happen(subscriptionId, event, now);
  }
  const lines = [{ description: 'Workshop', unitMinor: PRICE_MINOR }];
  const draft = await scene.post('/v1/invoices', { subscriptionId, lines });
  const { status, body } = await scene.post(`/v1/invoices/${draft.body.id}/finalise`, {});
  expect([status, body.dueMinor]).toEqual([200, PRICE_MINOR]);
  return { customerId, subscriptionId, invoices: [body.id] };
}

/** Records a cheque for the first invoice; returns the payment's id. */
async function pay({ invoices }: Debtor, amountMinor: number, differs: object = {}): Promise<string> {
  const answer = await scene.post(`/v1/invoices/${invoices[0]}/payments`, money(amountMinor, differs));
  expect(answer.status).toBe(201);
  return answer.body.paymentId;
}

function bounce(paymentId: string, token = scene.ada): Promise<TestAnswer> {
  return scene.post(`/v1/payments/${paymentId}/bounce`, { reason: 'returned for want of funds' }, token);
}

function duesOf({ invoices }: Debtor): Promise<number[]> {
  return Promise.all(invoices.map(async (id) => (await scene.get(`/v1/invoices/${id}`)).dueMinor));
}

async function statusOf({ subscriptionId }: Debtor): Promise<[string, string]> {
  const { status, access } = await scene.get(`/v1/subscriptions/${subscriptionId}`);
  return [status, access];
}

async function creditOf({ customerId }: Debtor): Promise<number> {
  return (await scene.get(`/v1/customers/${customerId}`)).creditMinor;
}

async function casesOf({ customerId }: Debtor): Promise<number> {
  const rows = await scene.api.sql(
    'SELECT id FROM dunning_cases WHERE customer_id = $1 AND closed_at IS NULL',
    [customerId],
  );
  return rows.length;
}

async function receiptsOf({ customerId }: Debtor): Promise<[string, string][]> {
  const rows = await scene.api.sql(
    "SELECT template, attaches ->> 'paymentId' AS receipt FROM notifications WHERE customer_id = $1 AND attaches ->> 'kind' = 'receipt' ORDER BY id",
    [customerId],
  );
  return rows.map(({ template, receipt }) => [template, receipt]);
}

async function receiptOf(paymentId: string): Promise<string[]> {
  const response = await fetch(`${scene.api.url}/v1/payments/${paymentId}/receipt`, {
    headers: { authorization: `Bearer ${scene.ada}` },
  });
  const { pages } = await readPdf(new Uint8Array(await response.arrayBuffer()));
  return pages.flatMap(({ texts }) => texts.map(({ text }) => text));
}

async function rowsBesideKeys(): Promise<Record<string, number>> {
  const { idempotency_keys: _keys, ...rows } = await scene.api.rowCounts(scene.tenant.tenantId);
  return rows;
}
