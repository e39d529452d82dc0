/** Revenue by day and rail against data worked out by hand: every figure is the sum of the entries it leads to. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../db/ids.ts';
import { type Json, startTestApi, type TestApi, type TestTenant } from '../support/api.ts';
import { businessOf } from './report-scene.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi({ clock: () => new Date('2026-03-31T12:00:00Z') });
  tenant = await api.tenant();
  await play();
});
afterAll(() => api.close());

/**
 * Ada pays by card and gets 10.00 back; Ben pays 40.00 by hand for 29.00, and the rest pays a part of his next invoice;
 * Eve pays in euro. Ben's bank takes a card payment back and then returns it. Dan's bank takes a direct debit back for good.
 */
async function play(): Promise<void> {
  const { customer, subscribe, begin, renew, pay, refund } = businessOf({
    db: api.db,
    tenantId: tenant.tenantId,
  });
  const { 'pro-monthly': pro, 'pro-euro': euro } = tenant.plans;
  if (pro === undefined || euro === undefined) throw new Error('No plans');

  const ada = await begin(await subscribe(await customer(), pro, at('03-01')), at('03-01'), 'stripe');
  await refund(ada, 1000, at('03-03'));
  const ben = await subscribe(await customer(), pro, at('03-01'));
  await begin(ben, at('03-01'));
  const second = await renew(ben, at('03-02'));
  await pay(second ?? '', 4000, at('03-02'));
  const third = await renew(ben, at('03-10'));
  const card = await pay(third ?? '', 1800, at('03-10'), 'stripe');
  await begin(await subscribe(await customer('EUR'), euro, at('03-02')), at('03-02'));

  const dan = await begin(await subscribe(await customer(), pro, at('03-05')), at('03-05'), 'stripe');
  await api.sql(
    "UPDATE payments SET returned_at = $2, returned_minor = 2900, return_code = 'R10' WHERE id = $1",
    [dan, at('03-27')],
  );

  await api.sql(
    `INSERT INTO disputes (id, tenant_id, customer_id, invoice_id, payment_id, external_id, amount_minor, currency, reason,
       status, opened_at, withdrawn_at, reinstated_at, closed_at)
     SELECT $1, tenant_id, customer_id, invoice_id, id, 'dp_1', 1800, currency, 'fraudulent', 'won', $3, $3, $4, $4
       FROM payments WHERE id = $2`,
    [newId('dsp'), card, at('03-12'), at('03-20')],
  );
}

describe('revenue', () => {
  it('is what came in by day and rail, what was refunded and disputed, and what is left', async () => {
    const { currencies } = await get('/v1/reports/revenue?from=2026-03-01&to=2026-03-31');
    const [euro, dollars] = currencies;
    expect([euro.currency, euro.days.map(lineOf)]).toEqual(['EUR', ['03-02 manual 2900 0 0 2900']]);
    expect([dollars.currency, dollars.days.map(lineOf)]).toEqual([
      'USD',
      [
        '03-01 stripe 2900 0 0 2900',
        '03-01 manual 2900 0 0 2900',
        '03-02 manual 4000 0 0 4000',
        '03-03 stripe 0 1000 0 -1000',
        '03-05 stripe 2900 0 0 2900',
        '03-10 stripe 1800 0 0 1800',
        '03-10 credit 1100 0 0 1100',
        '03-12 stripe 0 0 1800 -1800',
        '03-20 stripe 0 0 -1800 1800',
        '03-27 stripe -2900 0 0 -2900',
      ],
    ]);
    // Credit came in before, with the 40.00.
    expect(lineOf({ day: '2026-sum', rail: 'all', ...dollars.total })).toBe('sum all 11600 1000 0 10600');
    expect(dollars.rails.map((each: Json) => lineOf({ day: '2026-', ...each }))).toEqual([
      ' stripe 4700 1000 0 3700',
      ' manual 6900 0 0 6900',
      ' credit 1100 0 0 1100',
    ]);
  });

  it('every figure is the sum of the entries it leads to', async () => {
    const { currencies } = await get('/v1/reports/revenue?from=2026-03-01&to=2026-03-31');
    const figures = currencies.flatMap(({ total, rails, days }: Json) =>
      [total, ...rails, ...days].flatMap(({ received, refunded, disputed, net }: Json) => [
        [received, 1],
        [refunded, -1],
        [disputed, -1],
        [net, 1],
      ]),
    );
    expect(figures.length).toBeGreaterThan(40);
    for (const [{ amountMinor, rows }, sign] of figures) {
      const total = (await rowsAt(rows)).reduce((sum, row) => sum + sign * row.amountMinor, 0);
      expect([rows, total === 0 ? 0 : total]).toEqual([rows, amountMinor]);
    }
  });

  it('is counted on the days of the tenant, each entry once', async () => {
    const entries = await rowsAt('/v1/reports/revenue/entries?currency=USD');
    expect(new Set(entries.map(({ id, kind }) => `${id} ${kind}`)).size).toBe(10);
    await api.sql(`UPDATE tenants SET time_zone = 'Pacific/Auckland' WHERE id = $1`, [tenant.tenantId]);
    const { currencies } = await get('/v1/reports/revenue?from=2026-03-01&to=2026-03-31&currency=EUR');
    await api.sql(`UPDATE tenants SET time_zone = 'UTC' WHERE id = $1`, [tenant.tenantId]);
    expect(currencies[0].days.map(lineOf)).toEqual(['03-03 manual 2900 0 0 2900']);
  });

  it('of another tenant is not seen', async () => {
    const other = await api.tenant();
    expect((await get('/v1/reports/revenue', other.token)).currencies).toEqual([]);
    expect((await get('/v1/reports/revenue/entries', other.token)).data).toEqual([]);
  });

  it('is a table for who asks for one', async () => {
    const path = '/v1/reports/revenue?from=2026-03-01&to=2026-03-03';
    const { body } = await api.request('GET', path, { token: tenant.token, headers: { accept: 'text/csv' } });
    expect(body.split('\r\n')).toEqual([
      'day,currency,rail,received,refunded,disputed,net',
      '2026-03-02,EUR,manual,29.00,0.00,0.00,29.00',
      '2026-03-01,USD,stripe,29.00,0.00,0.00,29.00',
      '2026-03-01,USD,manual,29.00,0.00,0.00,29.00',
      '2026-03-02,USD,manual,40.00,0.00,0.00,40.00',
      '2026-03-03,USD,stripe,0.00,10.00,0.00,-10.00',
      '',
    ]);
  });

  it('refuses a range of more than a year', async () => {
    const answer = await api.request('GET', '/v1/reports/revenue?from=2024-01-01', { token: tenant.token });
    expect(answer).toMatchObject({ status: 422, body: { code: 'date_out_of_range' } });
  });
});

/** In the middle of a day in UTC, which is the next day in Auckland. */
function at(monthAndDay: string): string {
  return `2026-${monthAndDay}T13:00:00.000Z`;
}

/** `03-01 stripe 2900 0 0 2900`: received, refunded, disputed, net. */
function lineOf({ day, rail, received, refunded, disputed, net }: Json): string {
  const amounts = [received, refunded, disputed, net].map(({ amountMinor }) => amountMinor);
  return [day.slice('2026-'.length), rail, ...amounts].join(' ');
}

async function get(path: string, token = tenant.token): Promise<Json> {
  const answer = await api.request('GET', path, { token });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function rowsAt(path: string): Promise<Json[]> {
  const rows: Json[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const next: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { data, nextCursor } = await get(`${path}${path.includes('?') ? '&' : '?'}limit=2${next}`);
    rows.push(...data);
    cursor = nextCursor;
  }
  return rows;
}
