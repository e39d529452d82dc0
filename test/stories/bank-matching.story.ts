/** Movements on a bank account find their invoices, through the process that matches them. */
import { afterEach, expect, it } from 'vitest';
import { deliverToTemporal } from '../../temporal/deliver.ts';
import { bankMatchingWorkflowId, lookForMatches } from '../../workflows/payments/bank-matching.contract.ts';
import { openFeed } from './feed.ts';
import { runJob } from './jobs.ts';
import { invoicesOf, readSubscription, subscribe } from './people.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

it('two transfers that pay an invoice together activate the subscription once', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  const feed = await openFeed(world);
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  await feed.refer(invoice.id, 'ADV61000007');
  await world.advance({ hours: 3 });
  const [half] = await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 1900 });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'incomplete' });
  await world.advance({ hours: 3 });
  await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 1000 });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
  const { startedAt: from } = await readSubscription(world, id);
  expect(await world.effects({ subscriptionId: id, from })).toEqual([
    'day 0 created',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 +03:00 payment_received',
    'day 0 +03:00 mail bank_transfer_rest sent',
    'day 0 +06:00 payment_received',
    'day 0 +06:00 activated',
    'day 0 +06:00 access full',
    'day 0 +06:00 mail subscription_confirmed sent',
  ]);
  const { data } = await world.ok('GET', `/v1/bank_transactions/${half}/decisions`);
  expect(data).toMatchObject([
    { kind: 'partial', sentence: expect.stringContaining('USD 10.00 are still due') },
  ]);
});

it('a return weeks after the activation is dunned like any unpaid invoice, and paying again ends that', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  const feed = await openFeed(world);
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  await feed.refer(invoice.id, 'ADV61000007');
  await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 2900 });
  await world.advance({ days: 20 });
  await feed.tell({ text: 'RETURN OF WIRE ADV61000007 R10', amountMinor: -2900 });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'past_due' });
  await world.advance({ hours: 1 });
  // The instructions hold anew since the money went back.
  await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 2900 });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
  const { startedAt: from } = await readSubscription(world, id);
  expect((await world.effects({ subscriptionId: id, from })).slice(6)).toEqual([
    'day 0 mail subscription_confirmed sent',
    'day 20 payment_returned',
    'day 20 past_due',
    'day 20 access grace',
    'day 20 mail bank_payment_returned sent',
    'day 20 mail bank_transfer_instructions sent',
    'day 20 +01:00 payment_received',
    'day 20 +01:00 recovered',
    'day 20 +01:00 access full',
    'day 20 +01:00 mail payment_recovered sent',
  ]);
});

it('a storm of 50 signals is one run, and one more for those that came after it had begun', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  await openFeed(world);
  const { client, tenantId } = world;
  const envelope = lookForMatches({ tenantId });
  await deliverToTemporal(client, envelope);
  await Promise.all(Array.from({ length: 49 }, () => deliverToTemporal(client, envelope)));
  await world.settle();
  await world.advance({ minutes: 1 });
  const handle = client.workflow.getHandle(bankMatchingWorkflowId(tenantId));
  const { events } = await handle.fetchHistory();
  const count = (has: (event: NonNullable<typeof events>[number]) => unknown) =>
    (events ?? []).filter((event) => has(event)).length;
  expect((await handle.describe()).status.name).toBe('COMPLETED');
  expect(count((event) => event.workflowExecutionSignaledEventAttributes)).toBe(50);
  expect(count((event) => event.markerRecordedEventAttributes)).toBe(2);
});

it('what waits for its invoice is booked within the hour after that is there, though nobody asks', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  const feed = await openFeed(world);
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  await feed.tell({ text: 'TRANSFER ADV61000007', amountMinor: 2900 });
  await world.advance({ minutes: 10 });
  // The instructions are told after the money has come, as where a customer pays by an old offer.
  await feed.refer(invoice.id, 'ADV61000007');
  await runJob(world, 'bankReconciliation');
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active' });
});
