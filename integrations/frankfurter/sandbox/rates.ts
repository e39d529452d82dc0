/** The rates of the sandbox: invented, the same for a day whenever it is asked, none on weekends and closed days. */
import { z } from 'zod';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { Collection } from '../../sandbox/store.ts';
import { type Operation, VendorRefusal } from '../../sandbox/vendor.ts';

/** `null`: nothing is published on that day. */
export type RatesOfDay = Record<string, number> | null;

/** Ten-thousandths of a unit for one euro. */
const typical = {
  USD: 10_866,
  GBP: 8_556,
  JPY: 1_630_600,
  CHF: 9_512,
  INR: 904_500,
  CAD: 14_738,
  AUD: 16_449,
};
const TEN_THOUSAND = 10_000;

const isoDay = z.iso.date();
const DAY_MS = 86_400_000;
/** 16:00 in Frankfurt, in winter. */
const PUBLISHED_AT_UTC_HOUR = 15;

export function rateOperations({
  days,
  clock,
}: {
  /** What was set for days by hand. */
  days: Collection<RatesOfDay>;
  clock: SandboxClock;
}): Operation<unknown>[] {
  return [
    {
      op: 'rates.range',
      method: 'GET',
      path: '/v1/:range',
      mutates: false,
      run: ({ pathParams: { range = '' } }) => {
        const [from, to] = range.split('..').map((day) => isoDay.safeParse(day).data);
        if (from === undefined || to === undefined) throw notFound();
        const found = publishedBetween({ from, to, now: clock.now(), days });
        const first = Object.keys(found)[0];
        if (first === undefined) throw notFound();
        return { body: { amount: 1, base: 'EUR', start_date: first, end_date: to, rates: found } };
      },
    },
  ];
}

function notFound(): VendorRefusal {
  return new VendorRefusal({ status: 404, body: { message: 'not found' } });
}

function publishedBetween({
  from,
  to,
  now,
  days,
}: {
  from: string;
  to: string;
  now: Date;
  days: Collection<RatesOfDay>;
}): Record<string, Record<string, number>> {
  const found: Record<string, Record<string, number>> = {};
  for (let at = Date.parse(from); at <= Date.parse(to); at += DAY_MS) {
    if (at + PUBLISHED_AT_UTC_HOUR * (DAY_MS / 24) > now.getTime()) break;
    const day = new Date(at).toISOString().slice(0, 'YYYY-MM-DD'.length);
    const rates = days.get(day) === undefined ? invented(at) : days.get(day);
    if (rates) found[day] = rates;
  }
  return found;
}

/** Within two per cent of the typical ones. */
function invented(at: number): RatesOfDay {
  const weekday = new Date(at).getUTCDay();
  if (weekday === 0 || weekday === 6) return null;
  const wobble = ((at / DAY_MS) * 37) % 400;
  return Object.fromEntries(
    Object.entries(typical).map(([currency, parts]) => {
      const moved = Math.round((parts * (TEN_THOUSAND + wobble - 200)) / TEN_THOUSAND);
      return [currency, moved / TEN_THOUSAND];
    }),
  );
}
