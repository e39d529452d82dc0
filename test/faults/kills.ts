/**
 * Who is killed when. The plan depends on the seed only and is printed before it begins, so that a storm that found
 * something can be played again; what the processes are doing at those moments is up to the machine.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '../../integrations/sandbox/random.ts';

/** A process that can be killed (SIGKILL) and started again. */
export type Victim = {
  name: string;
  kill(): Promise<unknown>;
  /** Returns when it answers again. */
  start(): Promise<void>;
  isRunning(): boolean;
};

/** One life of a process: how long it may run once it is up, and how long it is missing afterwards. */
export type Kill = { afterMs: number; downMs: number };

export type Killed = { name: string; at: Date };

export type KillPlan = { name: string; kills: Kill[] }[];

/** `everyMs`: the shortest and the longest life. */
export function planKills({
  seed,
  forMs,
  victims,
}: {
  seed: number;
  forMs: number;
  victims: readonly { name: string; everyMs: readonly [number, number] }[];
}): KillPlan {
  const random = seededRandom(seed);
  return victims.map(({ name, everyMs }) => ({ name, kills: lives(random, forMs, everyMs) }));
}

/** The plan as a person reads it. */
export function describePlan(seed: number, plan: KillPlan): string {
  const lines = plan.map(({ name, kills }) => {
    const moments = kills.map(({ afterMs, downMs }) => `${seconds(afterMs)} up, ${seconds(downMs)} down`);
    return `  ${name}: ${moments.join('; ')}`;
  });
  return [`kill -9, SEED=${seed}`, ...lines].join('\n');
}

/**
 * Carries the plan out until it ends or `signal` does; then every process is up. A process that ends by itself, which
 * it does when it cannot go on, is started again, as any supervisor would. Returns who was killed when.
 */
export async function carryOutKills(
  plan: KillPlan,
  victims: readonly Victim[],
  signal: AbortSignal,
): Promise<Killed[]> {
  const killed: Killed[] = [];
  await Promise.all(
    plan.map(async ({ name, kills }) => {
      const victim = victims.find((each) => each.name === name);
      if (victim === undefined) throw new Error(`Nobody is called ${name}`);
      for (const { afterMs, downMs } of kills) {
        await pause(afterMs, signal);
        if (signal.aborted) break;
        if (victim.isRunning()) await victim.kill();
        killed.push({ name, at: new Date() });
        await pause(downMs, signal);
        await victim.start();
      }
    }),
  );
  for (const victim of victims) if (!victim.isRunning()) await victim.start();
  return killed;
}

function lives(random: Random, forMs: number, [shortest, longest]: readonly [number, number]): Kill[] {
  const kills: Kill[] = [];
  for (let at = 0; ; ) {
    const afterMs = Math.round(shortest + random() * (longest - shortest));
    const downMs = Math.round(random() * DOWN_MAX_MS);
    at += afterMs + downMs;
    if (at > forMs) return kills;
    kills.push({ afterMs, downMs });
  }
}

const DOWN_MAX_MS = 2_000;

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
