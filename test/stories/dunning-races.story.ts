/**
 * A payment, a cancellation and a step of the ladder at the same time: under the customer's lock one comes after the
 * other, so each of the six orders has one right outcome, at every step.
 */
import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { caseState, findOpenCase } from '../../db/queries/billing/dunning-cases.ts';
import { lockSubscription, snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { dunningChangedSignal, dunningWorkflowId } from '../../workflows/billing/dunning.contract.ts';
import {
  subscriptionChangedSignal,
  subscriptionWorkflowId,
} from '../../workflows/billing/subscription.contract.ts';
import { customerOf, invoiceNow, payOutside } from './acts.ts';
import type { Actor } from './ensemble.ts';
import { type Happening, orders } from './orders.ts';
import { invoicesOf, readSubscription, subscribePaid } from './people.ts';
import { recovers, renewalFails, standardUntil } from './phrases.ts';
import { type Answer, createWorld, type World } from './world.ts';

const start = '2030-12-31T10:00:00Z';
const DAY_MS = 86_400_000;
/** So close to the step that the requests before it are answered in time, also on a slow machine. */
const CLOSE_MS = 5 * 60_000;
let world: World;

const steps = defaultDunningPolicies[0]?.steps ?? [];
const LAST_DAY = 30;

describe('in every order at every step of standard_30', () => {
  const actors = new Map<string, Actor>();
  const races = steps.flatMap(({ day }) =>
    orders.map((order) => ({ day, order, name: `day ${day}: ${order.join(', ')}` })),
  );

  beforeAll(async () => {
    world = await createWorld({ startsAt: start, actingMs: 20_000 });
    const ids: string[] = [];
    await world.together(async () => {
      for (const _ of races) ids.push(await subscribePaid(world, { outcomes: ['insufficient_funds'] }));
    });
    await world.advanceTo('2031-01-31T10:05:00Z');
    for (const [index, { name }] of races.entries()) {
      const subscriptionId = ids[index] ?? '';
      const [, invoice] = await invoicesOf(world, subscriptionId);
      actors.set(name, { world, subscriptionId, invoice, from: invoice.issuedAt });
    }
    for (const { day } of steps) {
      const now = races.filter((race) => race.day === day);
      const dates = now.map(({ name }) => Date.parse(actorOf(name).invoice.firstFailedAt) + day * DAY_MS);
      await world.advanceTo(new Date(Math.min(...dates) - CLOSE_MS));
      await playAll(now, ({ order }) => order.slice(0, order.indexOf('step')));
      await world.advanceTo(new Date(Math.max(...dates) + CLOSE_MS));
      await playAll(now, ({ order }) => order.slice(order.indexOf('step') + 1));
    }
  }, 600_000);
  afterAll(() => world.close());

  it.each(races)('$name', async ({ name, day, order }) => {
    const actor = actorOf(name);
    const { subscriptionId, invoice } = actor;
    const happened = await world.effects({ subscriptionId, from: invoice.issuedAt });
    expect(strands(happened)).toEqual(
      strands([...renewalFails(), ...standardUntil(day - 1), ...outcomeOf(order, day), ...winBacks(day)]),
    );

    const endedByLadder = day === LAST_DAY && order[0] === 'step';
    const paidInTime = order.indexOf('payment') < order.indexOf('cancellation') || endedByLadder;
    expect(await readSubscription(world, subscriptionId)).toMatchObject({
      status: 'cancelled',
      access: 'none',
      dunning: null,
    });
    expect(await invoiceNow(actor)).toMatchObject({ status: paidInTime ? 'paid' : 'void', dueMinor: 0 });
    expect(await customerOf(actor)).toMatchObject({ creditMinor: paidInTime ? 0 : 2900 });
  });

  function actorOf(name: string): Actor {
    const actor = actors.get(name);
    if (actor === undefined) throw new Error('The month was not played');
    return actor;
  }

  async function playAll(
    now: typeof races,
    part: (race: (typeof races)[number]) => Happening[],
  ): Promise<void> {
    await world.together(async () => {
      for (const race of now) for (const happening of part(race)) await play(happening, actorOf(race.name));
    });
  }
});

describe('at the very same time', () => {
  beforeAll(async () => {
    world = await createWorld({ startsAt: start, hasOutages: true });
  });
  afterAll(() => world.close());

  it('D7: a payment and a step that a worker finds together: the payment wins, whichever came first', async () => {
    const { paidBefore, paidAfter } = await unpaid('paidBefore', 'paidAfter');
    await world.advanceTo(paidBefore.day(6.99));
    await world.stopWorkers();
    await payOutside()(paidBefore);
    await world.advanceTo(paidAfter.day(7.5));
    await payOutside()(paidAfter);
    await world.startWorkers();
    await world.settle();

    const nothingTaken = strands([...renewalFails(), ...standardUntil(5), ...recovers('')]);
    expect(strands(await paidBefore.happened())).toEqual(nothingTaken);
    expect(strands(await paidAfter.happened())).toEqual(nothingTaken);
  });

  it('fifty requests and signals to one subscription end as if they had come one after the other', async () => {
    const { actor } = await unpaid('actor');
    const { subscriptionId, invoice } = actor;
    const path = `/v1/subscriptions/${subscriptionId}`;
    const wire = {
      amountMinor: 2900,
      currency: 'USD',
      method: 'wire',
      reason: 'on the statement',
      reference: 'one wire',
    };
    const newCard = () => ({ paymentMethodId: world.stripe.createCard({ outcomes: ['succeeded'] }) });
    const tenTimes = <T>(act: () => Promise<T>) => Promise.all(Array.from({ length: 10 }, act));

    const [cancelled, undone, paid, changed] = await world.together(() =>
      Promise.all([
        tenTimes(() => decided('POST', `${path}/cancel`, {})),
        tenTimes(() => decided('POST', `${path}/undo_cancel`, {})),
        tenTimes(() => world.request('POST', `/v1/invoices/${invoice.id}/payments`, { body: wire })),
        tenTimes(() => decided('PUT', `${path}/payment_method`, newCard())),
        tenTimes(() => tellOldNews(subscriptionId)),
      ]),
    );
    await world.settle();
    const { charges, timeline, mails } = strands(await actor.happened());
    const carriedOut = (answers: Answer[]) => answers.filter(({ status }) => status < 300).length;
    const times = (line: string) => [...timeline, ...mails].filter((each) => each === line).length;

    // A request was carried out or refused, and told of exactly when it was carried out.
    const statuses = new Set([...cancelled, ...undone].map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 200 && status !== 409)).toEqual([]);
    expect(times('cancellation_requested')).toBe(carriedOut(cancelled));
    expect(times('mail cancellation_confirmed sent')).toBe(carriedOut(cancelled));
    expect(times('cancellation_undone')).toBe(carriedOut(undone));
    expect(times('mail cancellation_undone sent')).toBe(carriedOut(undone));
    expect([carriedOut(changed), times('payment_method_changed')]).toEqual([10, 10]);

    // The invoice was paid once: by the wire or by a card, and if both came, the second became credit.
    const cardCharges = charges.filter((line) => line.endsWith('succeeded')).length;
    expect(paid.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
    expect([times('recovered'), times('mail payment_recovered sent')]).toEqual([1, 1]);
    expect(cardCharges).toBeLessThanOrEqual(1);
    expect(times('payment_received')).toBe(1 + cardCharges);
    expect(await customerOf(actor)).toMatchObject({ creditMinor: 2900 * cardCharges });

    // What the row says is what the process does.
    const { cancelAtPeriodEnd, status } = await readSubscription(world, subscriptionId);
    expect(status).toBe('active');
    expect(carriedOut(cancelled) - carriedOut(undone)).toBe(cancelAtPeriodEnd ? 1 : 0);
    await world.advanceTo(actor.day(32));
    const later = await readSubscription(world, subscriptionId);
    expect(later.status).toBe(cancelAtPeriodEnd ? 'cancelled' : 'active');
    expect(await invoicesOf(world, subscriptionId)).toHaveLength(cancelAtPeriodEnd ? 2 : 3);
  });
});

/** As callers are told to: the same request under the same key again, while the outcome is not known yet. */
async function decided(method: string, path: string, body: unknown): Promise<Answer> {
  const key = randomUUID();
  for (;;) {
    const answer = await world.request(method, path, { body, key });
    if (answer.body.code !== 'outcome_unknown') return answer;
  }
}

/** Subscriptions whose renewal was declined just now. */
async function unpaid<Names extends string>(...names: Names[]) {
  const ids: string[] = [];
  for (const _ of names) ids.push(await subscribePaid(world, { outcomes: ['insufficient_funds'] }));
  const { currentPeriod } = await readSubscription(world, ids.at(-1) ?? '');
  await world.advanceTo(new Date(Date.parse(currentPeriod.endsAt) + 1_000));
  const actors = await Promise.all(ids.map(unpaidActor));
  return Object.fromEntries(names.map((name, index) => [name, actors[index]])) as Record<Names, UnpaidActor>;
}

type UnpaidActor = Awaited<ReturnType<typeof unpaidActor>>;

async function unpaidActor(subscriptionId: string) {
  const [, invoice] = await invoicesOf(world, subscriptionId);
  return {
    world,
    subscriptionId,
    invoice,
    from: invoice.issuedAt,
    day: (days: number) => new Date(Date.parse(invoice.firstFailedAt) + days * DAY_MS),
    happened: () => world.effects({ subscriptionId, from: invoice.issuedAt }),
  };
}

/** A message that was overtaken on its way: all is well, it says, from before anything went wrong. */
async function tellOldNews(subscriptionId: string): Promise<void> {
  const { id, customerId } = await readSubscription(world, subscriptionId);
  const [snapshot, dunningCase] = await withTenant(world.db, world.tenantId, async (tx) => {
    const context = await lockSubscription(tx, id);
    const open = await findOpenCase(tx, customerId);
    return [snapshotOf(context), open === null ? null : await caseState(tx, context.tenant, open)] as const;
  });
  const old = { ...snapshot, version: 1, status: 'active' as const, ladder: null };
  await world.client.workflow.getHandle(subscriptionWorkflowId(id)).signal(subscriptionChangedSignal, old);
  if (dunningCase === null) return;
  const closed = { ...dunningCase, version: 0, closed: true };
  try {
    await world.client.workflow.getHandle(dunningWorkflowId(customerId)).signal(dunningChangedSignal, closed);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

function play(happening: Happening, actor: Actor): Promise<unknown> {
  // A subscription that the ladder has ended refuses to be cancelled, so the answer is not looked at.
  const cancellation = `/v1/subscriptions/${actor.subscriptionId}/cancel`;
  return happening === 'payment'
    ? payOutside(2900)(actor)
    : actor.world.request('POST', cancellation, { body: { mode: 'now' } });
}

/** What each of the three does, by what came before it. */
function outcomeOf(order: Happening[], day: number): string[] {
  let state: 'unpaid' | 'paid' | 'cancelled' | 'ended unpaid' = 'unpaid';
  const lines: string[] = [];
  for (const [index, happening] of order.entries()) {
    switch (`${happening} when ${state}` as const) {
      case 'step when unpaid':
        lines.push(...standardUntil(day).slice(standardUntil(day - 1).length));
        if (day === LAST_DAY) state = 'ended unpaid';
        break;
      case 'payment when unpaid':
        lines.push(...recovers(''));
        // The period ended on day 28: who pays now and stays is billed for the next one, in vain.
        if (day === LAST_DAY && order[index + 1] !== 'cancellation') lines.push(...renewalFails());
        state = 'paid';
        break;
      case 'payment when cancelled':
        lines.push(' payment_received', ' payment_unused', ' mail payment_unused sent');
        break;
      case 'payment when ended unpaid':
        lines.push(' payment_received', ' mail payment_received sent');
        break;
      case 'cancellation when unpaid':
      case 'cancellation when paid':
        lines.push(' cancelled', ' access none', ' mail subscription_ended sent');
        state = 'cancelled';
        break;
      default:
      // Nothing is left to do: a step of a closed case, a cancellation of what has ended.
    }
  }
  return lines;
}

/** A cancelled customer is written to twice; the story ends on day 30. */
function winBacks(endedOn: number): string[] {
  return [7, 21].flatMap((after, index) =>
    endedOn + after < LAST_DAY ? [' win_back', ` mail win_back_${index + 1} sent`] : [],
  );
}

/** Charges, timeline and mails, each in its own order: how they lie to each other within a minute is not told. */
function strands(lines: string[]) {
  const texts = lines.map((line) => line.replace(/^(day \d+( \+\d\d:\d\d)?)? /, ''));
  return {
    charges: texts.filter((text) => text.startsWith('charge ')),
    timeline: texts.filter((text) => !text.startsWith('charge ') && !text.startsWith('mail ')),
    mails: texts.filter((text) => text.startsWith('mail ')),
  };
}
