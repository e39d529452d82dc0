/**
 * One storm: subscriptions are created through the API, convert and renew, and are cancelled, while processes are
 * killed, the card vendor drops answers after it has charged, and its webhooks come late, twice, in the wrong order,
 * forged or never. Then the faults end, and everything has to come to rest by itself.
 */
import { eq, inArray } from 'drizzle-orm';
import { type Database, withTenant } from '../../db/client.ts';
import { readScheduleRuns } from '../../db/queries/operations/schedule-runs.ts';
import { invoices, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { chargeAttempts } from '../../db/schema/payments.ts';
import type { FaultPlanInput } from '../../integrations/sandbox/faults.ts';
import { seededRandom } from '../../integrations/sandbox/random.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type Driven, giveCard, inLanes, startSubscription } from './driver.ts';
import { eventually } from './eventually.ts';
import { leftovers } from './evidence.ts';
import type { FaultStack } from './fault-stack.ts';
import { carryOutKills, describePlan, type Killed, type KillPlan, type Victim } from './kills.ts';
import type { FastTenant } from './tenant.ts';

export type StormReport = { client: ApiClient; subscriptionIds: string[]; killed: readonly Killed[] };

/** `until` ends the storm early; otherwise it ends when every subscription has renewed and is cancelled. */
export async function storm(
  { stack, setFaults, control, db, apiUrls }: FaultStack,
  {
    tenant,
    seed,
    count,
    kills,
    victims,
    until,
  }: {
    tenant: FastTenant;
    seed: number;
    count: number;
    kills: KillPlan;
    victims: readonly Victim[];
    until?: () => boolean;
  },
): Promise<StormReport> {
  console.log(describePlan(seed, kills));
  const client = createApiClient({ urls: apiUrls, apiKey: tenant.apiKey, random: seededRandom(seed) });
  await setFaults('stripe', { ...cardVendorFaults, seed });
  await setFaults('resend', { ...mailVendorFaults, seed });
  const calm = new AbortController();
  const killing = carryOutKills(kills, victims, calm.signal);
  const subscriptionIds: string[] = [];
  try {
    // Wherever the clock stands, the hourly look falls into the storm.
    await askForMissedWebhooks(client, `storm-${tenant.tenantId}`);
    await inLanes(count, async (index) => {
      if (until?.() === true) return;
      const subscriptionId = await startSubscription({ client, tenant }, 'storm', index);
      await giveCard({ client, control }, subscriptionId, cardOf(index));
      subscriptionIds.push(subscriptionId);
    });
    if (until === undefined) await cancelOnceRenewed({ client, db, tenant, subscriptionIds });
    else await eventually(async () => until(), PHASE_MS);
  } finally {
    calm.abort();
    await Promise.all([setFaults('stripe', {}), setFaults('resend', {})]);
  }
  const killed = await killing;
  console.log(
    `killed ${killed.map(({ name }) => name).join(', ')}; answers ${JSON.stringify(client.statuses())}`,
  );
  if (stack.process('postgres').isRunning()) return { client, subscriptionIds, killed };
  throw new Error('PostgreSQL ended, and nobody killed it');
}

/** Waits until nothing is owed any more and every subscription has been lived to its end. */
export async function drain({ db, control }: FaultStack, { tenant, client }: Driven): Promise<void> {
  await control('stripe', 'webhooks/flush');
  await untilAtRest(db, tenant);

  // What the vendor never told is found by its hourly look, which is asked for here; one of the storm may still go on.
  const askedAt = Date.now();
  await askForMissedWebhooks(client, `drain-${tenant.tenantId}`);
  const looked = await eventually(async () => (await lastLook(db)) >= askedAt, DRAIN_MS);
  if (!looked) throw new Error('The reconciler did not look');
  await untilAtRest(db, tenant);
}

const MISSED_WEBHOOKS = 'missed-webhooks';

/** Has the hourly look at the vendor started now, or once more after the one that is going on. */
async function askForMissedWebhooks(client: ApiClient, key: string): Promise<void> {
  const path = `/v1/schedules/${MISSED_WEBHOOKS}/trigger`;
  const { status } = await client.write({ method: 'POST', path, key: `look-${key}` });
  if (status !== 202) throw new Error(`${path}: ${status}`);
}

const PHASE_MS = 240_000;
/** Far more than it takes: what counts is that it comes to rest, not when. */
const DRAIN_MS = 180_000;

/** 5 % of the answers to charges are dropped after the charge; more is made up by other faults before and after it. */
const cardVendorFaults: FaultPlanInput = {
  rates: {
    drop_answer: 0.05,
    error_after: 0.02,
    error_before: 0.03,
    rate_limit: 0.02,
    malformed: 0.01,
    delay: 0.02,
  },
  delayMs: 2_000,
  webhooks: { duplicate: 0.3, copies: 3, reorder: 0.3, delay: 0.4, delayMs: 4_000, drop: 0.15, forge: 0.05 },
};

const mailVendorFaults: FaultPlanInput = {
  rates: { drop_answer: 0.05, error_after: 0.02, error_before: 0.03, rate_limit: 0.02 },
};

/** Every fifth card is refused at its first renewal and works again on the ladder's first step. */
const cardOf = (index: number): string[] =>
  index % 5 === 4 ? ['succeeded', 'insufficient_funds', 'succeeded'] : ['succeeded'];

/** Cancels each subscription once it has renewed and owes nothing. */
async function cancelOnceRenewed({
  client,
  db,
  tenant,
  subscriptionIds,
}: Driven & { db: Database; subscriptionIds: readonly string[] }): Promise<void> {
  const waiting = new Set(subscriptionIds);
  const done = await eventually(async () => {
    const renewed = await renewedIn(db, tenant.tenantId);
    const ready = [...waiting].filter((id) => renewed.has(id));
    await inLanes(ready.length, async (index) => {
      const id = ready[index] ?? '';
      const path = `/v1/subscriptions/${id}/cancel`;
      const { status, body } = await client.write({
        method: 'POST',
        path,
        key: `cancel-${id}`,
        body: cancellation,
      });
      // A first try was carried out and its answer was lost.
      const hasEnded = status === 409 && body['reason'] === 'subscription_cancelled';
      if (status !== 200 && !hasEnded) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
      waiting.delete(id);
    });
    return waiting.size === 0;
  }, PHASE_MS);
  if (done) return;
  const lines = await Promise.all([...waiting].map((id) => whereItStands(db, tenant.tenantId, id)));
  throw new Error(`${waiting.size} subscriptions did not renew:\n${lines.join('\n')}`);
}

/** What a reader needs to tell late from stuck: the state, and every try to collect with its moment and outcome. */
function whereItStands(db: Database, tenantId: string, id: string): Promise<string> {
  return withTenant(db, tenantId, async (tx) => {
    const [row] = await tx.select().from(subscriptions).where(eq(subscriptions.id, id));
    const own = await tx.select().from(invoices).where(eq(invoices.subscriptionId, id));
    const tries = await tx
      .select()
      .from(chargeAttempts)
      .where(
        inArray(
          chargeAttempts.invoiceId,
          own.map((invoice) => invoice.id),
        ),
      );
    return [
      `${id} is ${row?.status} in period ${row?.periodIndex} until ${row?.periodEndsAt?.toISOString()}, now ${new Date().toISOString()}`,
      ...own.map((invoice) => `  ${invoice.id} ${invoice.status} of ${invoice.createdAt.toISOString()}`),
      ...tries.map((attempt) => `    ${JSON.stringify(attempt)}`),
    ].join('\n');
  });
}

const cancellation = { mode: 'now', reason: 'too_expensive' };

function renewedIn(db: Database, tenantId: string): Promise<ReadonlySet<string>> {
  return withTenant(db, tenantId, async (tx) => {
    // In this order: a period that is seen here was committed together with its invoice.
    const rows = await tx.select().from(subscriptions);
    const owing = new Set(
      (await tx.select().from(invoices)).flatMap(({ subscriptionId, status }) =>
        status === 'open' ? subscriptionId : [],
      ),
    );
    const renewed = rows.filter(
      ({ id, status, periodIndex }) => status === 'active' && (periodIndex ?? 0) > 0 && !owing.has(id),
    );
    return new Set(renewed.map(({ id }) => id));
  });
}

async function untilAtRest(db: Database, { tenantId }: FastTenant): Promise<void> {
  let restless: string[] = [];
  const rests = await eventually(async () => {
    restless = [...(await unfinished(db, tenantId)), ...(await leftovers(db, tenantId))];
    return restless.length === 0;
  }, DRAIN_MS);
  if (!rests) throw new Error(`It does not come to rest:\n${restless.slice(0, 20).join('\n')}`);
}

function unfinished(db: Database, tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const alive = (await tx.select().from(subscriptions)).filter(({ closedAt }) => closedAt === null);
    const unsent = (await tx.select().from(notifications)).filter(
      ({ status }) => status === 'queued' || status === 'sending',
    );
    return [
      ...alive.map(
        ({ id, status, periodEndsAt }) => `${id} is ${status} until ${periodEndsAt?.toISOString()}`,
      ),
      ...unsent.map(({ dedupeKey, status, error }) => `the mail ${dedupeKey} is ${status} (${error})`),
    ];
  });
}

/** When the last look that succeeded began, in milliseconds; 0 before the first. */
async function lastLook(db: Database): Promise<number> {
  const [run] = await readScheduleRuns(db, [MISSED_WEBHOOKS]);
  return run?.lastSuccessAt?.getTime() ?? 0;
}
