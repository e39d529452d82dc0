/**
 * Asks a running subscription to do something and waits for its answer: a Temporal Update under the caller's
 * Idempotency-Key. A subscription whose start is still waiting in the outbox is started first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import type { Tx } from '../../db/client.ts';
import { withTenant } from '../../db/client.ts';
import { findSubscription, type SubscriptionView } from '../../db/queries/billing/read-subscriptions.ts';
import { snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { isTerminal } from '../../domain/billing/subscription.ts';
import { deliverToTemporal } from '../../temporal/deliver.ts';
import { startSubscription, subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { pingTemporal } from '../operations/temporal-health.ts';
import { notFound, Problem } from '../problem.ts';
import type { ActContext } from '../route.ts';

/** Throws 404. */
export async function readSubscription(tx: Tx, subscriptionId: string): Promise<SubscriptionView> {
  const view = await findSubscription(tx, subscriptionId);
  if (view === null) throw notFound('subscription', subscriptionId);
  return view;
}

/** Throws problems and the update's own failures. `view` is the subscription as it was before. */
export async function askSubscription<Result, Input>(
  { deps, caller, updateId }: ActContext,
  view: SubscriptionView,
  { update, input }: { update: UpdateDefinition<Result, [Input]>; input: Input },
): Promise<Result> {
  const { id, closedAt } = view.subscription;
  if (closedAt !== null) throw subscriptionEnded(view);

  const execute = () =>
    withinTime(deps.temporal, () =>
      deps.temporal.workflow
        .getHandle(subscriptionWorkflowId(id))
        .executeUpdate(update, { updateId, args: [input] }),
    );
  try {
    return await execute();
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  const found = await withTenant(deps.db, caller.tenantId, (tx) => readSubscription(tx, id));
  if (isTerminal(found.subscription.status)) throw subscriptionEnded(found);
  await start(deps.temporal, found);
  try {
    return await execute();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw processGone(found);
    throw error;
  }
}

/** A charge may take the vendor's own time and a retry; callers wait no longer than most HTTP clients do. */
const ANSWER_TIMEOUT_MS = 20_000;

/** Most answers are there by then. */
const PATIENCE_MS = 250;

/**
 * Gives up soon when Temporal cannot be reached (found by a call beside an update that takes long), and after a while
 * when the process does not answer. Either way the update may still happen; its id makes a repeat harmless.
 */
async function withinTime<T>(client: Client, work: () => Promise<T>): Promise<T> {
  const abandon = new AbortController();
  const answer = client.withAbortSignal(abandon.signal, () =>
    client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, work),
  );
  const { signal } = abandon;
  const reachable = delay(PATIENCE_MS, undefined, { signal })
    .then(() => pingTemporal(client))
    .then(
      () => answer,
      (cause: unknown) => {
        throw new Problem({
          code: 'temporal_unavailable',
          detail: 'The process cannot be asked now; send the request again with the same Idempotency-Key.',
          cause,
        });
      },
    );
  try {
    return await Promise.race([answer, reachable]);
  } finally {
    // The loser of the race ends too, and what it ends with concerns nobody.
    abandon.abort();
    answer.catch(() => {});
    reachable.catch(() => {});
  }
}

/** The row is the truth, so a start made from it is always right; where the process runs or ran, it changes nothing. */
async function start(client: Client, view: SubscriptionView): Promise<void> {
  const { tenantId, customerId, id } = view.subscription;
  const envelope = startSubscription({
    tenantId,
    customerId,
    subscriptionId: id,
    planCode: view.plan.code,
    snapshot: snapshotOf(view),
  });
  await deliverToTemporal(client, envelope);
}

function subscriptionEnded({ subscription }: SubscriptionView): Problem {
  return new Problem({
    code: 'subscription_ended',
    detail: `The subscription is ${subscription.status} and its process has ended; start a new subscription.`,
    reason: `subscription_${subscription.status}`,
  });
}

/** Somebody ended the process by hand; only somebody with the Web UI can help. */
function processGone({ subscription }: SubscriptionView): Problem {
  return new Problem({
    code: 'state_conflict',
    detail: `The process of subscription ${subscription.id} was ended from outside; an operator must look at it.`,
    reason: 'process_ended',
  });
}
