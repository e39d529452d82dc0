/** Customers who authorise Razorpay once: it charges each period by itself, and no card is charged beside it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { statusAtRazorpay } from '../support/razorpay.ts';
import { invoicesOf, newCustomer, readSubscription, subscribe, useCard } from './people.ts';
import { type Body, createWorld, type World } from './world.ts';

const price = 'INR 2499.00';
const DAY_MS = 86_400_000;

let world: World;
beforeAll(async () => {
  world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
});
afterAll(() => world.close());

/**
 * A customer in a trial of fourteen days, who has authorised Razorpay for what follows. Day 0 is the end of the trial, and
 * from the next period on the day that begins it.
 */
async function authorised({ card }: { card?: string[] } = {}) {
  const customerId = await newCustomer(world, { currency: 'INR' });
  const id = await subscribe(world, { plan: 'pro-rupee', customerId, start: 'trial' });
  if (card !== undefined) await useCard(world, id, ...card);
  const path = `/v1/subscriptions/${id}`;
  const asked = await world.ok('POST', `${path}/razorpay_subscription`, {});
  const answer = world.razorpay.authorize(asked.externalId);
  await world.ok('POST', `${path}/razorpay_subscription/confirm`, answer);
  const { trialEndsAt } = await readSubscription(world, id);
  let from = new Date(trialEndsAt);
  const externalId: string = asked.externalId;
  return {
    id,
    asked,
    externalId,
    onDay: (day: number) => world.advanceTo(new Date(from.getTime() + day * DAY_MS + 60_000)),
    /** Razorpay's own clock strikes: the cycle is paid, or fails. */
    charges: async () => {
      world.razorpay.chargeCycle(externalId);
      await world.settle();
    },
    fails: async () => {
      world.razorpay.failCycle(externalId);
      await world.settle();
    },
    ends: async () => {
      world.razorpay.cancelSubscription(externalId);
      await world.settle();
    },
    nextPeriod: async () => {
      const { currentPeriod } = await readSubscription(world, id);
      from = new Date(currentPeriod.endsAt);
      await world.advanceTo(new Date(from.getTime() + 60_000));
    },
    state: () => readSubscription(world, id),
    atRazorpay: (): Promise<Body> => world.ok('GET', `${path}/razorpay_subscription`),
    /** Everything since day 0, without the minutes. */
    happened: async () => {
      const lines = await world.effects({ subscriptionId: id, from });
      return lines.map((line) => line.replace(/ \+\d\d:\d\d/, ''));
    },
  };
}

it('a trial is authorised, and three periods are charged by Razorpay', async () => {
  const { asked, id, onDay, charges, nextPeriod, happened, state, atRazorpay } = await authorised();
  expect(asked).toMatchObject({ status: 'created', amountMinor: 249_900, currency: 'INR' });
  expect(await atRazorpay()).toMatchObject({ status: 'authenticated', authorization: null });
  expect(await state()).toMatchObject({ status: 'trialing', hasPaymentMethod: true });

  await onDay(0);
  expect(await state()).toMatchObject({ status: 'trialing', access: 'full' });
  await charges();
  const paid = [`day 0 capture ${price}`, 'day 0 payment_received'];
  expect(await happened()).toEqual([
    'day 0 invoice_issued',
    ...paid,
    'day 0 activated',
    'day 0 mail subscription_confirmed sent',
  ]);
  for (const _ of [1, 2]) {
    await nextPeriod();
    await charges();
    expect(await happened()).toEqual([
      'day 0 renewed',
      'day 0 invoice_issued',
      ...paid,
      'day 0 mail payment_receipt sent',
    ]);
  }

  expect(await state()).toMatchObject({ status: 'active', access: 'full' });
  const invoices = await invoicesOf(world, id);
  expect(invoices.map(({ status }) => status)).toEqual(['paid', 'paid', 'paid']);
});

it('while Razorpay tries again the ladder speaks and charges no card, and the payment of day 2 ends it', async () => {
  const { onDay, charges, fails, happened, state, nextPeriod } = await authorised({ card: ['succeeded'] });
  await onDay(0);
  await charges();
  await nextPeriod();
  await fails();
  expect(await state()).toMatchObject({ status: 'past_due', access: 'grace' });
  await onDay(1.1);
  await fails();
  await onDay(2.1);
  await charges();
  await onDay(8);

  expect(await happened()).toEqual([
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 order payment refused insufficient_funds',
    'day 0 charge_failed',
    'day 0 past_due',
    'day 0 access grace',
    'day 0 mail payment_failed sent',
    'day 1 mail payment_failed_1 sent',
    'day 1 order payment refused insufficient_funds',
    `day 2 capture ${price}`,
    'day 2 payment_received',
    'day 2 recovered',
    'day 2 access full',
    'day 2 mail payment_recovered sent',
  ]);
});

it('what Razorpay tries four times and gives up on goes on along the ladder, and the card pays it at its next step (D15)', async () => {
  const { externalId, onDay, charges, fails, happened, state, nextPeriod, atRazorpay } = await authorised({
    card: ['succeeded'],
  });
  const states = async () => [
    await statusAtRazorpay(world.razorpay, externalId),
    (await atRazorpay()).status,
  ];
  await onDay(0);
  await charges();
  expect(await states()).toEqual(['active', 'active']);
  await nextPeriod();
  await fails();
  const afterEachTry = [await states()];
  for (const day of [1, 2, 3]) {
    // The ladder's step first, then Razorpay's try.
    await onDay(day + 0.1);
    await fails();
    afterEachTry.push(await states());
  }
  expect(afterEachTry).toEqual([
    ['pending', 'pending'],
    ['pending', 'pending'],
    ['pending', 'pending'],
    ['halted', 'halted'],
  ]);
  expect(await state()).toMatchObject({ status: 'past_due' });
  await onDay(6);

  expect(await happened()).toEqual([
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 order payment refused insufficient_funds',
    'day 0 charge_failed',
    'day 0 past_due',
    'day 0 access grace',
    'day 0 mail payment_failed sent',
    'day 1 mail payment_failed_1 sent',
    'day 1 order payment refused insufficient_funds',
    'day 2 order payment refused insufficient_funds',
    'day 3 mail payment_failed_2 sent',
    'day 3 order payment refused insufficient_funds',
    'day 3 razorpay_ended',
    'day 3 mail automatic_payment_ended sent',
    `day 5 charge ${price} succeeded`,
    'day 5 payment_received',
    'day 5 recovered',
    'day 5 access full',
    'day 5 mail payment_recovered sent',
  ]);
});

it('a cancellation ends the authorisation at once, and nothing is charged at the end of the period', async () => {
  const { id, onDay, nextPeriod, charges, happened, state, atRazorpay } = await authorised();
  await onDay(0);
  await charges();
  await onDay(10);
  await world.ok('POST', `/v1/subscriptions/${id}/cancel`, {});
  expect(await atRazorpay()).toMatchObject({ status: 'cancelled', endReason: 'subscription_cancelled' });
  expect((await happened()).filter((line) => !line.startsWith('day 0 '))).toEqual([
    'day 10 razorpay cancel',
    'day 10 cancellation_requested',
    'day 10 razorpay_ended',
    'day 10 mail cancellation_confirmed sent',
  ]);
  await nextPeriod();
  expect(await happened()).toEqual([
    'day 0 cancelled',
    'day 0 access none',
    'day 0 mail subscription_ended sent',
  ]);
  expect(await state()).toMatchObject({ status: 'cancelled' });
});

it('an authorisation that the customer ends at the bank leaves the open invoice to the card', async () => {
  const { onDay, charges, ends, happened, nextPeriod } = await authorised({ card: ['succeeded'] });
  await onDay(0);
  await charges();
  await nextPeriod();
  await ends();

  expect((await happened()).sort()).toEqual([
    `day 0 charge ${price} succeeded`,
    'day 0 ended at razorpay',
    'day 0 invoice_issued',
    'day 0 mail automatic_payment_ended sent',
    'day 0 mail payment_receipt sent',
    'day 0 payment_received',
    'day 0 razorpay_ended',
    'day 0 renewed',
  ]);
});

it('another number of seats asks for another authorisation, over what they cost', async () => {
  const { id, externalId, onDay, charges, atRazorpay } = await authorised({ card: ['succeeded'] });
  await onDay(0);
  await charges();
  await onDay(10);
  await world.ok('POST', `/v1/subscriptions/${id}/change_plan`, { quantity: 3 });
  expect(await atRazorpay()).toMatchObject({ status: 'cancelled', endReason: 'terms_changed', externalId });
  const anew = await world.ok('POST', `/v1/subscriptions/${id}/razorpay_subscription`, {});
  expect(anew).toMatchObject({ status: 'created', amountMinor: 3 * 249_900 });
  expect(anew.externalId).not.toBe(externalId);
});

it('a charge that comes before our renewal waits for its invoice, whatever order its webhooks come in', async () => {
  const { id, externalId, onDay, charges, nextPeriod, happened } = await authorised();
  await onDay(0);
  await charges();
  const { currentPeriod } = await readSubscription(world, id);
  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) - 3_600_000));
  world.withholdWebhooks(true);
  world.razorpay.chargeCycle(externalId);
  await world.razorpay.flushWebhooks('reversed');
  world.withholdWebhooks(false);
  await world.settle();
  expect(await invoicesOf(world, id)).toHaveLength(1);
  await nextPeriod();

  expect(await happened()).toEqual([
    'day 0 renewed',
    'day 0 invoice_issued',
    'day 0 payment_received',
    'day 0 mail payment_receipt sent',
  ]);
});

it('a subscription that starts with its payment is paid by the authorisation itself', async () => {
  const customerId = await newCustomer(world, { currency: 'INR' });
  const id = await subscribe(world, { plan: 'pro-rupee', customerId, start: 'payment' });
  const { externalId, startsAt } = await world.ok(
    'POST',
    `/v1/subscriptions/${id}/razorpay_subscription`,
    {},
  );
  expect(startsAt).toBe(null);
  world.razorpay.authorize(externalId);
  await world.settle();
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
  const [invoice] = await invoicesOf(world, id);
  expect(invoice).toMatchObject({ status: 'paid', paidMinor: 249_900 });
});

it('a trial that ended without a card is taken up by an authorisation', async () => {
  const customerId = await newCustomer(world, { currency: 'INR' });
  const id = await subscribe(world, { plan: 'pro-rupee', customerId, start: 'trial' });
  await world.advance({ days: 15 });
  expect(await readSubscription(world, id)).toMatchObject({ status: 'suspended' });
  const { externalId } = await world.ok('POST', `/v1/subscriptions/${id}/razorpay_subscription`, {});
  world.razorpay.authorize(externalId);
  await world.settle();
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
});

it('a lost dispute over a charge of Razorpay ends the subscription, and with it the authorisation', async () => {
  const { id, onDay, charges, atRazorpay, state, happened } = await authorised();
  await onDay(0);
  await charges();
  await onDay(2);
  const { data } = await world.ok('GET', `/v1/payments?customerId=${(await state()).customerId}`);
  const dispute = world.razorpay.openDispute({ paymentId: data[0].externalId });
  await world.settle();
  expect((await world.ok('GET', '/v1/disputes')).data[0]).toMatchObject({
    status: 'open',
    paymentId: data[0].id,
  });
  world.razorpay.moveDispute(dispute, 'under_review');
  world.razorpay.moveDispute(dispute, 'lost');
  await world.settle();

  expect(await state()).toMatchObject({ status: 'cancelled', access: 'none' });
  expect(await atRazorpay()).toMatchObject({ status: 'cancelled', endReason: 'subscription_ended' });
  expect((await happened()).filter((line) => line.startsWith('day 2 '))).toEqual([
    'day 2 dispute open',
    'day 2 dispute under_review',
    `day 2 dispute ${price} lost`,
    'day 2 razorpay cancel',
    'day 2 dispute_opened',
    'day 2 dispute_lost',
    'day 2 cancelled',
    'day 2 access none',
    'day 2 razorpay_ended',
  ]);
  const [invoice] = await invoicesOf(world, id);
  expect(invoice).toMatchObject({ disputedMinor: 249_900 });
});
