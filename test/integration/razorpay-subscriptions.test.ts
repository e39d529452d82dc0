/**
 * A subscription at Razorpay is made once and ended once, whatever answers are lost and whoever dies; what it charges is
 * booked once, whatever comes first, and nothing else is charged beside it.
 */
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createMissedWebhooksActivities } from '../../activities/operations/missed-webhooks.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { changeSubscription, lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { bookRazorpaySubscription } from '../../db/queries/payments/book-razorpay-subscription.ts';
import { endRazorpaySubscription } from '../../db/queries/payments/end-razorpay-subscription.ts';
import { requestOrder } from '../../db/queries/payments/razorpay-orders.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { outbox } from '../../db/schema/operations.ts';
import { payments, refunds } from '../../db/schema/payments.ts';
import { razorpaySubscriptions } from '../../db/schema/razorpay.ts';
import { testConfig } from '../support/api.ts';
import { createScene, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import {
  ask,
  authorised,
  booksOf,
  invoiced,
  look,
  lookOften,
  type Placed,
  place,
  placed,
  RUPEES_MINOR,
  rowOf,
  type Subscribed,
  startedAt,
  subscribed,
  timesAtVendor,
  trialEndsAt,
} from './razorpay-subscription-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterEach(() => {
  scene.razorpay.setFaults({});
});
afterAll(() => scene?.close());

const made = (one: Subscribed) => timesAtVendor(scene, 'subscriptions.create', one);
const ended = (one: Subscribed) => timesAtVendor(scene, 'subscriptions.cancel', one);

const paidBooks = {
  status: 'active',
  collects: true,
  invoices: [`paid ${RUPEES_MINOR}`],
  payments: [`razorpay ${RUPEES_MINOR}`],
  creditMinor: 0,
  cashMinor: RUPEES_MINOR,
  disputedMinor: 0,
};

describe('a subscription at Razorpay', () => {
  it('is made once, whoever asks for it, over what a period costs and from the end of the trial on', async () => {
    const one = await placed(scene);
    expect(await ask(scene, one)).toBe(one.razorpaySubscriptionId);
    await Promise.all([
      place(scene, one, one.razorpaySubscriptionId),
      place(scene, one, one.razorpaySubscriptionId),
    ]);
    expect(made(one)).toBe(1);
    expect(await rowOf(scene, one)).toMatchObject({
      status: 'created',
      amountMinor: RUPEES_MINOR,
      currency: 'INR',
      startsAt: new Date(trialEndsAt),
      cycles: 120,
      shortUrl: expect.stringContaining('https://rzp.io/i/'),
    });
  });

  it('needs a plan at Razorpay that is made once for all who pay the same price', async () => {
    const one = await placed(scene);
    const plansBefore = scene.razorpay.effects().filter(({ op }) => op === 'plans.create').length;
    await withTenant(scene.db, one.tenantId, (tx) =>
      endRazorpaySubscription(tx, {
        subscriptionId: one.subscriptionId,
        reason: 'requested',
        at: new Date(startedAt),
      }),
    );
    await place(scene, one, await ask(scene, one));
    expect(made(one)).toBe(2);
    expect(scene.razorpay.effects().filter(({ op }) => op === 'plans.create')).toHaveLength(plansBefore);
  });

  it.each(['plans.create', 'subscriptions.create'] as const)(
    'is made once although the answer of %s is lost in every way',
    async (op) => {
      for (const fault of ['drop_answer', 'error_after', 'malformed'] as const) {
        const one = await subscribed(scene);
        const id = await ask(scene, one);
        const plansBefore = planCount();
        scene.razorpay.setFaults({ next: [{ fault, op }] });
        await expect(place(scene, one, id)).rejects.toMatchObject({ code: 'outcome_unknown' });
        await place(scene, one, id);
        expect(made(one)).toBe(1);
        expect(planCount() - plansBefore).toBe(1);
        expect(await rowOf(scene, one)).toMatchObject({ status: 'created' });
      }
    },
  );

  it('that Razorpay would not make is refused with its reason', async () => {
    const one = await subscribed(scene, { interval: { unit: 'day', count: 1 } });
    const id = await ask(scene, one);
    expect(await place(scene, one, id)).toEqual({ status: 'refused' });
    expect(await rowOf(scene, one)).toMatchObject({ failureCode: 'input_validation_failed' });
  });

  it.each([
    ['in another currency', () => subscribed(scene, { currency: 'USD' }), 'currency_not_collected'],
    ['that is cancelled', () => cancelled(), 'cancellation_pending'],
  ])('is not asked for a subscription %s', async (_what, make, reason) => {
    await expect(ask(scene, await make())).rejects.toMatchObject({ code: 'state_conflict', reason });
  });

  it('is made once when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const one = await subscribed(scene);
      const id = await ask(scene, one);
      const plansBefore = planCount();
      const dies = (moment: number) =>
        diesAt(moment, ({ placeRazorpaySubscription }) =>
          placeRazorpaySubscription({ tenantId: one.tenantId, razorpaySubscriptionId: id, at: startedAt }),
        );
      isOver = !(await dies(dieAt));
      await dies(1 + ((dieAt * 5) % 13));
      await place(scene, one, id);
      expect(made(one)).toBe(1);
      expect(planCount() - plansBefore).toBe(1);
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(12);
      expect(dieAt).toBeLessThan(40);
    }
  });

  it('would be made twice by who does not look it up: the look is what keeps it once', async () => {
    const one = await subscribed(scene);
    const id = await ask(scene, one);
    const orderVendor = { ...scene.orderVendor, findSubscription: async () => null };
    const { razorpay } = createActivities({ ...scene, orderVendor, log, drainOutbox: async () => 0 });
    scene.razorpay.setFaults({ next: [{ fault: 'drop_answer', op: 'subscriptions.create' }] });
    const input = { tenantId: one.tenantId, razorpaySubscriptionId: id, at: startedAt };
    await expect(razorpay.placeRazorpaySubscription(input)).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    await razorpay.placeRazorpaySubscription(input);
    expect(made(one)).toBe(2);
  });
});

describe('a charge of Razorpay', () => {
  it('settles the invoice once, however often it is looked at', async () => {
    const one = await authorised(scene);
    await invoiced(scene, one);
    expect(await booksOf(scene, one)).toMatchObject({ status: 'trialing', collects: true, payments: [] });
    scene.razorpay.chargeCycle(one.externalId);
    await lookOften(scene, one);
    expect(await booksOf(scene, one)).toEqual(paidBooks);
  });

  it('that comes before its invoice is booked on it when it is issued', async () => {
    const one = await authorised(scene);
    scene.razorpay.clock.set(new Date(trialEndsAt));
    scene.razorpay.chargeCycle(one.externalId);
    await lookOften(scene, one);
    expect(await booksOf(scene, one)).toMatchObject({ invoices: [], payments: [] });
    await invoiced(scene, one);
    expect(await asksForLook(one)).toBe(true);
    await lookOften(scene, one);
    expect(await booksOf(scene, one)).toEqual(paidBooks);
  });

  it('is booked once when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const one = await authorised(scene);
      await invoiced(scene, one);
      scene.razorpay.chargeCycle(one.externalId);
      isOver = !(await looksAndDies(one, dieAt));
      await looksAndDies(one, 1 + ((dieAt * 5) % 7));
      await lookOften(scene, one);
      expect(await booksOf(scene, one)).toEqual(paidBooks);
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(8);
      expect(dieAt).toBeLessThan(40);
    }
  });

  it('of an invoice that was paid otherwise meanwhile becomes credit', async () => {
    const one = await authorised(scene);
    const invoiceId = await invoiced(scene, one);
    await wire(one, invoiceId, RUPEES_MINOR);
    scene.razorpay.chargeCycle(one.externalId);
    await lookOften(scene, one);
    expect(await booksOf(scene, one)).toMatchObject({
      invoices: [`paid ${RUPEES_MINOR}`],
      payments: [`manual ${RUPEES_MINOR}`, `razorpay ${RUPEES_MINOR}`],
      creditMinor: RUPEES_MINOR,
    });
  });

  it('that is given back in the dashboard is found by the event of its invoice', async () => {
    const one = await authorised(scene);
    await invoiced(scene, one);
    const paymentId = scene.razorpay.chargeCycle(one.externalId);
    await look(scene, one);
    scene.razorpay.refund({ paymentId, amount: 1000 });
    await look(scene, { ...one, externalId: await cycleInvoice(one) });
    expect(await refundsOf(one)).toEqual(['succeeded 1000']);
  });
});

describe('beside Razorpay', () => {
  it('no card is charged, and no order can be paid, while it tries again', async () => {
    const one = await authorised(scene);
    const card = await withCard(one);
    const invoiceId = await invoiced(scene, one);
    scene.razorpay.failCycle(one.externalId);
    await lookOften(scene, one);
    expect(await booksOf(scene, one)).toMatchObject({ status: 'past_due', collects: true });
    const { tenantId } = one;
    const step = { origin: 'dunning', originKey: 'dunning:1', at: trialEndsAt } as const;
    const result = await scene.activities.stripe.collectInvoice({ tenantId, invoiceId, ...step });
    expect(result.outcome).toBe('processing');
    expect(chargesOf(invoiceId)).toBe(0);
    await expect(
      withTenant(scene.db, tenantId, (tx) =>
        requestOrder(tx, { invoiceId, actor: 'test', at: new Date(trialEndsAt) }),
      ),
    ).rejects.toMatchObject({ reason: 'collected_by_razorpay' });

    for (let tries = 1; tries < 4; tries += 1) scene.razorpay.failCycle(one.externalId);
    await look(scene, one);
    expect(await booksOf(scene, one)).toMatchObject({ collects: false });
    const next = { ...step, originKey: 'dunning:2' };
    expect(await scene.activities.stripe.collectInvoice({ tenantId, invoiceId, ...next })).toMatchObject({
      outcome: 'paid',
    });
    expect(card).toMatch(/^pm_/);
    expect(chargesOf(invoiceId)).toBe(1);
  });

  it('an authorisation whose webhook never came is found before a card is charged', async () => {
    const one = await placed(scene, { start: 'payment' });
    await withCard(one);
    const { tenantId, subscriptionId } = one;
    const at = startedAt;
    const { invoiceId } = await scene.activities.billing.issueFirstInvoice({ tenantId, subscriptionId, at });
    scene.razorpay.authorize(one.externalId);
    const charge = { origin: 'first_invoice', originKey: 'first_invoice', at } as const;
    const result = await scene.activities.stripe.collectInvoice({
      tenantId,
      invoiceId: invoiceId ?? '',
      ...charge,
    });
    expect(result.outcome).toBe('paid');
    expect(chargesOf(invoiceId ?? '')).toBe(0);
    expect(await booksOf(scene, one)).toEqual(paidBooks);
  });

  it('no card is charged as long as Razorpay cannot be asked', async () => {
    const one = await placed(scene, { start: 'payment' });
    await withCard(one);
    const { tenantId, subscriptionId } = one;
    const at = startedAt;
    const { invoiceId } = await scene.activities.billing.issueFirstInvoice({ tenantId, subscriptionId, at });
    scene.razorpay.setFaults({ next: [{ fault: 'error_before', op: 'subscriptions.retrieve' }] });
    const charge = { origin: 'first_invoice', originKey: 'first_invoice', at } as const;
    await expect(
      scene.activities.stripe.collectInvoice({ tenantId, invoiceId: invoiceId ?? '', ...charge }),
    ).rejects.toMatchObject({ code: 'vendor_unavailable' });
    expect(chargesOf(invoiceId ?? '')).toBe(0);
  });

  it('an invoice over another amount shows that the price has changed: the authorisation ends', async () => {
    const one = await authorised(scene);
    await withTenant(scene.db, one.tenantId, async (tx) => {
      await tx
        .update(razorpaySubscriptions)
        .set({ amountMinor: RUPEES_MINOR - 100 })
        .where(eq(razorpaySubscriptions.id, one.razorpaySubscriptionId));
    });
    await invoiced(scene, one);
    expect(await rowOf(scene, one)).toMatchObject({ endReason: 'amount_changed' });
    await lookOften(scene, one);
    expect(ended(one)).toBe(1);
    expect(await booksOf(scene, one)).toMatchObject({ collects: false });
  });
});

describe('the end of it', () => {
  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'is said once although the answer is lost because of %s',
    async (fault) => {
      const one = await ending();
      scene.razorpay.setFaults({ next: [{ fault, op: 'subscriptions.cancel' }] });
      await lookOften(scene, one);
      expect(ended(one)).toBe(1);
      expect(await rowOf(scene, one)).toMatchObject({ status: 'cancelled', endReason: 'requested' });
      expect(await booksOf(scene, one)).toMatchObject({ collects: false });
    },
  );

  it('that Razorpay cannot be told now is owed: the hourly job asks for it until it is done', async () => {
    const one = await ending();
    scene.razorpay.setFaults({ next: [{ fault: 'error_before', op: 'subscriptions.cancel' }] });
    await expect(look(scene, one)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(await rowOf(scene, one)).toMatchObject({ status: 'authenticated', endedAt: null });
    expect(await lookedFor(one, '2026-02-15T11:30:00.000Z')).toBe(true);
    await look(scene, one);
    expect(ended(one)).toBe(1);
    expect(await lookedFor(one, '2026-02-20T11:30:00.000Z')).toBe(false);
  });

  it('is said once when a worker is killed at any moment, and its successor too', async () => {
    for (let dieAt = 1, isOver = false; !isOver; dieAt += 1) {
      const one = await ending();
      isOver = !(await looksAndDies(one, dieAt));
      await looksAndDies(one, 1 + ((dieAt * 5) % 7));
      await lookOften(scene, one);
      expect(ended(one)).toBe(1);
      expect(await rowOf(scene, one)).toMatchObject({ status: 'cancelled' });
      if (isOver) expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(10);
      expect(dieAt).toBeLessThan(60);
    }
  });

  it('stands when somebody who has looked before it books what was seen then', async () => {
    const one = await authorised(scene);
    const seen = await scene.orderVendor.fetchSubscription(one.externalId);
    if (seen === null) throw new Error('The subscription is ours');
    const readAt = new Date(Date.now() - 1_000);
    scene.razorpay.failCycle(one.externalId);
    await look(scene, one);
    const late = () =>
      withTenant(scene.db, one.tenantId, (tx) =>
        bookRazorpaySubscription(tx, { seen, paid: [], at: new Date(trialEndsAt), readAt }),
      );
    await late();
    expect(await rowOf(scene, one)).toMatchObject({ status: 'pending' });
    scene.razorpay.cancelSubscription(one.externalId);
    await look(scene, one);
    await late();
    expect(await rowOf(scene, one)).toMatchObject({ status: 'cancelled', endReason: 'ended_at_razorpay' });
  });

  it('of our own subscription is the end of Razorpay’s', async () => {
    const one = await authorised(scene);
    await cancelAtEnd(one);
    expect(await rowOf(scene, one)).toMatchObject({ endReason: 'subscription_cancelled' });
    expect(await asksForLook(one)).toBe(true);
  });
});

function planCount(): number {
  return scene.razorpay.effects().filter(({ op, outcome }) => op === 'plans.create' && outcome === 'effect')
    .length;
}

/** One that is to end, and Razorpay has not been told. */
async function ending(): Promise<Placed> {
  const one = await authorised(scene);
  await withTenant(scene.db, one.tenantId, async (tx) => {
    await lockSubscription(tx, one.subscriptionId);
    const { subscriptionId } = one;
    await endRazorpaySubscription(tx, { subscriptionId, reason: 'requested', at: new Date(startedAt) });
  });
  return one;
}

async function cancelled(): Promise<Subscribed> {
  const one = await subscribed(scene);
  await cancelAtEnd(one);
  return one;
}

function cancelAtEnd({ tenantId, subscriptionId }: Subscribed) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscriptionId);
    await changeSubscription(tx, context, { set: { cancelAtPeriodEnd: true }, at: new Date(startedAt) });
  });
}

type RazorpayActivities = Scene['activities']['razorpay'];

/** Whether the run died. */
async function diesAt(
  dieAt: number,
  run: (razorpay: RazorpayActivities) => Promise<unknown>,
): Promise<boolean> {
  const { razorpay } = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await run(razorpay);
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function looksAndDies({ externalId }: Placed, dieAt: number): Promise<boolean> {
  return diesAt(dieAt, ({ syncRazorpaySubscription }) =>
    syncRazorpaySubscription({ externalId, inboxEventIds: [], at: trialEndsAt }),
  );
}

async function withCard({ tenantId, subscriptionId }: Subscribed): Promise<string> {
  const card = scene.sandbox.createCard({ outcomes: ['succeeded'] });
  const request = { requestId: card, at: startedAt, paymentMethodId: card, actor: 'test' };
  await scene.activities.stripe.attachPaymentMethod({ tenantId, subscriptionId, ...request });
  return card;
}

function chargesOf(invoiceId: string): number {
  return scene.sandbox
    .effects()
    .filter(({ op, businessRef }) => op === 'payment_intents.create' && businessRef === invoiceId).length;
}

async function wire({ tenantId }: Subscribed, invoiceId: string, amountMinor: number): Promise<void> {
  const payment = { rail: 'manual', externalId: `wire ${invoiceId}` } as const;
  await withTenant(scene.db, tenantId, (tx) =>
    settlePayment(tx, {
      tenantId,
      invoiceId,
      ...payment,
      amount: { amountMinor, currency: 'INR' },
      at: new Date(trialEndsAt),
    }),
  );
}

/** Razorpay's invoice of the first cycle. */
async function cycleInvoice({ externalId }: Placed): Promise<string> {
  const { keyId, keySecret } = testConfig.razorpay;
  const response = await fetch(`${scene.razorpay.url}/v1/invoices?subscription_id=${externalId}`, {
    headers: { authorization: `Basic ${Buffer.from(`${keyId}:${keySecret}`).toString('base64')}` },
  });
  return ((await response.json()) as { items: { id: string }[] }).items[0]?.id ?? '';
}

function refundsOf({ tenantId }: Subscribed): Promise<string[]> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const rows = await tx
      .select({ status: refunds.status, amountMinor: refunds.amountMinor })
      .from(refunds)
      .innerJoin(payments, eq(payments.id, refunds.paymentId));
    return rows.map(({ status, amountMinor }) => `${status} ${amountMinor}`);
  });
}

function envelopes(): Promise<string[]> {
  return withSystem(scene.db, async (tx) => {
    const rows = await tx.select().from(outbox).orderBy(outbox.id);
    return rows.map(({ envelope }) => JSON.stringify(envelope));
  });
}

async function asksForLook({ externalId }: Placed): Promise<boolean> {
  return (await envelopes()).some((envelope) => envelope.includes(`razorpay-collection/${externalId}`));
}

/** Whether the hourly job asks for a look at that instant. */
async function lookedFor({ externalId }: Placed, when: string): Promise<boolean> {
  const { db, cardVendor } = scene;
  const before = (await envelopes()).length;
  await createMissedWebhooksActivities({ db, cardVendor, log }).reconcileMissedWebhooks({ at: when });
  return (await envelopes()).slice(before).some((envelope) => envelope.includes(externalId));
}
