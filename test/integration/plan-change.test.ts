/**
 * A worker is killed at every moment of an upgrade, and its activities run again, as Temporal makes them: one invoice,
 * one charge, and the new terms exactly when it is paid.
 */
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, invoiceLines, invoices, subscriptions } from '../../db/schema/billing.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { nextAct } from '../../domain/billing/subscription.ts';
import { planChangeKey } from '../../domain/payments/payment.ts';
import { createScene, type DueSubscription, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
let scene: Scene;

beforeAll(async () => {
  scene = await createScene();
});

afterAll(() => scene?.close());

/** Half of February: a period of 28 days that began on the last day of January. */
const HALFWAY = '2026-02-14T10:00:00.000Z';

describe('a worker that is killed while a subscription is upgraded', () => {
  it('issues one invoice, charges it once, and puts the new terms in place with the payment', async () => {
    let moments = 0;
    for (let dieAt = 1; ; dieAt += 1) {
      const paying = await scene.dueSubscription('renew');
      const asked = request(paying);
      const died = await diesAt(dieAt, async (mortals) => {
        const dying = createActivities({ ...mortals, log, drainOutbox: async () => 0 });
        const { invoiceId } = await dying.billing.changePlan(asked);
        await collectInvoice(mortals, charge(paying, invoiceId ?? ''));
      });
      const { status, quantity, changes } = await stateOf(paying);
      expect(quantity === 2, `died at ${dieAt}: paid and changed go together`).toBe(
        changes.some((change) => change.status === 'paid'),
      );
      expect(status).toBe('active');

      const { snapshot, invoiceId } = await scene.activities.billing.changePlan(asked);
      if (quantity === 1) {
        expect(nextAct(snapshot, asked.at)).toMatchObject({
          kind: 'collect',
          charge: { invoiceId, originKey: planChangeKey(asked.requestId) },
        });
      }
      expect((await collectInvoice(scene, charge(paying, invoiceId ?? ''))).outcome).toBe('paid');
      await expectUpgradedOnce(paying);
      if (!died) break;
      moments = dieAt;
    }
    expect(moments, 'an upgrade has several moments to die at').toBeGreaterThan(6);
  });

  it('voids an unpaid upgrade once, and leaves the old terms', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const paying = await withCard('insufficient_funds');
      const { invoiceId } = await scene.activities.billing.changePlan(request(paying));
      const { outcome } = await collectInvoice(scene, charge(paying, invoiceId ?? ''));
      expect(outcome).toBe('declined');
      const late = { ...at(paying), at: '2026-02-15T09:00:00.000Z' };
      const died = await diesAt(dieAt, async (mortals) => {
        await createActivities({ ...mortals, log, drainOutbox: async () => 0 }).billing.lapseChange(late);
      });
      const { snapshot } = await scene.activities.billing.lapseChange(late);
      expect(snapshot.pendingChange).toBeUndefined();
      expect(await stateOf(paying)).toMatchObject({
        quantity: 1,
        status: 'active',
        changes: [{ status: 'void' }],
        ledgerMinor: 0,
      });
      if (!died) return;
    }
  });
});

describe('an upgrade', () => {
  it('that lapsed is not charged any more, and money that still comes for it is credit', async () => {
    const paying = await withCard('insufficient_funds', 'succeeded');
    const { billing } = scene.activities;
    const { invoiceId } = await billing.changePlan(request(paying));
    const asked = charge(paying, invoiceId ?? '');
    await collectInvoice(scene, asked);
    await billing.lapseChange({ ...at(paying), at: '2026-02-15T09:00:00.000Z' });
    const byNewCard = { ...asked, origin: 'new_payment_method', originKey: 'method:1' } as const;
    expect((await collectInvoice(scene, byNewCard)).outcome).toBe('nothing_due');
    expect(await stateOf(paying)).toMatchObject({ quantity: 1, creditMinor: 0 });

    const wire = await withTenant(scene.db, paying.tenantId, (tx) =>
      settlePayment(tx, {
        tenantId: paying.tenantId,
        invoiceId: asked.invoiceId,
        rail: 'manual',
        externalId: 'wire 1',
        amount: { amountMinor: PRICE_MINOR / 2, currency: 'USD' },
        at: new Date('2026-02-16T10:00:00.000Z'),
      }),
    );
    expect(wire.outcome).toBe('credited');
    expect(await stateOf(paying)).toMatchObject({
      quantity: 1,
      creditMinor: PRICE_MINOR / 2,
      ledgerMinor: 0,
    });
  });

  it('of less than a card can be charged counts at once, and the renewal bills it', async () => {
    const paying = await scene.dueSubscription('renew');
    const { billing } = scene.activities;
    // One hour of 672 is 4.32 of the one seat and 8.63 of the two.
    const asked = { ...request(paying), at: '2026-02-28T09:00:00.000Z' };
    expect(await billing.changePlan(asked)).toMatchObject({ invoiceId: null });
    expect(await stateOf(paying)).toMatchObject({ quantity: 2, changes: [] });
    const { invoiceId } = await billing.renew(paying);
    const [renewal] = await withTenant(scene.db, paying.tenantId, (tx) =>
      tx
        .select()
        .from(invoices)
        .where(eq(invoices.id, invoiceId ?? '')),
    );
    expect(renewal?.totalMinor).toBe(2 * PRICE_MINOR - 4 + 9);
  });

  it('asked for twice under two keys while the first one is at the bank is refused', async () => {
    const paying = await withCard('processing');
    const { billing } = scene.activities;
    const { invoiceId } = await billing.changePlan(request(paying));
    expect((await collectInvoice(scene, charge(paying, invoiceId ?? ''))).outcome).toBe('processing');
    await expect(
      billing.changePlan({ ...request(paying), requestId: 'another', quantity: 3 }),
    ).rejects.toMatchObject({
      code: 'state_conflict',
      reason: 'change_under_way',
    });
  });

  it('is refused for a subscription of another tenant', async () => {
    const [mine, theirs] = [await scene.dueSubscription('renew'), await scene.dueSubscription('renew')];
    const foreign = { ...request(mine), subscriptionId: theirs.subscriptionId };
    await expect(scene.activities.billing.changePlan(foreign)).rejects.toMatchObject({ code: 'not_found' });
  });
});

/** A paying subscription whose card answers the charges to come as the script says. */
async function withCard(...outcomes: string[]): Promise<DueSubscription> {
  const paying = await scene.dueSubscription('renew');
  scene.sandbox.setCardOutcomes(paying.card, outcomes);
  return paying;
}

function at({ tenantId, subscriptionId }: DueSubscription) {
  return { tenantId, subscriptionId, at: HALFWAY };
}

/** A second seat for the other half of the period. */
function request(paying: DueSubscription) {
  return {
    ...at(paying),
    actor: 'test',
    requestId: 'second seat',
    quantity: 2,
    proration: 'invoice_now',
  } as const;
}

function charge({ tenantId }: DueSubscription, invoiceId: string) {
  const originKey = planChangeKey('second seat');
  return { tenantId, invoiceId, origin: 'plan_change', originKey, at: HALFWAY } as const;
}

/** Whether the work was cut off at its n-th step that touches the world. */
async function diesAt(
  n: number,
  work: (mortals: ReturnType<typeof mortal>) => Promise<void>,
): Promise<boolean> {
  try {
    await work(mortal(scene, n));
    return false;
  } catch (error) {
    if (error instanceof Death) return true;
    throw error;
  }
}

function stateOf({ tenantId, subscriptionId }: DueSubscription) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [row] = (await tx.select().from(subscriptions)).filter(({ id }) => id === subscriptionId);
    const issued = await tx.select().from(invoices).orderBy(invoices.id);
    const entries = await tx.select().from(ledgerEntries);
    const [customer] = await tx.select().from(customers);
    return {
      status: row?.status,
      quantity: row?.quantity,
      changes: issued.filter(({ kind }) => kind === 'change'),
      lines: await tx.select().from(invoiceLines).orderBy(invoiceLines.id),
      cashMinor: sum(entries.filter(({ account }) => account === 'cash:stripe')),
      revenueMinor: -sum(entries.filter(({ account }) => account === 'revenue')),
      ledgerMinor: sum(entries),
      creditMinor: customer?.creditMinor,
    };
  });
}

/** One change invoice, one charge for it at the vendor, and the books hold both of the customer's payments. */
async function expectUpgradedOnce(paying: DueSubscription): Promise<void> {
  const { quantity, changes, cashMinor, revenueMinor, ledgerMinor } = await stateOf(paying);
  expect({ quantity, ledgerMinor }).toEqual({ quantity: 2, ledgerMinor: 0 });
  const [change] = changes;
  expect(changes).toHaveLength(1);
  expect(change).toMatchObject({ status: 'paid', totalMinor: PRICE_MINOR / 2, paidMinor: PRICE_MINOR / 2 });
  const charged = scene.sandbox.charges().filter(({ businessRef }) => businessRef === change?.id);
  expect(charged.map(({ amountMinor }) => amountMinor)).toEqual([PRICE_MINOR / 2]);
  expect({ cashMinor, revenueMinor }).toEqual({
    cashMinor: PRICE_MINOR * 1.5,
    revenueMinor: PRICE_MINOR * 1.5,
  });
}

function sum(entries: readonly { amountMinor: number }[]): number {
  return entries.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
