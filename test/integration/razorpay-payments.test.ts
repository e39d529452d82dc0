/**
 * What Razorpay says about an order's payments is read there and booked: once, forward only, whatever comes first. And what
 * else is charged for the invoice meanwhile: nothing.
 */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createMissedWebhooksActivities } from '../../activities/operations/missed-webhooks.ts';
import { createRefundActivities } from '../../activities/payments/refund.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { storeOrderEvent } from '../../db/queries/operations/inbox.ts';
import { retellWaitingEvents } from '../../db/queries/operations/inbox-sweep.ts';
import { bookOrder } from '../../db/queries/payments/book-order.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { subscriptionEvents } from '../../db/schema/billing.ts';
import { inboxEvents, outbox } from '../../db/schema/operations.ts';
import { payments, refunds } from '../../db/schema/payments.ts';
import { money } from '../../domain/money.ts';
import { createRazorpayOrderVendor } from '../../integrations/razorpay/client.ts';
import { testConfig } from '../support/api.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import {
  at,
  booksOf,
  look,
  lookOften,
  orderRow,
  type PlacedOrder,
  placedOrder,
  takenAtVendor,
} from './razorpay-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterEach(() => {
  scene.razorpay.setFaults({});
  scene.sandbox.setFaults({});
});
afterAll(() => scene?.close());

const paidBooks = {
  invoice: `paid ${PRICE_MINOR}`,
  payments: [`razorpay ${PRICE_MINOR}`],
  creditMinor: 0,
  cashMinor: PRICE_MINOR,
};
const openBooks = { invoice: 'open 0', payments: [], creditMinor: 0, cashMinor: 0 };

describe('a payment', () => {
  it('that was captured settles the invoice once, however often it is looked at', async () => {
    const order = await placedOrder(scene);
    const { paymentId } = pay(order);
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({
      status: 'paid',
      paymentId,
      paymentStatus: 'captured',
      closedAt: new Date(at),
    });
  });

  it('that was only authorised is captured by us once, however many look at the same time', async () => {
    const order = await placedOrder(scene);
    pay(order, { outcome: 'authorized' });
    await lookOften(scene, order);
    expect(takenAtVendor(scene, order)).toEqual([PRICE_MINOR]);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
  });

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'whose capture has no answer because of %s is read again, and not captured twice',
    async (fault) => {
      const order = await placedOrder(scene);
      pay(order, { outcome: 'authorized' });
      scene.razorpay.setFaults({ next: [{ fault, op: 'payments.capture' }] });
      await look(scene, order);
      expect(takenAtVendor(scene, order)).toEqual([PRICE_MINOR]);
      expect(await booksOf(scene, order)).toEqual(paidBooks);
    },
  );

  it('that cannot be captured now is not lost: the next look does it', async () => {
    const order = await placedOrder(scene);
    pay(order, { outcome: 'authorized' });
    scene.razorpay.setFaults({ next: [{ fault: 'error_before', op: 'payments.capture' }] });
    await expect(look(scene, order)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await booksOf(scene, order)).toEqual(openBooks);
    await look(scene, order);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
  });

  it('is captured and booked once when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const order = await placedOrder(scene);
      pay(order, { outcome: 'authorized' });
      isOver = !(await diesAt(order, dieAt));
      await diesAt(order, 1 + ((dieAt * 5) % 11));
      await lookOften(scene, order);
      expect(takenAtVendor(scene, order)).toEqual([PRICE_MINOR]);
      expect(await booksOf(scene, order)).toEqual(paidBooks);
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(8);
      expect(dieAt).toBeLessThan(40);
    }
  });

  it('that failed changes nothing but the order, and a late yes is accepted', async () => {
    const order = await placedOrder(scene);
    const { paymentId } = pay(order, { outcome: 'insufficient_funds' });
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toEqual(openBooks);
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({
      status: 'open',
      paymentStatus: 'failed',
    });

    scene.razorpay.settle(paymentId, 'authorized');
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
  });

  it('stands when somebody who has looked before it books what was seen then', async () => {
    const order = await placedOrder(scene);
    const { paymentId } = pay(order, { outcome: 'created' });
    const seenBefore = await scene.orderVendor.fetchOrder(order.externalId);
    scene.razorpay.settle(paymentId, 'captured');
    await look(scene, order);
    if (seenBefore === null) throw new Error('The order is ours');
    const stale = { order: seenBefore, at: new Date(at) };
    expect(await withTenant(scene.db, order.tenantId, (tx) => bookOrder(tx, stale))).toBeNull();
    expect(await booksOf(scene, order)).toEqual(paidBooks);
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({
      status: 'paid',
      paymentStatus: 'captured',
    });
  });

  it('over a part leaves the rest due, and a second one pays it', async () => {
    const order = await placedOrder(scene);
    pay(order, { amount: 900 });
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toMatchObject({ invoice: 'open 900', payments: ['razorpay 900'] });
    pay(order);
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toMatchObject({
      invoice: 'paid 2900',
      payments: ['razorpay 900', 'razorpay 2000'],
      creditMinor: 0,
    });
  });

  it('beside another one, both captured, becomes credit', async () => {
    const order = await placedOrder(scene);
    const first = pay(order, { outcome: 'created' });
    const second = pay(order, { outcome: 'created' });
    scene.razorpay.settle(first.paymentId, 'captured');
    scene.razorpay.settle(second.paymentId, 'captured');
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toMatchObject({
      invoice: 'paid 2900',
      payments: ['razorpay 2900', 'razorpay 2900 (0)'],
      creditMinor: PRICE_MINOR,
      cashMinor: 2 * PRICE_MINOR,
    });
  });

  it('beside another one, both only authorised, is not taken at all', async () => {
    const order = await placedOrder(scene);
    pay(order, { outcome: 'authorized' });
    pay(order, { outcome: 'authorized' });
    await lookOften(scene, order);
    expect(takenAtVendor(scene, order)).toEqual([PRICE_MINOR]);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
  });

  it('after the invoice was paid otherwise becomes credit', async () => {
    const order = await placedOrder(scene);
    await wire(order, PRICE_MINOR);
    await look(scene, order);
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({ status: 'closed' });
    pay(order);
    await lookOften(scene, order);
    expect(await booksOf(scene, order)).toMatchObject({
      invoice: 'paid 2900',
      payments: ['manual 2900', 'razorpay 2900 (0)'],
      creditMinor: PRICE_MINOR,
    });
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({ status: 'paid' });
  });

  it('that was only authorised after the invoice was paid otherwise is not captured', async () => {
    const order = await placedOrder(scene);
    await wire(order, PRICE_MINOR);
    pay(order, { outcome: 'authorized' });
    await lookOften(scene, order);
    expect(takenAtVendor(scene, order)).toEqual([]);
    expect(await booksOf(scene, order)).toMatchObject({ payments: ['manual 2900'], creditMinor: 0 });
  });

  it.each([
    ['void', { invoice: 'void 0', creditMinor: PRICE_MINOR }],
    ['uncollectible', { invoice: 'paid 2900', creditMinor: 0 }],
  ] as const)(
    'of an invoice that was closed as %s meanwhile is booked as on any rail',
    async (as, expected) => {
      const order = await placedOrder(scene);
      await close(order, as);
      pay(order);
      await lookOften(scene, order);
      expect(await booksOf(scene, order)).toMatchObject(expected);
    },
  );

  it('calls back a card charge that waits for the customer', async () => {
    const invoice = await scene.openInvoice(['succeeded', 'authentication_required']);
    const order = await placedOrder(scene, invoice);
    expect((await collect(order)).outcome).toBe('requires_action');
    pay(order);
    await look(scene, order);
    expect(await envelopes()).toContainEqual(
      expect.objectContaining({ workflowType: 'cardPayment', signalArgs: [{ inboxEventId: null }] }),
    );
  });
});

describe('an order the vendor tells of', () => {
  it('that is none of ours is ignored, and its event done with', async () => {
    const externalId = await foreignOrder({});
    const eventId = await told(externalId);
    await sync(externalId, eventId);
    expect(await inboxRow(eventId)).toMatchObject({ status: 'processed', tenantId: null });
  });

  it('that names an order of another tenant changes nothing', async () => {
    const theirs = await placedOrder(scene);
    const mine = await placedOrder(scene);
    const externalId = await foreignOrder({
      receipt: theirs.orderId,
      notes: { tenantId: mine.tenantId, orderId: theirs.orderId },
    });
    scene.razorpay.pay({ orderId: externalId });
    const eventId = await told(externalId);
    await sync(externalId, eventId);
    expect(await inboxRow(eventId)).toMatchObject({ status: 'processed', tenantId: mine.tenantId });
    expect(await booksOf(scene, theirs)).toEqual(openBooks);
    expect(await booksOf(scene, mine)).toEqual(openBooks);
  });

  it('that the vendor does not have is left to be told of again', async () => {
    const eventId = await told('order_ofanotheracct');
    await sync('order_ofanotheracct', eventId);
    expect(await inboxRow(eventId)).toMatchObject({ status: 'received', processedAt: null });
    await ageInbox();
    const before = await envelopes();
    await retellWaitingEvents(scene.db);
    expect((await envelopes()).slice(before.length)).toContainEqual(
      expect.objectContaining({
        workflowType: 'razorpayPayment',
        workflowId: 'razorpay-payment/order_ofanotheracct',
        signalArgs: [{ inboxEventId: eventId }],
      }),
    );
  });
});

describe('while an order can be paid, a card charge', () => {
  it('is made when a look says that nobody is paying', async () => {
    const order = await placedOrder(scene);
    const before = scene.razorpay.calls()['orders.payments'] ?? 0;
    expect((await collect(order)).outcome).toBe('paid');
    expect(scene.razorpay.calls()['orders.payments']).toBe(before + 1);
    expect(await booksOf(scene, order)).toMatchObject({ payments: [`stripe ${PRICE_MINOR}`] });
  });

  it('is not made when the money is here already, and nobody has told us', async () => {
    const order = await placedOrder(scene);
    pay(order);
    expect((await collect(order)).outcome).toBe('paid');
    expect(await booksOf(scene, order)).toEqual(paidBooks);
    expect(chargesOf(order)).toBe(0);
  });

  it.each(['dunning', 'renewal'] as const)('of a %s is not made while the customer pays', async (origin) => {
    const invoice = await scene.openInvoice(['succeeded', 'insufficient_funds', 'succeeded']);
    if (origin === 'dunning') expect((await collect(invoice)).outcome).toBe('declined');
    const order = await placedOrder(scene, invoice);
    const { paymentId } = pay(order, { outcome: 'created' });
    const before = chargesOf(order);
    const input = { ...order.input, origin, originKey: `${origin}:next`, at };
    expect((await scene.activities.stripe.collectInvoice(input)).outcome).toBe(
      // What no ladder step follows is planned anew: the payment may fail, and somebody must collect the invoice then.
      origin === 'dunning' ? 'processing' : 'technical',
    );
    expect(chargesOf(order)).toBe(before);
    if (origin === 'renewal') expect(await timelineOf(order)).toContain('collection_postponed');

    scene.razorpay.settle(paymentId, 'captured');
    await look(scene, order);
    expect(await booksOf(scene, order)).toEqual(paidBooks);
    expect((await scene.activities.stripe.collectInvoice(input)).outcome).toBe('paid');
    expect(chargesOf(order)).toBe(before);
  });

  it('is made again once the customer has gone', async () => {
    const order = await placedOrder(scene);
    pay(order, { outcome: 'created' });
    const input = (when: string) => ({ ...order.input, originKey: when, at: when });
    const during = await scene.activities.stripe.collectInvoice(input('2026-03-01T10:29:00.000Z'));
    expect(during.outcome).toBe('technical');
    const afterwards = await scene.activities.stripe.collectInvoice(input('2026-03-01T10:31:00.000Z'));
    expect(afterwards.outcome).toBe('paid');
  });

  it('is not made as long as Razorpay cannot be asked', async () => {
    const order = await placedOrder(scene);
    scene.razorpay.setFaults({ rates: { error_before: 1 } });
    await expect(collect(order)).rejects.toMatchObject({ code: 'vendor_unavailable' });
    expect(chargesOf(order)).toBe(0);
  });
});

describe('a refund', () => {
  it('is asked for at Razorpay once, also when the answer is lost, and booked once', async () => {
    const order = await paidOrder();
    const refundId = await askBack(order, 1000);
    scene.razorpay.setFaults({ next: [{ fault: 'drop_answer', op: 'refunds.create' }] });
    await expect(giveBack(order, refundId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await giveBack(order, refundId)).toEqual({ status: 'succeeded' });
    await lookOften(scene, order);
    expect(givenBack(order)).toEqual([1000]);
    expect(await refundsOf(order)).toEqual(['succeeded 1000']);
    expect((await booksOf(scene, order)).cashMinor).toBe(PRICE_MINOR - 1000);
  });

  it('that Razorpay is still working on when it is asked again is given once', async () => {
    const order = await paidOrder();
    const refundId = await askBack(order, 1000);
    const hasty = createRazorpayOrderVendor({
      ...testConfig.razorpay,
      apiBase: scene.razorpay.url,
      timeoutMs: 500,
    });
    const { giveBack: giveBackHastily } = createRefundActivities({
      db: scene.db,
      cardVendor: scene.cardVendor,
      orderVendor: hasty,
    });
    scene.razorpay.setFaults({ next: [{ fault: 'slow', op: 'refunds.create' }], delayMs: 3_000 });
    await expect(giveBackHastily({ ...order, refundId, at })).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    await expect(giveBack(order, refundId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expect.poll(() => givenBack(order), { timeout: 30_000 }).toEqual([1000]);
    expect(await giveBack(order, refundId)).toEqual({ status: 'succeeded' });
    expect(givenBack(order)).toEqual([1000]);
    expect(await refundsOf(order)).toEqual(['succeeded 1000']);
    expect((await booksOf(scene, order)).cashMinor).toBe(PRICE_MINOR - 1000);
  });

  it('that Razorpay refuses fails, and nothing is given back', async () => {
    const order = await paidOrder();
    const refundId = await askBack(order, 1000);
    scene.razorpay.refund({ paymentId: (await paymentOf(order)).externalId });
    expect(await giveBack(order, refundId)).toEqual({ status: 'failed' });
    expect(await refundsOf(order)).toEqual(['failed 1000']);
  });

  it('made in the dashboard is found by the next look, and taken back when it fails', async () => {
    const order = await paidOrder();
    const refund = scene.razorpay.refund({ paymentId: (await paymentOf(order)).externalId, amount: 700 });
    await lookOften(scene, order);
    expect(await refundsOf(order)).toEqual(['succeeded 700']);
    scene.razorpay.failRefund(refund);
    await lookOften(scene, order);
    expect(await refundsOf(order)).toEqual(['failed 700']);
    expect((await booksOf(scene, order)).cashMinor).toBe(PRICE_MINOR);
  });
});

describe('the look for missed webhooks', () => {
  it('asks for a look at orders nobody has looked at for an hour, hourly at first and then daily', async () => {
    const order = await placedOrder(scene);
    expect(await lookedFor(order, '2026-03-01T10:59:00.000Z')).toBe(false);
    expect(await lookedFor(order, '2026-03-01T11:01:00.000Z')).toBe(true);
    await look(scene, order, '2026-03-05T10:00:00.000Z');
    expect(await lookedFor(order, '2026-03-05T12:00:00.000Z')).toBe(false);
    expect(await lookedFor(order, '2026-03-06T10:01:00.000Z')).toBe(true);
  });

  it('forgets an order that is paid, and a closed one after five days', async () => {
    const paid = await paidOrder();
    expect(await lookedFor(paid, '2026-03-01T14:00:00.000Z')).toBe(false);
    const closed = await placedOrder(scene);
    await wire(closed, PRICE_MINOR);
    await look(scene, closed);
    expect(await lookedFor(closed, '2026-03-02T10:00:00.000Z')).toBe(true);
    expect(await lookedFor(closed, '2026-03-06T10:01:00.000Z')).toBe(false);
  });
});

function pay(order: PlacedOrder, how: Omit<Parameters<Scene['razorpay']['pay']>[0], 'orderId'> = {}) {
  return scene.razorpay.pay({ orderId: order.externalId, ...how });
}

async function paidOrder(): Promise<PlacedOrder> {
  const order = await placedOrder(scene);
  pay(order);
  await look(scene, order);
  return order;
}

const collect = ({ input }: OpenInvoice) => scene.activities.stripe.collectInvoice({ ...input, at });

/** How often the card was charged for the invoice. */
function chargesOf({ invoiceId }: OpenInvoice): number {
  return scene.sandbox
    .effects()
    .filter(({ op, businessRef }) => op === 'payment_intents.create' && businessRef === invoiceId).length;
}

function timelineOf({ tenantId }: OpenInvoice): Promise<string[]> {
  return withTenant(scene.db, tenantId, async (tx) =>
    (await tx.select().from(subscriptionEvents)).map(({ kind }) => kind),
  );
}

/** Whether the run died. */
async function diesAt({ externalId }: PlacedOrder, dieAt: number): Promise<boolean> {
  const { razorpay } = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await razorpay.syncRazorpayOrder({ externalId, inboxEventIds: [], at });
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function wire({ tenantId, invoiceId }: OpenInvoice, amountMinor: number) {
  const payment = {
    rail: 'manual',
    externalId: `wire ${invoiceId}`,
    amount: money(amountMinor, 'USD'),
  } as const;
  return withTenant(scene.db, tenantId, (tx) =>
    settlePayment(tx, { tenantId, invoiceId, ...payment, at: new Date(at) }),
  );
}

function close({ tenantId, invoiceId }: OpenInvoice, as: 'void' | 'uncollectible'): Promise<void> {
  return withTenant(scene.db, tenantId, async (tx) => {
    await lockSubscription(tx, (await readInvoice(tx, invoiceId)).subscriptionId);
    await closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as, at: new Date(at) });
  });
}

function sync(externalId: string, ...inboxEventIds: string[]): Promise<void> {
  return scene.activities.razorpay.syncRazorpayOrder({ externalId, inboxEventIds, at });
}

/** An order made straight at the vendor, by whoever has the key. */
async function foreignOrder(differs: object): Promise<string> {
  const { keyId, keySecret } = testConfig.razorpay;
  const response = await fetch(`${scene.razorpay.url}/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${keyId}:${keySecret}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ amount: PRICE_MINOR, currency: 'USD', ...differs }),
  });
  return ((await response.json()) as { id: string }).id;
}

/** Stores an event about the order; returns its id in the inbox. */
async function told(orderId: string): Promise<string> {
  const externalId = newId('evt');
  const event = { externalId, type: 'payment.captured', objectId: orderId, createdAt: at };
  return withSystem(scene.db, async (tx) => {
    expect(await storeOrderEvent(tx, { event, account: 'acc_1' })).toEqual({ outcome: 'stored' });
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.externalId, externalId));
    return row?.id ?? '';
  });
}

function inboxRow(id: string) {
  return withSystem(scene.db, async (tx) => {
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.id, id));
    return row;
  });
}

function ageInbox() {
  const receivedAt = new Date(Date.now() - 120_000);
  return withSystem(scene.db, (tx) => tx.update(inboxEvents).set({ receivedAt }));
}

function envelopes() {
  return withSystem(scene.db, async (tx) => {
    const rows = await tx.select().from(outbox).orderBy(asc(outbox.id));
    return rows.map(({ envelope }) => envelope);
  });
}

function askBack({ tenantId, invoiceId }: PlacedOrder, amountMinor: number): Promise<string> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [payment] = await tx.select().from(payments).where(eq(payments.invoiceId, invoiceId));
    const wish = { paymentId: payment?.id ?? '', amountMinor };
    return (await requestRefund(tx, { ...wish, actor: 'test', at: new Date(at) })).refund.id;
  });
}

function giveBack({ tenantId }: PlacedOrder, refundId: string) {
  return scene.activities.stripe.giveBack({ tenantId, refundId, at });
}

function givenBack({ invoiceId }: PlacedOrder): number[] {
  return scene.razorpay
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'refunds.create' && outcome === 'effect' && businessRef === invoiceId,
    )
    .map(({ amountMinor }) => amountMinor ?? 0);
}

async function paymentOf({ tenantId, invoiceId }: PlacedOrder) {
  const [payment] = await withTenant(scene.db, tenantId, (tx) =>
    tx.select().from(payments).where(eq(payments.invoiceId, invoiceId)),
  );
  if (payment === undefined) throw new Error('The order is not paid');
  return payment;
}

/** Of this invoice's payments, made by hand or by request. */
function refundsOf({ tenantId, invoiceId }: PlacedOrder): Promise<string[]> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const rows = await tx
      .select({ status: refunds.status, amountMinor: refunds.amountMinor, askedAt: refunds.askedAt })
      .from(refunds)
      .innerJoin(payments, eq(payments.id, refunds.paymentId))
      .where(eq(payments.invoiceId, invoiceId));
    return rows.map(({ status, amountMinor }) => `${status} ${amountMinor}`);
  });
}

/** Whether the hourly job asks for a look at the order at that instant. */
async function lookedFor({ externalId }: PlacedOrder, when: string): Promise<boolean> {
  const { db } = scene;
  const before = (await envelopes()).length;
  await createMissedWebhooksActivities({ db, cardVendor: scene.cardVendor, log }).reconcileMissedWebhooks({
    at: when,
  });
  const asked = (await envelopes()).slice(before);
  return asked.some((envelope) => JSON.stringify(envelope).includes(externalId));
}
