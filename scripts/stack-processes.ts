// The long-running processes of a stack: how each is run and when it is ready, and the set of those that run.

import { join } from 'node:path';
import type { Report } from '../config/local-binaries.ts';
import { localAdminUrl } from '../config/local-database.ts';
import { postgresCommand, postgresIsReady, preparePostgres } from '../db/local-server.ts';
import { devServerCommand, findTemporalCli } from '../temporal/local-server.ts';
import { removeRunFile, writeRunFile } from './leftovers.ts';
import {
  describeEnd,
  type ManagedProcess,
  type ProcessDescription,
  startProcess,
  untilReady,
} from './managed-process.ts';
import type { Ports } from './ports.ts';
import {
  answersOk,
  chainProcesses,
  checkout,
  type EntryPoint,
  isListening,
  localCommand,
  type ProcessName,
} from './processes.ts';
import { type Plan, type StackOptions, urlsOf } from './stack-plan.ts';

/** How to run a process and how to know that it answers. */
export type Runnable = {
  description: ProcessDescription;
  isReady: () => Promise<boolean>;
  /** Each time before it is started, and each time it answers. */
  beforeStart?: () => Promise<void>;
  afterReady?: () => Promise<void>;
};

/** Prepares what a process needs and tells how to run it. */
export async function runnable({
  name,
  options: { home, report = () => {}, durable = true, onLine },
  plan: { env, ports, config },
}: {
  name: ProcessName;
  options: StackOptions;
  plan: Plan;
}): Promise<Runnable> {
  const common = {
    name,
    env,
    cwd: checkout,
    logFile: join(home, 'logs', `${name}.log`),
    onLine: onLine && ((line: string) => onLine(name, line)),
  };
  switch (name) {
    case 'postgres': {
      const prepared = await preparePostgres({ dataDir: join(home, 'postgres') });
      const command = postgresCommand({ ...prepared, port: ports.postgres, durable });
      return {
        description: {
          ...common,
          ...command,
          cwd: prepared.dataDir,
          runAs: prepared.runAs,
          stopSignal: 'SIGINT',
        },
        isReady: () => postgresIsReady(localAdminUrl({ port: ports.postgres, database: 'postgres' })),
      };
    }
    case 'temporal': {
      const command = devServerCommand({
        executable: await findTemporalCli({ cacheDir: config.cacheDir, report }),
        port: ports.temporal,
        uiPort: ports.temporalUi,
        codecEndpoint: urlsOf(config).codec,
        databaseFile: join(home, 'temporal.db'),
      });
      return {
        description: { ...common, ...command },
        isReady: async () =>
          (await isListening(ports.temporal)) && answersOk(`http://127.0.0.1:${ports.temporalUi}`),
      };
    }
    case 'stripe-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.stripeSandbox) });
    case 'resend-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.resendSandbox) });
    case 'razorpay-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.razorpaySandbox) });
    case 'coinbase-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.coinbaseSandbox) });
    case 'slack-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.slackSandbox) });
    case 'plaid-sandbox':
      return ownProcess({ ...common, entryPoint: name, isReady: () => isListening(ports.plaidSandbox) });
    case 'frankfurter-sandbox':
      return ownProcess({
        ...common,
        entryPoint: name,
        isReady: () => isListening(ports.frankfurterSandbox),
      });
    case 'market-prices-sandbox':
      return ownProcess({
        ...common,
        entryPoint: name,
        isReady: () => isListening(ports.marketPricesSandbox),
      });
    case 'btcd':
    case 'anvil': {
      // Loaded here: most stacks have no chains.
      const { localChain } = await import('./chains/local-chains.ts');
      const { isReady, beforeStart, afterReady, ...command } = await localChain(name, {
        home,
        config,
        report,
      });
      return { description: { ...common, ...command }, isReady, beforeStart, afterReady };
    }
    case 'workers':
      return ownProcess({
        ...common,
        entryPoint: name,
        graceMs: 30_000,
        isReady: () => workersAreReady(ports),
      });
    case 'api':
      return ownProcess({ ...common, entryPoint: name, isReady: () => apiIsReady(ports) });
  }
}

function ownProcess({
  entryPoint,

  isReady,
  ...common
}: Omit<ProcessDescription, 'command' | 'args'> & {
  entryPoint: EntryPoint;
  isReady: () => Promise<boolean>;
}): Runnable {
  return { description: { ...common, ...localCommand(entryPoint) }, isReady };
}

const workersAreReady = ({ worker }: Ports) => answersOk(`http://127.0.0.1:${worker}/readyz`);
const apiIsReady = ({ api }: Ports) => answersOk(`http://127.0.0.1:${api}/healthz`);

/** The running processes of one stack. */
export type Processes = ReturnType<typeof processSet>;

/** An empty set; remembers the order in which its processes were started. */
export function processSet({
  home,
  report,
  mayEnd,
}: {
  home: string;
  report: Report;
  mayEnd: readonly ProcessName[];
}) {
  const known = new Map<string, Runnable>();
  const running = new Map<string, ManagedProcess>();
  let reportFailure: (description: string) => void = () => {};
  const failed = new Promise<string>((resolve) => {
    reportFailure = resolve;
  });

  const start = async (runnable: Runnable): Promise<void> => {
    const { name } = runnable.description;
    if (running.get(name)?.isRunning()) throw new Error(`${name} is already running.`);
    await runnable.beforeStart?.();
    const started = await startProcess(runnable.description);
    known.set(name, runnable);
    running.set(name, started);
    writeRunFile(
      home,
      [...running.values()].filter((each) => each.isRunning()),
    );
    await untilReady({ process: started, isReady: runnable.isReady });
    await runnable.afterReady?.();
    void started.exited.then((exit) => {
      if (started.isExpectedToEnd()) return;
      const isFailure = !mayEnd.some((each) => each === name);
      (isFailure ? reportFailure : report)(describeEnd(started, exit));
    });
  };

  const get = (name: string): ManagedProcess => {
    const found = running.get(name);
    if (!found) throw new Error(`There is no process ${name}; there are ${[...running.keys()].join(', ')}.`);
    return found;
  };

  return {
    start,
    get,
    failed,
    startAgain: async (name: string): Promise<void> => {
      get(name);
      await start(known.get(name) as Runnable);
    },
    stopAll: async (): Promise<void> => {
      for (const stopping of stopOrder([...running.values()])) {
        const alive = stopping.filter((each) => each.isRunning());
        if (alive.length > 0) report(`Stopping ${alive.map(({ name }) => name).join(', ')} …`);
        await Promise.all(alive.map((each) => each.stop()));
      }
      removeRunFile(home);
    },
  };
}

/** What asks stops before what answers; additional workers and APIs stop with the first ones. */
function stopOrder(running: readonly ManagedProcess[]): ManagedProcess[][] {
  const servers = new Set<string>(['postgres', 'temporal', ...chainProcesses]);
  const sandboxes = new Set<string>([
    'stripe-sandbox',
    'resend-sandbox',
    'razorpay-sandbox',
    'coinbase-sandbox',
    'slack-sandbox',
    'plaid-sandbox',
    'frankfurter-sandbox',
    'market-prices-sandbox',
  ]);
  const isApi = ({ name }: ManagedProcess) => name.startsWith('api');
  const isServer = ({ name }: ManagedProcess) => servers.has(name) || sandboxes.has(name);
  return [
    running.filter(isApi),
    running.filter((each) => !isApi(each) && !isServer(each)),
    running.filter(isServer),
  ];
}
