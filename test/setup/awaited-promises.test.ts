// `npm run check` finds a promise that nobody waits for, in every folder. A rule that never fires looks like a rule that
// is kept, so some are planted, beside promises that are as they should be.

import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';

const folders = 'activities api config db domain integrations scripts temporal test workers workflows'.split(
  ' ',
);
const work = 'const work = () => Promise.resolve(true);';

const planted: Record<string, string> = {
  'no-floating-promises': `${work} work();`,
  'no-misused-promises': `${work} if (work()) console.log('never');`,
};
const allowed = `${work} await work(); void work(); export const promise = work();`;

const folder = await mkdtemp(join(tmpdir(), 'perennial-promises-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const found = await lint();

test.each(Object.keys(planted))('%s notices a planted promise in every folder', (rule) => {
  const files = found.filter(({ code }) => code === `typescript(${rule})`).map(({ filename }) => filename);
  expect(files.toSorted()).toEqual(folders.map((name) => `${name}/${rule}.ts`));
});

test('a promise that is awaited, kept or waved through with void is let through', () => {
  expect(found.filter(({ filename }) => filename.endsWith('/allowed.ts'))).toEqual([]);
});

test('the check runs it', async () => {
  expect(await readFile(join(checkout, 'scripts', 'check.ts'), 'utf8')).toContain(
    "['oxlint', '--type-aware']",
  );
});

/** Everything the repository's rules find in a small checkout with the planted files. */
async function lint(): Promise<{ code: string; filename: string }[]> {
  await copyFile(join(checkout, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const name of folders) {
    await mkdir(join(folder, name));
    for (const [file, content] of Object.entries({ ...planted, allowed })) {
      await writeFile(join(folder, name, `${file}.ts`), content);
    }
  }
  const program = join(checkout, 'node_modules', '.bin', 'oxlint');
  const args = [program, '--type-aware', '--format', 'json'];
  // It ends with exit code 1 when it finds something, which is what we want to see.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  return (JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] }).diagnostics;
}
