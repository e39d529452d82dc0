/** Customers whose card has no money pay at Coinbase instead, in time, too late, or after the webhook was lost. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { readCheckout } from '../../db/queries/payments/coinbase-checkouts.ts';
import { invoicesOf, newCustomer, readSubscription, subscribePaid } from './people.ts';
import { recovers, renewalFails, retryFails } from './phrases.ts';
import { type Body, createWorld, type World } from './world.ts';

const price = 'USD 29.00';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2032-03-01T10:00:00Z' });
});
afterAll(() => world.close());

/** A customer whose renewal has just failed, on day 0; `outcomes` are the card's answers from then on. */
async function unpaid(...outcomes: string[]) {
  const subscriptionId = await subscribePaid(world, {
    customerId: await newCustomer(world),
    outcomes: ['insufficient_funds', ...outcomes],
  });
  const { currentPeriod } = await readSubscription(world, subscriptionId);
  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) + 1_000));
  const invoice = (await invoicesOf(world, subscriptionId)).at(-1);
  const from = new Date(invoice.issuedAt);
  return {
    invoiceId: invoice.id as string,
    onDay: (day: number) => world.advanceTo(new Date(from.getTime() + day * 86_400_000 + 60_000)),
    checkout: async (): Promise<Body> =>
      world.ok('POST', `/v1/invoices/${invoice.id}/coinbase_checkouts`, {}),
    state: () => readSubscription(world, subscriptionId),
    /** Everything since day 0, without the minutes. */
    happened: async () => {
      const lines = await world.effects({ subscriptionId, from });
      return lines.map((line) => line.replace(/ \+\d\d:\d\d/, ''));
    },
  };
}

/** The provider's id of a checkout. */
async function atCoinbase({ id }: Body): Promise<string> {
  const row = await withTenant(world.db, world.tenantId, (tx) => readCheckout(tx, id));
  return row.externalId ?? '';
}

const failed = [...renewalFails('insufficient_funds', price), ...retryFails(1, 'payment_failed_1', price)];

it('an invoice that no card paid is paid at Coinbase on day 2, its webhooks backwards and twice, and the ladder ends', async () => {
  const { onDay, checkout, happened, state, invoiceId } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2);
  const made = await checkout();
  const checkoutId = await atCoinbase(made);
  world.withholdWebhooks(true);
  world.coinbase.setFaults({ webhooks: { hold: true, duplicate: 1, copies: 3 } });
  world.coinbase.pay({ checkoutId });
  await world.coinbase.flushWebhooks('reversed');
  world.coinbase.setFaults({ webhooks: { hold: true } });
  world.withholdWebhooks(false);
  await world.settle();

  expect(await happened()).toEqual([
    ...failed,
    'day 2 checkout',
    `day 2 checkout paid ${price}`,
    ...recovers('day 2'),
  ]);
  expect(await state()).toMatchObject({ status: 'active', access: 'full' });
  const { data } = await world.ok('GET', `/v1/payments?invoiceId=${invoiceId}`);
  expect(data).toMatchObject([{ rail: 'coinbase', externalId: checkoutId, amountMinor: 2900 }]);
});

it('a step of the ladder charges no card while a payment is not final, and no webhook is needed to see that it is', async () => {
  const { onDay, checkout, happened } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2.9);
  const checkoutId = await atCoinbase(await checkout());
  world.coinbase.setFaults({ webhooks: { drop: 1 } });
  world.coinbase.pay({ checkoutId, outcome: 'processing' });
  // Nobody tells of a payment that is not final: the step looks before it charges, and the process hourly from then on.
  await onDay(4.9);
  world.coinbase.pay({ checkoutId });
  await onDay(5);
  world.coinbase.setFaults({ webhooks: { hold: true } });

  expect(await happened()).toEqual([
    ...failed,
    'day 2 checkout',
    'day 2 checkout processing',
    'day 3 mail payment_failed_2 sent',
    `day 4 checkout paid ${price}`,
    ...recovers('day 4'),
  ]);
});

it('money that comes after the checkout expired is booked, and what nothing needs is the customer’s credit', async () => {
  const { onDay, checkout, happened, invoiceId } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(1.5);
  const made = await checkout();
  const checkoutId = await atCoinbase(made);
  await onDay(3.2);
  expect(await world.ok('GET', `/v1/coinbase_checkouts/${made.id}`)).toMatchObject({
    status: 'expired',
    url: null,
  });
  world.coinbase.pay({ checkoutId });
  await world.settle();

  const { data } = await world.ok('GET', `/v1/payments?invoiceId=${invoiceId}`);
  const rails = data.map(({ rail, allocatedMinor }: Body) => `${rail} ${allocatedMinor}`);
  expect(rails).toEqual(['coinbase 0', 'stripe 2900']);
  expect(await happened()).toContain(`day 3 checkout paid ${price}`);
});
