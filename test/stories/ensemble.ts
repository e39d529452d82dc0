/**
 * Many dunning stories played side by side in one month of one world: each has a subscription of its own whose first
 * renewal fails, and does what it is to do on its own days. The month passes once, and each story is then judged
 * alone, by the complete list of what happened to its subscription since that renewal.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribePaid } from './people.ts';
import { type Body, createWorld, type World } from './world.ts';

export type Actor = {
  world: World;
  subscriptionId: string;
  /** The unpaid invoice of the renewal. */
  invoice: Body;
};

export type Act = (actor: Actor) => Promise<unknown>;

export type Story = {
  plan?: string;
  /** What the card's issuer says to the renewal and to the charges after it; the last answer repeats. */
  card: string[];
  /** What is done, by the day since the renewal. A day of the ladder itself is over before: take day 5.5, not 5. */
  on?: Record<number, Act>;
  /** Everything that happens to this subscription from the renewal on. */
  happens: string[];
  /** What else must hold when the month is over. */
  finally?: Act;
};

/** Opens a stage. Tell all stories of the file on it; the month is played before the first of them is judged. */
export function createEnsemble({ days }: { days: number }): { tell(name: string, story: Story): void } {
  const stories: Story[] = [];
  const actors = new Map<Story, Actor>();
  let world: World;

  beforeAll(async () => {
    world = await createWorld({ startsAt: '2030-12-31T10:00:00Z', actingMs: SPREAD_MS });
    const renewed = await begin(world, stories);
    for (const [index, story] of stories.entries()) {
      const subscriptionId = renewed.ids[index] ?? '';
      const [, invoice] = await invoicesOf(world, subscriptionId);
      actors.set(story, { world, subscriptionId, invoice });
    }
    const dayToMs = (day: number) => renewed.at.getTime() + day * DAY_MS;
    for (const [day, acts] of byDay(stories)) {
      await world.advanceTo(new Date(dayToMs(day)));
      await world.together(() => Promise.all(acts.map(({ story, act }) => act(actorOf(story)))));
    }
    await world.advanceTo(new Date(dayToMs(days)));
  }, 300_000);
  afterAll(() => world.close());

  const actorOf = (story: Story): Actor => {
    const actor = actors.get(story);
    if (actor === undefined) throw new Error('The month was not played');
    return actor;
  };
  return {
    tell(name, story) {
      stories.push(story);
      it(name, async () => {
        const actor = actorOf(story);
        const { subscriptionId, invoice } = actor;
        expect(await world.effects({ subscriptionId, from: invoice.issuedAt })).toEqual(story.happens);
        await story.finally?.(actor);
      });
    },
  };
}

const DAY_MS = 86_400_000;
/** Everybody begins within this time, so that what they have in common comes due together. */
const SPREAD_MS = 20_000;

/** Everybody subscribes and pays on New Year's Eve; the time goes to where the last of them has been renewed. */
async function begin(world: World, stories: Story[]): Promise<{ ids: string[]; at: Date }> {
  const ids: string[] = [];
  await world.together(async () => {
    for (const { plan, card } of stories) {
      ids.push(await subscribePaid(world, { outcomes: card, ...(plan !== undefined && { plan }) }));
    }
  });
  const began = await Promise.all(ids.map((id) => readSubscription(world, id)));
  const lastMs = Math.max(...began.map(({ currentPeriod }) => Date.parse(currentPeriod.endsAt)));
  const at = new Date(lastMs + 1_000);
  await world.advanceTo(at);
  return { ids, at };
}

type Cue = { day: number; story: Story; act: Act };

function byDay(stories: Story[]): [number, Cue[]][] {
  const cues = stories.flatMap((story) =>
    Object.entries(story.on ?? {}).map(([day, act]): Cue => ({ day: Number(day), story, act })),
  );
  return [...Map.groupBy(cues, ({ day }) => day)].sort(([a], [b]) => a - b);
}
