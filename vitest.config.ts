// One project for each kind of test. Run one alone with: npx vitest --project unit

import { defineConfig } from 'vitest/config';

const layers = '{activities,api,config,db,domain,integrations,scripts,temporal,workers,workflows}';

/** Each file has a database and servers of its own, and waits for them; left alone, vitest keeps one core for itself. */
const everyCore = { maxWorkers: '100%' };

/** Each file starts a whole installation, whose ports it finds free a moment before they are taken. */
const oneAtATime = { maxWorkers: 1 };

export default defineConfig({
  test: {
    projects: [
      project('unit', [`${layers}/**/*.test.ts`, 'test/{unit,setup}/**/*.test.ts'], 20, everyCore),
      project('integration', ['test/{integration,authorisation,contracts}/**/*.test.ts'], 60, everyCore),
      project('stories', ['test/stories/**/*.story.ts'], 60, everyCore),
      project('replay', ['test/replay/**/*.test.ts'], 60),
      project('fuzz', ['test/fuzz/**/*.test.ts'], 300, oneAtATime),
      project('product', ['test/product/**/*.test.ts'], 300, oneAtATime),
      project('faults', ['test/faults/**/*.test.ts'], 600, oneAtATime),
    ],
  },
});

function project(
  name: string,
  include: string[],
  timeoutSeconds: number,
  workers?: { maxWorkers: string | number },
) {
  const timeout = timeoutSeconds * 1000;
  return {
    test: {
      name,
      include,
      pool: 'forks' as const,
      testTimeout: timeout,
      hookTimeout: timeout,
      globalSetup: name === 'unit' ? [] : ['test/support/start-services.ts'],
      sequence: { groupOrder: 0 },
      ...workers,
    },
  };
}
