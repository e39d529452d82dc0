/** Charges that the card vendor or the card networks do not take: the customer is told, and nobody asks in vain. */
import { isNotNull } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { ledgerEntries, paymentMethods } from '../../db/schema/payments.ts';
import { customerOf, newCard, payOutside, retryByHand } from './acts.ts';
import { paidFromTheStart } from './beginnings.ts';
import { createEnsemble } from './ensemble.ts';
import { invoicesOf, newCustomer, readSubscription, subscribe, useCard } from './people.ts';
import {
  recovers,
  recoversByNewCard,
  renewalFails,
  renewalPaid,
  retryFails,
  retryWithoutCard,
  standardUntil,
  takesAccess,
} from './phrases.ts';
import { type Actor, createSubscriptionStage } from './stage.ts';
import { type Answer, createWorld, type World } from './world.ts';

describe('a card that the vendor has no more', () => {
  const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T15:00:00Z', days: 40 });

  tell('is a decline for good: dunning begins without a charge, and another card ends it', {
    start: 'payment',
    card: ['succeeded'],
    on: { 5: detachCard, 33: (actor) => useCard(actor.world, actor.subscriptionId, 'succeeded') },
    happens: [
      ...paidFromTheStart,
      'day 31 renewed',
      'day 31 invoice_issued',
      'day 31 charge_failed',
      'day 31 past_due',
      'day 31 access grace',
      'day 31 mail payment_failed sent',
      ...retryWithoutCard(32, 'payment_failed_1'),
      ...recoversByNewCard('day 33'),
    ],
  });

  tell('and that is to convert a trial leaves the trial as it was', {
    card: ['succeeded'],
    on: {
      5: detachCard,
      6: async ({ world, subscriptionId }) => {
        const refused = await world.request('POST', `/v1/subscriptions/${subscriptionId}/convert`);
        expect(refused).toMatchObject({ status: 402, body: { code: 'card_declined' } });
        expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'trialing' });
        await world.ok('POST', `/v1/subscriptions/${subscriptionId}/cancel`, { mode: 'now' });
      },
    },
    happens: [
      'day 0 trial_started',
      'day 0 payment_method_changed',
      'day 0 mail trial_started sent',
      'day 6 invoice_issued',
      'day 6 charge_failed',
      'day 6 cancelled',
      'day 6 access none',
      'day 6 mail subscription_ended sent',
      'day 13 win_back',
      'day 13 mail win_back_1 sent',
      'day 27 win_back',
      'day 27 mail win_back_2 sent',
      'day 36 data_erased',
    ],
  });
});

describe('while dunning runs', () => {
  const { tell } = createEnsemble({ days: 31 });

  tell('what is left after a part was paid may be too little for a card: the card is not to blame', {
    card: ['insufficient_funds', 'succeeded'],
    on: { 0.5: payOutside(2870), 2: payOutside() },
    happens: [
      ...renewalFails(),
      'day 0 +12:00 payment_received',
      'day 0 +12:00 mail payment_recorded sent',
      'day 1 charge_failed',
      'day 1 mail payment_failed_1 sent',
      ...recovers('day 2'),
      ...renewalPaid('day 28'),
    ],
  });

  tell('a card that was refused for good is refused when it is named again, and nothing is written', {
    card: ['stolen_card'],
    on: {
      2: async (actor) => {
        const before = await actor.world.effects(actor);
        const refused = {
          status: 422,
          body: { code: 'payment_method_invalid', reason: 'payment_method_refused' },
        };
        expect(await nameAgain(actor)).toMatchObject(refused);
        expect(await actor.world.effects(actor)).toEqual(before);
      },
      4: newCard('succeeded'),
    },
    happens: [
      ...renewalFails('stolen_card'),
      ...retryWithoutCard(1, 'payment_failed_1'),
      ...retryWithoutCard(3, 'payment_failed_2'),
      ...recoversByNewCard('day 4'),
      ...renewalPaid('day 28'),
    ],
  });

  tell('a card that has said "not now" twenty times within a month is not asked a further time', {
    card: ['insufficient_funds'],
    on: {
      2: async (actor) => {
        for (let tries = 3; tries <= 20; tries += 1) await retryByHand(actor);
        expect(await retryByHand(actor)).toMatchObject({ status: 402, body: { code: 'card_declined' } });
      },
    },
    happens: [
      ...renewalFails(),
      ...retryFails(1, 'payment_failed_1'),
      ...Array.from({ length: 18 }, () => 'day 2 charge USD 29.00 refused insufficient_funds'),
      ...Array.from({ length: 19 }, () => ['day 2 payment_method_changed', 'day 2 charge_failed']).flat(),
      ...retryWithoutCard(3, 'payment_failed_2'),
      ...retryWithoutCard(5, 'payment_failed_final'),
      ...standardUntil(30).slice(standardUntil(5).length),
    ],
  });

  tell('who tells the bank to stop our charges leaves at the end of the period, and can take it back', {
    card: ['revocation_of_authorization'],
    finally: async ({ world, subscriptionId }) => {
      expect(await readSubscription(world, subscriptionId)).toMatchObject({
        status: 'cancelled',
        cancellation: { reason: 'authorization_revoked' },
      });
    },
    happens: [
      ...renewalFails('revocation_of_authorization').slice(0, -1),
      'day 0 cancellation_requested',
      'day 0 mail payment_failed sent',
      'day 0 mail cancellation_confirmed sent',
      ...retryWithoutCard(1, 'payment_failed_1'),
      ...retryWithoutCard(3, 'payment_failed_2'),
      ...retryWithoutCard(5, 'payment_failed_final'),
      ...takesAccess(7, 'restricted'),
      ...takesAccess(14, 'suspended'),
      'day 28 cancelled',
      'day 28 access none',
      'day 28 mail subscription_ended sent',
    ],
  });
});

describe('a price that cards cannot pay exactly', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ startsAt: '2031-03-01T15:00:00Z' });
  });
  afterAll(() => world.close());

  it('KWD 5.124 is charged as 5.120; the invoice is paid, and the difference is rounding (V-C)', async () => {
    const customerId = await newCustomer(world, { currency: 'KWD' });
    const subscriptionId = await subscribe(world, { plan: 'pro-dinar', start: 'payment', customerId });
    await useCard(world, subscriptionId, 'succeeded');

    expect(world.stripe.charges()).toMatchObject([{ amountMinor: 5120, currency: 'kwd' }]);
    const paid = { status: 'paid', totalMinor: 5124, paidMinor: 5124, dueMinor: 0 };
    expect(await invoicesOf(world, subscriptionId)).toMatchObject([paid]);
    expect(await customerOf({ world, subscriptionId })).toMatchObject({ creditMinor: 0 });
    const entries = await withTenant(world.db, world.tenantId, (tx) => tx.select().from(ledgerEntries));
    const rounding = entries.filter(({ account }) => account === 'rounding');
    expect(rounding).toMatchObject([{ amountMinor: 4, currency: 'KWD' }]);
  });
});

/** The customer gives the card that the issuer has refused for good, as if nothing had happened. */
async function nameAgain({ world, subscriptionId }: Actor): Promise<Answer> {
  const [card] = await withTenant(world.db, world.tenantId, (tx) =>
    tx.select({ id: paymentMethods.id }).from(paymentMethods).where(isNotNull(paymentMethods.refusedAt)),
  );
  return world.request('PUT', `/v1/subscriptions/${subscriptionId}/payment_method`, {
    body: { paymentMethodId: card?.id },
  });
}

/** Somebody removes the card in the vendor's dashboard. */
async function detachCard({ world, subscriptionId }: Actor): Promise<void> {
  const { defaultPaymentMethodId } = await customerOf({ world, subscriptionId });
  const response = await fetch(`${world.stripe.url}/v1/payment_methods/${defaultPaymentMethodId}/detach`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_story' },
  });
  expect(response.status).toBe(200);
}
