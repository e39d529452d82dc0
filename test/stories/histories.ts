/** Every run a story left behind is replayed on the same code: a workflow that is not deterministic fails the story. */
import { type Client, isGrpcServiceError, type WorkflowHandle } from '@temporalio/client';
import { Worker, type WorkflowBundleOption } from '@temporalio/worker';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** Throws with the first workflow whose replay differs. */
export async function replayHistories({
  client,
  workflowIds,
  workflowBundle,
}: {
  client: Client;
  workflowIds: string[];
  workflowBundle: WorkflowBundleOption;
}): Promise<void> {
  const results = Worker.runReplayHistories({ workflowBundle }, historiesOf(client, workflowIds));
  for await (const { workflowId, runId, error } of results) {
    if (error !== undefined)
      throw new Error(`${workflowId} (run ${runId}) does not replay`, { cause: error });
  }
}

/** The histories of all runs of some workflows, the latest run of each first; one that never ran has none. */
export async function* historiesOf(
  client: Client,
  workflowIds: string[],
): AsyncIterable<{ workflowId: string; history: History }> {
  for (const workflowId of workflowIds) {
    let runId: string | null | undefined;
    do {
      const history = await fetchHistory(client, workflowId, runId ?? undefined);
      if (history === null) break;
      yield { workflowId, history };
      runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
    } while (runId);
  }
}

/** Null for a workflow that was never started. */
async function fetchHistory(
  client: Client,
  workflowId: string,
  runId: string | undefined,
): Promise<History | null> {
  try {
    return await client.workflow.getHandle(workflowId, runId).fetchHistory();
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === NOT_FOUND) return null;
    throw error;
  }
}

/** Of gRPC. */
const NOT_FOUND = 5;
