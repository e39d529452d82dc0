// Adds up what the suites of `npm test` report. A file that cannot be loaded, an error outside of any test and a
// suite without tests are failures too: otherwise the less is tested, the better the result would look.

export type Totals = { passed: number; failed: number; skipped: number };

/** The part of vitest's JSON report that counts. */
export type VitestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { name: string; status: string; message?: string; assertionResults: { status: string }[] }[];
};

/** Totals of one run of vitest. `report` is undefined when it ended before writing one. */
export function totalsOf({
  report,
  exitCode,
}: {
  report: VitestReport | undefined;
  exitCode: number;
}): Totals {
  if (!report) return { passed: 0, failed: 1, skipped: 0 };
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  ).length;
  const counted = report.numFailedTests + brokenFiles;
  const ran = report.numPassedTests + counted;
  const failed = (exitCode !== 0 || ran === 0) && counted === 0 ? 1 : counted;
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
}

/** The sum over all suites. */
export function sum(all: readonly Totals[]): Totals {
  return all.reduce(
    (total, each) => ({
      passed: total.passed + each.passed,
      failed: total.failed + each.failed,
      skipped: total.skipped + each.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** The last line of `npm test` and of `npm run check`; programs read it. */
export function totalLine({ passed, failed }: Totals): string {
  return `${passed} passed, ${failed} failed`;
}
