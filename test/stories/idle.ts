/** Whether a workflow on the time-skipping server has nothing to do until time or the outside moves it. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

const { EventType, PendingActivityState } = proto.temporal.api.enums.v1;

/**
 * `busy`: a worker is at it; `retrying`: an activity waits for its next try; `waiting`: only a timer or a message
 * moves it; `closed`: it has ended or was never started.
 */
export type Rest = 'busy' | 'retrying' | 'waiting' | 'closed';

export async function restOf(client: Client, workflowId: string): Promise<Rest> {
  const handle = client.workflow.getHandle(workflowId);
  const { status, raw } = await handle.describe();
  if (status.name !== 'RUNNING') return status.name === 'CONTINUED_AS_NEW' ? 'busy' : 'closed';
  const pending = raw.pendingActivities ?? [];
  if (pending.length > 0) {
    const backingOff = pending.every(
      ({ state, attempt }) =>
        state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED && (attempt ?? 1) > 1,
    );
    return backingOff ? 'retrying' : 'busy';
  }
  const { events } = await handle.fetchHistory();
  const last = events?.at(-1)?.eventType;
  return last === undefined || last === null || leavesWork.has(last) ? 'busy' : 'waiting';
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
