/** What Stripe tells us: in any order, twice, late, too early, or never. The payment itself is always looked at. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withSystem } from '../../db/client.ts';
import { inboxEvents } from '../../db/schema/operations.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import { invoicesOf, readSubscription, subscribe, subscribePaid, useCard } from './people.ts';
import { type Answer, createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
});
afterAll(() => world.close());

it('an event that comes again, and again days later, changes nothing', async () => {
  const { id } = await paid();
  const before = await world.effects({ subscriptionId: id });
  const events = eventsOf(await paymentOf(id));

  for (let times = 0; times < 3; times += 1) {
    for (const eventId of events) world.stripe.redeliverWebhook(eventId);
    await world.settle();
    await world.advance({ days: 1 });
  }
  const answers = world.stripe.webhookDeliveries().filter(({ eventId }) => events.includes(eventId));
  expect(answers.map((delivery) => delivery.answers)).toEqual(
    Array.from({ length: 4 * events.length }, () => [200]),
  );
  expect(await world.effects({ subscriptionId: id })).toEqual(before);
});

it.each(['reversed', 'shuffled'] as const)(
  'the events of a payment that was confirmed activate once, also %s',
  async (order) => {
    const { id, happened } = await trialWithCard('authentication_required');
    world.withholdWebhooks(true);
    const { outcome } = await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
    world.stripe.authenticate(await paymentOf(id), 'confirm');
    await world.stripe.flushWebhooks(order);
    world.withholdWebhooks(false);
    await world.settle();

    expect(outcome).toBe('requires_action');
    expect(await happened()).toEqual(
      today(
        'charge USD 29.00 refused authentication_required',
        'link requires_action',
        'confirmation USD 29.00 succeeded',
        'invoice_issued',
        'charge_requires_action',
        'payment_received',
        'activated',
        'mail payment_action_required sent',
        'mail subscription_confirmed sent',
      ),
    );
  },
);

it('an event that overtakes the answer of the charging call is booked, and the answer changes nothing', async () => {
  const { id, happened } = await trialWithCard('succeeded');
  world.stripeFaults({ next: [{ fault: 'delay', op: 'payment_intents.create' }], delayMs: 8_000 });

  let answer: Answer | null = null;
  const converting = world.request('POST', `/v1/subscriptions/${id}/convert`, { body: {} }).then((given) => {
    answer = given;
  });
  await until(async () => {
    await world.stripe.flushWebhooks();
    await world.relay.drainOnce();
    return (await readSubscription(world, id)).status === 'active';
  });
  expect(answer).toBeNull();
  await converting;
  expect(answer).toMatchObject({ status: 200, body: { outcome: 'paid' } });
  expect(await happened()).toEqual(
    today(
      'charge USD 29.00 succeeded (delay)',
      'invoice_issued',
      'payment_received',
      'activated',
      'mail subscription_confirmed sent',
    ),
  );
});

it('money that comes after the end is booked as credit and brings nothing back to life', async () => {
  const { id, happened } = await trialWithCard('processing');
  await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
  const { customerId } = await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { mode: 'now' });
  world.stripe.settle(await paymentOf(id), 'succeeded');
  await world.settle();

  expect(await happened()).toEqual(
    today(
      'charge processing',
      'bank USD 29.00 succeeded',
      'invoice_issued',
      'cancelled',
      'access none',
      'payment_received',
      'payment_unused',
      'mail subscription_ended sent',
      'mail payment_unused sent',
    ),
  );
  expect(await readSubscription(world, id)).toMatchObject({ status: 'cancelled', access: 'none' });
  expect(await world.ok('GET', `/v1/customers/${customerId}`)).toMatchObject({ creditMinor: 2900 });
});

it('an event that comes when the process has long ended is stored and changes nothing', async () => {
  const { id } = await paid();
  await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { mode: 'now' });
  const events = eventsOf(await paymentOf(id));
  await world.advance({ days: 31 });
  const before = await world.effects({ subscriptionId: id });
  expect(await readSubscription(world, id)).toMatchObject({ closedAt: expect.any(String) });

  for (const eventId of events) world.stripe.redeliverWebhook(eventId);
  await world.settle();
  expect(await world.effects({ subscriptionId: id })).toEqual(before);
});

it('a refund in two parts is booked part by part, each once, and each is told', async () => {
  const { id, happened } = await paid();
  const paymentIntent = await paymentOf(id);
  world.stripe.refund({ paymentIntent, amount: 1000 });
  await world.settle();
  world.stripe.refund({ paymentIntent });
  await world.settle();
  for (const eventId of eventsOf(paymentIntent)) world.stripe.redeliverWebhook(eventId);
  await world.settle();

  expect(await happened()).toEqual(
    today(
      'refund USD 10.00',
      'refund USD 19.00',
      'payment_refunded',
      'payment_refunded',
      'mail payment_refunded sent',
      'mail payment_refunded sent',
    ),
  );
  expect(await invoicesOf(world, id)).toMatchObject([
    { status: 'paid', paidMinor: 2900, refundedMinor: 2900 },
  ]);
});

it('a refund nobody told us of is found by the hourly look at the vendor, once', async () => {
  const { id, happened } = await paid();
  world.stripeFaults({ webhooks: { drop: 1 } });
  world.stripe.refund({ paymentIntent: await paymentOf(id) });
  await world.settle();
  world.stripeFaults({});
  expect(await happened()).toEqual(today('refund USD 29.00'));

  expect(await lookForMissedWebhooks()).toBe(1);
  expect(await lookForMissedWebhooks()).toBe(0);
  expect(await happened()).toEqual(
    today('refund USD 29.00', 'payment_refunded', 'mail payment_refunded sent'),
  );
});

it('a vendor that refuses its list again and again is asked on, and one look finds all the same', async () => {
  const { id, happened } = await paid();
  world.stripeFaults({ webhooks: { drop: 1 } });
  world.stripe.refund({ paymentIntent: await paymentOf(id) });
  await world.settle();
  const refusals = Array.from({ length: 8 }, () => ({ fault: 'error_before', op: 'events.list' }) as const);
  world.stripeFaults({ next: refusals });

  expect(await lookForMissedWebhooks({ isRefused: true })).toBe(1);
  expect(await happened()).toEqual(
    today('refund USD 29.00', 'payment_refunded', 'mail payment_refunded sent'),
  );
});

it('a payment nobody told us of is found by the hourly look at the vendor, once', async () => {
  const { id, happened } = await trialWithCard('processing');
  await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
  world.stripeFaults({ webhooks: { drop: 1 } });
  world.stripe.settle(await paymentOf(id), 'succeeded');
  await world.settle();
  world.stripeFaults({});
  expect(await readSubscription(world, id)).toMatchObject({ status: 'trialing' });

  expect(await lookForMissedWebhooks()).toBe(1);
  expect(await lookForMissedWebhooks()).toBe(0);
  expect(await happened()).toEqual(
    today(
      'charge processing',
      'bank USD 29.00 succeeded',
      'invoice_issued',
      'payment_received',
      'activated',
      'mail subscription_confirmed sent',
    ),
  );
});

/** A trial with a card, an hour old; what happened is told from now on. */
async function trialWithCard(...outcomes: string[]) {
  const id = await subscribe(world, { start: 'trial' });
  await useCard(world, id, ...outcomes);
  return anHourLater(id);
}

/** A subscription that was paid for an hour ago; what happened is told from now on. */
async function paid() {
  return anHourLater(await subscribePaid(world, { outcomes: ['succeeded'] }));
}

async function anHourLater(id: string) {
  await world.advance({ hours: 1 });
  const from = world.now();
  return { id, happened: () => world.effects({ subscriptionId: id, from }) };
}

/** The vendor's id of the latest payment of the subscription's latest invoice. */
async function paymentOf(subscriptionId: string): Promise<string> {
  const invoice = (await invoicesOf(world, subscriptionId)).at(-1);
  const payment = world.stripe
    .effects()
    .findLast(({ op, businessRef }) => op === 'payment_intents.create' && businessRef === invoice.id);
  return payment?.objectId ?? '';
}

function eventsOf(paymentId: string): string[] {
  const own = world.stripe.webhookDeliveries().filter(({ objectId }) => objectId === paymentId);
  return [...new Set(own.map(({ eventId }) => eventId))];
}

/** What its schedule does every hour; returns how many events were found that way. */
async function lookForMissedWebhooks({ isRefused = false } = {}): Promise<number> {
  const foundSoFar = await foundByLooking();
  const workflowId = `missed-webhooks-${world.now().toISOString()}`;
  // Its result is not waited for: on this server that would move the time.
  const look = await world.client.workflow.start('missedWebhooks', {
    workflowId,
    taskQueue: taskQueues.operations,
  });
  await until(async () => {
    const { status } = await look.describe();
    // Between two tries it waits, and nobody but the test moves the time.
    if (isRefused && status.name === 'RUNNING') await world.advance({ minutes: 1 });
    return status.name === 'COMPLETED';
  });
  await world.settle();
  return (await foundByLooking()) - foundSoFar;
}

async function foundByLooking(): Promise<number> {
  const events = await withSystem(world.db, (tx) => tx.select().from(inboxEvents));
  return events.filter(({ source }) => source === 'reconciler').length;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('Waited in vain');
    await pause(20);
  }
}

function today(...lines: string[]): string[] {
  return lines.map((line) => `day 0 ${line}`);
}
