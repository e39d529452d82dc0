/** Renewals: on the anchor's day and wall time in the tenant's zone, for years, one invoice for each period. */
import { afterEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { invoicesOf, subscribe, useCard } from './people.ts';
import { createWorld, type World } from './world.ts';

let world: World;
afterEach(() => world.close());

describe('for two years from 31 January, through a leap year and every change of the clocks', () => {
  it.each([
    { timeZone: 'UTC', firstAt: '2027-01-31T10:00:00Z' },
    { timeZone: 'America/New_York', firstAt: '2027-01-31T15:00:00Z' },
    { timeZone: 'Pacific/Auckland', firstAt: '2027-01-30T21:00:00Z' },
  ])(
    'in $timeZone each month is billed once, on its last day, for 25 times the price in all',
    async ({ timeZone, firstAt }) => {
      world = await createWorld({ startsAt: firstAt, timeZone });
      const id = await startPaid('pro-monthly');
      await world.advance({ days: 2 * 365 + 2 });

      const starts = Array.from({ length: 25 }, (_, month) => monthStart(month));
      const invoices = await invoicesOf(world, id);
      expect(invoices.map(({ periodStartsAt }) => localTime(periodStartsAt, timeZone))).toEqual(starts);
      expect(invoices.map(({ periodIndex }) => periodIndex)).toEqual([...starts.keys()]);
      expect(new Set(invoices.map(({ status }) => status))).toEqual(new Set(['paid']));
      expect((await world.effects()).slice(BEGINNING)).toEqual(
        invoices.slice(1).flatMap(({ periodStartsAt }) => renewalLines(periodStartsAt)),
      );
      const totalMinor = starts.length * PRICE_MINOR;
      expect(invoices.map((invoice) => invoice.totalMinor)).toEqual(starts.map(() => PRICE_MINOR));
      expect(sum(invoices.map(({ paidMinor }) => paidMinor))).toBe(totalMinor);
      expect(world.stripe.charges()).toHaveLength(starts.length);
      expect(sum(world.stripe.charges().map(({ amountMinor }) => amountMinor ?? 0))).toBe(totalMinor);
      expect(await balances()).toEqual({ 'cash:stripe': totalMinor, revenue: -totalMinor });
    },
    300_000,
  );
});

it('a year from a leap day is billed on 28 February, and on the 29th again in the next leap year', async () => {
  world = await createWorld({ startsAt: '2028-02-29T10:00:00Z' });
  const id = await startPaid('pro-yearly');
  await world.advanceTo('2032-03-01T10:00:00Z');
  const invoices = await invoicesOf(world, id);
  expect(invoices.map(({ periodStartsAt }) => localTime(periodStartsAt, 'UTC'))).toEqual([
    '2028-02-29 10:00',
    '2029-02-28 10:00',
    '2030-02-28 10:00',
    '2031-02-28 10:00',
    '2032-02-29 10:00',
  ]);
  expect(world.stripe.charges()).toHaveLength(5);
});

it('a free plan renews without invoices, charges and mails', async () => {
  world = await createWorld({ startsAt: '2031-03-01T10:00:00Z' });
  const id = await subscribe(world, { plan: 'free', start: 'payment' });
  await world.advanceTo('2031-05-02T10:00:00Z');
  expect(await world.effects()).toEqual([
    '2031-03-01T10:00 created',
    '2031-03-01T10:00 activated',
    '2031-03-01T10:00 access full',
    '2031-04-01T10:00 renewed',
    '2031-05-01T10:00 renewed',
  ]);
  expect(await invoicesOf(world, id)).toEqual([]);
});

/** Lines of `startPaid`. */
const BEGINNING = 9;
/** Of a month of `pro-monthly`. */
const PRICE_MINOR = 2900;

async function startPaid(plan: string): Promise<string> {
  const id = await subscribe(world, { plan, start: 'payment' });
  await useCard(world, id, 'succeeded');
  return id;
}

/** What is left in each account of the ledger; below zero: credit. */
async function balances(): Promise<Record<string, number>> {
  const entries = await withTenant(world.db, world.tenantId, (tx) => tx.select().from(ledgerEntries));
  const accounts = Object.entries(Object.groupBy(entries, ({ account }) => account));
  return Object.fromEntries(
    accounts
      .map(([account, own = []]) => [account, sum(own.map(({ amountMinor }) => amountMinor))] as const)
      .filter(([, balance]) => balance !== 0),
  );
}

const sum = (amounts: number[]) => amounts.reduce((total, amount) => total + amount, 0);

/** The n-th start by the rule itself: the last day of each month, because the anchor is a 31st. */
function monthStart(month: number): string {
  const lastDay = new Date(Date.UTC(2027, month + 1, 0));
  return `${lastDay.toISOString().slice(0, 10)} 10:00`;
}

function renewalLines(at: string): string[] {
  const minute = new Date(Math.round(Date.parse(at) / 60_000) * 60_000).toISOString().slice(0, 16);
  return [
    `${minute} charge USD 29.00 succeeded`,
    `${minute} renewed`,
    `${minute} invoice_issued`,
    `${minute} payment_received`,
    `${minute} mail payment_receipt sent`,
  ];
}

/** `2027-01-31 10:00` on the wall of the zone. */
function localTime(instant: string, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return parts.format(new Date(instant));
}
