/** A customer's bank wants an earlier payment back: while it decides, the ladder stands still and the subscription runs on. */
import { expect } from 'vitest';
import { declines, newCard } from './acts.ts';
import { type Actor, createEnsemble } from './ensemble.ts';
import { invoicesOf, readSubscription } from './people.ts';
import { recoversByNewCard, renewalFails, renewalPaid, retryFails, standardUntil } from './phrases.ts';
import type { Body } from './world.ts';

const { tell } = createEnsemble({ days: 34 });

tell('opened at day 3 and lost: the ladder was on hold, and the subscription is cancelled at once', {
  card: declines(1),
  on: {
    3.5: open,
    13: async (actor) => {
      expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
        status: 'past_due',
        access: 'grace',
        dunning: { waitingFor: expect.stringMatching(/^On hold: a bank wants a payment back/) },
      });
    },
    13.5: close('lost'),
  },
  happens: [
    ...renewalFails(),
    ...standardUntil(3),
    'day 3 +12:00 dispute USD 29.00 needs_response',
    'day 3 +12:00 dispute_opened',
    'day 13 +12:00 dispute lost',
    'day 13 +12:00 dispute_lost',
    'day 13 +12:00 cancelled',
    'day 13 +12:00 access none',
    'day 20 +12:00 win_back',
    'day 20 +12:00 mail win_back_1 sent',
  ],
  finally: async (actor) => {
    const { world, subscriptionId } = actor;
    expect(await readSubscription(world, subscriptionId)).toMatchObject({
      status: 'cancelled',
      access: 'none',
      dunning: null,
      cancellation: { reason: 'dispute_lost' },
    });
    expect(await invoicesOf(world, subscriptionId)).toMatchObject([
      { status: 'paid', paidMinor: 2900, disputedMinor: 2900 },
      { status: 'void', paidMinor: 0, disputedMinor: 0 },
    ]);
    const { data } = await world.ok('GET', `/v1/subscriptions/${subscriptionId}/timeline?limit=100`);
    const why = data.find(({ kind }: Body) => kind === 'cancelled');
    expect(why.message).toMatch(/the customer's bank took USD 29\.00 of invoice INV-\d+ back/);
  },
});

tell(
  'opened at day 3 and won at day 8: the step that is overdue is taken once, the later ones on their days',
  {
    card: declines(1),
    on: { 3.5: open, 8.5: close('won'), 15: newCard('succeeded') },
    happens: [
      ...renewalFails(),
      ...standardUntil(3),
      'day 3 +12:00 dispute USD 29.00 needs_response',
      'day 3 +12:00 dispute_opened',
      'day 8 +12:00 dispute USD 29.00 won',
      'day 8 +12:00 dispute_won',
      'day 8 +12:00 access_restricted',
      'day 8 +12:00 access restricted',
      'day 8 +12:00 mail account_restricted sent',
      'day 14 access_suspended',
      'day 14 access suspended',
      'day 14 mail account_suspended sent',
      ...recoversByNewCard('day 15'),
      ...renewalPaid('day 28'),
    ],
    finally: async ({ world, subscriptionId }) => {
      expect((await invoicesOf(world, subscriptionId)).slice(0, 2)).toMatchObject([
        { status: 'paid', paidMinor: 2900, refundedMinor: 0, disputedMinor: 0 },
        { status: 'paid' },
      ]);
    },
  },
);

tell('won before the next step is due: nothing of the ladder has changed', {
  card: [...declines(3), 'succeeded'],
  on: { 3.5: open, 4.5: close('won') },
  happens: [
    ...renewalFails(),
    ...standardUntil(3),
    'day 3 +12:00 dispute USD 29.00 needs_response',
    'day 3 +12:00 dispute_opened',
    'day 4 +12:00 dispute USD 29.00 won',
    'day 4 +12:00 dispute_won',
    'day 5 charge USD 29.00 succeeded',
    'day 5 payment_received',
    'day 5 recovered',
    'day 5 access full',
    'day 5 mail payment_recovered sent',
    ...renewalPaid('day 28'),
  ],
});

tell('paid while the bank decides: the customer has recovered, and the won dispute changes nothing', {
  card: declines(1),
  on: { 1.5: open, 4: newCard('succeeded'), 6: close('won') },
  happens: [
    ...renewalFails(),
    ...retryFails(1, 'payment_failed_1'),
    'day 1 +12:00 dispute USD 29.00 needs_response',
    'day 1 +12:00 dispute_opened',
    ...recoversByNewCard('day 4'),
    'day 6 dispute USD 29.00 won',
    'day 6 dispute_won',
    ...renewalPaid('day 28'),
  ],
});

tell('opened when nothing is owed: the subscription renews meanwhile, until the dispute is lost', {
  card: ['succeeded'],
  on: { 2: open, 29: close('lost') },
  happens: [
    ...renewalPaid('day 0'),
    'day 2 dispute USD 29.00 needs_response',
    'day 2 dispute_opened',
    ...renewalPaid('day 28'),
    'day 29 dispute lost',
    'day 29 dispute_lost',
    'day 29 cancelled',
    'day 29 access none',
  ],
});

tell('opened before the renewal fails: its ladder begins on hold, and goes on when the dispute is won', {
  card: ['succeeded', 'insufficient_funds'],
  on: {
    20: open,
    29.5: async (actor) => {
      expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
        status: 'past_due',
        dunning: { waitingFor: expect.stringMatching(/^On hold/) },
      });
    },
    30: close('won'),
  },
  happens: [
    ...renewalPaid('day 0'),
    'day 20 dispute USD 29.00 needs_response',
    'day 20 dispute_opened',
    ...renewalFails().map((line) => line.replace('day 0', 'day 28')),
    'day 30 dispute USD 29.00 won',
    'day 30 charge USD 29.00 refused insufficient_funds',
    'day 30 dispute_won',
    'day 30 charge_failed',
    'day 30 mail payment_failed_1 sent',
    ...retryFails(31, 'payment_failed_2'),
    ...retryFails(33, 'payment_failed_final'),
  ],
});

/** The bank wants the payment of the subscription's first invoice back. */
async function open({ world, subscriptionId }: Actor): Promise<void> {
  const [first] = await invoicesOf(world, subscriptionId);
  const [payment] = (await world.ok('GET', `/v1/payments?invoiceId=${first.id}`)).data;
  world.stripe.openDispute({ paymentIntent: payment.externalId });
}

function close(outcome: 'won' | 'lost') {
  return async ({ world, subscriptionId }: Actor): Promise<void> => {
    const { customerId } = await readSubscription(world, subscriptionId);
    const [dispute] = (await world.ok('GET', `/v1/disputes?customerId=${customerId}&status=open`)).data;
    world.stripe.closeDispute(dispute.externalId, outcome);
  };
}
