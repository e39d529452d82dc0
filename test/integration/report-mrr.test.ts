/** Reports on recurring revenue against data worked out by hand, and against themselves: rows, figures, identity. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlans } from '../../db/seed/tenant.ts';
import {
  type Fraction,
  fraction,
  inFull,
  plus,
  rounded,
  sum,
  zero,
} from '../../domain/reporting/fraction.ts';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { type Business, businessOf } from './report-scene.ts';

let api: TestApi;
let tenant: TestTenant;
let other: TestTenant;
let business: Business;
const now = '2026-04-20T12:00:00Z';

beforeAll(async () => {
  api = await startTestApi({ clock: () => new Date(now) });
  [tenant, other] = [await api.tenant(), await api.tenant()];
  business = businessOf({ db: api.db, tenantId: tenant.tenantId });
  await play(business, tenant);
  const others = businessOf({ db: api.db, tenantId: other.tenantId });
  const customer = await others.customer();
  await others.begin(
    await others.subscribe(customer, planOf(other, 'team-monthly'), day('01-15')),
    day('01-15'),
  );
});
afterAll(() => api.close());

/** Two customers in dollars and one in euro; one changes plans, one leaves and comes back, one never pays. */
async function play({ customer, subscribe, begin, change, happen, renew, pay }: Business, owner: TestTenant) {
  const [weekly] = await createPlans(api.db, owner.tenantId, [liteWeekly]);
  if (weekly === undefined) throw new Error('No plan');
  const [pro, team, euro] = ['pro-monthly', 'team-monthly', 'pro-euro'].map((code) => planOf(owner, code));
  if (pro === undefined || team === undefined || euro === undefined) throw new Error('No plans');

  const ada = await subscribe(await customer(), pro, day('01-10'));
  await begin(ada, day('01-10'));
  const invoice = await renew(ada, day('02-04'));
  if (invoice !== null) await pay(invoice, 2900, day('02-04'));
  await change(ada, team, day('02-05'));
  await change(ada, weekly, day('03-05'));

  const ben = await customer();
  const first = await subscribe(ben, pro, day('01-20'), 2);
  await begin(first, day('01-20'));
  await happen(first, 'payment_failed', day('02-10'));
  await happen(first, 'cancelled', day('02-20'));
  await begin(await subscribe(ben, pro, day('04-02')), day('04-02'));

  await begin(await subscribe(await customer('EUR'), euro, day('02-01')), day('02-01'));
  await subscribe(await customer(), pro, day('02-01'));
}

describe('recurring revenue', () => {
  it('moves by month as worked out by hand', async () => {
    const { currencies, ...rest } = await get('/v1/reports/mrr?from=2026-01-01&to=2026-04-20');
    expect(rest).toEqual({ from: '2026-01-01', to: '2026-04-20', timeZone: 'UTC', interval: 'month' });
    expect(currencies.map(({ currency, intervals }: Json) => [currency, intervals.map(lineOf)])).toEqual([
      ['EUR', ['01 0 0', '02 0 +2900 2900', '03 2900 2900', '04 2900 2900']],
      [
        'USD',
        [
          '01 0 +8700 8700',
          '02 8700 expansion 7000 churn 5800 9900',
          // 500 a week are 6,500/3 a month: 9,900 less 23,200/3.
          '03 9900 contraction 7733 2167',
          '04 2167 reactivation 2900 5067',
        ],
      ],
    ]);
    const { intervals } = currencies[1];
    expect(intervals.map(({ startCustomers, endCustomers }: Json) => [startCustomers, endCustomers])).toEqual(
      [
        [0, 2],
        [2, 1],
        [1, 1],
        [1, 2],
      ],
    );
    expect(intervals[2].contraction).toMatchObject({ amountMinor: 7733, exact: '23200/3' });
    expect(intervals[3].end).toMatchObject({ amountMinor: 5067, exact: '15200/3' });
  });

  it('is the same at the end by day and by month, and of one currency where one is asked for', async () => {
    const { currencies } = await get(
      '/v1/reports/mrr?from=2026-02-01&to=2026-02-28&interval=day&currency=USD',
    );
    expect(currencies).toHaveLength(1);
    expect(currencies[0].intervals).toHaveLength(28);
    expect(currencies[0].intervals[0].start.amountMinor).toBe(8700);
    expect(currencies[0].intervals[27].end.amountMinor).toBe(9900);
  });

  it('every figure is the sum of the rows it leads to', async () => {
    const { currencies } = await get('/v1/reports/mrr?from=2026-01-01&to=2026-04-20');
    let checked = 0;
    for (const { intervals } of currencies) {
      for (const { from, to, startCustomers, endCustomers, ...figures } of intervals) {
        for (const [name, { exact, rows }] of Object.entries<Json>(figures)) {
          const total = await sumOfRows(rows);
          const isLoss = name === 'contraction' || name === 'churn';
          expect([from, to, name, inFull(isLoss ? negated(total) : total)]).toEqual([from, to, name, exact]);
          checked += 1;
        }
        expect(endCustomers - startCustomers).toBeTypeOf('number');
      }
    }
    expect(checked).toBe(2 * 4 * 7);
  });

  it('tells of each movement what it was and why, a page at a time', async () => {
    const first = await get('/v1/reports/mrr/movements?limit=3&currency=USD');
    const second = await get(`/v1/reports/mrr/movements?limit=100&currency=USD&cursor=${first.nextCursor}`);
    const told = [...first.data, ...second.data].map((row: Json) =>
      [row.at.slice(0, 10), row.kind, row.cause, row.change.exact, row.customerSince.slice(0, 10)].join(' '),
    );
    expect(told).toEqual([
      '2026-01-10 new activated 2900 2026-01-10',
      '2026-01-20 new activated 5800 2026-01-20',
      '2026-02-05 expansion plan_changed 7000 2026-01-10',
      '2026-02-20 churn cancelled -5800 2026-01-20',
      '2026-03-05 contraction plan_changed -23200/3 2026-01-10',
      '2026-04-02 reactivation activated 2900 2026-01-20',
    ]);
    expect(second.nextCursor).toBeNull();
    const [{ customerId }] = second.data.slice(-1);
    const own = await get(`/v1/reports/mrr/movements?customerId=${customerId}&kind=churn`);
    expect(own.data).toHaveLength(1);
  });

  it('is nothing for a tenant that has none, and shows no other tenant’s', async () => {
    const empty = await api.tenant();
    expect((await get('/v1/reports/mrr', empty.token)).currencies).toEqual([]);
    const theirs = await get('/v1/reports/mrr?from=2026-01-01&to=2026-01-31', other.token);
    expect(theirs.currencies.map(({ intervals }: Json) => intervals.map(lineOf))).toEqual([
      ['01 0 +9900 9900'],
    ]);
  });

  it('refuses days that no report can be about', async () => {
    for (const query of [
      'from=2026-02-01&to=2026-01-01',
      'from=1999-01-01',
      'interval=day&from=2020-01-01',
    ]) {
      const answer = await api.request('GET', `/v1/reports/mrr?${query}`, { token: tenant.token });
      expect([query, answer.status, answer.body.code]).toEqual([query, 422, 'date_out_of_range']);
    }
  });

  it('is a table for who asks for one', async () => {
    const path = '/v1/reports/mrr?from=2026-03-01&to=2026-04-20';
    const table = [
      'currency,from,to,start,new,expansion,reactivation,contraction,churn,end,startCustomers,endCustomers',
      'EUR,2026-03-01,2026-03-31,29.00,0.00,0.00,0.00,0.00,0.00,29.00,1,1',
      'EUR,2026-04-01,2026-04-20,29.00,0.00,0.00,0.00,0.00,0.00,29.00,1,1',
      'USD,2026-03-01,2026-03-31,99.00,0.00,0.00,0.00,77.33,0.00,21.67,1,1',
      'USD,2026-04-01,2026-04-20,21.67,0.00,0.00,29.00,0.00,0.00,50.67,1,2',
      '',
    ].join('\r\n');
    const asked = await api.request('GET', `${path}&format=csv`, { token: tenant.token });
    expect(asked.headers.get('content-disposition')).toBe('attachment; filename="mrr.csv"');
    expect(asked.body).toBe(table);
    const headers = { accept: 'text/csv' };
    expect((await api.request('GET', path, { token: tenant.token, headers })).body).toBe(table);
    const json = await api.request('GET', `${path}&format=json`, { token: tenant.token, headers });
    expect(json.headers.get('content-type')).toContain('application/json');
  });
});

describe('the summary', () => {
  it('is worked out from the month that ends with the day', async () => {
    const { currencies, ...rest } = await get(
      '/v1/reports/summary?date=2026-02-28&marginPercent=80&currency=USD',
    );
    expect(rest).toEqual({ from: '2026-01-29', to: '2026-02-28', timeZone: 'UTC', marginPercent: 80 });
    const [{ mrr, arr, customers, arpa, churn, ltv }] = currencies;
    expect([mrr, arr, arpa, ltv].map(({ amountMinor }) => amountMinor)).toEqual([
      9900, 118_800, 9900, 15_840,
    ]);
    expect(customers.count).toBe(1);
    expect(churn).toMatchObject({
      startCustomers: { count: 2 },
      lostCustomers: { count: 1 },
      customerRate: 0.5,
      startMrr: { amountMinor: 8700 },
      churned: { amountMinor: 5800 },
      contracted: { amountMinor: 0 },
    });
    expect(churn.revenueRate).toBeCloseTo(5800 / 8700, 10);
    expect(rounded(negated(await sumOfRows(churn.churned.rows)))).toBe(5800);
    expect(await rowsAt(churn.lostCustomers.rows)).toHaveLength(1);
  });

  it('has no LTV while nobody has left, and is a table', async () => {
    const { currencies } = await get('/v1/reports/summary?currency=EUR');
    expect(currencies).toMatchObject([{ mrr: { amountMinor: 2900 }, churn: { customerRate: 0 }, ltv: null }]);
    const { body } = await api.request('GET', '/v1/reports/summary?format=csv', { token: tenant.token });
    expect(body.split('\r\n')[1]).toBe(
      'EUR,2026-03-21,2026-04-20,29.00,348.00,1,29.00,1,0,0,29.00,0.00,0.00,0,',
    );
  });
});

describe('cohorts', () => {
  it('are followed month by month, customers and revenue', async () => {
    const { cohorts } = await get('/v1/reports/cohorts?months=4&currency=USD');
    expect(cohorts).toHaveLength(1);
    const [{ from, customers, months }] = cohorts;
    expect([from, customers.count]).toEqual(['2026-01-01', 2]);
    expect(months.map((each: Json) => [each.customers.count, each.retention, each.mrr.amountMinor])).toEqual([
      [2, 1, 8700],
      [1, 0.5, 9900],
      [1, 0.5, 2167],
      [2, 1, 5067],
    ]);
    expect(await rowsAt(customers.rows)).toHaveLength(2);
    for (const { mrr } of months) expect(inFull(await sumOfRows(mrr.rows))).toBe(mrr.exact);

    const { body } = await api.request('GET', '/v1/reports/cohorts?months=4&format=csv', {
      token: tenant.token,
    });
    expect(body.split('\r\n').slice(0, 3)).toEqual([
      'currency,cohort,cohortCustomers,month,monthsLater,customers,mrr,retention',
      'EUR,2026-02,1,2026-02,0,1,29.00,1',
      'EUR,2026-02,1,2026-03,1,1,29.00,1',
    ]);
  });
});

describe('movements', () => {
  it('are written in the time zone of nobody: the tenant’s days decide where they are counted', async () => {
    const owner = await api.tenant();
    await api.sql(`UPDATE tenants SET time_zone = 'America/New_York' WHERE id = $1`, [owner.tenantId]);
    const { customer, subscribe, begin } = businessOf({ db: api.db, tenantId: owner.tenantId });
    const late = '2026-03-01T03:00:00Z';
    await begin(await subscribe(await customer(), planOf(owner, 'pro-monthly'), late), late);
    const { currencies } = await get('/v1/reports/mrr?from=2026-02-01&to=2026-03-31', owner.token);
    expect(currencies[0].intervals.map(lineOf)).toEqual(['02 0 +2900 2900', '03 2900 2900']);
  });

  it('can be neither changed nor removed, not even by the owner of the table', async () => {
    for (const statement of [
      'UPDATE mrr_movements SET quantity = 2',
      'DELETE FROM mrr_movements',
      'TRUNCATE mrr_movements',
    ])
      await expect(api.sql(statement), statement).rejects.toMatchObject({ code: '23001' });
  });

  it('add up to what the subscriptions bring after any sequence of deeds', async () => {
    const seed = Number(process.env['SEED'] ?? 7);
    const owner = await api.tenant();
    const scene = businessOf({ db: api.db, tenantId: owner.tenantId });
    await playAtRandom(scene, owner, randomBelow(seed));
    const { currencies } = await get(
      '/v1/reports/mrr?from=2026-01-01&to=2026-12-31&interval=month',
      owner.token,
    );
    const present = await scene.present();
    expect(await scene.movements()).toBeGreaterThan(30);
    for (const { currency, intervals } of currencies) {
      let before = 0;
      for (const each of intervals) {
        const amount = (name: string): number => each[name].amountMinor;
        expect(amount('start'), `seed ${seed}`).toBe(before);
        expect(amount('end'), `seed ${seed}`).toBe(
          amount('start') +
            amount('new') +
            amount('expansion') +
            amount('reactivation') -
            amount('contraction') -
            amount('churn'),
        );
        before = amount('end');
      }
      const last = intervals.at(-1);
      const { mrr, customers } = present[currency] ?? { mrr: zero, customers: 0 };
      expect([last.end.exact, last.endCustomers], `seed ${seed}`).toEqual([inFull(mrr), customers]);
    }
  });
});

const liteWeekly = {
  code: 'lite-weekly',
  name: 'Lite',
  family: 'books',
  rank: 0,
  priceMinor: 500,
  currency: 'USD',
  interval: { unit: 'week', count: 1 },
} as const;

/** Customers with up to three subscriptions each, in two currencies, and whatever can happen to them. */
async function playAtRandom(
  { customer, subscribe, begin, change, fallBack, happen }: Business,
  owner: TestTenant,
  below: (limit: number) => number,
): Promise<void> {
  const [weekly] = await createPlans(api.db, owner.tenantId, [liteWeekly]);
  const [pro, team, euro, free] = ['pro-monthly', 'team-monthly', 'pro-euro', 'free'].map((code) =>
    planOf(owner, code),
  );
  if (!weekly || !pro || !team || !euro || !free) throw new Error('No plans');
  const dollars = [pro, team, weekly];
  const people = await Promise.all(['USD', 'USD', 'USD', 'EUR'].map((currency) => customer(currency)));
  const begun: { id: string; isEuro: boolean; state: 'active' | 'past_due' | 'ended' }[] = [];
  for (let index = 0; index < 150; index += 1) {
    const at = new Date(Date.parse('2026-01-01T00:00:00Z') + index * 2 * 86_400_000).toISOString();
    const one = begun[below(Math.max(1, begun.length))];
    if (one === undefined || below(4) === 0) {
      const person = below(people.length);
      const isEuro = person === 3;
      const plan = isEuro ? euro : (dollars[below(3)] ?? pro);
      const id = await subscribe(people[person] ?? '', plan, at, 1 + below(3));
      await begin(id, at);
      begun.push({ id, isEuro, state: 'active' });
      continue;
    }
    if (one.state === 'ended') continue;
    const plan = one.isEuro ? euro : (dollars[below(3)] ?? pro);
    switch (below(4)) {
      case 0:
        await change(one.id, plan, at, 1 + below(4));
        break;
      case 1:
        if (one.state === 'active') await happen(one.id, 'payment_failed', at);
        one.state = 'past_due';
        break;
      case 2:
        if (one.state === 'past_due' && !one.isEuro) {
          await fallBack(one.id, free, at);
          one.state = 'active';
        }
        break;
      default:
        await happen(one.id, 'cancelled', at);
        one.state = 'ended';
    }
  }
}

/** The same numbers again for the same seed. */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
}

function planOf({ plans }: TestTenant, code: string) {
  const plan = plans[code];
  if (plan === undefined) throw new Error(`There is no plan ${code}`);
  return plan;
}

/** At ten in the morning. */
function day(monthAndDay: string): string {
  return `2026-${monthAndDay}T10:00:00.000Z`;
}

async function get(path: string, token = tenant.token): Promise<Json> {
  const answer = await api.request('GET', path, { token });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** `02 8700 expansion 7000 churn 5800 9900`: the month, the start, what moved, the end. */
function lineOf({ from, start, end, ...rest }: Json): string {
  const words: Record<string, string> = {
    new: '+',
    expansion: 'expansion ',
    reactivation: 'reactivation ',
    contraction: 'contraction ',
    churn: 'churn ',
  };
  const moved = Object.entries(words).flatMap(([kind, word]) =>
    rest[kind].amountMinor === 0 ? [] : [`${word}${rest[kind].amountMinor}`],
  );
  return [from.slice(5, 7), start.amountMinor, ...moved, end.amountMinor].join(' ');
}

async function rowsAt(path: string): Promise<Json[]> {
  const rows: Json[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const next: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { data, nextCursor } = await get(`${path}&limit=2${next}`);
    rows.push(...data);
    cursor = nextCursor;
  }
  return rows;
}

async function sumOfRows(path: string): Promise<Fraction> {
  return sum((await rowsAt(path)).map(({ change }) => parsed(change.exact)));
}

function parsed(exact: string): Fraction {
  const [numerator = '0', denominator = '1'] = exact.split('/');
  return fraction(BigInt(numerator), BigInt(denominator));
}

function negated(value: Fraction): Fraction {
  return plus(zero, fraction(-value.numerator, value.denominator));
}
