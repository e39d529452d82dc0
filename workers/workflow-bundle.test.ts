// The bundler refuses Node's own modules only. A workflow that imports an activity, a query or a schema by value would
// be bundled without a word and run unrecorded in the sandbox, so the list of what is inside is checked here.

import { join, relative } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { createLogger } from '../config/logger.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

const checkout = join(import.meta.dirname, '..');
let sources: string[];
let code: string;

beforeAll(async () => {
  ({ code } = await bundleWorkflows({ log: createLogger({ name: 'test', level: 'silent' }) }));
  const map = /sourceMappingURL=data:application\/json;[^,]*base64,(\S+)/.exec(code)?.[1] ?? '';
  const parsed = JSON.parse(Buffer.from(map, 'base64').toString()) as { sources: string[] };
  sources = parsed.sources.map((source) => relative(checkout, source));
});

it('holds workflows, rules and the failure converter, and of our code nothing else', () => {
  const ours = sources.filter((source) => source.endsWith('.ts') && !source.includes('node_modules/'));
  const others = ours.filter(
    (source) => !/^(workflows|domain)\/|^temporal\/failure-converter\.ts$/.test(source),
  );
  expect(ours).toContain('workflows/billing/subscription.ts');
  expect(ours).toContain('temporal/failure-converter.ts');
  expect(others).toEqual([]);
});

it('holds no library beyond the SDK and what it needs: each costs memory for every cached workflow', () => {
  const packages = new Set(
    sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []),
  );
  expect([...packages].sort()).toEqual([
    '@temporalio/common',
    '@temporalio/workflow',
    'long',
    'ms',
    'nexus-rpc',
  ]);
});

it('stays below 2.5 MiB with its source map', () => {
  expect(code.length).toBeLessThan(2.5 * 1024 * 1024);
});
