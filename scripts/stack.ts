// Starts the whole product on this machine: servers, sandboxes, workers and API as processes of their own. `npm
// start`, the demo, the bench, the kill test and the fault test all start it here, so that what is tested is what
// runs. Every process can be killed and started again by name.

import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../config/env.ts';
import type { Report } from '../config/local-binaries.ts';
import { localDatabase } from '../config/local-database.ts';
import { createLocalDatabase } from '../db/local-server.ts';
import { endLeftovers } from './leftovers.ts';
import type { Exit, ManagedProcess } from './managed-process.ts';
import { freePorts, type Ports } from './ports.ts';
import { allOrNothing, checkout, type EntryPoint, localCommand, type ProcessName } from './processes.ts';
import {
  type Plan,
  planStack,
  portEnvironment,
  refuseSilentServers,
  refuseTakenPorts,
  type StackOptions,
  type StackUrls,
  urlsOf,
} from './stack-plan.ts';
import { type Processes, processSet, runnable } from './stack-processes.ts';

export type Stack = {
  readonly home: string;
  readonly ports: Ports;
  readonly config: Config;
  /** The environment its processes have; tests connect with it. */
  readonly env: NodeJS.ProcessEnv;
  readonly urls: StackUrls;
  /** The seeded tenant; undefined without `seed`. */
  readonly demo: DemoTenant | undefined;
  /** A running process by its name. */
  readonly process: (name: string) => ManagedProcess;
  /** Ends a process at once (SIGKILL unless told otherwise) and waits until it is gone. */
  readonly kill: (name: string, signal?: NodeJS.Signals) => Promise<Exit>;
  /** Lets a process finish its work and waits until it is gone. */
  readonly stopProcess: (name: string) => Promise<Exit>;
  /** Starts a process that has ended, as it was, and waits until it is ready. */
  readonly start: (name: string) => Promise<void>;
  /** `kill` and `start`. */
  readonly restart: (name: string) => Promise<void>;
  /** A further API or worker under a name of its own, on free ports. Returns its ports. */
  readonly add: (options: {
    name: string;
    like: 'api' | 'workers';
    env?: Record<string, string>;
  }) => Promise<Ports>;
  /** Resolves with a description when a process ends that nobody asked to. */
  readonly failed: Promise<string>;
  /** Stops everything: API first, then workers with time to finish, then the servers. */
  readonly stop: () => Promise<void>;
};

export type DemoTenant = { tenantId: string; apiKey: string };

/** Starts the stack and returns when all of it answers. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { home, report = () => {}, seed = true } = options;
  mkdirSync(home, { recursive: true });
  await endLeftovers(home, report);

  const plan = await planStack(options);
  await refuseTakenPorts(plan);
  await refuseSilentServers(plan);
  const processes = processSet({ home, report, mayEnd: options.mayEnd ?? [] });
  try {
    const demo = await startAll({ options: { ...options, report, seed }, plan, processes });
    return {
      home,
      ports: plan.ports,
      config: plan.config,
      env: plan.env,
      urls: urlsOf(plan.config),
      demo,
      process: processes.get,
      kill: (name, signal) => processes.get(name).kill(signal),
      stopProcess: (name) => processes.get(name).stop(),
      start: processes.startAgain,
      restart: async (name) => {
        await processes.get(name).kill();
        await processes.startAgain(name);
      },
      add: (added) => addProcess({ ...added, options, plan, processes }),
      failed: processes.failed,
      stop: processes.stopAll,
    };
  } catch (error) {
    await processes.stopAll();
    throw error;
  }
}

async function startAll({
  options,
  plan,
  processes,
}: {
  options: StackOptions & { report: Report; seed: boolean };
  plan: Plan;
  processes: Processes;
}): Promise<DemoTenant | undefined> {
  const wanted = (name: ProcessName) => plan.names.includes(name);
  const start = async (name: ProcessName) => {
    if (wanted(name)) await processes.start(await runnable({ name, options, plan }));
  };
  const database = async () => {
    if (wanted('postgres')) {
      await start('postgres');
      await createLocalDatabase({ port: plan.ports.postgres, database: localDatabase });
    }
    if (!wanted('api') && !wanted('workers') && !options.seed) return undefined;
    options.report('Migrating the database …');
    await runOnce('migrate', plan.env);
    return options.seed ? readDemoTenant(await runOnce('seed', plan.env)) : undefined;
  };

  const servers = plan.names.filter((name) => name !== 'workers' && name !== 'api');
  options.report(`Starting ${servers.join(', ')} …`);
  const [demo] = await allOrNothing([
    database(),
    start('temporal'),
    start('stripe-sandbox'),
    start('resend-sandbox'),
    start('razorpay-sandbox'),
    start('coinbase-sandbox'),
    start('slack-sandbox'),
    start('plaid-sandbox'),
    start('frankfurter-sandbox'),
    start('market-prices-sandbox'),
    start('btcd'),
    start('anvil'),
  ]);
  if (wanted('workers') || wanted('api')) options.report('Starting workers and API …');
  await allOrNothing([start('workers'), start('api')]);
  return demo;
}

async function addProcess({
  name,
  like,
  env = {},
  options,
  plan,
  processes,
}: {
  name: string;
  like: 'api' | 'workers';
  env?: Record<string, string>;
  options: StackOptions;
  plan: Plan;
  processes: Processes;
}): Promise<Ports> {
  const own = await freePorts(['api', 'worker', 'metrics', 'codec']);
  const ports = { ...plan.ports, ...own };
  const publicUrl = { PUBLIC_URL: plan.config.publicUrl };
  const environment = { ...plan.env, ...publicUrl, ...portEnvironment(own), ...env };
  const model = await runnable({ name: like, options, plan: { ...plan, ports, env: environment } });
  const logFile = join(options.home, 'logs', `${name}.log`);
  await processes.start({ ...model, description: { ...model.description, name, logFile } });
  return ports;
}

async function runOnce(entryPoint: EntryPoint, env: NodeJS.ProcessEnv): Promise<string> {
  const { command, args } = localCommand(entryPoint);
  try {
    return (await promisify(execFile)(command, args, { cwd: checkout, env })).stdout;
  } catch (error) {
    const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string };
    throw new Error(`${args.join(' ')} failed:\n${`${stderr ?? ''}${stdout ?? ''}`.trim() || message}`);
  }
}

/** The seed prints one line of JSON, after whatever else it has to say. */
function readDemoTenant(output: string): DemoTenant {
  const line = output.trim().split('\n').at(-1) ?? '';
  const { tenantId, apiKey } = JSON.parse(line) as DemoTenant;
  return { tenantId, apiKey };
}
