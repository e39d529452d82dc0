// `npm test`: starts the servers once, runs every suite and ends with the line `N passed, N failed`.
// `npm test -- unit stories` runs these suites only; other arguments go to vitest, such as a part of a file name.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from './processes.ts';
import { progress, table } from './terminal.ts';
import { startTestServices, type TestService } from './test-services.ts';
import { sum, type Totals, totalLine, totalsOf, type VitestReport } from './test-totals.ts';

/** Faults come last and alone: they start whole stacks and kill them. */
const suites: { name: string; services: readonly TestService[] }[] = [
  { name: 'unit', services: [] },
  {
    name: 'integration',
    services: ['postgres', 'temporal', 'time-skipping', 'stripe-mock', 'btcd', 'versitygw'],
  },
  { name: 'stories', services: ['postgres', 'time-skipping', 'btcd'] },
  { name: 'replay', services: [] },
  { name: 'fuzz', services: [] },
  { name: 'product', services: [] },
  { name: 'faults', services: [] },
];

const total = await main(process.argv.slice(2)).catch((error: Error): Totals => {
  progress(error.message);
  return { passed: 0, failed: 1, skipped: 0 };
});
process.exitCode = total.failed === 0 ? 0 : 1;
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
console.log(totalLine(total));

async function main(args: readonly string[]): Promise<Totals> {
  const named = suites.filter(({ name }) => args.includes(name));
  const chosen = named.length > 0 ? named : suites;
  const passedOn = args.filter((arg) => !suites.some(({ name }) => name === arg));

  const wanted = [...new Set(chosen.flatMap(({ services }) => services))];
  const services = await startTestServices({ wanted, report: progress });
  const reports = await mkdtemp(join(tmpdir(), 'perennial-reports-'));
  const cleanUp = async () => {
    await services.stop();
    await rm(reports, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
  }
  try {
    const results: [string, Totals][] = [];
    for (const { name } of chosen) {
      progress(`\n${name}`);
      results.push([name, await runVitest({ name, args: passedOn, env: services.env, reports })]);
    }
    progress(`\n${table(results.map(([name, totals]) => [name, totalLine(totals)]))}`);
    return sum(results.map(([, totals]) => totals));
  } finally {
    await cleanUp();
  }
}

async function runVitest({
  name,
  args,
  env,
  reports,
}: {
  name: string;
  args: readonly string[];
  env: Record<string, string>;
  reports: string;
}): Promise<Totals> {
  const outputFile = join(reports, `${name}.json`);
  const options = [
    'run',
    '--project',
    name,
    '--reporter=default',
    '--reporter=json',
    `--outputFile=${outputFile}`,
  ];
  const program = join(checkout, 'node_modules', 'vitest', 'vitest.mjs');
  const exitCode = await new Promise<number>((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...options, ...args], {
      cwd: checkout,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const report = await readFile(outputFile, 'utf8').then(
    (json) => JSON.parse(json) as VitestReport,
    () => undefined,
  );
  return totalsOf({ report, exitCode });
}
