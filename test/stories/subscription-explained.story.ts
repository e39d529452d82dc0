/** What people see: the timeline that says why, one sentence for what is waited for, and how trials end. */
import { afterEach, expect, it } from 'vitest';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T10:00:00Z';

let world: World;
afterEach(() => world.close());

it('the timeline explains each charge and each loss of access in sentences', async () => {
  world = await createWorld({ startsAt: start });
  const id = await subscribe(world);
  await useCard(world, id, 'succeeded', 'insufficient_funds');
  await world.advanceTo('2031-03-03T10:00:00Z');
  await world.ok('POST', `/v1/subscriptions/${id}/convert`);
  await world.advanceTo('2031-04-11T10:00:00Z');
  await useCard(world, id, 'succeeded');
  await world.advanceTo('2031-04-12T10:00:00Z');

  const { data } = await world.ok('GET', `/v1/subscriptions/${id}/timeline?limit=100`);
  expect(
    data.map(({ at, message }: { at: string; message: string }) => `${at.slice(0, 10)} ${message}`),
  ).toEqual([
    '2031-03-01 The trial of Pro began; it runs until Sat 15 Mar 2031 10:00 UTC.',
    '2031-03-01 The payment method is now visa ending in 4242.',
    '2031-03-03 Invoice INV-000001 over USD 29.00 was issued for the period from 2031-03-03 to 2031-04-03.',
    '2031-03-03 USD 29.00 received for invoice INV-000001 (stripe).',
    '2031-03-03 Activated: invoice INV-000001 is paid.',
    '2031-04-03 A new period runs until Sat 3 May 2031 10:00 UTC.',
    '2031-04-03 Invoice INV-000002 over USD 29.00 was issued for the period from 2031-04-03 to 2031-05-03.',
    '2031-04-03 The charge for invoice INV-000002 failed (insufficient_funds, soft).',
    '2031-04-03 Past due: invoice INV-000002 is unpaid; dunning has begun.',
    '2031-04-03 Access changed from full to grace.',
    '2031-04-04 The charge for invoice INV-000002 failed (insufficient_funds, soft).',
    '2031-04-06 The charge for invoice INV-000002 failed (insufficient_funds, soft).',
    '2031-04-08 The charge for invoice INV-000002 failed (insufficient_funds, soft).',
    '2031-04-10 Day 7 of dunning: access is restricted.',
    '2031-04-10 Access changed from grace to restricted.',
    '2031-04-11 The payment method is now visa ending in 4242.',
    '2031-04-11 USD 29.00 received for invoice INV-000002 (stripe).',
    '2031-04-11 Recovered: invoice INV-000002 is paid.',
    '2031-04-11 Access changed from restricted to full.',
  ]);
});

it('the API and the Web UI say in the same sentence what is waited for, all through a life', async () => {
  world = await createWorld({ startsAt: start });
  const id = await subscribe(world);
  const told = [await sentence(id)];
  const at = async (instant: string, act?: () => Promise<unknown>) => {
    await world.advanceTo(instant);
    await act?.();
    told.push(await sentence(id));
  };
  await at('2031-03-08T11:00:00Z');
  await at('2031-03-09T10:00:00Z', () => useCard(world, id, 'succeeded', 'insufficient_funds', 'succeeded'));
  await at('2031-03-16T10:00:00Z');
  await at('2031-04-15T11:00:00Z');
  await at('2031-04-17T10:00:00Z');
  await at('2031-04-20T10:00:00Z', () => world.ok('POST', `/v1/subscriptions/${id}/cancel`, {}));
  await at('2031-05-16T10:00:00Z');
  await at('2031-05-23T10:00:00Z');
  await at('2031-06-20T10:00:00Z');

  expect(told).toEqual([
    'In trial until Sat 15 Mar 2031 10:00 UTC (no payment method yet); next: the trial_halfway mail on Sat 8 Mar 2031 10:00 UTC.',
    'In trial until Sat 15 Mar 2031 10:00 UTC (no payment method yet); next: the trial_ending mail on Thu 13 Mar 2031 10:00 UTC.',
    'In trial until Sat 15 Mar 2031 10:00 UTC (a payment method is on file); next: the trial_ending mail on Thu 13 Mar 2031 10:00 UTC.',
    'Active; next: renewal on Tue 15 Apr 2031 10:00 UTC.',
    'Waiting for payment of an open invoice, see the dunning case; next: renewal on Thu 15 May 2031 10:00 UTC.',
    'Active; next: renewal on Thu 15 May 2031 10:00 UTC.',
    'Active; next: the subscription ends as cancelled on Thu 15 May 2031 10:00 UTC.',
    'Ended; next: the win_back_1 mail on Thu 22 May 2031 10:00 UTC.',
    'Ended; next: the win_back_2 mail on Thu 5 Jun 2031 10:00 UTC.',
    'Nothing: the subscription has ended and its data has been dealt with.',
  ]);
});

it('the dunning case says in the same sentence in API and Web UI which step comes next', async () => {
  world = await createWorld({ startsAt: start });
  const id = await subscribe(world, { start: 'payment' });
  await useCard(world, id, 'succeeded', 'insufficient_funds');
  const told: string[] = [];
  for (const instant of [
    '2031-04-01T11:00:00Z',
    '2031-04-02T11:00:00Z',
    '2031-04-06T11:00:00Z',
    '2031-04-16T11:00:00Z',
  ]) {
    await world.advanceTo(instant);
    const { dunning, customerId } = await readSubscription(world, id);
    expect(await currentDetails(dunningWorkflowId(customerId))).toBe(dunning.waitingFor);
    told.push(dunning.waitingFor);
  }
  expect(told).toEqual([
    'Waiting for payment; step 1 of 6 (charge again, then mail) on Wed 2 Apr 2031 10:00 UTC.',
    'Waiting for payment; step 2 of 6 (charge again, then mail) on Fri 4 Apr 2031 10:00 UTC.',
    'Waiting for payment; step 4 of 6 (restrict access) on Tue 8 Apr 2031 10:00 UTC.',
    'Waiting for payment; step 6 of 6 (cancel the subscription) on Thu 1 May 2031 10:00 UTC.',
  ]);
  expect(await sentence(id)).toBe(
    'Waiting for payment: access is suspended and no further period is billed until the open invoice is paid.',
  );
});

it('trial statistics count how trials ended and how long conversions took', async () => {
  world = await createWorld({ startsAt: start });
  expect((await world.ok('GET', '/v1/trial_statistics')).now).toEqual({
    started: 0,
    running: 0,
    converted: 0,
    ended: 0,
    conversionRate: null,
    averageDaysToConvert: null,
  });
  const [early, onTime, late, , cancelled] = [
    await subscribe(world),
    await subscribe(world),
    await subscribe(world),
    await subscribe(world),
    await subscribe(world),
  ];
  await useCard(world, early, 'succeeded');
  await useCard(world, onTime, 'succeeded');
  await world.advanceTo('2031-03-04T10:00:00Z');
  await world.ok('POST', `/v1/subscriptions/${early}/convert`);
  await world.ok('POST', `/v1/subscriptions/${cancelled}/cancel`, { mode: 'now' });
  await world.advanceTo('2031-03-10T10:00:00Z');
  await subscribe(world);
  await subscribe(world, { start: 'payment' });
  await world.advanceTo('2031-03-20T10:00:00Z');
  await useCard(world, late, 'succeeded');

  await runSchedule('trialStatistics');
  const { now, lastRun } = await world.ok('GET', '/v1/trial_statistics');
  expect(now).toMatchObject({ started: 6, running: 1, converted: 3, ended: 2, conversionRate: 0.6 });
  expect(now.averageDaysToConvert).toBeCloseTo((3 + 14 + 19) / 3, 2);
  expect(lastRun).toMatchObject({ started: 6, running: 1, converted: 3, ended: 2 });
  expect(lastRun.conversionRate).toBeCloseTo(now.conversionRate, 5);
});

/** The sentence of the API, after it has been compared with the one the Web UI shows. */
async function sentence(subscriptionId: string): Promise<string> {
  const { waitingFor } = await readSubscription(world, subscriptionId);
  expect(await currentDetails(subscriptionWorkflowId(subscriptionId))).toBe(waitingFor);
  return waitingFor;
}

/** What the Web UI asks a workflow for, to show it. */
async function currentDetails(workflowId: string): Promise<string> {
  const metadata = await world.client.workflow
    .getHandle(workflowId)
    .query<{ currentDetails: string }, []>('__temporal_workflow_metadata');
  return metadata.currentDetails;
}

/** The time-skipping server has no schedules: what one would start is started by hand. */
async function runSchedule(workflowType: string): Promise<void> {
  const id = `${workflowType}/by-hand`;
  await world.client.workflow.execute(workflowType, { workflowId: id, taskQueue: 'operations', args: [] });
}
