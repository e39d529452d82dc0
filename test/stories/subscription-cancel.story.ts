/** Cancelling: at the end of the period with access until then, taking it back, and at once. */
import { describe, expect } from 'vitest';
import { cancel, cancelNow, undo } from './acts.ts';
import {
  afterlife,
  paidFromTheStart,
  renewsFor,
  trialBegins,
  trialBeginsWithCard,
  trialMessages,
} from './beginnings.ts';
import { invoicesOf, readSubscription } from './people.ts';
import { type Act, type Actor, type Beginning, createSubscriptionStage } from './stage.ts';
import type { Body } from './world.ts';

/** The first period is March; it ends on day 31. */
const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T10:00:00Z', days: 63 });

const paid: Beginning = { start: 'payment', card: ['succeeded'] };

/** The renewal on day 31 is declined, and again on the first day of the ladder. */
const overdue: Beginning = { start: 'payment', card: ['succeeded', 'insufficient_funds'] };
const becomesOverdue = [
  ...paidFromTheStart,
  'day 31 charge USD 29.00 refused insufficient_funds',
  'day 31 renewed',
  'day 31 invoice_issued',
  'day 31 charge_failed',
  'day 31 past_due',
  'day 31 access grace',
  'day 31 mail payment_failed sent',
  'day 32 charge USD 29.00 refused insufficient_funds',
  'day 32 charge_failed',
  'day 32 mail payment_failed_1 sent',
];

describe('cancelling at the end of the period', () => {
  tell('gives access until then, bills nothing more, and wins back on days 7 and 21 after', {
    ...paid,
    on: {
      10: async (actor) => {
        const reasons = { reason: 'too_expensive', comment: 'Maybe next year.' };
        expect(await cancel(actor, reasons)).toMatchObject({
          status: 200,
          body: { status: 'active', access: 'full', cancelAtPeriodEnd: true, cancellation: reasons },
        });
      },
      30: expectState({ status: 'active', access: 'full' }),
      32: expectState({ status: 'cancelled', access: 'none' }),
    },
    happens: [
      ...paidFromTheStart,
      'day 10 cancellation_requested',
      'day 10 mail cancellation_confirmed sent',
      ...ends(31),
      ...afterlife(31, 30),
    ],
  });

  tell('twice is refused, and confirmed by one mail', {
    ...paid,
    on: {
      1: async (actor) => {
        await cancel(actor);
        expect(await cancel(actor)).toMatchObject({ status: 409, body: { reason: 'already_cancelled' } });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 1 cancellation_requested',
      'day 1 mail cancellation_confirmed sent',
      ...ends(31),
      ...afterlife(31, 30),
    ],
  });

  tell('is taken back minutes before the period ends, and it renews exactly once (S3)', {
    ...paid,
    on: {
      10: cancel,
      [minutesBefore(31, 5)]: async (actor) => {
        const kept = { cancelAtPeriodEnd: false, cancellation: null };
        expect(await undo(actor)).toMatchObject({ status: 200, body: kept });
        expect(await undo(actor)).toMatchObject({ status: 409, body: { reason: 'not_cancelled' } });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 10 cancellation_requested',
      'day 10 mail cancellation_confirmed sent',
      'day 30 +23:55 cancellation_undone',
      'day 30 +23:55 mail cancellation_undone sent',
      ...renewsFor(31, 'USD 29.00'),
      ...renewsFor(61, 'USD 29.00'),
    ],
  });

  tell('cannot be taken back once the period is over', {
    ...paid,
    on: {
      10: cancel,
      31.5: async (actor) =>
        expect(await undo(actor)).toMatchObject({ status: 409, body: { reason: 'subscription_cancelled' } }),
    },
    happens: [
      ...paidFromTheStart,
      'day 10 cancellation_requested',
      'day 10 mail cancellation_confirmed sent',
      ...ends(31),
      ...afterlife(31, 30),
    ],
  });

  tell('during the trial sends no more messages, ends with the trial and is never billed', {
    card: ['succeeded'],
    on: { 8: cancel },
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7),
      'day 8 cancellation_requested',
      'day 8 mail cancellation_confirmed sent',
      ...ends(14),
      ...afterlife(14, 30),
    ],
    finally: expectNoInvoice,
  });

  tell('during the trial and taken back lets the trial go on; of the messages missed, the latest is sent', {
    on: { 5: cancel, 12.5: undo },
    happens: [
      ...trialBegins,
      'day 5 cancellation_requested',
      'day 5 mail cancellation_confirmed sent',
      'day 12 +12:00 cancellation_undone',
      'day 12 +12:00 trial_message',
      'day 12 +12:00 mail cancellation_undone sent',
      'day 12 +12:00 mail trial_ending sent',
      ...trialMessages(13),
      'day 14 suspended',
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
      'day 44 expired',
      'day 44 access none',
      'day 44 mail subscription_expired sent',
      ...afterlife(44, 7),
    ],
  });
});

describe('cancelling now', () => {
  tell('ends access at once and keeps reason and comment; everything asked of it afterwards is refused', {
    ...paid,
    on: {
      10: async (actor) => {
        const reasons = { reason: 'missing_feature', comment: 'No dark mode.' };
        expect(await cancel(actor, { mode: 'now', ...reasons })).toMatchObject({
          status: 200,
          body: { status: 'cancelled', access: 'none', cancellation: reasons },
        });
        for (const refused of [
          await cancel(actor, { mode: 'now' }),
          await cancel(actor),
          await undo(actor),
        ]) {
          expect(refused).toMatchObject({ status: 409, body: { reason: 'subscription_cancelled' } });
        }
      },
    },
    happens: [...paidFromTheStart, ...ends(10), ...afterlife(10, 30)],
    finally: async ({ world, subscriptionId }) => {
      const { data } = await world.ok('GET', `/v1/audit_log?entityId=${subscriptionId}`);
      expect(data[0]).toMatchObject({
        action: 'subscription.cancelled',
        reason: 'missing_feature',
        details: { mode: 'now' },
      });
    },
  });

  tell('voids the open invoice where the plan says so: no more charges, no more dunning', {
    ...overdue,
    on: { 32.5: cancelNow },
    happens: [...becomesOverdue, ...ends('32 +12:00'), ...afterlifeHalfPast(32)],
    finally: async (actor) => expect(await lastInvoice(actor)).toMatchObject({ status: 'void', dueMinor: 0 }),
  });

  tell('keeps the open invoice where the plan says so: nobody is chased for it, and it can still be paid', {
    ...overdue,
    plan: 'pro-keep',
    on: {
      32.5: cancelNow,
      36: async (actor) => {
        const { id, status, dueMinor } = await lastInvoice(actor);
        expect({ status, dueMinor }).toEqual({ status: 'open', dueMinor: 2900 });
        const payment = {
          amountMinor: 2900,
          currency: 'USD',
          method: 'wire',
          reason: 'on the statement',
          reference: `wire ${id}`,
        };
        await actor.world.ok('POST', `/v1/invoices/${id}/payments`, payment);
      },
    },
    happens: [
      ...becomesOverdue,
      ...ends('32 +12:00'),
      'day 36 payment_received',
      'day 36 mail payment_received sent',
      ...afterlifeHalfPast(32),
    ],
    finally: expectState({ status: 'cancelled', access: 'none' }),
  });

  tell('during the trial ends it at once, never billed', {
    on: { 2: cancelNow },
    happens: [...trialBegins, ...ends(2), ...afterlife(2, 30)],
    finally: expectNoInvoice,
  });

  tell('calls back a conversion that waits for the customer, whatever the plan says of open invoices', {
    plan: 'pro-keep',
    card: ['authentication_required'],
    on: {
      1: ({ world, subscriptionId }) => world.ok('POST', `/v1/subscriptions/${subscriptionId}/convert`),
      2: cancelNow,
    },
    happens: [
      ...trialBeginsWithCard,
      'day 1 charge USD 29.00 refused authentication_required',
      'day 1 link requires_action',
      'day 1 invoice_issued',
      'day 1 charge_requires_action',
      'day 1 mail payment_action_required sent',
      'day 2 cancel charge canceled',
      ...ends(2),
      ...afterlife(2, 30),
    ],
    finally: async (actor) => expect(await lastInvoice(actor)).toMatchObject({ status: 'void' }),
  });
});

async function lastInvoice({ world, subscriptionId }: Actor): Promise<Body> {
  return (await invoicesOf(world, subscriptionId)).at(-1);
}

async function expectNoInvoice({ world, subscriptionId }: Actor): Promise<void> {
  expect(await invoicesOf(world, subscriptionId)).toEqual([]);
}

function expectState(state: { status: string; access: string }): Act {
  return async ({ world, subscriptionId }) =>
    expect(await readSubscription(world, subscriptionId)).toMatchObject(state);
}

function ends(day: number | string): string[] {
  return [`day ${day} cancelled`, `day ${day} access none`, `day ${day} mail subscription_ended sent`];
}

/** The afterlife of what ended at noon of a day, as far as it is played. */
function afterlifeHalfPast(day: number): string[] {
  const at = (days: number) => `day ${day + days} +12:00`;
  return [
    `${at(7)} win_back`,
    `${at(7)} mail win_back_1 sent`,
    `${at(21)} win_back`,
    `${at(21)} mail win_back_2 sent`,
    `${at(30)} data_erased`,
  ];
}

function minutesBefore(day: number, minutes: number): number {
  return day - minutes / (24 * 60);
}
