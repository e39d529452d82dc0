/** A stage for dunning: each story's subscription is paid for until its first renewal, on day 0, fails. */
import { invoicesOf, readSubscription, subscribePaid } from './people.ts';
import {
  createStage,
  type Stage,
  type Act as StageAct,
  type Actor as StageActor,
  type Story as StageStory,
} from './stage.ts';
import type { Body, World } from './world.ts';

export type Actor = StageActor & {
  /** The unpaid invoice of the renewal. */
  invoice: Body;
};

export type Act = StageAct<Actor>;

export type Story = StageStory<Actor> & {
  plan?: string;
  /** What the card's issuer says to the renewal and to the charges after it; the last answer repeats. */
  card: string[];
};

export function createEnsemble({ days }: { days: number }): Stage<Story> {
  return createStage<Actor, Story>({ startsAt: '2030-12-31T10:00:00Z', days, begin });
}

function begin(world: World, stories: readonly Story[]): Promise<Actor[]> {
  return beginRenewing(world, stories, ({ plan, card }) =>
    subscribePaid(world, { outcomes: card, ...(plan !== undefined && { plan }) }),
  );
}

/** Everybody subscribes and pays on New Year's Eve; the time goes to where the last of them has been renewed. */
export async function beginRenewing<S>(
  world: World,
  stories: readonly S[],
  subscribe: (story: S) => Promise<string>,
): Promise<Actor[]> {
  const ids: string[] = [];
  await world.together(async () => {
    for (const story of stories) ids.push(await subscribe(story));
  });
  const began = await Promise.all(ids.map((id) => readSubscription(world, id)));
  const lastMs = Math.max(...began.map(({ currentPeriod }) => Date.parse(currentPeriod.endsAt)));
  await world.advanceTo(new Date(lastMs + 1_000));
  return Promise.all(
    ids.map(async (subscriptionId) => {
      const [, invoice] = await invoicesOf(world, subscriptionId);
      return { world, subscriptionId, invoice, from: invoice.issuedAt };
    }),
  );
}
