// `npm run check`: everything that can be said about the code without running it. All checks run even when one
// fails; each failure ends with the command or the deed that mends it. The last line counts them.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from './processes.ts';
import { progress } from './terminal.ts';
import { totalLine } from './test-totals.ts';

type Check = { name: string; command: readonly string[]; fix: string };

const layers = 'activities api config db domain integrations scripts temporal test workers workflows'.split(
  ' ',
);

const checks: readonly Check[] = [
  {
    name: 'format and lint',
    command: ['biome', 'check', '--error-on-warnings', '.'],
    fix: 'npx biome check --write .   (what it cannot mend is explained above)',
  },
  {
    name: 'promises are awaited',
    command: ['oxlint', '--type-aware'],
    fix: 'await the promise, return it, or write `void` before it with the reason why nobody waits',
  },
  { name: 'types', command: ['tsc', '--project', '.'], fix: 'npx tsc --project .   (shows them again)' },
  {
    name: 'layers',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', '--output-type', 'err-long', ...layers],
    fix: 'import the type only (`import type`), or move the code to the layer where it belongs',
  },
  {
    name: 'dead code',
    command: ['knip', '--no-progress'],
    fix: 'remove what is named above; npx knip --fix removes unused exports by itself',
  },
  {
    name: 'no paths of one machine',
    command: [process.execPath, 'scripts/machine-paths.ts'],
    fix: 'write the path relative to the checkout, or take it from the environment',
  },
];

let failed = 0;
for (const check of checks) {
  if (!(await passes(check))) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
console.log(totalLine({ passed: checks.length - failed, failed, skipped: 0 }));

async function passes({ name, command, fix }: Check): Promise<boolean> {
  const startedAt = Date.now();
  const { code, output } = await run(command);
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  if (code === 0) {
    progress(`ok    ${name} (${seconds} s)`);
    return true;
  }
  progress(`\n${output.trim()}\n\nWRONG ${name} (${seconds} s)\n      Fix: ${fix}\n`);
  return false;
}

/** Programs of node_modules run with the Node that runs this, whatever the host's is. */
function run([program = '', ...args]: readonly string[]): Promise<{ code: number; output: string }> {
  const isInstalled = !program.includes('/');
  const path = join(checkout, 'node_modules', '.bin', program);
  const [command, all] = isInstalled ? [process.execPath, [path, ...args]] : [program, args];
  return new Promise((resolve) => {
    const child = spawn(command, all, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve({ code: 1, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
