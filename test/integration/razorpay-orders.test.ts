/**
 * One order per invoice and amount due, whatever happens on the way: a worker is killed at every moment, answers are lost,
 * Razorpay is away. Its own log says how many orders it made.
 */
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { money } from '../../domain/money.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import { askForOrder, at, look, orderRow, ordersAtVendor, place, placedOrder } from './razorpay-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterEach(() => scene.razorpay.setFaults({}));
afterAll(() => scene?.close());

describe('an order', () => {
  it('that is asked for five times at once, and again later, is one', async () => {
    const invoice = await scene.openInvoice();
    const asked = await Promise.all(Array.from({ length: 5 }, () => askForOrder(scene, invoice)));
    expect(new Set(asked).size).toBe(1);
    const [orderId = ''] = asked;
    await place(scene, invoice, orderId);
    expect(await askForOrder(scene, invoice)).toBe(orderId);
    await place(scene, invoice, orderId);
    expect(ordersAtVendor(scene, invoice)).toBe(1);
    expect(await orderRow(scene, invoice, orderId)).toMatchObject({
      status: 'open',
      externalId: expect.stringMatching(/^order_/),
      amountMinor: PRICE_MINOR,
      currency: 'USD',
      paymentId: null,
    });
  });

  it('stays one when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const { invoice, orderId } = await asked();
      isOver = !(await diesAt(invoice, orderId, dieAt));
      await diesAt(invoice, orderId, 1 + ((dieAt * 5) % 7));
      expect(ordersAtVendor(scene, invoice)).toBeLessThanOrEqual(1);
      await expectPlacedOnce(invoice, orderId);
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(6);
      expect(dieAt).toBeLessThan(30);
    }
  });

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'whose answer does not come because of %s is looked up, and never asked for again',
    async (fault) => {
      const { invoice, orderId } = await asked();
      scene.razorpay.setFaults({ next: [{ fault, op: 'orders.create' }] });
      await expect(place(scene, invoice, orderId)).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(await orderRow(scene, invoice, orderId)).toMatchObject({ status: 'creating', externalId: null });

      scene.razorpay.setFaults({ next: [{ fault: 'error_before', op: 'orders.list' }] });
      await expect(place(scene, invoice, orderId)).rejects.toMatchObject({ code: 'vendor_unavailable' });
      await expectPlacedOnce(invoice, orderId);
    },
  );

  it('that failed before anything happened is asked for again', async () => {
    const { invoice, orderId } = await asked();
    scene.razorpay.setFaults({ next: [{ fault: 'refuse', op: 'orders.create', times: 2 }] });
    await expect(place(scene, invoice, orderId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expect(place(scene, invoice, orderId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    await expectPlacedOnce(invoice, orderId);
  });

  it('over what Razorpay does not take is closed with the reason, and the next one is another', async () => {
    const { invoice, orderId } = await asked(2850);
    expect(await place(scene, invoice, orderId)).toEqual({ status: 'closed' });
    expect(await orderRow(scene, invoice, orderId)).toMatchObject({ failureCode: 'input_validation_failed' });
    expect(ordersAtVendor(scene, invoice)).toBe(0);
    expect(await askForOrder(scene, invoice)).not.toBe(orderId);
  });
});

describe('what is due changes', () => {
  it('an order over another amount is closed, and a new one is over what is left', async () => {
    const order = await placedOrder(scene);
    await wire(order, 1000);
    const next = await placedOrder(scene, order);
    expect(next.externalId).not.toBe(order.externalId);
    expect(await orderRow(scene, order, order.orderId)).toMatchObject({
      status: 'closed',
      failureCode: 'amount_changed',
    });
    expect(await orderRow(scene, order, next.orderId)).toMatchObject({ amountMinor: 1900, status: 'open' });
  });

  it('while the old order is being paid, there is no new one', async () => {
    const order = await placedOrder(scene);
    scene.razorpay.pay({ orderId: order.externalId, outcome: 'created' });
    await look(scene, order);
    await wire(order, 1000);
    await expect(askForOrder(scene, order)).rejects.toMatchObject({ reason: 'payment_under_way' });
    await expect(askForOrder(scene, order, '2026-03-01T10:31:00.000Z')).resolves.not.toBe(order.orderId);
  });
});

describe('no order is shown', () => {
  it.each(['pending', 'processing', 'requires_action'])('while a card charge is %s', async (state) => {
    const outcome = state === 'requires_action' ? 'authentication_required' : 'processing';
    const invoice = await scene.openInvoice(['succeeded', outcome]);
    if (state === 'pending') {
      scene.sandbox.setFaults({ next: [{ fault: 'error_before', op: 'payment_intents.create' }] });
      await expect(scene.activities.stripe.collectInvoice(invoice.input)).rejects.toThrow();
    } else expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe(state);
    await expect(askForOrder(scene, invoice)).rejects.toMatchObject({ reason: 'charge_in_flight' });
  });

  it.each(['void', 'uncollectible'] as const)('for an invoice that is %s', async (as) => {
    const invoice = await scene.openInvoice();
    await close(invoice, as);
    await expect(askForOrder(scene, invoice)).rejects.toMatchObject({ reason: 'invoice_not_open' });
  });

  it('when the invoice was paid, or a charge began, before Razorpay was asked', async () => {
    const paid = await asked();
    await wire(paid.invoice, PRICE_MINOR);
    expect(await place(scene, paid.invoice, paid.orderId)).toEqual({ status: 'closed' });

    const invoice = await scene.openInvoice(['succeeded', 'processing']);
    const orderId = await askForOrder(scene, invoice);
    await scene.activities.stripe.collectInvoice(invoice.input);
    expect(await place(scene, invoice, orderId)).toEqual({ status: 'closed' });
    expect(ordersAtVendor(scene, invoice)).toBe(0);
  });

  it('when that happened while Razorpay was being asked', async () => {
    const { invoice, orderId } = await asked();
    const createOrder: Scene['orderVendor']['createOrder'] = async (request) => {
      const made = await scene.orderVendor.createOrder(request);
      await wire(invoice, PRICE_MINOR);
      return made;
    };
    const racing = { ...scene, orderVendor: { ...scene.orderVendor, createOrder } };
    const { razorpay } = createActivities({ ...racing, log, drainOutbox: async () => 0 });
    expect(await razorpay.placeRazorpayOrder({ tenantId: invoice.tenantId, orderId, at })).toEqual({
      status: 'closed',
    });
    expect(await orderRow(scene, invoice, orderId)).toMatchObject({ failureCode: 'invoice_not_open' });
  });
});

async function asked(paidMinor = 0): Promise<{ invoice: OpenInvoice; orderId: string }> {
  const invoice = await scene.openInvoice();
  if (paidMinor > 0) await wire(invoice, paidMinor);
  return { invoice, orderId: await askForOrder(scene, invoice) };
}

async function expectPlacedOnce(invoice: OpenInvoice, orderId: string): Promise<void> {
  expect(await place(scene, invoice, orderId)).toEqual({ status: 'open' });
  expect(ordersAtVendor(scene, invoice)).toBe(1);
  const { externalId } = await orderRow(scene, invoice, orderId);
  expect(await scene.orderVendor.findOrder({ orderId })).toMatchObject({ externalId });
}

/** Whether the run died. */
async function diesAt({ tenantId }: OpenInvoice, orderId: string, dieAt: number): Promise<boolean> {
  const { razorpay } = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await razorpay.placeRazorpayOrder({ tenantId, orderId, at });
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function wire({ tenantId, invoiceId }: OpenInvoice, amountMinor: number) {
  const externalId = `wire ${invoiceId} ${amountMinor}`;
  const payment = { rail: 'manual', externalId, amount: money(amountMinor, 'USD') } as const;
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
