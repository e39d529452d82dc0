/** The two ladders, told by days: what an unpaid subscription is charged, told and loses, and when. */
import { expect } from 'vitest';
import { cancelAtPeriodEnd, cancelNow, invoiceNow, newCard, retryByHand } from './acts.ts';
import { type Act, createEnsemble } from './ensemble.ts';
import { mailsOf, readSubscription } from './people.ts';
import {
  recoversByNewCard,
  renewalFails,
  renewalPaid,
  retryFails,
  retryWithoutCard,
  standardUntil,
  takesAccess,
} from './phrases.ts';

const { tell } = createEnsemble({ days: 31 });

tell('D1: standard_30 charges on days 1, 3 and 5, restricts on 7, suspends on 14 and cancels on 30', {
  card: ['insufficient_funds'],
  happens: [...renewalFails(), ...standardUntil(30)],
  finally: async (actor) => {
    const { firstFailedAt, closedAt, ...unpaid } = await invoiceNow(actor);
    expect([firstFailedAt.slice(0, 16), closedAt.slice(0, 16)]).toEqual([
      '2031-01-31T10:00',
      '2031-03-02T10:00',
    ]);
    expect(unpaid).toMatchObject({ status: 'uncollectible', paidMinor: 0, dueMinor: 0 });
    const ended = await readSubscription(actor.world, actor.subscriptionId);
    expect(ended).toMatchObject({ status: 'cancelled', access: 'none', dunning: null });
  },
});

tell('D2: short_10 charges on days 1, 3 and 7 and moves to the free plan on day 10', {
  plan: 'pro-short',
  card: ['insufficient_funds'],
  happens: [
    ...renewalFails(),
    ...retryFails(1, 'payment_failed_1'),
    ...retryFails(3, 'update_payment_method'),
    ...retryFails(7, 'suspension_warning'),
    'day 10 downgraded',
    'day 10 access full',
    'day 10 mail subscription_downgraded sent',
  ],
  finally: async (actor) => {
    const free = { status: 'active', access: 'full', plan: { code: 'free' }, dunning: null };
    expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject(free);
    expect(await invoiceNow(actor)).toMatchObject({ status: 'uncollectible' });
  },
});

tell('short_10 cancels on day 10 who was leaving anyway, instead of keeping them on the free plan', {
  plan: 'pro-short',
  card: ['insufficient_funds'],
  on: { 8: cancelAtPeriodEnd },
  happens: [
    ...renewalFails(),
    ...retryFails(1, 'payment_failed_1'),
    ...retryFails(3, 'update_payment_method'),
    ...retryFails(7, 'suspension_warning'),
    'day 8 cancellation_requested',
    'day 8 mail cancellation_confirmed sent',
    'day 10 cancelled',
    'day 10 access none',
    'day 10 mail subscription_cancelled_unpaid sent',
    'day 17 win_back',
    'day 17 mail win_back_1 sent',
    'day 31 win_back',
    'day 31 mail win_back_2 sent',
  ],
});

tell('D2: short_10 cancels on day 10 where the family has no free plan, and says so', {
  plan: 'team-short',
  card: ['insufficient_funds'],
  happens: [
    ...renewalFails('insufficient_funds', 'USD 49.00'),
    ...retryFails(1, 'payment_failed_1', 'USD 49.00'),
    ...retryFails(3, 'update_payment_method', 'USD 49.00'),
    ...retryFails(7, 'suspension_warning', 'USD 49.00'),
    'day 10 cancelled',
    'day 10 access none',
    'day 10 mail subscription_cancelled_unpaid sent',
    'day 17 win_back',
    'day 17 mail win_back_1 sent',
    'day 31 win_back',
    'day 31 mail win_back_2 sent',
  ],
});

tell('a hard decline is never charged again; the messages and the loss of access go on', {
  card: ['expired_card'],
  happens: [
    ...renewalFails('expired_card'),
    ...retryWithoutCard(1, 'payment_failed_1'),
    ...retryWithoutCard(3, 'payment_failed_2'),
    ...retryWithoutCard(5, 'payment_failed_final'),
    ...takesAccess(7, 'restricted'),
    ...takesAccess(14, 'suspended'),
    'day 30 cancelled',
    'day 30 access none',
    'day 30 mail subscription_cancelled_unpaid sent',
  ],
  finally: everyMailSays('your card has expired'),
});

tell('D9: a hard decline on day 0 is not charged again until a new card on day 4 is charged at once', {
  card: ['stolen_card'],
  on: { 4: newCard('succeeded') },
  happens: [
    ...renewalFails('stolen_card'),
    ...retryWithoutCard(1, 'payment_failed_1'),
    ...retryWithoutCard(3, 'payment_failed_2'),
    ...recoversByNewCard('day 4'),
    ...renewalPaid('day 28'),
  ],
  finally: everyMailSays('your card was declined'),
});

tell('a soft decline is tried again on the dates of the ladder, and the customer is told why', {
  card: ['insufficient_funds', 'insufficient_funds', 'succeeded'],
  happens: [
    ...renewalFails(),
    ...retryFails(1, 'payment_failed_1'),
    'day 3 charge USD 29.00 succeeded',
    'day 3 payment_received',
    'day 3 recovered',
    'day 3 access full',
    'day 3 mail payment_recovered sent',
    ...renewalPaid('day 28'),
  ],
  finally: everyMailSays('your card had insufficient funds'),
});

tell('D10: a try the customer asks for, failing on day 2, leaves every step where it was', {
  card: ['insufficient_funds'],
  on: {
    2: async (actor) =>
      expect(await retryByHand(actor)).toMatchObject({ status: 402, body: { code: 'card_declined' } }),
  },
  happens: [
    ...renewalFails(),
    ...retryFails(1, 'payment_failed_1'),
    'day 2 charge USD 29.00 refused insufficient_funds',
    'day 2 payment_method_changed',
    'day 2 charge_failed',
    ...standardUntil(30).slice(3),
  ],
});

tell('no access is taken in the three days of grace', {
  card: ['insufficient_funds'],
  on: {
    2.99: async ({ world, subscriptionId }) => {
      expect(await readSubscription(world, subscriptionId)).toMatchObject({
        status: 'past_due',
        access: 'grace',
      });
      const tooEarly = [
        { day: 2, retry: false, template: 'account_restricted', restrict: 'restricted' },
        { day: 30, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
      ];
      const answer = await world.request('PUT', '/v1/dunning_policies/harsh', { body: { steps: tooEarly } });
      expect(answer).toMatchObject({ status: 422, body: { code: 'policy_unusable' } });
    },
  },
  happens: [...renewalFails(), ...standardUntil(30)],
});

tell('D11: cancelled on day 5, nothing more is charged or chased, and the open invoice is void', {
  card: ['insufficient_funds'],
  on: { 5.5: cancelNow },
  happens: [
    ...renewalFails(),
    ...standardUntil(5),
    'day 5 +12:00 cancelled',
    'day 5 +12:00 access none',
    'day 5 +12:00 mail subscription_ended sent',
    'day 12 +12:00 win_back',
    'day 12 +12:00 mail win_back_1 sent',
    'day 26 +12:00 win_back',
    'day 26 +12:00 mail win_back_2 sent',
  ],
  finally: async (actor) => {
    expect(await invoiceNow(actor)).toMatchObject({ status: 'void', paidMinor: 0, dueMinor: 0 });
  },
});

tell('D11: where the policy keeps it, the open invoice stays open and is still nobody chased for', {
  plan: 'pro-keep',
  card: ['insufficient_funds'],
  on: { 5.5: cancelNow },
  happens: [
    ...renewalFails(),
    ...standardUntil(5),
    'day 5 +12:00 cancelled',
    'day 5 +12:00 access none',
    'day 5 +12:00 mail subscription_ended sent',
    'day 12 +12:00 win_back',
    'day 12 +12:00 mail win_back_1 sent',
    'day 26 +12:00 win_back',
    'day 26 +12:00 mail win_back_2 sent',
  ],
  finally: async (actor) => {
    expect(await invoiceNow(actor)).toMatchObject({ status: 'open', dueMinor: 2900 });
  },
});

tell('a cancellation for the end of the period lets the ladder run until then, and no longer', {
  card: ['insufficient_funds'],
  on: { 2: cancelAtPeriodEnd },
  happens: [
    ...renewalFails(),
    ...standardUntil(1),
    'day 2 cancellation_requested',
    'day 2 mail cancellation_confirmed sent',
    ...standardUntil(14).slice(3),
    'day 28 cancelled',
    'day 28 access none',
    'day 28 mail subscription_ended sent',
  ],
});

/** Each mail about the unpaid invoice gives this reason, and none says what its holder must not learn. */
function everyMailSays(reason: string): Act {
  return async ({ world, subscriptionId }) => {
    const mails = await mailsOf(world, subscriptionId);
    const reasons = mails.flatMap(({ text }) => /because (your card .+?)[.,]/.exec(text ?? '')?.[1] ?? []);
    expect(new Set(reasons)).toEqual(new Set([reason]));
    for (const { text } of mails) expect(text).not.toMatch(/stolen|lost|fraud|pick.?up/i);
  };
}
