/** Pausing: the time that is left is kept, nothing is billed meanwhile, and all later dates move with it. */
import { describe, expect } from 'vitest';
import { cancelAtPeriodEnd, cancelNow, changePlan, declines, pause, resume } from './acts.ts';
import { paidFromTheStart, renewsFor, startsFor, trialBegins } from './beginnings.ts';
import { readSubscription } from './people.ts';
import { type Beginning, createSubscriptionStage } from './stage.ts';

/** The first period is March and ends on day 31. */
const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T10:00:00Z', days: 75 });

const paid: Beginning = { start: 'payment', card: ['succeeded'] };

describe('a pause', () => {
  tell('keeps the 21 days that were left, however long it takes, and the next period follows them', {
    ...paid,
    on: {
      10: async (actor) => {
        expect(await pause(actor)).toMatchObject({
          status: 200,
          body: {
            status: 'paused',
            access: 'suspended',
            resumesAt: null,
            waitingFor: 'Paused until somebody resumes it; the remaining time of its period is kept.',
          },
        });
        expect(await pause(actor)).toMatchObject({ status: 409, body: { reason: 'subscription_paused' } });
      },
      40: async (actor) => {
        expect(await resume(actor)).toMatchObject({
          status: 200,
          body: { status: 'active', access: 'full', currentPeriod: { endsAt: on('2031-05-01') } },
        });
        expect(await resume(actor)).toMatchObject({ status: 409, body: { reason: 'subscription_active' } });
      },
    },
    happens: [...paidFromTheStart, ...isPaused(10), ...isResumed(40), ...renewsFor(61, 'USD 29.00')],
    finally: async ({ world, subscriptionId }) => {
      expect(await readSubscription(world, subscriptionId)).toMatchObject({
        currentPeriod: { index: 1, startsAt: on('2031-05-01'), endsAt: on('2031-06-01') },
      });
    },
  });

  tell('ends by itself on the day that was named', {
    ...paid,
    on: {
      10: async (actor) => {
        expect(await pause(actor, { resumesAt: '2031-03-21T10:00:00.000Z' })).toMatchObject({
          status: 200,
          body: { status: 'paused', resumesAt: '2031-03-21T10:00:00.000Z' },
        });
      },
    },
    happens: [
      ...paidFromTheStart,
      ...isPaused(10),
      ...isResumed(20),
      ...renewsFor(41, 'USD 29.00'),
      ...renewsFor(71, 'USD 29.00'),
    ],
  });

  tell('moves the service of what was billed: an upgrade after it credits what is really left', {
    ...paid,
    on: {
      10: pause,
      40: resume,
      // 19 of the 31 days that were paid for are left.
      42: async (actor) => {
        expect(await changePlan(actor, { planCode: 'pause' })).toMatchObject({ status: 404 });
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          body: { outcome: 'paid' },
        });
      },
    },
    happens: [
      ...paidFromTheStart,
      ...isPaused(10),
      ...isResumed(40),
      'day 42 charge USD 42.91 succeeded',
      'day 42 invoice_issued',
      'day 42 change_requested',
      'day 42 payment_received',
      'day 42 plan_changed',
      'day 42 mail plan_upgraded sent',
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('moves a planned downgrade to the end of the period, wherever that is then', {
    ...paid,
    plan: 'plus-monthly',
    on: {
      5: (actor) => changePlan(actor, { planCode: 'pro-monthly' }),
      10: pause,
      20: async (actor) => {
        expect(await resume(actor)).toMatchObject({
          body: { pendingChange: { kind: 'downgrade', at: on('2031-04-11') } },
        });
      },
    },
    happens: [
      ...startsFor('USD 99.00'),
      'day 5 change_scheduled',
      'day 5 mail plan_change_scheduled sent',
      ...isPaused(10),
      ...isResumed(20),
      'day 41 charge USD 29.00 succeeded',
      'day 41 plan_changed',
      ...renewsFor(41, 'USD 29.00').slice(1),
      ...renewsFor(71, 'USD 29.00'),
    ],
  });

  tell('can be left by cancelling, which is at once', {
    ...paid,
    on: { 10: pause, 12: cancelNow },
    happens: [
      ...paidFromTheStart,
      ...isPaused(10),
      'day 12 cancelled',
      'day 12 access none',
      'day 12 mail subscription_ended sent',
      'day 19 win_back',
      'day 19 mail win_back_1 sent',
      'day 33 win_back',
      'day 33 mail win_back_2 sent',
      'day 42 data_erased',
    ],
  });
});

describe('a pause is refused, and writes nothing', () => {
  tell('in a trial', {
    on: {
      1: async (actor) => {
        expect(await pause(actor)).toMatchObject({ status: 409, body: { reason: 'subscription_trialing' } });
      },
    },
    happens: [
      ...trialBegins,
      ...['day 7', 'day 12', 'day 13'].flatMap((day, index) => [
        `${day} trial_message`,
        `${day} mail ${['trial_halfway', 'trial_ending', 'trial_last_chance'][index]} sent`,
      ]),
      'day 14 suspended',
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
      'day 44 expired',
      'day 44 access none',
      'day 44 mail subscription_expired sent',
      'day 51 win_back',
      'day 51 mail win_back_1 sent',
      'day 65 win_back',
      'day 65 mail win_back_2 sent',
      'day 74 data_erased',
    ],
  });

  tell('for a day that is over, and once it is cancelled', {
    ...paid,
    on: {
      10: async (actor) => {
        expect(await pause(actor, { resumesAt: '2031-03-02T10:00:00.000Z' })).toMatchObject({
          status: 409,
          body: { reason: 'resumes_in_the_past' },
        });
        await cancelAtPeriodEnd(actor);
        expect(await pause(actor)).toMatchObject({ status: 409, body: { reason: 'cancellation_pending' } });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 10 cancellation_requested',
      'day 10 mail cancellation_confirmed sent',
      'day 31 cancelled',
      'day 31 access none',
      'day 31 mail subscription_ended sent',
      'day 38 win_back',
      'day 38 mail win_back_1 sent',
      'day 52 win_back',
      'day 52 mail win_back_2 sent',
      'day 61 data_erased',
    ],
  });

  tell('while an invoice is unpaid', {
    start: 'payment',
    card: ['succeeded', ...declines(1), 'succeeded'],
    on: {
      31.5: async (actor) => {
        expect(await pause(actor)).toMatchObject({ status: 409, body: { reason: 'subscription_past_due' } });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 31 charge USD 29.00 refused insufficient_funds',
      'day 31 renewed',
      'day 31 invoice_issued',
      'day 31 charge_failed',
      'day 31 past_due',
      'day 31 access grace',
      'day 31 mail payment_failed sent',
      'day 32 charge USD 29.00 succeeded',
      'day 32 payment_received',
      'day 32 recovered',
      'day 32 access full',
      'day 32 mail payment_recovered sent',
      ...renewsFor(61, 'USD 29.00'),
    ],
  });
});

function isPaused(day: number): string[] {
  return [`day ${day} paused`, `day ${day} access suspended`, `day ${day} mail subscription_paused sent`];
}

function isResumed(day: number): string[] {
  return [`day ${day} resumed`, `day ${day} access full`, `day ${day} mail subscription_resumed sent`];
}

/** Ten o'clock of that day, as nearly as everybody acts within the same moment. */
function on(date: string) {
  const at = Date.parse(`${date}T10:00:00Z`);
  return expect.toSatisfy((value: string) => Math.abs(Date.parse(value) - at) < 60_000, `near ${date} 10:00`);
}
