// A rule that never fires looks like a rule that is kept. Each rule gets one planted import that breaks it.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { checkout } from '../../scripts/processes.ts';

type Rules = { forbidden: { name: string }[] };

const config = join(checkout, '.dependency-cruiser.cjs');
const rules = (createRequire(import.meta.url)(config) as Rules).forbidden.map(({ name }) => name);

const planted: Record<string, [from: string, statement: string][]> = {
  'domain-imports-domain-only': [['domain/a.ts', "import { x } from '../db/x.ts'; x;"]],
  'contracts-import-domain-only': [['workflows/a.contract.ts', "import { x } from './x.ts'; x;"]],
  'workflows-import-no-effects': [['workflows/a.ts', "import { x } from '../activities/x.ts'; x;"]],
  'activities-import-downwards': [['activities/a.ts', "import { x } from '../temporal/x.ts'; x;"]],
  'api-imports-no-implementations': [
    ['api/a.ts', "import { x } from '../workflows/x.ts'; x;"],
    ['api/b.ts', "import { x } from '../integrations/vendor/client.ts'; x;"],
  ],
  'workers-do-not-import-api': [['workers/a.ts', "import { x } from '../api/x.ts'; x;"]],
  'db-imports-downwards': [['db/a.ts', "import { x } from '../activities/x.ts'; x;"]],
  'integrations-import-domain-only': [['integrations/vendor/a.ts', "import { x } from '../../db/x.ts'; x;"]],
  'temporal-imports-contracts-only': [['temporal/a.ts', "import { x } from '../workflows/x.ts'; x;"]],
  'config-imports-nothing': [['config/a.ts', "import { x } from '../domain/x.ts'; x;"]],
  'api-and-workers-are-imported-by-nobody': [['activities/b.ts', "import { x } from '../workers/x.ts'; x;"]],
  'pure-code-imports-no-node': [
    ['workflows/b.ts', "import { readFileSync } from 'node:fs'; readFileSync;"],
    ['domain/b.ts', "import { randomUUID } from 'node:crypto'; randomUUID;"],
  ],
  'workflows-import-workflow-packages-only': [['workflows/c.ts', "import { z } from 'zod'; z;"]],
  'no-development-packages-in-production': [['api/c.ts', "import { parse } from 'yaml'; parse;"]],
  // A cycle is told once, at its first file.
  'no-cycles': [['domain/one.ts', "import { two } from './two.ts'; export const one = () => two;"]],
};

const allowed: [from: string, statement: string][] = [
  ['workflows/typed.ts', "import type { x } from '../activities/x.ts'; export type Y = typeof x;"],
  ['activities/typed.ts', "import type { z } from 'zod'; export type Z = z.ZodType;"],
  [
    'api/uses.ts',
    "import { x } from '../workflows/x.contract.ts'; import { y } from '../integrations/vendor/webhook.ts'; x; y;",
  ],
  [
    'workflows/x.test.ts',
    "import { x } from '../activities/x.ts'; import { readFileSync } from 'node:fs'; x; readFileSync;",
  ],
  ['domain/x.test.ts', "import { x } from '../test/x.ts'; x;"],
];

const targets = ['activities', 'api', 'db', 'domain', 'temporal', 'test', 'workers', 'workflows'].map(
  (folder): [string, string] => [`${folder}/x.ts`, 'export const x = 1;'],
);
targets.push(['domain/two.ts', "import { one } from './one.ts'; export const two = () => one;"]);
const folder = await mkdtemp(join(tmpdir(), 'perennial-layers-'));
afterAll(() => rm(folder, { recursive: true, force: true }));
const violations = await cruise();

test.each(rules)('the rule %s notices a planted import', (rule) => {
  const files = planted[rule]?.map(([file]) => file) ?? [];
  expect(files).not.toEqual([]);
  for (const file of files) expect(violations).toContainEqual({ rule, file });
});

test('imports of types, contracts, webhook verifiers and tests are let through', () => {
  const files = new Set(allowed.map(([file]) => file));
  expect(violations.filter(({ file }) => files.has(file))).toEqual([]);
});

async function cruise(): Promise<{ rule: string; file: string }[]> {
  const contract: [string, string] = ['workflows/x.contract.ts', 'export const x = 1;'];
  const vendor = ['client', 'webhook'].map((file): [string, string] => [
    `integrations/vendor/${file}.ts`,
    'export const x = 1; export const y = 1;',
  ]);
  const files = [...targets, contract, ...vendor, ...Object.values(planted).flat(), ...allowed];
  for (const [file, content] of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  await writePackages();
  const program = join(checkout, 'node_modules', '.bin', 'depcruise');
  const args = [program, '--config', config, '--output-type', 'json', ...topFolders(files)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  }).catch(
    // It ends with the number of violations, which are what we want to see.
    (error: { stdout: string }) => error,
  );
  const { summary } = JSON.parse(stdout) as {
    summary: { violations: { rule: { name: string }; from: string }[] };
  };
  return summary.violations.map(({ rule, from }) => ({ rule: rule.name, file: from }));
}

async function writePackages(): Promise<void> {
  const manifest = { type: 'module', dependencies: { zod: '1' }, devDependencies: { yaml: '1' } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  for (const name of ['zod', 'yaml']) {
    const home = join(folder, 'node_modules', name);
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'package.json'), JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    await writeFile(join(home, 'index.js'), 'exports.z = exports.parse = 1;');
  }
}

function topFolders(files: readonly [string, string][]): string[] {
  return [...new Set(files.map(([file]) => file.split('/')[0] ?? ''))];
}
