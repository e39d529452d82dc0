/** Several unpaid invoices of one customer, and several versions of one policy: which of them counts. */
import { afterEach, expect, it } from 'vitest';
import { invoicesOf, newCustomer, readSubscription, subscribe, subscribePaid, useCard } from './people.ts';
import {
  recoversByNewCard,
  renewalFails,
  renewalPaid,
  retryFails,
  standardUntil,
  takesAccess,
} from './phrases.ts';
import { createWorld, type World } from './world.ts';

const start = '2030-12-31T10:00:00Z';

let world: World;
afterEach(() => world.close());

it('D13: a policy edited on day 4 leaves the running case alone; a later case takes the new version', async () => {
  world = await createWorld({ startsAt: start });
  const running = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  await world.advance({ days: 10 });
  const later = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  await world.advanceTo('2031-02-04T12:00:00Z');

  const steps = [
    { day: 2, retry: false, template: 'payment_failed_1' },
    { day: 4, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
  ];
  expect(await world.ok('PUT', '/v1/dunning_policies/standard_30', { steps })).toMatchObject({ version: 2 });
  await world.advanceTo('2031-02-15T00:00:00Z');

  expect((await readSubscription(world, running)).dunning).toMatchObject({
    policy: 'standard_30',
    policyVersion: 1,
  });
  expect(await since(await failedInvoice(running))).toEqual([...renewalFails(), ...standardUntil(14)]);
  expect(await since(await failedInvoice(later))).toEqual([
    ...renewalFails(),
    'day 2 mail payment_failed_1 sent',
    'day 4 cancelled',
    'day 4 access none',
    'day 4 mail subscription_cancelled_unpaid sent',
  ]);
});

it('of two unpaid subscriptions the earlier failure takes access to both; once it is paid the other one has its own clock', async () => {
  const { first, second } = await twoUnpaid();

  await world.advanceTo('2031-02-08T04:00:00Z');
  const { id, dueMinor, currency } = await failedInvoice(first);
  await world.ok('POST', `/v1/invoices/${id}/payments`, {
    amountMinor: dueMinor,
    currency,
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 1',
  });
  await world.advanceTo('2031-02-11T16:00:20Z');
  await useCard(world, second, 'succeeded');
  await world.advanceTo('2031-02-20T00:00:00Z');

  expect(await since(await failedInvoice(first))).toEqual([
    ...renewalFails(),
    ...standardUntil(7),
    'day 7 +18:00 payment_received',
    'day 7 +18:00 recovered',
    'day 7 +18:00 access full',
    'day 7 +18:00 mail payment_received sent',
    'day 11 +06:00 payment_method_changed',
  ]);
  expect(await since(await failedInvoice(second))).toEqual([
    ...renewalFails('insufficient_funds', 'USD 49.00'),
    // The last charging step of the other one charges this one too.
    'day 1 +18:00 charge USD 49.00 refused insufficient_funds',
    'day 1 +18:00 charge_failed',
    'day 3 +18:00 access_restricted',
    'day 3 +18:00 access restricted',
    'day 3 +18:00 mail account_restricted sent',
    // Its own clock stands at day 4: the restriction is too early for it, the reminder of day 3 is late.
    'day 4 +12:00 charge USD 49.00 refused insufficient_funds',
    'day 4 +12:00 access grace',
    'day 4 +12:00 charge_failed',
    'day 4 +12:00 mail payment_failed_2 sent',
    ...retryFails(5, 'payment_failed_final', 'USD 49.00'),
    ...takesAccess(7, 'restricted'),
    ...recoversByNewCard('day 8', 'USD 49.00'),
  ]);
});

it('a new card pays what every subscription of the customer owes, and one mail tells of the recovery', async () => {
  const { first, second } = await twoUnpaid();

  await world.advanceTo('2031-02-06T10:00:00Z');
  expect(await useCard(world, second, 'succeeded')).toMatchObject({ outcome: 'paid' });
  await world.advanceTo('2031-03-04T00:00:00Z');

  expect(await since(await failedInvoice(first))).toEqual([
    ...renewalFails(),
    ...standardUntil(5),
    'day 6 charge USD 29.00 succeeded',
    'day 6 payment_method_changed',
    'day 6 payment_received',
    'day 6 recovered',
    'day 6 access full',
    'day 6 mail payment_received sent',
    ...renewalPaid('day 28'),
  ]);
  expect(await since(await failedInvoice(second))).toEqual([
    ...renewalFails('insufficient_funds', 'USD 49.00'),
    'day 1 +18:00 charge USD 49.00 refused insufficient_funds',
    'day 1 +18:00 charge_failed',
    ...recoversByNewCard('day 2 +18:00', 'USD 49.00'),
    ...renewalPaid('day 28', 'USD 49.00'),
  ]);
});

it('a period that passes while access is suspended is not billed; the period of the recovery is, once', async () => {
  world = await createWorld({ startsAt: start });
  const interval = { unit: 'day', count: 6 };
  const plan = {
    code: 'six-days',
    name: 'Six days',
    family: 'days',
    priceMinor: 900,
    currency: 'USD',
    interval,
  };
  await world.ok('POST', '/v1/plans', plan);
  const id = await subscribePaid(world, { plan: plan.code, outcomes: ['insufficient_funds'] });
  await world.advanceTo('2031-01-31T12:00:00Z');
  await useCard(world, id, 'succeeded');
  await world.advanceTo('2031-02-06T00:00:00Z');

  const declined = (day: number) => [
    `day ${day} charge USD 9.00 refused insufficient_funds`,
    `day ${day} renewed`,
    `day ${day} invoice_issued`,
    `day ${day} charge_failed`,
    `day ${day} mail payment_failed sent`,
  ];
  expect(await since(await failedInvoice(id))).toEqual([
    ...renewalFails('insufficient_funds', 'USD 9.00'),
    ...standardUntil(5, 'USD 9.00'),
    ...declined(6),
    ...takesAccess(7, 'restricted'),
    ...declined(12),
    ...takesAccess(14, 'suspended'),
    // Three open periods and the running one. The ladder passes on to the clock of each in turn.
    ...Array.from({ length: 4 }, () => 'day 25 +02:00 charge USD 9.00 succeeded'),
    'day 25 +02:00 payment_method_changed',
    'day 25 +02:00 payment_received',
    'day 25 +02:00 payment_received',
    'day 25 +02:00 access restricted',
    'day 25 +02:00 payment_received',
    'day 25 +02:00 recovered',
    'day 25 +02:00 access full',
    'day 25 +02:00 renewed',
    'day 25 +02:00 invoice_issued',
    'day 25 +02:00 payment_received',
    'day 25 +02:00 mail payment_received sent',
    'day 25 +02:00 mail payment_received sent',
    'day 25 +02:00 mail payment_recovered sent',
    'day 25 +02:00 mail payment_receipt sent',
    ...renewalPaid('day 30', 'USD 9.00'),
  ]);
  const billed = (await invoicesOf(world, id)).map(
    ({ status, periodStartsAt }) => `${periodStartsAt.slice(0, 10)} ${status}`,
  );
  const paid = ['2030-12-31', '2031-01-06', '2031-01-12', '2031-01-18', '2031-01-30', '2031-02-05'];
  expect(billed).toEqual(paid.map((first) => `${first} paid`));
});

it('who fails only just before the earlier one is restricted has its own grace', async () => {
  const { first, second } = await twoUnpaid({ days: 6 });
  await world.advanceTo('2031-02-08T00:00:00Z');
  expect(await since(await failedInvoice(first))).toEqual([...renewalFails(), ...standardUntil(7)]);
  expect(await since(await failedInvoice(second))).toEqual(renewalFails('insufficient_funds', 'USD 49.00'));
  expect(await readSubscription(world, second)).toMatchObject({ status: 'past_due', access: 'grace' });
});

it('a card for an unpaid subscription also takes up the trial that ended without one', async () => {
  world = await createWorld({ startsAt: start });
  const customerId = await newCustomer(world);
  const trial = await subscribe(world, { customerId, plan: 'team-short' });
  await world.advance({ days: 16 });
  const unpaid = await subscribe(world, { customerId, start: 'payment' });
  const before = world.now();
  await useCard(world, unpaid, 'succeeded');

  expect(await readSubscription(world, unpaid)).toMatchObject({ status: 'active' });
  expect(await readSubscription(world, trial)).toMatchObject({ status: 'active', access: 'full' });
  expect(await world.effects({ subscriptionId: trial, from: before })).toEqual([
    'day 0 charge USD 49.00 succeeded',
    'day 0 payment_method_changed',
    'day 0 invoice_issued',
    'day 0 payment_received',
    'day 0 activated',
    'day 0 access full',
    'day 0 mail subscription_confirmed sent',
  ]);
});

it('a card for a trial that ended without one also pays what another subscription owes', async () => {
  world = await createWorld({ startsAt: start });
  const customerId = await newCustomer(world);
  const unpaid = await subscribePaid(world, { customerId, outcomes: ['stolen_card'] });
  await world.advanceTo('2031-01-20T10:00:00Z');
  const trial = await subscribe(world, { customerId, plan: 'team-short' });
  await world.advanceTo('2031-02-04T10:00:00Z');
  // The card was refused for good at the renewal, so the trial had none when it ended.
  expect(await readSubscription(world, trial)).toMatchObject({ status: 'suspended' });
  expect(await readSubscription(world, unpaid)).toMatchObject({ status: 'past_due' });

  expect(await useCard(world, trial, 'succeeded')).toMatchObject({ outcome: 'paid' });
  expect(await readSubscription(world, trial)).toMatchObject({ status: 'active', access: 'full' });
  expect(await readSubscription(world, unpaid)).toMatchObject({ status: 'active', access: 'full' });
});

it('what an ended subscription left open is not charged to the card of a new one', async () => {
  world = await createWorld({ startsAt: start });
  const customerId = await newCustomer(world);
  const old = await subscribePaid(world, { customerId, plan: 'pro-keep', outcomes: ['insufficient_funds'] });
  await world.advanceTo('2031-01-31T12:00:00Z');
  await world.ok('POST', `/v1/subscriptions/${old}/cancel`, { mode: 'now' });
  const fresh = await subscribe(world, { customerId, plan: 'team-short', start: 'payment' });
  await useCard(world, fresh, 'succeeded');
  await world.advanceTo('2031-02-10T12:00:00Z');

  expect(await invoicesOf(world, old)).toMatchObject([
    { status: 'paid' },
    { status: 'open', dueMinor: 2900 },
  ]);
  expect(await invoicesOf(world, fresh)).toMatchObject([{ status: 'paid' }]);
  // Nobody woos a customer who is here.
  const wooing = (await world.effects({ subscriptionId: old })).filter((line) => line.includes('win_back'));
  expect(wooing).toEqual([expect.stringContaining('win_back_skipped')]);
});

/** The first renewal of one subscription fails on 31 January at 10:00, that of another days later, at 16:00. */
async function twoUnpaid({ days }: { days: number } = { days: 3 }) {
  world = await createWorld({ startsAt: start });
  const customerId = await newCustomer(world);
  const first = await subscribePaid(world, { customerId, outcomes: ['insufficient_funds'] });
  await world.advance({ days, hours: 6 });
  const second = await subscribePaid(world, {
    customerId,
    plan: 'team-short',
    outcomes: ['insufficient_funds'],
  });
  return { first, second };
}

/** Everything that happened to the invoice's subscription since it failed. */
function since({
  subscriptionId,
  firstFailedAt,
}: {
  subscriptionId: string;
  firstFailedAt: string;
}): Promise<string[]> {
  return world.effects({ subscriptionId, from: firstFailedAt });
}

async function failedInvoice(subscriptionId: string) {
  return (await invoicesOf(world, subscriptionId)).find(({ firstFailedAt }) => firstFailedAt !== null);
}
