/** Trials: the messages on their days, how a trial ends, and one trial for each person and plan family. */
import { describe, expect, it } from 'vitest';
import { answerBank } from './bank.ts';
import { converts, suspends, trialBegins, trialBeginsWithCard, trialMessages } from './beginnings.ts';
import { invoicesOf, mailsOf, newCustomer, readSubscription, subscribe, useCard } from './people.ts';
import { retryWithoutCard, takesAccess } from './phrases.ts';
import { type Actor, createSubscriptionStage } from './stage.ts';
import { type Answer, createWorld } from './world.ts';

const start = '2031-03-01T15:00:00Z';

describe('a trial', () => {
  const { tell } = createSubscriptionStage({ startsAt: start, days: 46 });

  tell('is told of on days 7, 12 and 13 and converts on day 14 with the card on file, with its invoice', {
    card: ['succeeded'],
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7, 12, 13),
      ...converts('day 14'),
      ...renewal('day 45'),
    ],
    finally: async ({ world, subscriptionId }) => {
      expect(await readSubscription(world, subscriptionId)).toMatchObject({
        status: 'active',
        access: 'full',
      });
      const [first] = await invoicesOf(world, subscriptionId);
      expect(first).toMatchObject({ status: 'paid', totalMinor: 2900, paidMinor: 2900 });
      const confirmation = (await mailsOf(world, subscriptionId)).at(-2);
      expect(confirmation?.text).toContain(first.number);
      expect(confirmation?.text).toContain('USD 29.00');
    },
  });

  tell('of a free plan goes on without a card', {
    plan: 'free',
    happens: [...trialBegins, ...trialMessages(7, 12, 13), 'day 14 activated', 'day 45 renewed'],
  });

  tell('that is cancelled for its end is neither converted nor extended until that is taken back', {
    card: ['succeeded'],
    on: {
      2: ({ world, subscriptionId }) => world.ok('POST', `/v1/subscriptions/${subscriptionId}/cancel`, {}),
      3: async ({ world, subscriptionId }) => {
        const path = `/v1/subscriptions/${subscriptionId}`;
        const refused = { status: 409, body: { code: 'state_conflict', reason: 'cancellation_pending' } };
        expect(await world.request('POST', `${path}/convert`)).toMatchObject(refused);
        expect(await world.request('POST', `${path}/extend_trial`, { body: { days: 7 } })).toMatchObject(
          refused,
        );
        await world.ok('POST', `${path}/undo_cancel`, {});
        await world.ok('POST', `${path}/convert`, {});
      },
    },
    happens: [
      ...trialBeginsWithCard,
      'day 2 cancellation_requested',
      'day 2 mail cancellation_confirmed sent',
      'day 3 charge USD 29.00 succeeded',
      'day 3 cancellation_undone',
      'day 3 invoice_issued',
      'day 3 payment_received',
      'day 3 activated',
      'day 3 mail cancellation_undone sent',
      'day 3 mail subscription_confirmed sent',
      ...renewal('day 34'),
    ],
  });

  tell('whose charge is declined in the end is past due, and the ladder collects it on its day 1', {
    card: ['insufficient_funds', 'succeeded'],
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7, 12, 13),
      ...firstChargeFails('insufficient_funds'),
      'day 15 charge USD 29.00 succeeded',
      'day 15 payment_received',
      'day 15 recovered',
      'day 15 access full',
      'day 15 mail payment_recovered sent',
      ...renewal('day 45'),
    ],
  });

  tell('whose card is refused for good in the end is not charged again; the ladder ends the subscription', {
    card: ['stolen_card'],
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7, 12, 13),
      ...firstChargeFails('stolen_card'),
      ...retryWithoutCard(15, 'payment_failed_1'),
      ...retryWithoutCard(17, 'payment_failed_2'),
      ...retryWithoutCard(19, 'payment_failed_final'),
      ...takesAccess(21, 'restricted'),
      ...takesAccess(28, 'suspended'),
      'day 44 cancelled',
      'day 44 access none',
      'day 44 mail subscription_cancelled_unpaid sent',
    ],
  });

  tell('whose bank wants the customer in the end is past due until the customer has confirmed', {
    card: ['authentication_required', 'succeeded'],
    on: { 14.5: (actor) => answerBank(actor, 'confirm') },
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7, 12, 13),
      'day 14 charge USD 29.00 refused authentication_required',
      'day 14 link requires_action',
      'day 14 invoice_issued',
      'day 14 charge_requires_action',
      'day 14 past_due',
      'day 14 access grace',
      'day 14 mail payment_action_required sent',
      'day 14 +12:00 confirmation USD 29.00 succeeded',
      'day 14 +12:00 payment_received',
      'day 14 +12:00 recovered',
      'day 14 +12:00 access full',
      'day 14 +12:00 mail payment_recovered sent',
      ...renewal('day 45'),
    ],
  });

  tell('whose charge fails technically in the end is charged again in minutes and converts', {
    card: ['processing_error', 'succeeded'],
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7, 12, 13),
      'day 14 charge USD 29.00 refused processing_error',
      'day 14 invoice_issued',
      'day 14 charge_failed',
      'day 14 +00:15 charge USD 29.00 succeeded',
      'day 14 +00:15 payment_received',
      'day 14 +00:15 activated',
      'day 14 +00:15 mail subscription_confirmed sent',
      ...renewal('day 45'),
    ],
  });

  tell('that converts on day 9 is charged and confirmed at once, and its other messages are not sent (T3)', {
    card: ['succeeded'],
    on: {
      9: async ({ world, subscriptionId }) =>
        expect(await world.ok('POST', `/v1/subscriptions/${subscriptionId}/convert`)).toMatchObject({
          outcome: 'paid',
          subscription: { status: 'active', access: 'full' },
        }),
    },
    happens: [...trialBeginsWithCard, ...trialMessages(7), ...converts('day 9'), ...renewal('day 40')],
    finally: expectPeriodFrom('2031-04-10'),
  });

  tell('that is extended sends what was not sent at the new dates, and nothing twice', {
    on: {
      8: ({ world, subscriptionId }) =>
        world.ok('POST', `/v1/subscriptions/${subscriptionId}/extend_trial`, {
          days: 7,
          reason: 'asked_by_sales',
        }),
    },
    happens: [
      ...trialBegins,
      ...trialMessages(7),
      'day 8 trial_extended',
      'day 19 trial_message',
      'day 19 mail trial_ending sent',
      'day 20 trial_message',
      'day 20 mail trial_last_chance sent',
      ...suspends('day 21'),
    ],
  });

  tell('extended twice under one Idempotency-Key is extended once', {
    on: {
      1: async ({ world, subscriptionId }) => {
        const path = `/v1/subscriptions/${subscriptionId}/extend_trial`;
        const extend = () => world.request('POST', path, { body: { days: 7 }, key: 'seven-more' });
        const [first, second] = [await extend(), await extend()];
        expect(second.body).toEqual(first.body);
      },
    },
    happens: [
      ...trialBegins,
      'day 1 trial_extended',
      'day 14 trial_message',
      'day 14 mail trial_halfway sent',
      'day 19 trial_message',
      'day 19 mail trial_ending sent',
      'day 20 trial_message',
      'day 20 mail trial_last_chance sent',
      ...suspends('day 21'),
    ],
    finally: async ({ world, subscriptionId }) => {
      const { startedAt, trialEndsAt } = await readSubscription(world, subscriptionId);
      expect(Date.parse(trialEndsAt) - Date.parse(startedAt)).toBe(21 * 86_400_000);
    },
  });

  tell('without a payment method is suspended with notice, and taken up by a card within the window (T7)', {
    on: {
      20: async ({ world, subscriptionId }) => {
        const before = await readSubscription(world, subscriptionId);
        expect(before).toMatchObject({ status: 'suspended', access: 'suspended' });
        expect(await invoicesOf(world, subscriptionId)).toEqual([]);
        expect(await useCard(world, subscriptionId, 'succeeded')).toMatchObject({
          outcome: 'paid',
          subscription: { status: 'active', access: 'full' },
        });
      },
    },
    happens: [
      ...trialBegins,
      ...trialMessages(7, 12, 13),
      ...suspends('day 14'),
      'day 20 charge USD 29.00 succeeded',
      'day 20 payment_method_changed',
      'day 20 invoice_issued',
      'day 20 payment_received',
      'day 20 activated',
      'day 20 access full',
      'day 20 mail subscription_confirmed sent',
    ],
    finally: expectPeriodFrom('2031-03-21'),
  });

  tell(
    'without a payment method expires when the window closes, never billed; a later card is refused (T7)',
    {
      on: {
        45.5: async (actor) =>
          expect(await lateCard(actor)).toMatchObject({
            status: 409,
            body: { reason: 'subscription_expired' },
          }),
      },
      happens: [
        ...trialBegins,
        ...trialMessages(7, 12, 13),
        ...suspends('day 14'),
        'day 44 expired',
        'day 44 access none',
        'day 44 mail subscription_expired sent',
      ],
      finally: async ({ world, subscriptionId }) =>
        expect(await invoicesOf(world, subscriptionId)).toEqual([]),
    },
  );
});

it('a trial lasts 14 days to the second, also where the clocks change (T1)', async () => {
  const world = await createWorld({ startsAt: start, timeZone: 'America/New_York' });
  const id = await subscribe(world);

  const { startedAt, trialEndsAt } = await readSubscription(world, id);
  expect(Date.parse(trialEndsAt) - Date.parse(startedAt)).toBe(14 * 86_400_000);
  expect([newYorkTime(startedAt), newYorkTime(trialEndsAt)]).toEqual(['10:00 EST', '11:00 EDT']);

  await world.advanceTo('2031-03-16T15:00:00Z');
  const told = (await world.effects()).filter((line) => line.includes(' mail '));
  expect(told).toEqual([
    '2031-03-01T15:00 mail trial_started sent',
    '2031-03-08T15:00 mail trial_halfway sent',
    '2031-03-13T15:00 mail trial_ending sent',
    '2031-03-14T15:00 mail trial_last_chance sent',
    '2031-03-15T15:00 mail trial_ended sent',
  ]);
  await world.close();
});

it('a second trial of the same person and family is refused with the price, and the paid start is offered (T6)', async () => {
  const world = await createWorld({ startsAt: start });
  await subscribe(world, { customerId: await newCustomer(world, { email: 'Ann.Other@example.test' }) });
  const again = await newCustomer(world, { email: 'ann.other@EXAMPLE.test' });

  const refused = await world.request('POST', '/v1/subscriptions', {
    body: { customerId: again, planCode: 'pro-yearly', start: 'trial' },
  });
  expect(refused).toMatchObject({ status: 409, body: { code: 'trial_already_used' } });
  expect(refused.body.detail).toContain('USD 290.00');
  expect(refused.body.detail).toContain('start: "payment"');

  const paid = await subscribe(world, { customerId: again, plan: 'pro-yearly', start: 'payment' });
  await useCard(world, paid, 'succeeded');
  expect(await readSubscription(world, paid)).toMatchObject({ status: 'active', access: 'full' });
  const otherFamily = await subscribe(world, { customerId: again, plan: 'team-weekly', start: 'trial' });
  expect(await readSubscription(world, otherFamily)).toMatchObject({ status: 'trialing' });
  await world.close();
});

function renewal(when: string): string[] {
  return [
    `${when} charge USD 29.00 succeeded`,
    `${when} renewed`,
    `${when} invoice_issued`,
    `${when} payment_received`,
    `${when} mail payment_receipt sent`,
  ];
}

/** The period that runs now began on this date, at the hour of the start. */
function expectPeriodFrom(date: string) {
  return async ({ world, subscriptionId }: Actor) => {
    const { currentPeriod } = await readSubscription(world, subscriptionId);
    expect(currentPeriod.startsAt.slice(0, 13)).toBe(`${date}T15`);
  };
}

function lateCard({ world, subscriptionId }: Actor): Promise<Answer> {
  const paymentMethodId = world.stripe.createCard({ outcomes: ['succeeded'] });
  return world.request('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, {
    body: { paymentMethodId },
  });
}

function newYorkTime(instant: string): string {
  return new Date(instant).toLocaleTimeString('en-US', {
    timeZone: 'America/New_York',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  });
}

/** The charge at the end of the trial is declined: the first period is open, its invoice unpaid, and dunning begins. */
function firstChargeFails(code: string): string[] {
  return [
    `day 14 charge USD 29.00 refused ${code}`,
    'day 14 invoice_issued',
    'day 14 charge_failed',
    'day 14 past_due',
    'day 14 access grace',
    'day 14 mail payment_failed sent',
  ];
}
