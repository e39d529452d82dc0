// A rule that never fires looks like a rule that is kept. Each way to write a hundred is planted once.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';

const [rule, product] = ['scripts/money-factors.grit', 'domain/a.ts'];
const folder = await mkdtemp(join(tmpdir(), 'perennial-money-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
for (const file of ['biome.json', rule]) {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await cp(join(checkout, file), join(folder, file));
}

test.each([
  'amount * 100',
  '100 * amount',
  'amount / 100',
  '(amount + 1) * 100',
  'Math.round(amount * 100)',
  'amount * 1e2',
  'amount * 10 ** 2',
  'big * 100n',
  'big / 10n ** 2n',
  'big * BigInt(100)',
  '(amount *= 100)',
  '(amount /= 100)',
])('a hundred in the sum is found: %s', async (expression) => {
  expect(await findings(product, expression)).toBe(1);
});

test.each(['amount * 1000', 'amount / 10', 'amount * 10 ** exponent', 'amount % 100', '[amount, 100]'])(
  'what is no currency’s factor is left alone: %s',
  async (expression) => {
    expect(await findings(product, expression)).toBe(0);
  },
);

test.each(['activities', 'api', 'db', 'domain', 'integrations', 'workers', 'workflows'])(
  'it is looked for in all of %s, and not in its tests',
  async (layer) => {
    expect(await findings(`${layer}/deep/down/a.ts`, 'amount * 100')).toBe(1);
    expect(await findings(`${layer}/deep/down/a.test.ts`, 'amount * 100')).toBe(0);
  },
);

/** How often the rule speaks of a file with this expression. */
async function findings(file: string, expression: string): Promise<number> {
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await writeFile(
    join(folder, file),
    `export function f(amount: number, big: bigint, exponent: number) { return [amount, big, exponent, ${expression}]; }\n`,
  );
  const program = join(checkout, 'node_modules', '.bin', 'biome');
  const args = [program, 'lint', '--reporter=json', file];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch(
    // It ends with 1 where it has something to say.
    (error: { stdout: string }) => error,
  );
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string }[] };
  return diagnostics.filter(({ category }) => category === 'plugin').length;
}
