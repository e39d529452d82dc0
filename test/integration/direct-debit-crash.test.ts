/**
 * A worker is killed at every moment of booking a return, and of presenting a returned debit again: the money is taken back
 * once in our books, the customer is told once, and the account is debited once more, never twice.
 */
import { eq } from 'drizzle-orm';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { chargeAttempts, payments } from '../../db/schema/payments.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { representmentKey } from '../../domain/payments/direct-debit.ts';
import { createScene, type Scene } from './collection-scene.ts';
import { at, bankSays, type Debited, debited, debitsOf, stateOf, syncOften } from './debit-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
const onItsDay = '2026-03-11T10:00:00.000Z';
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

describe('a worker that is killed while it books a return', () => {
  it.each(['in flight', 'weeks after the payment'])('%s books it once, and tells once', async (when) => {
    await atEveryMoment(async (dieAt) => {
      const debit = await debited(scene);
      if (when !== 'in flight') await bankSays(scene, debit, 'succeeded');
      await returned(debit, when);
      const first = await untilDeath(dieAt, ({ syncCardPayment }) =>
        syncCardPayment({ paymentId: debit.paymentIntent, inboxEventIds: [], at }),
      );
      await syncOften(scene, debit.paymentIntent);
      const state = await stateOf(scene, debit);
      expect(state).toMatchObject({
        status: 'past_due',
        invoice: 'open 0',
        payments: when === 'in flight' ? [] : ['0 back 2900 R01'],
        planned: [`representment ${onItsDay}`],
        cases: [],
      });
      expect(state.ledger).toMatchObject({ receivable: 2900, 'cash:stripe': 2900 });
      expect(state.mails.filter((template) => template === 'payment_returned')).toHaveLength(1);
      expect(state.timeline.filter((kind) => kind === 'representment_planned')).toHaveLength(1);
      return first;
    });
  });

  it('would take it back twice if the payment did not remember, and the database refuses that (negative control)', async () => {
    const debit = await debited(scene);
    await bankSays(scene, debit, 'succeeded');
    await returned(debit, 'weeks after the payment');
    await syncOften(scene, debit.paymentIntent);
    await withTenant(scene.db, debit.tenantId, (tx) =>
      tx
        .update(payments)
        .set({ returnedAt: null, returnCode: null, returnedMinor: 0, allocatedMinor: 2900 })
        .where(eq(payments.invoiceId, debit.invoiceId)),
    );
    await expect(syncOften(scene, debit.paymentIntent)).rejects.toThrow();
  });
});

describe('a worker that is killed while it presents a returned debit again', () => {
  it('debits the account once, whenever it dies, also when the vendor has forgotten our key', async () => {
    for (const forgets of [false, true]) {
      await atEveryMoment(async (dieAt) => {
        const debit = await debited(scene);
        await bankSays(scene, debit, 'R01');
        const again = await presentment(debit);
        const first = await untilDeath(dieAt, ({ collectInvoice }) => collectInvoice(again));
        if (forgets) scene.sandbox.forgetIdempotencyKeys();
        expect(await scene.activities.stripe.collectInvoice(again)).toMatchObject({ outcome: 'processing' });
        await expectDebitedTwice(debit);
        return first;
      });
    }
  });

  it.each(['drop_answer', 'error_after'] as const)(
    'or whose answer is lost by %s debits it once',
    async (fault) => {
      const debit = await debited(scene);
      await bankSays(scene, debit, 'R01');
      const again = await presentment(debit);
      scene.sandbox.setFaults({ next: [{ fault, op: 'payment_intents.create' }] });
      const { collectInvoice } = scene.activities.stripe;
      await expect(collectInvoice(again)).rejects.toMatchObject({ code: 'outcome_unknown' });
      scene.sandbox.forgetIdempotencyKeys();
      expect(await collectInvoice(again)).toMatchObject({ outcome: 'processing' });
      await expectDebitedTwice(debit);
    },
  );

  it('without the look-up it would be debited twice (negative control)', async () => {
    const debit = await debited(scene);
    await bankSays(scene, debit, 'R01');
    const again = await presentment(debit);
    scene.sandbox.setFaults({ next: [{ fault: 'drop_answer', op: 'payment_intents.create' }] });
    await expect(scene.activities.stripe.collectInvoice(again)).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    scene.sandbox.forgetIdempotencyKeys();
    const cardVendor: CardVendor = { ...scene.cardVendor, findCharge: async () => null };
    const { db, orderVendor, checkoutProvider, taxEngine, exchangeRates } = scene;
    const vendors = { cardVendor, orderVendor, checkoutProvider, taxEngine, exchangeRates };
    const blind = createActivities({ db, ...vendors, log, drainOutbox: async () => 0 });
    await blind.stripe.collectInvoice(again);
    expect(debitsOf(scene, debit)).toHaveLength(3);
  });
});

async function returned(debit: Debited, when: string): Promise<void> {
  if (when === 'in flight') scene.sandbox.settle(debit.paymentIntent, 'R01');
  else scene.sandbox.returnDebit(debit.paymentIntent, 'R01');
}

/** What the subscription's process asks for when the planned presentment is due. */
function presentment({ tenantId, invoiceId, input }: Debited) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [first] = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.invoiceId, invoiceId));
    const originKey = representmentKey(first?.id ?? '');
    return { ...input, origin: 'representment', originKey, at: onItsDay } as const;
  });
}

/** The debit that was returned, and the one new presentment, which the bank works on. */
async function expectDebitedTwice(debit: Debited): Promise<void> {
  expect(debitsOf(scene, debit)).toHaveLength(2);
  expect(await stateOf(scene, debit)).toMatchObject({
    attempts: ['failed R01', 'processing'],
    planned: [],
    mails: ['payment_returned'],
  });
}

/** More than a run has moments: whoever reaches it never ends. */
const MOMENTS_MAX = 40;

/** Lets a run die at the first moment it reaches, in the next play at the second, until it has none left. */
async function atEveryMoment(play: (dieAt: number) => Promise<'died' | 'finished'>): Promise<void> {
  for (let dieAt = 1; dieAt <= MOMENTS_MAX; dieAt += 1) {
    if ((await play(dieAt)) === 'died') continue;
    expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(4);
    return;
  }
  throw new Error(`A run has more than ${MOMENTS_MAX} moments`);
}

type Acts = ReturnType<typeof createActivities>['stripe'];

async function untilDeath(
  dieAt: number,
  act: (activities: Acts) => Promise<unknown>,
): Promise<'died' | 'finished'> {
  const dying = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await act(dying.stripe);
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}
