/** What a bank may answer besides yes and no: nothing decided, not yet, and only with the customer. */
import { expect } from 'vitest';
import { answerBank, bankDecides, cancelNow, newCard, paymentOf, payOutside } from './acts.ts';
import { createEnsemble } from './ensemble.ts';
import { mailsOf, readSubscription } from './people.ts';
import {
  askedToConfirm,
  recovers,
  recoversByNewCard,
  renewalFails,
  retryFails,
  takesAccess,
} from './phrases.ts';

const { tell } = createEnsemble({ days: 16 });

tell('a technical failure is tried again in minutes: no step, no mail', {
  card: ['processing_error', 'succeeded'],
  happens: [
    'day 0 charge USD 29.00 refused processing_error',
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 +00:15 charge USD 29.00 succeeded',
    'day 0 +00:15 payment_received',
    'day 0 +00:15 mail payment_receipt sent',
  ],
});

tell('the fourth technical failure in a row counts as a decline, and the ladder begins with it', {
  card: ['processing_error', 'issuer_not_available', 'try_again_later', 'processing_error', 'succeeded'],
  happens: [
    'day 0 charge USD 29.00 refused processing_error',
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 +00:15 charge USD 29.00 refused issuer_not_available',
    'day 0 +00:15 charge_failed',
    'day 0 +01:15 charge USD 29.00 refused try_again_later',
    'day 0 +01:15 charge_failed',
    'day 0 +05:15 charge USD 29.00 refused processing_error',
    'day 0 +05:15 charge_failed',
    'day 0 +05:15 past_due',
    'day 0 +05:15 access grace',
    'day 0 +05:15 mail payment_failed sent',
    'day 1 +05:15 charge USD 29.00 succeeded',
    ...recovers('day 1 +05:15'),
  ],
});

tell('a technical failure of a step is tried again in minutes, and the later steps keep their dates', {
  card: ['insufficient_funds', 'processing_error', 'insufficient_funds', 'succeeded'],
  happens: [
    ...renewalFails(),
    'day 1 charge USD 29.00 refused processing_error',
    'day 1 charge_failed',
    'day 1 mail payment_failed_1 sent',
    'day 1 +00:15 charge USD 29.00 refused insufficient_funds',
    'day 1 +00:15 charge_failed',
    'day 3 charge USD 29.00 succeeded',
    ...recovers('day 3'),
  ],
});

tell('a bank that wants the customer: one mail with the link, and the confirmation recovers', {
  card: ['authentication_required'],
  on: { 0.5: answerBank('confirm') },
  happens: [
    ...askedToConfirm('day 0'),
    'day 0 +12:00 confirmation USD 29.00 succeeded',
    ...recovers('day 0 +12:00'),
  ],
  finally: async (actor) => {
    const link = `${actor.world.stripe.url}/3ds/${paymentOf(actor)}`;
    const mails = await mailsOf(actor.world, actor.subscriptionId);
    expect(mails.filter(({ text }) => text?.includes(link))).toHaveLength(1);
  },
});

tell('a customer who fails at the bank is charged again on the dates of the ladder', {
  card: ['authentication_required', 'succeeded'],
  on: { 0.5: answerBank('fail') },
  happens: [
    ...askedToConfirm('day 0'),
    'day 0 +12:00 confirmation USD 29.00 refused requires_payment_method',
    'day 0 +12:00 charge_failed',
    'day 1 charge USD 29.00 succeeded',
    ...recovers('day 1'),
  ],
});

tell('a link that is not followed stays good: the ladder goes on without asking the bank again', {
  card: ['authentication_required'],
  on: { 8: answerBank('confirm') },
  happens: [
    ...askedToConfirm('day 0'),
    'day 1 mail payment_failed_1 sent',
    'day 3 mail payment_failed_2 sent',
    'day 5 mail payment_failed_final sent',
    ...takesAccess(7, 'restricted'),
    'day 8 confirmation USD 29.00 succeeded',
    ...recovers('day 8'),
  ],
  finally: async ({ world, subscriptionId }) => {
    const reminders = (await mailsOf(world, subscriptionId)).filter(({ subject }) =>
      subject.startsWith('Reminder'),
    );
    expect(reminders.length).toBeGreaterThan(0);
    for (const { text } of reminders)
      expect(text).toContain('because your bank asks you to confirm the payment');
  },
});

tell('a new card takes the place of a link, which then takes no money any more', {
  card: ['authentication_required'],
  on: { 2: newCard('succeeded') },
  happens: [
    ...askedToConfirm('day 0'),
    'day 1 mail payment_failed_1 sent',
    'day 2 cancel charge canceled',
    ...recoversByNewCard('day 2'),
  ],
});

tell('a renewal that the bank works on changes nothing until its yes', {
  card: ['processing'],
  on: { 2: bankDecides('succeeded') },
  happens: [
    'day 0 charge processing',
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 2 bank USD 29.00 succeeded',
    'day 2 payment_received',
    'day 2 mail payment_receipt sent',
  ],
});

tell('a renewal that the bank declines after two days begins the ladder on that day', {
  card: ['processing', 'succeeded'],
  on: { 2: bankDecides('insufficient_funds') },
  happens: [
    'day 0 charge processing',
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 2 bank USD 29.00 refused insufficient_funds',
    'day 2 charge_failed',
    'day 2 past_due',
    'day 2 access grace',
    'day 2 mail payment_failed sent',
    'day 3 charge USD 29.00 succeeded',
    ...recovers('day 3'),
  ],
});

tell('D8: while the bank works on a charge the ladder waits; its yes recovers', {
  card: ['insufficient_funds', 'processing'],
  on: {
    2: async ({ world, subscriptionId }) => {
      const { dunning } = await readSubscription(world, subscriptionId);
      expect(dunning.waitingFor).toMatch(
        /^Waiting for the bank to finish a charge; .* resumes on Sat 8 Feb 2031 /,
      );
    },
    4: bankDecides('succeeded'),
  },
  happens: [
    ...renewalFails(),
    'day 1 charge processing',
    'day 4 bank USD 29.00 succeeded',
    ...recovers('day 4'),
  ],
});

tell('D8: its no lets the ladder go on at once, with the later steps on their dates', {
  card: ['insufficient_funds', 'processing', 'insufficient_funds'],
  on: { 4: bankDecides('insufficient_funds') },
  happens: [
    ...renewalFails(),
    'day 1 charge processing',
    'day 4 bank USD 29.00 refused insufficient_funds',
    'day 4 charge USD 29.00 refused insufficient_funds',
    'day 4 charge_failed',
    'day 4 charge_failed',
    'day 4 mail payment_failed_2 sent',
    ...retryFails(5, 'payment_failed_final'),
    ...takesAccess(7, 'restricted'),
    ...takesAccess(14, 'suspended'),
  ],
});

tell(
  'D8: a bank that is silent for seven days holds the ladder no longer; nothing is charged beside its charge',
  {
    card: ['insufficient_funds', 'processing'],
    happens: [
      ...renewalFails(),
      'day 1 charge processing',
      ...takesAccess(8, 'restricted'),
      ...takesAccess(14, 'suspended'),
    ],
  },
);

tell('a new card is not charged beside a charge that the bank works on', {
  card: ['insufficient_funds', 'processing'],
  on: {
    2: async (actor) => expect(await newCard('succeeded')(actor)).toMatchObject({ outcome: 'processing' }),
    3.5: bankDecides('succeeded'),
  },
  happens: [
    ...renewalFails(),
    'day 1 charge processing',
    'day 2 payment_method_changed',
    'day 3 +12:00 bank USD 29.00 succeeded',
    ...recovers('day 3 +12:00'),
  ],
});

tell('an invoice paid from outside calls a waiting link back', {
  card: ['authentication_required'],
  on: { 2: payOutside() },
  happens: [
    ...askedToConfirm('day 0'),
    'day 1 mail payment_failed_1 sent',
    'day 2 cancel charge canceled',
    ...recovers('day 2'),
  ],
});

tell('a part paid from outside: the link over all of it gives way to one over the rest', {
  card: ['authentication_required'],
  on: { 0.25: payOutside(1900), 0.5: answerBank('confirm') },
  happens: [
    ...askedToConfirm('day 0'),
    'day 0 +06:00 cancel charge canceled',
    'day 0 +06:00 charge USD 10.00 refused authentication_required',
    'day 0 +06:00 link requires_action',
    'day 0 +06:00 payment_received',
    'day 0 +06:00 charge_replaced',
    'day 0 +06:00 charge_requires_action',
    'day 0 +06:00 mail payment_recorded sent',
    'day 0 +06:00 mail payment_action_required sent',
    'day 0 +12:00 confirmation USD 10.00 succeeded',
    ...recovers('day 0 +12:00'),
  ],
});

tell('cancelling calls a waiting link back', {
  card: ['authentication_required'],
  on: { 2: cancelNow },
  happens: [
    ...askedToConfirm('day 0'),
    'day 1 mail payment_failed_1 sent',
    'day 2 cancel charge canceled',
    'day 2 cancelled',
    'day 2 access none',
    'day 2 mail subscription_ended sent',
    'day 9 win_back',
    'day 9 mail win_back_1 sent',
  ],
});
