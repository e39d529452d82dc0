/** Converting before the trial ends: at once, refused by the bank, or with the customer's confirmation (3-D Secure). */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T15:00:00Z';
const day5 = '2031-03-06T15:00:00Z';

/** What every trial here begins with. */
const beginning = ['day 0 trial_started', 'day 0 payment_method_changed', 'day 0 mail trial_started sent'];
const messagesFromDay7 = [
  'day 7 trial_message',
  'day 7 mail trial_halfway sent',
  'day 12 trial_message',
  'day 12 mail trial_ending sent',
  'day 13 trial_message',
  'day 13 mail trial_last_chance sent',
];

let world: World;
afterEach(() => world.close());

describe('an early conversion', () => {
  it('whose card is declined leaves the trial as it was and voids its invoice; day 14 tries again', async () => {
    const id = await onTrialSinceDay0('insufficient_funds', 'succeeded');
    await world.advanceTo(day5);
    const refused = await world.request('POST', `/v1/subscriptions/${id}/convert`);
    expect(refused).toMatchObject({ status: 402, body: { code: 'card_declined' } });
    expect(await readSubscription(world, id)).toMatchObject({ status: 'trialing', access: 'full' });

    await world.advanceTo('2031-03-20T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      ...beginning,
      'day 5 charge USD 29.00 refused insufficient_funds',
      'day 5 invoice_issued',
      'day 5 charge_failed',
      ...messagesFromDay7,
      'day 14 charge USD 29.00 succeeded',
      'day 14 invoice_issued',
      'day 14 payment_received',
      'day 14 activated',
      'day 14 mail subscription_confirmed sent',
    ]);
    expect(await invoicesInShort(id)).toEqual(['INV-000001 void from day 5', 'INV-000002 paid from day 14']);
  });

  it('without a payment method is refused and writes nothing', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    const refused = await world.request('POST', `/v1/subscriptions/${id}/convert`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'payment_method_missing' } });
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 mail trial_started sent',
    ]);
    expect(await invoicesOf(world, id)).toEqual([]);
  });

  it('that the bank wants confirmed is mailed with the link and active once the customer has confirmed', async () => {
    const id = await onTrialSinceDay0('authentication_required');
    await world.advanceTo(day5);
    const { outcome, actionUrl } = await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    expect(outcome).toBe('requires_action');
    expect(world.resend.mails().at(-1)?.text).toContain(actionUrl);
    expect(await readSubscription(world, id)).toMatchObject({ status: 'trialing' });

    await world.advanceTo('2031-03-06T17:00:00Z');
    await answerBank(actionUrl, 'confirm');
    await world.advanceTo('2031-03-20T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      ...beginning,
      'day 5 charge USD 29.00 refused authentication_required',
      'day 5 link requires_action',
      'day 5 invoice_issued',
      'day 5 charge_requires_action',
      'day 5 mail payment_action_required sent',
      'day 5 +02:00 confirmation USD 29.00 succeeded',
      'day 5 +02:00 payment_received',
      'day 5 +02:00 activated',
      'day 5 +02:00 mail subscription_confirmed sent',
    ]);
  });

  it('that the customer refuses to confirm leaves the trial as it was and voids its invoice', async () => {
    const id = await onTrialSinceDay0('authentication_required', 'succeeded');
    await world.advanceTo(day5);
    const { actionUrl } = await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    await answerBank(actionUrl, 'fail');
    await world.advanceTo('2031-03-07T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      ...beginning,
      'day 5 charge USD 29.00 refused authentication_required',
      'day 5 link requires_action',
      'day 5 confirmation USD 29.00 refused requires_payment_method',
      'day 5 invoice_issued',
      'day 5 charge_requires_action',
      'day 5 charge_failed',
      'day 5 mail payment_action_required sent',
    ]);
    expect(await invoicesInShort(id)).toEqual(['INV-000001 void from day 5']);
    expect(await readSubscription(world, id)).toMatchObject({ status: 'trialing' });
  });

  it('that nobody confirms gives way to the end of the trial: called back, voided, billed from day 14 only', async () => {
    const id = await onTrialSinceDay0('authentication_required', 'succeeded');
    await world.advanceTo(day5);
    const { actionUrl } = await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    await world.advanceTo('2031-03-20T15:00:00Z');
    await answerBank(actionUrl, 'confirm');
    await world.advanceTo('2031-03-21T15:00:00Z');

    expect(await world.effects({ from: start })).toEqual([
      ...beginning,
      'day 5 charge USD 29.00 refused authentication_required',
      'day 5 link requires_action',
      'day 5 invoice_issued',
      'day 5 charge_requires_action',
      'day 5 mail payment_action_required sent',
      ...messagesFromDay7,
      'day 14 cancel charge canceled',
      'day 14 charge USD 29.00 succeeded',
      'day 14 conversion_lapsed',
      'day 14 invoice_issued',
      'day 14 payment_received',
      'day 14 activated',
      'day 14 mail subscription_confirmed sent',
    ]);
    expect(await invoicesInShort(id)).toEqual(['INV-000001 void from day 5', 'INV-000002 paid from day 14']);
  });

  it('asked for again with a link still open is charged once, from the day it was asked for again', async () => {
    const id = await onTrialSinceDay0('authentication_required', 'succeeded');
    await world.advanceTo(day5);
    await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    await world.advanceTo('2031-03-07T15:00:00Z');
    expect(await world.ok('POST', `/v1/subscriptions/${id}/convert`)).toMatchObject({ outcome: 'paid' });

    expect((await world.effects({ from: start })).slice(8)).toEqual([
      'day 6 cancel charge canceled',
      'day 6 charge USD 29.00 succeeded',
      'day 6 conversion_lapsed',
      'day 6 invoice_issued',
      'day 6 payment_received',
      'day 6 activated',
      'day 6 mail subscription_confirmed sent',
    ]);
    expect(await invoicesInShort(id)).toEqual(['INV-000001 void from day 5', 'INV-000002 paid from day 6']);
  });

  it('with a link still open when another card comes is charged to that card at once', async () => {
    const id = await onTrialSinceDay0('authentication_required');
    await world.advanceTo(day5);
    await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    expect(await useCard(world, id, 'succeeded')).toMatchObject({
      outcome: 'paid',
      subscription: { status: 'active' },
    });
    expect(world.stripe.charges()).toHaveLength(1);
    expect(await invoicesInShort(id)).toEqual(['INV-000001 paid from day 5']);
  });
});

/** A trial that began at `start`, with a card whose issuer answers as the script says. */
async function onTrialSinceDay0(...outcomes: string[]): Promise<string> {
  world = await createWorld({ startsAt: start });
  const id = await subscribe(world);
  await useCard(world, id, ...outcomes);
  return id;
}

/** The customer answers on the bank's page behind the link. */
async function answerBank(actionUrl: string, answer: 'confirm' | 'fail'): Promise<void> {
  await fetch(actionUrl, { method: 'POST', body: new URLSearchParams({ answer }), redirect: 'manual' });
  await world.settle();
}

async function invoicesInShort(subscriptionId: string): Promise<string[]> {
  const invoices = await invoicesOf(world, subscriptionId);
  return invoices.map(({ number, status, periodStartsAt }) => {
    const day = Math.round((Date.parse(periodStartsAt) - Date.parse(start)) / 86_400_000);
    return `${number} ${status} from day ${day}`;
  });
}
