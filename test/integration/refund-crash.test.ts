/**
 * A worker is killed at every moment of giving money back, answers are lost, the vendor forgets our key or is away: its own
 * log holds exactly one refund, and our books say the same.
 */
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { createScene, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import {
  ask,
  at,
  booksOf,
  giveBack,
  givenAtVendor,
  type Paid,
  paidInvoice,
  syncOften,
} from './refund-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());

describe('a worker that is killed while it gives money back', () => {
  it('gives it back once, whenever it dies and whenever its successor dies too', async () => {
    await atEveryMoment(async (dieAt, dieAgainAt) => {
      const { paid, refundId } = await asked();
      const first = await runUntilDeath(paid, refundId, dieAt);
      await expectBooksToMatch(paid);
      await runUntilDeath(paid, refundId, dieAgainAt);
      await expectBooksToMatch(paid);
      await expectGivenOnce(paid, refundId);
      return first;
    });
  });

  it('gives it back once when the vendor has forgotten our key before the activity runs again', async () => {
    await atEveryMoment(async (dieAt) => {
      const { paid, refundId } = await asked();
      const first = await runUntilDeath(paid, refundId, dieAt);
      scene.sandbox.forgetIdempotencyKeys();
      await expectGivenOnce(paid, refundId);
      return first;
    });
  });

  it('gives it back once when the vendor tells of it before the activity runs again', async () => {
    await atEveryMoment(async (dieAt) => {
      const { paid, refundId } = await asked();
      const first = await runUntilDeath(paid, refundId, dieAt);
      await syncOften(scene, paid);
      expect((await booksOf(scene, paid)).refundedMinor).toBe(givenAtVendor(scene, paid).length * 1000);
      await expectGivenOnce(paid, refundId);
      return first;
    });
  });

  it('fails it once when the vendor refuses it', async () => {
    await atEveryMoment(async (dieAt) => {
      const { paid, refundId } = await asked();
      scene.sandbox.refund({ paymentIntent: paid.paymentIntent });
      const first = await runUntilDeath(paid, refundId, dieAt);
      scene.sandbox.forgetIdempotencyKeys();
      expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'failed' });
      expect(await booksOf(scene, paid)).toMatchObject({
        refunds: ['failed 1000 charge_already_refunded'],
        refundedMinor: 0,
      });
      return first;
    });
  });
});

describe('a refund whose answer does not come', () => {
  it.each(['drop_answer', 'error_after', 'malformed'] as const)(
    'because of %s is looked up, and never asked for again, also when the key is forgotten',
    async (fault) => {
      for (const forgets of [false, true]) {
        const { paid, refundId } = await asked();
        scene.sandbox.setFaults({ next: [{ fault, op: 'refunds.create' }] });
        await expect(giveBack(scene, paid, refundId)).rejects.toMatchObject({ code: 'outcome_unknown' });
        expect((await booksOf(scene, paid)).refunds).toEqual(['pending 1000']);
        if (forgets) scene.sandbox.forgetIdempotencyKeys();
        await expectGivenOnce(paid, refundId);
        expect(requestsFor(paid)).toBe(1);
      }
    },
  );

  it.each(['error_before', 'rate_limit', 'refuse'] as const)(
    'because of %s, before anything happened, is asked for again and given once',
    async (fault) => {
      const { paid, refundId } = await asked();
      scene.sandbox.setFaults({ next: [{ fault, op: 'refunds.create' }] });
      await expect(giveBack(scene, paid, refundId)).rejects.toMatchObject({
        code: expect.stringMatching(/outcome_unknown|rate_limited/),
      });
      await expectGivenOnce(paid, refundId);
    },
  );

  it('is not asked for again while the vendor cannot even be looked at', async () => {
    const { paid, refundId } = await asked();
    scene.sandbox.setFaults({ next: [{ fault: 'drop_answer', op: 'refunds.create' }] });
    await expect(giveBack(scene, paid, refundId)).rejects.toMatchObject({ code: 'outcome_unknown' });
    scene.sandbox.setFaults({ next: [{ fault: 'error_before', op: 'refunds.list' }] });
    await expect(giveBack(scene, paid, refundId)).rejects.toMatchObject({ code: 'vendor_unavailable' });
    expect(requestsFor(paid)).toBe(1);
    await expectGivenOnce(paid, refundId);
  });
});

it('without the look-up it would be given twice (negative control)', async () => {
  const { paid, refundId } = await asked();
  scene.sandbox.setFaults({ next: [{ fault: 'drop_answer', op: 'refunds.create' }] });
  await expect(giveBack(scene, paid, refundId)).rejects.toMatchObject({ code: 'outcome_unknown' });
  scene.sandbox.forgetIdempotencyKeys();
  const cardVendor = { ...scene.cardVendor, findRefund: async () => null };
  const { db, orderVendor, checkoutProvider, taxEngine, exchangeRates } = scene;
  const blind = createActivities({
    db,
    cardVendor,
    orderVendor,
    checkoutProvider,
    taxEngine,
    exchangeRates,
    log,
    drainOutbox: async () => 0,
  });
  await blind.stripe.giveBack({ tenantId: paid.tenantId, refundId, at });
  expect(givenAtVendor(scene, paid)).toEqual([1000, 1000]);
});

async function asked(): Promise<{ paid: Paid; refundId: string }> {
  const paid = await paidInvoice(scene);
  return { paid, refundId: await ask(scene, paid, { amountMinor: 1000 }) };
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

async function runUntilDeath(
  { tenantId }: Paid,
  refundId: string,
  dieAt: number,
): Promise<'died' | 'finished'> {
  const dying = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
  try {
    await dying.stripe.giveBack({ tenantId, refundId, at });
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}

/** How often the vendor was asked for a refund of the invoice. */
function requestsFor({ invoiceId }: Paid): number {
  return scene.sandbox
    .effects()
    .filter(({ op, businessRef }) => op === 'refunds.create' && businessRef === invoiceId).length;
}

/** However far a run came: at most one refund, and nothing is booked that was not given. */
async function expectBooksToMatch(paid: Paid): Promise<void> {
  const given = givenAtVendor(scene, paid);
  expect(given.length).toBeLessThanOrEqual(1);
  const { refunds, refundedMinor } = await booksOf(scene, paid);
  expect(refunds).toHaveLength(1);
  expect(refundedMinor).toBe(refunds[0] === 'succeeded 1000' ? 1000 : 0);
  if (refundedMinor > 0) expect(given).toEqual([1000]);
}

/** The activity runs again: one refund at the vendor, one here. */
async function expectGivenOnce(paid: Paid, refundId: string): Promise<void> {
  expect(await giveBack(scene, paid, refundId)).toEqual({ status: 'succeeded' });
  await syncOften(scene, paid);
  expect(givenAtVendor(scene, paid)).toEqual([1000]);
  expect(await booksOf(scene, paid)).toMatchObject({
    refunds: ['succeeded 1000'],
    notes: ['CN-000001 1000'],
    refundedMinor: 1000,
    paymentRefundedMinor: 1000,
    refundsMinor: 1000,
    cash: { 'cash:stripe': 2 * 2900 - 1000 },
  });
}
