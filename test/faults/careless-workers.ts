/** Runs the careless worker as processes that can be killed and started like the product's own. */
import { join } from 'node:path';
import { type ManagedProcess, startProcess, untilReady } from '../../scripts/managed-process.ts';
import { freePorts } from '../../scripts/ports.ts';
import { answersOk, checkout } from '../../scripts/processes.ts';
import type { Stack } from '../../scripts/stack.ts';
import { portEnvironment } from '../../scripts/stack-plan.ts';
import type { Victim } from './kills.ts';

export type CarelessWorkers = { victims: Victim[]; stop(): Promise<void> };

/** Starts one process for each name and returns when all of them work. */
export async function startCarelessWorkers(stack: Stack, names: readonly string[]): Promise<CarelessWorkers> {
  const victims = await Promise.all(names.map((name) => careless(stack, name)));
  await Promise.all(victims.map((victim) => victim.start()));
  return {
    victims,
    stop: async () => {
      await Promise.all(victims.map((victim) => victim.kill()));
    },
  };
}

async function careless(stack: Stack, name: string): Promise<Victim> {
  const ports = await freePorts(['worker', 'metrics', 'codec']);
  let running: ManagedProcess | undefined;
  return {
    name,
    isRunning: () => running?.isRunning() ?? false,
    kill: async () => {
      if (running?.isRunning()) await running.kill();
    },
    start: async () => {
      const started = await startProcess({
        name,
        command: process.execPath,
        args: [join(import.meta.dirname, 'careless-worker.ts')],
        cwd: checkout,
        env: { ...stack.env, ...portEnvironment(ports) },
        logFile: join(stack.home, 'logs', `${name}.log`),
      });
      running = started;
      await untilReady({
        process: started,
        isReady: () => answersOk(`http://127.0.0.1:${ports.worker}/readyz`),
      });
    },
  };
}
