/** A charge whose answer is lost is looked up, never repeated: however it was lost, and however much later. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { invoicesOf, subscribe, subscribePaid, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

const start = '2030-12-31T10:00:00Z';
let world: World;

describe('a charge that somebody waits for', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: start });
  });
  afterAll(() => world.close());

  const activates = ['invoice_issued', 'payment_received', 'activated', 'mail subscription_confirmed sent'];

  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'is made once, although its answer met %s',
    async (fault) => {
      const { id, happened } = await trialWithCard('succeeded');
      world.stripeFaults({ next: [{ fault, op: 'payment_intents.create' }] });

      expect(await world.ok('POST', `/v1/subscriptions/${id}/convert`, {})).toMatchObject({
        outcome: 'paid',
      });
      expect(await happened()).toEqual(today(`charge USD 29.00 succeeded (${fault})`, ...activates));
    },
  );

  it.each(['refuse', 'error_before', 'rate_limit'] as const)(
    'is made once, although %s kept it back at first',
    async (fault) => {
      const { id, happened } = await trialWithCard('succeeded');
      world.stripeFaults({ next: [{ fault, op: 'payment_intents.create' }] });

      expect(await world.ok('POST', `/v1/subscriptions/${id}/convert`, {})).toMatchObject({
        outcome: 'paid',
      });
      expect(await happened()).toEqual(today('charge USD 29.00 succeeded', ...activates));
    },
  );

  it('is not asked for again when it was declined and the answer was lost', async () => {
    const { id, happened } = await trialWithCard('insufficient_funds');
    world.stripeFaults({ next: [{ fault: 'drop_answer', op: 'payment_intents.create' }] });

    const answer = await world.request('POST', `/v1/subscriptions/${id}/convert`, { body: {} });
    expect(answer).toMatchObject({ status: 402, body: { code: 'card_declined' } });
    const declined = 'charge USD 29.00 refused insufficient_funds (drop_answer)';
    expect(await happened()).toEqual(today(declined, 'invoice_issued', 'charge_failed'));
  });

  it('asks the customer once when the answer with the link was lost', async () => {
    const { id, happened } = await trialWithCard('authentication_required');
    world.stripeFaults({ next: [{ fault: 'drop_answer', op: 'payment_intents.confirm' }] });

    const { outcome, actionUrl } = await world.ok('POST', `/v1/subscriptions/${id}/convert`, {});
    expect([outcome, actionUrl]).toEqual(['requires_action', expect.stringContaining('/3ds/pi_')]);
    expect(await happened()).toEqual(
      today(
        'charge USD 29.00 refused authentication_required',
        'link requires_action (drop_answer)',
        'invoice_issued',
        'charge_requires_action',
        'mail payment_action_required sent',
      ),
    );
  });
});

describe('renewals while the card vendor is away for 30 hours', () => {
  let wentThrough: string[];
  let neverArrived: string[];

  beforeAll(async () => {
    world = await createWorld({ startsAt: start });
    const first = await paid('succeeded');
    const second = await paid('succeeded');
    const lost = { fault: 'drop_answer', op: 'payment_intents.create' } as const;
    await world.advanceTo(hoursAfter(first.renewsAt, -1));
    world.stripeFaults({ next: [lost], rates: { refuse: 1 }, webhooks: { drop: 1 } });
    await world.advanceTo(hoursAfter(first.renewsAt, 30));
    world.stripe.forgetIdempotencyKeys();
    world.stripeFaults({});
    await world.advanceTo(hoursAfter(first.renewsAt, 36));
    wentThrough = byDay(await first.happened());
    neverArrived = byDay(await second.happened());
  });
  afterAll(() => world.close());

  // Looked at again after 15 minutes, an hour, and then every four; each look gives up after some three minutes.
  const postponed = (day: number, times: number) =>
    Array.from({ length: times }, () => `day ${day} collection_postponed`);

  it('are found when the charge went through before, although the vendor has forgotten our key', () => {
    expect(wentThrough).toEqual([
      'day 0 charge USD 29.00 succeeded (drop_answer)',
      'day 0 renewed',
      'day 0 invoice_issued',
      ...postponed(0, 8),
      ...postponed(1, 2),
      'day 1 payment_received',
      'day 1 mail payment_receipt sent',
    ]);
  });

  it('are charged once when nothing had reached the vendor', () => {
    expect(neverArrived).toEqual([
      'day 0 renewed',
      'day 0 invoice_issued',
      ...postponed(0, 8),
      ...postponed(1, 2),
      'day 1 charge USD 29.00 succeeded',
      'day 1 payment_received',
      'day 1 mail payment_receipt sent',
    ]);
  });
});

describe('a new card', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: start });
  });
  afterAll(() => world.close());

  it('is charged at once although the answer to the last charge of the old one is still missing', async () => {
    const { id, happened, renewsAt } = await paid('insufficient_funds');
    await world.advanceTo(hoursAfter(renewsAt, -1));
    const lost = { fault: 'drop_answer', op: 'payment_intents.create' } as const;
    world.stripeFaults({ next: [lost], rates: { refuse: 1 }, webhooks: { drop: 1 } });
    await world.advanceTo(hoursAfter(renewsAt, 2));
    world.stripeFaults({});
    expect(await useCard(world, id, 'succeeded')).toMatchObject({ outcome: 'paid' });
    await world.advanceTo(hoursAfter(renewsAt, 12));

    expect(byDay(await happened())).toEqual(
      today(
        'charge USD 29.00 refused insufficient_funds (drop_answer)',
        'renewed',
        'invoice_issued',
        'collection_postponed',
        'collection_postponed',
        'collection_postponed',
        'charge USD 29.00 succeeded',
        'payment_method_changed',
        // Only now is it known that the old card was declined.
        'charge_failed',
        'past_due',
        'access grace',
        'payment_received',
        'recovered',
        'access full',
        // By the time it could be sent, it was not true any more.
        'mail payment_failed skipped',
        'mail payment_recovered sent',
      ),
    );
  });
});

/** A trial with a card, an hour old; what happened is told from now on. */
async function trialWithCard(...outcomes: string[]) {
  const id = await subscribe(world, { start: 'trial' });
  await useCard(world, id, ...outcomes);
  await world.advance({ hours: 1 });
  const from = world.now();
  return { id, happened: () => world.effects({ subscriptionId: id, from }) };
}

/** A subscription that is paid for; what happened is told from its first renewal on. */
async function paid(...outcomes: string[]) {
  const id = await subscribePaid(world, { outcomes });
  const [{ periodEndsAt: renewsAt }] = await invoicesOf(world, id);
  return { id, renewsAt, happened: () => world.effects({ subscriptionId: id, from: renewsAt }) };
}

function hoursAfter(instant: string, hours: number): Date {
  return new Date(Date.parse(instant) + hours * 3_600_000);
}

/** Without the time of day, which depends on how long the vendor was asked in vain. */
function byDay(lines: string[]): string[] {
  return lines.map((line) => line.replace(/ \+\d\d:\d\d/, ''));
}

function today(...lines: string[]): string[] {
  return lines.map((line) => `day 0 ${line}`);
}
