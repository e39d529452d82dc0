/**
 * Tax by an engine, through a subscription's life: on renewals, changes and refunds, and while the engine is away or cannot
 * use an address. The books of each world are checked at its end against what the engine was told.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { cancelNow, changePlan, previewChange } from './acts.ts';
import { paidFromTheStart } from './beginnings.ts';
import { invoicesOf, readSubscription, subscribe, useCard } from './people.ts';
import { type Actor, createStage, type Story } from './stage.ts';
import { type Body, createWorld, type World } from './world.ts';

type EngineStory = Story & { customer: Body; card?: string[] };

const seller = {
  legalName: 'Acme Books GmbH',
  address: { country: 'DE', postalCode: '10117', lines: ['Unter den Linden 1', 'Berlin'] },
  engine: 'stripe_tax',
};
const inGermany = { address: { country: 'DE' } };
const inNewYork = { address: { country: 'US', region: 'NY', postalCode: '10001' } };
/** The engine needs a postal code there. */
const inAmerica = { address: { country: 'US', region: 'NY' } };
const start = '2031-03-01T10:00:00Z';

describe('a seller who has chosen the engine', () => {
  const { tell } = createStage<Actor, EngineStory>({
    startsAt: start,
    days: 33,
    async begin(world, stories) {
      await world.ok('PUT', '/v1/tax_settings', seller);
      const ids: string[] = [];
      await world.together(async () => {
        for (const [index, { customer }] of stories.entries())
          ids.push(await subscribeTaxed(world, customer, index));
      });
      // Not before everybody has an invoice, however long the engine takes.
      await world.together(async () => {
        for (const [index, { card = ['succeeded'] }] of stories.entries())
          await useCard(world, ids[index] ?? '', ...card);
      });
      return Promise.all(
        ids.map(async (subscriptionId) => {
          const { startedAt } = await readSubscription(world, subscriptionId);
          return { world, subscriptionId, from: startedAt };
        }),
      );
    },
  });

  tell('bills each renewal with the tax it calculates', {
    customer: inNewYork,
    happens: [...startsFor('USD 31.57'), ...renewsFor(31, 'USD 31.57')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({
        taxEngine: 'stripe_tax',
        subtotalMinor: 2900,
        taxMinor: 257,
        lines: [{ taxes: [{ percent: '4' }, { percent: '4.875' }] }],
      });
    },
  });

  tell('bills the difference of an upgrade as the preview has shown it', {
    customer: inGermany,
    on: {
      12: async (actor) => {
        const shown = await previewChange(actor, { planCode: 'plus-monthly' });
        expect(shown.body).toMatchObject({
          lines: [
            { kind: 'change_credit', amountMinor: -1777, taxMinor: -338 },
            { kind: 'change_charge', amountMinor: 6068, taxMinor: 1153 },
          ],
          totalMinor: 5106,
          nextInvoice: { totalMinor: 11_781, taxMinor: 1881 },
        });
        expect((await changePlan(actor, { planCode: 'plus-monthly' })).body.outcome).toBe('paid');
      },
    },
    happens: [
      ...startsFor('USD 34.51'),
      'day 12 charge USD 51.06 succeeded',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 payment_received',
      'day 12 plan_changed',
      'day 12 mail plan_upgraded sent',
      ...renewsFor(31, 'USD 117.81'),
    ],
  });

  tell('gives the tax back with the price', {
    customer: inGermany,
    on: {
      5: async (actor) => {
        const { id } = await invoiceOf(actor, 0);
        const { data } = await actor.world.ok('GET', `/v1/payments?invoiceId=${id}`);
        await actor.world.ok('POST', `/v1/payments/${data[0].id}/refunds`, { amountMinor: 1000 });
      },
    },
    happens: [
      ...startsFor('USD 34.51'),
      'day 5 refund USD 10.00',
      'day 5 payment_refunded',
      'day 5 mail payment_refunded sent',
      ...renewsFor(31, 'USD 34.51'),
    ],
  });

  tell('owes no tax of an upgrade that lapsed unpaid', {
    customer: inGermany,
    card: ['succeeded', 'insufficient_funds', 'succeeded'],
    on: { 12: (actor) => changePlan(actor, { planCode: 'plus-monthly' }) },
    happens: [
      ...startsFor('USD 34.51'),
      'day 12 charge USD 51.06 refused insufficient_funds',
      'day 12 invoice_issued',
      'day 12 change_requested',
      'day 12 charge_failed',
      'day 12 mail payment_failed sent',
      'day 12 +23:00 change_lapsed',
      'day 12 +23:00 mail plan_change_lapsed sent',
      ...renewsFor(31, 'USD 34.51'),
    ],
  });

  tell('charges a business in another member state nothing', {
    customer: { address: { country: 'FR' }, taxId: 'FR 12345678901' },
    happens: [...startsFor('USD 29.00'), ...renewsFor(31, 'USD 29.00')],
    finally: async (actor) => {
      expect(await invoiceOf(actor, 1)).toMatchObject({ taxTreatment: 'reverse_charge', taxMinor: 0 });
    },
  });
});

describe('while the engine', () => {
  let world: World;
  afterEach(() => world.close());

  it('is away, a renewal waits and is billed when it is back; the anchor stays', async () => {
    const actor = await subscribed(inGermany);
    world.stripeFaults(engineAway);
    await world.advanceTo('2031-04-01T12:10:00Z');
    const { waitingFor } = await readSubscription(world, actor.subscriptionId);
    expect(waitingFor).toContain('Waiting for the tax of its invoice: the tax engine does not answer');
    world.stripeFaults({});
    await world.advanceTo('2031-04-02T10:00:00Z');
    expect((await world.effects(actor)).slice(paidFromTheStart.length)).toEqual([
      'day 31 invoice_held',
      ...renewsFor('31 +03:04', 'USD 34.51'),
    ]);
    expect((await readSubscription(world, actor.subscriptionId)).currentPeriod.endsAt.slice(0, 10)).toBe(
      '2031-05-01',
    );
  });

  it('cannot use the address, a renewal waits until it is mended, and is billed at once then', async () => {
    const actor = await subscribed(inNewYork);
    const { customerId } = await readSubscription(world, actor.subscriptionId);
    await world.ok('PATCH', `/v1/customers/${customerId}`, inAmerica);
    await world.advanceTo('2031-04-01T13:00:00Z');
    expect(await changePlan(actor, { planCode: 'plus-monthly' })).toMatchObject({ status: 409 });
    await world.ok('PATCH', `/v1/customers/${customerId}`, inNewYork);
    expect((await world.effects(actor)).slice(paidFromTheStart.length)).toEqual([
      'day 31 invoice_held',
      ...renewsFor('31 +03:00', 'USD 31.57'),
    ]);
  });

  it('is away, a subscription can be cancelled: nothing waits for the engine but the invoice', async () => {
    const actor = await subscribed(inGermany);
    world.stripeFaults(engineAway);
    await world.advanceTo('2031-04-01T11:00:00Z');
    expect((await cancelNow(actor)).status).toBe('cancelled');
    expect((await world.effects(actor)).slice(paidFromTheStart.length)).toEqual([
      'day 31 invoice_held',
      'day 31 +01:00 cancelled',
      'day 31 +01:00 access none',
      'day 31 +01:00 mail subscription_ended sent',
    ]);
  });

  it('is away, a change is refused, and carried out under the same key when it is back', async () => {
    const actor = await subscribed(inGermany);
    await world.advanceTo('2031-03-13T10:00:00Z');
    world.stripeFaults(engineAway);
    const path = `/v1/subscriptions/${actor.subscriptionId}/change_plan`;
    const wish = { body: { planCode: 'plus-monthly' }, key: 'one' };
    expect(await world.request('POST', path, wish)).toMatchObject({
      status: 503,
      body: { code: 'vendor_unavailable', reason: 'tax_engine_unavailable' },
    });
    world.stripeFaults({});
    expect(await world.request('POST', path, wish)).toMatchObject({ status: 200, body: { outcome: 'paid' } });
    expect(await invoiceOf(actor, 1)).toMatchObject({ status: 'paid', taxEngine: 'stripe_tax' });
  });

  it('is away at the end of a trial, the trial goes on, and its first period begins where it ended', async () => {
    world = await createWorld({ startsAt: start });
    await world.ok('PUT', '/v1/tax_settings', seller);
    const subscriptionId = await subscribeTaxed(world, inGermany, 0, 'trial');
    await useCard(world, subscriptionId, 'succeeded');
    await world.advanceTo('2031-03-14T12:00:00Z');
    world.stripeFaults(engineAway);
    await world.advanceTo('2031-03-15T10:02:30Z');
    expect((await readSubscription(world, subscriptionId)).status).toBe('trialing');
    world.stripeFaults({});
    await world.advanceTo('2031-03-16T10:00:00Z');
    const { status, currentPeriod } = await readSubscription(world, subscriptionId);
    expect([status, currentPeriod.startsAt.slice(0, 16)]).toEqual(['active', '2031-03-15T10:00']);
  });

  it('is away as a card comes for another subscription, an ended trial is taken up when it is back', async () => {
    world = await createWorld({ startsAt: start });
    await world.ok('PUT', '/v1/tax_settings', seller);
    const person = { email: 'two@example.test', name: 'Two', currency: 'USD', ...inGermany };
    const { id: customerId } = await world.ok('POST', '/v1/customers', person);
    const ended = await subscribe(world, { customerId, start: 'trial' });
    await world.advanceTo('2031-03-16T10:00:00Z');
    expect((await readSubscription(world, ended)).status).toBe('suspended');
    world.stripeFaults(engineAway);
    const other = await subscribe(world, { customerId, start: 'payment' });
    await useCard(world, other, 'succeeded');
    await world.advanceTo('2031-03-16T10:05:00Z');
    const statuses = async () => [
      (await readSubscription(world, ended)).status,
      (await readSubscription(world, other)).status,
    ];
    expect(await statuses()).toEqual(['suspended', 'incomplete']);
    world.stripeFaults({});
    await world.advanceTo('2031-03-16T10:20:00Z');
    expect(await statuses()).toEqual(['active', 'active']);
    expect(await invoicesOf(world, ended)).toMatchObject([{ status: 'paid', taxMinor: 551 }]);
  });

  /** Paid for on day 0, in a world of its own. */
  async function subscribed(customer: Body): Promise<Actor> {
    world = await createWorld({ startsAt: start });
    await world.ok('PUT', '/v1/tax_settings', seller);
    const subscriptionId = await subscribeTaxed(world, customer, 0);
    await useCard(world, subscriptionId, 'succeeded');
    const { startedAt } = await readSubscription(world, subscriptionId);
    return { world, subscriptionId, from: startedAt };
  }
});

const engineAway = { rates: { error_before: 1 }, ops: ['tax.calculations.create'] };

async function subscribeTaxed(
  world: World,
  customer: Body,
  index: number,
  how: 'trial' | 'payment' = 'payment',
): Promise<string> {
  const person = { email: `engine-${index}@example.test`, name: `Taxed ${index}`, currency: 'USD' };
  const { id: customerId } = await world.ok('POST', '/v1/customers', { ...person, ...customer });
  return subscribe(world, { customerId, start: how });
}

/** The subscription's n-th invoice, whole. */
async function invoiceOf({ world, subscriptionId }: Actor, index: number): Promise<Body> {
  const { id } = (await invoicesOf(world, subscriptionId))[index] ?? {};
  return world.ok('GET', `/v1/invoices/${id}`);
}

function startsFor(amount: string): string[] {
  return paidFromTheStart.map((line) => line.replace('USD 29.00', amount));
}

function renewsFor(day: number | string, amount: string): string[] {
  return [
    `day ${day} charge ${amount} succeeded`,
    `day ${day} renewed`,
    `day ${day} invoice_issued`,
    `day ${day} payment_received`,
    `day ${day} mail payment_receipt sent`,
  ];
}
