import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../../scripts/stack.ts';
import { createTestDatabase } from '../support/database.ts';

const home = await mkdtemp(join(tmpdir(), 'perennial-stack-'));
afterAll(() => rm(home, { recursive: true, force: true }));

test('two test files have databases of their own, migrated and empty', async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  await query(one.adminUrl, 'CREATE TABLE only_here ()');
  const tables = await query(
    two.adminUrl,
    "SELECT to_regclass('only_here') AS here, to_regclass('tenants') AS migrated",
  );
  expect(tables).toEqual([{ here: null, migrated: 'tenants' }]);
  await Promise.all([one.drop(), two.drop()]);
});

test('the login of API and workers has no rights but those of the roles it steps down to', async () => {
  const database = await createTestDatabase();
  await expect(query(database.url, 'SELECT count(*) FROM customers')).rejects.toThrow(/permission denied/);
  expect(await query(database.url, 'SET ROLE perennial_app; SELECT count(*)::int FROM customers')).toEqual([
    { count: 0 },
  ]);
  await expect(query(database.url, 'SET ROLE postgres')).rejects.toThrow(/permission denied/);
  await database.drop();
});

test('servers that were killed start again with what they had', async () => {
  const stack = await startServers();
  const admin = `postgres://postgres:postgres@127.0.0.1:${stack.ports.postgres}/perennial`;
  await query(admin, 'CREATE TABLE kept ()');
  await Promise.all([stack.restart('postgres'), stack.restart('temporal')]);
  expect(await query(admin, "SELECT to_regclass('kept') AS kept")).toEqual([{ kept: 'kept' }]);
  await stack.stop();

  const again = await startServers();
  const moved = admin.replace(String(stack.ports.postgres), String(again.ports.postgres));
  expect(await query(moved, "SELECT to_regclass('kept') AS kept")).toEqual([{ kept: 'kept' }]);
  await again.stop();
});

test('a server that dies is told, with its name', async () => {
  const stack = await startServers();
  process.kill(stack.process('temporal').pid, 'SIGKILL');
  expect(await stack.failed).toContain('temporal was killed by SIGKILL');
  await stack.stop();
});

function startServers(): Promise<Stack> {
  return startStack({
    home,
    ports: 'free',
    isolated: true,
    only: ['postgres', 'temporal'],
    seed: false,
    durable: false,
  });
}

async function query(url: string, statements: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results = [await client.query(statements)].flat();
    return results.at(-1)?.rows ?? [];
  } finally {
    await client.end();
  }
}
