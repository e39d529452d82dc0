/** What chains, their watcher and our own workers do to invoices that are paid in coins. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoryChain } from './chain.ts';
import { type Offer, offerCoins } from './offers.ts';
import { readSubscription, subscribe, useCard } from './people.ts';
import { recovers, retryWithoutCard } from './phrases.ts';
import { createWorld, type World } from './world.ts';

let world: World;
let chain: StoryChain;

async function firstInvoice(): Promise<Offer & { subscriptionId: string }> {
  const subscriptionId = await subscribe(world, { start: 'payment' });
  return { ...(await offerCoins(world, subscriptionId)), subscriptionId };
}

const activated = (when: string) => [
  `${when} payment_received`,
  `${when} activated`,
  `${when} access full`,
  `${when} mail subscription_confirmed sent`,
];

describe('a chain that moves slowly, and a watcher that is away', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
    chain = await world.watchChain();
  });
  afterAll(() => world.close());

  it('coins that no block takes are told of after an hour and after two, once each, and count in the end', async () => {
    const { id, toMinute, happened, standing } = await firstInvoice();
    await toMinute(2);
    await chain.pay(id);
    await toMinute(200);
    expect(await standing()).toBe('processing [slow_confirm, confirmation_overdue]');
    await chain.mine(3);
    await toMinute(210);

    expect(await happened()).toEqual([
      '00:02 coins 0.00048334 BTC sent',
      '00:15 crypto_processing',
      '00:15 mail crypto_payment_seen sent',
      '01:02 mail crypto_payment_slow sent',
      '02:02 crypto_confirmation_overdue',
      ...activated('03:20'),
    ]);
    expect(await standing()).toBe('settled');
  });

  it('a watcher that was away over the expiry lets nothing expire that was paid in time', async () => {
    const { id, toMinute, happened, standing, events } = await firstInvoice();
    await chain.watch(false);
    await toMinute(8);
    await chain.pay(id);
    await toMinute(12);
    await chain.mine();
    await toMinute(40);
    expect(await standing()).toBe('awaiting');
    await chain.watch(true);
    expect(await standing()).toBe('processing');
    await chain.mine(2);
    await toMinute(50);

    // The time is over, so who has paid is told that it is not lost.
    expect(await happened()).toEqual([
      '00:08 coins 0.00048334 BTC sent',
      '00:40 crypto_processing',
      '00:40 payment_received',
      '00:40 activated',
      '00:40 access full',
      '00:40 mail crypto_payment_seen sent',
      '00:40 mail subscription_confirmed sent',
    ]);
    expect(await events()).toEqual(['payment_seen', 'processing', 'settled']);
  });

  it('a watcher that was away over the expiry lets expire what nobody has paid', async () => {
    const { toMinute, happened, standing } = await firstInvoice();
    await chain.watch(false);
    await toMinute(40);
    expect(await standing()).toBe('awaiting');
    await chain.watch(true);
    expect(await happened()).toEqual(['00:40 crypto_expired']);
    expect(await standing()).toBe('expired');
  });
});

describe('workers that are away', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: '2031-03-01T10:00:00Z', hasOutages: true });
    chain = await world.watchChain();
  });
  afterAll(() => world.close());

  it('between the word of a settlement and the look it is for, cost nothing but time', async () => {
    const { id, toMinute, happened, standing, subscriptionId } = await firstInvoice();
    await chain.pay(id);
    await world.stopWorkers();
    await chain.mine(3);
    await toMinute(60);
    expect(await standing()).toBe('settled');
    expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'incomplete' });
    await world.startWorkers();
    await world.settle();
    await toMinute(70);

    expect(await happened()).toEqual(['00:00 coins 0.00048334 BTC sent', ...activated('01:00')]);
    expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'active' });
  });
});

describe('a chain that changes its mind', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
    chain = await world.watchChain();
  });
  afterAll(() => world.close());

  it('coins that leave the chain after they had paid and come back are noticed by no customer', async () => {
    const { id, toMinute, happened, standing, events, subscriptionId } = await firstInvoice();
    const payment = await chain.pay(id);
    await toMinute(5);
    await chain.mine(3);
    await toMinute(10);
    await chain.reorganise(3, [[], [], [], []]);
    expect(await standing()).toBe('settled [reorged]');
    expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'active', access: 'full' });
    await chain.node.mine([payment]);
    await chain.mine(10);
    await toMinute(60);

    expect(await happened()).toEqual([
      '00:00 coins 0.00048334 BTC sent',
      ...activated('00:05'),
      '00:10 crypto_reorged',
    ]);
    expect(await standing()).toBe('settled');
    expect(await events()).toEqual(['payment_seen', 'processing', 'settled', 'reorged', 'reorg_healed']);
  });

  it('coins that go elsewhere after they had paid take access and revenue with them once, and a card pays afterwards', async () => {
    await world.advance({ days: 2 });
    const { id, toMinute, happened, standing, events, subscriptionId, invoiceId } = await firstInvoice();
    const payment = await chain.pay(id);
    await toMinute(5);
    await chain.mine(3);
    await toMinute(30);
    await chain.reorganise(3, [[chain.rivalOf(payment)], [], [], []]);
    await toMinute(35);
    await chain.mine(10);
    expect(await standing()).toBe('invalid [double_spent, double_spend_attempt]');
    await toMinute(60);
    expect(await world.ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({
      status: 'open',
      dueMinor: 2900,
    });
    await useCard(world, subscriptionId, 'succeeded');
    await toMinute(90);

    expect(await happened()).toEqual([
      '00:00 coins 0.00048334 BTC sent',
      ...activated('00:05'),
      '00:30 crypto_reorged',
      '00:30 crypto_double_spend_attempt',
      '00:35 payment_returned',
      '00:35 past_due',
      '00:35 access suspended',
      '00:35 crypto_settlement_reversed',
      '00:35 crypto_double_spent',
      '00:35 mail crypto_payment_reversed sent',
      '01:00 charge USD 29.00 succeeded',
      '01:00 payment_method_changed',
      ...recovers('01:00'),
    ]);
    expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'active', access: 'full' });
    expect(await events()).toEqual([
      'payment_seen',
      'processing',
      'settled',
      'reorged',
      'double_spend_attempt',
      'settlement_reversed',
      'double_spent',
    ]);
  });

  it('coins that went elsewhere are asked for by the ladder, which takes no access twice', async () => {
    await world.advance({ days: 2 });
    const { id, toMinute, happened, subscriptionId } = await firstInvoice();
    const payment = await chain.pay(id);
    await toMinute(2);
    await chain.mine(3);
    await toMinute(4);
    await chain.reorganise(3, [[chain.rivalOf(payment)], [], [], []]);
    await chain.mine(10);
    await toMinute(15 * 24 * 60);

    expect(await readSubscription(world, subscriptionId)).toMatchObject({
      status: 'past_due',
      access: 'suspended',
    });
    const later = (await happened()).filter((line) => line.startsWith('day '));
    // No card is on file; access is gone already when the ladder comes to it, so nobody is told of less than that.
    expect(later.map((line) => line.replace(/ [+]\d\d:\d\d/, ''))).toEqual([
      ...retryWithoutCard(1, 'payment_failed_1'),
      ...retryWithoutCard(3, 'payment_failed_2'),
      ...retryWithoutCard(5, 'payment_failed_final'),
    ]);
  });
});
