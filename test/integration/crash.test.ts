/**
 * A worker is killed at every moment of collecting an invoice, and the activity runs again, as Temporal makes it:
 * the vendor's own log holds exactly one charge, and our books say the same. Temporal is not needed for that; the
 * kill test in test/faults does it with real processes.
 */
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { type CollectInvoiceInput, collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { nextAct } from '../../domain/billing/subscription.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import {
  booksOf,
  createScene,
  type IssuingAct,
  invoicesOf,
  type OpenInvoice,
  PRICE_MINOR,
  type Scene,
} from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const log = pino({ level: 'silent' });
let scene: Scene;

beforeAll(async () => {
  scene = await createScene();
});

afterAll(() => scene?.close());

describe('a worker that is killed while it collects an invoice', () => {
  it('charges once, whenever it dies and whenever its successor dies too', async () => {
    await atEveryMoment(async (dieAt, dieAgainAt) => {
      const invoice = await scene.openInvoice();
      const first = await runUntilDeath(invoice.input, dieAt);
      await expectBooksToMatch(invoice);
      await runUntilDeath(invoice.input, dieAgainAt);
      await expectBooksToMatch(invoice);

      expect((await collect(invoice.input)).outcome).toBe('paid');
      await expectPaidOnce(invoice);
      return first;
    });
  });

  it('charges once when the vendor has forgotten our key before the activity runs again', async () => {
    await atEveryMoment(async (dieAt) => {
      const invoice = await scene.openInvoice();
      const first = await runUntilDeath(invoice.input, dieAt);
      scene.sandbox.forgetIdempotencyKeys();

      expect((await collect(invoice.input)).outcome).toBe('paid');
      await expectPaidOnce(invoice);
      return first;
    });
  });

  it('charges once when the webhook books the payment before the activity runs again', async () => {
    await atEveryMoment(async (dieAt) => {
      const invoice = await scene.openInvoice();
      const first = await runUntilDeath(invoice.input, dieAt);
      for (const { objectId } of chargesFor(invoice)) {
        const { syncCardPayment } = scene.activities.stripe;
        await syncCardPayment({ paymentId: objectId ?? '', inboxEventIds: [], at: invoice.input.at });
        expect((await booksOf(scene.db, invoice)).paid).toBe(true);
      }

      expect((await collect(invoice.input)).outcome).toBe('paid');
      await expectPaidOnce(invoice);
      return first;
    });
  });

  it('asks the issuer once about a card it declines, opens one case and tells the customer once', async () => {
    await atEveryMoment(async (dieAt) => {
      const invoice = await scene.openInvoice(['succeeded', 'insufficient_funds']);
      const first = await runUntilDeath(invoice.input, dieAt);
      await expectBooksToMatch(invoice);

      const again = await collect(invoice.input);
      expect(again).toMatchObject({ outcome: 'declined', code: 'insufficient_funds' });
      expect(answersFor(invoice)).toEqual(['refused insufficient_funds']);
      const { attempts, cases, mails } = await booksOf(scene.db, invoice);
      expect({ attempts, cases }).toEqual({ attempts: ['failed'], cases: 1 });
      expect(mails.filter((template) => template === 'payment_failed')).toHaveLength(1);
      return first;
    });
  });

  it('asks the customer once to confirm, and keeps the link', async () => {
    await atEveryMoment(async (dieAt) => {
      const invoice = await scene.openInvoice(['succeeded', 'authentication_required']);
      const first = await runUntilDeath(invoice.input, dieAt);

      const again = await collect(invoice.input);
      expect(again.outcome).toBe('requires_action');
      expect(again.actionUrl).toMatch(/\/3ds\/pi_/);
      expect(paymentsFor(invoice)).toHaveLength(1);
      const { mails } = await booksOf(scene.db, invoice);
      expect(mails.filter((template) => template === 'payment_action_required')).toHaveLength(1);
      return first;
    });
  });

  it('takes back a charge that waits for the customer before it charges again, and then charges once', async () => {
    await atEveryMoment(async (dieAt) => {
      const invoice = await scene.openInvoice(['succeeded', 'authentication_required']);
      expect((await collect(invoice.input)).outcome).toBe('requires_action');
      const [waiting = ''] = paymentsFor(invoice);
      scene.sandbox.setCardOutcomes(invoice.card, ['succeeded']);

      const retry = { ...invoice.input, origin: 'new_payment_method', originKey: 'method:1' } as const;
      const first = await runUntilDeath(retry, dieAt);
      expect((await collect(retry)).outcome).toBe('paid');
      expect(scene.sandbox.authenticate(waiting, 'confirm'), 'a late confirmation').toBe('canceled');
      await expectPaidOnce(invoice);
      return first;
    });
  });
});

describe('a worker that is killed while it issues an invoice', () => {
  const acts: readonly IssuingAct[] = ['endTrial', 'issueFirstInvoice', 'renew'];

  /** The worker that repeats the act may be busy with an older one first; that one only brings the row. */
  const overtaken = ['nothing', 'sendTrialMessage', 'sendWinBack'] as const;
  const places = acts.flatMap((kind) => overtaken.map((other) => ({ kind, other })));

  it.each(places)('$kind after $other: issues it once, and the row says to collect it', async (place) => {
    const { kind, other } = place;
    for (const lateDays of [0, 40]) {
      for (let dieAt = 1; dieAt <= 3; dieAt += 1) {
        const due = await scene.dueSubscription(kind);
        const dying = createActivities({ ...mortal(scene, dieAt), log, drainOutbox: async () => 0 });
        await expect(dying.billing[kind](due)).rejects.toBeInstanceOf(Death);

        const at = new Date(Date.parse(due.at) + lateDays * 86_400_000).toISOString();
        const { billing } = scene.activities;
        const seen = other === 'nothing' ? null : (await billing[other]({ ...due, at })).snapshot;
        const isDone = seen !== null && nextAct(seen, at)?.kind === 'collect';
        const { snapshot } = isDone ? { snapshot: seen } : await billing[kind]({ ...due, at });
        const issued = await invoicesOf(scene.db, due.tenantId);
        expect(issued.map(({ periodIndex }) => periodIndex)).toEqual(kind === 'renew' ? [0, 1] : [0]);

        const origin = kind === 'renew' ? 'renewal' : 'first_invoice';
        const charge = { invoiceId: issued.at(-1)?.id ?? '', origin, originKey: origin } as const;
        expect(nextAct(snapshot, at), `died at moment ${dieAt}, ${lateDays} days late`).toMatchObject({
          kind: 'collect',
          charge,
        });
        const { outcome, snapshot: paid } = await collect({ ...charge, tenantId: due.tenantId, at });
        expect(outcome).toBe('paid');
        expect(paid.plannedCharges).toEqual([]);
        const after = await invoicesOf(scene.db, due.tenantId);
        expect(after.map(({ status }) => status)).toEqual(issued.map(() => 'paid'));
      }
    }
  });
});

describe('a worker that was only frozen', () => {
  it('changes nothing when it wakes after its successor has booked the charge', async () => {
    const invoice = await scene.openInvoice();
    const charged = Promise.withResolvers<void>();
    const woken = Promise.withResolvers<void>();
    const charge: CardVendor['charge'] = async (request) => {
      const answer = await scene.cardVendor.charge(request);
      charged.resolve();
      await woken.promise;
      return answer;
    };
    const late = collectInvoice({ ...scene, cardVendor: { ...scene.cardVendor, charge } }, invoice.input);
    await charged.promise;
    expect((await collect(invoice.input)).outcome).toBe('paid');

    woken.resolve();
    expect((await late).outcome).toBe('paid');
    await expectPaidOnce(invoice);
  });
});

/** More than a run has moments: whoever reaches it never ends. */
const MOMENTS_MAX = 40;

/**
 * Lets a run die at the first moment it reaches, in the next play at the second, until it has none left. The
 * successor's moments are spread over a run, so that both die early and late without trying all pairs.
 */
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

async function runUntilDeath(input: CollectInvoiceInput, dieAt: number): Promise<'died' | 'finished'> {
  try {
    await collectInvoice(mortal(scene, dieAt), input);
    return 'finished';
  } catch (error) {
    if (error instanceof Death) return 'died';
    throw error;
  }
}

const collect = (input: CollectInvoiceInput) => collectInvoice(scene, input);

const effectsFor = ({ invoiceId }: OpenInvoice) =>
  scene.sandbox.effects().filter(({ businessRef }) => businessRef === invoiceId);

const chargesFor = ({ invoiceId }: OpenInvoice) =>
  scene.sandbox.charges().filter(({ businessRef }) => businessRef === invoiceId);

/** What became of every request about the invoice that was not just the stored answer again. */
const answersFor = (invoice: OpenInvoice) =>
  effectsFor(invoice)
    .filter(({ outcome }) => outcome !== 'replay')
    .map(({ outcome, detail }) => `${outcome} ${detail}`);

/** The vendor's ids of the payments we asked for. */
const paymentsFor = (invoice: OpenInvoice) => [
  ...new Set(effectsFor(invoice).flatMap(({ objectId }) => objectId ?? [])),
];

/** However far a run came: at most one charge, and an invoice is paid if and only if its payment is booked. */
async function expectBooksToMatch(invoice: OpenInvoice): Promise<void> {
  const { paid, receivedMinor, attempts, cashMinor, ledgerMinor } = await booksOf(scene.db, invoice);
  const charges = chargesFor(invoice).length;
  expect(charges).toBeLessThanOrEqual(1);
  expect(attempts.length).toBeLessThanOrEqual(1);
  if (charges === 1) expect(attempts, 'no charge without its row').toEqual([paid ? 'succeeded' : 'pending']);
  expect(receivedMinor).toEqual(paid ? [PRICE_MINOR] : []);
  expect({ cashMinor, ledgerMinor }).toEqual({
    cashMinor: paid ? 2 * PRICE_MINOR : PRICE_MINOR,
    ledgerMinor: 0,
  });
}

/** One charge at the vendor, one payment here, and the money of both of the customer's invoices in the account. */
async function expectPaidOnce(invoice: OpenInvoice): Promise<void> {
  expect(chargesFor(invoice).map(({ amountMinor }) => amountMinor)).toEqual([PRICE_MINOR]);
  const { paid, receivedMinor, attempts, cashMinor, ledgerMinor } = await booksOf(scene.db, invoice);
  expect({ paid, receivedMinor, cashMinor, ledgerMinor }).toEqual({
    paid: true,
    receivedMinor: [PRICE_MINOR],
    cashMinor: 2 * PRICE_MINOR,
    ledgerMinor: 0,
  });
  expect(attempts.filter((status) => status === 'succeeded')).toHaveLength(1);
}
