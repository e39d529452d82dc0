/**
 * A payment, a cancellation and a step of the ladder at the same time: under the customer's lock one comes after the
 * other, so each of the six orders has one right outcome, at every step.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { customerOf, invoiceNow, payOutside } from './acts.ts';
import type { Actor } from './ensemble.ts';
import { invoicesOf, readSubscription, subscribePaid } from './people.ts';
import { recovers, renewalFails, standardUntil } from './phrases.ts';
import { createWorld, type World } from './world.ts';

const start = '2030-12-31T10:00:00Z';
const DAY_MS = 86_400_000;
let world: World;

type Happening = 'payment' | 'cancellation' | 'step';

const orders: Happening[][] = [
  ['payment', 'cancellation', 'step'],
  ['payment', 'step', 'cancellation'],
  ['cancellation', 'payment', 'step'],
  ['cancellation', 'step', 'payment'],
  ['step', 'payment', 'cancellation'],
  ['step', 'cancellation', 'payment'],
];

const steps = defaultDunningPolicies[0]?.steps ?? [];
const LAST_DAY = 30;

describe('in every order at every step of standard_30', () => {
  const actors = new Map<string, Actor>();
  const races = steps.flatMap(({ day }) =>
    orders.map((order) => ({ day, order, name: `day ${day}: ${order.join(', ')}` })),
  );

  beforeAll(async () => {
    world = await createWorld({ startsAt: start, actingMs: 20_000 });
    const ids: string[] = [];
    await world.together(async () => {
      for (const _ of races) ids.push(await subscribePaid(world, { outcomes: ['insufficient_funds'] }));
    });
    await world.advanceTo('2031-01-31T10:05:00Z');
    for (const [index, { name }] of races.entries()) {
      const subscriptionId = ids[index] ?? '';
      const [, invoice] = await invoicesOf(world, subscriptionId);
      actors.set(name, { world, subscriptionId, invoice });
    }
    for (const { day } of steps) {
      const now = races.filter((race) => race.day === day);
      const dates = now.map(({ name }) => Date.parse(actorOf(name).invoice.firstFailedAt) + day * DAY_MS);
      await world.advanceTo(new Date(Math.min(...dates) - 1_000));
      await playAll(now, ({ order }) => order.slice(0, order.indexOf('step')));
      await world.advanceTo(new Date(Math.max(...dates) + 1_000));
      await playAll(now, ({ order }) => order.slice(order.indexOf('step') + 1));
    }
  }, 600_000);
  afterAll(() => world.close());

  it.each(races)('$name', async ({ name, day, order }) => {
    const actor = actorOf(name);
    const { subscriptionId, invoice } = actor;
    const happened = await world.effects({ subscriptionId, from: invoice.issuedAt });
    expect(strands(happened)).toEqual(
      strands([...renewalFails(), ...standardUntil(day - 1), ...outcomeOf(order, day), ...winBacks(day)]),
    );

    const endedByLadder = day === LAST_DAY && order[0] === 'step';
    const paidInTime = order.indexOf('payment') < order.indexOf('cancellation') || endedByLadder;
    expect(await readSubscription(world, subscriptionId)).toMatchObject({
      status: 'cancelled',
      access: 'none',
      dunning: null,
    });
    expect(await invoiceNow(actor)).toMatchObject({ status: paidInTime ? 'paid' : 'void', dueMinor: 0 });
    expect(await customerOf(actor)).toMatchObject({ creditMinor: paidInTime ? 0 : 2900 });
  });

  function actorOf(name: string): Actor {
    const actor = actors.get(name);
    if (actor === undefined) throw new Error('The month was not played');
    return actor;
  }

  async function playAll(
    now: typeof races,
    part: (race: (typeof races)[number]) => Happening[],
  ): Promise<void> {
    await world.together(async () => {
      for (const race of now) for (const happening of part(race)) await play(happening, actorOf(race.name));
    });
  }
});

function play(happening: Happening, actor: Actor): Promise<unknown> {
  // A subscription that the ladder has ended refuses to be cancelled, so the answer is not looked at.
  const cancellation = `/v1/subscriptions/${actor.subscriptionId}/cancel`;
  return happening === 'payment'
    ? payOutside(2900)(actor)
    : actor.world.request('POST', cancellation, { body: { mode: 'now' } });
}

/** What each of the three does, by what came before it. */
function outcomeOf(order: Happening[], day: number): string[] {
  let state: 'unpaid' | 'paid' | 'cancelled' | 'ended unpaid' = 'unpaid';
  const lines: string[] = [];
  for (const happening of order) {
    if (happening === 'step' && state === 'unpaid') {
      lines.push(...standardUntil(day).slice(standardUntil(day - 1).length));
      if (day === LAST_DAY) state = 'ended unpaid';
    } else if (happening === 'payment') {
      if (state === 'unpaid') lines.push(...recovers(''));
      // What a void invoice does not need is credit; a written-off one is paid after all.
      else
        lines.push(' payment_received', ...(state === 'ended unpaid' ? [' mail payment_received sent'] : []));
      if (state === 'unpaid') state = 'paid';
    } else if (happening === 'cancellation' && state !== 'ended unpaid') {
      lines.push(' cancelled', ' access none', ' mail cancellation_confirmed sent');
      state = 'cancelled';
    }
  }
  return lines;
}

/** A cancelled customer is written to twice; the story ends on day 30. */
function winBacks(endedOn: number): string[] {
  return [7, 21].flatMap((after, index) =>
    endedOn + after < LAST_DAY ? [' win_back', ` mail win_back_${index + 1} sent`] : [],
  );
}

/** Charges, timeline and mails, each in its own order: how they lie to each other within a minute is not told. */
function strands(lines: string[]) {
  const texts = lines.map((line) => line.replace(/^(day \d+( \+\d\d:\d\d)?)? /, ''));
  return {
    charges: texts.filter((text) => text.startsWith('charge ')),
    timeline: texts.filter((text) => !text.startsWith('charge ') && !text.startsWith('mail ')),
    mails: texts.filter((text) => text.startsWith('mail ')),
  };
}
