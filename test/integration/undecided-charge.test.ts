/** While nobody knows what becomes of a charge, nothing is given up for want of its money; what comes too late is told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { planChangeKey } from '../../domain/payments/payment.ts';
import { createScene, type DueSubscription, invoicesOf, type Scene } from './collection-scene.ts';
import {
  addAccount,
  carryOut,
  minutesAfter,
  offer,
  pay,
  readTo,
  setChain,
  setPrices,
} from './crypto-scene.ts';
import { mortal } from './mortal.ts';

let scene: Scene;

beforeAll(async () => {
  scene = await createScene();
});

afterAll(() => scene?.close());

/** A subscription that starts with a payment has waited for it for 23 hours. */
const TOO_LATE = '2026-02-01T09:00:00.000Z';
const A_DAY_LATER = '2026-02-02T09:00:00.000Z';

describe('a first payment', () => {
  it('whose answer is lost for longer than it is awaited does not expire, and activates when it is found', async () => {
    const { due, invoiceId, charge } = await firstInvoice('succeeded');
    // The vendor has charged the card, and we die before that is booked.
    await expect(collectInvoice(mortal(scene, 5), charge)).rejects.toThrow();
    expect(scene.sandbox.charges().map(({ businessRef }) => businessRef)).toContain(invoiceId);

    const { postponeCollection, expireSubscription } = scene.activities.billing;
    await postponeCollection({ ...due, invoiceId, at: '2026-02-01T08:59:00.000Z' });
    const { snapshot } = await expireSubscription({ ...due, at: TOO_LATE });
    expect(snapshot).toMatchObject({ status: 'incomplete', firstPaymentUntil: A_DAY_LATER });
    expect((await collectInvoice(scene, { ...charge, at: TOO_LATE })).outcome).toBe('paid');
    expect(await stateOf(due)).toMatchObject({
      status: 'active',
      timeline: expect.not.arrayContaining(['expired']),
    });
  });

  it('that is not decided is looked at once a day, and given up when it is refused', async () => {
    const { due, invoiceId, charge } = await firstInvoice('processing');
    expect((await collectInvoice(scene, charge)).outcome).toBe('processing');
    const { expireSubscription } = scene.activities.billing;
    await expireSubscription({ ...due, at: TOO_LATE });
    await expireSubscription({ ...due, at: TOO_LATE });
    await decide(invoiceId, 'insufficient_funds');

    const { snapshot } = await expireSubscription({ ...due, at: A_DAY_LATER });
    expect(snapshot.status).toBe('expired');
    const { timeline } = await stateOf(due);
    expect(timeline.filter((kind) => kind === 'expiry_postponed')).toHaveLength(1);
    expect(await invoicesOf(scene.db, due.tenantId)).toMatchObject([{ status: 'void' }]);
  });

  it('that is seen in coins shortly before it would expire is waited for, and activates when it is final', async () => {
    const { due, invoiceId, charge } = await firstInvoice('insufficient_funds');
    await collectInvoice(scene, charge);
    const coins = await offeredInCoins(due, invoiceId, minutesAfter(-15, TOO_LATE));
    const { expireSubscription } = scene.activities.billing;
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(-10, TOO_LATE) });
    const { snapshot } = await expireSubscription({ ...due, at: TOO_LATE });
    expect(snapshot).toMatchObject({ status: 'incomplete', firstPaymentUntil: A_DAY_LATER });

    const mined = { units: coins.dueUnits, height: 101 };
    await pay(scene, coins, { ...mined, at: minutesAfter(30, TOO_LATE) });
    await readTo(scene, coins, { height: 103, at: minutesAfter(60, TOO_LATE) });
    await carryOut(scene, coins, minutesAfter(60, TOO_LATE));
    const { status, timeline } = await stateOf(due);
    expect(status).toBe('active');
    expect(timeline).not.toContain('payment_unused');
  });

  it('that is offered in coins, and not paid for, expires in its time', async () => {
    const { due, invoiceId, charge } = await firstInvoice('insufficient_funds');
    await collectInvoice(scene, charge);
    await offeredInCoins(due, invoiceId, minutesAfter(-15, TOO_LATE));
    const { snapshot } = await scene.activities.billing.expireSubscription({ ...due, at: TOO_LATE });
    expect(snapshot.status).toBe('expired');
  });

  it('that comes after a cancellation is told of, here and to the customer, once', async () => {
    const { due, invoiceId, charge } = await firstInvoice('processing');
    await collectInvoice(scene, charge);
    await scene.activities.billing.cancelSubscription({
      ...due,
      requestId: 'leave',
      actor: 'test',
      mode: 'now',
      reason: 'other',
    });
    const paymentId = await decide(invoiceId, 'succeeded');
    await hear(paymentId);

    const { status, timeline, mails } = await stateOf(due);
    expect(status).toBe('cancelled');
    expect(timeline.slice(-2)).toEqual(['payment_received', 'payment_unused']);
    expect(mails.filter((template) => template === 'payment_unused')).toHaveLength(1);
  });
});

describe('an upgrade whose charge is not decided', () => {
  it('does not lapse, and takes effect when it is paid', async () => {
    const { due, invoiceId } = await undecidedUpgrade();
    const { snapshot } = await scene.activities.billing.lapseChange({
      ...due,
      at: '2026-02-15T09:00:00.000Z',
    });
    expect(snapshot.pendingChange).toMatchObject({ at: '2026-02-16T09:00:00.000Z' });
    await decide(invoiceId, 'succeeded');
    expect(await stateOf(due)).toMatchObject({ quantity: 2, pendingChange: null });
  });

  it('because it is paid in coins does not lapse either, and is not taken back', async () => {
    const { due, invoiceId } = await undecidedUpgrade();
    await decide(invoiceId, 'insufficient_funds');
    const coins = await offeredInCoins(due, invoiceId, HALFWAY);
    await pay(scene, coins, { units: coins.dueUnits, at: minutesAfter(5, HALFWAY) });
    const { lapseChange, undoChange } = scene.activities.billing;
    const { snapshot } = await lapseChange({ ...due, at: '2026-02-15T09:00:00.000Z' });
    expect(snapshot.pendingChange).toMatchObject({ at: '2026-02-16T09:00:00.000Z' });
    const request = { ...due, actor: 'test', requestId: 'undo', at: minutesAfter(6, HALFWAY) };
    await expect(undoChange(request)).rejects.toMatchObject({ reason: 'change_under_way' });
  });

  it('is not taken back', async () => {
    const { due, invoiceId } = await undecidedUpgrade();
    const { undoChange } = scene.activities.billing;
    const request = { ...due, actor: 'test', requestId: 'undo', at: HALFWAY };
    await expect(undoChange(request)).rejects.toMatchObject({
      code: 'state_conflict',
      reason: 'change_under_way',
    });
    await decide(invoiceId, 'insufficient_funds');
    expect((await undoChange(request)).snapshot.pendingChange).toBeUndefined();
  });

  it('gives way at the end of the period it is for; its money is credit then', async () => {
    const { due, invoiceId } = await undecidedUpgrade();
    const { lapseChange } = scene.activities.billing;
    const periodEndsAt = '2026-02-28T10:00:00.000Z';
    const lastDay = await lapseChange({ ...due, at: '2026-02-27T22:00:00.000Z' });
    expect(lastDay.snapshot.pendingChange).toMatchObject({ at: periodEndsAt });
    expect((await lapseChange({ ...due, at: periodEndsAt })).snapshot.pendingChange).toBeUndefined();
    await decide(invoiceId, 'succeeded');
    const { quantity, mails } = await stateOf(due);
    expect(quantity).toBe(1);
    // The renewal is paid with it.
    expect(mails).not.toContain('payment_unused');
  });
});

/** Half of February: a period of 28 days that began on the last day of January. */
const HALFWAY = '2026-02-14T10:00:00.000Z';

/** The first invoice of a subscription that starts with a payment, not charged yet; the card answers as the script says. */
async function firstInvoice(...outcomes: string[]) {
  const due = await scene.dueSubscription('issueFirstInvoice');
  scene.sandbox.setCardOutcomes(due.card, outcomes);
  const { invoiceId } = await scene.activities.billing.issueFirstInvoice(due);
  if (invoiceId === null) throw new Error('The first period issued no invoice');
  const { tenantId, at } = due;
  const charge = { tenantId, invoiceId, origin: 'first_invoice', originKey: 'first_invoice', at } as const;
  return { due, invoiceId, charge };
}

/** The open invoice, offered in coins at that instant. */
async function offeredInCoins({ tenantId }: DueSubscription, invoiceId: string, at: string) {
  await setPrices(scene, { at });
  await setChain(scene, { height: 100, at });
  await addAccount(scene, tenantId);
  return offer(scene, { tenantId, invoiceId }, { at });
}

/** A second seat for the other half of the period, whose charge the bank works on. */
async function undecidedUpgrade(): Promise<{ due: DueSubscription; invoiceId: string }> {
  const due = { ...(await scene.dueSubscription('renew')), at: HALFWAY };
  scene.sandbox.setCardOutcomes(due.card, ['processing']);
  const requestId = 'second seat';
  const asked = { ...due, actor: 'test', requestId, quantity: 2, proration: 'invoice_now' } as const;
  const { invoiceId } = await scene.activities.billing.changePlan(asked);
  if (invoiceId === null) throw new Error('The upgrade issued no invoice');
  const { tenantId } = due;
  const originKey = planChangeKey(requestId);
  const charge = { tenantId, invoiceId, origin: 'plan_change', originKey, at: HALFWAY } as const;
  expect((await collectInvoice(scene, charge)).outcome).toBe('processing');
  return { due, invoiceId };
}

/** The bank is done with the charge of the invoice, and we hear of it. */
async function decide(invoiceId: string, outcome: string): Promise<string> {
  const charged = scene.sandbox.effects().find(({ op, businessRef }) => {
    return op === 'payment_intents.create' && businessRef === invoiceId;
  });
  const paymentId = charged?.objectId ?? '';
  scene.sandbox.settle(paymentId, outcome);
  await hear(paymentId);
  return paymentId;
}

function hear(paymentId: string): Promise<void> {
  return scene.activities.stripe.syncCardPayment({ paymentId, inboxEventIds: [], at: TOO_LATE });
}

function stateOf({ tenantId, subscriptionId }: DueSubscription) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [row] = (await tx.select().from(subscriptions)).filter(({ id }) => id === subscriptionId);
    const timeline = await tx.select().from(subscriptionEvents).orderBy(subscriptionEvents.id);
    const mails = await tx.select().from(notifications).orderBy(notifications.id);
    return {
      status: row?.status,
      quantity: row?.quantity,
      pendingChange: row?.pendingChange,
      timeline: timeline.map(({ kind }) => kind),
      mails: mails.map(({ template }) => template),
    };
  });
}
