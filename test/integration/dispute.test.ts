/**
 * Disputes: whatever the vendor tells of them, in whatever order and however often, moves money, ladder and subscription
 * once and forward only.
 */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import {
  customers,
  dunningCases,
  dunningSteps,
  invoices,
  subscriptionEvents,
  subscriptions,
} from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { disputes, ledgerEntries } from '../../db/schema/payments.ts';
import type { OwnCharge } from '../../domain/payments/card-payment.ts';
import { createScene, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { ask, at, giveBack, type Paid, paidBy, paidInvoice, syncOften } from './refund-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

describe('a dispute', () => {
  it('that is opened takes the money out of our account, and the subscription runs on', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    open(paid);
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toEqual({
      ...before,
      disputes: ['open 2900 fraudulent'],
      ledger: { ...before.ledger, 'cash:stripe': PRICE_MINOR, disputed: PRICE_MINOR },
      timeline: ['dispute_opened'],
    });
  });

  it('that is won leaves everything as it was', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    const id = open(paid);
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(id, 'won');
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toEqual({
      ...before,
      disputes: ['won 2900 fraudulent'],
      ledger: { ...before.ledger, disputed: 0 },
      timeline: ['dispute_opened', 'dispute_won'],
    });
  });

  it('that is lost ends the subscription at once, with the reason, and the money is gone', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    const id = open(paid, 1900);
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(id, 'lost');
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toEqual({
      ...before,
      subscription: 'cancelled dispute_lost',
      disputes: ['lost 1900 fraudulent'],
      disputedMinor: 1900,
      ledger: { ...before.ledger, 'cash:stripe': 2 * PRICE_MINOR - 1900, disputed: 0, refunds: 1900 },
      timeline: ['dispute_opened', 'dispute_lost', 'cancelled', 'access_changed'],
    });
  });

  it('that is won after it was lost brings the money back once; the subscription stays ended', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    const id = open(paid, 1900);
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(id, 'lost');
    const lost = await look(paid);
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(id, 'won');
    await syncOften(scene, paid);
    await book(paid, lost);
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toEqual({
      ...before,
      subscription: 'cancelled dispute_lost',
      disputes: ['won 1900 fraudulent'],
      ledger: { ...before.ledger, disputed: 0, refunds: 0 },
      timeline: ['dispute_opened', 'dispute_lost', 'cancelled', 'access_changed', 'dispute_overturned'],
    });
    expect(await giveBack(scene, paid, await ask(scene, paid))).toEqual({ status: 'succeeded' });
  });

  it('that is won after it was lost ends the same, whether the money comes back with that or later', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    scene.sandbox.closeDispute(open(paid), 'lost');
    await syncOften(scene, paid);
    const lost = await look(paid);
    if (lost === null) throw new Error('The payment is gone');
    await book(paid, { ...lost, disputes: lost.disputes.map((each) => ({ ...each, status: 'won' })) });
    expect((await stateOf(paid)).ledger).toEqual({
      ...before.ledger,
      'cash:stripe': PRICE_MINOR,
      disputed: PRICE_MINOR,
      refunds: 0,
    });
    const returned = lost.disputes.map((each) => ({ ...each, status: 'won' as const, isWithdrawn: false }));
    for (const _ of ['once', 'again']) await book(paid, { ...lost, disputes: returned });
    expect((await stateOf(paid)).ledger).toEqual({ ...before.ledger, disputed: 0, refunds: 0 });
  });

  it('that is only an enquiry moves no money', async () => {
    const paid = await paidInvoice(scene);
    const before = await stateOf(paid);
    const id = scene.sandbox.openDispute({ paymentIntent: paid.paymentIntent, enquiry: true });
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(id, 'won');
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toEqual({
      ...before,
      disputes: ['won 2900 fraudulent'],
      timeline: ['dispute_opened', 'dispute_won'],
    });
  });

  it.each(['won', 'lost'] as const)(
    'that is %s ends the same, in whatever order and however often its looks arrive',
    async (outcome) => {
      const ends = new Set<string>();
      for (const order of permutations([0, 1, 2, 3])) {
        const paid = await paidInvoice(scene);
        const looks = [await look(paid)];
        const id = scene.sandbox.openDispute({ paymentIntent: paid.paymentIntent, enquiry: true });
        looks.push(await look(paid));
        scene.sandbox.openDispute({ paymentIntent: paid.paymentIntent, amount: 500, reason: 'duplicate' });
        looks.push(await look(paid));
        scene.sandbox.closeDispute(id, outcome);
        looks.push(await look(paid));
        for (const index of order) {
          for (const _ of ['once', 'again']) await book(paid, looks[index]);
        }
        const { timeline, ...state } = await stateOf(paid);
        ends.add(JSON.stringify({ ...state, timeline: timeline.toSorted() }));
      }
      expect([...ends]).toHaveLength(1);
      expect([...ends][0]).toContain(`${outcome} 2900`);
    },
  );

  it('of a subscription that has ended is booked, and ends nothing more', async () => {
    const paid = await paidInvoice(scene);
    await cancel(paid);
    const before = await stateOf(paid);
    scene.sandbox.closeDispute(open(paid), 'lost');
    await syncOften(scene, paid);
    const after = await stateOf(paid);
    expect(after.subscription).toBe('cancelled not_given');
    expect(after.timeline).toEqual([...before.timeline, 'dispute_opened', 'dispute_lost']);
    expect(after.disputedMinor).toBe(2900);
  });

  it('of money that had become credit takes the credit with it, and gives it back when it is won after all', async () => {
    const invoice = await scene.openInvoice(['succeeded', 'processing']);
    await scene.activities.stripe.collectInvoice(invoice.input);
    await withTenant(scene.db, invoice.tenantId, async (tx) =>
      closeUnpaidInvoice(tx, await readInvoice(tx, invoice.invoiceId), { as: 'void', at: new Date(at) }),
    );
    const { objectId = '' } =
      scene.sandbox.effects().findLast(({ businessRef }) => businessRef === invoice.invoiceId) ?? {};
    scene.sandbox.settle(objectId ?? '', 'succeeded');
    await scene.activities.stripe.syncCardPayment({ paymentId: objectId ?? '', inboxEventIds: [], at });
    const paid = await paidBy(scene, invoice);
    expect((await stateOf(paid)).creditMinor).toBe(2900);
    const disputeId = open(paid);
    scene.sandbox.closeDispute(disputeId, 'lost');
    await syncOften(scene, paid);
    const { creditMinor, ledger } = await stateOf(paid);
    expect({ creditMinor, ledger }).toMatchObject({
      creditMinor: 0,
      ledger: { customer_credit: 0, disputed: 0, 'cash:stripe': PRICE_MINOR },
    });

    scene.sandbox.closeDispute(disputeId, 'won');
    await syncOften(scene, paid);
    expect(await stateOf(paid)).toMatchObject({
      creditMinor: 2900,
      ledger: { customer_credit: -2900, disputed: 0, 'cash:stripe': 2 * PRICE_MINOR },
    });
  });
});

describe('a refund of a disputed payment', () => {
  it('is refused while the bank decides, and possible again when the dispute was won', async () => {
    const paid = await paidInvoice(scene);
    const id = open(paid, 900);
    await syncOften(scene, paid);
    await expect(ask(scene, paid, { amountMinor: 1 })).rejects.toMatchObject({
      code: 'state_conflict',
      reason: 'payment_disputed',
    });
    scene.sandbox.closeDispute(id, 'won');
    await syncOften(scene, paid);
    expect(await giveBack(scene, paid, await ask(scene, paid))).toEqual({ status: 'succeeded' });
  });

  it('never comes on top of what was lost', async () => {
    const paid = await paidInvoice(scene);
    scene.sandbox.closeDispute(open(paid, 900), 'lost');
    await syncOften(scene, paid);
    await expect(ask(scene, paid, { amountMinor: 2001 })).rejects.toMatchObject({
      reason: 'refund_exceeds_payment',
      message: expect.stringContaining('USD 20.00'),
    });
  });

  it('that was on its way when the bank opened it is refused by the vendor, and fails', async () => {
    const paid = await paidInvoice(scene);
    const refundId = await ask(scene, paid);
    open(paid);
    expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'failed' });
  });
});

describe('the ladder of a customer whose bank wants an earlier payment back', () => {
  it('stands still: no step is taken and nothing is charged, however late it is', async () => {
    const { paid, step } = await dunned();
    const id = open(paid);
    await syncOften(scene, paid);
    const charges = scene.sandbox.charges().length;
    for (const day of [1, 8, 40]) expect(await step(day)).toMatchObject({ disputed: true, nextStepIndex: 0 });
    expect(await stepsOf(paid)).toEqual([]);
    expect(scene.sandbox.charges()).toHaveLength(charges);
    expect((await stateOf(paid)).subscription).toBe('past_due');

    scene.sandbox.closeDispute(id, 'won');
    await syncOften(scene, paid);
    expect(await step(8, 3)).toMatchObject({ nextStepIndex: 4 });
    expect(await step(8, 3), 'again').toMatchObject({ nextStepIndex: 4 });
    expect(await stepsOf(paid)).toEqual(['superseded', 'superseded', 'superseded', 'performed']);
  });

  it('stands still until the last of several disputes is decided', async () => {
    const { paid, step } = await dunned();
    const [first, second] = [open(paid, 900), open(paid, 800)];
    await syncOften(scene, paid);
    scene.sandbox.closeDispute(first, 'won');
    await syncOften(scene, paid);
    expect(await step(1)).toMatchObject({ disputed: true });
    scene.sandbox.closeDispute(second, 'won');
    await syncOften(scene, paid);
    expect(await step(1)).toMatchObject({ nextStepIndex: 1 });
  });

  it('ends with the subscription when the dispute is lost: what was open is void', async () => {
    const { paid } = await dunned();
    scene.sandbox.closeDispute(open(paid), 'lost');
    await syncOften(scene, paid);
    const state = await stateOf(paid);
    expect(state).toMatchObject({ subscription: 'cancelled dispute_lost', cases: ['cancelled'] });
    expect(state.invoices).toEqual(['paid', 'void']);
    expect(state.timeline.slice(-4)).toEqual([
      'dispute_opened',
      'dispute_lost',
      'cancelled',
      'access_changed',
    ]);
  });
});

/** The bank wants the payment back, or a part of it. */
function open({ paymentIntent }: Paid, amount?: number): string {
  return scene.sandbox.openDispute({ paymentIntent, amount });
}

/** The payment as the vendor shows it now. */
function look({ paymentIntent }: Paid): Promise<OwnCharge | null> {
  return scene.cardVendor.fetchCharge(paymentIntent);
}

/** Books what somebody saw at the vendor, perhaps long ago. */
function book({ paymentIntent }: Paid, seen: OwnCharge | null | undefined): Promise<void> {
  const cardVendor = { ...scene.cardVendor, fetchCharge: async () => seen ?? null };
  const log = pino({ level: 'silent' });
  const { db, orderVendor, checkoutProvider, taxEngine, exchangeRates } = scene;
  const { stripe } = createActivities({
    db,
    cardVendor,
    orderVendor,
    checkoutProvider,
    taxEngine,
    exchangeRates,
    log,
    drainOutbox: async () => 0,
  });
  return stripe.syncCardPayment({ paymentId: paymentIntent, inboxEventIds: [], at });
}

/** A customer whose first payment stands and whose renewal has failed; `step` performs what is due on a day of the ladder. */
async function dunned() {
  const invoice = await scene.openInvoice(['succeeded', 'insufficient_funds']);
  expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('declined');
  const { tenantId } = invoice;
  const { dunningCase, first } = await withTenant(scene.db, tenantId, async (tx) => ({
    dunningCase: (await tx.select().from(dunningCases))[0],
    first: (await tx.select().from(invoices).orderBy(asc(invoices.id)))[0],
  }));
  if (dunningCase === undefined || first === undefined) throw new Error('Nobody is dunned');
  const { customerId, id: caseId, firstFailedAt } = dunningCase;
  const step = (day: number, stepIndex = 0) =>
    scene.activities.stripe.performDunningStep({
      tenantId,
      customerId,
      caseId,
      stepIndex,
      at: new Date(firstFailedAt.getTime() + day * DAY_MS).toISOString(),
      charge: true,
    });
  return { paid: await paidBy(scene, { ...invoice, invoiceId: first.id }), step };
}

const DAY_MS = 86_400_000;

function stepsOf({ tenantId }: Paid): Promise<string[]> {
  return withTenant(scene.db, tenantId, async (tx) =>
    (await tx.select().from(dunningSteps).orderBy(asc(dunningSteps.stepIndex))).map(({ outcome }) => outcome),
  );
}

async function cancel({ tenantId, invoiceId }: Paid): Promise<void> {
  const { subscriptionId } = await withTenant(scene.db, tenantId, (tx) => readInvoice(tx, invoiceId));
  const request = { tenantId, subscriptionId, requestId: 'cancel', actor: 'test', at };
  await scene.activities.billing.cancelSubscription({ ...request, mode: 'now', reason: 'not_given' });
}

/** What of the customer a dispute may change. */
function stateOf({ tenantId, invoiceId }: Paid) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const [subscription] = await tx
      .select()
      .from(subscriptions)
      .where(eq(subscriptions.id, invoice.subscriptionId));
    const ledger: Record<string, number> = {};
    // In an order of its own: states are compared as texts.
    const entries = await tx.select().from(ledgerEntries).orderBy(asc(ledgerEntries.account));
    for (const { account, amountMinor } of entries) {
      ledger[account] = (ledger[account] ?? 0) + amountMinor;
    }
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const begins = timeline.findLastIndex(({ kind }) => kind === 'payment_received' || kind === 'past_due');
    return {
      subscription: [subscription?.status, subscription?.cancelReason]
        .filter((part) => part != null)
        .join(' '),
      invoices: (await tx.select().from(invoices).orderBy(asc(invoices.id))).map(({ status }) => status),
      disputedMinor: invoice.disputedMinor,
      creditMinor: (await tx.select().from(customers))[0]?.creditMinor,
      disputes: (await tx.select().from(disputes))
        .map(({ status, amountMinor, reason }) => `${status} ${amountMinor} ${reason}`)
        .toSorted(),
      cases: (await tx.select().from(dunningCases)).map(({ outcome }) => outcome ?? 'open'),
      ledger,
      timeline: timeline.slice(begins + 1).map(({ kind }) => kind),
      mails: (await tx.select().from(notifications)).length,
    };
  });
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}
