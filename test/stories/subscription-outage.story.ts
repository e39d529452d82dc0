/** Workers that are down over a date do what was due when they are back: once, late, and later dates stay where they are. */
import { afterEach, describe, expect, it } from 'vitest';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2031-03-01T15:00:00Z';

let world: World;
afterEach(() => world.close());

describe('when workers are down', () => {
  it('over one trial message, it is sent late, once, and the next one on its own date', async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
    await subscribe(world);
    await world.advanceTo('2031-03-07T15:00:00Z');
    await world.stopWorkers();
    await world.advanceTo('2031-03-09T18:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 mail trial_started sent',
    ]);

    await world.startWorkers();
    await world.advanceTo('2031-03-14T10:00:00Z');
    expect((await world.effects({ from: start })).slice(2)).toEqual([
      'day 8 +03:00 trial_message',
      'day 8 +03:00 mail trial_halfway sent',
      'day 12 trial_message',
      'day 12 mail trial_ending sent',
    ]);
  });

  it('over several trial messages, only the latest is sent', async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
    await subscribe(world);
    await world.stopWorkers();
    await world.advanceTo('2031-03-14T20:00:00Z');
    await world.startWorkers();
    await world.advanceTo('2031-03-20T15:00:00Z');
    expect(await world.effects({ from: start })).toEqual([
      'day 0 trial_started',
      'day 0 mail trial_started sent',
      'day 13 +05:00 trial_message',
      'day 13 +05:00 mail trial_last_chance sent',
      'day 14 suspended',
      'day 14 access suspended',
      'day 14 mail trial_ended sent',
    ]);
  });

  it('over the whole trial, it converts late with its first period from the day the trial ended', async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
    const id = await subscribe(world);
    await useCard(world, id, 'succeeded');
    await world.stopWorkers();
    await world.advanceTo('2031-03-17T15:00:00Z');
    await world.startWorkers();
    await world.advanceTo('2031-03-18T15:00:00Z');
    expect((await world.effects({ from: start })).slice(3)).toEqual([
      'day 14 invoice_issued',
      'day 16 charge USD 29.00 succeeded',
      'day 16 payment_received',
      'day 16 activated',
      'day 16 mail subscription_confirmed sent',
    ]);
    const { currentPeriod } = await readSubscription(world, id);
    expect(currentPeriod.startsAt.slice(0, 16)).toBe('2031-03-15T15:00');
  });

  it('over one renewal, it is charged late, once, and the next one on the anchor', async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
    const id = await subscribe(world, { start: 'payment' });
    await useCard(world, id, 'succeeded');
    await world.advanceTo('2031-03-31T15:00:00Z');
    await world.stopWorkers();
    await world.advanceTo('2031-04-03T15:00:00Z');
    await world.startWorkers();
    await world.advanceTo('2031-05-02T15:00:00Z');

    expect(await periodsOf(id)).toEqual([
      '0 paid 2031-03-01T15:00 to 2031-04-01T15:00',
      '1 paid 2031-04-01T15:00 to 2031-05-01T15:00',
      '2 paid 2031-05-01T15:00 to 2031-06-01T15:00',
    ]);
    expect(chargesTaken()).toEqual(['2031-03-01T15:00', '2031-04-03T15:00', '2031-05-01T15:00']);
  });

  it('over several renewals, each period is billed exactly once', async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
    const id = await subscribe(world, { start: 'payment' });
    await useCard(world, id, 'succeeded');
    await world.stopWorkers();
    await world.advanceTo('2031-06-10T15:00:00Z');
    await world.startWorkers();
    await world.advanceTo('2031-07-02T15:00:00Z');

    expect(await periodsOf(id)).toEqual([
      '0 paid 2031-03-01T15:00 to 2031-04-01T15:00',
      '1 paid 2031-04-01T15:00 to 2031-05-01T15:00',
      '2 paid 2031-05-01T15:00 to 2031-06-01T15:00',
      '3 paid 2031-06-01T15:00 to 2031-07-01T15:00',
      '4 paid 2031-07-01T15:00 to 2031-08-01T15:00',
    ]);
    expect(chargesTaken()).toEqual([
      '2031-03-01T15:00',
      '2031-06-10T15:00',
      '2031-06-10T15:00',
      '2031-06-10T15:00',
      '2031-07-01T15:00',
    ]);
    const receipts = (await world.effects()).filter((line) => line.includes('mail payment_receipt'));
    expect(receipts).toHaveLength(4);
  });
});

async function periodsOf(subscriptionId: string): Promise<string[]> {
  const invoices = await invoicesOf(world, subscriptionId);
  return invoices.map(
    ({ periodIndex, status, periodStartsAt, periodEndsAt }) =>
      `${periodIndex} ${status} ${periodStartsAt.slice(0, 16)} to ${periodEndsAt.slice(0, 16)}`,
  );
}

/** The minutes at which money was taken, by the vendor's log. */
function chargesTaken(): string[] {
  return world.stripe.charges().map(({ at }) => at.slice(0, 16));
}
