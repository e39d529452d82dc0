/** What the process engine says after a storm: every process has ended or waits, and none fails over and over. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { type Wrong, wrong } from './detector.ts';

const { EventType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;

/** Causes that no kill explains: the code cannot go on with its own history, or throws. */
const causesOfOurOwn: ReadonlySet<number> = new Set([
  WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
  WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
]);

/** `mustExist`: ids of processes that were started, running or not; `mustHaveEnded`: those that have nothing more to do. */
export async function workflowWrongs(
  client: Client,
  {
    mustExist = [],
    mustHaveEnded = [],
  }: { mustExist?: readonly string[]; mustHaveEnded?: readonly string[] },
): Promise<Wrong[]> {
  const wrongs: Wrong[] = [];
  const known = new Set<string>();
  for await (const { workflowId, runId, type, status } of client.workflow.list()) {
    known.add(workflowId);
    if (status.name === 'FAILED' || status.name === 'TERMINATED' || status.name === 'TIMED_OUT') {
      wrongs.push(wrong('workflow_stuck', `${type} ${workflowId} ended as ${status.name}`));
    }
    const handle = client.workflow.getHandle(workflowId, runId);
    const { events } = await handle.fetchHistory();
    const failures = (events ?? []).filter(
      ({ eventType, workflowTaskFailedEventAttributes: failed }) =>
        eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED && causesOfOurOwn.has(failed?.cause ?? 0),
    );
    for (const { workflowTaskFailedEventAttributes: failed } of failures.slice(-1)) {
      wrongs.push(
        wrong(
          'workflow_stuck',
          `${type} ${workflowId} failed a task: ${failed?.failure?.message ?? failed?.cause}`,
        ),
      );
    }
    if (status.name !== 'RUNNING') continue;
    const { raw } = await handle.describe();
    const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
    if (attempt > TASK_ATTEMPTS_MAX) {
      wrongs.push(wrong('workflow_stuck', `${type} ${workflowId} is at attempt ${attempt} of a task`));
    }
  }
  for (const workflowId of [...mustExist, ...mustHaveEnded]) {
    if (!known.has(workflowId)) wrongs.push(wrong('workflow_stuck', `${workflowId} does not exist`));
  }
  for (const workflowId of mustHaveEnded) {
    if (known.has(workflowId) && (await isRunning(client, workflowId)))
      wrongs.push(wrong('workflow_stuck', `${workflowId} still runs`));
  }
  return wrongs;
}

const TASK_ATTEMPTS_MAX = 3;

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
}
