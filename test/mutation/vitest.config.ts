// What mutation testing runs for each mutant: the tests of the domain, which need no server.

import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['domain/**/*.test.ts'], testTimeout: 20_000 } });
