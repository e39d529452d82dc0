/**
 * schemathesis reads the OpenAPI document and sends what it allows and what it forbids. It is a Python program: it is
 * installed once into a virtual environment in the user's cache folder, to the byte as `requirements.txt` says.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  buildOnce,
  findOnPath,
  MissingProgramError,
  type Report,
  runWithProgress,
} from '../../config/local-binaries.ts';

const requirements = join(import.meta.dirname, 'requirements.txt');

/** The Python that has schemathesis. Throws a `MissingProgramError` that says what to install. */
export async function findSchemathesis({
  cacheDir,
  report,
}: {
  cacheDir: string;
  report: Report;
}): Promise<string> {
  const pins = await readFile(requirements, 'utf8');
  const version = /^schemathesis==(\S+)/m.exec(pins)?.[1];
  const digest = createHash('sha256').update(pins).digest('hex').slice(0, 8);
  return buildOnce({
    folder: join(cacheDir, `schemathesis-${version}-${digest}`),
    file: join('bin', 'python'),
    build: async (folder) => {
      const python = await findPython();
      const label = `Installing schemathesis ${version} (once)`;
      await runWithProgress({ label: 'Creating a virtual environment', ...venv(python, folder), report });
      await runWithProgress({ label, ...install(folder), report });
    },
  }).catch((error: Error) => {
    throw error instanceof MissingProgramError ? error : cannotInstall(error);
  });
}

const venv = (python: string, folder: string) => ({ command: python, args: ['-m', 'venv', folder] });

/** Wheels only: what is installed runs no build script of its own. */
const install = (folder: string) => ({
  command: join(folder, 'bin', 'python'),
  args: [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'],
    ...['--require-hashes', '--only-binary', ':all:', '--requirement', requirements],
  ],
});

async function findPython(): Promise<string> {
  const python = findOnPath('python3');
  if (python === undefined) throw new MissingProgramError(`python3 was not found. ${advice}`);
  const check = 'import sys, ensurepip, venv; sys.exit(0 if sys.version_info >= (3, 11) else 1)';
  await promisify(execFile)(python, ['-c', check]).catch(() => {
    throw new MissingProgramError(`${python} is older than 3.11 or lacks the module venv. ${advice}`);
  });
  return python;
}

const advice =
  'The API fuzz needs Python 3.11 or newer with venv (https://www.python.org/downloads; on Debian and Ubuntu: ' +
  'apt install python3 python3-venv), and installs schemathesis by itself.';

function cannotInstall(cause: Error): MissingProgramError {
  return new MissingProgramError(
    `schemathesis could not be installed from the Python package index (pip's own settings apply): ${cause.message}`,
  );
}

/** A failed check of one operation, or of a sequence of several (`Stateful tests`). */
export type Finding = { operation: string; text: string };

export type FuzzResult = {
  findings: Finding[];
  /** Operations that were tested, as `METHOD /path`. */
  operations: string[];
  /** Requests that were sent and checked. */
  cases: number;
  /** Operations that never accepted a request. */
  unreached: string[];
  /** Problems of the run itself; empty when it went through. */
  errors: string[];
};

/** Runs all checks on all operations. `ids` are values that requests may use, by the names of the configuration. */
export async function fuzz({
  python,
  url,
  apiKey,
  webhookSecret,
  razorpaySecret,
  razorpayKeySecret,
  coinbaseSecret,
  commerceSecret,
  plaidSandbox,
  razorpayIds,
  ids,
  kept,
  seed,
  folder,
}: {
  python: string;
  url: string;
  apiKey: string;
  webhookSecret: string;
  razorpaySecret: string;
  razorpayKeySecret: string;
  coinbaseSecret: string;
  commerceSecret: string;
  /** Where the one listens who signs in Plaid's place. */
  plaidSandbox: string;
  /** What Razorpay calls our orders and subscriptions. */
  razorpayIds: Record<string, string>;
  ids: Record<string, readonly string[]>;
  /** Ids of what must not be revoked or archived. */
  kept: readonly string[];
  seed: number;
  /** For reports and other files of the run. */
  folder: string;
}): Promise<FuzzResult> {
  const config = join(folder, 'schemathesis.toml');
  await writeFile(
    config,
    `${await readFile(join(import.meta.dirname, 'schemathesis.toml'))}\n${tables(ids)}`,
  );
  const reports = { json: join(folder, 'report.json'), junit: join(folder, 'report.xml') };
  const args = [
    ...['-m', 'schemathesis.cli', '--config-file', config, 'run', `${url}/openapi.json`, '--url', url],
    ...['--checks', 'all', '--seed', String(seed), '--header', `Authorization: Bearer ${apiKey}`],
    ...['--report', 'json,junit', '--report-json-path', reports.json, '--report-junit-path', reports.junit],
    '--no-color',
  ];
  const env = {
    ...process.env,
    SCHEMATHESIS_HOOKS: 'hooks',
    FUZZ_DICTIONARIES: JSON.stringify(ids),
    FUZZ_IDS: JSON.stringify(byPrefix(Object.values(ids).flat())),
    FUZZ_KEPT_IDS: kept.join(','),
    FUZZ_WEBHOOK_SECRET: webhookSecret,
    FUZZ_RAZORPAY_SECRET: razorpaySecret,
    FUZZ_RAZORPAY_KEY_SECRET: razorpayKeySecret,
    FUZZ_COINBASE_SECRET: coinbaseSecret,
    FUZZ_COMMERCE_SECRET: commerceSecret,
    FUZZ_PLAID_SANDBOX: plaidSandbox,
    FUZZ_RAZORPAY_IDS: JSON.stringify(razorpayIds),
    PYTHONPATH: import.meta.dirname,
    PYTHONDONTWRITEBYTECODE: '1',
  };
  const output = await outputOf(python, args, { cwd: folder, env });
  const report = await readFile(reports.json, 'utf8').then(
    (text) => JSON.parse(text) as RunReport,
    () => undefined,
  );
  if (report === undefined) throw new Error(`schemathesis wrote no report:\n${output.slice(-4_000)}`);
  const testcases = readJunit(await readFile(reports.junit, 'utf8'));
  return {
    findings: testcases.flatMap(({ name, failures }) => failures.map((text) => ({ operation: name, text }))),
    operations: testcases.map(({ name }) => name),
    cases: report.test_cases.generated,
    unreached: Object.entries(report.valid_rates).flatMap(([operation, phases]) =>
      Object.values(phases).some(({ accepted }) => accepted > 0) ? [] : [operation],
    ),
    errors: [
      ...report.errors.map((error) => JSON.stringify(error)),
      ...(report.complete ? [] : [`The run ended early: ${report.stop_reason}`]),
    ],
  };
}

/** The part of the JSON report that is read. */
type RunReport = {
  complete: boolean;
  stop_reason: string;
  errors: unknown[];
  test_cases: { generated: number };
  /** By operation and phase. */
  valid_rates: Record<string, Record<string, { accepted: number }>>;
};

/** An array of strings in JSON is one in TOML. */
function tables(ids: Record<string, readonly string[]>): string {
  return Object.entries(ids)
    .map(([name, values]) => `[dictionaries.${name}]\nvalues = ${JSON.stringify(values)}\n`)
    .join('\n');
}

/** `cus_…` under `cus`; what is no id is left out. */
function byPrefix(values: readonly string[]): Partial<Record<string, string[]>> {
  const ids = values.filter((value) => /^[a-z]+_[\da-f]{32}$/.test(value));
  return Object.groupBy(ids, (id) => id.slice(0, id.indexOf('_')));
}

function outputOf(
  command: string,
  args: string[],
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

type Testcase = { name: string; failures: string[] };

/** Its JUnit file is flat: cases with failures (or errors) inside, everything else escaped. */
function readJunit(xml: string): Testcase[] {
  return [...xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, name = '', inside = '']) => ({
      name: unescapeXml(name),
      failures: [
        ...inside.matchAll(/<(?:failure|error)\b[^>]*?(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/g),
      ].map(([, text = '']) => unescapeXml(text)),
    }),
  );
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal));
  });
}
