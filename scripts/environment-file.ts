// The settings a person keeps in the file .env of the checkout. What is set in the environment itself wins.
// Tests, checks, the demo and the bench do not read it: they must not meet real vendors.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from './processes.ts';

/** Adds the variables of `.env`, where there is one. */
export function loadEnvironmentFile(): void {
  const file = join(checkout, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
}
