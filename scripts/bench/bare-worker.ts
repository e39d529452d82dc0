/** The worker of the bare workflows, a process of its own like the product's. Ends with the process that started it. */
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import pg from 'pg';
import { loadConfig } from '../../config/env.ts';
import { bareTaskQueue, createBareActivities } from './bare-activities.ts';

const { database, temporal } = loadConfig();
const pool = new pg.Pool({ connectionString: database.adminUrl, max: 10 });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address: temporal.address }),
  namespace: temporal.namespace,
  taskQueue: bareTaskQueue,
  workflowsPath: fileURLToPath(new URL('./bare.workflows.ts', import.meta.url)),
  activities: createBareActivities({ pool }),
});
process.once('disconnect', () => worker.shutdown());
const running = worker.run();
process.send?.('ready');
await running;
await pool.end();
