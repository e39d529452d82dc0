/**
 * Invoices whose tax an engine says: asked before the transaction that issues, so that an invoice bears the answer to exactly
 * what it bills, or is not issued yet. Killed at any moment, one invoice comes out, with one calculation.
 */

import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { eraseCustomer } from '../../db/queries/billing/erase-customer.ts';
import { createDraft, discardDraft } from '../../db/queries/billing/invoice-drafts.ts';
import { releaseTaxHolds } from '../../db/queries/billing/tax-hold.ts';
import { removeOldRows } from '../../db/queries/operations/retention.ts';
import { customers, subscriptions } from '../../db/schema/billing.ts';
import { taxCalculations, taxSettings } from '../../db/schema/tax.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import { nextAct, waitingFor } from '../../domain/billing/subscription.ts';
import type { TaxAnswer, TaxEngine } from '../../domain/billing/tax-engine.ts';
import { createScene, type DueSubscription, type IssuingAct, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';
import {
  askedEver,
  engineSubscription,
  HOUR_MS,
  inGermany,
  inNewYork,
  inTexas,
  move,
  paidPeriod,
  somewhereInAmerica,
  stateOf,
} from './tax-engine-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
let askedBefore = 0;
/** How often the engine was asked in this test. */
const asked = () => askedEver(scene) - askedBefore;
beforeAll(async () => {
  scene = await createScene();
});
afterAll(() => scene?.close());
beforeEach(() => {
  scene.sandbox.setFaults({});
  askedBefore = askedEver(scene);
});

const acts: readonly IssuingAct[] = ['endTrial', 'issueFirstInvoice', 'renew'];
const away = { fault: 'error_before', op: 'tax.calculations.create' } as const;

describe('an invoice', () => {
  it.each(acts)('of %s bears the tax the engine has calculated for it', async (kind) => {
    const due = await engineSubscription(scene, kind);
    const { invoiceId, snapshot } = await scene.activities.billing[kind](due);
    expect(invoiceId).not.toBeNull();
    expect(snapshot).not.toHaveProperty('taxHold');
    const { invoices, byEngine, taxes, records, taxPayableMinor } = await stateOf(scene, due);
    expect(invoices.at(-1)).toBe('open 3451 tax 551');
    expect(byEngine.at(-1)).toBe(true);
    expect(taxes).toEqual(['VAT 19 DE 2900 551']);
    expect(records).toEqual(['sale owed']);
    expect(taxPayableMinor).toBe(-551);
    expect(asked()).toBe(1);
  });

  it('names each place that levies a tax', async () => {
    const due = await engineSubscription(scene, 'issueFirstInvoice', inNewYork);
    await scene.activities.billing.issueFirstInvoice(due);
    expect((await stateOf(scene, due)).taxes).toEqual([
      'State Sales and Use Tax 4 US-NY 2900 116',
      'Local Sales and Use Tax, New York City 4.875 US-NY 2900 141',
    ]);
  });

  it('whose tax is on a part of the price keeps the share that was charged, for who takes it back', async () => {
    const due = await engineSubscription(scene, 'issueFirstInvoice', inTexas);
    await scene.activities.billing.issueFirstInvoice(due);
    const { taxes, lines } = await stateOf(scene, due);
    expect(taxes).toEqual(['State Sales and Use Tax 6.25 US-TX 2320 145']);
    expect(lines).toEqual([{ amountMinor: 2900, percents: ['5'] }]);
  });

  it('whose price contains the tax keeps the price', async () => {
    const settings = { priceDisplay: 'inclusive' } as const;
    const due = await engineSubscription(scene, 'issueFirstInvoice', inGermany, settings);
    await scene.activities.billing.issueFirstInvoice(due);
    const { invoices, taxes } = await stateOf(scene, due);
    expect(invoices).toEqual(['open 2900 tax 463']);
    expect(taxes).toEqual(['VAT 19 DE 2437 463']);
  });

  it('of an exempt customer without an address is issued without asking', async () => {
    const due = await engineSubscription(scene, 'issueFirstInvoice', null);
    await withTenant(scene.db, due.tenantId, (tx) =>
      tx.update(customers).set({ taxExemptReason: 'Charity' }),
    );
    await scene.activities.billing.issueFirstInvoice(due);
    const { invoices, byEngine, records } = await stateOf(scene, due);
    expect([invoices, byEngine, records]).toEqual([['open 2900 tax 0'], [false], []]);
    expect(asked()).toBe(0);
  });

  it('of a tenant with rates of its own asks nobody', async () => {
    const due = await engineSubscription(scene, 'renew', inGermany, { engine: 'own_rates' });
    await scene.activities.billing.renew(due);
    expect((await stateOf(scene, due)).byEngine).toEqual([false, false]);
    expect(asked()).toBe(0);
  });
});

describe('an engine that is away', () => {
  it.each(acts)('holds %s, writes no invoice, and issues it when the engine is back', async (kind) => {
    const due = await engineSubscription(scene, kind);
    const before = await stateOf(scene, due);
    scene.sandbox.setFaults({ next: [away] });
    const held = await scene.activities.billing[kind](due);
    expect(held.invoiceId).toBeNull();
    const until = new Date(Date.parse(due.at) + 60_000).toISOString();
    expect(held.snapshot.taxHold).toEqual({ reason: 'engine_unavailable', until });
    expect(nextAct(held.snapshot, due.at)?.at).toBe(until);
    expect(waitingFor(held.snapshot)).toContain('the tax engine does not answer');
    expect(await stateOf(scene, due)).toEqual({
      ...before,
      hold: { reason: 'engine_unavailable', since: due.at, until },
      timeline: [...before.timeline, 'invoice_held'],
    });

    // Too early, it changes nothing.
    expect((await scene.activities.billing[kind](due)).snapshot).toEqual(held.snapshot);
    const { invoiceId, snapshot } = await scene.activities.billing[kind]({ ...due, at: until });
    expect(invoiceId).not.toBeNull();
    expect(snapshot).not.toHaveProperty('taxHold');
    expect((await stateOf(scene, due)).invoices.at(-1)).toBe('open 3451 tax 551');
  });

  it.each(['refuse', 'drop_answer', 'error_after', 'malformed', 'rate_limit'] as const)(
    'because of %s is the same',
    async (fault) => {
      const due = await engineSubscription(scene, 'renew');
      scene.sandbox.setFaults({ next: [{ ...away, fault }] });
      const { snapshot } = await scene.activities.billing.renew(due);
      expect(snapshot.taxHold?.reason).toBe('engine_unavailable');
    },
  );

  it('is asked ever later, at most an hour apart, and the timeline says so once', async () => {
    const due = await engineSubscription(scene, 'renew');
    scene.sandbox.setFaults({ next: [{ ...away, times: 20 }] });
    const waits: number[] = [];
    for (let at = due.at, tries = 0; tries < 12; tries += 1) {
      const { snapshot } = await scene.activities.billing.renew({ ...due, at });
      const until = snapshot.taxHold?.until ?? '';
      waits.push((Date.parse(until) - Date.parse(at)) / 60_000);
      at = until;
    }
    expect(waits).toEqual([1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
    const { timeline } = await stateOf(scene, due);
    expect(timeline.filter((kind) => kind === 'invoice_held')).toHaveLength(1);
  });

  it('does not keep a first payment waiting for ever: it expires in its time', async () => {
    const due = await engineSubscription(scene, 'issueFirstInvoice');
    scene.sandbox.setFaults({ next: [{ ...away, times: 100 }] });
    let { snapshot } = await scene.activities.billing.issueFirstInvoice(due);
    let next = nextAct(snapshot, due.at);
    while (next?.kind === 'collect_first_invoice') {
      ({ snapshot } = await scene.activities.billing.issueFirstInvoice({ ...due, at: next.at }));
      next = nextAct(snapshot, next.at);
    }
    expect(next).toEqual({ kind: 'expire', at: new Date(Date.parse(due.at) + 23 * HOUR_MS).toISOString() });
    const ended = await scene.activities.billing.expireSubscription({ ...due, at: next?.at ?? '' });
    expect(ended.snapshot.status).toBe('expired');
    expect((await stateOf(scene, due)).hold).toBeNull();
  });

  it('has the daily run tried again: a draft that only waits for the engine is issued the same day', async () => {
    const due = await engineSubscription(scene, 'renew');
    await draftedFor(due);
    const run = () => scene.activities.operations.runDailyInvoices({ at: due.at });
    scene.sandbox.setFaults({ next: [away] });
    await expect(run()).rejects.toThrow('Not every invoice could be done now');
    expect((await stateOf(scene, due)).invoices).toHaveLength(1);
    expect(await run()).toMatchObject({ failed: 0 });
    expect((await stateOf(scene, due)).invoices.at(-1)).toBe('open 3451 tax 551');
  });

  it('is not waited for by a run whose draft has no address to ask about', async () => {
    const due = await engineSubscription(scene, 'renew', null);
    const draftId = await draftedFor(due);
    expect(await scene.activities.operations.runDailyInvoices({ at: due.at })).toMatchObject({ failed: 1 });
    await withTenant(scene.db, due.tenantId, (tx) => discardDraft(tx, draftId));
  });

  it('refuses a person who waits, and leaves no trace of the request', async () => {
    const paying = await paidPeriod(scene);
    const before = await stateOf(scene, paying);
    scene.sandbox.setFaults({ next: [away] });
    await expect(scene.activities.billing.changePlan(moreSeats(paying))).rejects.toMatchObject({
      code: 'vendor_unavailable',
      reason: 'tax_engine_unavailable',
    });
    expect(await stateOf(scene, paying)).toEqual(before);
    expect((await scene.activities.billing.changePlan(moreSeats(paying))).invoiceId).not.toBeNull();
  });
});

describe('a change from before the tenant asked an engine', () => {
  const ends = { actor: 'test', requestId: 'leave', reason: 'other' } as const;

  it('is billed with its tax when the subscription ends', async () => {
    const due = await unbilledChange();
    const { snapshot } = await scene.activities.billing.endSubscription(due);
    expect(snapshot.status).toBe('cancelled');
    expect(await stateOf(scene, due)).toMatchObject({
      invoices: ['paid 2900 tax 0', expect.stringMatching(/^open \d+ tax [1-9]/)],
      byEngine: [false, true],
      hold: null,
    });
  });

  it.each([
    ['is away', inGermany, 'engine_unavailable'],
    ['has no address to ask about', null, 'location_invalid'],
  ] as const)('holds the end while the engine %s, and no longer', async (_name, address, reason) => {
    const due = await unbilledChange();
    await move(scene, due, address);
    scene.sandbox.setFaults({ next: [away] });
    const { endSubscription } = scene.activities.billing;
    const held = await endSubscription(due);
    expect(held.snapshot).toMatchObject({ status: 'active', taxHold: { reason, holdsEnd: true } });
    const until = held.snapshot.taxHold?.until ?? '';
    expect(nextAct(held.snapshot, due.at)).toEqual({ kind: 'end', at: until });

    await move(scene, due, inGermany);
    scene.sandbox.setFaults({});
    const { snapshot } = await endSubscription({ ...due, at: until });
    expect(snapshot).toMatchObject({ status: 'cancelled', statusSince: due.at });
    expect(await stateOf(scene, due)).toMatchObject({ byEngine: [false, true], hold: null });
  });

  it('is billed by a cancellation at once, which is refused while the engine is away', async () => {
    const due = await unbilledChange();
    const policy = { ...defaultSubscriptionPolicy, openInvoiceOnCancel: 'keep' } as const;
    await withTenant(scene.db, due.tenantId, (tx) => tx.update(subscriptions).set({ policy }));
    const before = await stateOf(scene, due);
    const { cancelSubscription } = scene.activities.billing;
    const asked = { ...due, ...ends, mode: 'now' } as const;
    scene.sandbox.setFaults({ next: [away] });
    await expect(cancelSubscription(asked)).rejects.toMatchObject({ reason: 'tax_engine_unavailable' });
    expect(await stateOf(scene, due)).toEqual(before);
    expect((await cancelSubscription(asked)).snapshot.status).toBe('cancelled');
    expect((await stateOf(scene, due)).byEngine).toEqual([false, true]);
  });

  /** At the end of the period, cancelled for it, with a second seat that no invoice bills yet. */
  async function unbilledChange(): Promise<DueSubscription> {
    const due = await engineSubscription(scene, 'renew', inGermany, { engine: 'own_rates' });
    const { changePlan, cancelSubscription } = scene.activities.billing;
    const changed = await changePlan({ ...moreSeats(due), proration: 'next_invoice' });
    expect(changed.invoiceId).toBeNull();
    const halfway = { ...due, ...ends, at: moreSeats(due).at };
    await cancelSubscription({ ...halfway, requestId: 'leave later', mode: 'at_period_end' });
    await withTenant(scene.db, due.tenantId, (tx) => tx.update(taxSettings).set({ engine: 'stripe_tax' }));
    return due;
  }
});

describe('an address the engine cannot use', () => {
  it.each([
    ['too little of it', somewhereInAmerica],
    ['none', null],
  ])('(%s) holds the invoice until it is mended, and then it is issued at once', async (_name, address) => {
    const due = await engineSubscription(scene, 'renew', address);
    const { invoiceId, snapshot } = await scene.activities.billing.renew(due);
    expect(invoiceId).toBeNull();
    expect(waitingFor(snapshot)).toContain("cannot use the customer's address; mend it");
    const mended = new Date(Date.parse(due.at) + 1_000);
    await move(scene, due, inNewYork);
    await withTenant(scene.db, due.tenantId, async (tx) => {
      const [customer] = await tx.select().from(customers);
      await releaseTaxHolds(tx, customer?.id ?? '', mended);
    });
    const after = await scene.activities.billing.renew({ ...due, at: mended.toISOString() });
    expect(after.invoiceId).not.toBeNull();
    expect((await stateOf(scene, due)).invoices.at(-1)).toBe('open 3157 tax 257');
  });

  it('refuses a person who waits, with what is to be mended', async () => {
    const paying = await paidPeriod(scene);
    await move(scene, paying, somewhereInAmerica);
    await expect(scene.activities.billing.changePlan(moreSeats(paying))).rejects.toMatchObject({
      code: 'tax_location_invalid',
      message: expect.stringContaining('postal code'),
    });
  });

  it('is no matter of the code: what else the engine refuses is for who runs it', async () => {
    const due = await engineSubscription(scene, 'renew');
    await withTenant(scene.db, due.tenantId, (tx) => tx.execute("update plans set tax_code = 'txcd_1'"));
    const { snapshot } = await scene.activities.billing.renew(due);
    expect(snapshot.taxHold?.reason).toBe('engine_refused');
  });
});

describe('what changes while the engine is asked', () => {
  it('is asked about again: the invoice bears the tax of what it bills', async () => {
    const due = await engineSubscription(scene, 'renew');
    const calculate: TaxEngine['calculate'] = async (...request) => {
      const answer = await scene.taxEngine.calculate(...request);
      if (asked() === 1) await move(scene, due, inNewYork);
      return answer;
    };
    const { billing } = acting({ ...scene, taxEngine: { ...scene.taxEngine, calculate } });
    expect((await billing.renew(due)).invoiceId).not.toBeNull();
    expect((await stateOf(scene, due)).invoices.at(-1)).toBe('open 3157 tax 257');
    expect(asked()).toBe(2);
  });

  it('again and again is not billed: the activity begins anew', async () => {
    const due = await engineSubscription(scene, 'renew');
    let street = 0;
    const calculate: TaxEngine['calculate'] = async (...request) => {
      const answer = await scene.taxEngine.calculate(...request);
      await move(scene, due, { ...inGermany, lines: [`Street ${street++}`] });
      return answer;
    };
    const { billing } = acting({ ...scene, taxEngine: { ...scene.taxEngine, calculate } });
    await expect(billing.renew(due)).rejects.toMatchObject({ code: 'tax_not_calculated' });
    const { hold, byEngine } = await stateOf(scene, due);
    expect([hold, byEngine]).toEqual([null, [false]]);
  });
});

describe('a worker that is killed while it issues an invoice with an engine', () => {
  it.each(acts)(
    'issues one at %s, with the tax it was calculated, and nothing is left half-done',
    async (kind) => {
      for (let dieAt = 1; ; dieAt += 1) {
        const due = await engineSubscription(scene, kind);
        const issuedBefore = (await stateOf(scene, due)).invoices.length;
        const died = await acting(mortal(scene, dieAt))
          .billing[kind](due)
          .then(() => false, isDeath);
        const between = await stateOf(scene, due);
        expect(between.records).toHaveLength(between.invoices.length - issuedBefore);
        await scene.activities.billing[kind](due);
        const { invoices, records, taxPayableMinor, hold } = await stateOf(scene, due);
        expect(invoices.slice(issuedBefore)).toEqual(['open 3451 tax 551']);
        expect([records, taxPayableMinor, hold]).toEqual([['sale owed'], -551, null]);
        if (died) continue;
        expect(dieAt, 'a run has several moments to die at').toBeGreaterThan(9);
        return;
      }
    },
  );

  it('holds it once, whenever it dies while the engine is away', async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const due = await engineSubscription(scene, 'renew');
      scene.sandbox.setFaults({ next: [{ ...away, times: 2 }] });
      const died = await acting(mortal(scene, dieAt))
        .billing.renew(due)
        .then(() => false, isDeath);
      await scene.activities.billing.renew(due);
      const { timeline, invoices, hold } = await stateOf(scene, due);
      expect(timeline.filter((entry) => entry === 'invoice_held')).toHaveLength(1);
      expect([invoices.length, hold?.reason]).toEqual([1, 'engine_unavailable']);
      scene.sandbox.setFaults({});
      if (!died) return;
    }
  });

  it('would bill the tax of another place if it took the answer to another request (negative control)', async () => {
    const due = await engineSubscription(scene, 'renew');
    let first: Promise<TaxAnswer> | undefined;
    const calculate: TaxEngine['calculate'] = async (...request) => {
      first ??= scene.taxEngine.calculate(...request);
      const answer = await first;
      await move(scene, due, inNewYork);
      return answer;
    };
    const { billing } = acting({ ...scene, taxEngine: { ...scene.taxEngine, calculate } });
    await billing.renew(due);
    expect((await stateOf(scene, due)).invoices.at(-1)).toBe('open 3451 tax 551');
  });
});

describe('a calculation', () => {
  it('that no invoice has used is forgotten after a week; one that was used stays', async () => {
    const due = await engineSubscription(scene, 'renew');
    await scene.activities.billing.renew(due);
    const old = { externalId: 'taxcalc_old', fingerprint: 'old', engine: 'stripe_tax' } as const;
    await withTenant(scene.db, due.tenantId, async (tx) => {
      const [customer] = await tx.select().from(customers);
      const [tenantId, customerId, createdAt] = [due.tenantId, customer?.id ?? '', new Date('2026-01-01')];
      const row = { ...old, lines: [], tenantId, customerId, expiresAt: new Date('2026-04-01'), createdAt };
      await tx.insert(taxCalculations).values({ id: newId('tcal'), ...row });
    });
    expect((await stateOf(scene, due)).calculations).toBe(2);
    await removeOldRows(scene.db);
    expect((await stateOf(scene, due)).calculations).toBe(1);
  });

  it('cannot be found by the address of a customer who was erased, and cannot be rewritten', async () => {
    const due = await engineSubscription(scene, 'renew');
    await scene.activities.billing.renew(due);
    await withTenant(scene.db, due.tenantId, async (tx) => {
      const [customer] = await tx.select().from(customers);
      if (customer === undefined) throw new Error('no customer');
      await eraseCustomer(tx, customer, { actor: 'test', at: new Date() });
      const [calculation] = await tx.select().from(taxCalculations);
      expect(calculation?.fingerprint).toBe(calculation?.id);
    });
    for (const statement of [
      "UPDATE tax_calculations SET lines = '[]'",
      "UPDATE tax_records SET lines = '[]'",
      'DELETE FROM tax_records',
    ]) {
      await expect(
        withTenant(scene.db, due.tenantId, (tx) => tx.execute(statement)),
        statement,
      ).rejects.toMatchObject({ cause: { code: '42501' } });
    }
  });
});

function acting(deps: Pick<Scene, 'db' | 'cardVendor' | 'orderVendor' | 'checkoutProvider' | 'taxEngine'>) {
  const { exchangeRates } = scene;
  return createActivities({ ...deps, exchangeRates, log, drainOutbox: async () => 0 });
}

function isDeath(error: unknown): boolean {
  if (error instanceof Death) return true;
  throw error;
}

/** A second seat for the other half of the period. */
/** A draft that is due. */
function draftedFor({ tenantId, subscriptionId, at }: DueSubscription): Promise<string> {
  const lines = [{ description: 'Workshop', quantity: 1, unitMinor: 2900, taxCode: null }];
  const [day, daysUntilDue] = [new Date(at), 14];
  return withTenant(scene.db, tenantId, async (tx) => {
    const draft = { subscriptionId, lines, daysUntilDue, finalisesAt: day, at: day };
    return (await createDraft(tx, draft)).id;
  });
}

function moreSeats({ tenantId, subscriptionId }: DueSubscription) {
  return {
    tenantId,
    subscriptionId,
    at: '2026-02-14T10:00:00.000Z',
    actor: 'test',
    requestId: 'second seat',
    quantity: 2,
    proration: 'invoice_now',
  } as const;
}
