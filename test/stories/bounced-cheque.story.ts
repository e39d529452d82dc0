/** A cheque that is not paid after all: access, the ladder, and what ends it. */
import { afterEach, expect, it } from 'vitest';
import { invoicesOf, mailsOf, readSubscription, subscribe } from './people.ts';
import { recovers, retryWithoutCard, takesAccess } from './phrases.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

it('a cheque activates and bounces five days later: access in grace, the ladder begins, and a wire ends it', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  const money = { amountMinor: 2900, currency: 'USD', reason: 'handed in at the office' };
  const cheque = { ...money, method: 'cheque', chequeNumber: '000417', reference: 'cheque 000417' };
  const { paymentId } = await world.ok('POST', `/v1/invoices/${invoice.id}/payments`, cheque);
  expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });

  await world.advanceTo('2031-03-08T10:00:00Z');
  const bounce = () =>
    world.ok('POST', `/v1/payments/${paymentId}/bounce`, { reason: 'returned for want of funds' });
  const first = await bounce();
  expect(first).toMatchObject({ returnCode: 'cheque_bounced', returnedMinor: 2900, allocations: [] });
  expect(await bounce()).toEqual(first);
  expect(await readSubscription(world, id)).toMatchObject({
    status: 'past_due',
    access: 'grace',
    dunning: { invoiceId: invoice.id },
  });

  // Of the ladder day 9, which is day 14 of the subscription.
  await world.advanceTo('2031-03-17T10:00:00Z');
  expect(await readSubscription(world, id)).toMatchObject({ status: 'past_due', access: 'restricted' });
  const wire = { ...money, method: 'wire', reference: 'wire 1' };
  await world.ok('POST', `/v1/invoices/${invoice.id}/payments`, wire);
  await world.advanceTo('2031-03-25T10:00:00Z');
  expect(await readSubscription(world, id)).toMatchObject({
    status: 'active',
    access: 'full',
    dunning: null,
  });

  const { startedAt: from } = await readSubscription(world, id);
  expect(await world.effects({ subscriptionId: id, from })).toEqual([
    'day 0 created',
    'day 0 invoice_issued',
    'day 0 charge_failed',
    'day 0 payment_received',
    'day 0 activated',
    'day 0 access full',
    'day 0 mail subscription_confirmed sent',
    'day 5 payment_returned',
    'day 5 past_due',
    'day 5 access grace',
    'day 5 mail payment_bounced sent',
    ...retryWithoutCard(6, 'payment_failed_1'),
    ...retryWithoutCard(8, 'payment_failed_2'),
    ...retryWithoutCard(10, 'payment_failed_final'),
    ...takesAccess(12, 'restricted'),
    ...recovers('day 14'),
  ]);
  const told = (await mailsOf(world, id)).find(({ subject }) => /not honoured/.test(subject));
  expect(told?.text).toContain('because your bank did not pay the cheque');
  expect(told?.text).toMatch(/we remind you|we will remind you|try/);
});

it('a cheque of a subscription that has ended bounces: the invoice is owed, the customer is told, nobody is chased', async () => {
  world = await createWorld({ startsAt: '2031-03-03T10:00:00Z' });
  const id = await subscribe(world, { start: 'payment' });
  const [invoice] = await invoicesOf(world, id);
  const cheque = {
    amountMinor: 2900,
    currency: 'USD',
    method: 'cheque',
    reason: 'handed in at the office',
    reference: 'cheque 1',
  };
  const { paymentId } = await world.ok('POST', `/v1/invoices/${invoice.id}/payments`, cheque);
  await world.ok('POST', `/v1/subscriptions/${id}/cancel`, { mode: 'now' });
  await world.advanceTo('2031-03-08T10:00:00Z');
  await world.ok('POST', `/v1/payments/${paymentId}/bounce`, { reason: 'account closed' });
  await world.advanceTo('2031-03-20T10:00:00Z');
  expect(await readSubscription(world, id)).toMatchObject({
    status: 'cancelled',
    access: 'none',
    dunning: null,
  });
  expect(await world.ok('GET', `/v1/invoices/${invoice.id}`)).toMatchObject({
    status: 'open',
    dueMinor: 2900,
  });
  const { startedAt: from } = await readSubscription(world, id);
  const effects = await world.effects({ subscriptionId: id, from });
  expect(effects.filter((line) => line.startsWith('day 5'))).toEqual([
    'day 5 payment_returned',
    'day 5 mail payment_bounced sent',
  ]);
});
