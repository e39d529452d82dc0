/** A bank account from the first day: a first payment that takes days, and one that comes back weeks after the activation. */
import { describe, expect } from 'vitest';
import { cancelNow } from './acts.ts';
import { suspends, trialBegins, trialMessages } from './beginnings.ts';
import { takesBack } from './debits.ts';
import { invoicesOf, mailsOf, readSubscription, useBankAccount } from './people.ts';
import { recovers, retryWithoutCard } from './phrases.ts';
import { type Act, createSubscriptionStage } from './stage.ts';

const { tell } = createSubscriptionStage({ startsAt: '2031-03-01T10:00:00Z', days: 30 });

const created = ['day 0 created', 'day 0 invoice_issued', 'day 0 charge_failed'];

const debitedFirst = ['day 0 +06:00 charge processing', 'day 0 +06:00 payment_method_changed'];

const activated = (when: string) => [
  `${when} bank USD 29.00 succeeded`,
  `${when} payment_received`,
  `${when} activated`,
  `${when} access full`,
  `${when} mail subscription_confirmed sent`,
];

const useBank: Act = ({ world, subscriptionId }) => useBankAccount(world, subscriptionId);

/** The bank is done with the latest debit. */
const bankSays =
  (outcome: string): Act =>
  async ({ world, subscriptionId }) => {
    const invoices = await invoicesOf(world, subscriptionId);
    const debit = world.stripe
      .effects()
      .findLast(
        ({ op, businessRef }) =>
          op === 'payment_intents.create' && invoices.some(({ id }) => id === businessRef),
      );
    world.stripe.settle(debit?.objectId ?? '', outcome);
  };

tell('a first payment is awaited as long as the bank needs, and activates when it has come', {
  start: 'payment',
  on: {
    0.25: useBank,
    2: async ({ world, subscriptionId }) => {
      expect(await readSubscription(world, subscriptionId)).toMatchObject({
        status: 'incomplete',
        access: 'none',
        waitingFor: expect.stringContaining('it expires on Sat 8 Mar 2031 16:00 UTC'),
      });
    },
    4: bankSays('succeeded'),
  },
  happens: [...created, ...debitedFirst, ...activated('day 4')],
});

tell('a first payment that the bank is silent about for more than seven days is not given up', {
  start: 'payment',
  on: { 0.25: useBank, 9: bankSays('succeeded') },
  happens: [
    ...created,
    ...debitedFirst,
    'day 7 +06:00 expiry_postponed',
    'day 8 +06:00 expiry_postponed',
    ...activated('day 9'),
  ],
});

tell('a first payment that comes after a cancellation is credit, and the customer is told', {
  start: 'payment',
  on: { 0.25: useBank, 2: cancelNow, 4: bankSays('succeeded') },
  happens: [
    ...created,
    ...debitedFirst,
    'day 2 cancelled',
    'day 2 mail subscription_ended sent',
    'day 4 bank USD 29.00 succeeded',
    'day 4 payment_received',
    'day 4 payment_unused',
    'day 4 mail payment_unused sent',
    'day 9 win_back',
    'day 9 mail win_back_1 sent',
    'day 23 win_back',
    'day 23 mail win_back_2 sent',
  ],
});

tell('a first payment returned for want of funds is presented once more, and activates then', {
  start: 'payment',
  on: { 0.25: useBank, 4: bankSays('R01'), 10: bankSays('succeeded') },
  happens: [
    ...created,
    ...debitedFirst,
    'day 4 bank USD 29.00 refused R01',
    'day 4 debit_returned',
    'day 4 representment_planned',
    'day 4 mail payment_returned sent',
    'day 7 charge processing',
    ...activated('day 10'),
  ],
});

tell('a first payment that can never be debited leaves 23 hours for another method', {
  start: 'payment',
  on: { 0.25: useBank, 4: bankSays('R03') },
  happens: [
    ...created,
    ...debitedFirst,
    'day 4 bank USD 29.00 refused R03',
    'day 4 debit_returned',
    'day 4 mail payment_returned sent',
    'day 4 +23:00 expired',
    'day 4 +23:00 mail subscription_expired sent',
    'day 11 +23:00 win_back',
    'day 11 +23:00 mail win_back_1 sent',
    'day 25 +23:00 win_back',
    'day 25 +23:00 mail win_back_2 sent',
  ],
});

tell(
  'three weeks after the activation the bank takes the payment back (R10): past due, and the ladder begins',
  {
    start: 'payment',
    on: {
      0.25: useBank,
      4: bankSays('succeeded'),
      25: takesBack('R10'),
      25.5: async ({ world, subscriptionId }) => {
        expect(await readSubscription(world, subscriptionId)).toMatchObject({
          status: 'past_due',
          access: 'grace',
          hasPaymentMethod: false,
          dunning: { waitingFor: expect.stringContaining('step 1 of 6') },
        });
        expect(await invoicesOf(world, subscriptionId)).toMatchObject([{ status: 'open', paidMinor: 0 }]);
      },
      28.5: useBank,
      29.5: bankSays('succeeded'),
    },
    happens: [
      ...created,
      ...debitedFirst,
      ...activated('day 4'),
      'day 25 dispute USD 29.00 lost',
      'day 25 payment_returned',
      'day 25 past_due',
      'day 25 access grace',
      'day 25 mail payment_returned sent',
      ...retryWithoutCard(26, 'payment_failed_1'),
      ...retryWithoutCard(28, 'payment_failed_2'),
      'day 28 +12:00 charge processing',
      'day 28 +12:00 payment_method_changed',
      'day 29 +12:00 bank USD 29.00 succeeded',
      ...recovers('day 29 +12:00'),
    ],
    finally: async ({ world, subscriptionId }) => {
      const [told] = (await mailsOf(world, subscriptionId)).filter(({ subject }) => /returned/.test(subject));
      expect(told?.text).toContain('because your bank says that the debit was not authorised');
    },
  },
);

tell('three weeks after the activation (R09): presented once more after three days, and paid', {
  start: 'payment',
  on: { 0.25: useBank, 4: bankSays('succeeded'), 25: takesBack('R09'), 29: bankSays('succeeded') },
  happens: [
    ...created,
    ...debitedFirst,
    ...activated('day 4'),
    'day 25 dispute USD 29.00 lost',
    'day 25 payment_returned',
    'day 25 representment_planned',
    'day 25 access grace',
    'day 25 mail payment_returned sent',
    'day 28 charge processing',
    'day 29 bank USD 29.00 succeeded',
    'day 29 payment_received',
    'day 29 recovered',
    'day 29 access full',
    'day 29 mail payment_received sent',
  ],
});

tell('a trial that ends runs on until the bank has paid; a return makes it past due', {
  on: { 1: useBank, 18: bankSays('R02') },
  happens: [
    ...trialBegins,
    'day 1 payment_method_changed',
    'day 7 trial_message',
    'day 7 mail trial_halfway sent',
    'day 12 trial_message',
    'day 12 mail trial_ending sent',
    'day 13 trial_message',
    'day 13 mail trial_last_chance sent',
    'day 14 charge processing',
    'day 14 invoice_issued',
    'day 18 bank USD 29.00 refused R02',
    'day 18 debit_returned',
    'day 18 past_due',
    'day 18 access grace',
    'day 18 mail payment_returned sent',
    ...retryWithoutCard(19, 'payment_failed_1'),
    ...retryWithoutCard(21, 'payment_failed_2'),
    ...retryWithoutCard(23, 'payment_failed_final'),
    'day 25 access_restricted',
    'day 25 access restricted',
    'day 25 mail account_restricted sent',
  ],
});

describe('a bank account that is given at the end of the window of an ended trial', () => {
  const late = createSubscriptionStage({ startsAt: '2031-03-01T10:00:00Z', days: 50.5 });
  const debitedLate = [
    ...trialBegins,
    ...trialMessages(7, 12, 13),
    ...suspends('day 14'),
    'day 43 charge processing',
    'day 43 payment_method_changed',
    'day 43 invoice_issued',
  ];

  late.tell('takes it up when the bank has paid, days after the window', {
    on: { 43: useBank, 48: bankSays('succeeded') },
    happens: [...debitedLate, ...activated('day 48')],
  });

  late.tell('leaves it to expire, where the debit is returned, as long as it would have been awaited', {
    on: { 43: useBank, 46: bankSays('R03') },
    happens: [
      ...debitedLate,
      'day 46 bank USD 29.00 refused R03',
      'day 46 debit_returned',
      'day 50 expired',
      'day 50 access none',
      'day 50 mail subscription_expired sent',
    ],
  });
});
