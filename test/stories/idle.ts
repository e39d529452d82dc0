/** Looks at a story's workflows from outside: whether one still works, and when the next has something to do. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { isNotNull } from 'drizzle-orm';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { caseState, findOpenCase } from '../../db/queries/billing/dunning-cases.ts';
import { listSubscriptions } from '../../db/queries/billing/read-subscriptions.ts';
import { snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { envelopeOf } from '../../db/queries/operations/inbox.ts';
import { bankConnections } from '../../db/schema/bank-connections.ts';
import { bankAccounts, bankTransfers } from '../../db/schema/banking.ts';
import { coinbaseCheckouts } from '../../db/schema/coinbase.ts';
import { cryptoInvoices } from '../../db/schema/crypto.ts';
import { inboxEvents } from '../../db/schema/operations.ts';
import { razorpayOrders, refunds } from '../../db/schema/payments.ts';
import { razorpaySubscriptions } from '../../db/schema/razorpay.ts';
import { nextStep } from '../../domain/billing/dunning.ts';
import { nextAct } from '../../domain/billing/subscription.ts';
import { nextLookAt } from '../../domain/payments/coinbase-checkout.ts';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { bankConnectionWorkflowId } from '../../workflows/payments/bank-connection.contract.ts';
import { bankMatchingWorkflowId } from '../../workflows/payments/bank-matching.contract.ts';
import { bankTransferWorkflowId } from '../../workflows/payments/bank-transfer.contract.ts';
import { coinbaseCheckoutWorkflowId } from '../../workflows/payments/coinbase-checkout.contract.ts';
import { cryptoInvoiceWorkflowId } from '../../workflows/payments/crypto-invoice.contract.ts';
import { razorpayCollectionWorkflowId } from '../../workflows/payments/razorpay-collection.contract.ts';
import { razorpayOrderWorkflowId } from '../../workflows/payments/razorpay-order.contract.ts';
import { razorpayPaymentWorkflowId } from '../../workflows/payments/razorpay-payment.contract.ts';
import { razorpaySubscriptionWorkflowId } from '../../workflows/payments/razorpay-subscription.contract.ts';
import { refundWorkflowId } from '../../workflows/payments/refund.contract.ts';

const { EventType, PendingActivityState } = proto.temporal.api.enums.v1;

/**
 * `busy`: a worker is at it; `retrying`: an activity waits for its next try; `waiting`: only a timer or a message
 * moves it; `closed`: it has ended or was never started.
 */
export type Rest = 'busy' | 'retrying' | 'waiting' | 'closed';

export type Observer = {
  /** The most restless of all workflows. `delivered`: rows of the outbox that may have woken a closed one. */
  look(since: { delivered: number }): Promise<Exclude<Rest, 'closed'>>;
  /** The next date on which a process has something to do by itself, in milliseconds. */
  nextWake(now: Date): Promise<number | null>;
  /** Every workflow of the story, also ended ones. */
  workflowIds(): Promise<string[]>;
  /** For the message of a world that does not come to rest. */
  restlessNow(): Promise<string>;
};

export function createObserver(story: { db: Database; client: Client; tenantId: string }): Observer {
  const { db, client, tenantId } = story;
  const ended = new Set<string>();
  const rests = async (ids: string[]) =>
    Promise.all(ids.map(async (id) => [id, await restOf(client, id)] as const));
  const workflowIds = () => workflowIdsOf(db, tenantId);
  return {
    async look({ delivered }) {
      if (delivered > 0) ended.clear();
      const found = await rests((await workflowIds()).filter((id) => !ended.has(id)));
      for (const [id, rest] of found) if (rest === 'closed') ended.add(id);
      const all = new Set(found.map(([, rest]) => rest));
      if (all.has('busy')) return 'busy';
      return all.has('retrying') ? 'retrying' : 'waiting';
    },
    async nextWake(now) {
      const offers = (await cryptoInvoiceIds(db, tenantId)).map(cryptoInvoiceWorkflowId);
      const transfers = (await transferredInvoiceIds(db, tenantId)).map(bankTransferWorkflowId);
      const banks = (await connectionNames(db, tenantId)).map(bankConnectionWorkflowId);
      const timed = [...offers, ...transfers, ...banks, ...(await matchingIds(db, tenantId))];
      const timers = await Promise.all(
        timed.filter((id) => !ended.has(id)).map((id) => nextTimer(client, id)),
      );
      const dates = [await nextWake(db, tenantId, now.toISOString()), ...timers];
      return dates.reduce(earlier, null);
    },
    workflowIds,
    async restlessNow() {
      const found = await rests(await workflowIds());
      return found
        .flatMap(([id, rest]) => (rest === 'busy' || rest === 'retrying' ? [`${id} ${rest}`] : []))
        .join();
    },
  };
}

/** Whether a workflow has nothing to do until time or the outside moves it. */
async function restOf(client: Client, workflowId: string): Promise<Rest> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { status, raw } = await handle.describe();
    if (status.name !== 'RUNNING') return status.name === 'CONTINUED_AS_NEW' ? 'busy' : 'closed';
    const pending = raw.pendingActivities ?? [];
    if (pending.length > 0) {
      return pending.every(isBackingOff) ? 'retrying' : 'busy';
    }
    const { events } = await handle.fetchHistory();
    const last = events?.at(-1)?.eventType;
    return last === undefined || last === null || leavesWork.has(last) ? 'busy' : 'waiting';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'closed';
    throw error;
  }
}

type PendingActivity = proto.temporal.api.workflow.v1.IPendingActivityInfo;

/** The server keeps the state of the last try while it waits for the next one: then the end is later than the start. */
function isBackingOff({
  state,
  attempt,
  lastStartedTime,
  lastAttemptCompleteTime,
}: PendingActivity): boolean {
  if (state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED) return (attempt ?? 1) > 1;
  if (!lastAttemptCompleteTime) return false;
  return tsToMs(lastAttemptCompleteTime) >= tsToMs(lastStartedTime);
}

/** Last events after which a worker still has something to do. */
const leavesWork: ReadonlySet<number> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
  EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
  EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
  EventType.EVENT_TYPE_TIMER_FIRED,
]);

async function workflowIdsOf(db: Database, tenantId: string): Promise<string[]> {
  const views = await withTenant(db, tenantId, (tx) => listSubscriptions(tx, everything));
  const customers = new Set(views.map(({ customer }) => customer.id));
  const asked = await withTenant(db, tenantId, (tx) => tx.select({ id: refunds.id }).from(refunds));
  const events = await withSystem(db, (tx) =>
    tx
      .select({ provider: inboxEvents.provider, objectId: inboxEvents.objectId, id: inboxEvents.id })
      .from(inboxEvents)
      .where(isNotNull(inboxEvents.objectId)),
  );
  const told = new Set(
    events.map(({ provider, objectId, id }) => envelopeOf(provider, objectId ?? '', id).workflowId),
  );
  const orders = await withTenant(db, tenantId, (tx) =>
    tx.select({ id: razorpayOrders.id, externalId: razorpayOrders.externalId }).from(razorpayOrders),
  );
  const collected = await withTenant(db, tenantId, (tx) =>
    tx
      .select({ id: razorpaySubscriptions.id, externalId: razorpaySubscriptions.externalId })
      .from(razorpaySubscriptions),
  );
  const checkouts = await withTenant(db, tenantId, (tx) =>
    tx.select({ id: coinbaseCheckouts.id }).from(coinbaseCheckouts),
  );
  const offers = await cryptoInvoiceIds(db, tenantId);
  const banks = await connectionNames(db, tenantId);
  const transferred = await transferredInvoiceIds(db, tenantId);
  return [
    ...(await matchingIds(db, tenantId)),
    ...banks.map(bankConnectionWorkflowId),
    ...offers.map(cryptoInvoiceWorkflowId),
    ...transferred.map(bankTransferWorkflowId),
    ...views.map(({ subscription }) => subscriptionWorkflowId(subscription.id)),
    ...[...customers].map(dunningWorkflowId),
    ...told,
    ...asked.map(({ id }) => refundWorkflowId(id)),
    ...checkouts.map(({ id }) => coinbaseCheckoutWorkflowId(id)),
    ...orders.map(({ id }) => razorpayOrderWorkflowId(id)),
    ...orders.flatMap(({ externalId }) =>
      externalId === null ? [] : [razorpayPaymentWorkflowId(externalId)],
    ),
    ...collected.map(({ id }) => razorpaySubscriptionWorkflowId(id)),
    ...collected.flatMap(({ externalId }) =>
      externalId === null ? [] : [razorpayCollectionWorkflowId(externalId)],
    ),
  ];
}

/** Where there is an account, the tenant's movements are matched. */
function matchingIds(db: Database, tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const accounts = await tx.select({ id: bankAccounts.id }).from(bankAccounts).limit(1);
    return accounts.map(() => bankMatchingWorkflowId(tenantId));
  });
}

function cryptoInvoiceIds(db: Database, tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx.select({ id: cryptoInvoices.id }).from(cryptoInvoices);
    return rows.map(({ id }) => id);
  });
}

function connectionNames(db: Database, tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx.select({ externalId: bankConnections.externalId }).from(bankConnections);
    return rows.map(({ externalId }) => externalId);
  });
}

function transferredInvoiceIds(db: Database, tenantId: string): Promise<string[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows = await tx.select({ id: bankTransfers.invoiceId }).from(bankTransfers);
    return rows.map(({ id }) => id);
  });
}

/** When the timer goes off that a run waits for; null where it waits for none, or has ended. */
async function nextTimer(client: Client, workflowId: string): Promise<number | null> {
  const handle = client.workflow.getHandle(workflowId);
  if ((await restOf(client, workflowId)) === 'closed') return null;
  const { events } = await handle.fetchHistory();
  const timers = new Map<string, number>();
  for (const { eventTime, ...event } of events ?? []) {
    const started = event.timerStartedEventAttributes;
    const over = event.timerFiredEventAttributes ?? event.timerCanceledEventAttributes;
    if (started?.timerId) timers.set(started.timerId, tsToMs(eventTime) + tsToMs(started.startToFireTimeout));
    if (over?.timerId) timers.delete(over.timerId);
  }
  return [...timers.values()].reduce(earlier, null);
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

async function nextWake(db: Database, tenantId: string, now: string): Promise<number | null> {
  const dates = await withTenant(db, tenantId, async (tx) => {
    const found: number[] = [];
    for (const view of await listSubscriptions(tx, everything)) {
      const act = nextAct(snapshotOf(view), now);
      if (act !== null) found.push(Date.parse(act.at));
      const open = view.subscription.status === 'past_due' ? await findOpenCase(tx, view.customer.id) : null;
      const step = open === null ? null : nextStep(await caseState(tx, view.tenant, open), now);
      if (step !== null) found.push(Date.parse(step.at));
    }
    for (const { status, provider, expiresAt, lookedAt, askedAt } of await tx
      .select()
      .from(coinbaseCheckouts)) {
      const since = (lookedAt ?? askedAt)?.toISOString();
      const looked = { status, expiresAt: expiresAt?.toISOString() ?? null };
      const lookAt = since === undefined || provider === 'commerce' ? null : nextLookAt(looked, since);
      if (lookAt !== null) found.push(Date.parse(lookAt));
    }
    return found;
  });
  return dates.length === 0 ? null : Math.min(...dates);
}

const everything = { customerId: undefined, status: undefined, cursor: undefined, limit: 1_000 };
