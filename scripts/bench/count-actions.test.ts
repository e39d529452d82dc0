// What counts as an action, one rule at a time, on histories of a few events.

import proto from '@temporalio/proto';
import { expect, test } from 'vitest';
import { costOf } from './count-actions.ts';

const { EventType } = proto.temporal.api.enums.v1;

type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

const started = event('WORKFLOW_EXECUTION_STARTED');
const signaled = event('WORKFLOW_EXECUTION_SIGNALED');
const taskScheduled = event('WORKFLOW_TASK_SCHEDULED');
const taskStarted = event('WORKFLOW_TASK_STARTED');
const taskCompleted = event('WORKFLOW_TASK_COMPLETED');
const task = [taskScheduled, taskStarted, taskCompleted];
const completed = event('WORKFLOW_EXECUTION_COMPLETED');

test('a workflow that does nothing costs its start, and its tasks and its end cost nothing', () => {
  expect(actionsOf(started, ...task, completed)).toBe(1);
});

test('a run that continues another costs a start', () => {
  const continues = event('WORKFLOW_EXECUTION_STARTED', {
    workflowExecutionStartedEventAttributes: { continuedExecutionRunId: 'earlier' },
  });
  const earlier = { events: [started, ...task, event('WORKFLOW_EXECUTION_CONTINUED_AS_NEW')] };
  expect(costOf([earlier, { events: [continues, ...task] }]).actions).toBe(2);
});

test('a start with a signal counts once', () => {
  expect(actionsOf(started, signaled, taskScheduled, taskStarted)).toBe(1);
  expect(actionsOf(started, taskScheduled, signaled, taskStarted)).toBe(1);
});

test('every later signal counts', () => {
  expect(actionsOf(started, ...task, signaled, ...task, signaled)).toBe(3);
});

test.each([
  ['a timer', 'TIMER_STARTED', 'TIMER_FIRED'],
  ['an accepted update', 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED', 'WORKFLOW_EXECUTION_UPDATE_COMPLETED'],
  ['an activity', 'ACTIVITY_TASK_SCHEDULED', 'ACTIVITY_TASK_COMPLETED'],
] as const)('%s counts once, and what comes of it not again', (_what, begins, ends) => {
  expect(actionsOf(started, ...task, event(begins), event(ends))).toBe(2);
});

test('a change of search attributes counts', () => {
  expect(actionsOf(started, ...task, event('UPSERT_WORKFLOW_SEARCH_ATTRIBUTES'))).toBe(2);
});

test('every retry of an activity counts', () => {
  const scheduled = event('ACTIVITY_TASK_SCHEDULED');
  expect(actionsOf(started, ...task, scheduled, activityStarted(1))).toBe(2);
  expect(actionsOf(started, ...task, scheduled, activityStarted(4))).toBe(5);
});

test('all local activities of one workflow task count once together', () => {
  expect(actionsOf(started, ...task, localActivity(4), localActivity(4), localActivity(4))).toBe(2);
  expect(actionsOf(started, ...task, localActivity(4), ...task, localActivity(8))).toBe(3);
});

test('a marker of another kind costs nothing', () => {
  expect(actionsOf(started, ...task, marker('core_patch', 4))).toBe(1);
});

test('a child workflow counts twice for its parent', () => {
  const initiated = event('START_CHILD_WORKFLOW_EXECUTION_INITIATED');
  expect(actionsOf(started, ...task, initiated, event('CHILD_WORKFLOW_EXECUTION_STARTED'))).toBe(3);
});

test('runs are counted together, and so are their events', () => {
  const runs = [{ events: [started, ...task] }, { events: [started, ...task, signaled] }, {}];
  expect(costOf(runs)).toEqual({ actions: 3, historyEvents: 9 });
});

test('a window counts what happened from its beginning on and before its end', () => {
  const timer = (at: string) => event('TIMER_STARTED', { eventTime: timestamp(at) });
  const run = {
    events: [
      { ...started, eventTime: timestamp('2031-01-01T00:00:00Z') },
      timer('2031-01-01T23:59:59.999Z'),
      timer('2031-01-02T00:00:00Z'),
      timer('2031-01-02T23:59:59.999Z'),
      timer('2031-01-03T00:00:00Z'),
    ],
  };
  const day = { from: new Date('2031-01-02T00:00:00Z'), to: new Date('2031-01-03T00:00:00Z') };
  expect(costOf([run], day)).toEqual({ actions: 2, historyEvents: 2 });
});

test('a signal in a window that begins after the start is a signal of its own', () => {
  const eventTime = timestamp('2031-01-02T12:00:00Z');
  const run = { events: [started, ...task, { ...signaled, eventTime }] };
  const day = { from: new Date('2031-01-02T00:00:00Z'), to: new Date('2031-01-03T00:00:00Z') };
  expect(costOf([run], day)).toEqual({ actions: 1, historyEvents: 1 });
});

function actionsOf(...events: HistoryEvent[]): number {
  return costOf([{ events }]).actions;
}

type Kind = keyof typeof EventType extends `EVENT_TYPE_${infer Name}` ? Name : never;

function event(kind: Kind, attributes: HistoryEvent = {}): HistoryEvent {
  return { eventType: EventType[`EVENT_TYPE_${kind}`], ...attributes };
}

function activityStarted(attempt: number): HistoryEvent {
  return event('ACTIVITY_TASK_STARTED', { activityTaskStartedEventAttributes: { attempt } });
}

function localActivity(task: number): HistoryEvent {
  return marker('core_local_activity', task);
}

function marker(markerName: string, task: number): HistoryEvent {
  const workflowTaskCompletedEventId = task as unknown as Long;
  return event('MARKER_RECORDED', {
    markerRecordedEventAttributes: { markerName, workflowTaskCompletedEventId },
  });
}

type Long = NonNullable<
  proto.temporal.api.history.v1.IMarkerRecordedEventAttributes['workflowTaskCompletedEventId']
>;

function timestamp(at: string): NonNullable<HistoryEvent['eventTime']> {
  const ms = Date.parse(at);
  const seconds = Math.floor(ms / 1000) as unknown as Long;
  return { seconds, nanos: (ms % 1000) * 1_000_000 };
}
