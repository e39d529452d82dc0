/**
 * The code of all workflows as one file, as the sandbox runs it. Production loads the one that was built ahead
 * (`npm run build`); in development it is built at the start, once for all workers of the process.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundleOption } from '@temporalio/worker';
import type { Logger } from '../config/logger.ts';
import { failureConverterPath } from '../temporal/data-converter.ts';
import { toSdkLogger } from './runtime.ts';

/** `bundlePath` is the prebuilt bundle; without it the bundle is built now, which takes a few seconds. */
export async function loadWorkflowBundle({
  bundlePath,
  log,
}: {
  bundlePath: string | undefined;
  log: Logger;
}): Promise<WorkflowBundleOption> {
  return bundlePath === undefined ? bundleWorkflows({ log }) : { codePath: resolve(bundlePath) };
}

/** The same bundle for development, production, tests and replay. */
export async function bundleWorkflows({
  log,
}: {
  log: Logger;
}): Promise<{ code: string; sourceMap: string }> {
  return bundleWorkflowCode({
    workflowsPath,
    failureConverterPath,
    logger: toSdkLogger(log.child({ component: 'workflow-bundle' }, { level: 'warn' })),
  });
}

const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
