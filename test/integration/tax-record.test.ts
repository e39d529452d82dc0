/**
 * What a tax engine is told of issued invoices: each sale once, and once whatever takes it back, killed at any moment, with
 * answers lost and keys forgotten. What the engine has then sums up to what our books owe.
 */
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRecordTax } from '../../activities/billing/tax-record.ts';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { putTaxSettings } from '../../db/queries/billing/tax.ts';
import { planChangeKey } from '../../domain/payments/payment.ts';
import { createScene, type DueSubscription, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import { ask, giveBack, paidBy, syncOften } from './refund-scene.ts';
import {
  atEngine,
  engineSubscription,
  inGermany,
  inNewYork,
  paidPeriod,
  stateOf,
  tellAll,
} from './tax-engine-scene.ts';

const log = pino({ level: 'silent' });
const HALFWAY = '2026-02-14T10:00:00.000Z';
let scene: Scene;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());
beforeEach(() => scene.sandbox.setFaults({}));

type Issued = DueSubscription & { invoiceId: string };

async function issued(): Promise<Issued> {
  const due = await engineSubscription(scene, 'issueFirstInvoice');
  const { invoiceId } = await scene.activities.billing.issueFirstInvoice(due);
  return { ...due, invoiceId: invoiceId ?? '' };
}

/** A second seat for the other half of the period; returns the invoice of the difference. */
async function upgraded(paying: Issued, outcome = 'succeeded'): Promise<Issued> {
  scene.sandbox.setCardOutcomes(paying.card, [outcome]);
  const { tenantId, subscriptionId } = paying;
  const { invoiceId } = await scene.activities.billing.changePlan({
    tenantId,
    subscriptionId,
    at: HALFWAY,
    actor: 'test',
    requestId: 'second seat',
    quantity: 2,
    proration: 'invoice_now',
  });
  const change = { ...paying, at: HALFWAY, invoiceId: invoiceId ?? '' };
  const origin = { origin: 'plan_change', originKey: planChangeKey('second seat') } as const;
  await collectInvoice(scene, { tenantId, invoiceId: change.invoiceId, at: HALFWAY, ...origin });
  return change;
}

async function refunded(paid: Issued, amountMinor: number) {
  const { tenantId, invoiceId, card, at } = paid;
  const input = { tenantId, invoiceId, origin: 'first_invoice', originKey: 'first_invoice', at } as const;
  const payment = await paidBy(scene, { tenantId, invoiceId, card, input });
  const refundId = await ask(scene, payment, { amountMinor });
  expect(await giveBack(scene, payment, refundId)).toEqual({ status: 'succeeded' });
  return payment;
}

function voided({ tenantId, invoiceId }: Issued): Promise<boolean> {
  return withTenant(scene.db, tenantId, async (tx) =>
    closeUnpaidInvoice(tx, await readInvoice(tx, invoiceId), { as: 'void', at: new Date(HALFWAY) }),
  );
}

/** Everything told, twice: what the engine has, and that it is what our books owe. */
async function told(due: DueSubscription): Promise<string[]> {
  await tellAll(scene, due);
  await tellAll(scene, due);
  const has = await atEngine(scene, due);
  const taxMinor = has.reduce((sum, each) => sum + Number(each.split(' tax ')[1]), 0);
  const { records, taxPayableMinor } = await stateOf(scene, due);
  expect(records.filter((record) => !record.endsWith(' recorded'))).toEqual([]);
  expect(taxMinor).toBe(0 - taxPayableMinor);
  return has;
}

describe('the engine is told', () => {
  it('of a sale as it was calculated', async () => {
    expect(await told(await issued())).toEqual(['sale 2900 tax 551']);
  });

  it('of each part that a refund gives back, tax included, to the last unit', async () => {
    const paid = await paidPeriod(scene);
    await refunded(paid, 1000);
    await refunded(paid, 1000);
    await refunded(paid, 1451);
    expect(await told(paid)).toEqual([
      'sale 2900 tax 551',
      'reversal -840 tax -160',
      'reversal -841 tax -159',
      'reversal -1219 tax -232',
    ]);
  });

  it('that a refund which the bank sent back has given nothing back', async () => {
    const paid = await paidPeriod(scene);
    const payment = await refunded(paid, 1000);
    await tellAll(scene, paid);
    const [made] = scene.sandbox
      .effects()
      .filter(({ op, businessRef }) => op === 'refunds.create' && businessRef === paid.invoiceId);
    scene.sandbox.failRefund(made?.objectId ?? '');
    await syncOften(scene, payment);
    expect(await told(paid)).toEqual(['sale 2900 tax 551', 'reversal -840 tax -160', 'reversal 840 tax 160']);
  });

  it('of a voided invoice, what is left of it', async () => {
    const invoice = await issued();
    await voided(invoice);
    expect(await told(invoice)).toEqual(['sale 2900 tax 551', 'reversal -2900 tax -551']);
  });

  it('of an upgrade: the sale, and what its credit takes back of the earlier one', async () => {
    const paying = await paidPeriod(scene);
    await upgraded(paying);
    const { invoices } = await stateOf(scene, paying);
    expect(invoices).toEqual(['paid 3451 tax 551', 'paid 1725 tax 275']);
    expect(await told(paying)).toEqual(['sale 2900 tax 551', 'sale 2900 tax 551', 'reversal -1450 tax -276']);
  });

  it('of an upgrade that is voided: all of it is taken back, and the earlier sale bears its tax again', async () => {
    const paying = await paidPeriod(scene);
    const change = await upgraded(paying, 'insufficient_funds');
    await voided(change);
    expect(await told(paying)).toEqual([
      'sale 2900 tax 551',
      'sale 2900 tax 551',
      'reversal -1450 tax -276',
      'reversal 1450 tax 276',
      'reversal -2900 tax -551',
    ]);
  });

  it('of the amounts that contain the tax as they stand on the invoice', async () => {
    const due = await engineSubscription(scene, 'issueFirstInvoice', inGermany, {
      priceDisplay: 'inclusive',
    });
    const { invoiceId } = await scene.activities.billing.issueFirstInvoice(due);
    await voided({ ...due, invoiceId: invoiceId ?? '' });
    expect(await told(due)).toEqual(['sale 2900 tax 463', 'reversal -2900 tax -463']);
  });

  it('of taxes of several places as one', async () => {
    expect(await told(await paidPeriod(scene, inNewYork))).toEqual(['sale 2900 tax 257']);
  });

  it('of what it has recorded also after the tenant has gone back to its own rates', async () => {
    const paying = await paidPeriod(scene);
    const { tenantId } = paying;
    await withTenant(scene.db, tenantId, (tx) =>
      putTaxSettings(tx, {
        tenantId,
        legalName: 'Acme',
        address: inGermany,
        taxIds: [],
        priceDisplay: 'exclusive',
        engine: 'own_rates',
        updatedAt: new Date(HALFWAY),
      }),
    );
    await upgraded(paying);
    await tellAll(scene, paying);
    expect(await atEngine(scene, paying)).toEqual(['sale 2900 tax 551', 'reversal -1450 tax -276']);
  });
});

describe('a record', () => {
  it('that overtakes what it takes back is told after it', async () => {
    const invoice = await issued();
    await voided(invoice);
    const { recordIds } = await stateOf(scene, invoice);
    const recordTax = createRecordTax({ ...scene, log });
    await recordTax({ tenantId: invoice.tenantId, recordId: recordIds[1] ?? '' });
    expect(await atEngine(scene, invoice)).toEqual(['sale 2900 tax 551', 'reversal -2900 tax -551']);
  });

  it.each(['refuse', 'error_before', 'rate_limit', 'drop_answer', 'malformed'] as const)(
    'is owed until the engine has said that it has it (%s)',
    async (fault) => {
      const invoice = await issued();
      scene.sandbox.setFaults({ next: [{ fault, op: 'tax.transactions.create_from_calculation' }] });
      await expect(tellAll(scene, invoice)).rejects.toMatchObject({
        code: expect.stringMatching(/outcome_unknown|vendor_unavailable|rate_limited/),
      });
      expect((await stateOf(scene, invoice)).records).toEqual(['sale owed']);
      expect(await told(invoice)).toEqual(['sale 2900 tax 551']);
    },
  );

  it('whose answer was lost until the engine had forgotten the key is there once, without its id', async () => {
    const invoice = await issued();
    scene.sandbox.setFaults({
      next: [{ fault: 'error_after', op: 'tax.transactions.create_from_calculation' }],
    });
    await expect(tellAll(scene, invoice)).rejects.toMatchObject({ code: 'outcome_unknown' });
    // Stripe repeats its error under the key.
    await expect(tellAll(scene, invoice)).rejects.toMatchObject({ code: 'outcome_unknown' });
    scene.sandbox.forgetIdempotencyKeys();
    expect(await told(invoice)).toEqual(['sale 2900 tax 551']);

    // Without the id nothing can be taken back there: a person has to.
    await voided(invoice);
    await tellAll(scene, invoice);
    const { records, timeline } = await stateOf(scene, invoice);
    expect(records).toEqual(['sale recorded', 'reversal refused']);
    expect(timeline).toContain('tax_record_refused');
  });

  it('that comes after the calculation has expired is refused, and the timeline says so once', async () => {
    const invoice = await issued();
    scene.sandbox.clock.set(new Date('2026-08-01T00:00:00Z'));
    await tellAll(scene, invoice);
    await tellAll(scene, invoice);
    const { records, timeline } = await stateOf(scene, invoice);
    expect(records).toEqual(['sale refused']);
    expect(timeline.filter((kind) => kind === 'tax_record_refused')).toHaveLength(1);
  });
});

describe('a relay that is killed while it tells the engine', () => {
  it('has told it everything once, whenever it dies and whatever it forgets', async () => {
    for (const forgets of [false, true]) {
      for (let dieAt = 1; ; dieAt += 1) {
        const invoice = await issued();
        await voided(invoice);
        const died = await tellAll(scene, invoice, mortal(scene, dieAt)).then(() => false, isDeath);
        const { records } = await stateOf(scene, invoice);
        const isInDoubt = records[0] === 'sale owed' && (await atEngine(scene, invoice)).length > 0;
        // Without the sale's id its reversal could not be told; that is the test before.
        if (forgets && !isInDoubt) scene.sandbox.forgetIdempotencyKeys();
        expect(await told(invoice)).toEqual(['sale 2900 tax 551', 'reversal -2900 tax -551']);
        if (!died) {
          expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(12);
          break;
        }
      }
    }
  });

  it('would tell it twice under references of its own (negative control)', async () => {
    const invoice = await issued();
    let tries = 0;
    const recordSale: Scene['taxEngine']['recordSale'] = (sale) => {
      tries += 1;
      const own = `${sale.reference}:${tries}`;
      return scene.taxEngine.recordSale({ ...sale, reference: own, idempotencyKey: own });
    };
    const careless = { ...scene, taxEngine: { ...scene.taxEngine, recordSale } };
    const fault = { fault: 'drop_answer', op: 'tax.transactions.create_from_calculation' } as const;
    scene.sandbox.setFaults({ next: [fault] });
    await expect(tellAll(scene, invoice, careless)).rejects.toMatchObject({ code: 'outcome_unknown' });
    await tellAll(scene, invoice, careless);
    const sales = scene.sandbox
      .effects()
      .filter(
        ({ businessRef, outcome }) => outcome === 'effect' && businessRef?.startsWith(invoice.invoiceId),
      );
    expect(sales).toHaveLength(2);
  });
});

function isDeath(error: unknown): boolean {
  if (error instanceof Death) return true;
  throw error;
}
