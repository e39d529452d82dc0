import { expect, it } from 'vitest';
import { createWorld } from './world.ts';
it('x', async () => {
  const world = await createWorld({ startsAt: '2027-01-10T10:00:00Z' });
  const c = await world.ok('POST', '/v1/customers', { email: 'a@b.test', name: 'A', currency: 'USD' });
  const s = await world.ok('POST', '/v1/subscriptions', { customerId: c['id'], planCode: 'pro-monthly' });
  console.log(s);
  console.log(await world.effects());
  await world.close();
});
