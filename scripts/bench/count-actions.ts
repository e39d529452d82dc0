/**
 * Counts what a workflow cost, from its histories, by the rules Temporal Cloud bills by: exact on any machine.
 * One action each: start or continue-as-new, timer, activity and each of its retries, signal, accepted update, change
 * of search attributes, and all local activities of one workflow task together. Starting with a signal is one.
 */
import proto from '@temporalio/proto';

const { EventType } = proto.temporal.api.enums.v1;

type History = proto.temporal.api.history.v1.IHistory;
type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

export type Cost = { actions: number; historyEvents: number };

/** The cost of some runs together; `during` limits it to what happened in a window of time. */
export function costOf(runs: readonly History[], during?: { from: Date; to: Date }): Cost {
  return runs.reduce<Cost>(
    (total, run) => {
      const events = (run.events ?? []).filter((event) => during === undefined || isWithin(event, during));
      return {
        actions: total.actions + actionsOf(events),
        historyEvents: total.historyEvents + events.length,
      };
    },
    { actions: 0, historyEvents: 0 },
  );
}

function actionsOf(events: readonly HistoryEvent[]): number {
  const tasksWithLocalActivities = new Set<string>();
  let actions = 0;
  let hasBegun = !events.some(isStart);
  for (const event of events) {
    switch (event.eventType) {
      case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
      case EventType.EVENT_TYPE_TIMER_STARTED:
      case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
      case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
      case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
        actions += 1;
        break;
      case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
        // A signal that came with the start is part of it.
        if (hasBegun) actions += 1;
        break;
      case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        hasBegun = true;
        break;
      case EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
        actions += 2;
        break;
      case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
        actions += (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1;
        break;
      case EventType.EVENT_TYPE_MARKER_RECORDED: {
        const marker = event.markerRecordedEventAttributes;
        if (marker?.markerName === 'core_local_activity') {
          tasksWithLocalActivities.add(String(marker.workflowTaskCompletedEventId));
        }
        break;
      }
    }
  }
  return actions + tasksWithLocalActivities.size;
}

function isStart({ eventType }: HistoryEvent): boolean {
  return eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED;
}

function isWithin({ eventTime }: HistoryEvent, { from, to }: { from: Date; to: Date }): boolean {
  const at = Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1_000_000;
  return at >= from.getTime() && at < to.getTime();
}
