/**
 * Refunds that we are asked for: what the vendor gives back is what our books say, whoever brings the answer, in whatever
 * order; and together they never exceed what was paid.
 */
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { money } from '../../domain/money.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import type { PaymentRail } from '../../domain/payments/payment.ts';
import { createScene, invoicesOf, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import {
  ask,
  at,
  booksOf,
  giveBack,
  givenAtVendor,
  newsOf,
  notedLines,
  type Paid,
  paidBy,
  paidInvoice,
  refundsAtVendor,
  syncOften,
} from './refund-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

describe('a refund that was asked for', () => {
  it('gives all of the payment back, once, and everybody hears of it once', async () => {
    const paid = await paidInvoice(scene);
    const refundId = await ask(scene, paid);
    expect(await booksOf(scene, paid), 'nothing is booked before the vendor has given it').toEqual(
      untouched({ refunds: ['pending 2900'] }),
    );
    expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'succeeded' });
    expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'succeeded' });
    await syncOften(scene, paid);

    expect(givenAtVendor(scene, paid)).toEqual([PRICE_MINOR]);
    expect(await booksOf(scene, paid)).toEqual(
      refunded(2900, { refunds: ['succeeded 2900'], notes: ['CN-000001 2900'] }),
    );
    expect(await newsOf(scene, paid)).toEqual({ timeline: ['payment_refunded'], mails: ['USD 29.00'] });
  });

  it('in two steps goes up to the payment and not one unit beyond', async () => {
    const paid = await paidInvoice(scene);
    await giveBack(scene, paid, await ask(scene, paid, { amountMinor: 1000 }));
    await expect(ask(scene, paid, { amountMinor: 1901 })).rejects.toMatchObject({
      code: 'state_conflict',
      reason: 'refund_exceeds_payment',
      message: expect.stringContaining('USD 19.00'),
    });
    await giveBack(scene, paid, await ask(scene, paid, { amountMinor: 1900 }));
    await expect(ask(scene, paid, { amountMinor: 1 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
    await expect(ask(scene, paid)).rejects.toMatchObject({ reason: 'refund_exceeds_payment' });

    expect(givenAtVendor(scene, paid)).toEqual([1000, 1900]);
    expect(await booksOf(scene, paid)).toEqual(
      refunded(2900, {
        refunds: ['succeeded 1000', 'succeeded 1900'],
        notes: ['CN-000001 1000', 'CN-000002 1900'],
      }),
    );
  });

  it('by line is noted by line, and a line is given back once', async () => {
    const paid = await paidInvoice(scene);
    const { lineId } = paid;
    await giveBack(scene, paid, await ask(scene, paid, { lines: [{ lineId, amountMinor: 900 }] }));
    await expect(ask(scene, paid, { lines: [{ lineId, amountMinor: 2001 }] })).rejects.toMatchObject({
      reason: 'refund_exceeds_line',
      message: expect.stringContaining('USD 20.00'),
    });
    await giveBack(scene, paid, await ask(scene, paid, { lines: [{ lineId }] }));
    const description = expect.stringMatching(/^Pro, 2026-02-28 to 2026-03-31$/);
    expect(await notedLines(scene, paid)).toEqual([
      { number: 'CN-000001', invoice: 'INV-000002', lineId, description, amountMinor: 900 },
      { number: 'CN-000002', invoice: 'INV-000002', lineId, description, amountMinor: 2000 },
    ]);
  });

  it('of a line that another invoice has is refused, and nothing is written', async () => {
    const [paid, other] = [await paidInvoice(scene), await paidInvoice(scene)];
    const foreign = { lines: [{ lineId: other.lineId }] };
    await expect(ask(scene, paid, foreign)).rejects.toMatchObject({ reason: 'invoice_line_not_found' });
    expect(await booksOf(scene, paid)).toEqual(untouched());
  });

  it('stays within the payment when twenty are asked for at the same moment', async () => {
    const paid = await paidInvoice(scene);
    const wishes = Array.from({ length: 20 }, () => ask(scene, paid, { amountMinor: 700 }));
    const outcomes = await Promise.allSettled(wishes);
    const asked = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(asked).toHaveLength(4);
    await Promise.all(asked.map((refundId) => giveBack(scene, paid, refundId)));
    expect(givenAtVendor(scene, paid)).toEqual([700, 700, 700, 700]);
    expect((await booksOf(scene, paid)).refundedMinor).toBe(2800);
  });

  it('is booked once when the vendor tells of it before the call is answered', async () => {
    const paid = await paidInvoice(scene);
    const refundId = await ask(scene, paid, { amountMinor: 1000 });
    const refund: CardVendor['refund'] = async (request) => {
      const answer = await scene.cardVendor.refund(request);
      await syncOften(scene, paid);
      expect((await booksOf(scene, paid)).refunds).toEqual(['succeeded 1000']);
      return answer;
    };
    expect(await actingOn({ refund }).giveBack({ ...paid, refundId, at })).toEqual({ status: 'succeeded' });
    await syncOften(scene, paid);
    expect(await booksOf(scene, paid)).toEqual(
      refunded(1000, { refunds: ['succeeded 1000'], notes: ['CN-000001 1000'] }),
    );
  });

  it('and one from the dashboard are two, in either order of hearing of them', async () => {
    const paid = await paidInvoice(scene);
    const first = await ask(scene, paid, { amountMinor: 1000 });
    scene.sandbox.refund({ paymentIntent: paid.paymentIntent, amount: 500 });
    await syncOften(scene, paid);
    await giveBack(scene, paid, first);
    const second = await ask(scene, paid, { amountMinor: 600 });
    await giveBack(scene, paid, second);
    scene.sandbox.refund({ paymentIntent: paid.paymentIntent, amount: 200 });
    await syncOften(scene, paid);
    const { refunds, ...books } = await booksOf(scene, paid);
    expect(refunds.toSorted()).toEqual(['succeeded 1000', 'succeeded 200', 'succeeded 500', 'succeeded 600']);
    expect(books).toMatchObject({ refundedMinor: 2300, paymentRefundedMinor: 2300, refundsMinor: 2300 });
  });

  it('of more than the dashboard has left is refused by the vendor, and nothing is booked', async () => {
    const paid = await paidInvoice(scene);
    const refundId = await ask(scene, paid, { amountMinor: 2000 });
    scene.sandbox.refund({ paymentIntent: paid.paymentIntent, amount: 1000 });
    expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'failed' });
    expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'failed' });
    await syncOften(scene, paid);
    const { refunds, ...books } = await booksOf(scene, paid);
    expect(refunds).toEqual(['failed 2000 amount_exceeds_charge', 'succeeded 1000']);
    expect(books).toMatchObject({ refundedMinor: 1000, refundsMinor: 1000, notes: ['CN-000001 1000'] });
    expect((await newsOf(scene, paid)).timeline).toEqual(['refund_failed', 'payment_refunded']);
  });

  it('that fails at the bank is taken back once, with a note of its own, and can be asked for again', async () => {
    const paid = await paidInvoice(scene);
    await giveBack(scene, paid, await ask(scene, paid));
    scene.sandbox.failRefund(refundsAtVendor(scene, paid)[0] ?? '');
    await syncOften(scene, paid);
    expect(await booksOf(scene, paid)).toEqual(
      refunded(0, {
        refunds: ['failed 2900 failed_at_bank'],
        notes: ['CN-000001 2900', 'CN-000002 -2900'],
      }),
    );
    await giveBack(scene, paid, await ask(scene, paid));
    expect(await booksOf(scene, paid)).toEqual(
      refunded(2900, {
        refunds: ['failed 2900 failed_at_bank', 'succeeded 2900'],
        notes: ['CN-000001 2900', 'CN-000002 -2900', 'CN-000003 2900'],
      }),
    );
    expect((await newsOf(scene, paid)).timeline).toEqual([
      'payment_refunded',
      'refund_failed',
      'payment_refunded',
    ]);
  });

  it('that was given is not taken back by an answer that is older than its failure', async () => {
    const paid = await paidInvoice(scene);
    await giveBack(scene, paid, await ask(scene, paid));
    const seenBefore = await scene.cardVendor.fetchCharge(paid.paymentIntent);
    scene.sandbox.failRefund(refundsAtVendor(scene, paid)[0] ?? '');
    await syncOften(scene, paid);
    const late = actingOn({ fetchCharge: async () => seenBefore });
    await late.syncCardPayment({ paymentId: paid.paymentIntent, inboxEventIds: [], at });
    expect(await booksOf(scene, paid)).toMatchObject({
      refunds: ['failed 2900 failed_at_bank'],
      refundedMinor: 0,
    });
  });
});

describe('a refund the bank works on', () => {
  it.each(['succeeds', 'fails'] as const)('is booked only when it %s', async (end) => {
    const paid = await pendingInvoice();
    expect(await giveBack(scene, paid, await ask(scene, paid, { amountMinor: 1000 }))).toEqual({
      status: 'pending',
    });
    await syncOften(scene, paid);
    expect(await booksOf(scene, paid)).toEqual(untouched({ refunds: ['pending 1000'] }));
    await expect(ask(scene, paid, { amountMinor: 1901 }), 'its share is taken').rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
    const [refundAtVendor = ''] = refundsAtVendor(scene, paid);
    if (end === 'succeeds') scene.sandbox.settleRefund(refundAtVendor);
    else scene.sandbox.failRefund(refundAtVendor);
    await syncOften(scene, paid);
    expect(await booksOf(scene, paid)).toEqual(
      end === 'succeeds'
        ? refunded(1000, { refunds: ['succeeded 1000'], notes: ['CN-000001 1000'] })
        : untouched({ refunds: ['failed 1000 failed_at_bank'] }),
    );
  });
});

describe('a refund without a vendor', () => {
  it('of a recorded payment is booked at once: somebody has given it back by hand', async () => {
    const paid = await settledBy('manual', 2900);
    await ask(scene, paid, { amountMinor: 900 });
    expect(await booksOf(scene, paid)).toEqual({
      refunds: ['succeeded 900'],
      notes: ['CN-000001 900'],
      refundedMinor: 900,
      paymentRefundedMinor: 900,
      creditMinor: 0,
      cash: { 'cash:stripe': 2900, 'cash:manual': 2000 },
      refundsMinor: 900,
      customerCreditMinor: 0,
    });
    expect(givenAtVendor(scene, paid)).toEqual([]);
    await expect(ask(scene, paid, { amountMinor: 2001 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
  });

  it('of what was paid out of the credit goes back there, and nobody is told of a bank', async () => {
    const paid = await paidFromCredit();
    await ask(scene, paid, { amountMinor: 900 });
    expect(await booksOf(scene, paid)).toMatchObject({
      refunds: ['succeeded 900'],
      notes: ['CN-000001 900'],
      creditMinor: 900,
      customerCreditMinor: -900,
      refundsMinor: 900,
    });
    expect(await newsOf(scene, paid)).toEqual({ timeline: ['payment_refunded'], mails: [] });
    expect(givenAtVendor(scene, paid)).toEqual([]);
    await expect(ask(scene, paid, { amountMinor: 2001 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
  });

  it('of money nobody owed comes out of the customer’s credit, and corrects no invoice', async () => {
    const paid = await settledBy('manual', 3900);
    expect((await booksOf(scene, paid)).creditMinor).toBe(1000);
    await ask(scene, paid, { amountMinor: 700 });
    expect(await booksOf(scene, paid)).toMatchObject({ creditMinor: 300, refundsMinor: 0, notes: [] });
    await ask(scene, paid);
    expect(await booksOf(scene, paid)).toMatchObject({
      creditMinor: 0,
      refundsMinor: 2900,
      notes: ['CN-000001 2900'],
      refundedMinor: 3900,
    });
  });

  it('leaves only the rest as credit when the invoice is voided after that', async () => {
    const paid = await settledBy('manual', 1000);
    await ask(scene, paid, { amountMinor: 400 });
    await withTenant(scene.db, paid.tenantId, async (tx) =>
      closeUnpaidInvoice(tx, await readInvoice(tx, paid.invoiceId), { as: 'void', at: new Date(at) }),
    );
    const voided = { refundedMinor: 400, creditMinor: 600, customerCreditMinor: -600, refundsMinor: 0 };
    expect(await booksOf(scene, paid)).toMatchObject(voided);
    await ask(scene, paid);
    await expect(ask(scene, paid, { amountMinor: 1 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
    });
    expect(await booksOf(scene, paid)).toMatchObject({
      creditMinor: 0,
      customerCreditMinor: 0,
      refundedMinor: 1000,
    });
  });
});

type Books = Awaited<ReturnType<typeof booksOf>>;

/** The card payments of the two invoices of a scene, less what was given back. */
function refunded(refundedMinor: number, differs: Partial<Books>): Books {
  return {
    refunds: [],
    notes: [],
    refundedMinor,
    paymentRefundedMinor: refundedMinor,
    creditMinor: 0,
    cash: { 'cash:stripe': 2 * PRICE_MINOR - refundedMinor },
    refundsMinor: refundedMinor,
    customerCreditMinor: 0,
    ...differs,
  };
}

const untouched = (differs: Partial<Books> = {}) => refunded(0, differs);

/** The activities of a worker whose vendor differs. */
function actingOn(differs: Partial<CardVendor>) {
  const cardVendor = { ...scene.cardVendor, ...differs };
  const log = pino({ level: 'silent' });
  const { db, orderVendor, checkoutProvider, taxEngine, exchangeRates } = scene;
  return createActivities({
    db,
    cardVendor,
    orderVendor,
    checkoutProvider,
    taxEngine,
    exchangeRates,
    log,
    drainOutbox: async () => 0,
  }).stripe;
}

/** Paid by a card whose bank takes its time with refunds. */
async function pendingInvoice(): Promise<Paid> {
  const invoice = await scene.openInvoice();
  const paymentMethodId = scene.sandbox.createCard({ outcomes: ['succeeded'], refunds: 'pending' });
  const { tenantId, subscriptionId } = await withTenant(scene.db, invoice.tenantId, (tx) =>
    readInvoice(tx, invoice.invoiceId),
  );
  const request = { tenantId, subscriptionId, requestId: 'slow', at, paymentMethodId, actor: 'test' };
  await scene.activities.stripe.attachPaymentMethod(request);
  expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('paid');
  return paidBy(scene, invoice);
}

/** An invoice that was paid beside the card vendor. */
async function settledBy(rail: PaymentRail, amountMinor: number): Promise<Paid> {
  const invoice = await scene.openInvoice();
  await settle(invoice, rail, amountMinor);
  return paidBy(scene, invoice);
}

/** Money that nobody owed became credit, and paid the next invoice. */
async function paidFromCredit(): Promise<Paid> {
  const invoice = await scene.openInvoice();
  const [first] = await invoicesOf(scene.db, invoice.tenantId);
  await settle({ ...invoice, invoiceId: first?.id ?? '' }, 'manual', PRICE_MINOR);
  await settle(invoice, 'credit', PRICE_MINOR);
  return paidBy(scene, invoice);
}

function settle({ tenantId, invoiceId }: OpenInvoice, rail: PaymentRail, amountMinor: number) {
  return withTenant(scene.db, tenantId, (tx) =>
    settlePayment(tx, {
      tenantId,
      invoiceId,
      rail,
      externalId: `${rail} 1`,
      amount: money(amountMinor, 'USD'),
      at: new Date(at),
    }),
  );
}
