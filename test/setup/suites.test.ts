// A test that no suite runs is worse than no test.

import { globSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';
import vitestConfig from '../../vitest.config.ts';

type Project = { test: { name: string; include: string[] } };
const projects = (vitestConfig.test?.projects ?? []) as unknown as Project[];

test('every test file belongs to exactly one suite', () => {
  const files = globSync('**/*.{test,story}.ts', {
    cwd: checkout,
    exclude: ['node_modules', 'dist', '.perennial', '**/.stryker-tmp'],
  });
  const suitesOf = (file: string) =>
    projects.filter(({ test }) => test.include.some((glob) => matchesGlob(file, glob)));
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((file) => suitesOf(file).length !== 1)).toEqual([]);
});

test('npm test runs every suite', () => {
  const script = readFileSync(join(checkout, 'scripts', 'test.ts'), 'utf8');
  const run = [...script.matchAll(/\{\s*name: '(\w+)'/g)].map(([, name]) => name);
  expect(run).toEqual(projects.map(({ test }) => test.name));
});
