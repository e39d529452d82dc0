/** Customers pay invoices in coins: exactly, in parts, too late, too much, or not at all; and each is told once. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cryptoInvoiceWorkflowId } from '../../workflows/payments/crypto-invoice.contract.ts';
import { bitcoinTransaction } from '../support/still-chain.ts';
import type { StoryChain } from './chain.ts';
import { offerCoins } from './offers.ts';
import { newCustomer, readSubscription, subscribe, subscribePaid, useCard } from './people.ts';
import { recovers } from './phrases.ts';
import { createWorld, type World } from './world.ts';

let world: World;
let chain: StoryChain;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
  chain = await world.watchChain();
});
afterAll(() => world.close());

/** A subscription that begins with a payment, its first invoice offered for 0.00048334 BTC. */
async function firstInvoice() {
  const customerId = await newCustomer(world);
  const subscriptionId = await subscribe(world, { start: 'payment', customerId });
  const offer = await offerCoins(world, subscriptionId);
  return { ...offer, customerId, subscriptionId, state: () => readSubscription(world, subscriptionId) };
}

const activated = (when: string, ...more: string[]) => [
  `${when} payment_received`,
  `${when} activated`,
  `${when} access full`,
  ...more.map((kind) => `${when} ${kind}`),
  `${when} mail subscription_confirmed sent`,
];

it('an invoice in dunning is paid in coins: the step of day 3 charges no card beside them, and the ladder ends', async () => {
  const subscriptionId = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
  const { currentPeriod } = await readSubscription(world, subscriptionId);
  const renewal = Date.parse(currentPeriod.endsAt);
  await world.advanceTo(new Date(renewal + 3 * 86_400_000 - 10 * 60_000));
  const { id, toMinute, happened } = await offerCoins(world, subscriptionId);
  await chain.pay(id);
  await toMinute(12);
  await chain.mine(3);
  await toMinute(3 * 24 * 60);

  expect(await happened()).toEqual([
    '00:00 coins 0.00048334 BTC sent',
    '00:08 mail payment_failed_2 sent',
    ...recovers('00:12'),
  ]);
  expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'active', access: 'full' });
});

it('a trial whose first charge is declined is paid in coins', async () => {
  const subscriptionId = await subscribe(world, { start: 'trial' });
  await useCard(world, subscriptionId, 'insufficient_funds');
  await world.advance({ days: 14 });
  const { id, toMinute, happened } = await offerCoins(world, subscriptionId);
  await chain.pay(id);
  await toMinute(3);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual(['00:00 coins 0.00048334 BTC sent', ...recovers('00:03')]);
  expect(await readSubscription(world, subscriptionId)).toMatchObject({ status: 'active', access: 'full' });
});

it('paid exactly, the subscription is active once and confirmed by one mail', async () => {
  const { id, toMinute, happened, standing, events, state } = await firstInvoice();
  await chain.pay(id);
  await toMinute(4);
  await chain.mine(2);
  expect([await standing(), (await state()).status]).toEqual(['processing', 'incomplete']);
  await chain.mine();
  await toMinute(20);

  expect(await happened()).toEqual(['00:00 coins 0.00048334 BTC sent', ...activated('00:04')]);
  expect([await standing(), (await state()).status]).toEqual(['settled', 'active']);
  expect(await events()).toEqual(['payment_seen', 'processing', 'settled']);
  const run = await world.client.workflow.getHandle(cryptoInvoiceWorkflowId(id)).describe();
  expect(run.status.name).toBe('COMPLETED');
  await chain.mine(97);
  expect(await standing()).toBe('final');
});

it('confirmed after the quote has run out, it tells the customer meanwhile that the coins were seen', async () => {
  const { id, toMinute, happened, standing } = await firstInvoice();
  await toMinute(14);
  await chain.pay(id);
  await toMinute(40);
  await chain.mine(3);
  await toMinute(45);

  expect(await happened()).toEqual([
    '00:14 coins 0.00048334 BTC sent',
    '00:15 crypto_processing',
    '00:15 mail crypto_payment_seen sent',
    ...activated('00:40'),
  ]);
  expect(await standing()).toBe('settled');
});

it('paid in two parts within the quarter of an hour, it counts as one payment', async () => {
  const { id, toMinute, happened, standing, events } = await firstInvoice();
  await chain.pay(id, { units: 20_000n });
  await toMinute(3);
  await chain.mine();
  expect(await standing()).toBe('awaiting [partial]');
  await toMinute(10);
  await chain.pay(id, { units: 28_334n });
  await toMinute(12);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual([
    '00:00 coins 0.0002 BTC sent',
    '00:10 coins 0.00028334 BTC sent',
    ...activated('00:12'),
  ]);
  expect(await standing()).toBe('settled');
  expect(await events()).toEqual([
    'payment_seen',
    'partial_payment',
    'payment_seen',
    'processing',
    'settled',
  ]);
});

it('two percent less is enough: nobody owes the rest', async () => {
  const { id, toMinute, happened, standing, invoiceId } = await firstInvoice();
  await chain.pay(id, { percent: 99n });
  await toMinute(3);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual(['00:00 coins 0.0004785 BTC sent', ...activated('00:03')]);
  expect(await standing()).toBe('settled [within_tolerance]');
  expect(await world.ok('GET', `/v1/invoices/${invoiceId}`)).toMatchObject({ status: 'paid', dueMinor: 0 });
});

it('a part of it alone expires, is told, and an extended quote takes the rest', async () => {
  const { id, toMinute, happened, standing, decide, state } = await firstInvoice();
  await chain.pay(id, { units: 20_000n });
  await chain.mine(3);
  await toMinute(30);
  expect(await standing()).toBe('expired [partial, review]');
  await decide('extend');
  await chain.pay(id, { units: 28_334n });
  await toMinute(33);
  await chain.mine(3);
  await toMinute(50);

  expect(await happened()).toEqual([
    '00:00 coins 0.0002 BTC sent',
    '00:15 crypto_expired',
    '00:15 crypto_review_opened',
    '00:15 mail crypto_payment_partial sent',
    '00:30 coins 0.00028334 BTC sent',
    '00:30 crypto_extended',
    ...activated('00:33'),
  ]);
  expect([await standing(), (await state()).status]).toEqual(['settled', 'active']);
});

it('paid after it has expired, it waits for an operator, and counts once accepted', async () => {
  const { id, toMinute, happened, standing, read, decide, state } = await firstInvoice();
  await toMinute(60);
  expect(await standing()).toBe('expired');
  await chain.pay(id);
  await chain.mine(3);
  expect([await standing(), (await state()).status]).toEqual(['expired [late, review]', 'incomplete']);
  await toMinute(90);
  const { payments } = await read();
  await decide('accept', { paymentKeys: payments.map(({ key }: { key: string }) => key) });
  await toMinute(100);

  expect(await happened()).toEqual([
    '00:15 crypto_expired',
    '01:00 coins 0.00048334 BTC sent',
    '01:00 crypto_review_opened',
    '01:00 mail crypto_payment_late sent',
    ...activated('01:30'),
  ]);
  expect([await standing(), (await state()).status]).toEqual(['settled [late, marked]', 'active']);
});

it('what is paid too much is the customer’s credit, and goes back once they name an address', async () => {
  const { id, toMinute, happened, standing, customerId } = await firstInvoice();
  await chain.pay(id, { percent: 150n });
  await toMinute(4);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual([
    '00:00 coins 0.00072501 BTC sent',
    '00:00 crypto_over_paid',
    '00:00 crypto_processing',
    '00:00 mail crypto_payment_over sent',
    '00:00 mail crypto_payment_seen sent',
    ...activated('00:04', 'crypto_payout_asked'),
  ]);
  expect(await standing()).toBe('settled [over]');
  const credit = async () => (await world.ok('GET', `/v1/customers/${customerId}`)).creditMinor;
  expect(await credit()).toBe(1450);

  // `0014…` is where the address leads to.
  const address = 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080';
  const to = '0014751e76e8199196d454941c45d1b3a323f1433bd6';
  const wish = { address, reason: 'the customer wants it back' };
  const payout = await world.ok('POST', `/v1/crypto_invoices/${id}/payouts`, wish);
  expect([payout.status, payout.amount, await credit()]).toEqual(['requested', '0.00024167', 0]);
  await world.ok('POST', `/v1/crypto_payouts/${payout.id}/approve`, {});
  const transaction = bitcoinTransaction([{ to, units: 24_167n }]);
  chain.node.send(transaction);
  await world.ok('POST', `/v1/crypto_payouts/${payout.id}/broadcast`, { txid: transaction.txid });
  await toMinute(30);
  await chain.mine(3);
  await toMinute(40);

  expect((await happened()).slice(-2)).toEqual([
    '00:30 payment_refunded',
    '00:30 mail payment_refunded sent',
  ]);
  const { status, problem } = await world.ok('GET', `/v1/crypto_payouts/${payout.id}`);
  expect([status, problem, await credit()]).toEqual(['confirmed', null, 0]);
});

it('coins that their payer takes back before a block has them leave the invoice to expire', async () => {
  const { id, toMinute, happened, standing, state } = await firstInvoice();
  const payment = await chain.pay(id);
  await toMinute(5);
  await chain.replace(payment);
  await toMinute(8);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual([
    '00:00 coins 0.00048334 BTC sent',
    '00:05 crypto_payment_reversed',
    '00:05 crypto_double_spend_attempt',
    '00:05 mail crypto_payment_gone sent',
    '00:15 crypto_expired',
  ]);
  expect([await standing(), (await state()).status]).toEqual([
    'expired [replaced, double_spend_attempt]',
    'incomplete',
  ]);
});

it('a payment whose fee is raised is the same payment', async () => {
  const { id, toMinute, happened, standing } = await firstInvoice();
  const { spends } = await chain.pay(id);
  await toMinute(5);
  await chain.pay(id, { spends });
  await toMinute(8);
  await chain.mine(3);
  await toMinute(20);

  expect(await happened()).toEqual([
    '00:00 coins 0.00048334 BTC sent',
    '00:05 coins 0.00048334 BTC sent',
    ...activated('00:08'),
  ]);
  expect(await standing()).toBe('settled [replaced]');
});

it('nobody pays: the offer expires, costs nobody a mail, and a card pays the invoice', async () => {
  const { toMinute, happened, standing, subscriptionId } = await firstInvoice();
  await toMinute(60);
  await useCard(world, subscriptionId, 'succeeded');
  await toMinute(70);

  expect(await happened()).toEqual([
    '00:15 crypto_expired',
    '01:00 charge USD 29.00 succeeded',
    '01:00 payment_method_changed',
    ...activated('01:00'),
  ]);
  expect(await standing()).toBe('expired');
});

it('paid by card meanwhile, the offer is withdrawn', async () => {
  const { toMinute, happened, standing, subscriptionId } = await firstInvoice();
  await toMinute(5);
  await useCard(world, subscriptionId, 'succeeded');
  await toMinute(20);

  expect(await happened()).toEqual([
    '00:05 charge USD 29.00 succeeded',
    '00:05 payment_method_changed',
    '00:05 payment_received',
    '00:05 activated',
    '00:05 access full',
    '00:05 crypto_cancelled',
    '00:05 mail subscription_confirmed sent',
  ]);
  expect(await standing()).toBe('cancelled');
});
