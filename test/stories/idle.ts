/** Whether a workflow on the time-skipping server has nothing to do until time or the outside moves it. */
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

const { EventType } = proto.temporal.api.enums.v1;

/** Last events after which a worker still has something to do. */
const busy: ReadonlySet<number> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
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
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED,
]);

export type Rest = 'waiting' | 'closed' | 'busy';

/** `busy`: look again; `waiting`: only time or a message moves it; `closed`: it has ended. */
export async function restOf(client: Client, workflowId: string): Promise<Rest> {
  const handle = client.workflow.getHandle(workflowId);
  const { status, raw } = await handle.describe();
  if (status.name !== 'RUNNING') return status.name === 'CONTINUED_AS_NEW' ? 'busy' : 'closed';
  if ((raw.pendingActivities ?? []).length > 0) return 'busy';
  const { events } = await handle.fetchHistory();
  const last = events?.at(-1)?.eventType;
  return last === undefined || last === null || busy.has(last) ? 'busy' : 'waiting';
}
