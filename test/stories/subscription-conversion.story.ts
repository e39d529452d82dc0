/** Converting before the trial ends: at once, refused by the bank, or with the customer's confirmation (3-D Secure). */
import { describe, expect } from 'vitest';
import { answerBank } from './bank.ts';
import { converts, trialBegins, trialBeginsWithCard, trialMessages } from './beginnings.ts';
import { invoicesOf, mailsOf, readSubscription, useCard } from './people.ts';
import { type Act, type Actor, createSubscriptionStage } from './stage.ts';
import type { Body } from './world.ts';

/** What the bank's wish for the customer looks like from outside. */
const asksTheCustomer = [
  'day 5 charge USD 29.00 refused authentication_required',
  'day 5 link requires_action',
  'day 5 invoice_issued',
  'day 5 charge_requires_action',
  'day 5 mail payment_action_required sent',
];

/** Where the API sent its caller, by subscription. */
const links = new Map<string, string>();

describe('an early conversion', () => {
  const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T15:00:00Z', days: 20 });

  tell('whose card is declined leaves the trial as it was and voids its invoice; day 14 tries again', {
    card: ['insufficient_funds', 'succeeded'],
    on: {
      5: async ({ world, subscriptionId }) => {
        const refused = await world.request('POST', `/v1/subscriptions/${subscriptionId}/convert`);
        expect(refused).toMatchObject({ status: 402, body: { code: 'card_declined' } });
        const after = await readSubscription(world, subscriptionId);
        expect(after).toMatchObject({ status: 'trialing', access: 'full' });
      },
    },
    happens: [
      ...trialBeginsWithCard,
      'day 5 charge USD 29.00 refused insufficient_funds',
      'day 5 invoice_issued',
      'day 5 charge_failed',
      ...trialMessages(7, 12, 13),
      ...converts('day 14'),
    ],
    finally: expectInvoices('void from day 5', 'paid from day 14'),
  });

  tell('without a payment method is refused and writes nothing', {
    on: {
      5: async ({ world, subscriptionId }) => {
        const refused = await world.request('POST', `/v1/subscriptions/${subscriptionId}/convert`);
        expect(refused).toMatchObject({ status: 409, body: { code: 'payment_method_missing' } });
        expect(await world.effects({ subscriptionId })).toHaveLength(trialBegins.length);
      },
    },
    happens: [
      ...trialBegins,
      ...trialMessages(7, 12, 13),
      'day 14 suspended',
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
    ],
    finally: expectInvoices(),
  });

  tell('that the bank wants confirmed is mailed with the link and active once the customer has confirmed', {
    card: ['authentication_required'],
    on: {
      5: async (actor) => {
        const { outcome, actionUrl } = await convert(actor);
        expect(outcome).toBe('requires_action');
        links.set(actor.subscriptionId, actionUrl);
        const after = await readSubscription(actor.world, actor.subscriptionId);
        expect(after).toMatchObject({ status: 'trialing', access: 'full' });
      },
      5.5: (actor) => answerBank(actor, 'confirm'),
    },
    happens: [
      ...trialBeginsWithCard,
      ...asksTheCustomer,
      'day 5 +12:00 confirmation USD 29.00 succeeded',
      'day 5 +12:00 payment_received',
      'day 5 +12:00 activated',
      'day 5 +12:00 mail subscription_confirmed sent',
    ],
    finally: async ({ world, subscriptionId }) => {
      const [, request] = await mailsOf(world, subscriptionId);
      expect(request?.text).toContain(links.get(subscriptionId));
    },
  });

  tell('that the customer refuses to confirm leaves the trial as it was and voids its invoice', {
    card: ['authentication_required', 'succeeded'],
    on: { 5: convert, 5.5: (actor) => answerBank(actor, 'fail') },
    happens: [
      ...trialBeginsWithCard,
      ...asksTheCustomer,
      'day 5 +12:00 confirmation USD 29.00 refused requires_payment_method',
      'day 5 +12:00 charge_failed',
      ...trialMessages(7, 12, 13),
      ...converts('day 14'),
    ],
    finally: expectInvoices('void from day 5', 'paid from day 14'),
  });

  tell(
    'that nobody confirms gives way to the end of the trial: called back, voided, billed from day 14 only',
    {
      card: ['authentication_required', 'succeeded'],
      on: { 5: convert, 18: (actor) => answerBank(actor, 'confirm') },
      happens: [
        ...trialBeginsWithCard,
        ...asksTheCustomer,
        ...trialMessages(7, 12, 13),
        'day 14 cancel charge canceled',
        'day 14 charge USD 29.00 succeeded',
        'day 14 conversion_lapsed',
        ...converts('day 14').slice(1),
      ],
      finally: expectInvoices('void from day 5', 'paid from day 14'),
    },
  );

  tell('asked for again with a link still open is charged once, from the day it was asked for again', {
    card: ['authentication_required', 'succeeded'],
    on: { 5: convert, 6: async (actor) => expect(await convert(actor)).toMatchObject({ outcome: 'paid' }) },
    happens: [
      ...trialBeginsWithCard,
      ...asksTheCustomer,
      'day 6 cancel charge canceled',
      'day 6 charge USD 29.00 succeeded',
      'day 6 conversion_lapsed',
      ...converts('day 6').slice(1),
    ],
    finally: expectInvoices('void from day 5', 'paid from day 6'),
  });

  tell('with a link still open when another card comes is charged to that card at once', {
    card: ['authentication_required'],
    on: {
      5: convert,
      6: async ({ world, subscriptionId }) =>
        expect(await useCard(world, subscriptionId, 'succeeded')).toMatchObject({
          outcome: 'paid',
          subscription: { status: 'active' },
        }),
    },
    happens: [
      ...trialBeginsWithCard,
      ...asksTheCustomer,
      'day 6 cancel charge canceled',
      'day 6 charge USD 29.00 succeeded',
      'day 6 payment_method_changed',
      'day 6 payment_received',
      'day 6 activated',
      'day 6 mail subscription_confirmed sent',
    ],
    finally: expectInvoices('paid from day 5'),
  });
});

function convert({ world, subscriptionId }: Actor): Promise<Body> {
  return world.ok('POST', `/v1/subscriptions/${subscriptionId}/convert`);
}

/** The subscription's invoices, oldest first: what became of each, and the day its period begins. */
function expectInvoices(...expected: string[]): Act {
  return async ({ world, subscriptionId, from }) => {
    const invoices = await invoicesOf(world, subscriptionId);
    const inShort = invoices.map(({ status, periodStartsAt }) => {
      const day = Math.round((Date.parse(periodStartsAt) - Date.parse(from)) / 86_400_000);
      return `${status} from day ${day}`;
    });
    expect(inShort).toEqual(expected);
  };
}
