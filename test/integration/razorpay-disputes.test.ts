/** Disputes at Razorpay: whatever it tells of them, in whatever order and however often, moves money once and forward only. */
import { asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { finaliseDraft } from '../../db/queries/billing/finalise-draft.ts';
import { createDraft } from '../../db/queries/billing/invoice-drafts.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { storeOrderEvent } from '../../db/queries/operations/inbox.ts';
import { retellWaitingEvents } from '../../db/queries/operations/inbox-sweep.ts';
import { invoices, subscriptions } from '../../db/schema/billing.ts';
import { inboxEvents } from '../../db/schema/operations.ts';
import { disputes } from '../../db/schema/payments.ts';
import { createScene, type OpenInvoice, type Scene } from './collection-scene.ts';
import { look as lookAtOrder, booksOf as orderBooksOf, placedOrder } from './razorpay-scene.ts';
import {
  authorised,
  booksOf,
  invoiced,
  look,
  type Placed,
  RUPEES_MINOR,
  type Subscribed,
  trialEndsAt,
} from './razorpay-subscription-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

it('money that goes at the onset waits, and comes back when the dispute is won', async () => {
  const { one, paymentId } = await charged();
  const id = scene.razorpay.openDispute({ paymentId, deduct: true });
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({ cashMinor: 0, disputedMinor: RUPEES_MINOR });
  scene.razorpay.moveDispute(id, 'under_review');
  scene.razorpay.moveDispute(id, 'action_required');
  await syncOften(id);
  expect(await disputesOf(one)).toEqual([`open ${RUPEES_MINOR}`]);
  scene.razorpay.moveDispute(id, 'won');
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({
    status: 'active',
    cashMinor: RUPEES_MINOR,
    disputedMinor: 0,
  });
  expect(await disputesOf(one)).toEqual([`won ${RUPEES_MINOR}`]);
});

it('money that goes when the dispute is lost is gone then, until it is won after all; the subscription has ended', async () => {
  const { one, paymentId } = await charged();
  const id = scene.razorpay.openDispute({ paymentId });
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({ cashMinor: RUPEES_MINOR, disputedMinor: 0 });
  scene.razorpay.moveDispute(id, 'lost');
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({ status: 'cancelled', cashMinor: 0, disputedMinor: 0 });
  expect(await disputesOf(one)).toEqual([`lost ${RUPEES_MINOR}`]);

  scene.razorpay.moveDispute(id, 'won');
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({
    status: 'cancelled',
    cashMinor: RUPEES_MINOR,
    disputedMinor: 0,
  });
  expect(await disputesOf(one)).toEqual([`won ${RUPEES_MINOR}`]);
});

it('one that is closed has cost nothing', async () => {
  const { one, paymentId } = await charged();
  const id = scene.razorpay.openDispute({ paymentId, amount: 1000 });
  scene.razorpay.moveDispute(id, 'closed');
  await syncOften(id);
  expect(await booksOf(scene, one)).toMatchObject({ status: 'active', cashMinor: RUPEES_MINOR });
  expect(await disputesOf(one)).toEqual(['won 1000']);
});

it('a payment of an order is disputed like one of a subscription', async () => {
  const order = await placedOrder(scene);
  const { paymentId } = scene.razorpay.pay({ orderId: order.externalId });
  await lookAtOrder(scene, order);
  const id = scene.razorpay.openDispute({ paymentId, deduct: true });
  await syncOften(id);
  expect(await orderBooksOf(scene, order)).toMatchObject({ cashMinor: 0 });
});

it('of a one-off that is lost, it takes the money and changes nothing of the subscription', async () => {
  const order = await placedOrder(scene, await oneOff());
  const { paymentId } = scene.razorpay.pay({ orderId: order.externalId });
  await lookAtOrder(scene, order);
  expect(await orderBooksOf(scene, order)).toMatchObject({ invoice: 'paid 2900', cashMinor: 2900 });
  const before = await subscriptionsOf(order);
  const id = scene.razorpay.openDispute({ paymentId });
  scene.razorpay.moveDispute(id, 'lost');
  await syncOften(id);
  expect(await disputesOf(order)).toEqual(['lost 2900']);
  expect(await orderBooksOf(scene, order)).toMatchObject({ invoice: 'paid 2900', cashMinor: 0 });
  expect(await subscriptionsOf(order)).toEqual(before);
});

it('one whose payment is not booked yet is told of again, and booked then', async () => {
  const one = await authorised(scene);
  await invoiced(scene, one);
  const paymentId = scene.razorpay.chargeCycle(one.externalId);
  const id = scene.razorpay.openDispute({ paymentId, deduct: true });
  const told = await tell(id);
  await sync(id, told);
  expect(await statusOf(told)).toBe('received');
  await look(scene, one);
  await sync(id, told);
  expect(await statusOf(told)).toBe('processed');
  expect(await booksOf(scene, one)).toMatchObject({ disputedMinor: RUPEES_MINOR });
});

it('one that Razorpay does not know changes nothing and is told of again, for a day', async () => {
  const told = await tell('disp_unknown');
  await sync('disp_unknown', told);
  expect(await statusOf(told)).toBe('received');
  const agedBy = async (minutes: number) => {
    const receivedAt = new Date(Date.now() - minutes * 60_000);
    await withSystem(scene.db, (tx) =>
      tx.update(inboxEvents).set({ receivedAt }).where(eq(inboxEvents.id, told)),
    );
    return retellWaitingEvents(scene.db);
  };
  await withSystem(scene.db, (tx) => tx.update(inboxEvents).set({ status: 'processed' }));
  await withSystem(scene.db, (tx) =>
    tx.update(inboxEvents).set({ status: 'received' }).where(eq(inboxEvents.id, told)),
  );
  expect(await agedBy(23 * 60)).toBe(1);
  expect(await agedBy(25 * 60)).toBe(0);
});

/** A subscription whose first period Razorpay has charged. */
async function charged(): Promise<{ one: Placed; paymentId: string }> {
  const one = await authorised(scene);
  await invoiced(scene, one);
  const paymentId = scene.razorpay.chargeCycle(one.externalId);
  await look(scene, one);
  return { one, paymentId };
}

/** A one-off of a subscription that owes its renewal. */
async function oneOff(): Promise<OpenInvoice> {
  const open = await scene.openInvoice();
  const invoiceId = await withTenant(scene.db, open.tenantId, async (tx) => {
    const { subscriptionId } = await readInvoice(tx, open.invoiceId);
    const lines = [{ description: 'Workshop', quantity: 1, unitMinor: 2900, taxCode: null }];
    const at = new Date(open.input.at);
    const draft = await createDraft(tx, { subscriptionId, lines, daysUntilDue: 14, finalisesAt: null, at });
    return (await finaliseDraft(tx, { draftId: draft.id, actor: 'test', at })).id;
  });
  return { ...open, invoiceId };
}

/** What a lost dispute may end. */
function subscriptionsOf({ tenantId }: Pick<Subscribed, 'tenantId'>) {
  return withTenant(scene.db, tenantId, async (tx) => ({
    subscriptions: (await tx.select().from(subscriptions)).map(({ status, endedAt }) => ({
      status,
      endedAt,
    })),
    invoices: (await tx.select().from(invoices).orderBy(asc(invoices.id))).map(({ status }) => status),
  }));
}

function sync(externalId: string, ...inboxEventIds: string[]): Promise<void> {
  return scene.activities.razorpay.syncRazorpayDispute({ externalId, inboxEventIds, at: trialEndsAt });
}

/** One after the other, and several at the same time. */
async function syncOften(externalId: string): Promise<void> {
  await Promise.all([sync(externalId), sync(externalId), sync(externalId)]);
  await sync(externalId);
}

function disputesOf({ tenantId }: Pick<Subscribed, 'tenantId'>): Promise<string[]> {
  return withTenant(scene.db, tenantId, async (tx) =>
    (await tx.select().from(disputes)).map(({ status, amountMinor }) => `${status} ${amountMinor}`),
  );
}

/** Stores an event about the dispute; returns its id in the inbox. */
async function tell(objectId: string): Promise<string> {
  const externalId = newId('evt');
  const event = { externalId, type: 'payment.dispute.created', objectId, createdAt: trialEndsAt };
  return withSystem(scene.db, async (tx) => {
    await storeOrderEvent(tx, { event, account: 'acc_1' });
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.externalId, externalId));
    return row?.id ?? '';
  });
}

function statusOf(id: string) {
  return withSystem(scene.db, async (tx) => {
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.id, id));
    return row?.status;
  });
}
