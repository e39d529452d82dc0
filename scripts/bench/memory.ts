/** What a sleeping subscription weighs in a worker's cache: the growth of the worker process over 1,000 of them. */
import { readFile } from 'node:fs/promises';
import type { Stack } from '../stack.ts';
import { createBenchTenant } from './tenant.ts';

const warmUp = 200;
const sleeping = 1_000;

export async function measureMemory(stack: Stack): Promise<{ kbPerCachedWorkflow: number }> {
  const tenant = await createBenchTenant(stack);
  const { pid } = stack.process('workers');
  const grow = async (count: number) => {
    for (const payer of await tenant.payers(count)) await tenant.startTrial(payer);
  };
  await grow(warmUp);
  const before = await residentKb(pid);
  await grow(sleeping);
  return { kbPerCachedWorkflow: Math.round(((await residentKb(pid)) - before) / sleeping) };
}

async function residentKb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
