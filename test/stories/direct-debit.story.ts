/** Bank accounts that are debited: days of processing, returns, one new presentment, and returns weeks after the payment. */
import { expect } from 'vitest';
import { bankDecides, cancelNow, customerOf, newCard, payOutside } from './acts.ts';
import { createDebitStage, takesBack } from './debits.ts';
import type { Act } from './ensemble.ts';
import { invoicesOf, mailsOf, readSubscription } from './people.ts';
import { recovers, retryWithoutCard, takesAccess } from './phrases.ts';

const { tell } = createDebitStage({ days: 27.5 });

/** The renewal of day 0: now it is the bank's turn. */
const debited = ['day 0 charge processing', 'day 0 renewed', 'day 0 invoice_issued'];

const paidOn = (when: string) => [
  `${when} bank USD 29.00 succeeded`,
  `${when} payment_received`,
  `${when} mail payment_receipt sent`,
];

/** The first return of an invoice, for want of funds. */
const returnedFirst = (when: string) => [
  `${when} bank USD 29.00 refused R01`,
  `${when} debit_returned`,
  `${when} representment_planned`,
  `${when} access grace`,
  `${when} mail payment_returned sent`,
];

/** A return after which the ladder begins. */
const returnedForGood = (when: string, code: string) => [
  `${when} bank USD 29.00 refused ${code}`,
  `${when} debit_returned`,
  `${when} past_due`,
  `${when} access grace`,
  `${when} mail payment_returned sent`,
];

/** Paid, without a ladder that would have begun. */
const paidAfterAll = (when: string) => [
  `${when} payment_received`,
  `${when} recovered`,
  `${when} access full`,
  `${when} mail payment_received sent`,
];

const isStill =
  (status: string, access: string): Act =>
  async ({ world, subscriptionId }) => {
    expect(await readSubscription(world, subscriptionId)).toMatchObject({ status, access, dunning: null });
  };

tell('a renewal that the bank pays on day 4 changes nothing until then', {
  on: { 2: isStill('active', 'full'), 4: bankDecides('succeeded') },
  happens: [...debited, ...paidOn('day 4')],
});

tell('R01: presented once more after three days, and paid: no ladder, no charge beside it', {
  on: {
    4: bankDecides('R01'),
    5: async (actor) => {
      await isStill('past_due', 'grace')(actor);
      const { waitingFor } = await readSubscription(actor.world, actor.subscriptionId);
      expect(waitingFor).toMatch(
        /^The bank has returned a debit; next: the bank account is debited again on Fri 7 Feb 2031 /,
      );
    },
    9: bankDecides('succeeded'),
  },
  happens: [
    ...debited,
    ...returnedFirst('day 4'),
    'day 7 charge processing',
    'day 9 bank USD 29.00 succeeded',
    ...paidAfterAll('day 9'),
  ],
  finally: async ({ world, subscriptionId }) => {
    const told = (await mailsOf(world, subscriptionId)).filter(({ subject }) => /returned/.test(subject));
    expect(told).toHaveLength(1);
    expect(told[0]?.text).toContain('because your bank account had insufficient funds');
    expect(told[0]?.text).toMatch(/we debit your bank account again on Fri 7 Feb 2031/);
  },
});

tell(
  'R01 twice: then the ladder, which debits once more, as often as the network allows, and then only mails',
  {
    on: { 4: bankDecides('R01'), 9: bankDecides('R01'), 13: bankDecides('R09') },
    happens: [
      ...debited,
      ...returnedFirst('day 4'),
      'day 7 charge processing',
      'day 9 bank USD 29.00 refused R01',
      'day 9 debit_returned',
      'day 9 mail payment_returned sent',
      'day 10 charge processing',
      'day 13 bank USD 29.00 refused R09',
      'day 13 debit_returned',
      'day 13 charge_failed',
      'day 13 mail payment_failed_2 sent',
      ...retryWithoutCard(14, 'payment_failed_final'),
      ...takesAccess(16, 'restricted'),
      ...takesAccess(23, 'suspended'),
    ],
    finally: async ({ world, subscriptionId }) => {
      const reminder = (await mailsOf(world, subscriptionId)).find(({ text }) =>
        text?.includes('Fri 14 Feb 2031'),
      );
      expect(reminder?.text, 'nothing is promised that the network forbids').toMatch(
        /we will remind you on Fri 14 Feb 2031/,
      );
    },
  },
);

tell('R02: the account is never debited again; the ladder begins at once, and another method ends it', {
  on: {
    4: bankDecides('R02'),
    8: async (actor) => {
      expect(await customerOf(actor)).toMatchObject({ defaultPaymentMethodId: null });
    },
    12: newCard('succeeded'),
  },
  happens: [
    ...debited,
    ...returnedForGood('day 4', 'R02'),
    ...retryWithoutCard(5, 'payment_failed_1'),
    ...retryWithoutCard(7, 'payment_failed_2'),
    ...retryWithoutCard(9, 'payment_failed_final'),
    ...takesAccess(11, 'restricted'),
    'day 12 charge USD 29.00 succeeded',
    'day 12 payment_method_changed',
    ...recovers('day 12'),
  ],
});

tell('D8: a debit under way at a step: the step does not charge beside it, and the ladder waits', {
  on: { 4: bankDecides('R06'), 8.5: bankDecides('succeeded') },
  happens: [
    ...debited,
    ...returnedForGood('day 4', 'R06'),
    'day 5 charge processing',
    'day 8 +12:00 bank USD 29.00 succeeded',
    ...recovers('day 8 +12:00'),
  ],
});

tell('another method in the three days of waiting: charged at once, and the account is left alone', {
  on: { 4: bankDecides('R01'), 5: newCard('succeeded') },
  happens: [
    ...debited,
    ...returnedFirst('day 4'),
    'day 5 charge USD 29.00 succeeded',
    'day 5 payment_method_changed',
    ...paidAfterAll('day 5'),
  ],
});

tell('paid by other means in the three days of waiting: the account is left alone', {
  on: { 4: bankDecides('R01'), 6: payOutside() },
  happens: [...debited, ...returnedFirst('day 4'), ...paidAfterAll('day 6')],
});

tell('cancelled in the three days of waiting: nothing is debited any more', {
  on: { 4: bankDecides('R01'), 5: cancelNow },
  happens: [
    ...debited,
    ...returnedFirst('day 4'),
    'day 5 cancelled',
    'day 5 access none',
    'day 5 mail subscription_ended sent',
    'day 12 win_back',
    'day 12 mail win_back_1 sent',
    'day 26 win_back',
    'day 26 mail win_back_2 sent',
  ],
});

tell('weeks after the payment, R01: the invoice is open again, presented once more, and paid', {
  on: {
    4: bankDecides('succeeded'),
    20: takesBack('R01'),
    21: isStill('past_due', 'grace'),
    26: bankDecides('succeeded'),
  },
  happens: [
    ...debited,
    ...paidOn('day 4'),
    'day 20 dispute USD 29.00 lost',
    'day 20 payment_returned',
    'day 20 representment_planned',
    'day 20 access grace',
    'day 20 mail payment_returned sent',
    'day 23 charge processing',
    'day 26 bank USD 29.00 succeeded',
    ...paidAfterAll('day 26'),
  ],
  finally: async ({ world, subscriptionId, invoice }) => {
    const [, renewal] = await invoicesOf(world, subscriptionId);
    expect(renewal).toMatchObject({ status: 'paid', paidMinor: 2900, refundedMinor: 0 });
    const { data } = await world.ok('GET', `/v1/payments?invoiceId=${invoice.id}`);
    expect(data).toMatchObject([
      { amountMinor: 2900, allocatedMinor: 2900, returnedAt: null },
      { amountMinor: 2900, allocatedMinor: 0, returnedMinor: 2900, returnCode: 'R01' },
    ]);
    const refused = await world.request('POST', `/v1/payments/${data[1].id}/refunds`, { body: {} });
    expect(refused).toMatchObject({ status: 409, body: { reason: 'payment_returned' } });
  },
});

tell('weeks after the payment, R10: the mandate is over, and the ladder begins', {
  on: { 4: bankDecides('succeeded'), 20: takesBack('R10') },
  happens: [
    ...debited,
    ...paidOn('day 4'),
    'day 20 dispute USD 29.00 lost',
    'day 20 payment_returned',
    'day 20 past_due',
    'day 20 access grace',
    'day 20 mail payment_returned sent',
    ...retryWithoutCard(21, 'payment_failed_1'),
    ...retryWithoutCard(23, 'payment_failed_2'),
    ...retryWithoutCard(25, 'payment_failed_final'),
    ...takesAccess(27, 'restricted'),
  ],
  finally: async (actor) => {
    expect(await customerOf(actor)).toMatchObject({ defaultPaymentMethodId: null });
  },
});
