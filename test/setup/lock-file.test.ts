// `npm ci` refuses a lock file that lacks an optional package of any system, and npm leaves out those that a registry
// does not offer at the moment of an install. A lock file that is complete works everywhere.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';

type Entry = { optionalDependencies?: Record<string, string> };
const lock = JSON.parse(await readFile(join(checkout, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, Entry>;
};

test('the lock file has the optional packages of every system', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(path, name)),
  );
  expect(missing).toEqual([]);
});

/** A package is found in the folder of the one that wants it, or in one of the folders above. */
function isLocked(path: string, name: string): boolean {
  if (lock.packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`]) return true;
  if (path === '') return false;
  return isLocked(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name);
}
