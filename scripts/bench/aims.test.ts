// When a run of the bench has failed, and what it says then.

import { expect, test } from 'vitest';
import { actionAims, type Judged, missedAims } from './aims.ts';

/** Everything exactly at its aim. */
const reached: Judged = {
  scenarios: Object.entries(actionAims).map(([name, actions]) => ({ name, actions })),
  chains: {
    chainMatchVsScan: 100,
    chainMatch100kVs1k: 10,
    nodeCallsPerBlock: { at1k: 7, at100k: 7 },
    blockToPaymentMs: { p50: 900, p95: 500 },
    restartMs: 10_000,
    catchUp144Ms: 60_000,
  },
  bank: { bankMatchVsJoin: 20 },
  memory: { kbPerCachedWorkflow: 400, statement10kMb: 200, statement100kMb: 300 },
};

test('a run that reaches every aim to the dot misses none', () => {
  expect(missedAims(reached)).toEqual([]);
});

test.each<[string, Partial<Judged['chains']>]>([
  ['chainMatchVsScan: 99.999, and at least 100 is wanted', { chainMatchVsScan: 99.999 }],
  ['chainMatchVsScan: NaN, and at least 100 is wanted', { chainMatchVsScan: Number.NaN }],
  ['chainMatchVsScan: Infinity, and at least 100 is wanted', { chainMatchVsScan: Number.POSITIVE_INFINITY }],
  ['chainMatch100kVs1k: 10.001, and at most 10 is wanted', { chainMatch100kVs1k: 10.001 }],
  ['chainMatch100kVs1k: NaN, and at most 10 is wanted', { chainMatch100kVs1k: Number.NaN }],
  [
    'nodeCallsPerBlock: 7 with 1,000 open invoices and 8 with 100,000, and the same number is wanted',
    { nodeCallsPerBlock: { at1k: 7, at100k: 8 } },
  ],
  [
    'nodeCallsPerBlock: 8 with 1,000 open invoices and 7 with 100,000, and the same number is wanted',
    { nodeCallsPerBlock: { at1k: 8, at100k: 7 } },
  ],
  [
    'nodeCallsPerBlock: 0 with 1,000 open invoices and 0 with 100,000, and the same number is wanted',
    { nodeCallsPerBlock: { at1k: 0, at100k: 0 } },
  ],
  ['blockToPaymentMs.p95: 500.5, and at most 500 is wanted', { blockToPaymentMs: { p50: 1, p95: 500.5 } }],
  ['restartMs: 10001, and at most 10000 is wanted', { restartMs: 10_001 }],
  ['catchUp144Ms: 60001, and at most 60000 is wanted', { catchUp144Ms: 60_001 }],
])('a run that misses one aim says which: %s', (line, chains) => {
  expect(missedAims({ ...reached, chains: { ...reached.chains, ...chains } })).toEqual([line]);
});

test.each(Object.entries(actionAims))('%s may cost no more than %i actions', (name, most) => {
  const scenarios = reached.scenarios.map((each) =>
    each.name === name ? { ...each, actions: most + 1 } : each,
  );
  expect(missedAims({ ...reached, scenarios })).toEqual([
    `actions of ${name}: ${most + 1}, and at most ${most} is wanted`,
  ]);
});

test('a scenario that was not played has missed its aim', () => {
  const scenarios = reached.scenarios.filter(({ name }) => name !== 'crypto-paid');
  expect(missedAims({ ...reached, scenarios })).toEqual([
    'actions of crypto-paid: not measured, and at most 5 is wanted',
  ]);
});

test('a run that misses several says all of them', () => {
  const chains = { ...reached.chains, chainMatchVsScan: 1, restartMs: 20_000 };
  expect(missedAims({ ...reached, chains })).toEqual([
    'chainMatchVsScan: 1, and at least 100 is wanted',
    'restartMs: 20000, and at most 10000 is wanted',
  ]);
});

test('a matching of bank transfers that costs more than twenty joins misses its aim', () => {
  expect(missedAims({ ...reached, bank: { bankMatchVsJoin: 20.001 } })).toEqual([
    'bankMatchVsJoin: 20.001, and at most 20 is wanted',
  ]);
});

test.each([[301], [Number.NaN]])(
  'a statement that is held in memory misses its aim: %d MB',
  (statement100kMb) => {
    const memory = { ...reached.memory, statement100kMb };
    const found = statement100kMb / 200;
    expect(missedAims({ ...reached, memory })).toEqual([
      `statement100kMb / statement10kMb: ${found}, and at most 1.5 is wanted`,
    ]);
  },
);
