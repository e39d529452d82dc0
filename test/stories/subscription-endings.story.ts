/**
 * Endings that are none of the usual ones: with an invoice unpaid, before anything was paid, after a trial that nobody
 * took up, and by a policy of the plan's own.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { dunningCases } from '../../db/schema/billing.ts';
import { cancel, cancelNow, declines, undo } from './acts.ts';
import { answerBank } from './bank.ts';
import {
  afterlife,
  converts,
  suspends,
  trialBegins,
  trialBeginsWithCard,
  trialMessages,
} from './beginnings.ts';
import { invoicesOf, readSubscription, subscribe, subscribePaid, useCard } from './people.ts';
import { recoversByNewCard, renewalFails, renewalPaid, standardUntil, takesAccess } from './phrases.ts';
import { type Act, type Actor, createStage, createSubscriptionStage, type Story } from './stage.ts';
import { type Answer, type Body, createWorld, type World } from './world.ts';

const start = '2031-03-01T10:00:00Z';

/** So short a period that it ends before the ladder takes access. */
const sixDays = {
  code: 'six-days',
  name: 'Six days',
  family: 'days',
  priceMinor: 2900,
  currency: 'USD',
  interval: { unit: 'day', count: 6 },
};

describe('cancelling for the end of the period while its invoice is unpaid', () => {
  /** Day 0 is the renewal, which the card's first answer decides. */
  const { tell } = createStage<Actor, Story & { card: string[] }>({
    startsAt: start,
    days: 43,
    begin: (world, stories) =>
      onPlan(world, sixDays, stories, async ({ card }) => {
        const subscriptionId = await subscribePaid(world, { plan: sixDays.code, outcomes: card });
        const { currentPeriod } = await readSubscription(world, subscriptionId);
        return { world, subscriptionId, from: currentPeriod.endsAt };
      }),
  });

  tell('lets the ladder run until then; after it nothing is charged, also not by another card', {
    card: ['insufficient_funds'],
    on: { 2: cancel, 7: expectRefused('subscription_cancelled') },
    happens: [
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(5).slice(3),
      ...ends('day 6'),
      ...afterlife(6, 30),
    ],
    finally: async (actor) => {
      await expectInvoices({ status: 'paid' }, { status: 'open', dueMinor: 2900 })(actor);
      await expectEnded(actor);
    },
  });

  tell('is not taken back by paying: access is full again until then, and no period follows', {
    card: ['insufficient_funds'],
    on: { 2: cancel, 4: (actor) => useCard(actor.world, actor.subscriptionId, 'succeeded') },
    happens: [
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(3).slice(3),
      ...recoversByNewCard('day 4'),
      ...ends('day 6'),
      ...afterlife(6, 30),
    ],
    finally: expectInvoices({ status: 'paid' }, { status: 'paid' }),
  });

  tell('leaves an invoice that can still be paid after the end, which revives nothing', {
    card: ['insufficient_funds'],
    on: { 2: cancel, 8: payLastInvoice },
    happens: [
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(5).slice(3),
      ...ends('day 6'),
      'day 8 payment_received',
      'day 8 mail payment_received sent',
      ...afterlife(6, 30),
    ],
    finally: async (actor) => {
      await expectInvoices({ status: 'paid' }, { status: 'paid' })(actor);
      await expectEnded(actor);
    },
  });

  tell('and taking that back leaves the ladder where it was, and the next period is billed', {
    card: [...declines(4), 'succeeded', ...declines(1)],
    on: { 2: cancel, 4: undo, 8: payOldestInvoice, 10: cancelNow },
    happens: [
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(3).slice(3),
      'day 4 cancellation_undone',
      'day 4 mail cancellation_undone sent',
      ...standardUntil(5).slice(6),
      // The new period is paid at once; what is chased is the period before.
      ...renewalPaid('day 6').slice(0, -1),
      'day 6 mail payment_received sent',
      ...takesAccess(7, 'restricted'),
      'day 8 payment_received',
      'day 8 recovered',
      'day 8 access full',
      'day 8 mail payment_recovered sent',
      ...ends('day 10'),
      ...afterlife(10, 30),
    ],
    finally: expectInvoices({ status: 'paid' }, { status: 'paid' }, { status: 'paid' }),
  });
});

describe('the last moment of the period', () => {
  let world: World;
  afterEach(() => world.close());

  it('half a minute before the end a cancellation is taken back, and the subscription renews once', async () => {
    const { actor, endsAt } = await leavingUnpaid();
    await world.advanceTo(new Date(endsAt.getTime() - 30_000));
    expect(await undo(actor)).toMatchObject({ status: 200, body: { cancelAtPeriodEnd: false } });
    await world.advanceTo(new Date(endsAt.getTime() + 12 * HOUR_MS));

    expect(await world.effects(actor)).toEqual([
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(5).slice(3),
      'day 6 charge USD 29.00 succeeded',
      'day 6 cancellation_undone',
      'day 6 renewed',
      'day 6 invoice_issued',
      'day 6 payment_received',
      'day 6 mail cancellation_undone sent',
      'day 6 mail payment_received sent',
    ]);
    expect(await readSubscription(world, actor.subscriptionId)).toMatchObject({
      status: 'past_due',
      access: 'grace',
      currentPeriod: { startsAt: endsAt.toISOString() },
    });
    await expectInvoices({ status: 'paid' }, { status: 'open' }, { status: 'paid' })(actor);
  });

  it('at the end itself it is refused, and nothing is charged', async () => {
    const { actor, endsAt } = await leavingUnpaid();
    await world.advanceTo(endsAt);
    const atTheEnd = await undo(actor);
    // At this very instant the end may be a moment away or done: either way it is too late.
    expect(atTheEnd.status).toBe(409);
    expect(['period_over', 'subscription_cancelled']).toContain(atTheEnd.body.reason);
    await world.advance({ minutes: 1 });
    const ended = { status: 409, body: { reason: 'subscription_cancelled' } };
    expect(await undo(actor)).toMatchObject(ended);
    await world.advanceTo(new Date(endsAt.getTime() + 12 * HOUR_MS));

    expect(await world.effects(actor)).toEqual([
      ...renewalFails(),
      ...standardUntil(1),
      ...isLeaving('day 2'),
      ...standardUntil(5).slice(3),
      ...ends('day 6'),
    ]);
    await expectInvoices({ status: 'paid' }, { status: 'open' })(actor);
  });

  /** Past due since the renewal on day 0, cancelled on day 2; the card would work again on day 6. */
  async function leavingUnpaid(): Promise<{ actor: Actor; endsAt: Date }> {
    world = await createWorld({ startsAt: start });
    await world.ok('POST', '/v1/plans', sixDays);
    const outcomes = [...declines(4), 'succeeded'];
    const subscriptionId = await subscribePaid(world, { plan: sixDays.code, outcomes });
    const { currentPeriod } = await readSubscription(world, subscriptionId);
    const actor = { world, subscriptionId, from: currentPeriod.endsAt };
    await world.advanceTo(new Date(Date.parse(actor.from) + 2 * DAY_MS));
    expect(await cancel(actor)).toMatchObject({ status: 200, body: { status: 'past_due' } });
    const { currentPeriod: unpaid } = await readSubscription(world, subscriptionId);
    return { actor, endsAt: new Date(unpaid.endsAt) };
  }
});

describe('cancelling before anything was paid', () => {
  const { tell } = createSubscriptionStage({ startsAt: start, days: 52 });
  const notPaidYet = ['day 0 created', 'day 0 invoice_issued', 'day 0 charge_failed'];

  for (const mode of ['now', 'at_period_end']) {
    tell(`${mode}: an unpaid start ends at once, its invoice is void, and no card is charged for it`, {
      start: 'payment',
      on: {
        0.5: async (actor) => {
          expect(await cancel(actor, { mode })).toMatchObject({
            status: 200,
            body: { status: 'cancelled', access: 'none' },
          });
        },
        1: expectRefused('subscription_cancelled'),
        1.5: async (actor) =>
          expect(await undo(actor)).toMatchObject({
            status: 409,
            body: { reason: 'subscription_cancelled' },
          }),
      },
      happens: [...notPaidYet, ...endsUnpaid('day 0 +12:00'), ...afterlifeHalfPast(0)],
      finally: expectNothingTaken({ status: 'void', paidMinor: 0, dueMinor: 0 }),
    });

    tell(`${mode}: a trial that ended without a method ends at once, and can no longer be taken up`, {
      on: {
        20: async (actor) => {
          expect(await cancel(actor, { mode })).toMatchObject({
            status: 200,
            body: { status: 'cancelled', access: 'none' },
          });
        },
        21: expectRefused('subscription_cancelled'),
      },
      happens: [
        ...trialBegins,
        ...trialMessages(7, 12, 13),
        ...suspends('day 14'),
        ...ends('day 20'),
        ...afterlife(20, 30),
      ],
      finally: expectNothingTaken(),
    });
  }

  tell('after a declined card: nobody is chased, and money that still comes is the customer’s', {
    start: 'payment',
    on: {
      0.25: async (actor) => {
        expect(await giveCard(actor, 'insufficient_funds')).toMatchObject({ status: 402 });
      },
      0.5: cancel,
      2: payLastInvoice,
    },
    happens: [
      ...notPaidYet,
      'day 0 +06:00 charge USD 29.00 refused insufficient_funds',
      'day 0 +06:00 payment_method_changed',
      'day 0 +06:00 charge_failed',
      'day 0 +06:00 mail payment_failed sent',
      ...endsUnpaid('day 0 +12:00'),
      'day 2 payment_received',
      'day 2 payment_unused',
      'day 2 mail payment_unused sent',
      ...afterlifeHalfPast(0),
    ],
    finally: async (actor) => {
      await expectNothingTaken({ status: 'void', paidMinor: 0 })(actor);
      const { customerId } = await readSubscription(actor.world, actor.subscriptionId);
      expect(await actor.world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 2900 });
    },
  });

  tell('while the bank waits for the customer: the link is called back and takes no money any more', {
    start: 'payment',
    on: {
      0.25: (actor) => useCard(actor.world, actor.subscriptionId, 'authentication_required'),
      0.5: cancel,
      2: (actor) => answerBank(actor, 'confirm'),
    },
    happens: [
      ...notPaidYet,
      'day 0 +06:00 charge USD 29.00 refused authentication_required',
      'day 0 +06:00 link requires_action',
      'day 0 +06:00 payment_method_changed',
      'day 0 +06:00 charge_requires_action',
      'day 0 +06:00 mail payment_action_required sent',
      'day 0 +12:00 cancel charge canceled',
      ...endsUnpaid('day 0 +12:00'),
      ...afterlifeHalfPast(0),
    ],
    finally: expectNothingTaken({ status: 'void', paidMinor: 0 }),
  });

  tell('while the bank works on the charge: its late yes is the customer’s credit, and revives nothing', {
    start: 'payment',
    on: {
      0.25: (actor) => useCard(actor.world, actor.subscriptionId, 'processing'),
      0.5: cancel,
      2: async (actor) => {
        const { world } = actor;
        const invoice = await lastInvoice(actor);
        const charge = world.stripe.effects().findLast(({ businessRef }) => businessRef === invoice.id);
        world.stripe.settle(charge?.objectId ?? '', 'succeeded');
      },
    },
    happens: [
      ...notPaidYet,
      'day 0 +06:00 charge processing',
      'day 0 +06:00 payment_method_changed',
      ...endsUnpaid('day 0 +12:00'),
      'day 2 bank USD 29.00 succeeded',
      'day 2 payment_received',
      'day 2 payment_unused',
      'day 2 mail payment_unused sent',
      ...afterlifeHalfPast(0),
    ],
    finally: async (actor) => {
      await expectInvoices({ status: 'void', paidMinor: 0 })(actor);
      await expectEnded(actor);
      const { customerId } = await readSubscription(actor.world, actor.subscriptionId);
      expect(await actor.world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 2900 });
    },
  });
});

/** A plan that is quick: 5 days of trial, 4 to take it up, 6 until the erasure. */
const quick = {
  code: 'quick',
  name: 'Quick',
  family: 'quick',
  priceMinor: 2900,
  currency: 'USD',
  interval: { unit: 'month', count: 1 },
  policy: {
    trialDays: 5,
    trialMessages: [
      { template: 'trial_halfway', daysBeforeEnd: 7 },
      { template: 'trial_ending', daysBeforeEnd: 3 },
      { template: 'trial_last_chance', daysBeforeEnd: 1 },
    ],
    trialWindowDays: 4,
    incompleteHours: 6,
    winBack: [
      { template: 'win_back_1', daysAfterEnd: 2 },
      { template: 'win_back_2', daysAfterEnd: 4 },
    ],
    retentionDays: 6,
    openInvoiceOnCancel: 'keep',
    technicalRetryMinutes: [30],
    dunningPolicy: 'short_10',
  },
};

describe('a plan with a policy of its own', () => {
  type Beginning = { start?: 'payment'; card?: string[] };
  const { tell } = createStage<Actor, Story & Beginning>({
    startsAt: start,
    days: 45,
    begin: (world, stories) =>
      onPlan(world, quick, stories, async (story) => {
        const subscriptionId = await subscribe(world, {
          plan: quick.code,
          ...(story.start !== undefined && { start: story.start }),
        });
        if (story.card !== undefined) await useCard(world, subscriptionId, ...story.card);
        const { startedAt } = await readSubscription(world, subscriptionId);
        return { world, subscriptionId, from: startedAt };
      }),
  });
  /** The halfway message would fall before the start. */
  const told = [
    'day 2 trial_message',
    'day 2 mail trial_ending sent',
    'day 4 trial_message',
    'day 4 mail trial_last_chance sent',
  ];

  tell('tells of the trial on days 2 and 4, converts on day 5, and keeps to the month from there', {
    card: ['succeeded'],
    happens: [...trialBeginsWithCard, ...told, ...converts('day 5'), ...renewalPaid('day 36')],
  });

  tell('wins back on days 2 and 4 after the end of the period, and erases on day 6', {
    card: ['succeeded'],
    on: { 10: cancel },
    happens: [
      ...trialBeginsWithCard,
      ...told,
      ...converts('day 5'),
      ...isLeaving('day 10'),
      ...ends('day 36'),
      ...quickAfterlife(36),
    ],
    finally: expectErased,
  });

  tell('ends a trial that was cancelled on day 3 on day 5, and sends no more of its messages', {
    card: ['succeeded'],
    on: { 3: cancel },
    happens: [
      ...trialBeginsWithCard,
      ...told.slice(0, 2),
      ...isLeaving('day 3'),
      ...ends('day 5'),
      ...quickAfterlife(5),
    ],
    finally: expectErased,
  });

  tell('suspends without a method on day 5 and expires four days later', {
    on: {
      10: async (actor) =>
        expect(await giveCard(actor, 'succeeded')).toMatchObject({
          status: 409,
          body: { reason: 'subscription_expired' },
        }),
    },
    happens: [
      ...trialBegins,
      ...told,
      ...suspends('day 5'),
      'day 9 expired',
      'day 9 access none',
      'day 9 mail subscription_expired sent',
      ...quickAfterlife(9),
    ],
    finally: async (actor) => {
      await expectInvoices()(actor);
      await expectErased(actor);
    },
  });

  tell('extended by a week, sends all three messages at the dates before the new end', {
    on: {
      1: ({ world, subscriptionId }) =>
        world.ok('POST', `/v1/subscriptions/${subscriptionId}/extend_trial`, { days: 7 }),
      13: cancel,
    },
    happens: [
      ...trialBegins,
      'day 1 trial_extended',
      'day 5 trial_message',
      'day 5 mail trial_halfway sent',
      'day 9 trial_message',
      'day 9 mail trial_ending sent',
      'day 11 trial_message',
      'day 11 mail trial_last_chance sent',
      ...suspends('day 12'),
      ...ends('day 13'),
      ...quickAfterlife(13),
    ],
    finally: expectErased,
  });

  tell('waits six hours for a first payment', {
    start: 'payment',
    happens: [
      'day 0 created',
      'day 0 invoice_issued',
      'day 0 charge_failed',
      'day 0 +06:00 expired',
      'day 0 +06:00 mail subscription_expired sent',
      ...quickAfterlife(0, ' +06:00'),
    ],
    finally: expectInvoices({ status: 'void' }),
  });

  tell('tries a first charge again after its own half hour, and then takes its own ladder', {
    card: ['processing_error', 'processing_error', 'insufficient_funds'],
    on: { 7: cancelNow },
    happens: [
      ...trialBeginsWithCard,
      ...told,
      'day 5 charge USD 29.00 refused processing_error',
      'day 5 invoice_issued',
      'day 5 charge_failed',
      'day 5 +00:30 charge USD 29.00 refused processing_error',
      'day 5 +00:30 charge_failed',
      'day 5 +00:30 past_due',
      'day 5 +00:30 access grace',
      'day 5 +00:30 mail payment_failed sent',
      'day 6 +00:30 charge USD 29.00 refused insufficient_funds',
      'day 6 +00:30 charge_failed',
      'day 6 +00:30 mail payment_failed_1 sent',
      ...ends('day 7'),
      ...quickAfterlife(7),
    ],
    // The plan keeps what was given but not paid.
    finally: expectInvoices({ status: 'open', dueMinor: 2900 }),
  });

  function quickAfterlife(day: number, time = ''): string[] {
    return [
      `day ${day + 2}${time} win_back`,
      `day ${day + 2}${time} mail win_back_1 sent`,
      `day ${day + 4}${time} win_back`,
      `day ${day + 4}${time} mail win_back_2 sent`,
      `day ${day + 6}${time} data_erased`,
    ];
  }
});

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Makes the plan, and then begins every story on it, one right after the other. */
async function onPlan<S>(
  world: World,
  plan: Body,
  stories: readonly S[],
  begin: (story: S) => Promise<Actor>,
): Promise<Actor[]> {
  await world.ok('POST', '/v1/plans', plan);
  return world.together(async () => {
    const actors: Actor[] = [];
    for (const story of stories) actors.push(await begin(story));
    return actors;
  });
}

function giveCard({ world, subscriptionId }: Actor, ...outcomes: string[]): Promise<Answer> {
  return world.request('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, {
    body: { paymentMethodId: world.stripe.createCard({ outcomes }) },
  });
}

/** Another card comes too late. */
function expectRefused(reason: string): Act {
  return async (actor) =>
    expect(await giveCard(actor, 'succeeded')).toMatchObject({ status: 409, body: { reason } });
}

async function lastInvoice({ world, subscriptionId }: Actor): Promise<Body> {
  return (await invoicesOf(world, subscriptionId)).at(-1);
}

async function payLastInvoice(actor: Actor): Promise<void> {
  await payOutside(actor, await lastInvoice(actor));
}

async function payOldestInvoice(actor: Actor): Promise<void> {
  const invoices = await invoicesOf(actor.world, actor.subscriptionId);
  await payOutside(
    actor,
    invoices.find(({ status }) => status === 'open'),
  );
}

function payOutside({ world }: Actor, { id, totalMinor, currency }: Body): Promise<Body> {
  const body = {
    amountMinor: totalMinor,
    currency,
    method: 'wire',
    reason: 'on the statement',
    reference: `wire ${id}`,
  };
  return world.ok('POST', `/v1/invoices/${id}/payments`, body);
}

function isLeaving(when: string): string[] {
  return [`${when} cancellation_requested`, `${when} mail cancellation_confirmed sent`];
}

function ends(when: string): string[] {
  return [`${when} cancelled`, `${when} access none`, `${when} mail subscription_ended sent`];
}

/** The same where no access had been given. */
function endsUnpaid(when: string): string[] {
  return [`${when} cancelled`, `${when} mail subscription_ended sent`];
}

/** The afterlife of what ended at half past a day. */
function afterlifeHalfPast(day: number): string[] {
  return afterlife(day, 30).map((line) => line.replace(/^day \d+/, '$& +12:00'));
}

/** All of the subscription's invoices, oldest first. */
function expectInvoices(...expected: Body[]): Act {
  return async ({ world, subscriptionId }) => {
    const invoices = await invoicesOf(world, subscriptionId);
    expect(invoices).toHaveLength(expected.length);
    expect(invoices).toMatchObject(expected);
  };
}

async function expectEnded({ world, subscriptionId }: Actor): Promise<void> {
  const ended = { status: 'cancelled', access: 'none', dunning: null };
  expect(await readSubscription(world, subscriptionId)).toMatchObject(ended);
}

async function expectErased({ world, subscriptionId }: Actor): Promise<void> {
  const { customerId } = await readSubscription(world, subscriptionId);
  const erased = { email: null, name: null, erasedAt: expect.any(String) };
  expect(await world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject(erased);
}

/** The vendor took no money, and there never was a dunning case. */
function expectNothingTaken(...invoices: Body[]): Act {
  return async (actor) => {
    const { world, subscriptionId } = actor;
    await expectInvoices(...invoices)(actor);
    await expectEnded(actor);
    const ids = new Set((await invoicesOf(world, subscriptionId)).map(({ id }) => id));
    expect(world.stripe.charges().filter(({ businessRef }) => ids.has(businessRef))).toEqual([]);
    const { customerId } = await readSubscription(world, subscriptionId);
    const cases = await withTenant(world.db, world.tenantId, (tx) => tx.select().from(dunningCases));
    expect(cases.filter((each) => each.customerId === customerId)).toEqual([]);
  };
}
