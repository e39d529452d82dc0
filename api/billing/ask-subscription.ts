/**
 * Asks a running subscription to do something and waits for its answer: a Temporal Update under the caller's
 * Idempotency-Key. A subscription whose start is still waiting in the outbox is started first.
 */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import type { Tx } from '../../db/client.ts';
import { withTenant } from '../../db/client.ts';
import { findSubscription, type SubscriptionView } from '../../db/queries/billing/read-subscriptions.ts';
import { snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { isTerminal } from '../../domain/billing/subscription.ts';
import { deliverToTemporal } from '../../temporal/deliver.ts';
import { startSubscription, subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { notFound, Problem } from '../problem.ts';
import type { ActContext } from '../route.ts';
import { withinTime } from '../within-time.ts';

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
