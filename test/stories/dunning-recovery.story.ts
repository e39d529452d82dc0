/** Whoever pays, by whatever means and at whatever step, has full access again and is told so once. */
import { expect } from 'vitest';
import { customerOf, declines, invoiceNow, newCard, payOutside } from './acts.ts';
import { type Act, createEnsemble } from './ensemble.ts';
import { invoicesOf, readSubscription } from './people.ts';
import {
  recovers,
  recoversByNewCard,
  renewalFails,
  renewalPaid,
  retryFails,
  standardUntil,
} from './phrases.ts';

const { tell } = createEnsemble({ days: 32 });

tell('a new card in the grace is charged at once and ends the ladder', {
  card: declines(2),
  on: { 2: newCard('succeeded') },
  happens: [...renewalFails(), ...standardUntil(1), ...recoversByNewCard('day 2'), ...renewalPaid('day 28')],
});

tell('a new card of a restricted customer gives full access back', {
  card: declines(4),
  on: { 8: newCard('succeeded') },
  happens: [...renewalFails(), ...standardUntil(7), ...recoversByNewCard('day 8'), ...renewalPaid('day 28')],
});

tell('a new card of a suspended customer gives full access back', {
  card: declines(4),
  on: { 15: newCard('succeeded') },
  happens: [
    ...renewalFails(),
    ...standardUntil(14),
    ...recoversByNewCard('day 15'),
    ...renewalPaid('day 28'),
  ],
});

tell('money from outside in the grace ends the ladder', {
  card: [...declines(2), 'succeeded'],
  on: { 2: payOutside() },
  happens: [...renewalFails(), ...standardUntil(1), ...recovers('day 2'), ...renewalPaid('day 28')],
});

tell('D5: paid on day 6, nothing is restricted, and one mail tells of the recovery', {
  card: [...declines(4), 'succeeded'],
  on: { 6: payOutside() },
  happens: [...renewalFails(), ...standardUntil(5), ...recovers('day 6'), ...renewalPaid('day 28')],
});

tell('money from outside gives a restricted customer full access back', {
  card: [...declines(4), 'succeeded'],
  on: { 8: payOutside() },
  happens: [...renewalFails(), ...standardUntil(7), ...recovers('day 8'), ...renewalPaid('day 28')],
});

tell('money from outside gives a suspended customer full access back', {
  card: [...declines(4), 'succeeded'],
  on: { 15: payOutside() },
  happens: [...renewalFails(), ...standardUntil(14), ...recovers('day 15'), ...renewalPaid('day 28')],
});

tell('a card that works again is charged by the ladder and ends it', {
  card: [...declines(3), 'succeeded'],
  happens: [
    ...renewalFails(),
    ...standardUntil(3),
    'day 5 charge USD 29.00 succeeded',
    ...recovers('day 5'),
    ...renewalPaid('day 28'),
  ],
});

tell(
  'recovered by card after the end of the period, the period of the recovery is billed once, on the old dates',
  {
    card: declines(4),
    on: { 29: newCard('succeeded') },
    happens: [
      ...renewalFails(),
      ...standardUntil(14),
      'day 29 charge USD 29.00 succeeded',
      'day 29 charge USD 29.00 succeeded',
      'day 29 payment_method_changed',
      'day 29 payment_received',
      'day 29 recovered',
      'day 29 access full',
      'day 29 renewed',
      'day 29 invoice_issued',
      'day 29 payment_received',
      'day 29 mail payment_recovered sent',
      'day 29 mail payment_receipt sent',
    ],
    finally: periodsAre(
      ['2030-12-31', '2031-01-31'],
      ['2031-01-31', '2031-02-28'],
      ['2031-02-28', '2031-03-31'],
    ),
  },
);

tell(
  'recovered from outside after the end of the period, the period of the recovery is billed once, on the old dates',
  {
    card: [...declines(4), 'succeeded'],
    on: { 29: payOutside() },
    happens: [
      ...renewalFails(),
      ...standardUntil(14),
      'day 29 charge USD 29.00 succeeded',
      'day 29 payment_received',
      'day 29 recovered',
      'day 29 access full',
      'day 29 renewed',
      'day 29 invoice_issued',
      'day 29 payment_received',
      'day 29 mail payment_recovered sent',
      'day 29 mail payment_receipt sent',
    ],
    finally: periodsAre(
      ['2030-12-31', '2031-01-31'],
      ['2031-01-31', '2031-02-28'],
      ['2031-02-28', '2031-03-31'],
    ),
  },
);

tell('a part of the money has its receipt and changes nothing but what is due; the rest recovers', {
  card: [...declines(3), 'succeeded'],
  on: { 2: payOutside(1000), 4: payOutside() },
  happens: [
    ...renewalFails(),
    ...standardUntil(1),
    'day 2 payment_received',
    'day 2 mail payment_recorded sent',
    ...retryFails(3, 'payment_failed_2', 'USD 19.00'),
    ...recovers('day 4'),
    ...renewalPaid('day 28'),
  ],
  finally: async (actor) =>
    expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900, dueMinor: 0 }),
});

tell('the ladder charges no more than what is still due', {
  card: [...declines(2), 'succeeded'],
  on: { 2: payOutside(1000) },
  happens: [
    ...renewalFails(),
    ...standardUntil(1),
    'day 2 payment_received',
    'day 2 mail payment_recorded sent',
    'day 3 charge USD 19.00 succeeded',
    ...recovers('day 3'),
    ...renewalPaid('day 28'),
  ],
});

tell('what exceeds the invoice becomes credit of the customer, and pays a part of the next one', {
  card: [...declines(2), 'succeeded'],
  on: {
    2: payOutside(4000),
    3: async (actor) => {
      expect(await customerOf(actor)).toMatchObject({ creditMinor: 1100 });
      expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900 });
    },
  },
  happens: [
    ...renewalFails(),
    ...standardUntil(1),
    ...recovers('day 2'),
    'day 28 charge USD 18.00 succeeded',
    'day 28 renewed',
    'day 28 invoice_issued',
    'day 28 payment_received',
    'day 28 payment_received',
    'day 28 mail payment_receipt sent',
  ],
  finally: async (actor) => expect(await customerOf(actor)).toMatchObject({ creditMinor: 0 }),
});

tell('the same money recorded twice is booked once', {
  card: [...declines(2), 'succeeded'],
  on: {
    2: async ({ world, invoice }) => {
      const money = {
        amountMinor: 2900,
        currency: 'USD',
        method: 'wire',
        reason: 'on the statement',
        reference: `receipt ${invoice.number}`,
      };
      const record = () => world.request('POST', `/v1/invoices/${invoice.id}/payments`, { body: money });
      expect([(await record()).status, (await record()).status]).toEqual([201, 200]);
    },
  },
  happens: [...renewalFails(), ...standardUntil(1), ...recovers('day 2'), ...renewalPaid('day 28')],
  finally: async (actor) => expect(await customerOf(actor)).toMatchObject({ creditMinor: 0 }),
});

tell(
  'money that came before the restriction, but was recorded after it, gives access back when it is recorded',
  {
    card: [...declines(4), 'succeeded'],
    on: {
      9: ({ world, invoice }) =>
        world.ok('POST', `/v1/invoices/${invoice.id}/payments`, {
          amountMinor: 2900,
          currency: 'USD',
          method: 'cheque',
          reason: 'on the statement',
          reference: `cheque ${invoice.number}`,
          receivedAt: '2031-02-06T09:00:00Z',
        }),
    },
    happens: [...renewalFails(), ...standardUntil(7), ...recovers('day 9'), ...renewalPaid('day 28')],
    finally: async ({ world, invoice }) => {
      const { data } = await world.ok('GET', `/v1/payments?invoiceId=${invoice.id}`);
      expect(data).toMatchObject([{ rail: 'manual', receivedAt: '2031-02-06T09:00:00.000Z' }]);
    },
  },
);

tell('money that comes after the end is booked and thanked for, and brings nothing back to life', {
  card: declines(4),
  on: { 31: payOutside(2900) },
  happens: [
    ...renewalFails(),
    ...standardUntil(30),
    'day 31 payment_received',
    'day 31 mail payment_received sent',
  ],
  finally: async (actor) => {
    expect(await invoiceNow(actor)).toMatchObject({ status: 'paid', paidMinor: 2900 });
    expect(await readSubscription(actor.world, actor.subscriptionId)).toMatchObject({
      status: 'cancelled',
      access: 'none',
    });
  },
});

/** All of the subscription's invoices are paid, one for each of these periods; the last one runs now. */
function periodsAre(...periods: [string, string][]): Act {
  return async ({ world, subscriptionId }) => {
    const invoices = await invoicesOf(world, subscriptionId);
    const day = (instant: string) => instant.slice(0, 10);
    expect(
      invoices.map(({ status, periodStartsAt, periodEndsAt }) => [
        status,
        day(periodStartsAt),
        day(periodEndsAt),
      ]),
    ).toEqual(periods.map((period) => ['paid', ...period]));
    const { status, currentPeriod } = await readSubscription(world, subscriptionId);
    expect([status, day(currentPeriod.startsAt), day(currentPeriod.endsAt)]).toEqual([
      'active',
      ...(periods.at(-1) ?? []),
    ]);
  };
}
