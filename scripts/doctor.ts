// `npm run doctor`: looks at everything the other commands need and says how to get what is missing. It changes
// nothing and builds nothing. Exit code 1 when something stands in the way.

import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Config, ConfigError, loadConfig } from '../config/env.ts';
import { findOnPath, isExecutable, locateGoProgram } from '../config/local-binaries.ts';
import { postgresIsReady } from '../db/local-server.ts';
import { cachedTemporalCli } from '../temporal/local-server.ts';
import { cachedTimeSkippingServer } from '../temporal/time-skipping-server.ts';
import { btcdProgram } from './chains/btcd.ts';
import { loadEnvironmentFile } from './environment-file.ts';
import { takenPorts } from './ports.ts';
import { answersOk, checkout, isListening } from './processes.ts';
import { isInstalled, isUsableNode } from './setup.mjs';
import { portsOf } from './stack-plan.ts';
import { stripeMockProgram } from './stripe-mock.ts';
import { runScript } from './terminal.ts';
import { versitygwProgram } from './versitygw.ts';

/** `wrong` stands in the way; `note` is good to know. */
type Finding = { state: 'ok' | 'note' | 'wrong'; about: string; text: string };

await runScript(async () => {
  loadEnvironmentFile();
  const findings = await examine();
  for (const { state, about, text } of findings)
    console.log(`${state.padEnd(5)}  ${about.padEnd(20)}  ${text}`);
  const wrong = findings.filter(({ state }) => state === 'wrong').length;
  console.log(wrong === 0 ? '\nNothing stands in the way.' : `\n${wrong} to mend.`);
  process.exitCode = wrong === 0 ? 0 : 1;
});

async function examine(): Promise<Finding[]> {
  const tools = [checkNode(), checkNpm(), checkDependencies()];
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [
      ...tools,
      ...error.mistakes.map((text): Finding => ({ state: 'wrong', about: 'environment', text })),
    ];
  }
  const runs = existsSync(join(config.home, 'running.json')) && (await isListening(config.api.port));
  return [
    ...tools,
    { state: 'ok', about: 'environment', text: `${config.environment}, state in ${config.home}` },
    checkWritable(config),
    ...checkPrograms(config),
    ...(runs ? [] : await checkPorts(config)),
    ...(await checkServers(config, runs)),
  ];
}

function checkNode(): Finding {
  const version = process.versions.node;
  return isUsableNode(version)
    ? { state: 'ok', about: 'Node', text: `${version} (${process.execPath})` }
    : {
        state: 'wrong',
        about: 'Node',
        text: `${version}; install Node 24 (https://nodejs.org), or run: npm ci`,
      };
}

function checkNpm(): Finding {
  try {
    const version = execFileSync('npm', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return { state: 'ok', about: 'npm', text: version };
  } catch {
    return { state: 'wrong', about: 'npm', text: 'missing; it comes with Node (https://nodejs.org)' };
  }
}

function checkDependencies(): Finding {
  return isInstalled(checkout)
    ? { state: 'ok', about: 'dependencies', text: 'as in package-lock.json' }
    : { state: 'wrong', about: 'dependencies', text: 'differ from package-lock.json; run: npm ci' };
}

function checkWritable({ home }: Config): Finding {
  let existing = home;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK);
    return { state: 'ok', about: 'state folder', text: home };
  } catch {
    return {
      state: 'wrong',
      about: 'state folder',
      text: `${home} cannot be written; set PERENNIAL_HOME to another`,
    };
  }
}

/** Where a program is missing but can be built, the next start does so by itself. */
function checkPrograms({ cacheDir, temporal, database }: Config): Finding[] {
  const go = findOnPath('go');
  const java = findOnPath('java');
  const maven = findOnPath('mvn');
  const program = (
    about: string,
    found: string | undefined,
    canBeMade: boolean,
    otherwise: string,
  ): Finding => {
    if (found) return { state: 'ok', about, text: found };
    if (canBeMade)
      return { state: 'note', about, text: 'not there yet; it is fetched or built at the first use' };
    return { state: 'note', about, text: `not there; the SDK's download is tried, otherwise ${otherwise}` };
  };
  const cached = (path: string) => (isExecutable(path) ? path : undefined);
  return [
    temporal.external
      ? { state: 'ok', about: 'Temporal program', text: 'not needed: TEMPORAL_ADDRESS is set' }
      : program(
          'Temporal program',
          findOnPath('temporal') ?? cached(cachedTemporalCli(cacheDir)),
          go !== undefined,
          'install the CLI (https://docs.temporal.io/cli) or Go (https://go.dev/dl)',
        ),
    program(
      'time-skipping server',
      java && cached(cachedTimeSkippingServer(cacheDir)),
      java !== undefined && maven !== undefined,
      'install Java 11 or newer and Maven (for `npm test` only)',
    ),
    program(
      'stripe-mock',
      locateGoProgram(stripeMockProgram, cacheDir),
      go !== undefined,
      'install Go (for `npm test` only)',
    ),
    program(
      'btcd',
      locateGoProgram(btcdProgram, cacheDir),
      go !== undefined,
      'install Go (for `npm test`, and to be paid in bitcoin on this machine)',
    ),
    program(
      'versitygw',
      locateGoProgram(versitygwProgram, cacheDir),
      go !== undefined,
      'install Go (for `npm test` only, which does without)',
    ),
    database.external
      ? { state: 'ok', about: 'PostgreSQL program', text: 'not needed: DATABASE_URL is set' }
      : { state: 'ok', about: 'PostgreSQL program', text: 'embedded, from node_modules' },
  ];
}

async function checkPorts(config: Config): Promise<Finding[]> {
  const {
    temporal,
    temporalUi,
    postgres,
    stripeSandbox,
    resendSandbox,
    razorpaySandbox,
    coinbaseSandbox,
    slackSandbox,
    plaidSandbox,
    frankfurterSandbox,
    marketPricesSandbox,
    btcd,
    anvil,
    ...own
  } = portsOf(config);
  const { network, watched } = config.chains;
  const runsHere = (chain: 'bitcoin' | 'ethereum') =>
    network === 'local' && config.environment !== 'production' && watched[chain].nodes.length === 0;
  const taken = await takenPorts({
    ...own,
    ...(config.temporal.external ? {} : { temporal, temporalUi }),
    ...(config.database.external ? {} : { postgres }),
    ...(config.stripe.sandboxed ? { stripeSandbox } : {}),
    ...(config.resend.sandboxed ? { resendSandbox } : {}),
    ...(config.razorpay.sandboxed ? { razorpaySandbox } : {}),
    ...(config.coinbase.sandboxed ? { coinbaseSandbox } : {}),
    ...(config.operatorChat.sandboxed ? { slackSandbox } : {}),
    ...(config.plaid.sandboxed ? { plaidSandbox } : {}),
    ...(config.frankfurter.sandboxed ? { frankfurterSandbox } : {}),
    ...(config.marketPrices.sandboxed ? { marketPricesSandbox } : {}),
    ...(runsHere('bitcoin') ? { btcd } : {}),
    ...(runsHere('ethereum') ? { anvil } : {}),
  });
  if (taken.length === 0) return [{ state: 'ok', about: 'ports', text: 'all free' }];
  return taken.map((text) => ({ state: 'wrong', about: 'ports', text }));
}

/** A server of our own that does not run is no fault: `npm start` starts it. One that was named must answer. */
async function checkServers(config: Config, runs: boolean): Promise<Finding[]> {
  const { temporal, database, api } = config;
  const [host = '', port = ''] = temporal.address.split(/:(?=\d+$)/);
  const server = (
    about: string,
    answers: boolean,
    place: string,
    mustAnswer: boolean,
    fix: string,
  ): Finding => {
    if (answers) return { state: 'ok', about, text: `answers at ${place}` };
    if (mustAnswer) return { state: 'wrong', about, text: `nothing answers at ${place}; ${fix}` };
    return { state: 'note', about, text: 'does not run; npm start starts it' };
  };
  const { host: databaseHost } = new URL(database.url);
  return [
    server(
      'PostgreSQL',
      await postgresIsReady(database.url),
      databaseHost,
      database.external || runs,
      'check DATABASE_URL, and that the server runs',
    ),
    server(
      'Temporal',
      await isListening(Number(port), host),
      temporal.address,
      temporal.external || runs,
      'check TEMPORAL_ADDRESS, and that the server runs',
    ),
    server(
      'API',
      await answersOk(`http://127.0.0.1:${api.port}/readyz`),
      `http://127.0.0.1:${api.port}`,
      runs,
      `its log is ${join(config.home, 'logs', 'api.log')}`,
    ),
  ];
}
