/**
 * Many stories played side by side in one world: each has a subscription of its own and does what it is to do on its
 * own days. Time passes once, and each story is then judged alone, by the complete list of what happened to its
 * subscription since its day 0.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

export type Actor = {
  world: World;
  subscriptionId: string;
  /** Day 0 of the story. */
  from: string;
};

export type Act<A extends Actor = Actor> = (actor: A) => Promise<unknown>;

export type Story<A extends Actor = Actor> = {
  /** What is done, by the day. What the subscription does on that day by itself is over before: take day 5.5, not 5. */
  on?: Record<number, Act<A>>;
  /** Everything that happens to this subscription from day 0 on. */
  happens: string[];
  /** What else must hold in the end. */
  finally?: Act<A>;
};

export type Stage<S> = { tell(name: string, story: S): void };

/** Opens a stage. Tell all stories of the file on it; time passes before the first of them is judged. */
export function createStage<A extends Actor, S extends Story<A>>({
  startsAt,
  days,
  begin,
}: {
  startsAt: string;
  days: number;
  /** Brings each story to its day 0, all within seconds. */
  begin(world: World, stories: readonly S[]): Promise<A[]>;
}): Stage<S> {
  const stories: S[] = [];
  const actors = new Map<S, A>();
  const failures = new Map<S, unknown>();
  let world: World;

  beforeAll(async () => {
    world = await createWorld({ startsAt, actingMs: SPREAD_MS });
    const found = await begin(world, stories);
    for (const [index, actor] of found.entries()) actors.set(stories[index] as S, actor);
    const lastMs = Math.max(...found.map(({ from }) => Date.parse(from)));
    const dayToDate = (day: number) => new Date(lastMs + 1_000 + day * DAY_MS);
    for (const [day, cues] of cuesByDay<A, S>(stories)) {
      await world.advanceTo(dayToDate(day));
      await world.together(() => Promise.all(cues.map(perform)));
    }
    await world.advanceTo(dayToDate(days));
  }, 300_000);
  afterAll(() => world.close());

  /** A deed that fails, fails its own story. */
  const perform = async ({ story, act }: Cue<A, S>) => {
    const actor = actors.get(story);
    if (actor === undefined || failures.has(story)) return;
    await act(actor).catch((error: unknown) => failures.set(story, error));
  };
  return {
    tell(name, story) {
      stories.push(story);
      it(name, async () => {
        if (failures.has(story)) throw failures.get(story);
        const actor = actors.get(story);
        if (actor === undefined) throw new Error('The stage was not played');
        const { subscriptionId, from } = actor;
        expect(await world.effects({ subscriptionId, from })).toEqual(story.happens);
        await story.finally?.(actor);
      });
    },
  };
}

/** How a story's subscription begins: as a trial, unless it says otherwise, with a card where it names answers. */
export type Beginning = {
  plan?: string;
  start?: 'trial' | 'payment';
  /** What the card's issuer answers to its charges, one after the other; the last answer repeats. */
  card?: string[];
};

/** A stage of subscriptions that all begin at `startsAt`. */
export function createSubscriptionStage(play: { startsAt: string; days: number }): Stage<Story & Beginning> {
  return createStage<Actor, Story & Beginning>({ ...play, begin: beginAll });
}

async function beginAll(world: World, stories: readonly Beginning[]): Promise<Actor[]> {
  const ids: string[] = [];
  await world.together(async () => {
    for (const { plan, start, card } of stories) {
      const id = await subscribe(world, {
        ...(plan !== undefined && { plan }),
        ...(start !== undefined && { start }),
      });
      ids.push(id);
      if (card !== undefined) await useCard(world, id, ...card);
    }
  });
  return Promise.all(
    ids.map(async (subscriptionId) => {
      const { startedAt } = await readSubscription(world, subscriptionId);
      return { world, subscriptionId, from: startedAt };
    }),
  );
}

const DAY_MS = 86_400_000;
/** Everybody begins within this time, so that what they have in common comes due together. */
const SPREAD_MS = 20_000;

type Cue<A extends Actor, S> = { day: number; story: S; act: Act<A> };

function cuesByDay<A extends Actor, S extends Story<A>>(stories: readonly S[]): [number, Cue<A, S>[]][] {
  const cues = stories.flatMap((story) =>
    Object.entries(story.on ?? {}).map(([day, act]): Cue<A, S> => ({ day: Number(day), story, act })),
  );
  return [...Map.groupBy(cues, ({ day }) => day)].sort(([a], [b]) => a - b);
}
