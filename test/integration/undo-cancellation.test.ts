/**
 * A cancellation is taken back in the last second of the period (S3), or comes too late by one: whatever the process does at
 * the period's end, it renews once or ends once.
 */
import { asc } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { nextAct } from '../../domain/billing/subscription.ts';
import {
  createScene,
  type DueSubscription,
  invoicesOf,
  PRICE_MINOR,
  type Scene,
} from './collection-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

it.each([1000, 1])(
  'taken back %d ms before the period ends, it renews and is charged once',
  async (early) => {
    const leaving = await cancelledForItsEnd();
    const undone = await undo(leaving, before(leaving.at, early));
    expect(nextAct(undone.snapshot, before(leaving.at, early))).toEqual({
      kind: 'renew',
      at: leaving.at,
      to: null,
    });

    await endOfPeriod(leaving);
    await endOfPeriod(leaving);
    expect(await invoicesOf(scene.db, leaving.tenantId)).toMatchObject([
      { periodIndex: 0, status: 'paid' },
      { periodIndex: 1, status: 'paid' },
    ]);
    expect(await chargesOf(leaving)).toEqual([PRICE_MINOR, PRICE_MINOR]);
    expect(await newsOf(leaving)).toEqual({
      status: 'active',
      isLeaving: false,
      timeline: [
        'cancellation_requested',
        'cancellation_undone',
        'renewed',
        'invoice_issued',
        'payment_received',
      ],
      mails: ['cancellation_confirmed', 'cancellation_undone', 'payment_receipt'],
    });
  },
);

it.each([0, 1])(
  'taken back %d ms after the end, before the process has come to it, it is refused, and the subscription ends once',
  async (late) => {
    const leaving = await cancelledForItsEnd();
    await expect(undo(leaving, before(leaving.at, -late))).rejects.toMatchObject({
      code: 'state_conflict',
      reason: 'period_over',
    });

    await endOfPeriod(leaving);
    await endOfPeriod(leaving);
    expect(await invoicesOf(scene.db, leaving.tenantId)).toMatchObject([{ periodIndex: 0, status: 'paid' }]);
    expect(await chargesOf(leaving)).toEqual([PRICE_MINOR]);
    expect(await newsOf(leaving)).toEqual({
      status: 'cancelled',
      isLeaving: true,
      timeline: ['cancellation_requested', 'cancelled', 'access_changed'],
      mails: ['cancellation_confirmed', 'subscription_ended'],
    });
  },
);

/** Paid for until `at`, and cancelled for then on the day before. */
async function cancelledForItsEnd(): Promise<DueSubscription> {
  const due = await scene.dueSubscription('renew');
  const { tenantId, subscriptionId, at } = due;
  const request = { tenantId, subscriptionId, requestId: 'cancel', at: before(at, DAY_MS), actor: 'test' };
  const { cancelSubscription } = scene.activities.billing;
  const { snapshot } = await cancelSubscription({ ...request, mode: 'at_period_end', reason: 'not_given' });
  expect(nextAct(snapshot, before(at, 1))).toEqual({ kind: 'end', at });
  return due;
}

const DAY_MS = 86_400_000;

const before = (instant: string, ms: number) => new Date(Date.parse(instant) - ms).toISOString();

function undo({ tenantId, subscriptionId }: DueSubscription, at: string) {
  const request = { tenantId, subscriptionId, requestId: 'undo', at, actor: 'test' };
  return scene.activities.billing.undoCancelSubscription(request);
}

/** What a process may ask for then, also one that has not heard of what was undone: to end it, and to renew it. */
async function endOfPeriod({ tenantId, subscriptionId, at }: DueSubscription): Promise<void> {
  const { billing, stripe } = scene.activities;
  const here = { tenantId, subscriptionId, at };
  await billing.endSubscription(here);
  const { invoiceId } = await billing.renew(here);
  if (invoiceId === null) return;
  const charge = { tenantId, invoiceId, origin: 'renewal', originKey: 'renewal', at } as const;
  expect((await stripe.collectInvoice(charge)).outcome).toBe('paid');
}

/** What the vendor took, the oldest first. */
async function chargesOf({ tenantId }: DueSubscription) {
  const ids = new Set((await invoicesOf(scene.db, tenantId)).map(({ id }) => id));
  return scene.sandbox
    .charges()
    .filter(({ businessRef }) => ids.has(businessRef ?? ''))
    .map(({ amountMinor }) => amountMinor);
}

/** The subscription, and what was told of it since the cancellation. */
function newsOf({ tenantId }: DueSubscription) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [row] = await tx.select().from(subscriptions);
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    const kinds = timeline.map(({ kind }) => kind);
    const templates = mails.map(({ template }) => template);
    return {
      status: row?.status,
      isLeaving: row?.cancelAtPeriodEnd,
      timeline: kinds.slice(kinds.indexOf('cancellation_requested')),
      mails: templates.slice(templates.indexOf('cancellation_confirmed')),
    };
  });
}
