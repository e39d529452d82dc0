/** The daily report: one mail for each tenant and day, at its time, whatever is repeated or missed. */
import { afterEach, expect, it } from 'vitest';
import { runJob } from './jobs.ts';
import { subscribePaid } from './people.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

it('tells of the day before, at eight, once however often it is looked for; a day that was missed is made up once', async () => {
  world = await createWorld({ startsAt: '2031-03-01T06:00:00Z' });
  const recipient = 'owner@acme.test';
  expect(await world.ok('GET', '/v1/report_settings')).toEqual({
    recipient: null,
    sendAt: '08:00',
    clock: 'utc',
    chat: null,
  });
  await quarter();
  await world.ok('PUT', '/v1/report_settings', { recipient });

  await world.advanceTo('2031-03-01T07:45:00Z');
  await quarter();
  expect(reports()).toEqual([]);
  await subscribePaid(world, { outcomes: ['succeeded'] });
  const leaving = await subscribePaid(world, { outcomes: ['succeeded'], plan: 'lite-weekly' });
  await world.ok('POST', `/v1/subscriptions/${leaving}/cancel`, { mode: 'now' });
  await world.advanceTo('2031-03-01T08:00:30Z');
  await quarter();
  await world.advanceTo('2031-03-02T07:45:30Z');
  await quarter();
  expect(reports()).toEqual(['Acme Books on 2031-02-28']);

  await world.advanceTo('2031-03-02T08:00:30Z');
  await Promise.all([quarter(), quarter()]);
  await world.settle();
  await quarter();
  expect(reports()).toEqual(['Acme Books on 2031-02-28', 'Acme Books on 2031-03-01']);
  expect(mails().at(-1)?.to).toEqual([recipient]);
  expect(mails().at(-1)?.text).toContain(
    [
      'Revenue: USD 34.00 (stripe)',
      'Refunded: none',
      'New subscriptions: 2',
      'Cancellations: 1',
      'MRR at the end of the day: USD 29.00',
    ].join('\n'),
  );

  // Nobody looks for two days and more.
  await world.advanceTo('2031-03-05T11:00:00Z');
  await Promise.all([quarter(), quarter()]);
  await world.settle();
  expect(reports().slice(2).sort()).toEqual([
    'Acme Books on 2031-03-02',
    'Acme Books on 2031-03-03',
    'Acme Books on 2031-03-04',
  ]);

  await world.ok('PUT', '/v1/report_settings', { recipient: null });
  await world.advanceTo('2031-03-06T11:00:00Z');
  await quarter();
  expect(reports()).toHaveLength(5);
  const { data } = await world.ok('GET', '/v1/notifications?limit=100');
  const told = data.filter(({ template }: { template: string }) => template === 'daily_report');
  expect(told).toHaveLength(5);
  expect(told[0]).toMatchObject({ customerId: null, subscriptionId: null, status: 'sent', recipient });
});

it('comes at the time the tenant has chosen, by its own clocks, about its own day', async () => {
  world = await createWorld({ startsAt: '2031-03-01T12:00:00Z', timeZone: 'America/New_York' });
  await world.ok('PUT', '/v1/report_settings', {
    recipient: 'owner@acme.test',
    sendAt: '06:30',
    clock: 'tenant',
  });
  await world.advanceTo('2031-03-02T03:00:00Z');
  await subscribePaid(world, { outcomes: ['succeeded'] });
  await world.advanceTo('2031-03-02T11:15:30Z');
  await quarter();
  expect(reports()).toEqual([]);
  await world.advanceTo('2031-03-02T11:30:30Z');
  await quarter();
  expect(reports()).toEqual(['Acme Books on 2031-03-01']);
  expect(mails()[0]?.text).toContain('Revenue: USD 29.00 (stripe)');
});

function quarter(): Promise<void> {
  return runJob(world, 'dailyReport');
}

function mails() {
  return world.resend.mails().filter(({ subject }) => / on \d{4}-\d\d-\d\d$/.test(subject));
}

function reports(): string[] {
  return mails().map(({ subject }) => subject);
}
