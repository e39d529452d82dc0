// The real servers that tests talk to, started once for all of them: PostgreSQL with a migrated template database
// (each test file copies it), Temporal's dev server, its time-skipping test server and stripe-mock. Of btcd and
// versitygw only the programs are found: each test that needs a chain or a bucket starts one of its own. Tests find
// them through the environment, by test/support/services.ts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/env.ts';
import { findGoProgram, MissingProgramError, type Report } from '../config/local-binaries.ts';
import { localAdminUrl } from '../config/local-database.ts';
import {
  createLocalDatabase,
  postgresCommand,
  postgresIsReady,
  preparePostgres,
} from '../db/local-server.ts';
import { migrateDatabase } from '../db/migrate.ts';
import { devServerCommand, findTemporalCli } from '../temporal/local-server.ts';
import { findTimeSkippingServer } from '../temporal/time-skipping-server.ts';
import { btcdProgram } from './chains/btcd.ts';
import { type ManagedProcess, type ProcessDescription, startProcess, untilReady } from './managed-process.ts';
import { freePorts } from './ports.ts';
import { allOrNothing, checkout, isListening } from './processes.ts';
import { stripeMockCommand, stripeMockProgram } from './stripe-mock.ts';
import { versitygwProgram } from './versitygw.ts';

export type TestService = 'postgres' | 'temporal' | 'time-skipping' | 'stripe-mock' | 'btcd' | 'versitygw';

/** The variables through which tests find each service. Where one is set already, that server is used. */
export const serviceVariables: Record<TestService, string> = {
  postgres: 'TEST_DATABASE_ADMIN_URL',
  temporal: 'TEST_TEMPORAL_ADDRESS',
  'time-skipping': 'TEST_TIME_SKIPPING_SERVER',
  'stripe-mock': 'TEST_STRIPE_MOCK_URL',
  btcd: 'TEST_BTCD',
  versitygw: 'TEST_VERSITYGW',
};

/** Copied for each test file by `createTestDatabase`. */
export const templateDatabase = 'perennial_template';

export type TestServices = { env: Record<string, string>; stop: () => Promise<void> };

/** Starts what is wanted and not given by the environment. */
export async function startTestServices({
  wanted,
  report,
}: {
  wanted: readonly TestService[];
  report: Report;
}): Promise<TestServices> {
  const missing = wanted.filter((service) => !process.env[serviceVariables[service]]);
  const folder = await mkdtemp(join(tmpdir(), 'perennial-test-'));
  const running: ManagedProcess[] = [];
  const stop = async () => {
    await Promise.all(running.map((each) => each.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  const context: Context = {
    report,
    folder,
    cacheDir: loadConfig({ XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] }).cacheDir,
    ports: await freePorts(['postgres', 'temporal', 'stripeMock']),
    start: async (description, isReady) => {
      const logFile = join(folder, `${description.name}.log`);
      const started = await startProcess({ cwd: checkout, env: process.env, logFile, ...description });
      running.push(started);
      await untilReady({ process: started, isReady });
    },
  };
  try {
    const found = await allOrNothing(missing.map((service) => starters[service](context)));
    return {
      env: Object.fromEntries(
        missing.map((service, index) => [serviceVariables[service], found[index] ?? '']),
      ),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Context = {
  report: Report;
  folder: string;
  cacheDir: string;
  ports: { postgres: number; temporal: number; stripeMock: number };
  start: (
    description: Pick<ProcessDescription, 'name' | 'command' | 'args'> & Partial<ProcessDescription>,
    isReady: () => Promise<boolean>,
  ) => Promise<void>;
};

const starters: Record<TestService, (context: Context) => Promise<string>> = {
  postgres: async ({ report, folder, ports: { postgres: port }, start }) => {
    report('Starting PostgreSQL and migrating its template …');
    const prepared = await preparePostgres({ dataDir: join(folder, 'postgres') });
    const command = postgresCommand({ ...prepared, port, durable: false });
    const adminUrl = localAdminUrl({ port, database: 'postgres' });
    await start(
      { name: 'postgres', ...command, cwd: prepared.dataDir, runAs: prepared.runAs, stopSignal: 'SIGINT' },
      () => postgresIsReady(adminUrl),
    );
    await createLocalDatabase({ port, database: templateDatabase });
    await migrateDatabase({ adminUrl: localAdminUrl({ port, database: templateDatabase }) });
    return adminUrl;
  },

  temporal: async ({ report, cacheDir, ports: { temporal: port }, start }) => {
    const executable = await findTemporalCli({ cacheDir, report });
    report('Starting Temporal …');
    await start({ name: 'temporal', ...devServerCommand({ executable, port }) }, () => isListening(port));
    return `127.0.0.1:${port}`;
  },

  'time-skipping': ({ report, cacheDir }) => findTimeSkippingServer({ cacheDir, report }),

  'stripe-mock': async ({ report, cacheDir, ports: { stripeMock: port }, start }) => {
    const executable = await findGoProgram(stripeMockProgram, { cacheDir, report });
    await start({ name: 'stripe-mock', ...stripeMockCommand({ executable, port }) }, () => isListening(port));
    return `http://127.0.0.1:${port}`;
  },

  btcd: ({ report, cacheDir }) => findGoProgram(btcdProgram, { cacheDir, report }),

  // The only one that is done without: files are kept in a folder as well.
  versitygw: async ({ report, cacheDir }) => {
    try {
      return await findGoProgram(versitygwProgram, { cacheDir, report });
    } catch (error) {
      if (!(error instanceof MissingProgramError)) throw error;
      report(`SKIPPED: the tests of S3. ${error.message}`);
      return '';
    }
  },
};
