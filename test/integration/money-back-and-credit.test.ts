/**
 * What a plan change credits, what is refunded, and what banks take back: each knows of the others, so that together they
 * never come to more than was paid, and nothing that was paid is lost to the customer.
 */
import { randomUUID } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { finaliseDraft } from '../../db/queries/billing/finalise-draft.ts';
import { createDraft } from '../../db/queries/billing/invoice-drafts.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, invoiceLines, invoices, plans } from '../../db/schema/billing.ts';
import { creditNotes, ledgerEntries, payments } from '../../db/schema/payments.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { RefundWish } from '../../domain/payments/refund.ts';
import { createScene, invoicesOf, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { bankSays, bankTakesBack, debited } from './debit-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

/** One week into the period that began on the last day of February. */
const AT = '2026-03-07T10:00:00.000Z';
/** A week costs more in a month than the month did; most of the month comes back as credit. */
const WEEK_MINOR = 1000;
/** A day costs more in a week than the week did. */
const DAY_MINOR = 200;
/** 24 of 31 days, and what is left of it after the week. */
const CREDITED = 2245;
const KEPT = CREDITED - WEEK_MINOR;

describe('a plan change that keeps credit of a paid period', () => {
  it('leaves only what was used up to be given back, whole and by line', async () => {
    const paid = await paidPeriod();
    await changeToWeekly(paid);
    expect(await booksOf(paid)).toMatchObject({ creditMinor: KEPT });
    const exceeds = { reason: 'refund_exceeds_payment', message: expect.stringContaining('USD 6.55') };
    await expect(refund(paid, { amountMinor: PRICE_MINOR - CREDITED + 1 })).rejects.toMatchObject(exceeds);
    await expect(refund(paid, { lines: [{ lineId: paid.lineId, amountMinor: 656 }] })).rejects.toMatchObject({
      reason: 'refund_exceeds_line',
    });
    const { refund: asked } = await refund(paid);
    expect(asked.amountMinor).toBe(PRICE_MINOR - CREDITED);
    await giveBack(paid, asked.id);
    expect(await booksOf(paid)).toMatchObject({ creditMinor: KEPT, refunds: PRICE_MINOR - CREDITED });
    await expect(refund(paid)).rejects.toMatchObject({ reason: 'refund_exceeds_payment' });
  });

  it('is billed with the next invoice: its credit counts from the change on', async () => {
    const paid = await paidPeriod();
    await change(paid, { quantity: 2, proration: 'next_invoice' });
    expect((await refund(paid)).refund.amountMinor).toBe(PRICE_MINOR - CREDITED);
  });

  it('is refused while a refund of the period is under way, and its credit is less by what was given back', async () => {
    const paid = await paidPeriod();
    const { refund: asked } = await refund(paid, { amountMinor: 2000 });
    await expect(changeToWeekly(paid)).rejects.toMatchObject({ reason: 'refund_pending' });
    expect(await change(paid, { quantity: 2, proration: 'none' })).toMatchObject({ invoiceId: null });
    await giveBack(paid, asked.id);
    await changeToWeekly(paid);
    expect(await creditLineOf(paid)).toBe(-(PRICE_MINOR - 2000));
  });

  it('is refused while the bank decides about the payment', async () => {
    const paid = await paidPeriod();
    const id = scene.sandbox.openDispute({ paymentIntent: paid.paymentIntent });
    await look(paid);
    await expect(changeToWeekly(paid)).rejects.toMatchObject({ reason: 'payment_disputed' });
    scene.sandbox.closeDispute(id, 'won');
    await look(paid);
    await changeToWeekly(paid);
    expect(await creditLineOf(paid)).toBe(-CREDITED);
  });

  it('loses the credit with a dispute that is lost; what of it was spent stays a loss', async () => {
    for (const spent of [0, 245]) {
      const paid = await paidPeriod();
      await changeToWeekly(paid);
      if (spent > 0) await spend(paid, spent);
      const id = scene.sandbox.openDispute({ paymentIntent: paid.paymentIntent });
      scene.sandbox.closeDispute(id, 'lost');
      await look(paid);
      expect(await booksOf(paid)).toMatchObject({
        creditMinor: 0,
        customer_credit: 0,
        disputed: 0,
        refunds: PRICE_MINOR - (KEPT - spent),
      });
    }
  });

  it('pays with the credit what the bank takes back; only the rest is owed again', async () => {
    const debit = await debited(scene);
    await bankSays(scene, debit, 'succeeded');
    await changeToWeekly(debit);
    await bankTakesBack(scene, debit, 'R10');
    const { status, paidMinor } = await invoiceOf(debit);
    expect([status, paidMinor]).toEqual(['open', KEPT]);
    expect(await booksOf(debit)).toMatchObject({
      creditMinor: 0,
      customer_credit: 0,
      receivable: PRICE_MINOR - KEPT,
    });
  });

  it.each([
    ['a change', 0],
    ['a change of the changed plan', WEEK_MINOR - DAY_MINOR],
  ])('credits nothing when what its credit has paid of the invoice is voided: %s', async (_what, more) => {
    const debit = await debited(scene);
    await bankSays(scene, debit, 'succeeded');
    await changeToWeekly(debit);
    if (more > 0) await changeToDaily(debit);
    await bankTakesBack(scene, debit, 'R10');
    expect(await invoiceOf(debit)).toMatchObject({ status: 'open', paidMinor: KEPT + more });
    await voidInvoice(debit);
    // What is left of all of it is the invoice before, which stays paid.
    expect(await booksOf(debit)).toMatchObject({
      creditMinor: 0,
      customer_credit: 0,
      receivable: 0,
      'cash:stripe': PRICE_MINOR,
      revenue: KEPT + more - PRICE_MINOR,
      refunds: 0 - KEPT - more,
    });
  });

  it('takes nothing of another invoice: what had paid a one-off is credit again when that is voided', async () => {
    const paid = await paidPeriod();
    await change(paid, { quantity: 2, proration: 'next_invoice' });
    const oneOff = { ...paid, invoiceId: await issueOneOff(paid, 5000) };
    await payByHand(oneOff, 1000);
    await voidInvoice(oneOff);
    expect(await booksOf(paid)).toMatchObject({ creditMinor: 1000, customer_credit: -1000, refunds: 0 });
  });

  it('that is given up with its subscription takes nothing: what had paid the voided period is credit', async () => {
    const debit = await debited(scene);
    await bankSays(scene, debit, 'succeeded');
    await change(debit, { quantity: 2, proration: 'next_invoice' });
    await bankTakesBack(scene, debit, 'R10');
    await payByHand(debit, 1000);
    const { subscriptionId } = await invoiceOf(debit);
    const wish = { mode: 'now', reason: 'too_expensive', actor: 'test', requestId: randomUUID() } as const;
    const { tenantId } = debit;
    await scene.activities.billing.cancelSubscription({ tenantId, subscriptionId, at: AT, ...wish });
    expect(await invoiceOf(debit)).toMatchObject({ status: 'void' });
    expect(await booksOf(debit)).toMatchObject({ creditMinor: 1000, customer_credit: -1000, refunds: 0 });
  });

  it('credits all that was billed where only an overpayment was given back', async () => {
    const paid = await paidPeriod();
    const second = await payByHand(paid, PRICE_MINOR);
    await refund({ ...paid, paymentId: second.paymentId });
    await changeToWeekly(paid);
    expect(await creditLineOf(paid)).toBe(-CREDITED);
  });
});

describe('a refund out of the customer’s credit', () => {
  it('holds the credit until the vendor has answered, so that nothing else is paid with it', async () => {
    const paid = await paidTwice();
    const { refund: asked } = await refund(paid, { amountMinor: 2000 });
    expect(await booksOf(paid)).toMatchObject({ creditMinor: 900, refunds_pending: -2000 });
    await giveBack(paid, asked.id);
    expect(await booksOf(paid)).toMatchObject({
      creditMinor: 900,
      customer_credit: -900,
      refunds_pending: 0,
      refunds: 0,
      notes: 0,
    });
  });

  it('that the vendor refuses leaves the credit as it was', async () => {
    const paid = await paidTwice();
    const { refund: asked } = await refund(paid, { amountMinor: 2000 });
    scene.sandbox.refund({ paymentIntent: paid.paymentIntent, amount: 1000 });
    expect(await giveBack(paid, asked.id)).toEqual({ status: 'failed' });
    expect(await booksOf(paid)).toMatchObject({
      creditMinor: PRICE_MINOR,
      customer_credit: -PRICE_MINOR,
      refunds_pending: 0,
    });
  });

  it('is never asked for twice over: what is held is nobody’s to ask for', async () => {
    const paid = await paidTwice();
    await spend(paid, 1900);
    const { refund: asked } = await refund(paid, { amountMinor: 1000 });
    await expect(refund(paid, { amountMinor: 1 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
    await giveBack(paid, asked.id);
    expect(await booksOf(paid)).toMatchObject({ creditMinor: 0, refunds: 0, refunds_pending: 0 });
  });
});

it('the customer’s credit leaves a card nothing of an invoice, or as much as can be charged', async () => {
  for (const { creditMinor, leftMinor, status } of [
    { creditMinor: PRICE_MINOR - 20, leftMinor: 30, status: 'open' },
    { creditMinor: PRICE_MINOR, leftMinor: 0, status: 'paid' },
  ]) {
    const due = await scene.dueSubscription('renew');
    const [first] = await invoicesOf(scene.db, due.tenantId);
    await withTenant(scene.db, due.tenantId, (tx) =>
      settlePayment(tx, {
        tenantId: due.tenantId,
        invoiceId: first?.id ?? '',
        rail: 'manual',
        externalId: 'wire',
        amount: { amountMinor: creditMinor, currency: 'USD' },
        at: new Date(due.at),
      }),
    );
    const { invoiceId } = await scene.activities.billing.renew(due);
    const renewal = await invoiceOf({ tenantId: due.tenantId, invoiceId: invoiceId ?? '' });
    expect(renewal).toMatchObject({ status, paidMinor: creditMinor - leftMinor });
    expect(await booksOf(due)).toMatchObject({ creditMinor: leftMinor });
    if (status === 'paid') continue;
    const charge = { tenantId: due.tenantId, invoiceId: renewal.id, at: due.at } as const;
    const { outcome } = await scene.activities.stripe.collectInvoice({
      ...charge,
      origin: 'renewal',
      originKey: 'renewal',
    });
    expect(outcome).toBe('paid');
    expect(scene.sandbox.charges().at(-1)).toMatchObject({ businessRef: renewal.id, amountMinor: 50 });
  }
});

type Paid = OpenInvoice & { paymentId: string; paymentIntent: string; lineId: string };

/** The invoice of a period that was paid by card. */
async function paidPeriod(): Promise<Paid> {
  const invoice = await scene.openInvoice();
  expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('paid');
  return withTenant(scene.db, invoice.tenantId, async (tx) => {
    const [payment] = await tx.select().from(payments).where(eq(payments.invoiceId, invoice.invoiceId));
    const [line] = await tx.select().from(invoiceLines).where(eq(invoiceLines.invoiceId, invoice.invoiceId));
    if (payment === undefined || line === undefined) throw new Error('The invoice is not paid');
    return { ...invoice, paymentId: payment.id, paymentIntent: payment.externalId, lineId: line.id };
  });
}

/** A wire came first; the debit that was at the bank meanwhile is credit. */
async function paidTwice(): Promise<Paid> {
  const debit = await debited(scene);
  await withTenant(scene.db, debit.tenantId, (tx) =>
    settlePayment(tx, {
      tenantId: debit.tenantId,
      invoiceId: debit.invoiceId,
      rail: 'manual',
      externalId: 'wire',
      amount: { amountMinor: PRICE_MINOR, currency: 'USD' },
      at: new Date(AT),
    }),
  );
  await bankSays(scene, debit, 'succeeded');
  expect(await booksOf(debit)).toMatchObject({ creditMinor: PRICE_MINOR });
  const received = await withTenant(scene.db, debit.tenantId, (tx) =>
    tx.select().from(payments).where(eq(payments.externalId, debit.paymentIntent)),
  );
  return { ...debit, paymentId: received[0]?.id ?? '', lineId: '' };
}

/** Pays an invoice of its own out of the credit, as a renewal would. */
function spend({ tenantId, invoiceId }: Pick<Paid, 'tenantId' | 'invoiceId'>, amountMinor: number) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const { id: _, ...like } = await readInvoice(tx, invoiceId);
    const id = newId('inv');
    const bare = { paidMinor: 0, refundedMinor: 0, disputedMinor: 0, paidAt: null, periodIndex: 9 };
    const open = {
      ...like,
      ...bare,
      id,
      number: 'INV-900000',
      status: 'open',
      totalMinor: amountMinor,
    } as const;
    await tx.insert(invoices).values(open);
    const amount = { amountMinor, currency: 'USD' };
    await settlePayment(tx, {
      tenantId,
      invoiceId: id,
      rail: 'credit',
      externalId: id,
      amount,
      at: new Date(AT),
    });
  });
}

function refund({ tenantId, paymentId }: Pick<Paid, 'tenantId' | 'paymentId'>, wish: RefundWish = {}) {
  return withTenant(scene.db, tenantId, (tx) =>
    requestRefund(tx, { ...wish, paymentId, actor: 'test', at: new Date(AT) }),
  );
}

function giveBack({ tenantId }: Pick<Paid, 'tenantId'>, refundId: string) {
  return scene.activities.stripe.giveBack({ tenantId, refundId, at: AT });
}

function look({ paymentIntent }: Paid) {
  return scene.activities.stripe.syncCardPayment({ paymentId: paymentIntent, inboxEventIds: [], at: AT });
}

type Subject = Pick<Paid, 'tenantId' | 'invoiceId'>;

const changeToWeekly = (subject: Subject) => changeTo(subject, { unit: 'week', priceMinor: WEEK_MINOR });
const changeToDaily = (subject: Subject) => changeTo(subject, { unit: 'day', priceMinor: DAY_MINOR });

async function changeTo(
  subject: Subject,
  { unit, priceMinor }: { unit: 'week' | 'day'; priceMinor: number },
) {
  const { tenantId } = subject;
  const planId = newId('plan');
  const terms = { priceMinor, currency: 'USD', interval: { unit, count: 1 } } as const;
  await withTenant(scene.db, tenantId, (tx) =>
    tx.insert(plans).values({
      id: planId,
      tenantId,
      code: planId,
      name: unit,
      family: 'pro',
      rank: 2,
      ...terms,
      policy: defaultSubscriptionPolicy,
    }),
  );
  return change(subject, { planId, proration: 'invoice_now' });
}

async function change(
  { tenantId, invoiceId }: Subject,
  wish: { planId?: string; quantity?: number; proration: 'invoice_now' | 'next_invoice' | 'none' },
) {
  const { subscriptionId } = await withTenant(scene.db, tenantId, (tx) => readInvoice(tx, invoiceId));
  const { planId, ...rest } = wish;
  return scene.activities.billing.changePlan({
    tenantId,
    subscriptionId,
    at: AT,
    actor: 'test',
    requestId: randomUUID(),
    ...(planId !== undefined && { plan: { id: planId } }),
    ...rest,
  });
}

function payByHand({ tenantId, invoiceId }: Subject, amountMinor: number) {
  const amount = { amountMinor, currency: 'USD' };
  const wire = { tenantId, invoiceId, rail: 'manual', externalId: randomUUID(), amount } as const;
  return withTenant(scene.db, tenantId, (tx) => settlePayment(tx, { ...wire, at: new Date(AT) }));
}

function voidInvoice({ tenantId, invoiceId }: Subject) {
  return withTenant(scene.db, tenantId, async (tx) =>
    closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as: 'void', at: new Date(AT) }),
  );
}

/** An invoice by hand, to the same subscription. Returns its id. */
async function issueOneOff(subject: Subject, unitMinor: number): Promise<string> {
  const { subscriptionId } = await invoiceOf(subject);
  const lines = [{ description: 'Workshop', quantity: 1, unitMinor, taxCode: null }];
  const wish = { subscriptionId, lines, daysUntilDue: 14, finalisesAt: null, at: new Date(AT) };
  return withTenant(scene.db, subject.tenantId, async (tx) => {
    const { id: draftId } = await createDraft(tx, wish);
    return (await finaliseDraft(tx, { draftId, actor: 'test', at: new Date(AT) })).id;
  });
}

function invoiceOf({ tenantId, invoiceId }: Subject) {
  return withTenant(scene.db, tenantId, (tx) => readInvoice(tx, invoiceId));
}

async function creditLineOf({ tenantId }: Subject): Promise<number | undefined> {
  const lines = await withTenant(scene.db, tenantId, (tx) =>
    tx.select().from(invoiceLines).where(eq(invoiceLines.kind, 'change_credit')),
  );
  return lines[0]?.amountMinor;
}

/** The customer's credit as they are shown it, the credit notes, and the balance of every account. */
function booksOf({ tenantId }: Pick<Paid, 'tenantId'>): Promise<Record<string, number>> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [customer] = await tx.select().from(customers);
    const books: Record<string, number> = { refunds: 0, refunds_pending: 0 };
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      books[account] = (books[account] ?? 0) + amountMinor;
    }
    const notes = (await tx.select().from(creditNotes)).length;
    return { ...books, creditMinor: customer?.creditMinor ?? 0, notes };
  });
}
