/** A ladder whose steps come due while nobody is there to perform them: our workers, or the card vendor. */
import { afterEach, expect, it } from 'vitest';
import { declines } from './acts.ts';
import { invoicesOf, newCustomer, subscribePaid } from './people.ts';
import { renewalFails, retryFails, standardUntil, takesAccess } from './phrases.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

it('D4: workers away from day 6.9 to day 8 restrict once, late; the next step is on day 14, not 15', async () => {
  const { happened, day } = await failedRenewal();

  await away(day(6.9), day(8));
  await world.advanceTo(day(15));
  expect(await happened()).toEqual([
    ...renewalFails(),
    ...standardUntil(5),
    ...takesAccess(8, 'restricted'),
    ...takesAccess(14, 'suspended'),
  ]);
});

it('workers away over several steps send one reminder, the latest; away over the end they warn before they end', async () => {
  const { happened, day } = await failedRenewal();

  await away(day(2), day(6));
  await away(day(13), day(31));
  await world.advanceTo(day(32));
  expect(await happened()).toEqual([
    ...renewalFails(),
    ...standardUntil(1),
    ...retryFails(6, 'payment_failed_final'),
    ...takesAccess(7, 'restricted'),
    'day 31 access_suspended',
    'day 31 access suspended',
    'day 31 cancelled',
    'day 31 access none',
    'day 31 mail account_suspended sent',
    'day 31 mail subscription_cancelled_unpaid sent',
  ]);
});

it('a card vendor that is away on a day of the ladder is charged once it is back; message and later steps do not wait', async () => {
  const { happened, day } = await failedRenewal();

  await world.advanceTo(day(2.9));
  world.stripeFaults({ rates: { refuse: 1 } });
  await world.advanceTo(day(4));
  world.stripeFaults({});
  await world.advanceTo(day(8));
  // Without the time of day, which depends on how long the vendor was asked in vain.
  const lines = (await happened()).map((line) => line.replace(/ \+\d\d:\d\d/, ''));
  expect(lines).toEqual([
    ...renewalFails(),
    ...standardUntil(1),
    'day 3 collection_postponed',
    'day 3 mail payment_failed_2 sent',
    // Looked at again after 15 minutes, an hour, and then every four; each look gives up after some three minutes.
    ...Array.from({ length: 7 }, () => 'day 3 collection_postponed'),
    'day 4 charge USD 29.00 refused insufficient_funds',
    'day 4 charge_failed',
    ...retryFails(5, 'payment_failed_final'),
    ...takesAccess(7, 'restricted'),
  ]);
});

it('of two unpaid invoices the one whose answer is lost is looked up after the last charge of the ladder; the other is left to its dates', async () => {
  world = await createWorld({ startsAt: '2030-12-31T10:00:00Z' });
  const customerId = await newCustomer(world);
  const first = await subscribePaid(world, { customerId, outcomes: [] });
  await world.advance({ days: 3, hours: 6 });
  // Both are charged to this card: in vain, until the last step of the first one charges the second one, too.
  const outcomes = [...declines(5), 'succeeded'];
  const second = await subscribePaid(world, { customerId, plan: 'team-short', outcomes });
  await world.advanceTo('2031-02-05T09:59:00Z');
  const op = 'payment_intents.create';
  world.stripeFaults({
    next: [
      { fault: 'delay', op },
      { fault: 'drop_answer', op },
    ],
    rates: { refuse: 1 },
    delayMs: 1,
    webhooks: { drop: 1 },
  });
  await world.advanceTo('2031-02-05T10:10:00Z');
  world.stripeFaults({});
  await world.advanceTo('2031-02-06T10:00:00Z');

  const from = '2031-02-05T09:59:00Z';
  const happened = async (subscriptionId: string) =>
    (await world.effects({ subscriptionId, from })).map((line) => line.replace(/^day 0( \+\d\d:\d\d)? /, ''));
  expect(await happened(first)).toEqual([
    'charge USD 29.00 refused insufficient_funds (delay)',
    'charge_failed',
    'mail payment_failed_final sent',
  ]);
  expect(await happened(second)).toEqual([
    'charge USD 49.00 succeeded (drop_answer)',
    'collection_postponed',
    'payment_received',
    'recovered',
    'access full',
    'mail payment_received sent',
  ]);
});

/** A subscription whose renewal was declined just now, and the way back to that moment. */
async function failedRenewal() {
  world = await createWorld({ startsAt: '2030-12-31T10:00:00Z', hasOutages: true });
  const subscriptionId = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  await world.advanceTo('2031-01-31T10:01:00Z');
  const [, { firstFailedAt }] = await invoicesOf(world, subscriptionId);
  return {
    subscriptionId,
    /** `days` after the failure, and a moment. */
    day: (days: number) => new Date(Date.parse(firstFailedAt) + days * 86_400_000 + 1_000),
    happened: () => world.effects({ subscriptionId, from: firstFailedAt }),
  };
}

async function away(from: Date, until: Date): Promise<void> {
  await world.advanceTo(from);
  await world.stopWorkers();
  await world.advanceTo(until);
  await world.startWorkers();
  await world.settle();
}
