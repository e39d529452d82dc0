/**
 * One checkout per invoice and amount due, whatever happens on the way: a worker is killed at every moment, answers are lost,
 * Coinbase is away. Its own log says how many checkouts it made.
 */
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { loadConfig } from '../../config/env.ts';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { closeInvoice } from '../../db/queries/billing/close-invoice.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { requestOrder } from '../../db/queries/payments/razorpay-orders.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { payments } from '../../db/schema/payments.ts';
import { money } from '../../domain/money.ts';
import { checkoutKey } from '../../domain/payments/coinbase-checkout.ts';
import { createCoinbaseCheckouts } from '../../integrations/coinbase-business/client.ts';
import {
  askForCheckout,
  at,
  booksOf,
  checkoutRow,
  checkoutsAtProvider,
  look,
  lookOften,
  type PlacedCheckout,
  place,
  placedCheckout,
} from './coinbase-scene.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
/** An hour after it was asked for. */
const later = '2026-03-01T11:00:00.000Z';
const expired = '2026-03-02T10:01:00.000Z';
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterEach(() => scene.coinbase.setFaults({}));
afterAll(() => scene?.close());

describe('a checkout', () => {
  it('that is asked for five times at once, and again later, is one', async () => {
    const invoice = await scene.openInvoice();
    scene.coinbase.clock.set(new Date(at));
    const asked = await Promise.all(Array.from({ length: 5 }, () => askForCheckout(scene, invoice)));
    expect(new Set(asked).size).toBe(1);
    const [checkoutId = ''] = asked;
    expect(await place(scene, checkoutId)).toEqual({ status: 'active', lookAt: expired });
    expect(await askForCheckout(scene, invoice, later)).toBe(checkoutId);
    await place(scene, checkoutId);
    expect(checkoutsAtProvider(scene, invoice)).toBe(1);
    expect(await checkoutRow(scene, invoice, checkoutId)).toMatchObject({
      status: 'active',
      provider: 'business',
      externalId: expect.stringMatching(/^[\da-f]{24}$/),
      url: expect.stringMatching(/^https:\/\/payments\.coinbase\.com\//),
      amountMinor: PRICE_MINOR,
      currency: 'USD',
      expiresAt: new Date('2026-03-02T10:00:00.000Z'),
      closedAt: null,
    });
    const made = scene.coinbase.effects().find(({ businessRef }) => businessRef === invoice.invoiceId);
    expect(made).toMatchObject({ idempotencyKey: checkoutKey(checkoutId), attemptRef: checkoutId });
  });

  it('stays one when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const { invoice, checkoutId } = await asked();
      isOver = !(await diesAt(dieAt, ({ coinbase }) => coinbase.placeCoinbaseCheckout({ checkoutId, at })));
      await diesAt(1 + ((dieAt * 5) % 9), ({ coinbase }) =>
        coinbase.placeCoinbaseCheckout({ checkoutId, at }),
      );
      expect(checkoutsAtProvider(scene, invoice)).toBeLessThanOrEqual(1);
      await expectPlacedOnce(invoice, checkoutId);
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(8);
      expect(dieAt).toBeLessThan(30);
    }
  });

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'whose answer does not come because of %s is looked up, and never asked for again',
    async (fault) => {
      const { invoice, checkoutId } = await asked();
      scene.coinbase.setFaults({ next: [{ fault, op: 'checkouts.create' }] });
      await expect(place(scene, checkoutId)).rejects.toMatchObject({ code: 'outcome_unknown' });
      expect(await checkoutRow(scene, invoice, checkoutId)).toMatchObject({
        status: 'creating',
        externalId: null,
      });
      scene.coinbase.setFaults({ next: [{ fault: 'error_before', op: 'checkouts.list' }] });
      await expect(place(scene, checkoutId)).rejects.toMatchObject({ code: 'vendor_unavailable' });
      await expectPlacedOnce(invoice, checkoutId);
      const requests = scene.coinbase.effects().filter(({ attemptRef }) => attemptRef === checkoutId);
      expect(requests.map(({ outcome }) => outcome)).toEqual(['effect']);
    },
  );

  it('that the list does not show yet is asked for again under the same key, and is one', async () => {
    const { invoice, checkoutId } = await asked();
    scene.coinbase.setFaults({ next: [{ fault: 'drop_answer', op: 'checkouts.create' }] });
    await expect(place(scene, checkoutId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    const blind = { ...scene.checkoutProvider, findCheckout: async () => null };
    const { coinbase } = createActivities({
      ...scene,
      checkoutProvider: blind,
      log,
      drainOutbox: async () => 0,
    });
    expect(await coinbase.placeCoinbaseCheckout({ checkoutId, at })).toMatchObject({ status: 'active' });
    await expectPlacedOnce(invoice, checkoutId);
  });

  it('is found among many of others', async () => {
    for (let count = 0; count < 101; count += 1) {
      const ids = { tenantId: newId('ten'), invoiceId: newId('inv'), checkoutId: newId('cbc') };
      const expiresAt = '2026-03-02T10:00:00.000Z';
      await scene.checkoutProvider.createCheckout({ ...ids, amount: money(1, 'USD'), expiresAt });
    }
    const [first] = scene.coinbase.effects();
    const found = await scene.checkoutProvider.findCheckout({ checkoutId: first?.attemptRef ?? '' });
    expect(found?.externalId).toBe(first?.objectId);
    expect(await scene.checkoutProvider.findCheckout({ checkoutId: newId('cbc') })).toBeNull();
  });

  it('that Coinbase does not make is refused with the reason, and the next one is another', async () => {
    const { invoice, checkoutId } = await asked();
    // Its clock is ahead: the checkout would have expired already.
    scene.coinbase.clock.set(new Date('2026-04-01T10:00:00.000Z'));
    expect(await place(scene, checkoutId)).toEqual({ status: 'refused', lookAt: null });
    scene.coinbase.clock.set(new Date(at));
    expect(await checkoutRow(scene, invoice, checkoutId)).toMatchObject({ failureCode: 'invalid_request' });
    expect(checkoutsAtProvider(scene, invoice)).toBe(0);
    expect(await askForCheckout(scene, invoice)).not.toBe(checkoutId);
  });

  it('that has expired is followed by another one', async () => {
    const checkout = await placedCheckout(scene);
    const next = await placedCheckout(scene, checkout, expired);
    expect(next.externalId).not.toBe(checkout.externalId);
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({ failureCode: 'expired' });
  });

  it('over another amount than what is due now is closed, and a new one is over what is left', async () => {
    const checkout = await placedCheckout(scene);
    await wire(checkout, 1000);
    const next = await placedCheckout(scene, checkout);
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({
      status: 'active',
      failureCode: 'amount_changed',
    });
    expect(await checkoutRow(scene, checkout, next.checkoutId)).toMatchObject({ amountMinor: 1900 });
  });
});

describe('no checkout is shown', () => {
  it.each(['void', 'uncollectible'] as const)('for an invoice that is %s', async (as) => {
    const invoice = await scene.openInvoice();
    await close(invoice, as);
    await expect(askForCheckout(scene, invoice)).rejects.toMatchObject({ reason: 'invoice_not_open' });
  });

  it('while a card is being charged, or the customer confirms', async () => {
    const processing = await scene.openInvoice(['succeeded', 'processing']);
    await scene.activities.stripe.collectInvoice(processing.input);
    await expect(askForCheckout(scene, processing)).rejects.toMatchObject({ reason: 'charge_in_flight' });
    const waiting = await scene.openInvoice(['succeeded', 'authentication_required']);
    await scene.activities.stripe.collectInvoice(waiting.input);
    await expect(askForCheckout(scene, waiting)).rejects.toMatchObject({ reason: 'charge_in_flight' });
  });

  it('when the invoice was paid before Coinbase was asked, or while it was', async () => {
    const paid = await asked();
    await wire(paid.invoice, PRICE_MINOR);
    expect(await place(scene, paid.checkoutId)).toMatchObject({ status: 'refused' });
    expect(checkoutsAtProvider(scene, paid.invoice)).toBe(0);

    const { invoice, checkoutId } = await asked();
    const createCheckout: Scene['checkoutProvider']['createCheckout'] = async (request) => {
      const made = await scene.checkoutProvider.createCheckout(request);
      await wire(invoice, PRICE_MINOR);
      return made;
    };
    const checkoutProvider = { ...scene.checkoutProvider, createCheckout };
    const { coinbase } = createActivities({ ...scene, checkoutProvider, log, drainOutbox: async () => 0 });
    await coinbase.placeCoinbaseCheckout({ checkoutId, at });
    expect(await checkoutRow(scene, invoice, checkoutId)).toMatchObject({
      status: 'active',
      failureCode: 'invoice_not_open',
      closedAt: new Date(at),
    });
  });
});

describe('a payment', () => {
  it('settles its invoice once, however often and at whatever time it is looked at', async () => {
    const checkout = await placedCheckout(scene);
    scene.coinbase.pay({ checkoutId: checkout.externalId });
    await lookOften(scene, checkout, later);
    expect(await booksOf(scene, checkout)).toEqual({
      invoice: `paid ${PRICE_MINOR}`,
      payments: [`coinbase ${PRICE_MINOR}`],
      creditMinor: 0,
      cashMinor: PRICE_MINOR,
    });
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({
      status: 'completed',
      received: '29.00 USDC',
      transactionId: expect.stringMatching(/^0x[\da-f]{64}$/),
      closedAt: new Date(later),
      failureCode: null,
    });
    expect(await look(scene, checkout, later)).toEqual({ status: 'completed', lookAt: null });
  });

  it('is booked once when a worker is killed at any moment of a look', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const checkout = await placedCheckout(scene);
      const { checkoutId } = checkout;
      scene.coinbase.pay({ checkoutId: checkout.externalId });
      isOver = !(await diesAt(dieAt, ({ coinbase }) =>
        coinbase.syncCoinbaseCheckout({ checkoutId, inboxEventIds: [], at: later }),
      ));
      await look(scene, checkout, later);
      expect(await booksOf(scene, checkout)).toMatchObject({
        payments: [`coinbase ${PRICE_MINOR}`],
        cashMinor: PRICE_MINOR,
      });
      expect(dieAt).toBeLessThan(30);
    }
  });

  it.each([
    ['more', '50.00', { invoice: 'paid 2900', payments: ['coinbase 5000 (2900)'], creditMinor: 2100 }],
    ['less', '10.00', { invoice: 'open 1000', payments: ['coinbase 1000'], creditMinor: 0 }],
    [
      'a part of a cent more',
      '29.009999',
      { invoice: 'paid 2900', payments: ['coinbase 2900'], creditMinor: 0 },
    ],
  ])('of %s than was asked for is booked to the cent', async (_, amount, books) => {
    const checkout = await placedCheckout(scene);
    scene.coinbase.pay({ checkoutId: checkout.externalId, amount });
    await lookOften(scene, checkout, later);
    expect(await booksOf(scene, checkout)).toMatchObject(books);
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({
      received: `${amount} USDC`,
    });
  });

  it('that comes after the checkout expired is booked all the same', async () => {
    const checkout = await placedCheckout(scene);
    scene.coinbase.clock.set(new Date(expired));
    expect(await look(scene, checkout, expired)).toEqual({
      status: 'expired',
      lookAt: '2026-03-05T10:00:00.000Z',
    });
    scene.coinbase.pay({ checkoutId: checkout.externalId });
    expect(await look(scene, checkout, '2026-03-03T10:00:00.000Z')).toEqual({
      status: 'completed',
      lookAt: null,
    });
    expect(await booksOf(scene, checkout)).toMatchObject({ invoice: 'paid 2900', cashMinor: 2900 });
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({ failureCode: null });
  });

  it('of a checkout that was followed by another one is the customer’s credit, once both are paid', async () => {
    const checkout = await placedCheckout(scene);
    await wire(checkout, 1000);
    const next = await placedCheckout(scene, checkout);
    scene.coinbase.pay({ checkoutId: next.externalId });
    await look(scene, next, later);
    scene.coinbase.pay({ checkoutId: checkout.externalId });
    await look(scene, checkout, later);
    expect(await booksOf(scene, checkout)).toEqual({
      invoice: 'paid 2900',
      payments: ['manual 1000', 'coinbase 1900', 'coinbase 2900 (0)'],
      creditMinor: 2900,
      cashMinor: 4800,
    });
  });

  it('that is under way holds back the card, another checkout, an order at Razorpay and the end of the invoice', async () => {
    const checkout = await placedCheckout(scene);
    const { tenantId, invoiceId } = checkout;
    scene.coinbase.pay({ checkoutId: checkout.externalId, outcome: 'processing' });
    expect(await look(scene, checkout)).toEqual({ status: 'processing', lookAt: later });
    expect(await askForCheckout(scene, checkout).catch(reasonOf)).toBe('payment_under_way');
    const order = withTenant(scene.db, tenantId, (tx) =>
      requestOrder(tx, { invoiceId, actor: 'test', at: new Date(at) }),
    );
    expect(await order.catch(reasonOf)).toBe('payment_under_way');
    const end = withTenant(scene.db, tenantId, (tx) =>
      closeInvoice(tx, {
        invoiceId,
        as: 'uncollectible',
        reason: undefined,
        actor: 'test',
        at: new Date(at),
      }),
    );
    expect(await end.catch(reasonOf)).toBe('payment_under_way');
    const charged = await scene.activities.stripe.collectInvoice({ ...checkout.input, at });
    expect(charged.outcome).toBe('technical');
    expect(scene.sandbox.charges().filter(({ businessRef }) => businessRef === invoiceId)).toEqual([]);

    scene.coinbase.pay({ checkoutId: checkout.externalId });
    await look(scene, checkout, later);
    expect(await booksOf(scene, checkout)).toMatchObject({ payments: ['coinbase 2900'] });
  });

  it('is looked for before a card is charged, although nobody has told of it', async () => {
    const checkout = await placedCheckout(scene);
    scene.coinbase.pay({ checkoutId: checkout.externalId });
    const charged = await scene.activities.stripe.collectInvoice({ ...checkout.input, at });
    expect(charged.outcome).toBe('paid');
    expect(await booksOf(scene, checkout)).toMatchObject({ payments: ['coinbase 2900'], creditMinor: 0 });

    const unpaid = await placedCheckout(scene);
    expect((await scene.activities.stripe.collectInvoice({ ...unpaid.input, at })).outcome).toBe('paid');
    expect(await booksOf(scene, unpaid)).toMatchObject({ payments: ['stripe 2900'] });
  });

  it('that fails leaves the invoice open, and the next checkout is another', async () => {
    const checkout = await placedCheckout(scene);
    scene.coinbase.pay({ checkoutId: checkout.externalId, outcome: 'failed' });
    await look(scene, checkout);
    expect(await checkoutRow(scene, checkout, checkout.checkoutId)).toMatchObject({
      status: 'failed',
      failureCode: 'failed',
    });
    expect(await booksOf(scene, checkout)).toMatchObject({ invoice: 'open 0', payments: [] });
    expect(await askForCheckout(scene, checkout)).not.toBe(checkout.checkoutId);
  });
});

describe('a refund', () => {
  it('made in the dashboard of Coinbase is booked once, and one that failed after all is taken back', async () => {
    const checkout = await paid();
    const refundId = scene.coinbase.refund({ checkoutId: checkout.externalId, amountMinor: 1000 });
    await lookOften(scene, checkout, later);
    expect((await booksOf(scene, checkout)).cashMinor).toBe(1900);
    scene.coinbase.failRefund({ checkoutId: checkout.externalId, refundId });
    await lookOften(scene, checkout, later);
    expect((await booksOf(scene, checkout)).cashMinor).toBe(2900);
  });

  it('is not asked for here: Coinbase tells of those that are made there', async () => {
    const checkout = await paid();
    const refused = withTenant(scene.db, checkout.tenantId, async (tx) => {
      const received = await tx.select().from(payments);
      const { id } = received.find(({ rail }) => rail === 'coinbase') ?? { id: '' };
      return requestRefund(tx, { paymentId: id, actor: 'test', at: new Date(later) });
    });
    await expect(refused).rejects.toMatchObject({ code: 'state_conflict', reason: 'refunded_at_coinbase' });
    expect((await booksOf(scene, checkout)).cashMinor).toBe(2900);
  });
});

describe('what Coinbase cannot say', () => {
  it('a checkout of ours that its account does not have is left as it is', async () => {
    const checkout = await placedCheckout(scene);
    const checkoutProvider = await strangerTo(checkout);
    const { coinbase } = createActivities({ ...scene, checkoutProvider, log, drainOutbox: async () => 0 });
    const { checkoutId } = checkout;
    const looked = await coinbase.syncCoinbaseCheckout({ checkoutId, inboxEventIds: [], at });
    expect(looked).toEqual({ status: 'active', lookAt: expired });
  });

  it('while it refuses our key is asked for again, once an hour', async () => {
    const { checkoutId } = await placedCheckout(scene);
    const { privateKey } = loadConfig({ NODE_ENV: 'test' }).coinbase;
    const revoked = { keyName: 'revoked', privateKey, apiBase: scene.coinbase.url };
    const checkoutProvider = createCoinbaseCheckouts(revoked);
    const { coinbase } = createActivities({ ...scene, checkoutProvider, log, drainOutbox: async () => 0 });
    await expect(coinbase.syncCoinbaseCheckout({ checkoutId, inboxEventIds: [], at })).rejects.toMatchObject({
      code: 'vendor_unavailable',
      retryAfterMs: 3_600_000,
      cause: { code: 'vendor_rejected_request' },
    });
  });

  it('an id that nobody here has given is ignored', async () => {
    const nobody = { checkoutId: newId('cbc'), inboxEventIds: [], at };
    expect(await scene.activities.coinbase.syncCoinbaseCheckout(nobody)).toEqual({
      status: 'refused',
      lookAt: null,
    });
  });

  it('a checkout that names ours and another invoice books nothing', async () => {
    const [one, other] = [await placedCheckout(scene), await placedCheckout(scene)];
    const checkoutProvider: Scene['checkoutProvider'] = {
      ...scene.checkoutProvider,
      async fetchCheckout(id) {
        const seen = await scene.checkoutProvider.fetchCheckout(id);
        return seen && { ...seen, owner: { ...seen.owner, invoiceId: other.invoiceId } };
      },
    };
    scene.coinbase.pay({ checkoutId: one.externalId });
    const { coinbase } = createActivities({ ...scene, checkoutProvider, log, drainOutbox: async () => 0 });
    await coinbase.syncCoinbaseCheckout({ checkoutId: one.checkoutId, inboxEventIds: [], at });
    expect(await booksOf(scene, one)).toMatchObject({ payments: [] });
    expect(await booksOf(scene, other)).toMatchObject({ payments: [] });
  });
});

async function strangerTo({ externalId }: PlacedCheckout): Promise<Scene['checkoutProvider']> {
  const fetchCheckout: Scene['checkoutProvider']['fetchCheckout'] = (id) =>
    scene.checkoutProvider.fetchCheckout(id === externalId ? '0'.repeat(24) : id);
  return { ...scene.checkoutProvider, fetchCheckout };
}

async function asked(): Promise<{ invoice: OpenInvoice; checkoutId: string }> {
  scene.coinbase.clock.set(new Date(at));
  const invoice = await scene.openInvoice();
  return { invoice, checkoutId: await askForCheckout(scene, invoice) };
}

async function paid(): Promise<PlacedCheckout> {
  const checkout = await placedCheckout(scene);
  scene.coinbase.pay({ checkoutId: checkout.externalId });
  await look(scene, checkout);
  return checkout;
}

async function expectPlacedOnce(invoice: OpenInvoice, checkoutId: string): Promise<void> {
  expect(await place(scene, checkoutId)).toMatchObject({ status: 'active' });
  expect(checkoutsAtProvider(scene, invoice)).toBe(1);
  const { externalId } = await checkoutRow(scene, invoice, checkoutId);
  expect(await scene.checkoutProvider.findCheckout({ checkoutId })).toMatchObject({ externalId });
}

/** Whether the run died. */
async function diesAt(
  dieAt: number,
  run: (activities: Scene['activities']) => Promise<unknown>,
): Promise<boolean> {
  try {
    await run(createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 }));
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function reasonOf(error: unknown): string | undefined {
  return (error as { reason?: string }).reason;
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
