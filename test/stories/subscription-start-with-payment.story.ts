/** A subscription that starts with a payment: nothing is given before it is paid, and it is awaited for 23 hours. */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T15:00:00Z';

let world: World;
afterEach(() => world.close());

describe('a subscription that starts with a payment', () => {
  it('gives no access until the card is charged, and then runs from its start', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world, { start: 'payment' });
    expect(await readSubscription(world, id)).toMatchObject({ status: 'incomplete', access: 'none' });

    await world.advanceTo('2031-03-01T16:00:00Z');
    expect(await useCard(world, id, 'succeeded')).toMatchObject({
      outcome: 'paid',
      subscription: { status: 'active', access: 'full' },
    });
    await world.advanceTo('2031-03-30T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 created',
      'day 0 invoice_issued',
      'day 0 charge_failed',
      'day 0 +01:00 charge USD 29.00 succeeded',
      'day 0 +01:00 payment_method_changed',
      'day 0 +01:00 payment_received',
      'day 0 +01:00 activated',
      'day 0 +01:00 access full',
      'day 0 +01:00 mail subscription_confirmed sent',
    ]);
    const { currentPeriod } = await readSubscription(world, id);
    expect(currentPeriod).toMatchObject({ index: 0 });
    expect(currentPeriod.endsAt.slice(0, 16)).toBe('2031-04-01T15:00');
  });

  it('expires after 23 hours without payment, with its invoice void', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world, { start: 'payment' });
    await world.advanceTo('2031-03-03T15:00:00Z');

    expect((await world.effects({ from: start })).slice(3)).toEqual([
      'day 0 +23:00 expired',
      'day 0 +23:00 mail subscription_expired sent',
    ]);
    expect(await readSubscription(world, id)).toMatchObject({ status: 'expired', access: 'none' });
    expect(await invoicesOf(world, id)).toMatchObject([{ status: 'void', dueMinor: 0 }]);
    const late = await world.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
      body: { paymentMethodId: world.stripe.createCard({ outcomes: ['succeeded'] }) },
    });
    expect(late).toMatchObject({ status: 409, body: { reason: 'subscription_expired' } });
    expect(world.stripe.effects().filter(({ op }) => op.startsWith('payment_intents.'))).toEqual([]);
  });

  it('declined at first is active with the card that works', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world, { start: 'payment' });
    const declined = await world.request('PUT', `/v1/subscriptions/${id}/payment_method`, {
      body: { paymentMethodId: world.stripe.createCard({ outcomes: ['generic_decline'] }) },
    });
    expect(declined).toMatchObject({ status: 402, body: { code: 'card_declined' } });
    expect(world.resend.mails().at(-1)?.text).toContain(
      'the subscription expires on Sun 2 Mar 2031 14:00 UTC',
    );
    await world.advanceTo('2031-03-02T09:00:00Z');
    await useCard(world, id, 'succeeded');

    await world.advanceTo('2031-03-04T15:00:00Z');
    expect((await world.effects({ from: start })).slice(1)).toEqual([
      'day 0 created',
      'day 0 invoice_issued',
      'day 0 charge_failed',
      'day 0 payment_method_changed',
      'day 0 charge_failed',
      'day 0 mail payment_failed sent',
      'day 0 +18:00 charge USD 29.00 succeeded',
      'day 0 +18:00 payment_method_changed',
      'day 0 +18:00 payment_received',
      'day 0 +18:00 activated',
      'day 0 +18:00 access full',
      'day 0 +18:00 mail subscription_confirmed sent',
    ]);
  });

  it('whose confirmation by the customer never comes expires, and its link takes no money any more', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world, { start: 'payment' });
    const { outcome, actionUrl } = await useCard(world, id, 'authentication_required');
    expect(outcome).toBe('requires_action');
    await world.advanceTo('2031-03-04T15:00:00Z');
    await fetch(actionUrl, {
      method: 'POST',
      body: new URLSearchParams({ answer: 'confirm' }),
      redirect: 'manual',
    });
    await world.advanceTo('2031-03-05T15:00:00Z');

    expect(await world.effects({ from: start })).toEqual([
      'day 0 charge USD 29.00 refused authentication_required',
      'day 0 link requires_action',
      'day 0 created',
      'day 0 invoice_issued',
      'day 0 charge_failed',
      'day 0 payment_method_changed',
      'day 0 charge_requires_action',
      'day 0 mail payment_action_required sent',
      'day 0 +23:00 cancel charge canceled',
      'day 0 +23:00 expired',
      'day 0 +23:00 mail subscription_expired sent',
    ]);
    expect(world.stripe.charges()).toEqual([]);
  });
});
