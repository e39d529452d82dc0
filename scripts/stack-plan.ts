// What a stack consists of: its settings, its ports and the processes that run here. Decided before anything starts,
// so that mistakes in the settings and taken ports are told at once.

import { type Config, loadConfig, variableNames } from '../config/env.ts';
import type { Report } from '../config/local-binaries.ts';
import { postgresIsReady } from '../db/local-server.ts';
import { freePorts, type PortName, type Ports, portVariables, takenPorts } from './ports.ts';
import { chainProcesses, isListening, type ProcessName, processNames } from './processes.ts';

export type StackOptions = {
  /** Folder of the state and the logs; a second start with the same folder continues where the first one ended. */
  home: string;
  /** `free`: all chosen by the operating system. Otherwise the given ones, and the configured ones for the rest. */
  ports?: 'free' | Partial<Ports>;
  /** Laid over the environment of the API, the workers and the sandboxes. */
  env?: Record<string, string>;
  /** Only these processes; all of them by default, but for the chains. */
  only?: readonly ProcessName[];
  /** Runs chains too, where no nodes were named, so that invoices can be paid in coins. */
  chains?: boolean;
  /** Ignores settings in the environment, such as DATABASE_URL: for everything that writes test data. */
  isolated?: boolean;
  /** Loses the database in a power cut and gains speed. */
  durable?: boolean;
  /** Creates the demo tenant. */
  seed?: boolean;
  /** Whose end is only reported, and does not count as a failure of the stack. */
  mayEnd?: readonly ProcessName[];
  report?: Report;
  /** Every line a process prints. */
  onLine?: (name: string, line: string) => void;
};

export type StackUrls = {
  api: string;
  apiDocs: string;
  temporalUi: string;
  mail: string;
  chat: string;
  stripeSandbox: string;
  razorpaySandbox: string;
  coinbaseSandbox: string;
  plaidSandbox: string;
  codec: string;
  worker: string;
  metrics: string;
};

/** Everything decided before the start. */
export type Plan = { config: Config; env: NodeJS.ProcessEnv; ports: Ports; names: readonly ProcessName[] };

/** Decides ports, environment and processes. */
export async function planStack({
  home,
  ports = {},
  env = {},
  chains = false,
  only = chains ? processNames : withoutChains,
  isolated = false,
  report = () => {},
}: StackOptions): Promise<Plan> {
  const inherited = isolated ? withoutSettings(process.env) : process.env;
  const chosen = ports === 'free' ? await freePorts(Object.keys(portVariables) as PortName[]) : ports;
  const base = { ...inherited, PERENNIAL_HOME: home, ...portEnvironment(chosen) };
  const local = loadConfig(base);

  const { found, settings } = await findLocalChains({ wanted: only, config: local, report });
  const names = only.filter(
    (name) =>
      !(name === 'postgres' && local.database.external) &&
      !(name === 'temporal' && local.temporal.external) &&
      !(name === 'stripe-sandbox' && !local.stripe.sandboxed) &&
      !(name === 'resend-sandbox' && !local.resend.sandboxed) &&
      !(name === 'razorpay-sandbox' && !local.razorpay.sandboxed) &&
      !(name === 'coinbase-sandbox' && !local.coinbase.sandboxed) &&
      !(name === 'slack-sandbox' && !local.operatorChat.sandboxed) &&
      !(name === 'plaid-sandbox' && !local.plaid.sandboxed) &&
      !(name === 'frankfurter-sandbox' && !local.frankfurter.sandboxed) &&
      !(name === 'market-prices-sandbox' && !local.marketPrices.sandboxed) &&
      (!isChain(name) || found.includes(name)),
  );
  // Written out, so that programs which read only these (the SDK, the CLI) see the same servers as ours do.
  const complete = {
    ...base,
    TEMPORAL_ADDRESS: local.temporal.address,
    TEMPORAL_NAMESPACE: local.temporal.namespace,
    ...settings,
    ...env,
  };
  return { config: loadConfig(complete), env: complete, ports: portsOf(local), names };
}

const isChain = (name: ProcessName) => chainProcesses.some((each) => each === name);
const withoutChains = processNames.filter((name) => !isChain(name));

/** What runs the chains is loaded where they are wanted only: it takes half a second. */
async function findLocalChains({
  wanted,
  config,
  report,
}: {
  wanted: readonly ProcessName[];
  config: Config;
  report: Report;
}): Promise<{ found: readonly ProcessName[]; settings: Record<string, string> }> {
  const chains = chainProcesses.filter((name) => wanted.includes(name));
  if (chains.length === 0) return { found: [], settings: {} };
  const { chainSettings, findChains } = await import('./chains/local-chains.ts');
  const found = await findChains({ wanted: chains, config, report });
  return { found, settings: chainSettings(found, config.chains.localPorts) };
}

/** Names every port that is taken, before anything is started. */
export async function refuseTakenPorts({ ports, names }: Plan): Promise<void> {
  const owners: Record<ProcessName, readonly PortName[]> = {
    postgres: ['postgres'],
    temporal: ['temporal', 'temporalUi'],
    'stripe-sandbox': ['stripeSandbox'],
    'resend-sandbox': ['resendSandbox'],
    'razorpay-sandbox': ['razorpaySandbox'],
    'coinbase-sandbox': ['coinbaseSandbox'],
    'slack-sandbox': ['slackSandbox'],
    'plaid-sandbox': ['plaidSandbox'],
    'frankfurter-sandbox': ['frankfurterSandbox'],
    'market-prices-sandbox': ['marketPricesSandbox'],
    btcd: ['btcd'],
    anvil: ['anvil'],
    workers: ['worker', 'metrics', 'codec'],
    api: ['api'],
  };
  const wanted = names.flatMap((name) => owners[name]).map((name) => [name, ports[name]]);
  const taken = await takenPorts(Object.fromEntries(wanted) as Partial<Ports>);
  if (taken.length > 0) throw new Error(taken.join('\n'));
}

/** A server that was named must answer; to find out later would mean to wait for it in vain. */
export async function refuseSilentServers({ config, names }: Plan): Promise<void> {
  const { temporal, database } = config;
  const [host = '', port = ''] = temporal.address.split(/:(?=\d+$)/);
  const mistakes: string[] = [];
  if (!names.includes('temporal') && names.includes('workers') && !(await isListening(Number(port), host))) {
    mistakes.push(
      `Nothing answers at ${temporal.address}; check TEMPORAL_ADDRESS, or unset it for a local server.`,
    );
  }
  if (!names.includes('postgres') && names.includes('workers') && !(await postgresIsReady(database.url))) {
    const place = new URL(database.url).host;
    mistakes.push(
      `No PostgreSQL lets us in at ${place}; check DATABASE_URL, or unset it for an embedded server.`,
    );
  }
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
}

/** Where people find what runs. */
export function urlsOf(config: Config): StackUrls {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  return {
    api: at(config.api.port),
    apiDocs: `${at(config.api.port)}/docs`,
    temporalUi: config.temporal.uiUrl,
    mail: at(config.resend.sandboxPort),
    chat: at(config.operatorChat.sandboxPort),
    stripeSandbox: at(config.stripe.sandboxPort),
    razorpaySandbox: at(config.razorpay.sandboxPort),
    coinbaseSandbox: at(config.coinbase.sandboxPort),
    plaidSandbox: at(config.plaid.sandboxPort),
    codec: at(config.worker.codecPort),
    worker: at(config.worker.port),
    metrics: at(config.worker.metricsPort),
  };
}

/** The ports that the settings say. */
export function portsOf(config: Config): Ports {
  return {
    api: config.api.port,
    codec: config.worker.codecPort,
    worker: config.worker.port,
    metrics: config.worker.metricsPort,
    stripeSandbox: config.stripe.sandboxPort,
    resendSandbox: config.resend.sandboxPort,
    razorpaySandbox: config.razorpay.sandboxPort,
    coinbaseSandbox: config.coinbase.sandboxPort,
    slackSandbox: config.operatorChat.sandboxPort,
    plaidSandbox: config.plaid.sandboxPort,
    frankfurterSandbox: config.frankfurter.sandboxPort,
    marketPricesSandbox: config.marketPrices.sandboxPort,
    btcd: config.chains.localPorts.bitcoin,
    anvil: config.chains.localPorts.ethereum,
    temporal: config.temporal.localPort,
    temporalUi: config.temporal.localUiPort,
    postgres: config.database.localPort,
  };
}

/** The ports as the processes read them. */
export function portEnvironment(ports: Partial<Ports>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [portVariables[name as PortName], String(port)]),
  );
}

/** Where to find programs and how much to log is about the machine, not about whose data is touched. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = new Set(['XDG_CACHE_HOME', 'LOG_LEVEL']);
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => kept.has(name) || !(variableNames.includes(name) || name.startsWith('TEMPORAL_')),
    ),
  );
}
