/** Cancelling: at the end of the period with access until then, taking it back, and at once. */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { type Answer, createWorld, type World } from './world.ts';

const start = '2031-03-01T10:00:00Z';
/** The first period ends here. */
const end = '2031-04-01T10:00:00Z';

/** Lines of a subscription that was paid at its start. */
const BEGINNING = 9;

let world: World;
afterEach(() => world.close());

describe('cancelling at the end of the period', () => {
  it('gives access until then, bills nothing more, and wins back on days 7 and 21 after', async () => {
    const id = await paidSince(start);
    await world.advanceTo('2031-03-11T10:00:00Z');
    const cancelled = await cancel(id, { reason: 'too_expensive', comment: 'Maybe next year.' });
    expect(cancelled).toMatchObject({
      status: 200,
      body: {
        status: 'active',
        access: 'full',
        cancelAtPeriodEnd: true,
        cancellation: { reason: 'too_expensive', comment: 'Maybe next year.' },
      },
    });
    await world.advanceTo('2031-03-31T10:00:00Z');
    expect(await readSubscription(world, id)).toMatchObject({ status: 'active', access: 'full' });

    await world.advanceTo('2031-05-10T10:00:00Z');
    expect((await world.effects({ from: start })).slice(BEGINNING)).toEqual([
      'day 10 cancellation_requested',
      'day 10 mail cancellation_confirmed sent',
      'day 31 cancelled',
      'day 31 access none',
      'day 31 mail subscription_ended sent',
      'day 38 win_back',
      'day 38 mail win_back_1 sent',
      'day 52 win_back',
      'day 52 mail win_back_2 sent',
      'day 61 data_erased',
    ]);
    expect(world.stripe.charges()).toHaveLength(1);
  });

  it('twice is refused, and confirmed by one mail', async () => {
    const id = await paidSince(start);
    await world.advanceTo('2031-03-02T10:00:00Z');
    await cancel(id);
    expect(await cancel(id)).toMatchObject({ status: 409, body: { reason: 'already_cancelled' } });
    expect((await world.effects({ from: start })).slice(BEGINNING)).toEqual([
      'day 1 cancellation_requested',
      'day 1 mail cancellation_confirmed sent',
    ]);
  });

  it('is taken back a moment before the period ends, and it renews exactly once (S3)', async () => {
    const id = await paidSince(start);
    await world.advanceTo('2031-03-11T10:00:00Z');
    await cancel(id);
    await world.advanceTo('2031-04-01T09:58:00Z');
    expect(await undo(id)).toMatchObject({
      status: 200,
      body: { cancelAtPeriodEnd: false, cancellation: null },
    });

    await world.advanceTo('2031-04-20T10:00:00Z');
    expect((await world.effects()).slice(BEGINNING)).toEqual([
      '2031-03-11T10:00 cancellation_requested',
      '2031-03-11T10:00 mail cancellation_confirmed sent',
      '2031-04-01T09:58 cancellation_undone',
      '2031-04-01T09:58 mail cancellation_undone sent',
      '2031-04-01T10:00 charge USD 29.00 succeeded',
      '2031-04-01T10:00 renewed',
      '2031-04-01T10:00 invoice_issued',
      '2031-04-01T10:00 payment_received',
      '2031-04-01T10:00 mail payment_receipt sent',
    ]);
    expect(await undo(id)).toMatchObject({ status: 409, body: { reason: 'not_cancelled' } });
  });

  it('cannot be taken back once the period is over', async () => {
    const id = await paidSince(start);
    await cancel(id);
    await world.advanceTo('2031-04-01T11:00:00Z');
    expect(await undo(id)).toMatchObject({ status: 409, body: { reason: 'subscription_cancelled' } });
  });

  it('during the trial sends no more messages, ends with the trial and is never billed', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await useCard(world, id, 'succeeded');
    await world.advanceTo('2031-03-09T10:00:00Z');
    await cancel(id);
    await world.advanceTo('2031-03-20T10:00:00Z');
    expect((await world.effects({ from: start })).slice(3)).toEqual([
      'day 7 trial_message',
      'day 7 mail trial_halfway sent',
      'day 8 cancellation_requested',
      'day 8 mail cancellation_confirmed sent',
      'day 14 cancelled',
      'day 14 access none',
      'day 14 mail subscription_ended sent',
    ]);
    expect(await invoicesOf(world, id)).toEqual([]);
  });

  it('during the trial and taken back, the trial goes on where it was', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await world.advanceTo('2031-03-06T10:00:00Z');
    await cancel(id);
    await world.advanceTo('2031-03-12T10:00:00Z');
    await undo(id);
    await world.advanceTo('2031-03-14T12:00:00Z');
    expect((await world.effects({ from: start })).slice(2)).toEqual([
      'day 5 cancellation_requested',
      'day 5 mail cancellation_confirmed sent',
      'day 11 cancellation_undone',
      'day 11 trial_message',
      'day 11 mail cancellation_undone sent',
      'day 11 mail trial_halfway sent',
      'day 12 trial_message',
      'day 12 mail trial_ending sent',
      'day 13 trial_message',
      'day 13 mail trial_last_chance sent',
    ]);
  });
});

describe('cancelling now', () => {
  it('ends access at once and keeps reason and comment; everything asked of it afterwards is refused', async () => {
    const id = await paidSince(start);
    await world.advanceTo('2031-03-11T10:00:00Z');
    const answer = await cancel(id, { mode: 'now', reason: 'missing_feature', comment: 'No dark mode.' });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        status: 'cancelled',
        access: 'none',
        cancellation: { reason: 'missing_feature', comment: 'No dark mode.' },
      },
    });
    for (const refused of [await cancel(id, { mode: 'now' }), await cancel(id), await undo(id)]) {
      expect(refused).toMatchObject({ status: 409, body: { reason: 'subscription_cancelled' } });
    }
    expect((await world.effects({ from: start })).slice(BEGINNING)).toEqual([
      'day 10 cancelled',
      'day 10 access none',
      'day 10 mail cancellation_confirmed sent',
    ]);
    const { data } = await world.ok('GET', `/v1/audit_log?entityId=${id}`);
    expect(data[0]).toMatchObject({
      action: 'subscription.cancelled',
      reason: 'missing_feature',
      details: { mode: 'now' },
    });
  });

  it('voids the open invoice where the plan says so: no more charges, no more dunning', async () => {
    const id = await overdueOn('pro-monthly');
    await cancel(id, { mode: 'now' });
    await world.advanceTo('2031-05-20T10:00:00Z');
    expect((await world.effects({ from: end })).slice(afterFailure)).toEqual([
      'day 2 cancelled',
      'day 2 access none',
      'day 2 mail cancellation_confirmed sent',
      'day 9 win_back',
      'day 9 mail win_back_1 sent',
      'day 23 win_back',
      'day 23 mail win_back_2 sent',
      'day 32 data_erased',
    ]);
    expect((await invoicesOf(world, id)).at(-1)).toMatchObject({ status: 'void', dueMinor: 0 });
  });

  it('keeps the open invoice where the plan says so: nobody is chased for it, and it can still be paid', async () => {
    const id = await overdueOn('pro-keep');
    await cancel(id, { mode: 'now' });
    await world.advanceTo('2031-04-10T08:00:00Z');
    const [, open] = await invoicesOf(world, id);
    expect(open).toMatchObject({ status: 'open', dueMinor: 2900 });

    await world.ok('POST', `/v1/invoices/${open.id}/payments`, {
      amountMinor: 2900,
      currency: 'USD',
      reference: 'wire 1',
    });
    await world.advanceTo('2031-04-11T10:00:00Z');
    expect((await world.effects({ from: end })).slice(afterFailure)).toEqual([
      'day 2 cancelled',
      'day 2 access none',
      'day 2 mail cancellation_confirmed sent',
      'day 8 +22:00 payment_received',
      'day 8 +22:00 mail payment_received sent',
      'day 9 win_back',
      'day 9 mail win_back_1 sent',
    ]);
    expect(await readSubscription(world, id)).toMatchObject({ status: 'cancelled', access: 'none' });
  });

  it('during the trial ends it at once, never billed', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world);
    await world.advanceTo('2031-03-03T10:00:00Z');
    await cancel(id, { mode: 'now' });
    await world.advanceTo('2031-03-16T10:00:00Z');
    expect((await world.effects({ from: start })).slice(2)).toEqual([
      'day 2 cancelled',
      'day 2 access none',
      'day 2 mail cancellation_confirmed sent',
      'day 9 win_back',
      'day 9 mail win_back_1 sent',
    ]);
    expect(await invoicesOf(world, id)).toEqual([]);
  });

  it('with a conversion that waits for the customer calls its charge back', async () => {
    world = await createWorld({ startsAt: start });
    const id = await subscribe(world, { plan: 'pro-keep' });
    await useCard(world, id, 'authentication_required');
    await world.ok('POST', `/v1/subscriptions/${id}/convert`);
    await cancel(id, { mode: 'now' });
    expect(await invoicesOf(world, id)).toMatchObject([{ status: 'void' }]);
    expect((await world.effects({ from: start })).filter((line) => line.includes('charge'))).toEqual([
      'day 0 charge USD 29.00 refused authentication_required',
      'day 0 cancel charge canceled',
      'day 0 charge_requires_action',
    ]);
  });
});

function cancel(id: string, body: Record<string, string> = {}): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${id}/cancel`, { body });
}

function undo(id: string): Promise<Answer> {
  return world.request('POST', `/v1/subscriptions/${id}/undo_cancel`);
}

async function paidSince(startsAt: string, plan = 'pro-monthly', ...outcomes: string[]): Promise<string> {
  world = await createWorld({ startsAt });
  const id = await subscribe(world, { plan, start: 'payment' });
  await useCard(world, id, 'succeeded', ...outcomes);
  return id;
}

/** A renewal failed on 1 April and once more on the ladder; it is 3 April. */
async function overdueOn(plan: string): Promise<string> {
  const id = await paidSince(start, plan, 'insufficient_funds');
  await world.advanceTo('2031-04-03T10:00:00Z');
  return id;
}

/** Lines of the failed renewal and of the ladder's first day. */
const afterFailure = 10;
