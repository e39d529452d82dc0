/** How a story's world moves: it comes to rest, and it goes on to the next date on which something is due. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../../db/client.ts';
import { nextDueAt } from '../../db/queries/operations/outbox.ts';
import type { StripeSandbox } from '../../integrations/stripe/sandbox.ts';
import type { Relay } from '../../workers/relay.ts';
import type { StoryClock } from './clock.ts';
import type { Observer } from './idle.ts';

export type Pace = {
  /** Lets everything that has been set in motion come to rest. */
  settle(): Promise<void>;
  advanceTo(instant: string | Date): Promise<void>;
  withholdWebhooks(withhold: boolean): void;
};

export function createPace({
  db,
  clock,
  vendors,
  relay,
  lookAtChains,
  observer,
  workersRun,
  actingMs,
}: {
  db: Database;
  clock: StoryClock;
  /** Their webhooks are sent, and their clocks go, as the world does. */
  vendors: readonly Pick<StripeSandbox, 'clock' | 'flushWebhooks'>[];
  relay: Relay;
  /** What their watchers find is delivered in the same round. */
  lookAtChains: () => Promise<void>;
  observer: Observer;
  workersRun: () => boolean;
  actingMs: number;
}): Pace {
  let webhooksWithheld = false;
  let triesAwaited = 0;

  const settle = async () => {
    for (let calm = 0, round = 0; calm < 2; round += 1) {
      if (round > 5_000) throw new Error(`The world does not come to rest: ${await observer.restlessNow()}`);
      // As in real life, the call's own answer is booked before its webhook arrives; stories of the contrary say so.
      if (calm > 0 && !webhooksWithheld) for (const vendor of vendors) await vendor.flushWebhooks();
      await lookAtChains();
      const delivered = await relay.drainOnce();
      const rest = workersRun() ? await observer.look({ delivered }) : 'waiting';
      if (rest === 'waiting') triesAwaited = 0;
      const awaitsTry = rest === 'retrying' && triesAwaited < TRIES_AWAITED;
      if (awaitsTry) {
        // As long as retries wait: one second, two, four, up to a minute.
        const waitMs = Math.min(2 ** triesAwaited, 60) * 1_000;
        triesAwaited += 1;
        await clock.moveTo(new Date(clock.now().getTime() + waitMs), { workersRun: true });
      }
      // A row that somebody else took, or that is tried again in a moment, is still to come.
      const isOwed = await isDueSoon(db);
      if (isOwed) await pause(20);
      calm = delivered === 0 && rest !== 'busy' && !awaitsTry && !isOwed ? calm + 1 : 0;
    }
    await clock.read();
  };

  return {
    settle,
    async advanceTo(instant) {
      await settle();
      const target = new Date(instant).getTime();
      for (let hops = 0; clock.now().getTime() < target; hops += 1) {
        if (hops > 5_000) throw new Error(`The world hangs at ${clock.now().toISOString()}`);
        const now = clock.now().getTime();
        const due = workersRun() ? await observer.nextWake(clock.now()) : null;
        const isAway = triesAwaited > 0;
        // What is overdue while a vendor is away cannot be done in a moment.
        const next = due === null || (isAway && due <= now) ? target : Math.max(due, now) + actingMs;
        const until = new Date(Math.min(target, next, isAway ? now + OUTAGE_HOP_MS : target));
        const vendorTime = due === null ? until : new Date(Math.min(Math.max(due, now), until.getTime()));
        for (const vendor of vendors) vendor.clock.set(vendorTime);
        await clock.moveTo(until, { workersRun: workersRun() });
        await settle();
      }
    },
    withholdWebhooks: (withhold) => {
      webhooksWithheld = withhold;
    },
  };
}

/** Failing calls are waited for until their first five minutes are over; after that the vendor is away for longer. */
const TRIES_AWAITED = 10;

/** While a vendor is away, the world looks this often whether it is back. */
const OUTAGE_HOP_MS = 10 * 60_000;

async function isDueSoon(db: Database): Promise<boolean> {
  const dueAt = await nextDueAt(db);
  return dueAt !== null && dueAt.getTime() - Date.now() < 10_000;
}
