/** Several unpaid invoices of one customer, and several versions of one policy: which of them counts. */
import { afterEach, expect, it } from 'vitest';
import { invoicesOf, newCustomer, readSubscription, subscribePaid, useCard } from './people.ts';
import { renewalFails, standardUntil } from './phrases.ts';
import { createWorld, type World } from './world.ts';

const start = '2030-12-31T10:00:00Z';
const DAY_MS = 86_400_000;

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

  expect((await readSubscription(world, running)).dunning).toMatchObject({ policy: 'standard_30', policyVersion: 1 });
  expect(await since(await failedInvoice(running))).toEqual([...renewalFails(), ...standardUntil(14)]);
  expect(await since(await failedInvoice(later))).toEqual([
    ...renewalFails(),
    'day 2 mail payment_failed_1 sent',
    'day 4 cancelled',
    'day 4 access none',
    'day 4 mail subscription_cancelled_unpaid sent',
  ]);
});

it('of two unpaid subscriptions the earlier drives the ladder of both; paying it passes the ladder on to the other', async () => {
  world = await createWorld({ startsAt: start });
  const customerId = await newCustomer(world);
  const first = await subscribePaid(world, { customerId, outcomes: ['insufficient_funds'] });
  await world.advance({ days: 3 });
  const second = await subscribePaid(world, { customerId, plan: 'team-short', outcomes: ['insufficient_funds'] });
  await world.advanceTo('2031-02-07T12:00:00Z');
  console.log(await world.effects({subscriptionId: first}), await world.effects({subscriptionId: second}));
  console.log(await since(await failedInvoice(first)), await since(await failedInvoice(second)));
});

/** Everything that happened to the invoice's subscription since it failed. */
function since({ subscriptionId, firstFailedAt }: { subscriptionId: string; firstFailedAt: string }): Promise<string[]> {
  return world.effects({ subscriptionId, from: firstFailedAt });
}

async function failedInvoice(subscriptionId: string) {
  return (await invoicesOf(world, subscriptionId)).find(({ firstFailedAt }) => firstFailedAt !== null);
}
