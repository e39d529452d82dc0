// One project for each kind of test. Run one alone with: npx vitest --project unit

import { defineConfig } from 'vitest/config';

const layers = '{activities,api,config,db,domain,integrations,scripts,temporal,workers,workflows}';

export default defineConfig({
  test: {
    projects: [
      project('unit', [`${layers}/**/*.test.ts`, 'test/{unit,setup}/**/*.test.ts'], 20),
      project('integration', ['test/{integration,authorisation,contracts}/**/*.test.ts'], 60),
      project('stories', ['test/stories/**/*.story.ts'], 60),
      project('replay', ['test/replay/**/*.test.ts'], 60),
      project('fuzz', ['test/fuzz/**/*.test.ts'], 300),
      project('product', ['test/product/**/*.test.ts'], 300),
      project('faults', ['test/faults/**/*.test.ts'], 600),
    ],
  },
});

function project(name: string, include: string[], timeoutSeconds: number) {
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
    },
  };
}
