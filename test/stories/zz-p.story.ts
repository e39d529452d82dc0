import { it } from 'vitest';
import { subscribePaid } from './people.ts';
import { createWorld } from './world.ts';
it('x', async () => {
  const world = await createWorld({ startsAt: '2030-12-31T10:00:00Z' });
  const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  world.stripeFaults({ rates: { refuse: 1 } });
  const p = world.advanceTo('2031-01-31T10:30:00Z');
  const t = setInterval(async () => {
    const d = await world.client.workflow.getHandle(`subscription/${id}`).describe();
    console.log(world.now().toISOString(), JSON.stringify(d.raw.pendingActivities?.map(({heartbeatDetails, lastFailure, ...p}) => p)));
  }, 700);
  await p;
  clearInterval(t);
  world.stripeFaults({});
  await world.advanceTo('2031-01-31T12:30:00Z');
  console.log(await world.effects({subscriptionId: id}));
  await world.close();
}, 200000);
