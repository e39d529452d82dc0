/** Customers whose card has no money pay at Razorpay instead: the ladder ends, and no card is charged beside it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { invoicesOf, newCustomer, readSubscription, subscribePaid } from './people.ts';
import { recovers, renewalFails, renewalPaid, retryFails } from './phrases.ts';
import { type Body, createWorld, type World } from './world.ts';

const price = 'INR 2499.00';

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
});
afterAll(() => world.close());

/** A customer whose renewal has just failed, on day 0; `outcomes` are the card's answers from then on. */
async function unpaid(...outcomes: string[]) {
  const customerId = await newCustomer(world, { currency: 'INR' });
  const subscriptionId = await subscribePaid(world, {
    plan: 'pro-rupee',
    customerId,
    outcomes: ['insufficient_funds', ...outcomes],
  });
  const { currentPeriod } = await readSubscription(world, subscriptionId);
  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) + 1_000));
  const invoice = (await invoicesOf(world, subscriptionId)).at(-1);
  const from = new Date(invoice.issuedAt);
  return {
    invoiceId: invoice.id as string,
    onDay: (day: number) => world.advanceTo(new Date(from.getTime() + day * 86_400_000 + 60_000)),
    order: async (): Promise<Body> => world.ok('POST', `/v1/invoices/${invoice.id}/razorpay_orders`, {}),
    state: () => readSubscription(world, subscriptionId),
    /** Everything since day 0, without the minutes. */
    happened: async () => {
      const lines = await world.effects({ subscriptionId, from });
      return lines.map((line) => line.replace(/ \+\d\d:\d\d/, ''));
    },
  };
}

const ordered = (when: string) => [`${when} order`];
const paidAtRazorpay = (when: string) => [
  `${when} order payment authorized`,
  `${when} capture ${price}`,
  ...recovers(when),
];

it('an invoice that no card paid is paid at Razorpay on day 2, and the ladder ends', async () => {
  const { onDay, order, happened, state, invoiceId } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2);
  const { id, checkout } = await order();
  expect(checkout).toMatchObject({ amount: 249_900, currency: 'INR' });
  const answer = world.razorpay.pay({ orderId: checkout.order_id, method: 'upi' });
  await world.ok('POST', `/v1/razorpay_orders/${id}/confirm`, answer);
  await onDay(32);

  expect(await happened()).toEqual([
    ...renewalFails('insufficient_funds', price),
    ...retryFails(1, 'payment_failed_1', price),
    ...ordered('day 2'),
    ...paidAtRazorpay('day 2'),
    ...renewalPaid('day 30', price),
  ]);
  expect(await state()).toMatchObject({ status: 'active', access: 'full' });
  const { data } = await world.ok('GET', `/v1/payments?invoiceId=${invoiceId}`);
  expect(data).toMatchObject([{ rail: 'razorpay', externalId: answer.paymentId, amountMinor: 249_900 }]);
});

it('a payment that the browser never told us of is booked by its webhooks, whatever their order', async () => {
  const { onDay, order, happened } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2);
  const { checkout } = await order();
  world.withholdWebhooks(true);
  const { paymentId } = world.razorpay.pay({ orderId: checkout.order_id, outcome: 'payment_failed' });
  world.razorpay.settle(paymentId, 'authorized');
  await world.razorpay.flushWebhooks('reversed');
  world.withholdWebhooks(false);
  await world.settle();

  expect(await happened()).toEqual([
    ...renewalFails('insufficient_funds', price),
    ...retryFails(1, 'payment_failed_1', price),
    ...ordered('day 2'),
    'day 2 order payment refused payment_failed',
    ...paidAtRazorpay('day 2'),
  ]);
});

it('a step of the ladder charges no card while the customer is paying, and the next one does', async () => {
  const { onDay, order, happened } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2);
  const { checkout } = await order();
  await onDay(2.99);
  const { paymentId } = world.razorpay.pay({ orderId: checkout.order_id, outcome: 'created' });
  await onDay(3);
  world.razorpay.settle(paymentId, 'payment_failed');
  await world.settle();
  await onDay(5);

  expect(await happened()).toEqual([
    ...renewalFails('insufficient_funds', price),
    ...retryFails(1, 'payment_failed_1', price),
    ...ordered('day 2'),
    // The step speaks to the customer as ever; its charge is left out.
    'day 3 mail payment_failed_2 sent',
    'day 3 order payment refused payment_failed',
    `day 5 charge ${price} succeeded`,
    ...recovers('day 5'),
  ]);
});

it('a step that finds the money already there charges no card, although no webhook ever came', async () => {
  const { onDay, order, happened } = await unpaid('insufficient_funds', 'succeeded');
  await onDay(2);
  const { checkout } = await order();
  world.razorpay.setFaults({ webhooks: { drop: 1 } });
  world.razorpay.pay({ orderId: checkout.order_id });
  await onDay(3);
  world.razorpay.setFaults({ webhooks: { hold: true } });

  expect(await happened()).toEqual([
    ...renewalFails('insufficient_funds', price),
    ...retryFails(1, 'payment_failed_1', price),
    ...ordered('day 2'),
    'day 2 order payment authorized',
    `day 2 capture ${price}`,
    ...recovers('day 3'),
  ]);
});
