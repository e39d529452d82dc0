/** Wires: in another currency, and for everything that a customer owes, at rates that were fetched in the night. */
import { afterEach, expect, it } from 'vitest';
import { invoicesOf, mailsOf, newCustomer, readSubscription, subscribe, subscribePaid } from './people.ts';
import { renewalFails, standardUntil } from './phrases.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

it('a wire in euro activates what is billed in dollars: paid in full within 5 %, at the rate of the day it came', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  world.frankfurter.setRates('2031-02-28', { USD: 1.0866 });
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  const wire = {
    amountMinor: 2600,
    currency: 'EUR',
    feeMinor: 150,
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 1',
  };
  const pay = () => world.request('POST', `/v1/invoices/${invoice.id}/payments`, { body: wire });

  expect(await pay()).toMatchObject({ status: 422, body: { code: 'exchange_rate_missing' } });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'incomplete', access: 'none' });
  await fetchRates();
  const paid = await pay();
  expect(paid).toMatchObject({
    status: 201,
    body: { outcome: 'settled', creditedMinor: 0, invoice: { status: 'paid', paidMinor: 2900 } },
  });
  expect(await pay()).toMatchObject({ status: 200, body: { outcome: 'duplicate' } });
  expect(await world.ok('GET', `/v1/payments/${paid.body.paymentId}`)).toMatchObject({
    amountMinor: 2900,
    currency: 'USD',
    bankFeeMinor: 150,
    exchange: {
      receivedMinor: 2600,
      receivedCurrency: 'EUR',
      convertedMinor: 2825,
      fxFeeMinor: 75,
      rate: '1.0866',
      day: '2031-02-28',
      source: 'ecb',
    },
  });

  await world.ok('POST', `/v1/payments/${paid.body.paymentId}/refunds`, { amountMinor: 1450 });
  const { data } = await world.ok('GET', `/v1/refunds?paymentId=${paid.body.paymentId}`);
  expect(data).toMatchObject([{ amountMinor: 1450, given: { amountMinor: 1300, currency: 'EUR' } }]);
  const { startedAt: from } = await readSubscription(world, id);
  expect(await world.effects({ subscriptionId: id, from })).toEqual([
    'day 0 created',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 payment_received',
    'day 0 activated',
    'day 0 access full',
    'day 0 payment_refunded',
    'day 0 mail subscription_confirmed sent',
    'day 0 mail payment_refunded sent',
  ]);
  const [, mail] = await mailsOf(world, id);
  expect(mail?.text).toContain('EUR 13.00');
});

it('one wire in euro pays three unpaid invoices, and that ends the dunning of all of them', async () => {
  world = await createWorld({ startsAt: '2030-12-31T10:00:00Z' });
  const interval = { unit: 'month', count: 1 };
  const addOn = {
    code: 'add-on',
    name: 'Add-on',
    family: 'add-on',
    priceMinor: 1900,
    currency: 'USD',
    interval,
  };
  await world.ok('POST', '/v1/plans', addOn);
  const customerId = await newCustomer(world);
  const outcomes = ['insufficient_funds'];
  const subscriptions: string[] = [];
  for (const plan of ['pro-monthly', 'team-short', 'add-on']) {
    subscriptions.push(await subscribePaid(world, { customerId, plan, outcomes }));
    await world.advance({ hours: 6 });
  }
  world.frankfurter.setRates('2031-02-03', { USD: 1.0866 });
  await world.advanceTo('2031-02-04T12:00:00Z');
  await fetchRates();
  const unpaid = (await Promise.all(subscriptions.map((id) => invoicesOf(world, id)))).map((found) =>
    found.find(({ status }) => status === 'open'),
  );
  expect(unpaid.map(({ dueMinor }) => dueMinor)).toEqual([2900, 4900, 1900]);

  // USD 97.79, for USD 97.00.
  const wire = {
    amountMinor: 9000,
    currency: 'EUR',
    method: 'wire',
    reason: 'on the statement',
    reference: 'wire 1',
  };
  const { body } = await world.request('POST', `/v1/customers/${customerId}/payments`, { body: wire });
  expect(body).toMatchObject({ outcome: 'settled', creditedMinor: 0 });
  expect(body.allocations.map(({ invoiceId, amountMinor }: Allocation) => [invoiceId, amountMinor])).toEqual(
    unpaid.map(({ id, dueMinor }) => [id, dueMinor]),
  );
  for (const id of subscriptions) {
    expect(await readSubscription(world, id)).toMatchObject({
      status: 'active',
      access: 'full',
      dunning: null,
    });
  }
  await world.advanceTo('2031-02-20T00:00:00Z');
  const [first = ''] = subscriptions;
  const { firstFailedAt: from } = unpaid[0];
  expect(await world.effects({ subscriptionId: first, from })).toEqual([
    ...renewalFails(),
    ...standardUntil(3),
    'day 4 +02:00 payment_received',
    'day 4 +02:00 recovered',
    'day 4 +02:00 access full',
    'day 4 +02:00 mail payment_received sent',
  ]);
  const mails = (await world.ok('GET', `/v1/notifications?customerId=${customerId}&limit=100`)).data;
  const thanks = mails.map(({ template }: { template: string }) => template).slice(0, 3);
  expect(thanks.sort()).toEqual(['payment_received', 'payment_received', 'payment_recovered']);
});

type Allocation = { invoiceId: string; amountMinor: number };

let runs = 0;

/** What the schedule would start; its result is not awaited, because time would be skipped until it is there. */
async function fetchRates(): Promise<void> {
  runs += 1;
  world.frankfurter.clock.set(world.now());
  const workflowId = `exchangeRates/${runs}`;
  const options = { workflowId, taskQueue: 'operations', args: [] };
  const run = await world.client.workflow.start('exchangeRates', options);
  await expect.poll(async () => (await run.describe()).status.name, { timeout: 20_000 }).toBe('COMPLETED');
  await world.settle();
}
