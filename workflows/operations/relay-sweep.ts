/** Delivers what the relay was not woken for. Started every five minutes by its schedule. */
import { proxyActivities } from '@temporalio/workflow';
import type { createRelaySweepActivities } from '../../activities/operations/relay-sweep.ts';
import { sweep } from '../effect-classes.ts';

const { sweepRelay } = proxyActivities<ReturnType<typeof createRelaySweepActivities>>(sweep);

export async function relaySweep(): Promise<Awaited<ReturnType<typeof sweepRelay>>> {
  return sweepRelay({ at: new Date().toISOString() });
}
