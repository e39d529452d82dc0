/** What is there before a server goes away, what callers and the vendor do meanwhile, and what must be there after. */
import { expect } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { dunningCases, dunningSteps, invoices, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { payments, refunds } from '../../db/schema/payments.ts';
import { seededRandom } from '../../integrations/sandbox/random.ts';
import type { WebhookDelivery } from '../../integrations/sandbox/webhooks.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { createApiClient } from './api-client.ts';
import { type Driven, giveCard, inLanes, startSubscription } from './driver.ts';
import { eventually } from './eventually.ts';
import { findWrongs, leftovers } from './evidence.ts';
import type { FaultStack } from './fault-stack.ts';
import { createFastTenant } from './tenant.ts';
import { workflowWrongs } from './workflows.ts';

/** Of everything: customers who paid, customers who did not, new ones during the outage. */
export const EACH = 10;

export type OutageScene = Driven & {
  /** New customers start a subscription; returns the subscriptions' ids. */
  startSubscriptions(): Promise<string[]>;
  /** New customers with a card, whose trials end while the server is away. */
  startTrials(): Promise<string[]>;
  /** Whether everything is due that comes due: the trials are over, and so are two steps of each ladder. */
  isEverythingDue(): Promise<boolean>;
  /** The subscriptions' statuses now, by their ids. */
  states(): Promise<ReadonlyMap<string, string>>;
  /** Waits until what was due is done, and compares all of it. */
  expectDueDoneOnce(trials: readonly string[]): Promise<void>;
  /** Somebody pays by wire what the card did not. */
  recordPayments(): Promise<void>;
  /** Given back in the vendor's dashboard: we hear of it by webhooks only. */
  refundPayments(): Promise<void>;
  /** Only a running process can be asked: the API says "later" until there is one. */
  cancelSubscriptions(): Promise<void>;
  /** What became of the vendor's attempts to tell us of the refunds. */
  refundWebhooks(): Promise<WebhookDelivery[]>;
  /** Waits until nothing is owed any more, and compares all of it. */
  expectEverythingOnce(created: readonly string[]): Promise<void>;
};

/** A tenant of its own, with payments to give back and invoices to pay; nothing renews meanwhile. */
export async function createOutageScene(
  faults: FaultStack,
  { trialDays = 6 }: { trialDays?: number } = {},
): Promise<OutageScene> {
  const { db, apiUrls, control, look } = faults;
  const year = { unit: 'year', count: 1 } as const;
  const tenant = await createFastTenant(db, { name: 'Outage', policy: { trialDays }, interval: year });
  const client = createApiClient({ urls: apiUrls, apiKey: tenant.apiKey, random: seededRandom(1) });
  const driven = { tenant, client };
  const before = await prepareCustomers(faults, driven);

  return {
    ...driven,
    startSubscriptions: async () => {
      const ids: string[] = [];
      await inLanes(EACH, async (index) => void ids.push(await startSubscription(driven, 'away', index)));
      return ids;
    },
    startTrials: async () => {
      const ids: string[] = [];
      await inLanes(EACH, async (index) => {
        const id = await startSubscription(driven, 'trial', index);
        await giveCard({ client, control }, id, ['succeeded']);
        ids.push(id);
      });
      return ids;
    },
    isEverythingDue: () => isEverythingDue(db, tenant.tenantId),
    states: () => statesOf(db, tenant.tenantId),
    expectDueDoneOnce: (trials) => expectDueDoneOnce(faults, { ...driven, before, trials }),
    recordPayments: () =>
      forEach(before.open, async ({ id, totalMinor, currency }) => {
        const body = {
          amountMinor: totalMinor,
          currency,
          method: 'wire',
          reason: 'on the statement',
          reference: `wire-${id}`,
        };
        const path = `/v1/invoices/${id}/payments`;
        await client.write({ method: 'POST', path, key: `wire-${id}`, body });
      }),
    refundPayments: () =>
      forEach(before.charged, async (paymentIntent) => {
        await control('stripe', 'refunds', { paymentIntent });
      }),
    cancelSubscriptions: () =>
      forEach(before.paid.slice(0, CANCELLED), async (id) => {
        const path = `/v1/subscriptions/${id}/cancel`;
        await client.write({ method: 'POST', path, key: `cancel-${id}`, body: { mode: 'at_period_end' } });
      }),
    refundWebhooks: async () => {
      const { deliveries } = await look<{ deliveries: WebhookDelivery[] }>('stripe', 'webhooks');
      const ours = new Set(before.charged);
      return deliveries.filter(({ type, objectId }) => type === 'charge.refunded' && ours.has(objectId));
    },
    expectEverythingOnce: (created) => expectEverythingOnce(faults, { ...driven, before, created }),
  };
}

const CANCELLED = 3;
const WAIT_MS = 120_000;

type Before = {
  /** Subscriptions whose first invoice was paid by card. */
  paid: string[];
  /** Subscriptions whose first charge was refused: a dunning case is open. */
  unpaid: string[];
  open: { id: string; totalMinor: number; currency: string }[];
  /** The vendor's ids of the payments. */
  charged: string[];
};

async function prepareCustomers({ db, control }: FaultStack, driven: Driven): Promise<Before> {
  const { client, tenant } = driven;
  const paid: string[] = [];
  const unpaid: string[] = [];
  await inLanes(2 * EACH, async (index) => {
    const id = await startSubscription(driven, 'before', index);
    const isRefused = index >= EACH;
    await giveCard({ client, control }, id, [isRefused ? 'generic_decline' : 'succeeded']);
    (isRefused ? unpaid : paid).push(id);
  });
  const tried = await eventually(async () => {
    const states = await statesOf(db, tenant.tenantId);
    return [...states.values()].every((status) => status === 'active' || status === 'past_due');
  }, WAIT_MS);
  if (!tried) throw new Error('Not every trial ended with a charge');
  return withTenant(db, tenant.tenantId, async (tx) => ({
    paid,
    unpaid,
    open: (await tx.select().from(invoices)).filter(({ status }) => status === 'open'),
    charged: (await tx.select().from(payments)).map(({ externalId }) => externalId),
  }));
}

async function expectEverythingOnce(
  { db, stack, temporal }: FaultStack,
  { tenant, client, before, created }: Driven & { before: Before; created: readonly string[] },
): Promise<void> {
  const { tenantId } = tenant;
  let missing: string[] = [];
  await eventually(async () => {
    missing = [...(await leftovers(db, tenantId)), ...(await notYetThere(db, tenantId))];
    return missing.length === 0;
  }, WAIT_MS);
  expect(missing).toEqual([]);

  const states = await statesOf(db, tenantId);
  expect(
    before.unpaid.map((id) => states.get(id)),
    'who paid by wire is active again',
  ).toEqual(before.unpaid.map(() => 'active'));
  expect(await findWrongs({ home: stack.home, db, tenantId, client })).toEqual([]);
  const mustExist = [...states.keys()].map(subscriptionWorkflowId);
  expect(
    created.every((id) => states.has(id)),
    'everything created is there',
  ).toBe(true);
  expect(await workflowWrongs(temporal, { mustExist })).toEqual([]);
}

/** The second step of the tenant's ladder is due nine seconds after the failure. */
const SECOND_STEP_MS = 9_000;

function isEverythingDue(db: FaultStack['db'], tenantId: string): Promise<boolean> {
  return withTenant(db, tenantId, async (tx) => {
    const trials = (await tx.select().from(subscriptions)).filter(({ status }) => status === 'trialing');
    const cases = await tx.select().from(dunningCases);
    const due = [
      ...trials.map(({ trialEndsAt }) => trialEndsAt?.getTime() ?? Number.POSITIVE_INFINITY),
      ...cases.map(({ firstFailedAt }) => firstFailedAt.getTime() + SECOND_STEP_MS),
    ];
    return due.every((at) => at < Date.now());
  });
}

async function expectDueDoneOnce(
  { db, stack, temporal }: FaultStack,
  { tenant, client, before, trials }: Driven & { before: Before; trials: readonly string[] },
): Promise<void> {
  const { tenantId } = tenant;
  let missing: string[] = [];
  await eventually(async () => {
    const states = await statesOf(db, tenantId);
    const steps = await withTenant(db, tenantId, (tx) => tx.select().from(dunningCases));
    missing = [
      ...trials.filter((id) => states.get(id) !== 'active').map((id) => `${id} is ${states.get(id)}`),
      ...steps
        .filter(({ nextStepIndex }) => nextStepIndex < 2)
        .map(({ id, nextStepIndex }) => `${id} waits for step ${nextStepIndex + 1}`),
      ...(await leftovers(db, tenantId)),
    ];
    return missing.length === 0;
  }, WAIT_MS);
  expect(missing).toEqual([]);

  const rows = await withTenant(db, tenantId, async (tx) => ({
    cases: await tx.select().from(dunningCases),
    steps: await tx.select().from(dunningSteps),
    mails: await tx.select().from(notifications),
  }));
  expect(
    rows.cases.map(({ nextStepIndex, closedAt }) => [nextStepIndex, closedAt]),
    'two steps each, and the third on its own day',
  ).toEqual(before.unpaid.map(() => [2, null]));
  const count = (wanted: string) => rows.mails.filter(({ template }) => template === wanted).length;
  // Who had not had the first step yet got the second one instead: two reminders at once would be one too many.
  const performed = (index: number) =>
    rows.steps.filter(({ stepIndex, outcome }) => stepIndex === index && outcome === 'performed').length;
  expect(rows.steps).toHaveLength(2 * EACH);
  expect(
    ['payment_failed_1', 'payment_failed_2', 'payment_failed_final'].map(count),
    'each step mails once',
  ).toEqual([performed(0), EACH, 0]);
  expect(performed(1)).toBe(EACH);
  const wrongs = await findWrongs({ home: stack.home, db, tenantId, client });
  const unpaid = before.open.map(({ id }) => `invoice_not_paid: ${id} is open`);
  expect(
    wrongs.map(({ kind, sentence }) => `${kind}: ${sentence}`).sort(),
    'nothing but what those owe who have not paid',
  ).toEqual(unpaid.sort());
  const mustExist = trials.map(subscriptionWorkflowId);
  expect(await workflowWrongs(temporal, { mustExist })).toEqual([]);
}

function notYetThere(db: FaultStack['db'], tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const booked = (await tx.select().from(refunds)).length;
    const unsent = (await tx.select().from(notifications)).filter(
      (mail) => mail.status !== 'sent' && !isOvertaken(mail),
    );
    return [
      ...unsent.map(({ dedupeKey, status }) => `the mail ${dedupeKey} is ${status}`),
      ...(booked === EACH ? [] : [`${booked} refunds are booked`]),
    ];
  });
}

/**
 * A reminder that was still to be sent when the server went away is not sent any more where what it speaks of has come
 * about meanwhile: the wire was quicker, or the trial has ended.
 */
function isOvertaken({ status, error, template }: typeof notifications.$inferSelect): boolean {
  if (status !== 'skipped' || error === null) return false;
  const isTrialOver = template === 'trial_ending' && error.startsWith('the subscription is ');
  return error === 'the invoice is paid' || isTrialOver;
}

async function statesOf(db: FaultStack['db'], tenantId: string): Promise<Map<string, string>> {
  const rows = await withTenant(db, tenantId, (tx) => tx.select().from(subscriptions));
  return new Map(rows.map(({ id, status }) => [id, status]));
}

function forEach<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  return inLanes(items.length, async (index) => act(items[index] as T));
}
