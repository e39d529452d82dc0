/** Trials: the messages on their days, how a trial ends, and one trial for each person and plan family. */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, newCustomer, readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T15:00:00Z';

let world: World;
afterEach(() => world.close());

describe('a trial', () => {
  it('is told of on days 7, 12 and 13 and converts on day 14 with the card on file', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await useCard(world, id, 'succeeded');

    await world.advanceTo('2031-03-20T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 payment_method_changed',
      'day 0 mail trial_started sent',
      'day 7 trial_message',
      'day 7 mail trial_halfway sent',
      'day 12 trial_message',
      'day 12 mail trial_ending sent',
      'day 13 trial_message',
      'day 13 mail trial_last_chance sent',
      'day 14 charge USD 29.00 succeeded',
      'day 14 invoice_issued',
      'day 14 payment_received',
      'day 14 activated',
      'day 14 mail subscription_confirmed sent',
    ]);
    expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });
    const [invoice] = await invoicesOf(world, id);
    expect(invoice).toMatchObject({
      number: 'INV-000001',
      status: 'paid',
      totalMinor: 2900,
      paidMinor: 2900,
    });
    const confirmation = world.resend.mails().at(-1);
    expect(confirmation?.text).toContain('INV-000001');
    expect(confirmation?.text).toContain('USD 29.00');
  });

  it('lasts 14 days to the second, also where the clocks change (T1)', async () => {
    world = await createWorld({ startsAt: start, timeZone: 'America/New_York' });
    const id = await subscribe(world);

    const { startedAt, trialEndsAt } = await readSubscription(world, id);
    expect(Date.parse(trialEndsAt) - Date.parse(startedAt)).toBe(14 * 86_400_000);
    expect([newYorkTime(startedAt), newYorkTime(trialEndsAt)]).toEqual(['10:00 EST', '11:00 EDT']);

    await world.advanceTo('2031-03-16T15:00:00Z');
    const told = (await world.effects()).filter((line) => line.includes(' mail '));
    expect(told).toEqual([
      '2031-03-01T15:00 mail trial_started sent',
      '2031-03-08T15:00 mail trial_halfway sent',
      '2031-03-13T15:00 mail trial_ending sent',
      '2031-03-14T15:00 mail trial_last_chance sent',
      '2031-03-15T15:00 mail trial_ended sent',
    ]);
  });

  it('that converts on day 9 is charged and confirmed at once, and its other messages are not sent (T3)', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await useCard(world, id, 'succeeded');
    await world.advanceTo('2031-03-10T15:00:00Z');

    expect(await world.ok('POST', `/v1/subscriptions/${id}/convert`)).toMatchObject({
      outcome: 'paid',
      subscription: { status: 'active', access: 'full' },
    });
    await world.advanceTo('2031-03-30T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 payment_method_changed',
      'day 0 mail trial_started sent',
      'day 7 trial_message',
      'day 7 mail trial_halfway sent',
      'day 9 charge USD 29.00 succeeded',
      'day 9 invoice_issued',
      'day 9 payment_received',
      'day 9 activated',
      'day 9 mail subscription_confirmed sent',
    ]);
    const { currentPeriod } = await readSubscription(world, id);
    expect([minute(currentPeriod.startsAt), minute(currentPeriod.endsAt)]).toEqual([
      '2031-03-10T15:00',
      '2031-04-10T15:00',
    ]);
  });

  it('that is extended sends what was not sent at the new dates, and nothing twice', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await world.advanceTo('2031-03-09T15:00:00Z');
    await world.ok('POST', `/v1/subscriptions/${id}/extend_trial`, { days: 7, reason: 'asked_by_sales' });

    await world.advanceTo('2031-03-24T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 mail trial_started sent',
      'day 7 trial_message',
      'day 7 mail trial_halfway sent',
      'day 8 trial_extended',
      'day 19 trial_message',
      'day 19 mail trial_ending sent',
      'day 20 trial_message',
      'day 20 mail trial_last_chance sent',
      'day 21 suspended',
      'day 21 access suspended',
      'day 21 mail trial_ended sent',
    ]);
  });

  it('extended twice under one Idempotency-Key is extended once', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    const extend = () =>
      world.request('POST', `/v1/subscriptions/${id}/extend_trial`, { body: { days: 7 }, key: 'seven-more' });

    const [first, second] = [await extend(), await extend()];
    expect(second.body).toEqual(first.body);
    const { startedAt, trialEndsAt } = await readSubscription(world, id);
    expect(Date.parse(trialEndsAt) - Date.parse(startedAt)).toBe(21 * 86_400_000);
  });
});

describe('a trial without a payment method', () => {
  it('is suspended with notice, and is taken up by a card within the window, from that instant (T7)', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await world.advanceTo('2031-03-21T15:00:00Z');
    expect(await readSubscription(world, id)).toMatchObject({ status: 'suspended', access: 'suspended' });
    expect(await invoicesOf(world, id)).toEqual([]);

    expect(await useCard(world, id, 'succeeded')).toMatchObject({
      outcome: 'paid',
      subscription: { status: 'active', access: 'full' },
    });
    await world.advanceTo('2031-04-10T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 mail trial_started sent',
      'day 7 trial_message',
      'day 7 mail trial_halfway sent',
      'day 12 trial_message',
      'day 12 mail trial_ending sent',
      'day 13 trial_message',
      'day 13 mail trial_last_chance sent',
      'day 14 suspended',
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
      'day 20 charge USD 29.00 succeeded',
      'day 20 payment_method_changed',
      'day 20 invoice_issued',
      'day 20 payment_received',
      'day 20 activated',
      'day 20 access full',
      'day 20 mail subscription_confirmed sent',
    ]);
    const { currentPeriod } = await readSubscription(world, id);
    expect([minute(currentPeriod.startsAt), minute(currentPeriod.endsAt)]).toEqual([
      '2031-03-21T15:00',
      '2031-04-21T15:00',
    ]);
  });

  it('expires when the window closes, never billed; a card that comes later is refused (T7)', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await world.advanceTo('2031-04-15T15:00:00Z');
    expect((await world.effects({ from: start })).slice(-5)).toEqual([
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
      'day 44 expired',
      'day 44 access none',
      'day 44 mail subscription_expired sent',
    ]);

    const late = await world.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
      body: { paymentMethodId: world.stripe.createCard({ outcomes: ['succeeded'] }) },
    });
    expect(late).toMatchObject({ status: 409, body: { reason: 'subscription_expired' } });
    expect(await invoicesOf(world, id)).toEqual([]);
    expect(world.stripe.charges()).toEqual([]);
  });
});

describe('a second trial', () => {
  it('of the same person and family is refused with the price, and the paid start is offered (T6)', async () => {
    world = await createWorld({ startsAt: start });
    await subscribe(world, { customerId: await newCustomer(world, { email: 'Ann.Other@example.test' }) });
    const again = await newCustomer(world, { email: 'ann.other@EXAMPLE.test' });

    const refused = await world.request('POST', '/v1/subscriptions', {
      body: { customerId: again, planCode: 'pro-yearly', start: 'trial' },
    });
    expect(refused).toMatchObject({ status: 409, body: { code: 'trial_already_used' } });
    expect(refused.body.detail).toContain('USD 290.00');
    expect(refused.body.detail).toContain('start: "payment"');

    const paid = await subscribe(world, { customerId: again, plan: 'pro-yearly', start: 'payment' });
    await useCard(world, paid, 'succeeded');
    expect(await readSubscription(world, paid)).toMatchObject({ status: 'active', access: 'full' });
    const otherFamily = await subscribe(world, { customerId: again, plan: 'team-weekly', start: 'trial' });
    expect(await readSubscription(world, otherFamily)).toMatchObject({ status: 'trialing' });
  });
});

function minute(instant: string): string {
  return instant.slice(0, 16);
}

function newYorkTime(instant: string): string {
  return new Date(instant).toLocaleTimeString('en-US', {
    timeZone: 'America/New_York',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  });
}
