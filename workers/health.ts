/**
 * The health of the worker process over HTTP. `/healthz`: the process is alive. `/readyz`: it can do its work, with
 * what it found; 503 while something is missing. A schedule that has not succeeded for two intervals is told in the
 * body and does not make the process unready: taking the process away would not help the schedule.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OverdueSchedule } from '../temporal/schedules.ts';

/** One thing the process needs. */
export type Check = { ok: boolean } & Record<string, unknown>;

export type Readiness = {
  ready: boolean;
  checks: Record<string, Check>;
  overdueSchedules: OverdueSchedule[];
};

/** A running health endpoint. */
export type HealthServer = { port: number; close(): Promise<void> };

/** Serves until closed. */
export async function startHealthServer({
  readiness,
  port,
  host = '127.0.0.1',
}: {
  readiness: () => Promise<Readiness>;
  port: number;
  host?: string | undefined;
}): Promise<HealthServer> {
  const server = createServer((req, res) => {
    const path = req.url?.split('?')[0];
    if (path === '/healthz') return answer(res, 200, { status: 'ok' });
    if (path !== '/readyz') return answer(res, 404, { message: 'GET /healthz or GET /readyz.' });
    readiness().then(
      (state) => answer(res, state.ready ? 200 : 503, state),
      (error: Error) => answer(res, 503, { ready: false, error: error.message }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs all checks at once, each within its time; one that throws or hangs is not ok. */
export async function runChecks(
  checks: Record<string, () => Promise<Check> | Check>,
): Promise<Record<string, Check>> {
  const entries = Object.entries(checks).map(async ([name, check]) => {
    const late = rejectAfter(CHECK_TIMEOUT_MS);
    try {
      return [name, await Promise.race([check(), late.promise])] as const;
    } catch (error) {
      return [name, { ok: false, error: error instanceof Error ? error.message : String(error) }] as const;
    } finally {
      late.cancel();
    }
  });
  return Object.fromEntries(await Promise.all(entries));
}

const CHECK_TIMEOUT_MS = 3_000;

function answer(res: ServerResponse, status: number, body: unknown): void {
  res
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
    .end(JSON.stringify(body));
}

function rejectAfter(ms: number): { promise: Promise<never>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}
