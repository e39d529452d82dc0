// Runs before the tests of a project, so that `npx vitest --project integration` works by itself. Under `npm test`
// the servers run already, and nothing is started here.

import type { TestProject } from 'vitest/node';
import { progress } from '../../scripts/terminal.ts';
import { startTestServices, type TestService } from '../../scripts/test-services.ts';

const servicesOf: Record<string, readonly TestService[]> = {
  integration: ['postgres', 'temporal', 'time-skipping', 'stripe-mock', 'btcd', 'versitygw'],
  stories: ['postgres', 'time-skipping', 'btcd'],
};

/** Starts what the project needs and stops it afterwards. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const services = await startTestServices({ wanted: servicesOf[project.name] ?? [], report: progress });
  Object.assign(process.env, services.env);
  return services.stop;
}
