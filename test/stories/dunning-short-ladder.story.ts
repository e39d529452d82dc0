/**
 * The short ladder, `short_10`: it ends on the free plan, whoever pays at a step gets off it there, and what is paid or
 * bought after the end. A new card, a cancellation and a step at the same time have one outcome in each of the six orders.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bankDecides,
  cancelAtPeriodEnd,
  cancelNow,
  customerOf,
  declines,
  invoiceNow,
  newCard,
  payOutside,
} from './acts.ts';
import { afterlife } from './beginnings.ts';
import { type Act, type Actor, createEnsemble } from './ensemble.ts';
import { type Happening, orders } from './orders.ts';
import { invoicesOf, readSubscription, subscribe, subscribePaid, useCard } from './people.ts';
import { recovers, recoversByNewCard, renewalFails, renewalPaid, retryFails } from './phrases.ts';
import { type Answer, type Body, createWorld, type World } from './world.ts';

const plan = 'pro-short';
const DAY_MS = 86_400_000;
/** Minutes away from the step: what is asked before it is answered in time, also on a slow machine. */
const CLOSE_DAYS = 5 / (24 * 60);

describe('the end of the ladder', () => {
  const { tell } = createEnsemble({ days: 41 });

  tell('is the free plan on day 10: nothing is chased any more, and the free period renews without a word', {
    plan,
    card: declines(1),
    on: {
      9.9: expectState({ status: 'past_due', access: 'grace', plan: { code: plan } }),
      10.1: expectState({ status: 'active', access: 'full', plan: { code: 'free' }, dunning: null }),
    },
    happens: [...renewalFails(), ...shortUntil(10), 'day 38 renewed'],
    finally: async (actor) => {
      expect(await invoicesOf(actor.world, actor.subscriptionId)).toMatchObject([
        { status: 'paid' },
        { status: 'uncollectible', paidMinor: 0, dueMinor: 0 },
      ]);
      const { currentPeriod } = await readSubscription(actor.world, actor.subscriptionId);
      expect(currentPeriod.startsAt.slice(0, 13)).toBe('2031-03-10T10');
    },
  });

  tell('stays the end when a card works again: nothing is due, so nothing is charged', {
    plan,
    card: declines(1),
    on: {
      12: async (actor) => {
        const nothingDue = { outcome: 'nothing_due', subscription: { plan: { code: 'free' } } };
        expect(await newCard('succeeded')(actor)).toMatchObject(nothingDue);
      },
    },
    happens: [...renewalFails(), ...shortUntil(10), 'day 12 payment_method_changed', 'day 38 renewed'],
    finally: expectUnpaid,
  });

  tell('can be paid for late, in two parts: the first has a receipt of its own, and the free plan stays', {
    plan,
    card: declines(1),
    on: { 12: payOutside(1000), 13: payOutside(1900) },
    happens: [
      ...renewalFails(),
      ...shortUntil(10),
      'day 12 payment_received',
      'day 12 mail payment_recorded sent',
      'day 13 payment_received',
      'day 13 mail payment_received sent',
      'day 38 renewed',
    ],
    finally: async (actor) => {
      expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900, dueMinor: 0 });
      expect(await customerOf(actor)).toMatchObject({ creditMinor: 0 });
      await expectState({ status: 'active', access: 'full', plan: { code: 'free' } })(actor);
    },
  });

  tell('paid late twice, owes the second money to the customer', {
    plan,
    card: declines(1),
    on: { 12: payOutside(2900), 13: payOutside(2900) },
    happens: [
      ...renewalFails(),
      ...shortUntil(10),
      'day 12 payment_received',
      'day 12 mail payment_received sent',
      'day 13 payment_received',
      'day 13 mail payment_recorded sent',
      'day 38 renewed',
    ],
    finally: async (actor) => {
      expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900 });
      expect(await customerOf(actor)).toMatchObject({ creditMinor: 2900 });
    },
  });

  tell('is left by subscribing again with a payment; a second trial and a conversion are refused', {
    plan,
    card: declines(1),
    on: {
      12: async (actor) => {
        const { world, subscriptionId } = actor;
        const { customerId } = await readSubscription(world, subscriptionId);
        const again = { customerId, planCode: plan, start: 'trial' };
        expect(await world.request('POST', '/v1/subscriptions', { body: again })).toMatchObject({
          status: 409,
          body: { code: 'trial_already_used' },
        });
        expect(await world.request('POST', `/v1/subscriptions/${subscriptionId}/convert`)).toMatchObject({
          status: 409,
          body: { reason: 'subscription_active' },
        });
        await subscribe(world, { customerId, plan, start: 'payment' });
      },
      12.5: async (actor) => {
        const { id } = await newSubscriptionOf(actor);
        expect(await useCard(actor.world, id, 'succeeded')).toMatchObject({ outcome: 'paid' });
      },
      14: cancelNow,
    },
    happens: [
      ...renewalFails(),
      ...shortUntil(10),
      'day 12 +12:00 payment_method_changed',
      'day 14 cancelled',
      'day 14 access none',
      'day 14 mail subscription_ended sent',
      'day 21 win_back_skipped',
      'day 35 win_back_skipped',
    ],
    finally: async (actor) => {
      const { world } = actor;
      const { id, startedAt } = await newSubscriptionOf(actor);
      expect(await world.effects({ subscriptionId: id, from: startedAt })).toEqual([
        'day 0 charge USD 29.00 refused insufficient_funds',
        'day 0 created',
        'day 0 invoice_issued',
        'day 0 charge_failed',
        'day 0 mail payment_failed sent',
        'day 0 +12:00 charge USD 29.00 succeeded',
        'day 0 +12:00 payment_method_changed',
        'day 0 +12:00 payment_received',
        'day 0 +12:00 activated',
        'day 0 +12:00 access full',
        'day 0 +12:00 mail subscription_confirmed sent',
        ...renewalPaid('day 28'),
      ]);
      expect(await invoicesOf(world, id)).toMatchObject([{ status: 'paid' }, { status: 'paid' }]);
      await expectUnpaid(actor);
    },
  });

  tell('waits for a charge that the bank works on, without a second one; a late yes is booked', {
    plan,
    card: [...declines(3), 'processing'],
    on: { 15: bankDecides('succeeded') },
    happens: [
      ...renewalFails(),
      ...shortUntil(3),
      'day 7 charge processing',
      'day 14 downgraded',
      'day 14 access full',
      // The end has overtaken the warning: what it says is not so any more.
      'day 14 mail suspension_warning skipped',
      'day 14 mail subscription_downgraded sent',
      'day 15 bank USD 29.00 succeeded',
      'day 15 payment_received',
      'day 15 mail payment_received sent',
    ],
    finally: async (actor) => {
      expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900 });
      await expectState({ status: 'active', access: 'full', plan: { code: 'free' } })(actor);
    },
  });

  tell('is a free subscription like any other: cancelled for the end of its period, it ends there', {
    plan,
    card: declines(1),
    on: { 12: cancelAtPeriodEnd },
    happens: [
      ...renewalFails(),
      ...shortUntil(10),
      'day 12 cancellation_requested',
      'day 12 mail cancellation_confirmed sent',
      'day 38 cancelled',
      'day 38 access none',
      'day 38 mail subscription_ended sent',
    ],
    finally: expectUnpaid,
  });

  for (const [tried, day] of [1, 3, 7].entries()) {
    tell(`does not come when the card works again on day ${day}: one recovery, full access, no later step`, {
      plan,
      card: [...declines(tried + 1), 'succeeded'],
      happens: [
        ...renewalFails(),
        ...shortUntil(day - 1),
        `day ${day} charge USD 29.00 succeeded`,
        ...recovers(`day ${day}`),
        ...renewalPaid('day 28'),
      ],
      finally: expectRecovered,
    });

    tell(`does not come when another card is given hours before the step of day ${day}`, {
      plan,
      card: declines(1),
      on: { [day - 0.25]: newCard('succeeded') },
      happens: [
        ...renewalFails(),
        ...shortUntil(day - 1),
        ...recoversByNewCard(`day ${day - 1} +18:00`),
        ...renewalPaid('day 28'),
      ],
      finally: expectRecovered,
    });
  }

  tell('does not come when money from outside arrives hours before it', {
    plan,
    card: [...declines(4), 'succeeded'],
    on: { 9.75: payOutside() },
    happens: [...renewalFails(), ...shortUntil(7), ...recovers('day 9 +18:00'), ...renewalPaid('day 28')],
    finally: expectRecovered,
  });
});

describe('a new card, a cancellation and a step, minutes apart', () => {
  const { tell } = createEnsemble({ days: 41 });

  for (const day of [1, 3, 7, 10]) {
    for (const order of orders) {
      const step = order.indexOf('step');
      const { happens, isPaid } = outcomeOf(order, day);
      tell(`day ${day}: ${order.join(', ')}`, {
        plan,
        card: declines(1),
        on: {
          [day - CLOSE_DAYS]: allOf(order.slice(0, step)),
          [day + CLOSE_DAYS]: allOf(order.slice(step + 1)),
        },
        happens: [...renewalFails(), ...shortUntil(day - 1), ...happens],
        finally: async (actor) => {
          const isWrittenOff = day === 10 && step === 0;
          const status = isWrittenOff ? 'uncollectible' : isPaid ? 'paid' : 'void';
          expect(await invoiceNow(actor)).toMatchObject({ status, dueMinor: 0 });
          await expectEnded(actor);
          expect(await customerOf(actor)).toMatchObject({ creditMinor: 0 });
        },
      });
    }
  }
});

describe('a new card, a cancellation and a step at the very same time', () => {
  let world: World;
  const cast: (Actor & { order: Happening[] })[] = [];

  beforeAll(async () => {
    world = await createWorld({ startsAt: '2030-12-31T10:00:00Z' });
    const ids: string[] = [];
    await world.together(async () => {
      for (const _ of orders) ids.push(await subscribePaid(world, { plan, outcomes: declines(1) }));
    });
    await world.advanceTo('2031-01-31T12:00:00Z');
    for (const [index, order] of orders.entries()) {
      const subscriptionId = ids[index] ?? '';
      const [, invoice] = await invoicesOf(world, subscriptionId);
      cast.push({ world, subscriptionId, invoice, from: invoice.issuedAt, order });
    }
    await allAtOnce();
    await world.advanceTo('2031-03-04T12:00:00Z');
  }, 300_000);
  afterAll(() => world.close());

  it.each(orders.map((order, index) => ({ name: order.join(', '), index })))(
    'begun as $name: charged at most once, and ended once',
    async ({ index }) => {
      const actor = cast[index];
      if (actor === undefined) throw new Error('The day was not played');
      const lines = await world.effects({ subscriptionId: actor.subscriptionId, from: actor.from });
      const times = (text: string) => lines.filter((line) => line.endsWith(` ${text}`)).length;
      const taken = times('charge USD 29.00 succeeded (delay)');
      const { status } = await invoiceNow(actor);
      const recovered = status === 'paid' ? 1 : 0;

      // The money was taken in time and recovered, or came too late and is the customer's.
      expect(['paid', 'void']).toContain(status);
      expect(taken).toBeGreaterThanOrEqual(recovered);
      expect(taken).toBeLessThanOrEqual(1);
      expect(times('payment_received')).toBe(taken);
      expect([times('recovered'), times('mail payment_recovered sent')]).toEqual([recovered, recovered]);
      expect(await customerOf(actor)).toMatchObject({ creditMinor: 2900 * (taken - recovered) });

      expect([times('cancelled'), times('mail subscription_ended sent')]).toEqual([1, 1]);
      await expectEnded(actor);
      // The renewal and day 1 are over by then; what follows is the afterlife and nothing else.
      expect(lines.filter((line) => !/^day [01] /.test(line))).toEqual(afterlife(1, 30));
    },
  );

  /** Everybody asks in their own order while the steps, seconds apart, come due; nothing waits for anything else. */
  async function allAtOnce(): Promise<void> {
    const stepsMs = cast.map(({ invoice }) => Date.parse(invoice.firstFailedAt) + DAY_MS);
    await world.advanceTo(new Date(Math.min(...stepsMs) - 100));
    // The vendor's answers take their time, so a charge is under way when the others come.
    world.stripeFaults({ rates: { delay: 1 }, ops: ['payment_intents.create'], delayMs: 1_000 });
    const answers = await world.together(() =>
      Promise.all([
        ...cast.flatMap((actor) =>
          actor.order.filter((happening) => happening !== 'step').map((happening) => ask(happening, actor)),
        ),
        world.advanceTo(new Date(Math.max(...stepsMs))),
      ]),
    );
    for (const answer of answers) if (answer !== undefined) expect([200, 409]).toContain(answer.status);
    world.stripeFaults({});
  }
});

/** The steps of short_10 up to a day, all in vain. */
function shortUntil(day: number): string[] {
  const steps: [number, string[]][] = [
    [1, retryFails(1, 'payment_failed_1')],
    [3, retryFails(3, 'update_payment_method')],
    [7, retryFails(7, 'suspension_warning')],
    [10, ['day 10 downgraded', 'day 10 access full', 'day 10 mail subscription_downgraded sent']],
  ];
  return steps.filter(([at]) => at <= day).flatMap(([, lines]) => lines);
}

/** What each of the three does, by what came before it, up to the erasure. */
function outcomeOf(order: Happening[], day: number): { happens: string[]; isPaid: boolean } {
  const step = order.indexOf('step');
  const moments = [`day ${day - 1} +23:55`, `day ${day}`, `day ${day} +00:05`] as const;
  let state: 'unpaid' | 'paid' | 'free' | 'cancelled' = 'unpaid';
  let isPaid = false;
  const happens: string[][] = [[], [], []];
  let wonBack: string[] = [];
  for (const [index, happening] of order.entries()) {
    const moment = Math.sign(index - step) + 1;
    const when = moments[moment] ?? '';
    switch (`${happening} when ${state}` as const) {
      case 'step when unpaid':
        happens[moment]?.push(...shortUntil(day).slice(shortUntil(day - 1).length));
        if (day === 10) state = 'free';
        break;
      case 'payment when unpaid':
        happens[moment]?.push(...recoversByNewCard(when));
        state = 'paid';
        isPaid = true;
        break;
      case 'payment when free':
        happens[moment]?.push(`${when} payment_method_changed`);
        break;
      case 'cancellation when unpaid':
      case 'cancellation when paid':
      case 'cancellation when free':
        happens[moment]?.push(
          `${when} cancelled`,
          `${when} access none`,
          `${when} mail subscription_ended sent`,
        );
        wonBack = afterlife(moment === 0 ? day - 1 : day, 30).map((line) =>
          line.replace(/^day \d+/, (found) => `${found}${moment === 0 ? ' +23:55' : ' +00:05'}`),
        );
        state = 'cancelled';
        break;
      default:
      // Nothing is left to do: a step of a closed case, a card for what has ended.
    }
  }
  return { happens: [...happens.flatMap(asListed), ...wonBack], isPaid };
}

/** What happens within a minute is listed as charges, then the timeline, then mails. */
function asListed(lines: string[]): string[] {
  const rank = (line: string) => (line.includes(' charge ') ? 0 : line.includes(' mail ') ? 2 : 1);
  return lines.toSorted((a, b) => rank(a) - rank(b));
}

/** One after the other. What has ended refuses to be paid for, and says so. */
function allOf(happenings: Happening[]): Act {
  return async (actor) => {
    for (const happening of happenings) {
      const { status: before } = await readSubscription(actor.world, actor.subscriptionId);
      const refused = { status: 409, body: { reason: 'subscription_cancelled' } };
      expect(await ask(happening, actor)).toMatchObject(before === 'cancelled' ? refused : { status: 200 });
    }
  };
}

function ask(happening: Happening, { world, subscriptionId }: Actor): Promise<Answer> {
  const path = `/v1/subscriptions/${subscriptionId}`;
  if (happening === 'cancellation') return world.request('POST', `${path}/cancel`, { body: { mode: 'now' } });
  const paymentMethodId = world.stripe.createCard({ outcomes: ['succeeded'] });
  return world.request('PUT', `${path}/payment_method`, { body: { paymentMethodId } });
}

/** The subscription that the customer of this one has begun after it. */
async function newSubscriptionOf({ world, subscriptionId }: Actor): Promise<Body> {
  const { customerId } = await readSubscription(world, subscriptionId);
  const { data } = await world.ok('GET', `/v1/subscriptions?customerId=${customerId}`);
  return data.find(({ id }: Body) => id !== subscriptionId);
}

function expectState(state: Body): Act {
  return async ({ world, subscriptionId }) =>
    expect(await readSubscription(world, subscriptionId)).toMatchObject(state);
}

async function expectUnpaid(actor: Actor): Promise<void> {
  expect(await invoiceNow(actor)).toMatchObject({ status: 'uncollectible', paidMinor: 0 });
}

async function expectRecovered(actor: Actor): Promise<void> {
  expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900, dueMinor: 0 });
  await expectState({ status: 'active', access: 'full', plan: { code: plan }, dunning: null })(actor);
}

async function expectEnded(actor: Actor): Promise<void> {
  await expectState({ status: 'cancelled', access: 'none', dunning: null })(actor);
}
