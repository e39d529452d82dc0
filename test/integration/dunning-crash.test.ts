/**
 * A worker is killed at every moment of every step of both ladders, and the step runs again: the vendor is asked once for
 * each charge, and the step is recorded, told of and felt once.
 */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DunningStepInput } from '../../activities/billing/dunning.ts';
import { createActivities } from '../../activities/index.ts';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import {
  dunningCases,
  dunningSteps,
  invoices,
  plans,
  subscriptionEvents,
  subscriptions,
} from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { type DunningStep, defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { createScene, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
const DAY_MS = 86_400_000;
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

const ladders = defaultDunningPolicies.map(({ name, steps }) => ({ name, steps }));
const places = ladders.flatMap(({ name, steps }) =>
  steps.map((step, index) => ({ ladder: name, day: step.day, index, steps })),
);
const charging = places.filter(({ steps, index }) => steps[index]?.retry);

it('knows the two ladders by their days', () => {
  expect(ladders.map(({ name, steps }) => [name, ...steps.map(({ day }) => day)])).toEqual([
    ['standard_30', 1, 3, 5, 7, 14, 30],
    ['short_10', 1, 3, 7, 10],
  ]);
});

describe('a worker that is killed while it performs a step', () => {
  it.each(places)('in vain, on day $day of $ladder: asks, records, tells and takes once', async (place) => {
    await atEveryMoment(async (dieAt, dieAgainAt) => {
      const unpaid = await onTheDay(place, ['insufficient_funds']);
      expect(await stateOf(unpaid)).toEqual(inVain(place, place.index - 1));
      const first = await untilDeath(unpaid, dieAt);
      scene.sandbox.forgetIdempotencyKeys();
      await untilDeath(unpaid, dieAgainAt);
      await perform(unpaid);
      await perform(unpaid);

      expect(await stateOf(unpaid)).toEqual(inVain(place, place.index));
      // The renewal itself, and one for each step that charges.
      const asked = place.steps.slice(0, place.index + 1).filter(({ retry }) => retry).length;
      expect(refusalsOf(unpaid)).toHaveLength(1 + asked);
      expect(amountsFor(unpaid)).toEqual([]);
      return first;
    });
  });

  it.each(charging)(
    'that is paid, on day $day of $ladder: charges once, and the ladder is left once',
    async (place) => {
      await atEveryMoment(async (dieAt, dieAgainAt) => {
        const unpaid = await onTheDay(place, ['succeeded']);
        const first = await untilDeath(unpaid, dieAt);
        scene.sandbox.forgetIdempotencyKeys();
        await untilDeath(unpaid, dieAgainAt);
        await perform(unpaid);
        await perform(unpaid);

        expect(amountsFor(unpaid)).toEqual([PRICE_MINOR]);
        expect(await stateOf(unpaid)).toEqual(recovered(place));
        return first;
      });
    },
  );

  it.each(charging)(
    'that is paid, on day $day of $ladder, and goes on without its charge: it is found, not asked for again',
    async (place) => {
      await atEveryMoment(async (dieAt) => {
        const unpaid = await onTheDay(place, ['succeeded']);
        const first = await untilDeath(unpaid, dieAt);
        await perform({ ...unpaid, input: { ...unpaid.input, charge: false } });
        scene.sandbox.forgetIdempotencyKeys();
        const { invoice, told } = await stateOf(unpaid);
        // Whoever died before the booking leaves an open invoice; its charge is looked at on the day that is planned for it.
        if (invoice === 'open') {
          expect(told.at(-1)).toBe(place.steps[place.index]?.template);
          await collectPlanned(unpaid);
        }

        expect(amountsFor(unpaid)).toEqual([PRICE_MINOR]);
        const { steps, ...state } = await stateOf(unpaid);
        expect(state).toMatchObject({ invoice: 'paid', outcome: 'recovered', ledgerMinor: 0 });
        expect(state.told.filter((template) => template === 'payment_recovered')).toHaveLength(1);
        expect(new Set(state.told).size, 'no mail twice').toBe(state.told.length);
        expect(new Set(steps).size, 'no step twice').toBe(steps.length);
        return first;
      });
    },
  );
});

type Place = (typeof places)[number];
type Unpaid = { invoiceId: string; input: DunningStepInput };

/** A renewal that has failed, with the steps before this one performed in vain; the card answers the next charges so. */
async function onTheDay({ ladder, steps, index }: Place, outcomes: string[]): Promise<Unpaid> {
  const {
    input: renewal,
    card,
    ...invoice
  } = await scene.openInvoice(['succeeded', 'insufficient_funds'], ladder);
  await withTenant(scene.db, invoice.tenantId, (tx) => offerFreePlan(tx));
  expect((await scene.activities.stripe.collectInvoice(renewal)).outcome).toBe('declined');
  const [opened] = await withTenant(scene.db, invoice.tenantId, (tx) => tx.select().from(dunningCases));
  if (opened === undefined) throw new Error('Nobody is dunned');
  const { id: caseId, customerId, firstFailedAt } = opened;
  const onDay = (step: number): Unpaid => ({
    invoiceId: invoice.invoiceId,
    input: {
      tenantId: invoice.tenantId,
      customerId,
      caseId,
      stepIndex: step,
      at: new Date(firstFailedAt.getTime() + (steps[step]?.day ?? 0) * DAY_MS).toISOString(),
      charge: true,
    },
  });
  for (let before = 0; before < index; before += 1) await perform(onDay(before));
  scene.sandbox.setCardOutcomes(card, outcomes);
  return onDay(index);
}

/** The plan to which the short ladder leads. */
async function offerFreePlan(tx: Tx): Promise<void> {
  const [plan] = await tx.select().from(plans);
  if (plan === undefined) throw new Error('There is no plan');
  await tx
    .insert(plans)
    .values({ ...plan, id: newId('plan'), code: 'free', name: 'Free', rank: 0, priceMinor: 0 });
}

function perform({ input }: Unpaid, activities = scene.activities) {
  return activities.stripe.performDunningStep(input);
}

async function untilDeath(unpaid: Unpaid, dieAt: number): Promise<'died' | 'finished'> {
  try {
    await perform(unpaid, createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 }));
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}

/** What the subscription's process asks for when the look that the step has planned is due. */
async function collectPlanned({ invoiceId, input: { tenantId } }: Unpaid): Promise<void> {
  const [row] = await withTenant(scene.db, tenantId, (tx) => tx.select().from(subscriptions));
  const planned = row?.plannedCharges.find((charge) => charge.invoiceId === invoiceId);
  if (planned === undefined) throw new Error('Nobody will look for the charge');
  const { origin, originKey, at } = planned;
  const { collectInvoice } = scene.activities.stripe;
  expect((await collectInvoice({ tenantId, invoiceId, origin, originKey, at })).outcome).toBe('paid');
}

/** What the vendor took for the invoice. */
function amountsFor(unpaid: Unpaid) {
  return scene.sandbox
    .charges()
    .filter(({ businessRef }) => businessRef === unpaid.invoiceId)
    .map(({ amountMinor }) => amountMinor);
}

/** How often the issuer said no to a charge of the invoice. */
function refusalsOf(unpaid: Unpaid) {
  return scene.sandbox
    .effects()
    .filter(({ businessRef, outcome }) => businessRef === unpaid.invoiceId && outcome === 'refused');
}

/** The ladder, and what the customer has got of it since the renewal failed. */
function stateOf({ invoiceId, input: { tenantId } }: Unpaid) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [row] = await tx.select().from(dunningCases);
    const steps = await tx.select().from(dunningSteps).orderBy(asc(dunningSteps.stepIndex));
    const [invoice] = await tx.select().from(invoices).where(eq(invoices.id, invoiceId));
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    const entries = await tx.select().from(ledgerEntries);
    return {
      steps: steps.map(({ stepIndex, outcome }) => `${stepIndex} ${outcome}`),
      nextStepIndex: row?.nextStepIndex,
      timesChanged: (row?.version ?? 0) - 1,
      outcome: row?.outcome,
      invoice: invoice?.status,
      told: since(
        mails.map(({ template }) => template as string),
        'payment_failed',
      ),
      happened: since(
        timeline.map(({ kind, details }) =>
          kind === 'access_changed' ? `access ${(details as { to: string }).to}` : kind,
        ),
        'access grace',
      ),
      ledgerMinor: entries.reduce((total, { amountMinor }) => total + amountMinor, 0),
    };
  });
}

const since = (all: string[], first: string) => all.slice(all.lastIndexOf(first) + 1);

type State = Awaited<ReturnType<typeof stateOf>>;

/** The ladder after the steps up to this one, each performed once and in vain. */
function inVain({ steps }: Place, upTo: number): State {
  const done = steps.slice(0, upTo + 1);
  const end = done.at(-1)?.end;
  const outcomes = { cancel: 'cancelled', downgrade: 'downgraded' } as const;
  return {
    steps: done.map((_, index) => `${index} performed`),
    nextStepIndex: done.length,
    timesChanged: done.length + (end === undefined ? 0 : 1),
    outcome: end === undefined ? null : outcomes[end],
    invoice: end === undefined ? 'open' : 'uncollectible',
    told: done.map(({ template }) => template),
    happened: done.flatMap(happensOf),
    ledgerMinor: 0,
  };
}

function happensOf({ retry, restrict, end }: DunningStep): string[] {
  if (retry) return ['charge_failed'];
  if (restrict !== undefined) return [`access_${restrict}`, `access ${restrict}`];
  return end === 'cancel' ? ['cancelled', 'access none'] : ['downgraded', 'access full'];
}

/** The steps before this one in vain, and then paid. */
function recovered(place: Place): State {
  const before = inVain(place, place.index - 1);
  return {
    ...before,
    timesChanged: before.timesChanged + 1,
    outcome: 'recovered',
    invoice: 'paid',
    told: [...before.told, 'payment_recovered'],
    happened: [...before.happened, 'payment_received', 'recovered', 'access full'],
  };
}

/** More than a run has moments: whoever reaches it never ends. */
const MOMENTS_MAX = 40;

/** Lets a run die at the first moment it reaches, in the next play at the second, until it has none left. */
async function atEveryMoment(
  play: (dieAt: number, dieAgainAt: number) => Promise<'died' | 'finished'>,
): Promise<void> {
  for (let dieAt = 1; dieAt <= MOMENTS_MAX; dieAt += 1) {
    if ((await play(dieAt, 1 + ((dieAt * 5) % 11))) === 'died') continue;
    expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(6);
    return;
  }
  throw new Error(`A run has more than ${MOMENTS_MAX} moments`);
}
