import { expect, it } from 'vitest';
import { createWorld } from './world.ts';

it('first', async () => {
  const t0 = Date.now();
  const lap = (s: string) => console.log(s, Date.now() - t0);
  const world = await createWorld({ startsAt: '2031-03-01T15:00:00Z' });
  lap('world');
  const customer = await world.ok('POST', '/v1/customers', { email: 'ann@example.test', name: 'Ann', currency: 'USD' });
  const subscription = await world.ok('POST', '/v1/subscriptions', { customerId: customer.id, planCode: 'pro-monthly' });
  lap('sub');
  await world.ok('PUT', `/v1/subscriptions/${subscription.id}/payment_method`, { paymentMethodId: world.stripe.createCard({ outcomes: ['succeeded'] }) });
  lap('pm');
  await world.advance({ days: 70 });
  lap('70d');
  await world.stopWorkers();
  lap('stop');
  await world.advance({ days: 70 });
  lap('70d');
  await world.startWorkers();
  await world.settle();
  lap('start');
  console.log(await world.effects());
  await world.close();
  lap('close');
  expect(1).toBe(1);
});
