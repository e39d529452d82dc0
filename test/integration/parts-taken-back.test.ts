/**
 * Cheques that paid a part, and bounce: of an upgrade, of an invoice that is dunned, of a first one, and of one whose other part
 * goes back. Nothing was given for a part, so only what is unpaid grows. After each test the books explain every cent.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { bouncePayment } from '../../db/queries/payments/bounce-payment.ts';
import { recordInvoicePayment } from '../../db/queries/payments/record-payment.ts';
import { customers, dunningCases, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { realDayMs } from '../../domain/instant.ts';
import { money } from '../../domain/money.ts';
import { planChangeKey } from '../../domain/payments/payment.ts';
import { checkBooks } from '../stories/books.ts';
import { createScene, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { ask, giveBack, paidBy, refundsAtVendor, syncOften } from './refund-scene.ts';

let scene: Scene;
let tenantId: string;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(async () => {
  const { db, sandbox: stripe, razorpay, coinbase } = scene;
  try {
    await checkBooks({ db, tenantId, stripe, razorpay, coinbase });
  } finally {
    await scene.close();
  }
});

describe('a part of an upgrade that was never paid', () => {
  /** Half of February: a second seat is half a month's price. */
  const halfway = '2026-02-14T10:00:00.000Z';

  it('when it bounces leaves the old terms and nobody is dunned; paid in full, the upgrade counts', async () => {
    const paying = await scene.dueSubscription('renew');
    ({ tenantId } = paying);
    scene.sandbox.setCardOutcomes(paying.card, ['insufficient_funds']);
    const { subscriptionId } = paying;
    const { invoiceId } = await scene.activities.billing.changePlan({
      tenantId,
      subscriptionId,
      at: halfway,
      actor: 'test',
      requestId: 'seat',
      quantity: 2,
      proration: 'invoice_now',
    });
    const upgrade = invoiceId ?? '';
    const originKey = planChangeKey('seat');
    const charge = { tenantId, invoiceId: upgrade, origin: 'plan_change', originKey, at: halfway } as const;
    expect((await scene.activities.stripe.collectInvoice(charge)).outcome).toBe('declined');

    await bounce(await pay(upgrade, 500, halfway), halfway);
    expect(await subscriptionOf(subscriptionId)).toMatchObject({
      status: 'active',
      quantity: 1,
      pendingChange: { invoiceId: upgrade },
    });
    expect(await casesOf()).toEqual([]);
    expect((await mails()).at(-1)).toBe('payment_bounced');

    await pay(upgrade, PRICE_MINOR / 2, halfway);
    expect(await subscriptionOf(subscriptionId)).toMatchObject({ status: 'active', quantity: 2 });
    expect((await mails()).at(-1)).toBe('plan_upgraded');
  });
});

describe('a part of an invoice that is dunned', () => {
  const ladder = defaultDunningPolicies.find(({ name }) => name === 'short_10');
  const steps = ladder?.steps ?? [];

  it('when it bounces leaves the clock of the ladder, which ends on its day; the customer is told', async () => {
    const invoice = await scene.openInvoice(
      ['succeeded', ...steps.map(() => 'insufficient_funds')],
      'short_10',
    );
    ({ tenantId } = invoice);
    expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('declined');
    const { firstFailedAt, subscriptionId } = await invoiceOf(invoice.invoiceId);
    const onDay = (day: number) => new Date((firstFailedAt?.getTime() ?? 0) + day * realDayMs).toISOString();

    await bounce(await pay(invoice.invoiceId, 500, onDay(8)), onDay(9));
    expect(await invoiceOf(invoice.invoiceId)).toMatchObject({
      paidMinor: 0,
      firstFailedAt,
      reopenedAt: null,
    });
    expect((await mails()).at(-1)).toBe('payment_bounced');

    const [opened] = await casesOf();
    const { id: caseId = '', customerId = '' } = opened ?? {};
    for (const [stepIndex, { day }] of steps.entries()) {
      const step = { tenantId, customerId, caseId, stepIndex, at: onDay(day), charge: false };
      await scene.activities.stripe.performDunningStep(step);
    }
    expect(await casesOf()).toMatchObject([{ id: caseId, outcome: 'downgraded' }]);
    expect(await invoiceOf(invoice.invoiceId)).toMatchObject({ status: 'uncollectible' });
    expect(await subscriptionOf(subscriptionId)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a part of a first invoice', () => {
  it('when it bounces leaves the charge that is planned, and the rest is collected with it', async () => {
    const due = await scene.dueSubscription('issueFirstInvoice');
    ({ tenantId } = due);
    const { subscriptionId, at } = due;
    scene.sandbox.setCardOutcomes(due.card, ['processing_error', 'succeeded']);
    const { invoiceId } = await scene.activities.billing.issueFirstInvoice({ tenantId, subscriptionId, at });
    const first = invoiceId ?? '';
    const charge = { tenantId, invoiceId: first, origin: 'first_invoice', at } as const;
    await scene.activities.stripe.collectInvoice({ ...charge, originKey: 'first_invoice' });
    const { plannedCharges } = await subscriptionOf(subscriptionId);
    expect(plannedCharges).toMatchObject([{ invoiceId: first, failures: 1 }]);

    await bounce(await pay(first, 500, at), at);
    expect(await subscriptionOf(subscriptionId)).toMatchObject({ status: 'incomplete', plannedCharges });
    const originKey = plannedCharges[0]?.originKey ?? '';
    expect((await scene.activities.stripe.collectInvoice({ ...charge, originKey })).outcome).toBe('paid');
    expect(await subscriptionOf(subscriptionId)).toMatchObject({ status: 'active', plannedCharges: [] });
  });
});

describe('a part of an invoice whose other part is on its way back to a card', () => {
  const at = '2026-03-02T10:00:00.000Z';
  const cardMinor = 1200;

  it.each([
    ['arrives', ['settle'], { creditMinor: 0, cardMinor: 0 }],
    ['is refused by the bank', ['fail'], { creditMinor: cardMinor, cardMinor }],
    ['arrives, and is sent back', ['settle', 'fail'], { creditMinor: cardMinor, cardMinor }],
  ] as const)(
    'when it bounces and the invoice is voided: the other part is given back once, or is credit; it %s',
    async (_what, answers, left) => {
      const invoice = await scene.openInvoice();
      ({ tenantId } = invoice);
      const { invoiceId } = invoice;
      const { customerId, subscriptionId } = await invoiceOf(invoiceId);
      const paymentMethodId = scene.sandbox.createCard({ outcomes: ['succeeded'], refunds: 'pending' });
      const request = { tenantId, subscriptionId, requestId: 'slow', at, paymentMethodId, actor: 'test' };
      await scene.activities.stripe.attachPaymentMethod(request);
      const cheque = await pay(invoiceId, PRICE_MINOR - cardMinor, at);
      expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('paid');
      const paid = await paidBy(scene, invoice);
      expect(await giveBack(scene, paid, await ask(scene, paid))).toEqual({ status: 'pending' });

      await bounce(cheque, at);
      await withTenant(scene.db, tenantId, async (tx) =>
        closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as: 'void', at: new Date(at) }),
      );
      expect(await creditOf(customerId)).toBe(0);
      const [refund = ''] = refundsAtVendor(scene, paid);
      for (const answer of answers) {
        if (answer === 'settle') scene.sandbox.settleRefund(refund);
        else scene.sandbox.failRefund(refund);
        await syncOften(scene, paid);
      }
      expect(await creditOf(customerId)).toBe(left.creditMinor);
      // The invoice before was paid by card.
      expect(await balances()).toEqual({
        'cash:stripe': PRICE_MINOR + left.cardMinor,
        revenue: -PRICE_MINOR,
        ...(left.creditMinor > 0 && { customer_credit: -left.creditMinor }),
      });
    },
  );
});

/** Records a cheque; returns the payment's id. */
async function pay(invoiceId: string, amountMinor: number, at: string): Promise<string> {
  const [receivedAt, recordedAt] = [new Date(at), new Date(at)];
  const how = { method: 'cheque', chequeNumber: '000417', reason: 'handed in', recordedBy: 'test' } as const;
  const { paymentId } = await withTenant(scene.db, tenantId, (tx) =>
    recordInvoicePayment(tx, {
      tenantId,
      invoiceId,
      reference: randomUUID(),
      amount: money(amountMinor, 'USD'),
      at: receivedAt,
      receivedAt,
      hand: { ...how, recordedAt, usdMinor: amountMinor, approvalId: null },
    }),
  );
  return paymentId;
}

function bounce(paymentId: string, at: string) {
  return withTenant(scene.db, tenantId, (tx) =>
    bouncePayment(tx, { paymentId, reason: 'no funds', actor: 'test', at: new Date(at) }),
  );
}

function invoiceOf(invoiceId: string) {
  return withTenant(scene.db, tenantId, (tx) => readInvoice(tx, invoiceId));
}

async function subscriptionOf(subscriptionId: string) {
  const rows = await withTenant(scene.db, tenantId, (tx) => tx.select().from(subscriptions));
  const row = rows.find(({ id }) => id === subscriptionId);
  if (row === undefined) throw new Error('The subscription disappeared');
  return row;
}

function casesOf() {
  return withTenant(scene.db, tenantId, (tx) => tx.select().from(dunningCases));
}

async function creditOf(customerId: string): Promise<number | undefined> {
  const rows = await withTenant(scene.db, tenantId, (tx) => tx.select().from(customers));
  return rows.find(({ id }) => id === customerId)?.creditMinor;
}

/** By account; what is zero is left out. */
async function balances(): Promise<Record<string, number>> {
  const entries = await withTenant(scene.db, tenantId, (tx) => tx.select().from(ledgerEntries));
  const found: Record<string, number> = {};
  for (const { account, amountMinor } of entries) found[account] = (found[account] ?? 0) + amountMinor;
  return Object.fromEntries(Object.entries(found).filter(([, minor]) => minor !== 0));
}

/** Templates of all mails, oldest first. */
async function mails(): Promise<string[]> {
  const rows = await withTenant(scene.db, tenantId, (tx) =>
    tx.select().from(notifications).orderBy(notifications.id),
  );
  return rows.map(({ template }) => template);
}
