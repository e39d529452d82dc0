/**
 * What each process costs: it is played once on the time-skipping server against the sandboxes, and its actions,
 * history events and calls to the card vendor are counted. The webhooks of the vendor are part of it.
 */
import type { Client, WorkflowHandle } from '@temporalio/client';
import { historiesOf } from '../../test/stories/histories.ts';
import { offerCoins } from '../../test/stories/offers.ts';
import { newCustomer } from '../../test/stories/people.ts';
import { askForTransfer, takeTransfers } from '../../test/stories/transfers.ts';
import { createWorld, type World } from '../../test/stories/world.ts';
import { dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { bankTransferWorkflowId } from '../../workflows/payments/bank-transfer.contract.ts';
import { cardPaymentWorkflowId } from '../../workflows/payments/card-payment.contract.ts';
import { cryptoInvoiceWorkflowId } from '../../workflows/payments/crypto-invoice.contract.ts';
import { refundWorkflowId } from '../../workflows/payments/refund.contract.ts';
import { type Cost, costOf } from './count-actions.ts';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

export type Scenario = { name: string; vendorCalls: number } & Cost;

/** Plays every scenario in a world of its own. */
export async function runScenarios(): Promise<Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const play of [
    trialConverts,
    quietMonth,
    dunning30Days,
    upgrade,
    recoveredRenewal,
    refund,
    cryptoPaid,
    bankTransferPaid,
  ]) {
    const world = await createWorld();
    try {
      scenarios.push(await play(world));
    } finally {
      await world.close();
    }
  }
  return scenarios;
}

/** 14 days with three messages, then the first invoice is issued and paid. The card was on file before. */
async function trialConverts(world: World): Promise<Scenario> {
  const { subscriptionId, calls } = await subscribeWithCard(world, ['succeeded']);
  await world.advance({ days: 14, minutes: 1 });
  await expectStatus(world, subscriptionId, 'active');
  const [trial] = await runsOf(world.client, subscriptionWorkflowId(subscriptionId));
  if (trial === undefined) throw new Error('The trial has left no history');
  return { name: 'trial-converts', ...sum(costOf([trial]), await webhookCost(world)), vendorCalls: calls() };
}

/** One month between two renewals of which nobody notices anything. */
async function quietMonth(world: World): Promise<Scenario> {
  const { subscriptionId } = await subscribeWithCard(world, ['succeeded']);
  await world.advance({ days: 15 });
  const webhooks = await webhooksFromNow(world);
  const callsBefore = totalCalls(world);
  await world.advance({ days: 32 });
  const [, month] = await runsOf(world.client, subscriptionWorkflowId(subscriptionId));
  if (month === undefined) throw new Error('The first month has left no history');
  return {
    name: 'quiet-month',
    ...sum(costOf([month]), await webhooks()),
    vendorCalls: totalCalls(world) - callsBefore,
  };
}

/** From the failed renewal to the end of the ladder, with nobody paying: six steps, of which three charge. */
async function dunning30Days(world: World): Promise<Scenario> {
  const { subscriptionId, customerId } = await subscribeWithCard(world, ['succeeded', 'insufficient_funds']);
  await world.advance({ days: 14, minutes: 1 });
  const { currentPeriod } = await world.ok('GET', `/v1/subscriptions/${subscriptionId}`);
  await world.advanceTo(currentPeriod.endsAt);
  await world.advance({ minutes: 1 });
  await expectStatus(world, subscriptionId, 'past_due');
  const from = world.now();
  const webhooks = await webhooksFromNow(world);
  const callsBefore = totalCalls(world);
  await world.advance({ days: 30, minutes: 1 });
  await expectStatus(world, subscriptionId, 'cancelled');
  const to = world.now();
  const ladder = costOf(await runsOf(world.client, dunningWorkflowId(customerId)));
  const meanwhile = costOf(await runsOf(world.client, subscriptionWorkflowId(subscriptionId)), { from, to });
  return {
    name: 'dunning-30-days',
    ...sum(ladder, meanwhile, await webhooks()),
    vendorCalls: totalCalls(world) - callsBefore,
  };
}

/** In the middle of a period to a dearer plan: previewed, invoiced, paid and in force. */
async function upgrade(world: World): Promise<Scenario> {
  const { subscriptionId } = await subscribeWithCard(world, ['succeeded']);
  await world.advance({ days: 20 });
  const during = await meter(world, [subscriptionWorkflowId(subscriptionId)]);
  const path = `/v1/subscriptions/${subscriptionId}`;
  await world.ok('POST', `${path}/preview_change`, { planCode: 'plus-monthly' });
  await world.ok('POST', `${path}/change_plan`, { planCode: 'plus-monthly' });
  await world.advance({ minutes: 1 });
  return { name: 'upgrade', ...(await during()) };
}

/** A renewal that is declined, and collected by the first step of the ladder a day later. */
async function recoveredRenewal(world: World): Promise<Scenario> {
  const outcomes = ['succeeded', 'insufficient_funds', 'succeeded'];
  const { subscriptionId, customerId } = await subscribeWithCard(world, outcomes);
  await world.advance({ days: 14, minutes: 1 });
  const { currentPeriod } = await world.ok('GET', `/v1/subscriptions/${subscriptionId}`);
  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) - 60_000));
  const during = await meter(world, [subscriptionWorkflowId(subscriptionId), dunningWorkflowId(customerId)]);
  await world.advance({ days: 1, minutes: 2 });
  await expectStatus(world, subscriptionId, 'active');
  return { name: 'recovered-renewal', ...(await during()) };
}

/** A payment that is given back through the vendor. */
async function refund(world: World): Promise<Scenario> {
  const { customerId } = await subscribeWithCard(world, ['succeeded']);
  await world.advance({ days: 20 });
  const { data } = await world.ok('GET', `/v1/payments?customerId=${customerId}`);
  const webhooks = await webhooksFromNow(world);
  const callsBefore = totalCalls(world);
  const { id } = await world.ok('POST', `/v1/payments/${data[0].id}/refunds`, {});
  await world.advance({ minutes: 1 });
  const { status } = await world.ok('GET', `/v1/refunds/${id}`);
  if (status !== 'succeeded') throw new Error(`The refund is ${status}`);
  const process = costOf(await runsOf(world.client, refundWorkflowId(id)));
  return { name: 'refund', ...sum(process, await webhooks()), vendorCalls: totalCalls(world) - callsBefore };
}

/**
 * An invoice that is offered for coins, paid and three blocks deep within the quarter of an hour. What the subscription's
 * process does of it is part of a payment on any rail, and the watcher's own actions are not those of an invoice.
 */
async function cryptoPaid(world: World): Promise<Scenario> {
  const chain = await world.watchChain();
  const customerId = await newCustomer(world);
  const { id: subscriptionId } = await world.ok('POST', '/v1/subscriptions', {
    customerId,
    planCode: 'pro-monthly',
    start: 'payment',
  });
  const callsBefore = totalCalls(world);
  const { id, toMinute } = await offerCoins(world, String(subscriptionId));
  await chain.pay(id);
  await toMinute(4);
  await chain.mine();
  await toMinute(12);
  await chain.mine(2);
  await toMinute(16);
  await expectStatus(world, String(subscriptionId), 'active');
  const process = costOf(await runsOf(world.client, cryptoInvoiceWorkflowId(id)));
  return { name: 'crypto-paid', ...process, vendorCalls: totalCalls(world) - callsBefore };
}

/**
 * An invoice whose transfer comes on the second day, after the customer was asked where it is. What the subscription's process
 * does of it is part of a payment on any rail.
 */
async function bankTransferPaid(world: World): Promise<Scenario> {
  await takeTransfers(world);
  const customerId = await newCustomer(world);
  const { id: subscriptionId } = await world.ok('POST', '/v1/subscriptions', {
    customerId,
    planCode: 'pro-monthly',
    start: 'payment',
  });
  const callsBefore = totalCalls(world);
  const { invoiceId, arrive } = await askForTransfer(world, String(subscriptionId));
  await world.advance({ hours: 30 });
  await arrive(2_900);
  await world.advance({ minutes: 1 });
  await expectStatus(world, String(subscriptionId), 'active');
  const process = costOf(await runsOf(world.client, bankTransferWorkflowId(invoiceId)));
  return { name: 'bank-transfer-paid', ...process, vendorCalls: totalCalls(world) - callsBefore };
}

/** What the processes cost from now on, their webhooks and calls to the vendor included. */
async function meter(
  world: World,
  workflowIds: readonly string[],
): Promise<() => Promise<Omit<Scenario, 'name'>>> {
  const from = world.now();
  const webhooks = await webhooksFromNow(world);
  const callsBefore = totalCalls(world);
  return async () => {
    const runs = await Promise.all(workflowIds.map((id) => runsOf(world.client, id)));
    const processes = costOf(runs.flat(), { from, to: world.now() });
    return { ...sum(processes, await webhooks()), vendorCalls: totalCalls(world) - callsBefore };
  };
}

/** A second subscription of a customer whose card is on file, so that attaching it is not part of the scenario. */
async function subscribeWithCard(world: World, outcomes: string[]) {
  const customer = await world.ok('POST', '/v1/customers', {
    email: 'bench@example.test',
    name: 'Bench',
    currency: 'USD',
  });
  const earlier = await world.ok('POST', '/v1/subscriptions', {
    customerId: customer['id'],
    planCode: 'free',
    start: 'payment',
  });
  await world.ok('PUT', `/v1/subscriptions/${earlier['id']}/payment_method`, {
    paymentMethodId: world.stripe.createCard({ outcomes }),
  });
  const callsBefore = totalCalls(world);
  const subscription = await world.ok('POST', '/v1/subscriptions', {
    customerId: customer['id'],
    planCode: 'pro-monthly',
  });
  return {
    customerId: String(customer['id']),
    subscriptionId: String(subscription['id']),
    calls: () => totalCalls(world) - callsBefore,
  };
}

/** The histories of a workflow's runs, oldest first. */
async function runsOf(client: Client, workflowId: string): Promise<History[]> {
  const runs: History[] = [];
  for await (const { history } of historiesOf(client, [workflowId])) runs.unshift(history);
  return runs;
}

/** What the webhooks from now on will have cost. */
async function webhooksFromNow(world: World): Promise<() => Promise<Cost>> {
  const before = await webhookCost(world);
  return async () => {
    const after = await webhookCost(world);
    return {
      actions: after.actions - before.actions,
      historyEvents: after.historyEvents - before.historyEvents,
    };
  };
}

async function webhookCost(world: World): Promise<Cost> {
  const payments = new Set(
    world.stripe
      .effects()
      .flatMap(({ op, objectId }) =>
        objectId !== null && op.startsWith('payment_intents.') ? [objectId] : [],
      ),
  );
  const runs = await Promise.all([...payments].map((id) => runsOf(world.client, cardPaymentWorkflowId(id))));
  return costOf(runs.flat());
}

async function expectStatus(world: World, subscriptionId: string, status: string): Promise<void> {
  const subscription = await world.ok('GET', `/v1/subscriptions/${subscriptionId}`);
  if (subscription['status'] !== status)
    throw new Error(`Expected ${status}, found ${subscription['status']}`);
}

function totalCalls(world: World): number {
  return Object.values(world.stripe.calls()).reduce((sum, count) => sum + count, 0);
}

function sum(...costs: Cost[]): Cost {
  return costs.reduce((total, { actions, historyEvents }) => ({
    actions: total.actions + actions,
    historyEvents: total.historyEvents + historyEvents,
  }));
}
