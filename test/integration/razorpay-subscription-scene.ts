/** What the tests of Razorpay subscriptions share: one of ours in rupees, and what books and vendor say of it. */
import { asc, eq } from 'drizzle-orm';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { createCustomer } from '../../db/queries/billing/customers.ts';
import {
  latestRazorpaySubscription,
  requestRazorpaySubscription,
} from '../../db/queries/payments/razorpay-subscriptions.ts';
import { customers, dunningPolicies, invoices, plans, subscriptions } from '../../db/schema/billing.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { BillingInterval } from '../../domain/calendar.ts';
import type { Scene } from './collection-scene.ts';

export const RUPEES_MINOR = 249_900;
/** When everybody subscribes; the trial ends fourteen days later. */
export const startedAt = '2026-02-01T10:00:00.000Z';
export const trialEndsAt = '2026-02-15T10:00:00.000Z';

export type Subscribed = { tenantId: string; customerId: string; subscriptionId: string };

/** One that Razorpay has made; `externalId` is its id there. */
export type Placed = Subscribed & { razorpaySubscriptionId: string; externalId: string };

export function subscribed(
  { db }: Scene,
  {
    start = 'trial',
    interval = { unit: 'month', count: 1 },
    currency = 'INR',
  }: { start?: 'trial' | 'payment'; interval?: BillingInterval; currency?: string } = {},
): Promise<Subscribed> {
  const tenantId = newId('ten');
  return withTenant(db, tenantId, async (tx) => {
    const plan = await rupeePlan(tx, tenantId, { interval, currency });
    const person = { email: 'ada@example.com', name: 'Ada', externalRef: null, personKey: 'ada' };
    const customer = await createCustomer(tx, { tenantId, currency, ...person });
    if (customer === null) throw new Error('The scene could not be set');
    const { context } = await createSubscription(tx, {
      customerId: customer.id,
      plan,
      start,
      at: new Date(startedAt),
    });
    return { tenantId, customerId: customer.id, subscriptionId: context.subscription.id };
  });
}

async function rupeePlan(
  tx: Tx,
  tenantId: string,
  terms: { interval: BillingInterval; currency: string },
): Promise<typeof plans.$inferSelect> {
  await tx.insert(tenants).values({ id: tenantId, name: 'Acme', portalUrl: 'https://portal.example.com' });
  for (const policy of defaultDunningPolicies) {
    await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
  }
  const name = { code: 'pro', name: 'Pro', family: 'pro', rank: 1 };
  const [plan] = await tx
    .insert(plans)
    .values({
      id: newId('plan'),
      tenantId,
      ...name,
      ...terms,
      priceMinor: RUPEES_MINOR,
      policy: defaultSubscriptionPolicy,
    })
    .returning();
  if (plan === undefined) throw new Error('The scene could not be set');
  return plan;
}

/** The row, as the API makes it; returns its id. */
export function ask(scene: Scene, { tenantId, subscriptionId }: Subscribed, at = startedAt): Promise<string> {
  return withTenant(scene.db, tenantId, async (tx) => {
    return (await requestRazorpaySubscription(tx, { subscriptionId, actor: 'test', at: new Date(at) })).id;
  });
}

export function place(scene: Scene, { tenantId }: Subscribed, razorpaySubscriptionId: string) {
  const at = startedAt;
  return scene.activities.razorpay.placeRazorpaySubscription({ tenantId, razorpaySubscriptionId, at });
}

/** The vendor's clock shows the scene's time. */
export async function placed(scene: Scene, options: Parameters<typeof subscribed>[1] = {}): Promise<Placed> {
  scene.razorpay.clock.set(new Date(startedAt));
  const subscription = await subscribed(scene, options);
  const razorpaySubscriptionId = await ask(scene, subscription);
  await place(scene, subscription, razorpaySubscriptionId);
  const row = await rowOf(scene, subscription);
  if (row?.externalId == null) throw new Error('Razorpay made no subscription');
  return { ...subscription, razorpaySubscriptionId, externalId: row.externalId };
}

/** One that the customer has authorised in the trial. */
export async function authorised(scene: Scene): Promise<Placed> {
  const one = await placed(scene);
  scene.razorpay.authorize(one.externalId);
  await look(scene, one);
  return one;
}

/** The trial has ended, its invoice is left to Razorpay; returns the invoice's id. */
export async function invoiced(scene: Scene, { tenantId, subscriptionId }: Subscribed): Promise<string> {
  scene.razorpay.clock.set(new Date(trialEndsAt));
  const at = trialEndsAt;
  const { invoiceId } = await scene.activities.billing.endTrial({ tenantId, subscriptionId, at });
  if (invoiceId === null) throw new Error('The end of the trial issued no invoice');
  const charge = { invoiceId, origin: 'first_invoice', originKey: 'first_invoice' } as const;
  await scene.activities.stripe.collectInvoice({ tenantId, askedBy: subscriptionId, ...charge, at });
  return invoiceId;
}

export function look(scene: Scene, { externalId }: Placed, at = trialEndsAt): Promise<void> {
  return scene.activities.razorpay.syncRazorpaySubscription({ externalId, inboxEventIds: [], at });
}

/** One after the other, and several at the same time. */
export async function lookOften(scene: Scene, one: Placed): Promise<void> {
  await Promise.all([look(scene, one), look(scene, one), look(scene, one)]);
  await look(scene, one);
}

export function rowOf(scene: Scene, { tenantId, subscriptionId }: Subscribed) {
  return withTenant(scene.db, tenantId, (tx) => latestRazorpaySubscription(tx, subscriptionId));
}

/** How often the vendor did it for this subscription of ours, in its own log. */
export function timesAtVendor(scene: Scene, op: string, { subscriptionId }: Subscribed): number {
  return scene.razorpay
    .effects()
    .filter(
      (effect) => effect.op === op && effect.outcome === 'effect' && effect.businessRef === subscriptionId,
    ).length;
}

/** Everything our books say. */
export function booksOf({ db }: Scene, { tenantId, subscriptionId, customerId }: Subscribed) {
  return withTenant(db, tenantId, async (tx) => {
    const issued = await tx
      .select()
      .from(invoices)
      .where(eq(invoices.subscriptionId, subscriptionId))
      .orderBy(asc(invoices.id));
    const received = await tx.select().from(payments).orderBy(asc(payments.id));
    const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId));
    const [subscription] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    const accounts: Record<string, number> = {};
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      accounts[account] = (accounts[account] ?? 0) + amountMinor;
    }
    return {
      status: subscription?.status,
      collects: subscription?.collectedByRazorpay,
      invoices: issued.map(({ status, paidMinor }) => `${status} ${paidMinor}`),
      payments: received.map(({ rail, amountMinor }) => `${rail} ${amountMinor}`),
      creditMinor: customer?.creditMinor,
      cashMinor: accounts['cash:razorpay'] ?? 0,
      disputedMinor: accounts['disputed'] ?? 0,
    };
  });
}
