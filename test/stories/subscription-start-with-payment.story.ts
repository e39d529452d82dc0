/** A subscription that starts with a payment: nothing is given before it is paid, and it is awaited for 23 hours. */
import { describe, expect } from 'vitest';
import { answerBank } from './bank.ts';
import { invoicesOf, mailsOf, readSubscription, useCard } from './people.ts';
import { type Actor, createSubscriptionStage } from './stage.ts';
import type { Answer } from './world.ts';

const notPaidYet = ['day 0 created', 'day 0 invoice_issued', 'day 0 charge_failed'];
const expires = ['day 0 +23:00 expired', 'day 0 +23:00 mail subscription_expired sent'];

describe('a subscription that starts with a payment', () => {
  const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T15:00:00Z', days: 4 });

  tell('gives no access until the card is charged, and then runs from its start', {
    start: 'payment',
    on: {
      0.25: async ({ world, subscriptionId }) => {
        const before = await readSubscription(world, subscriptionId);
        expect(before).toMatchObject({ status: 'incomplete', access: 'none' });
        expect(await useCard(world, subscriptionId, 'succeeded')).toMatchObject({
          outcome: 'paid',
          subscription: { status: 'active', access: 'full' },
        });
      },
    },
    happens: [...notPaidYet, ...paidBy('day 0 +06:00')],
    finally: async ({ world, subscriptionId }) => {
      const { startedAt, currentPeriod } = await readSubscription(world, subscriptionId);
      expect(currentPeriod).toMatchObject({ index: 0, startsAt: startedAt });
      expect(currentPeriod.endsAt.slice(0, 13)).toBe('2031-04-01T15');
    },
  });

  tell('expires after 23 hours without payment, with its invoice void; a later card is refused', {
    start: 'payment',
    on: {
      2: async (actor) =>
        expect(await giveCard(actor, 'succeeded')).toMatchObject({
          status: 409,
          body: { reason: 'subscription_expired' },
        }),
    },
    happens: [...notPaidYet, ...expires],
    finally: async ({ world, subscriptionId }) => {
      const after = await readSubscription(world, subscriptionId);
      expect(after).toMatchObject({ status: 'expired', access: 'none' });
      expect(await invoicesOf(world, subscriptionId)).toMatchObject([{ status: 'void', dueMinor: 0 }]);
    },
  });

  tell('declined at first is told until when it is awaited, and is active with the card that works', {
    start: 'payment',
    on: {
      0.25: async (actor) => {
        const declined = await giveCard(actor, 'generic_decline');
        expect(declined).toMatchObject({ status: 402, body: { code: 'card_declined' } });
      },
      0.75: ({ world, subscriptionId }) => useCard(world, subscriptionId, 'succeeded'),
    },
    happens: [
      ...notPaidYet,
      'day 0 +06:00 charge USD 29.00 refused generic_decline',
      'day 0 +06:00 payment_method_changed',
      'day 0 +06:00 charge_failed',
      'day 0 +06:00 mail payment_failed sent',
      ...paidBy('day 0 +18:00'),
    ],
    finally: async ({ world, subscriptionId }) => {
      const [failure] = await mailsOf(world, subscriptionId);
      expect(failure?.text).toContain('the subscription expires on Sun 2 Mar 2031 14:00 UTC');
    },
  });

  tell('is active once the customer has confirmed the charge at the bank', {
    start: 'payment',
    on: {
      0.25: ({ world, subscriptionId }) => useCard(world, subscriptionId, 'authentication_required'),
      0.5: (actor) => answerBank(actor, 'confirm'),
    },
    happens: [
      ...notPaidYet,
      ...asksTheCustomer('day 0 +06:00'),
      'day 0 +12:00 confirmation USD 29.00 succeeded',
      ...paidBy('day 0 +12:00').slice(2),
    ],
  });

  tell('of which a part is wired meanwhile is active once the customer has confirmed the rest', {
    start: 'payment',
    on: {
      0.25: ({ world, subscriptionId }) => useCard(world, subscriptionId, 'authentication_required'),
      0.5: async ({ world, subscriptionId }) => {
        const [{ id }] = await invoicesOf(world, subscriptionId);
        const wire = {
          amountMinor: 1900,
          currency: 'USD',
          method: 'wire',
          reason: 'on the statement',
          reference: `wire ${id}`,
        };
        await world.ok('POST', `/v1/invoices/${id}/payments`, wire);
      },
      0.75: (actor) => answerBank(actor, 'confirm'),
    },
    happens: [
      ...notPaidYet,
      ...asksTheCustomer('day 0 +06:00'),
      'day 0 +12:00 cancel charge canceled',
      'day 0 +12:00 charge USD 10.00 refused authentication_required',
      'day 0 +12:00 link requires_action',
      'day 0 +12:00 payment_received',
      'day 0 +12:00 charge_replaced',
      'day 0 +12:00 charge_requires_action',
      'day 0 +12:00 mail payment_recorded sent',
      'day 0 +12:00 mail payment_action_required sent',
      'day 0 +18:00 confirmation USD 10.00 succeeded',
      ...paidBy('day 0 +18:00').slice(2),
    ],
  });

  tell('whose confirmation never comes expires, and its link takes no money any more', {
    start: 'payment',
    on: {
      0.25: ({ world, subscriptionId }) => useCard(world, subscriptionId, 'authentication_required'),
      3: (actor) => answerBank(actor, 'confirm'),
    },
    happens: [
      ...notPaidYet,
      ...asksTheCustomer('day 0 +06:00'),
      'day 0 +23:00 cancel charge canceled',
      ...expires,
    ],
  });
});

function giveCard({ world, subscriptionId }: Actor, ...outcomes: string[]): Promise<Answer> {
  return world.request('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, {
    body: { paymentMethodId: world.stripe.createCard({ outcomes }) },
  });
}

/** The new card pays: the subscription begins. */
function paidBy(when: string): string[] {
  return [
    `${when} charge USD 29.00 succeeded`,
    `${when} payment_method_changed`,
    `${when} payment_received`,
    `${when} activated`,
    `${when} access full`,
    `${when} mail subscription_confirmed sent`,
  ];
}

function asksTheCustomer(when: string): string[] {
  return [
    `${when} charge USD 29.00 refused authentication_required`,
    `${when} link requires_action`,
    `${when} payment_method_changed`,
    `${when} charge_requires_action`,
    `${when} mail payment_action_required sent`,
  ];
}
