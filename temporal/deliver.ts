/**
 * Hands one outbox envelope to Temporal.
 *
 * Why it is safe to run twice: a start names its workflow by business id, so a second one finds the first; a signal
 * may arrive twice, which workflows expect of any signal. Only an error that leaves the outcome open is thrown, and
 * then the relay delivers again.
 */
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type WorkflowOptions,
} from '@temporalio/client';
import { assertNever } from '../domain/errors.ts';
import type {
  TemporalEnvelope,
  WorkflowSignal,
  WorkflowSignalWithStart,
  WorkflowStart,
} from '../domain/operations/outbox.ts';
import { toSearchAttributePairs } from '../workflows/search-attributes.ts';

/** `nothing_waits`: the workflow has ended or never was, so there is nobody to tell. */
export type Delivery = 'delivered' | 'nothing_waits';

/**
 * Starts or signals as the envelope says. Throws when Temporal did not take it within the time: the relay tries
 * again later, and a caller who delivers ahead of the relay leaves it to the relay.
 */
export async function deliverToTemporal(
  client: Client,
  envelope: TemporalEnvelope,
  { timeoutMs = TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<Delivery> {
  return client.withDeadline(Date.now() + timeoutMs, () => {
    switch (envelope.topic) {
      case 'workflow.start':
        return start(client, envelope);
      case 'workflow.signal':
        return signal(client, envelope);
      case 'workflow.signal_with_start':
        return signalWithStart(client, envelope);
      default:
        return assertNever(envelope);
    }
  });
}

/** A server that accepts connections and does not answer must not hold the relay; shorter than a row's lease. */
const TIMEOUT_MS = 10_000;

/** With `reject_duplicate` an id that has ended is refused, which means its start has been delivered long ago. */
async function start(client: Client, envelope: WorkflowStart): Promise<Delivery> {
  try {
    await client.workflow.start(envelope.workflowType, { ...startOptions(envelope), args: envelope.args });
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'delivered';
    throw error;
  }
}

async function signal(client: Client, { workflowId, signal, args }: WorkflowSignal): Promise<Delivery> {
  try {
    await client.workflow.getHandle(workflowId).signal(signal, ...args);
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'nothing_waits';
    throw error;
  }
}

async function signalWithStart(client: Client, envelope: WorkflowSignalWithStart): Promise<Delivery> {
  const { signal, signalArgs, args } = envelope;
  try {
    await client.workflow.signalWithStart<(...args: unknown[]) => Promise<unknown>, unknown[]>(
      envelope.workflowType,
      { ...startOptions(envelope), args, signal, signalArgs },
    );
    return 'delivered';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'nothing_waits';
    throw error;
  }
}

const reusePolicies = {
  reject_duplicate: WorkflowIdReusePolicy.REJECT_DUPLICATE,
  allow_duplicate: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
} as const;

function startOptions(envelope: WorkflowStart | WorkflowSignalWithStart): WorkflowOptions {
  const { workflowId, taskQueue, summary, searchAttributes = {}, reuse } = envelope;
  return {
    workflowId,
    taskQueue,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    workflowIdReusePolicy: reusePolicies[reuse],
    typedSearchAttributes: toSearchAttributePairs(searchAttributes),
    ...(summary === undefined ? {} : { staticSummary: summary }),
    // Costs nothing while the server's fairness is off; with it, one tenant's backlog does not delay the others.
    ...(searchAttributes.TenantId === undefined
      ? {}
      : { priority: { fairnessKey: searchAttributes.TenantId } }),
  };
}
