/**
 * What processes grow by: a worker, of each sleeping subscription in its cache, over 1,000 of them; the API, while it reads a
 * statement of 10,000 lines and one of ten times as many, which are not to be held in memory.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Stack } from '../stack.ts';
import { type BenchTenant, createBenchTenant } from './tenant.ts';

const warmUp = 200;
const sleeping = 1_000;

export type MemoryCosts = {
  kbPerCachedWorkflow: number;
  /** The most that the API holds while it reads. */
  statement10kMb: number;
  statement100kMb: number;
};

export async function measureMemory(stack: Stack): Promise<MemoryCosts> {
  const tenant = await createBenchTenant(stack);
  const { pid } = stack.process('workers');
  const grow = async (count: number) => {
    for (const payer of await tenant.payers(count)) await tenant.startTrial(payer);
  };
  await grow(warmUp);
  const before = await kilobytes(pid, 'VmRSS');
  await grow(sleeping);
  const kbPerCachedWorkflow = Math.round(((await kilobytes(pid, 'VmRSS')) - before) / sleeping);
  return { kbPerCachedWorkflow, ...(await measureStatements(stack, tenant)) };
}

/** What the first files leave behind is the runtime's and grows no more. */
async function measureStatements(
  stack: Stack,
  tenant: BenchTenant,
): Promise<Pick<MemoryCosts, 'statement10kMb' | 'statement100kMb'>> {
  const { pid } = stack.process('api');
  for (let each = 0; each < 3; each += 1) await tenant.readStatement(10_000);
  const most = async (lines: number) => {
    // From now on (proc(5), clear_refs).
    await writeFile(`/proc/${pid}/clear_refs`, '5');
    await tenant.readStatement(lines);
    return Math.round((await kilobytes(pid, 'VmHWM')) / 1024);
  };
  return { statement10kMb: await most(10_000), statement100kMb: await most(100_000) };
}

async function kilobytes(pid: number, what: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
}
