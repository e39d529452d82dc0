import { afterEach, expect, it, vi } from 'vitest';
import { type HealthServer, type Readiness, runChecks, startHealthServer } from './health.ts';

let server: HealthServer | undefined;
afterEach(async () => {
  vi.useRealTimers();
  await server?.close();
  server = undefined;
});

async function ask(path: string, readiness: () => Promise<Readiness>) {
  server = await startHealthServer({ readiness, port: 0 });
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: response.status, body: await response.json() };
}

const fine: Readiness = { ready: true, checks: { database: { ok: true } }, overdueSchedules: [] };
const overdue = { schedule: 'relay-sweep', lastSuccessAt: null, everySeconds: 300 };

it('says that the process is alive whatever else is wrong', async () => {
  expect(await ask('/healthz', () => Promise.reject(new Error('database is down')))).toEqual({
    status: 200,
    body: { status: 'ok' },
  });
});

it('is ready with everything it found, or not ready with what is missing', async () => {
  expect(await ask('/readyz', () => Promise.resolve(fine))).toEqual({ status: 200, body: fine });
  await server?.close();

  const missing = { ...fine, ready: false, checks: { database: { ok: false, error: 'refused' } } };
  expect(await ask('/readyz?verbose', () => Promise.resolve(missing))).toEqual({
    status: 503,
    body: missing,
  });
});

it('reports a schedule that is overdue and stays ready, because restarting would not help it', async () => {
  const { status, body } = await ask('/readyz', () =>
    Promise.resolve({ ...fine, overdueSchedules: [overdue] }),
  );
  expect(status).toBe(200);
  expect(body).toMatchObject({ overdueSchedules: [overdue] });
});

it('is not ready when looking itself fails', async () => {
  const { status } = await ask('/readyz', () => Promise.reject(new Error('broken')));
  expect(status).toBe(503);
});

it('counts a check that throws or never answers as not ok and keeps the others', async () => {
  vi.useFakeTimers();
  const checks = runChecks({
    fine: () => ({ ok: true, detail: 1 }),
    throws: () => Promise.reject(new Error('refused')),
    hangs: () => new Promise(() => {}),
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await checks).toEqual({
    fine: { ok: true, detail: 1 },
    throws: { ok: false, error: 'refused' },
    hangs: { ok: false, error: expect.stringContaining('no answer') },
  });
});
