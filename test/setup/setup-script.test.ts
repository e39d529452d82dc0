import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isInstalled, isUsableNode } from '../../scripts/setup.mjs';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'perennial-'));
  await mkdir(join(folder, 'node_modules'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const zod = { version: '4.6.7', integrity: 'sha512-a' };
const otherSystem = { version: '1.0.0', integrity: 'sha512-b', optional: true };

test.each([
  ['everything is there', { zod }, { zod }, true],
  ['a package for another system is not there', { zod, otherSystem }, { zod }, true],
  ['nothing was installed', { zod }, undefined, false],
  ['a package is missing', { zod }, {}, false],
  ['a package has another version', { zod }, { zod: { ...zod, version: '4.6.6' } }, false],
  ['a package has other content', { zod }, { zod: { ...zod, integrity: 'sha512-x' } }, false],
])('when %s, dependencies count as installed: %#', async (_case, wanted, installed, expected) => {
  await writeFile(join(folder, 'package-lock.json'), lockFile(wanted));
  if (installed) await writeFile(join(folder, 'node_modules', '.package-lock.json'), lockFile(installed));
  expect(isInstalled(folder)).toBe(expected);
});

test.each([
  ['v20.20.2', false],
  ['v22.17.0', false],
  ['v22.18.0', true],
  ['v23.11.0', false],
  ['v24.0.0', true],
  ['v26.1.0', true],
])('Node %s runs our TypeScript as it is: %s', (version, expected) => {
  expect(isUsableNode(version)).toBe(expected);
});

function lockFile(packages: Record<string, object>): string {
  const entries = Object.entries(packages).map(([name, entry]) => [`node_modules/${name}`, entry]);
  return JSON.stringify({ packages: { '': {}, ...Object.fromEntries(entries) } });
}
