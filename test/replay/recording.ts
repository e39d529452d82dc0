/** Recorded histories as files: what is kept of a history, and how it is written and read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';

const { History: HistoryMessage } = proto.temporal.api.history.v1;
type History = proto.temporal.api.history.v1.IHistory;

/** One run of one workflow. */
export type RecordedRun = { workflowId: string; history: History };

export const recordedFolder = join(import.meta.dirname, 'recorded');

/** The paths that are recorded, by the names of their files. */
export function recordedPaths(): string[] {
  return readdirSync(recordedFolder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

export function readRuns(path: string): RecordedRun[] {
  const runs = JSON.parse(readFileSync(join(recordedFolder, `${path}.json`), 'utf8')) as {
    workflowId: string;
    history: Record<string, unknown>;
  }[];
  return runs.map(({ workflowId, history }) => ({ workflowId, history: HistoryMessage.fromObject(history) }));
}

/** What a run did, in order: enough to tell one path from another. */
export function stepsOf({ history }: RecordedRun): string {
  const steps = (history.events ?? []).map((event) => {
    const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
    const type = event.workflowExecutionStartedEventAttributes?.workflowType?.name;
    const update = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name;
    const local = event.markerRecordedEventAttributes?.details?.['data']?.payloads?.[0]?.data;
    const marker = local && /"activity_type":"(\w+)"/.exec(Buffer.from(local).toString())?.[1];
    return [event.eventType, type, activity, update, marker].filter(Boolean).join(':');
  });
  return steps.join(' ');
}

/** Everything a run says, payloads in plain text. */
export function textOf({ history }: RecordedRun): string {
  const texts: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
    else if (value instanceof Uint8Array) texts.push(Buffer.from(value).toString('utf8'));
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
  };
  walk(HistoryMessage.toObject(HistoryMessage.fromObject(history)));
  return texts.join('\n');
}

/** One event a line, so that a new recording can be compared with the old one. */
export function writtenRuns(runs: readonly RecordedRun[]): string {
  const texts = runs.map(({ workflowId, history }) => {
    const { events } = withoutTraces(HistoryMessage.toObject(HistoryMessage.fromObject(history), asText)) as {
      events: unknown[];
    };
    const lines = events.map((event) => JSON.stringify(event)).join(',\n');
    return `{"workflowId":${JSON.stringify(workflowId)},"history":{"events":[\n${lines}\n]}}`;
  });
  return `[${texts.join(',\n')}]\n`;
}

const asText = { longs: String, enums: String, bytes: String };

/** Which machine recorded it, and where its files lie, is nobody's business; a replay does not look at it. */
function withoutTraces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTraces);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).filter(([name]) => !traces.has(name));
  return Object.fromEntries(kept.map(([name, child]) => [name, withoutTraces(child)]));
}

const traces: ReadonlySet<string> = new Set([
  'identity',
  'stackTrace',
  'encodedAttributes',
  'workerVersion',
  'binaryChecksum',
]);
