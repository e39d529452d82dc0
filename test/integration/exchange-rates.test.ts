/**
 * Reference rates: read from the vendor, kept once, day after day without a gap, whatever happens to the job or to the
 * vendor; and beside them what a tenant enters for itself.
 */
import { asc } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExchangeRateActivities } from '../../activities/payments/exchange-rates.ts';
import { createDatabase, type Database, withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { enterRate, readRate } from '../../db/queries/payments/exchange-rates.ts';
import { exchangeRates } from '../../db/schema/exchange-rates.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import type { FrankfurterSandbox } from '../../integrations/frankfurter/sandbox.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { startTestRates } from '../support/exchange-rates.ts';
import { Death, mortalFetch } from './mortal.ts';

let database: TestDatabase;
let db: Database;
let frankfurter: FrankfurterSandbox;
let vendor: ExchangeRates;

beforeEach(async () => {
  database = await createTestDatabase();
  db = createDatabase({ url: database.url });
  ({ frankfurter, exchangeRates: vendor } = await startTestRates());
});
afterEach(async () => {
  await frankfurter.close();
  await db.close();
  await database.drop();
});

describe('the daily fetch', () => {
  it('keeps the working days that are over, and not the one that may still change', async () => {
    await fetchOn('2026-03-05T23:59:00Z');
    expect((await keptDays()).slice(-4)).toEqual(['2026-02-27', '2026-03-02', '2026-03-03', '2026-03-04']);
    expect((await keptDays())[0]).toBe('2025-12-04');
  });

  it('keeps a rate as the digits that were published', async () => {
    frankfurter.setRates('2026-03-04', { USD: 1.0866, JPY: 163.1, GBP: 0.85559, XXX: 2 });
    await fetchOn('2026-03-05T00:10:00Z');
    const rates = await kept('2026-03-04');
    expect(rates).toEqual(['EUR GBP 0.85559 ecb', 'EUR JPY 163.1 ecb', 'EUR USD 1.0866 ecb']);
  });

  it('run again, and beside itself, changes nothing', async () => {
    await fetchOn('2026-03-05T00:10:00Z');
    const before = await all();
    const again = await Promise.all([
      fetchOn('2026-03-05T06:10:00Z'),
      fetchOn('2026-03-05T06:10:00Z'),
      fetchOn('2026-03-05T12:10:00Z'),
    ]);
    expect(again.map(({ stored }) => stored)).toEqual([0, 0, 0]);
    expect(await all()).toEqual(before);
  });

  it('after weeks in which it did not run, fetches every day that it missed', async () => {
    await fetchOn('2026-03-05T00:10:00Z');
    frankfurter.setRates('2026-04-03', null);
    await fetchOn('2026-07-01T00:10:00Z');
    expect(await keptDays()).toEqual(workingDays('2025-12-04', '2026-06-30', ['2026-04-03']));
  });

  it('killed at any moment is gone on with by the next one, without a gap and without a double', async () => {
    for (let dieAt = 1; dieAt <= MOMENTS_MAX; dieAt += 1) {
      const finished = await dyingFetch('2026-03-05T00:10:00Z', dieAt);
      const days = await keptDays();
      // Whatever is kept begins at the beginning.
      expect(days).toEqual(workingDays('2025-12-04', days.at(-1) ?? '2025-12-03'));
      await fetchOn('2026-03-05T06:10:00Z');
      expect(await keptDays()).toEqual(workingDays('2025-12-04', '2026-03-04'));
      if (finished) {
        expect(dieAt).toBeGreaterThan(6);
        return;
      }
      await database.drop();
      await db.close();
      database = await createTestDatabase();
      db = createDatabase({ url: database.url });
    }
    throw new Error('A run has no end');
  });

  it.each([
    ['error_before', 'vendor_unavailable'],
    ['error_after', 'vendor_unavailable'],
    ['refuse', 'vendor_unavailable'],
    ['drop_answer', 'vendor_unavailable'],
    ['malformed', 'vendor_unavailable'],
    ['rate_limit', 'rate_limited'],
  ] as const)('that meets %s keeps nothing of it, and may be repeated', async (fault, code) => {
    frankfurter.setFaults({ next: [{ fault }] });
    await expect(fetchOn('2026-03-05T00:10:00Z')).rejects.toMatchObject({ code });
    expect(await keptDays()).toEqual([]);
    await fetchOn('2026-03-05T00:11:00Z');
    expect((await keptDays()).at(-1)).toBe('2026-03-04');
  });

  it('of days on which nothing was published keeps nothing, and succeeds', async () => {
    await fetchOn('2026-03-07T00:10:00Z');
    expect(await fetchOn('2026-03-09T00:10:00Z')).toEqual({ stored: 0, until: '2026-03-08' });
  });
});

describe('a rate that is kept', () => {
  it('is neither changed nor removed, and the application adds none for everybody', async () => {
    await fetchOn('2026-03-05T00:10:00Z');
    const tenantId = await createTenant(db, { name: 'Acme' });
    const rate = {
      day: '2026-03-04',
      base: 'EUR',
      quote: 'USD',
      rate: '9',
      source: 'ecb',
      fetchedAt: new Date(),
    };
    const forged = withTenant(db, tenantId, (tx) =>
      tx.insert(exchangeRates).values({ id: newId('fxr'), tenantId: null, ...rate }),
    );
    await expect(forged).rejects.toMatchObject({ cause: { code: '42501' } });
    for (const change of [
      () => withTenant(db, tenantId, (tx) => tx.update(exchangeRates).set({ rate: '9' })),
      () => withSystem(db, (tx) => tx.delete(exchangeRates)),
    ]) {
      await expect(change()).rejects.toMatchObject({ cause: { code: '42501' } });
    }
  });

  it('holds before the published one for the tenant that entered it, and for no other', async () => {
    frankfurter.setRates('2026-03-04', { USD: 1.0866 });
    await fetchOn('2026-03-05T00:10:00Z');
    const [mine, theirs] = [await createTenant(db, { name: 'A' }), await createTenant(db, { name: 'B' })];
    const by = { actor: 'test', reason: 'agreed', at: new Date('2026-03-05T09:00:00Z') };
    for (const rate of ['2', '1.1']) {
      await withTenant(db, mine, (tx) =>
        enterRate(tx, { tenantId: mine, day: '2026-03-04', base: 'EUR', quote: 'USD', rate, ...by }),
      );
    }
    const pair = { base: 'EUR', quote: 'USD', day: '2026-03-05' };
    const legOf = async (tenantId: string) =>
      (await withTenant(db, tenantId, (tx) => readRate(tx, pair))).legs.map(({ rate, source }) => [
        rate,
        source,
      ]);
    expect(await legOf(mine)).toEqual([['1.1', 'manual']]);
    expect(await legOf(theirs)).toEqual([['1.0866', 'ecb']]);
  });
});

/** More than a run has. */
const MOMENTS_MAX = 40;

function fetchOn(at: string, deps = { db, exchangeRates: vendor }) {
  frankfurter.clock.set(new Date(at));
  return createExchangeRateActivities(deps).fetchExchangeRates({ at });
}

/** Returns whether it lived to its end. */
async function dyingFetch(at: string, dieAt: number): Promise<boolean> {
  try {
    await fetchOn(at, mortalFetch({ db, exchangeRates: vendor }, dieAt));
    return true;
  } catch (error) {
    if (!(error instanceof Death)) throw error;
    return false;
  }
}

function all() {
  return withSystem(db, (tx) => tx.select().from(exchangeRates).orderBy(asc(exchangeRates.id)));
}

async function keptDays(): Promise<string[]> {
  return [...new Set((await all()).map(({ day }) => day))].sort();
}

async function kept(day: string): Promise<string[]> {
  const rows = (await all()).filter((row) => row.day === day);
  return rows.map(({ base, quote, rate, source }) => `${base} ${quote} ${rate} ${source}`).sort();
}

function workingDays(from: string, to: string, closed: readonly string[] = []): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000) {
    const date = new Date(at);
    const day = date.toISOString().slice(0, 10);
    if (date.getUTCDay() % 6 !== 0 && !closed.includes(day)) days.push(day);
  }
  return days;
}
