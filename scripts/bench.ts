// `npm run bench`: what each process costs, and how the product compares with bare Temporal on this machine.
// With --json only the last line, one JSON object, is printed to standard output. Ends with 1 where an aim was missed.

import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { missedAims } from './bench/aims.ts';
import { measureMemory } from './bench/memory.ts';
import { measureRatios } from './bench/ratios.ts';
import { startStack } from './stack.ts';
import { progress, table } from './terminal.ts';
import { startTestServices } from './test-services.ts';

const json = process.argv.includes('--json');

const { scenarios, reports, chains, bank } = await playScenarios();
const { ratios, memory } = await measureStack();
const machine = {
  cores: availableParallelism(),
  memoryGb: Math.round(totalmem() / 2 ** 30),
  load: Number(loadavg()[0]?.toFixed(1)),
  node: process.version,
};
const { chainMatchVsScan, chainMatch100kVs1k, nodeCallsPerBlock, ...chainTimes } = chains;
const result = {
  scenarios,
  ratios: rounded({ ...ratios, chainMatchVsScan, chainMatch100kVs1k, ...bank }),
  nodeCallsPerBlock,
  chain: {
    blockToPaymentMs: rounded(chainTimes.blockToPaymentMs),
    ...rounded({ restartMs: chainTimes.restartMs, catchUp144Ms: chainTimes.catchUp144Ms }),
  },
  reports,
  memory,
  machine,
};
if (!json) {
  console.log(
    table(
      scenarios.map(({ name, actions, historyEvents, vendorCalls }) => [
        name,
        `${actions} actions, ${historyEvents} history events, ${vendorCalls} vendor calls`,
      ]),
    ),
  );
  console.log(
    table(reports.map(({ name, medianMs, worstMs }) => [name, `${medianMs} ms, at worst ${worstMs} ms`])),
  );
}
console.log(JSON.stringify(result));
const missed = missedAims({ scenarios, chains, bank, memory });
if (missed.length > 0) progress(`Aims that were missed:\n${missed.map((line) => `  ${line}`).join('\n')}`);
process.exit(missed.length > 0 ? 1 : 0);

/** Scenarios are counted on the time-skipping server: exact on any machine. Reports are timed beside nothing else. */
async function playScenarios() {
  progress('Playing the scenarios …');
  const services = await startTestServices({ wanted: ['postgres', 'time-skipping'], report: progress });
  Object.assign(process.env, services.env);
  try {
    const { runScenarios } = await import('./bench/scenarios.ts');
    const scenarios = await runScenarios();
    progress('Measuring reports …');
    const { measureReports } = await import('./bench/reports.ts');
    const reports = await measureReports();
    progress('Measuring a watcher of a chain …');
    const { measureChains } = await import('./bench/chains.ts');
    const chains = await measureChains();
    progress('Measuring the matching of bank transfers …');
    const { measureBank } = await import('./bench/bank.ts');
    return { scenarios, reports, chains, bank: await measureBank() };
  } finally {
    await services.stop();
  }
}

/** Measured on the whole product, as it runs under `npm start`. */
async function measureStack() {
  const home = await mkdtemp(join(tmpdir(), 'perennial-bench-'));
  progress('Starting the product …');
  const stack = await startStack({
    home,
    ports: 'free',
    isolated: true,
    seed: false,
    env: { LOG_LEVEL: 'warn', MAX_CACHED_WORKFLOWS: '3000' },
    report: progress,
  });
  try {
    progress('Measuring memory: 1,000 sleeping subscriptions, statements of 10,000 and 100,000 lines …');
    const memory = await measureMemory(stack);
    progress('Measuring ratios to bare Temporal …');
    return { memory, ratios: await measureRatios(stack) };
  } finally {
    await stack.stop();
    await rm(home, { recursive: true, force: true });
  }
}

function rounded<T extends Record<string, number>>(values: T): T {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Number(value.toFixed(2))]),
  ) as T;
}
