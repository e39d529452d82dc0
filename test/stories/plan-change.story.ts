/** Changing plan, seats and interval: upgrades are paid first and billed to the second, downgrades wait for the end. */
import { describe, expect } from 'vitest';
import { cancelAtPeriodEnd, changePlan, declines, newCard, previewChange, undoChange } from './acts.ts';
import { paidFromTheStart, renewsFor, startsFor, trialBeginsWithCard, trialMessages } from './beginnings.ts';
import { invoicesOf, readSubscription } from './people.ts';
import { type Act, type Beginning, createSubscriptionStage } from './stage.ts';
import type { Answer, Body } from './world.ts';

/** March has 31 days: the first period ends on day 31, the second on day 61. */
const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T10:00:00Z', days: 63 });

const paid: Beginning = { start: 'payment', card: ['succeeded'] };

describe('an upgrade', () => {
  tell('is previewed, charged to the second and in force at once; the renewal bills the new plan', {
    ...paid,
    on: {
      12: async (actor) => {
        const shown = await previewChange(actor, { planCode: 'plus-monthly' });
        expect(shown).toMatchObject({
          status: 200,
          body: {
            kind: 'upgrade',
            lines: [
              { kind: 'change_credit', amountMinor: -1777 },
              { kind: 'change_charge', amountMinor: 6068 },
            ],
            totalMinor: 4291,
            dueMinor: 4291,
            nextInvoice: { at: expect.stringMatching(/^2031-04-01T10:00:/), totalMinor: 9900 },
          },
        });
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          status: 200,
          body: {
            outcome: 'paid',
            subscription: {
              plan: { code: 'plus-monthly' },
              pendingChange: null,
              currentPeriod: { index: 0 },
            },
          },
        });
        expect(await linesOf(actor, 1)).toEqual([
          ['change_credit', -1777, 'Unused time of Pro, 2031-03-13 to 2031-04-01'],
          ['change_charge', 6068, 'Plus, 2031-03-13 to 2031-04-01'],
        ]);
      },
    },
    happens: [
      ...paidFromTheStart,
      ...isUpgraded(12, 'USD 42.91'),
      ...renewsFor(31, 'USD 99.00'),
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('of seats is billed the same way, and twice within one period are two invoices', {
    ...paid,
    on: {
      12: async (actor) => {
        expect(await changePlan(actor, { quantity: 3 })).toMatchObject({
          body: { outcome: 'paid', subscription: { quantity: 3, plan: { code: 'pro-monthly' } } },
        });
      },
      20: async (actor) => {
        expect(await changePlan(actor, { quantity: 4 })).toMatchObject({ body: { outcome: 'paid' } });
      },
    },
    happens: [
      ...paidFromTheStart,
      // 19 of 31 days of two more seats; then 11 of 31 days of one more.
      ...isUpgraded(12, 'USD 35.55'),
      ...isUpgraded(20, 'USD 10.29'),
      ...renewsFor(31, 'USD 116.00'),
      ...renewsFor(61, 'USD 116.00'),
    ],
  });

  tell('that is declined leaves the old plan in place and lapses after 23 hours', {
    start: 'payment',
    card: ['succeeded', 'insufficient_funds', 'succeeded'],
    on: {
      12: async (actor) => {
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          status: 402,
          body: { code: 'card_declined' },
        });
        expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
          plan: { code: 'pro-monthly' },
          status: 'active',
          pendingChange: {
            kind: 'upgrade',
            planName: 'Plus',
            at: expect.stringMatching(/^2031-03-14T09:00:/),
          },
        });
      },
      14: async (actor) => {
        expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
          plan: { code: 'pro-monthly' },
          status: 'active',
          pendingChange: null,
        });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 12 charge USD 42.91 refused insufficient_funds',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_failed',
      'day 12 mail payment_failed sent',
      'day 12 +23:00 change_lapsed',
      'day 12 +23:00 mail plan_change_lapsed sent',
      ...renewsFor(31, 'USD 29.00'),
      ...renewsFor(61, 'USD 29.00'),
    ],
  });

  tell('that is declined is paid by another card that is given in time', {
    start: 'payment',
    card: ['succeeded', 'insufficient_funds'],
    on: {
      12: (actor) => changePlan(actor, { planCode: 'plus-monthly' }),
      12.5: newCard('succeeded'),
    },
    happens: [
      ...paidFromTheStart,
      'day 12 charge USD 42.91 refused insufficient_funds',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_failed',
      'day 12 mail payment_failed sent',
      'day 12 +12:00 charge USD 42.91 succeeded',
      'day 12 +12:00 payment_method_changed',
      'day 12 +12:00 payment_received',
      'day 12 +12:00 plan_changed',
      'day 12 +12:00 mail plan_upgraded sent',
      ...renewsFor(31, 'USD 99.00'),
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('to a yearly plan credits the month, bills the year and begins it there', {
    ...paid,
    on: {
      12: async (actor) => {
        expect(await changePlan(actor, { planCode: 'max-yearly' })).toMatchObject({
          body: {
            outcome: 'paid',
            subscription: {
              currentPeriod: { index: 1, endsAt: expect.stringMatching(/^2032-03-13T10:00:/) },
            },
          },
        });
      },
    },
    happens: [...paidFromTheStart, ...isUpgraded(12, 'USD 1972.23')],
  });

  tell('that costs less than what was paid already keeps the rest as credit, which pays what comes', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'pro-yearly',
    on: {
      12: async (actor) => {
        const shown = await previewChange(actor, { planCode: 'plus-monthly' });
        expect(shown.body).toMatchObject({ totalMinor: 0, dueMinor: 0, toCreditMinor: 18_149 });
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          body: { outcome: 'nothing_due', subscription: { plan: { code: 'plus-monthly' } } },
        });
        expect(await linesOf(actor, 1)).toEqual([
          ['change_credit', -28_049, 'Unused time of Pro yearly, 2031-03-13 to 2032-03-01'],
          ['change_charge', 9900, 'Plus, 2031-03-13 to 2031-04-13'],
          ['to_balance', 18_149, 'Kept as your credit'],
        ]);
      },
      // The unused time is the customer's credit now: what was used up is all that can still be given back.
      13: async (actor) => {
        expect(await refundFirst(actor, {})).toMatchObject({ status: 201, body: { amountMinor: 951 } });
        expect(await refundFirst(actor, { amountMinor: 1 })).toMatchObject({
          status: 409,
          body: { reason: 'refund_exceeds_payment' },
        });
      },
    },
    happens: [
      ...startsFor('USD 290.00'),
      'day 12 invoice_issued',
      'day 12 plan_changed',
      'day 12 mail plan_changed sent',
      'day 13 refund USD 9.51',
      'day 13 payment_refunded',
      'day 13 mail payment_refunded sent',
      'day 43 renewed',
      'day 43 invoice_issued',
      'day 43 payment_received',
      'day 43 mail payment_receipt sent',
    ],
  });

  tell('from the free plan begins a paid period; the old one is not billed any more', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'free',
    on: {
      12: async (actor) => {
        expect(await changePlan(actor, { planCode: 'pro-monthly' })).toMatchObject({
          body: { outcome: 'paid', subscription: { plan: { code: 'pro-monthly' } } },
        });
      },
    },
    happens: [
      'day 0 created',
      'day 0 activated',
      'day 0 access full',
      'day 0 payment_method_changed',
      ...isUpgraded(12, 'USD 29.00'),
      ...renewsFor(43, 'USD 29.00'),
    ],
  });

  tell('on trust counts at once and is billed with the next period', {
    ...paid,
    on: {
      12: async (actor) => {
        const asked = { planCode: 'plus-monthly', proration: 'next_invoice' };
        expect(await previewChange(actor, asked)).toMatchObject({
          body: {
            lines: [{ amountMinor: -1777 }, { amountMinor: 6068 }],
            totalMinor: 0,
            dueMinor: 0,
            nextInvoice: { totalMinor: 14_191 },
          },
        });
        expect(await changePlan(actor, asked)).toMatchObject({
          body: {
            outcome: 'nothing_due',
            subscription: { plan: { code: 'plus-monthly' }, pendingChange: null },
          },
        });
        expect(await changePlan(actor, { planCode: 'max-monthly' })).toMatchObject({
          status: 409,
          body: { reason: 'change_unbilled' },
        });
      },
      40: async (actor) =>
        expect(await linesOf(actor, 1)).toEqual([
          ['plan', 9900, 'Plus, 2031-04-01 to 2031-05-01'],
          ['change_credit', -1777, 'Unused time of Pro, 2031-03-13 to 2031-04-01'],
          ['change_charge', 6068, 'Plus, 2031-03-13 to 2031-04-01'],
        ]),
    },
    happens: [
      ...paidFromTheStart,
      'day 12 plan_changed',
      'day 12 change_unbilled',
      'day 12 mail plan_changed sent',
      ...renewsFor(31, 'USD 141.91'),
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('on trust is billed at the end of the subscription, where no period follows', {
    ...paid,
    on: {
      12: (actor) => changePlan(actor, { planCode: 'plus-monthly', proration: 'next_invoice' }),
      20: cancelAtPeriodEnd,
      32: async (actor) => {
        expect(await linesOf(actor, 1)).toEqual([
          ['change_credit', -1777, 'Unused time of Pro, 2031-03-13 to 2031-04-01'],
          ['change_charge', 6068, 'Plus, 2031-03-13 to 2031-04-01'],
        ]);
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 12 plan_changed',
      'day 12 change_unbilled',
      'day 12 mail plan_changed sent',
      'day 20 cancellation_requested',
      'day 20 mail cancellation_confirmed sent',
      'day 31 invoice_issued',
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

  tell('that the bank wants confirmed takes effect when it is', {
    start: 'payment',
    card: ['succeeded', 'authentication_required', 'succeeded'],
    on: {
      12: async (actor) => {
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          body: { outcome: 'requires_action', subscription: { plan: { code: 'pro-monthly' } } },
        });
      },
      12.25: confirmLatest,
    },
    happens: [
      ...paidFromTheStart,
      'day 12 charge USD 42.91 refused authentication_required',
      'day 12 link requires_action',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_requires_action',
      'day 12 mail payment_action_required sent',
      'day 12 +06:00 confirmation USD 42.91 succeeded',
      'day 12 +06:00 payment_received',
      'day 12 +06:00 plan_changed',
      'day 12 +06:00 mail plan_upgraded sent',
      ...renewsFor(31, 'USD 99.00'),
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('takes the place of one that waits for the bank, whose charge is called back', {
    start: 'payment',
    card: ['succeeded', 'authentication_required', 'succeeded'],
    on: {
      12: (actor) => changePlan(actor, { planCode: 'plus-monthly' }),
      12.25: async (actor) => {
        expect(await changePlan(actor, { planCode: 'max-monthly' })).toMatchObject({
          body: { outcome: 'paid' },
        });
      },
    },
    happens: [
      ...paidFromTheStart,
      'day 12 charge USD 42.91 refused authentication_required',
      'day 12 link requires_action',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_requires_action',
      'day 12 mail payment_action_required sent',
      'day 12 +06:00 charge USD 102.82 succeeded',
      'day 12 +06:00 cancel charge canceled',
      'day 12 +06:00 change_replaced',
      'day 12 +06:00 invoice_issued',
      'day 12 +06:00 change_requested',
      'day 12 +06:00 payment_received',
      'day 12 +06:00 plan_changed',
      'day 12 +06:00 mail plan_upgraded sent',
      ...renewsFor(31, 'USD 199.00'),
      ...renewsFor(61, 'USD 199.00'),
    ],
  });
});

describe('a downgrade', () => {
  tell('waits for the end of the period; the last of several wins (S5)', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'max-monthly',
    on: {
      5: (actor) => changePlan(actor, { planCode: 'plus-monthly' }),
      12: async (actor) => {
        expect(await changePlan(actor, { planCode: 'pro-monthly' })).toMatchObject({
          body: {
            outcome: 'nothing_due',
            subscription: {
              plan: { code: 'max-monthly' },
              pendingChange: {
                kind: 'downgrade',
                planName: 'Pro',
                at: expect.stringMatching(/^2031-04-01T10:00:/),
              },
              waitingFor: 'Active; next: renewal as Pro on Tue 1 Apr 2031 10:00 UTC.',
            },
          },
        });
      },
    },
    happens: [
      ...startsFor('USD 199.00'),
      ...isScheduled(5),
      'day 12 change_replaced',
      ...isScheduled(12),
      ...renewsAs(31, 'USD 29.00'),
      ...renewsFor(61, 'USD 29.00'),
    ],
  });

  tell('is billed at the price it was scheduled at, whatever is sold then (S6)', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'plus-monthly',
    on: {
      5: async (actor) => {
        const planId = await sell(actor, { code: 'basic-2031', priceMinor: 1900 });
        expect(await changePlan(actor, { planId })).toMatchObject({ body: { outcome: 'nothing_due' } });
      },
      6: async (actor) => {
        const { pendingChange } = await readSubscription(actor.world, actor.subscriptionId);
        await actor.world.ok('POST', `/v1/plans/${pendingChange.planId}/archive`, {});
        await sell(actor, { code: 'basic-2032', priceMinor: 2400 });
        expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({ pendingChange });
      },
    },
    happens: [
      ...startsFor('USD 99.00'),
      ...isScheduled(5),
      ...renewsAs(31, 'USD 19.00'),
      ...renewsFor(61, 'USD 19.00'),
    ],
    finally: async (actor) => {
      expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
        plan: { code: 'basic-2031', priceMinor: 1900 },
      });
      expect(await linesOf(actor, 1)).toEqual([['plan', 1900, 'Basic, 2031-04-01 to 2031-05-01']]);
    },
  });

  tell('is taken back before the period ends', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'plus-monthly',
    on: {
      5: (actor) => changePlan(actor, { planCode: 'pro-monthly' }),
      6: async (actor) => {
        expect(await undoChange(actor)).toMatchObject({ status: 200, body: { pendingChange: null } });
        expect(await undoChange(actor)).toMatchObject({ status: 409, body: { reason: 'no_change_pending' } });
      },
    },
    happens: [
      ...startsFor('USD 99.00'),
      ...isScheduled(5),
      'day 6 change_undone',
      ...renewsFor(31, 'USD 99.00'),
      ...renewsFor(61, 'USD 99.00'),
    ],
  });

  tell('gives way to an upgrade (S1)', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'plus-monthly',
    on: {
      5: (actor) => changePlan(actor, { planCode: 'pro-monthly' }),
      12: (actor) => changePlan(actor, { planCode: 'max-monthly' }),
    },
    happens: [
      ...startsFor('USD 99.00'),
      ...isScheduled(5),
      'day 12 charge USD 61.29 succeeded',
      'day 12 change_replaced',
      ...isUpgraded(12, 'USD 61.29').slice(1),
      ...renewsFor(31, 'USD 199.00'),
      ...renewsFor(61, 'USD 199.00'),
    ],
  });

  tell('gives way to a cancellation: nothing more is billed (S2)', {
    start: 'payment',
    card: ['succeeded'],
    plan: 'plus-monthly',
    on: {
      5: (actor) => changePlan(actor, { planCode: 'pro-monthly' }),
      12: async (actor) => {
        await cancelAtPeriodEnd(actor);
        expect(await changePlan(actor, { planCode: 'max-monthly' })).toMatchObject({
          status: 409,
          body: { reason: 'cancellation_pending' },
        });
      },
    },
    happens: [
      ...startsFor('USD 99.00'),
      ...isScheduled(5),
      'day 12 cancellation_requested',
      'day 12 mail cancellation_confirmed sent',
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

  tell('of the interval begins the new one where the old one ends', {
    start: 'payment',
    card: ['succeeded'],
    on: {
      12: (actor) => changePlan(actor, { planCode: 'lite-weekly' }),
    },
    happens: [
      ...paidFromTheStart,
      ...isScheduled(12),
      ...renewsAs(31, 'USD 5.00'),
      ...[38, 45, 52, 59].flatMap((day) => renewsFor(day, 'USD 5.00')),
    ],
  });
});

describe('a change in the trial', () => {
  tell('costs nothing and keeps its end (T5); the first invoice bills the new plan', {
    card: ['succeeded'],
    on: {
      9: async (actor) => {
        expect(await changePlan(actor, { planCode: 'plus-monthly', quantity: 2 })).toMatchObject({
          body: {
            outcome: 'nothing_due',
            subscription: { trialEndsAt: expect.stringMatching(/^2031-03-15T10:00:/) },
          },
        });
      },
    },
    happens: [
      ...trialBeginsWithCard,
      ...trialMessages(7),
      'day 9 plan_changed',
      'day 9 mail plan_changed sent',
      ...trialMessages(12, 13),
      'day 14 charge USD 198.00 succeeded',
      'day 14 invoice_issued',
      'day 14 payment_received',
      'day 14 activated',
      'day 14 mail subscription_confirmed sent',
      ...renewsFor(45, 'USD 198.00'),
    ],
  });
});

describe('a change is refused, and writes nothing', () => {
  tell('to the same plan, an archived one, one in another currency, no seats or too many', {
    ...paid,
    on: {
      12: async (actor) => {
        const refused = async (body: Body, expected: Body) => {
          expect(await changePlan(actor, body)).toMatchObject(expected);
          expect(await previewChange(actor, body)).toMatchObject(expected);
        };
        await refused({ planCode: 'pro-monthly' }, { status: 409, body: { reason: 'nothing_changes' } });
        await refused({ planCode: 'gone-monthly' }, { status: 422, body: { code: 'plan_archived' } });
        await refused({ planCode: 'pro-dinar' }, { status: 422, body: { code: 'currency_mismatch' } });
        await refused({ planCode: 'no-such-plan' }, { status: 404, body: { code: 'not_found' } });
        await refused({ quantity: 0 }, { status: 400, body: { code: 'invalid_request' } });
        await refused({ quantity: 1_000_000_000 }, { status: 400, body: { code: 'invalid_request' } });
        await refused({}, { status: 400, body: { code: 'invalid_request' } });
        expect(await undoChange(actor)).toMatchObject({ status: 409, body: { reason: 'no_change_pending' } });
      },
    },
    happens: [...paidFromTheStart, ...renewsFor(31, 'USD 29.00'), ...renewsFor(61, 'USD 29.00')],
  });

  tell('upwards while an invoice is unpaid', {
    start: 'payment',
    card: ['succeeded', ...declines(1), 'succeeded'],
    on: {
      31.5: async (actor) => {
        expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({
          status: 409,
          body: { reason: 'past_due' },
        });
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

function isUpgraded(day: number, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} invoice_issued`,
    `day ${day} change_requested`,
    `day ${day} payment_received`,
    `day ${day} plan_changed`,
    `day ${day} mail plan_upgraded sent`,
  ];
}

function isScheduled(day: number): string[] {
  return [`day ${day} change_scheduled`, `day ${day} mail plan_change_scheduled sent`];
}

/** The first renewal on the terms a downgrade has waited with. */
function renewsAs(day: number, amount: string): string[] {
  const [charge = '', ...rest] = renewsFor(day, amount);
  return [charge, `day ${day} plan_changed`, ...rest];
}

/** A plan called Basic, in the family of the others; returns its id. */
async function sell({ world }: Parameters<Act>[0], terms: Body): Promise<string> {
  const basic = { name: 'Basic', family: 'books', rank: 5, currency: 'USD', interval: { unit: 'month' } };
  return (await world.ok('POST', '/v1/plans', { ...basic, ...terms })).id;
}

/** The lines of the subscription's n-th invoice. */
async function linesOf({ world, subscriptionId }: Parameters<Act>[0], index: number): Promise<Body[]> {
  const { id } = (await invoicesOf(world, subscriptionId))[index] ?? {};
  const { lines } = await world.ok('GET', `/v1/invoices/${id}`);
  return lines.map(({ kind, amountMinor, description }: Body) => [kind, amountMinor, description]);
}

/** Money of the first payment is to be given back. */
async function refundFirst({ world, subscriptionId }: Parameters<Act>[0], body: Body): Promise<Answer> {
  const { customerId } = await readSubscription(world, subscriptionId);
  const { data } = await world.ok('GET', `/v1/payments?customerId=${customerId}`);
  return world.request('POST', `/v1/payments/${data.at(-1).id}/refunds`, { body });
}

/** The customer confirms the charge of the subscription's latest invoice at the bank. */
async function confirmLatest({ world, subscriptionId }: Parameters<Act>[0]): Promise<void> {
  const { id } = (await invoicesOf(world, subscriptionId)).at(-1) ?? {};
  const asked = world.stripe
    .effects()
    .findLast(({ op, businessRef }) => op === 'payment_intents.create' && businessRef === id);
  await world.stripe.authenticate(asked?.objectId ?? '', 'confirm');
}
