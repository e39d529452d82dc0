import { expect, test } from 'vitest';
import { findMachinePaths } from './machine-paths.ts';

const at = (...parts: string[]) => `/${parts.join('/')}`;

test.each([
  at('root', 'x.ts'),
  at('work', 'main', 'a'),
  at('home', 'jane', 'code'),
  at('Users', 'jane', 'code'),
])('the path of one machine is found: %s', (path) => {
  expect(findMachinePaths(`fine\nimport '${path}';`)).toEqual([{ line: 2, text: `import '${path}';` }]);
});

test.each([
  '/app/dist',
  './work/a',
  'https://host.example/home/page/x',
  `$\{home}${at('work', 'a')}`,
  '/var/lib/x',
])('a path that means the same everywhere is left alone: %s', (path) => {
  expect(findMachinePaths(path)).toEqual([]);
});

test("a lock file may name npm's own registry only", () => {
  expect(findMachinePaths('"resolved": "https://registry.npmjs.org/zod/-/zod-4.6.7.tgz"')).toEqual([]);
  expect(findMachinePaths('"resolved": "http://mirror.internal/zod-4.6.7.tgz"')).toHaveLength(1);
});
