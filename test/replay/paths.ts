/**
 * The paths through our processes of which a history is recorded, each played in a world of its own. A path that code
 * can take and that is not here is not protected: add it, and record again with `npm run record-histories`.
 */
import { taskQueues } from '../../domain/operations/task-queues.ts';
import {
  chainWatcherWorkflowId,
  chainWatcherWorkflowType,
} from '../../workflows/payments/chain-watcher.contract.ts';
import {
  cryptoLookupWorkflowId,
  cryptoLookupWorkflowType,
} from '../../workflows/payments/crypto-lookup.contract.ts';
import { connectBank } from '../stories/banks.ts';
import { openFeed } from '../stories/feed.ts';
import { offerCoins } from '../stories/offers.ts';
import {
  invoicesOf,
  newCustomer,
  readSubscription,
  subscribe,
  subscribePaid,
  useBankAccount,
  useCard,
} from '../stories/people.ts';
import { askForTransfer, takeTransfers } from '../stories/transfers.ts';
import type { World } from '../stories/world.ts';
import { createStillChain } from '../support/still-chain.ts';

/** Plays a path to its end. */
export type Path = (world: World) => Promise<unknown>;

/** The types of the schedules' workflows, which are also their ids here. */
export const jobs = [
  'missedWebhooks',
  'relaySweep',
  'trialStatistics',
  'dailyReport',
  'exchangeRates',
  'dailyInvoiceRun',
  'bankReconciliation',
] as const;

/** The processes of the installation, which no tenant's row names. */
export const installation = [chainWatcherWorkflowId('bitcoin'), cryptoLookupWorkflowId('recorded')];

const ask = (world: World, subscriptionId: string, act: string, body: object = {}) =>
  world.ok('POST', `/v1/subscriptions/${subscriptionId}/${act}`, body);

export const paths: Readonly<Record<string, Path>> = {
  'trial-converts': async (world) => {
    await useCard(world, await subscribe(world), 'succeeded');
    await world.advance({ days: 15 });
  },

  'trial-extended-and-converted-early': async (world) => {
    const id = await subscribe(world);
    await world.advance({ days: 8 });
    await ask(world, id, 'extend_trial', { days: 7 });
    await world.advance({ days: 8 });
    await useCard(world, id, 'insufficient_funds', 'succeeded');
    await world.request('POST', `/v1/subscriptions/${id}/convert`, { body: {} });
    await ask(world, id, 'convert');
  },

  'trial-expires-and-is-erased': async (world) => {
    await subscribe(world);
    await world.advance({ days: 14 + 30 + 31 });
  },

  'ended-trial-is-taken-up': async (world) => {
    const id = await subscribe(world);
    await world.advance({ days: 20 });
    await useCard(world, id, 'succeeded');
  },

  'starts-with-a-payment': async (world) => {
    const id = await subscribe(world, { start: 'payment' });
    await useCard(world, id, 'succeeded');
  },

  'first-payment-never-comes': async (world) => {
    await subscribe(world, { start: 'payment' });
    await world.advance({ days: 2 });
  },

  'quiet-renewals': async (world) => {
    await subscribePaid(world, { outcomes: ['succeeded'] });
    await world.advance({ days: 65 });
  },

  'charge-fails-technically': async (world) => {
    await subscribePaid(world, { outcomes: ['processing_error', 'succeeded'] });
    await world.advance({ days: 33 });
  },

  'dunning-to-the-end': async (world) => {
    await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 31 + 31 });
  },

  'dunning-ends-on-the-free-plan': async (world) => {
    await subscribePaid(world, { outcomes: ['insufficient_funds'], plan: 'pro-short' });
    await world.advance({ days: 31 + 12 });
  },

  'dunning-recovered-by-a-retry': async (world) => {
    await subscribePaid(world, { outcomes: ['insufficient_funds', 'insufficient_funds', 'succeeded'] });
    await world.advance({ days: 31 + 6 });
  },

  'dunning-recovered-by-a-new-card': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['stolen_card'] });
    await world.advance({ days: 31 + 8 });
    await useCard(world, id, 'succeeded');
  },

  'dunning-recovered-by-a-wire': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 2 });
    const { id: invoiceId, dueMinor, currency } = (await invoicesOf(world, id)).at(-1);
    const body = {
      amountMinor: dueMinor,
      currency,
      method: 'wire',
      reason: 'on the statement',
      reference: 'wire 1',
    };
    await world.ok('POST', `/v1/invoices/${invoiceId}/payments`, body);
  },

  'dunning-recovered-at-razorpay': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 2 });
    const { id: invoiceId } = (await invoicesOf(world, id)).at(-1);
    const order = await world.ok('POST', `/v1/invoices/${invoiceId}/razorpay_orders`, {});
    const { order_id: orderId } = order.checkout;
    world.razorpay.pay({ orderId, outcome: 'payment_failed' });
    await world.settle();
    const answer = world.razorpay.pay({ orderId, outcome: 'authorized' });
    await world.ok('POST', `/v1/razorpay_orders/${order.id}/confirm`, answer);
  },

  'paid-at-coinbase-after-it-expired': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 2 });
    const { id: invoiceId } = (await invoicesOf(world, id)).at(-1);
    await world.ok('POST', `/v1/invoices/${invoiceId}/coinbase_checkouts`, {});
    const made = world.coinbase.effects().findLast(({ op }) => op === 'checkouts.create');
    await world.advance({ hours: 25 });
    world.coinbase.pay({ checkoutId: made?.objectId ?? '' });
    await world.settle();
  },

  'collected-by-razorpay': async (world) => {
    const customerId = await newCustomer(world, { currency: 'INR' });
    const id = await subscribe(world, { plan: 'pro-rupee', customerId, start: 'trial' });
    const path = `/v1/subscriptions/${id}/razorpay_subscription`;
    const { externalId } = await world.ok('POST', path, {});
    await world.ok('POST', `${path}/confirm`, world.razorpay.authorize(externalId));
    await world.advance({ days: 14 });
    const paymentId = world.razorpay.chargeCycle(externalId);
    await world.advance({ days: 32 });
    world.razorpay.failCycle(externalId);
    await world.advance({ days: 2 });
    world.razorpay.chargeCycle(externalId);
    await world.settle();
    const dispute = world.razorpay.openDispute({ paymentId });
    await world.settle();
    world.razorpay.moveDispute(dispute, 'won');
    await world.ok('POST', `${path}/cancel`, {});
  },

  'three-d-secure': async (world) => {
    await subscribePaid(world, { outcomes: ['authentication_required'] });
    await world.advance({ days: 32 });
    const waiting = world.stripe.effects().findLast(({ op }) => op.startsWith('payment_intents.'));
    world.stripe.authenticate(waiting?.objectId ?? '', 'confirm');
    await world.settle();
  },

  'upgraded-by-seats-and-plan': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'] });
    await world.advance({ days: 5 });
    await ask(world, id, 'change_plan', { quantity: 2 });
    await ask(world, id, 'change_plan', { planCode: 'max-yearly' });
  },

  'upgrade-lapses-unpaid': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 5 });
    await world.request('POST', `/v1/subscriptions/${id}/change_plan`, {
      body: { planCode: 'plus-monthly' },
    });
    await world.advance({ days: 2 });
  },

  'downgraded-at-the-end-of-the-period': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'], plan: 'plus-monthly' });
    await ask(world, id, 'change_plan', { planCode: 'pro-monthly' });
    await ask(world, id, 'undo_change');
    await ask(world, id, 'change_plan', { planCode: 'pro-monthly' });
    await world.advance({ days: 33 });
  },

  'paused-and-resumed': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'] });
    await ask(world, id, 'pause');
    await world.advance({ days: 3 });
    await ask(world, id, 'resume');
    await ask(world, id, 'pause', { resumesAt: new Date(world.now().getTime() + 86_400_000).toISOString() });
    await world.advance({ days: 40 });
  },

  'payment-refunded': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'] });
    const { data } = await world.ok(
      'GET',
      `/v1/payments?invoiceId=${(await invoicesOf(world, id)).at(-1).id}`,
    );
    await world.ok('POST', `/v1/payments/${data[0].id}/refunds`, { amountMinor: 1000 });
    await world.settle();
  },

  'cancelled-undone-ended-and-erased': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'] });
    await ask(world, id, 'cancel');
    await ask(world, id, 'undo_cancel');
    await ask(world, id, 'cancel', { reason: 'too_expensive' });
    await world.advance({ days: 31 + 31 });
  },

  'cancelled-at-once': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 2 });
    await ask(world, id, 'cancel', { mode: 'now' });
    await readSubscription(world, id);
  },

  'refund-while-the-vendor-is-away': async (world) => {
    const payment = await firstPayment(world, await subscribePaid(world, { outcomes: ['succeeded'] }));
    world.stripeFaults({ rates: { error_before: 1 }, ops: ['refunds.create', 'refunds.list'] });
    await world.ok('POST', `/v1/payments/${payment.id}/refunds`, {});
    await world.advance({ hours: 4 });
    world.stripeFaults({});
    await world.advance({ hours: 5 });
  },

  'dispute-holds-the-ladder-and-is-won': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 3 });
    const { externalId } = await firstPayment(world, id);
    const dispute = world.stripe.openDispute({ paymentIntent: externalId });
    await world.advance({ days: 5 });
    world.stripe.closeDispute(dispute, 'won');
    await world.advance({ days: 7 });
  },

  'dispute-holds-the-ladder-and-is-lost': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 3 });
    const { externalId } = await firstPayment(world, id);
    const dispute = world.stripe.openDispute({ paymentIntent: externalId });
    await world.advance({ days: 5 });
    world.stripe.closeDispute(dispute, 'lost');
    await world.settle();
  },

  'debit-returned-and-presented-again': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['succeeded'] });
    await useBankAccount(world, id);
    await world.advance({ days: 31 + 4 });
    await bankSays(world, 'R01');
    await world.advance({ days: 5 });
    await bankSays(world, 'succeeded');
  },

  'debit-returned-to-the-ladder': async (world) => {
    const id = await subscribe(world, { start: 'payment' });
    await useBankAccount(world, id);
    await world.advance({ days: 4 });
    await bankSays(world, 'succeeded');
    await world.advance({ days: 20 });
    world.stripe.returnDebit((await firstPayment(world, id)).externalId, 'R01');
    await world.advance({ days: 4 });
    await bankSays(world, 'R01');
    await world.advance({ days: 2 });
    await bankSays(world, 'succeeded');
  },

  'checkout-at-coinbase-paid': async (world) => {
    const id = await subscribe(world, { start: 'payment' });
    const { id: invoiceId } = (await invoicesOf(world, id)).at(-1);
    await world.ok('POST', `/v1/invoices/${invoiceId}/coinbase_checkouts`, {});
    const made = world.coinbase.effects().findLast(({ op }) => op === 'checkouts.create');
    await world.advance({ minutes: 10 });
    world.coinbase.pay({ checkoutId: made?.objectId ?? '' });
    await world.settle();
  },

  'bank-read-for-a-day-and-unlinked': async (world) => {
    const { id, itemId } = await connectBank(world);
    world.plaid.addTransactions(itemId, [{ amount: '-29.00', description: 'A WIRE' }]);
    await world.settle();
    await world.advance({ hours: 25 });
    await world.ok('POST', `/v1/bank_connections/${id}/unlink`, {});
  },

  'bank-wants-a-login-and-takes-access-back': async (world) => {
    const { itemId } = await connectBank(world);
    world.plaid.requireLogin(itemId);
    await world.settle();
    await world.advance({ hours: 30 });
    world.plaid.repairLogin(itemId);
    await world.settle();
    await world.advance({ hours: 1 });
    world.plaid.revokeAccess(itemId);
    await world.settle();
    await world.advance({ hours: 1 });
  },

  'paid-in-coins': async (world) => {
    const chain = await world.watchChain();
    const { id } = await offerCoins(world, await subscribe(world, { start: 'payment' }));
    await chain.pay(id);
    await chain.mine(3);
  },

  // What comes after its end is another run, which is the one that the next path leaves.
  'quote-in-coins-expires': async (world) => {
    await world.watchChain();
    await offerCoins(world, await subscribe(world, { start: 'payment' }));
    await world.advance({ minutes: 30 });
  },

  'quote-in-coins-expires-and-is-paid-late': async (world) => {
    const chain = await world.watchChain();
    const offer = await offerCoins(world, await subscribe(world, { start: 'payment' }));
    await world.advance({ minutes: 30 });
    await chain.pay(offer.id);
    await chain.mine(3);
    const { payments } = await offer.read();
    await offer.decide('accept', { paymentKeys: payments.map(({ key }: { key: string }) => key) });
  },

  'coins-wait-for-a-block-and-are-spent-elsewhere': async (world) => {
    const chain = await world.watchChain();
    const { id } = await offerCoins(world, await subscribe(world, { start: 'payment' }));
    const payment = await chain.pay(id);
    await world.advance({ minutes: 130 });
    await chain.replace(payment);
    await world.advance({ days: 1 });
  },

  'dunning-recovered-in-coins': async (world) => {
    const id = await subscribePaid(world, { outcomes: ['insufficient_funds'] });
    await world.advance({ days: 31 + 2 });
    const chain = await world.watchChain();
    const { id: offered } = await offerCoins(world, id);
    await chain.pay(offered);
    await world.advance({ minutes: 40 });
    await chain.mine(3);
  },

  'paid-by-transfer-in-parts': async (world) => {
    await takeTransfers(world);
    const transfer = await askForTransfer(world, await subscribe(world, { start: 'payment' }));
    await transfer.arrive(1_000);
    await world.advance({ days: 1 });
    await transfer.arrive(1_900);
  },

  'transfer-held-then-never-comes': async (world) => {
    await takeTransfers(world);
    const transfer = await askForTransfer(world, await subscribe(world, { start: 'payment' }));
    await transfer.act('hold', { reason: 'the bank has a question' });
    await world.advance({ days: 1 });
    await transfer.act('resume');
    await world.advance({ days: 8 });
  },

  // A new run looks once for each thing that comes after the end of the one before.
  'transfer-expired-extended-and-paid': async (world) => {
    await takeTransfers(world);
    const transfer = await askForTransfer(world, await subscribe(world, { start: 'payment' }));
    await world.advance({ days: 8 });
    await transfer.act('extend', { days: 3, reason: 'the bank needs longer' });
    await world.advance({ days: 1 });
    await transfer.arrive(2_900);
  },

  'chain-without-a-node': watchBitcoin,

  'chain-watched-by-one-run-after-the-other': async (world) => {
    const node = createStillChain({ clock: () => new Date() }).node();
    world.watched.push({ chain: 'bitcoin', nodes: [node], everyMs: 10, startHeight: null });
    // The run that has begun goes on with its node; the next one finds none, and ends.
    node.onCall(() => void world.watched.splice(0));
    await watchBitcoin(world);
  },

  'bank-transfers-matched': async (world) => {
    const feed = await openFeed(world);
    const [invoice] = await invoicesOf(world, await subscribe(world, { start: 'payment' }));
    await feed.refer(invoice.id, 'ADV61000007');
    // The second one comes while the run waits for more.
    await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 1900 });
    await feed.tell({ text: 'WIRE ADV61000007', amountMinor: 1000 });
    await world.advance({ minutes: 1 });
  },

  'transaction-looked-up': async ({ client, tenantId }) => {
    await client.workflow.execute(cryptoLookupWorkflowType, {
      taskQueue: taskQueues.operations,
      workflowId: cryptoLookupWorkflowId('recorded'),
      args: [{ tenantId, txid: 'ab'.repeat(32), chain: 'bitcoin' }],
    });
  },

  'jobs-of-the-schedules': async (world) => {
    await subscribePaid(world, { outcomes: ['succeeded'] });
    for (const type of jobs) {
      await world.client.workflow.execute(type, { taskQueue: taskQueues.operations, workflowId: type });
    }
  },
};

/** Until it has ended, whatever runs that takes. */
async function watchBitcoin({ client }: World): Promise<void> {
  await client.workflow.execute(chainWatcherWorkflowType, {
    taskQueue: taskQueues.operations,
    workflowId: chainWatcherWorkflowId('bitcoin'),
    args: [{ chain: 'bitcoin' }],
  });
}

/** The bank answers the latest debit. */
async function bankSays(world: World, answer: string): Promise<void> {
  const debit = world.stripe.effects().findLast(({ op }) => op === 'payment_intents.create');
  world.stripe.settle(debit?.objectId ?? '', answer);
  await world.settle();
}

/** The payment of the subscription's first invoice. */
async function firstPayment(world: World, subscriptionId: string) {
  const [invoice] = await invoicesOf(world, subscriptionId);
  return (await world.ok('GET', `/v1/payments?invoiceId=${invoice.id}`)).data[0];
}
