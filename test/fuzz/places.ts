/**
 * The places where data comes to rest, each as text to be searched: what Temporal stores, what the database stores,
 * what is answered to whoever asks for health and metrics. Texts are compared in lower case.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { asOwner } from './owner.ts';

/** Somewhere, and all that is stored or shown there. */
export type Place = { name: string; content: string };

/** What must not be somewhere, by what it is: `{ email: 'ada@example.com' }`. */
export type Sentinels = Readonly<Record<string, string>>;

/** Every sentinel with every place that has it: `email in the log of the API`. */
export function sightings(places: readonly Place[], sentinels: Sentinels): string[] {
  const found = places.flatMap(({ name, content }) => {
    const text = content.toLowerCase();
    return Object.entries(sentinels)
      .filter(([, value]) => text.includes(value.toLowerCase()))
      .map(([what]) => `${what} in ${name}`);
  });
  return [...new Set(found)].toSorted();
}

const { History } = proto.temporal.api.history.v1;
const service = proto.temporal.api.workflowservice.v1;

/** Every process with its ids, search attributes, memo, summary and history, and every schedule; as stored, undecoded. */
export async function temporalPlaces({ workflowService, options: { namespace } }: Client): Promise<Place[]> {
  const { executions } = await workflowService.listWorkflowExecutions({ namespace, pageSize: 1_000 });
  const processes = (executions ?? []).map(async ({ execution, type }): Promise<Place> => {
    const description = await workflowService.describeWorkflowExecution({
      namespace,
      execution: execution ?? {},
    });
    const { history } = await workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: execution ?? {},
      maximumPageSize: 10_000,
    });
    const content = [
      service.DescribeWorkflowExecutionResponse.encode(description).finish(),
      History.encode(history ?? {}).finish(),
    ];
    return { name: `the process ${type?.name}`, content: textOf(content) };
  });
  const { schedules } = await workflowService.listSchedules({ namespace, maximumPageSize: 100 });
  const descriptions = (schedules ?? []).map(async ({ scheduleId }): Promise<Place> => {
    const description = await workflowService.describeSchedule({ namespace, scheduleId: scheduleId ?? '' });
    const content = [service.DescribeScheduleResponse.encode(description).finish()];
    return { name: `the schedule ${scheduleId}`, content: textOf(content) };
  });
  return Promise.all([...processes, ...descriptions]);
}

/** All that the dev server has written to disk, whatever asks for it. */
export async function temporalFiles(home: string): Promise<Place[]> {
  const files = (await readdir(home)).filter((file) => file.startsWith('temporal.db'));
  return Promise.all(
    files.map(async (file) => ({ name: file, content: textOf([await readFile(join(home, file))]) })),
  );
}

/** Every column of every table, with all its values. */
export async function databasePlaces(adminUrl: string): Promise<Place[]> {
  const columns = await asOwner<{ schema: string; table: string; column: string }>(
    adminUrl,
    `SELECT table_schema AS schema, table_name AS table, column_name AS column FROM information_schema.columns
     WHERE table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY 1, 2, 3`,
  );
  const contents = columns.map(
    ({ schema, table, column }) =>
      `SELECT '${table}.${column}' AS name, coalesce(string_agg("${column}"::text, E'\\n'), '') AS content
       FROM "${schema}"."${table}"`,
  );
  return asOwner<Place>(adminUrl, contents.join(' UNION ALL '));
}

/** What addresses without a key answer. */
export function openPlaces(urls: Record<string, string>): Promise<Place[]> {
  return Promise.all(
    Object.entries(urls).map(async ([name, url]) => ({ name, content: await (await fetch(url)).text() })),
  );
}

/** One character for each byte, so that ASCII inside of binary data stays what it is. */
function textOf(parts: readonly Uint8Array[]): string {
  return parts.map((part) => Buffer.from(part).toString('latin1')).join('\n');
}
