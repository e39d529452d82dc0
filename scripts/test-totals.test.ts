import { expect, test } from 'vitest';
import { sum, totalLine, totalsOf, type VitestReport } from './test-totals.ts';

const nothing: VitestReport = {
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [],
};

test('tests that passed and failed are counted', () => {
  const report = { ...nothing, numPassedTests: 5, numFailedTests: 2, numPendingTests: 1 };
  expect(totalsOf({ report, exitCode: 1 })).toEqual({ passed: 5, failed: 2, skipped: 1 });
});

test.each<[string, { report: VitestReport | undefined; exitCode: number }]>([
  ['ended without a report', { report: undefined, exitCode: 0 }],
  ['had no test', { report: nothing, exitCode: 0 }],
  ['failed outside of its tests', { report: { ...nothing, numPassedTests: 3 }, exitCode: 1 }],
  [
    'had a file that could not be loaded',
    {
      report: { ...nothing, testResults: [{ name: 'a', status: 'failed', assertionResults: [] }] },
      exitCode: 1,
    },
  ],
])('a suite that %s has failed once', (_how, run) => {
  expect(totalsOf(run).failed).toBe(1);
});

test('a file with a failed test is not counted a second time', () => {
  const testResults = [{ name: 'a', status: 'failed', assertionResults: [{ status: 'failed' }] }];
  expect(totalsOf({ report: { ...nothing, numFailedTests: 1, testResults }, exitCode: 1 }).failed).toBe(1);
});

test('the last line has the sum over all suites', () => {
  const all = sum([
    { passed: 1, failed: 0, skipped: 0 },
    { passed: 2, failed: 1, skipped: 3 },
  ]);
  expect(totalLine(all)).toBe('3 passed, 1 failed');
});
