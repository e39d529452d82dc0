/**
 * Several workers issue the invoice of one period, at the same moment or with clocks that differ: it is issued once, one
 * charge is planned for it, and the customer is charged once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ActInput } from '../../activities/billing/act.ts';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import {
  createScene,
  type DueSubscription,
  type IssuingAct,
  invoicesOf,
  PRICE_MINOR,
  type Scene,
} from './collection-scene.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

const kinds: readonly IssuingAct[] = ['endTrial', 'issueFirstInvoice', 'renew'];

describe.each(kinds)('%s', (kind) => {
  const issue = (input: ActInput) => scene.activities.billing[kind](input);

  it('by five workers at once issues one invoice and plans one charge', async () => {
    const due = await scene.dueSubscription(kind);
    await expectIssuedOnce(kind, due, await Promise.all(Array.from({ length: 5 }, () => issue(due))));
  });

  it.each([
    ['on time, then a millisecond late', [0, 1]],
    ['a millisecond late, then on time', [1, 0]],
  ])('%s issues one invoice and plans one charge', async (_, offsets) => {
    const due = await scene.dueSubscription(kind);
    const results = [];
    for (const ms of offsets) results.push(await issue(later(due, ms)));
    await expectIssuedOnce(kind, due, results);
  });

  it('on time and a millisecond late at once issues one invoice and plans one charge', async () => {
    const due = await scene.dueSubscription(kind);
    await expectIssuedOnce(kind, due, await Promise.all([0, 1, 0, 1].map((ms) => issue(later(due, ms)))));
  });

  it('again after it was paid issues nothing more', async () => {
    const due = await scene.dueSubscription(kind);
    await expectIssuedOnce(kind, due, [await issue(due)]);
    const before = await invoicesOf(scene.db, due.tenantId);
    for (const ms of [0, 1, 60_000]) expect(await issue(later(due, ms))).toMatchObject({ invoiceId: null });
    expect(await invoicesOf(scene.db, due.tenantId)).toEqual(before);
  });
});

it.each(['endTrial', 'renew'] as const)('%s a millisecond early issues nothing', async (kind) => {
  const due = await scene.dueSubscription(kind);
  const before = await invoicesOf(scene.db, due.tenantId);
  expect(await scene.activities.billing[kind](later(due, -1))).toMatchObject({ invoiceId: null });
  expect(await invoicesOf(scene.db, due.tenantId)).toEqual(before);
});

function later(due: DueSubscription, ms: number): DueSubscription {
  return { ...due, at: new Date(Date.parse(due.at) + ms).toISOString() };
}

/** One of the runs has issued it; then it is collected, by two workers at once. */
async function expectIssuedOnce(
  kind: IssuingAct,
  { tenantId, at }: DueSubscription,
  results: readonly { invoiceId: string | null }[],
): Promise<void> {
  const [invoiceId = '', ...others] = results.flatMap((each) => each.invoiceId ?? []);
  expect(invoiceId).toMatch(/^inv_/);
  expect(others).toEqual([]);
  const periods = kind === 'renew' ? [0, 1] : [0];
  expect((await invoicesOf(scene.db, tenantId)).map(({ periodIndex }) => periodIndex)).toEqual(periods);
  const origin = kind === 'renew' ? 'renewal' : 'first_invoice';
  expect(await rowsOf(tenantId)).toMatchObject({
    planned: [{ invoiceId, origin }],
    renewed: kind === 'renew' ? 1 : 0,
  });

  const charge = { tenantId, invoiceId, origin, originKey: origin, at } as const;
  await Promise.allSettled([collectInvoice(scene, charge), collectInvoice(scene, charge)]);
  expect((await collectInvoice(scene, charge)).outcome).toBe('paid');
  const charged = scene.sandbox.charges().filter(({ businessRef }) => businessRef === invoiceId);
  expect(charged.map(({ amountMinor }) => amountMinor)).toEqual([PRICE_MINOR]);
  const after = await invoicesOf(scene.db, tenantId);
  expect(after.map(({ periodIndex, status }) => [periodIndex, status])).toEqual(
    periods.map((index) => [index, 'paid']),
  );
}

/** What is planned to be charged, and how often the timeline tells of a renewal. */
function rowsOf(tenantId: string) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [subscription] = await tx.select().from(subscriptions);
    const timeline = await tx.select().from(subscriptionEvents);
    return {
      planned: subscription?.plannedCharges,
      renewed: timeline.filter((entry) => entry.kind === 'renewed').length,
    };
  });
}
