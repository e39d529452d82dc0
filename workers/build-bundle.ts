/** `npm run build`: writes the workflow bundle that production loads, so that no bundler runs there. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../config/logger.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

const target = fileURLToPath(new URL('../dist/workflow-bundle.js', import.meta.url));

const { code } = await bundleWorkflows({ log: createLogger({ name: 'build' }) });
await mkdir(dirname(target), { recursive: true });
await writeFile(target, code);
process.stdout.write(`${target} (${Math.round(code.length / 1024)} KiB)\n`);
