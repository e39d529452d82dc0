/**
 * The daily invoice run: every draft is issued once and every reminder is sent once, however late the run comes, however
 * often it is repeated, and wherever it is killed.
 */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDailyInvoiceRunActivities } from '../../activities/billing/daily-invoice-run.ts';
import type { Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { noTaxEngine } from '../support/tax-engine.ts';
import { createInvoiceScene, day1, type InvoiceScene } from './invoice-scene.ts';
import { Death } from './mortal.ts';

let scene: InvoiceScene;
let subscriptionId: string;
let customerId: string;

beforeAll(async () => {
  scene = await createInvoiceScene();
});
afterAll(() => scene.close());
beforeEach(async () => {
  // What an earlier test has left is not due any more.
  await scene.api.sql('UPDATE invoices SET reminded_days = 14');
  scene.at(day1);
  ({ subscriptionId, customerId } = await scene.subscribed());
});

function run(at: string, db: Database = scene.api.db) {
  const log = pino({ level: 'silent' });
  return createDailyInvoiceRunActivities({ db, taxEngine: noTaxEngine, log }).runDailyInvoices({ at });
}

const reminders = async (invoiceId: string) =>
  (await scene.told(invoiceId)).filter((template) => template === 'invoice_reminder').length;

describe('a draft with a day', () => {
  it('is issued by the first run at or after it, once', async () => {
    const { id } = await scene.draft(subscriptionId, { finalisesAt: '2026-03-10T10:00:00Z' });
    expect(await run('2026-03-10T09:59:59.999Z')).toEqual({ finalised: 0, reminded: 0, failed: 0 });
    expect(await run('2026-03-10T10:00:00.000Z')).toEqual({ finalised: 1, reminded: 0, failed: 0 });
    expect(await run('2026-03-10T10:00:00.000Z')).toEqual({ finalised: 0, reminded: 0, failed: 0 });
    expect(await scene.ok('GET', `/v1/invoices/${id}`)).toMatchObject({
      status: 'open',
      issuedAt: '2026-03-10T10:00:00.000Z',
      dueAt: '2026-03-24T10:00:00.000Z',
    });
    expect(await scene.told(id)).toEqual(['invoice_issued']);
    expect((await scene.ok('GET', `/v1/audit_log?entityId=${id}`)).data[0]).toMatchObject({
      action: 'invoice.finalised',
      actor: 'system',
    });
  });

  it('without one waits for somebody', async () => {
    const { id } = await scene.draft(subscriptionId);
    await run('2027-03-10T10:00:00.000Z');
    expect((await scene.ok('GET', `/v1/invoices/${id}`)).status).toBe('draft');
  });

  it('that cannot be issued holds up no other, and is counted', async () => {
    const finalisesAt = '2026-03-10T10:00:00Z';
    const bad = await scene.draft(subscriptionId, { finalisesAt });
    const good = await scene.draft(subscriptionId, { finalisesAt });
    await scene.api.sql("UPDATE invoice_drafts SET currency = 'EUR' WHERE id = $1", [bad.id]);
    expect(await run('2026-03-11T10:00:00.000Z')).toEqual({ finalised: 1, reminded: 0, failed: 1 });
    expect((await scene.ok('GET', `/v1/invoices/${good.id}`)).status).toBe('open');
    expect((await scene.ok('GET', `/v1/invoices/${bad.id}`)).status).toBe('draft');
    await scene.ok('POST', `/v1/invoices/${bad.id}/discard`, {});
  });

  it('that outlived its invoice would be refused by the database (negative control)', async () => {
    const { id } = await scene.draft(subscriptionId, { finalisesAt: '2026-03-10T10:00:00Z' });
    const [row] = await scene.api.sql('SELECT * FROM invoice_drafts WHERE id = $1', [id]);
    await run('2026-03-10T10:00:00.000Z');
    await scene.api.sql(
      `INSERT INTO invoice_drafts (id, tenant_id, customer_id, subscription_id, currency, lines, days_until_due, finalises_at, drafted_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        ...[row.id, row.tenant_id, row.customer_id, row.subscription_id, row.currency],
        ...[JSON.stringify(row.lines), row.days_until_due, row.finalises_at, row.drafted_at],
      ],
    );
    const before = await scene.books();
    expect(await run('2026-03-11T10:00:00.000Z')).toMatchObject({ finalised: 0, failed: 1 });
    expect(await scene.books()).toEqual(before);
    expect(await scene.told(id)).toEqual(['invoice_issued']);
    await scene.api.sql('DELETE FROM invoice_drafts WHERE id = $1', [id]);
  });
});

describe('a reminder', () => {
  /** Issued on 1 March and due on the 15th. */
  const open = () => scene.oneOff(subscriptionId);

  it('is sent 3, 7 and 14 days after the due date, each once, with the invoice', async () => {
    const { id, number } = await open();
    const sent: [string, number][] = [];
    for (let day = 14; day <= 40; day += 1) {
      const at = new Date(Date.UTC(2026, 2, day, 10)).toISOString();
      const { reminded } = await run(at);
      expect((await run(at)).reminded).toBe(0);
      if (reminded > 0) sent.push([at.slice(0, 10), reminded]);
    }
    expect(sent).toEqual([
      ['2026-03-18', 1],
      ['2026-03-22', 1],
      ['2026-03-29', 1],
    ]);
    const mails = await scene.api.sql(
      'SELECT variables, attaches FROM notifications WHERE dedupe_key LIKE $1 ORDER BY id',
      [`invoice:${id}:reminder:%`],
    );
    expect(mails.map(({ variables }) => variables.overdueFor)).toEqual(['3 days', '7 days', '14 days']);
    for (const { variables, attaches } of mails) {
      expect(variables).toMatchObject({ invoiceNumber: number, amount: 'USD 900.00', dueOn: '15 Mar 2026' });
      expect(attaches).toEqual({ kind: 'invoice', invoiceId: id });
    }
  });

  it('of a run that comes late is the latest one only', async () => {
    const { id } = await open();
    await run('2026-03-23T10:00:00.000Z');
    await run('2026-03-23T10:00:00.000Z');
    const keys = await scene.api.sql('SELECT dedupe_key FROM notifications WHERE dedupe_key LIKE $1', [
      `invoice:${id}:reminder:%`,
    ]);
    expect(keys).toEqual([{ dedupe_key: `invoice:${id}:reminder:7` }]);
  });

  it('by five runs at the same moment is one', async () => {
    const { id } = await open();
    const runs = await Promise.all(Array.from({ length: 5 }, () => run('2026-03-19T10:00:00.000Z')));
    expect(runs.reduce((sum, { reminded }) => sum + reminded, 0)).toBe(1);
    expect(await reminders(id)).toBe(1);
  });

  it('says what is left to pay of an invoice that was paid in part', async () => {
    const { id } = await open();
    await scene.wire(id, 50_000);
    await run('2026-03-19T10:00:00.000Z');
    const [{ variables }] = (await scene.api.sql(
      'SELECT variables FROM notifications WHERE dedupe_key = $1',
      [`invoice:${id}:reminder:3`],
    )) as [{ variables: { amount: string } }];
    expect(variables.amount).toBe('USD 400.00');
  });

  it.each([
    ['paid', 'payments', { amountMinor: 90_000, currency: 'USD' }],
    ['void', 'void', {}],
    ['uncollectible', 'mark_uncollectible', {}],
  ])('is not sent once the invoice is %s', async (status, act, body) => {
    const { id } = await open();
    const reference = { reference: randomUUID(), method: 'wire', reason: 'on the statement' };
    await scene.ok('POST', `/v1/invoices/${id}/${act}`, { ...body, ...('currency' in body && reference) });
    expect((await scene.ok('GET', `/v1/invoices/${id}`)).status).toBe(status);
    await run('2026-04-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(0);
  });

  it('is not sent while a ladder speaks for the customer', async () => {
    const { id } = await open();
    const caseId = newId('dcase');
    await scene.api.sql(
      `INSERT INTO dunning_cases (id, tenant_id, customer_id, invoice_id, policy_id, first_failed_at, opened_at)
       SELECT $1, $2, $3, $4, id, now(), now() FROM dunning_policies WHERE tenant_id = $2 LIMIT 1`,
      [caseId, scene.tenant.tenantId, customerId, id],
    );
    await run('2026-03-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(0);
    await scene.api.sql('UPDATE dunning_cases SET closed_at = now() WHERE id = $1', [caseId]);
    await run('2026-03-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(1);
  });

  it('is not sent for what a change of plan waits for, nor while a charge is planned', async () => {
    const { id } = await open();
    const set = (column: string, value: unknown) =>
      scene.api.sql(`UPDATE subscriptions SET ${column} = $2 WHERE id = $1`, [
        subscriptionId,
        JSON.stringify(value),
      ]);
    await set('pending_change', { kind: 'upgrade', invoiceId: id });
    await run('2026-03-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(0);
    await scene.api.sql('UPDATE subscriptions SET pending_change = null WHERE id = $1', [subscriptionId]);
    await set('planned_charges', [
      { invoiceId: id, origin: 'renewal', originKey: 'renewal', at: day1, failures: 0 },
    ]);
    await run('2026-03-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(0);
    await set('planned_charges', []);
    await run('2026-03-19T10:00:00.000Z');
    expect(await reminders(id)).toBe(1);
  });

  it('of a period is not sent to who has left, of a one-off it is', async () => {
    const { id } = await open();
    const period = await scene.business.renew(subscriptionId, '2026-04-01T09:00:00.000Z');
    await scene.api.sql("UPDATE subscriptions SET planned_charges = '[]' WHERE id = $1", [subscriptionId]);
    await scene.business.happen(subscriptionId, 'cancelled', '2026-04-02T09:00:00.000Z');
    await run('2026-04-10T10:00:00.000Z');
    expect([await reminders(id), await reminders(period ?? '')]).toEqual([1, 0]);
  });
});

describe('a run that loses the database for a moment', () => {
  it('does what it can, is no success, and does the rest when it is tried again', async () => {
    const at = '2026-03-11T10:00:00.000Z';
    const finalisesAt = '2026-03-10T10:00:00Z';
    const drafted = [
      await scene.draft(subscriptionId, { finalisesAt }),
      await scene.draft(subscriptionId, { finalisesAt }),
    ];
    const statuses = async () =>
      Promise.all(drafted.map(async ({ id }) => (await scene.ok('GET', `/v1/invoices/${id}`)).status));
    const before = await lastSuccess();
    await expect(run(at, losing(3))).rejects.toThrow('Not every invoice could be done now');
    expect(await statuses()).toEqual(['draft', 'open']);
    expect(await lastSuccess()).toEqual(before);
    expect(await run(at)).toEqual({ finalised: 1, reminded: 0, failed: 0 });
    expect(await statuses()).toEqual(['open', 'open']);
    expect(await lastSuccess()).not.toEqual(before);
  });
});

/** When the run last did its work, and how. */
const lastSuccess = () =>
  scene.api.sql("SELECT last_success_at, last_result FROM schedule_runs WHERE name = 'daily-invoice-run'");

/** A database whose server ends the nth transaction. */
function losing(nth: number): Database {
  let begun = 0;
  const transaction: Database['transaction'] = (work) =>
    scene.api.db.transaction(async (tx) => {
      begun += 1;
      if (begun === nth) {
        const { rows } = await tx.execute<{ pid: number }>('select pg_backend_pid() as pid');
        await scene.api.sql('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      }
      return work(tx);
    });
  return { ...scene.api.db, transaction };
}

describe('a run that is killed', () => {
  it('at any moment leaves whole invoices, and the next one does the rest, each once', async () => {
    const finalisesAt = '2026-03-18T10:00:00Z';
    const at = '2026-03-19T10:00:00.000Z';
    for (let dieAt = 1; ; dieAt += 1) {
      await scene.api.sql('UPDATE invoices SET reminded_days = 14');
      const drafted = [
        await scene.draft(subscriptionId, { finalisesAt }),
        await scene.draft(subscriptionId, { finalisesAt }),
      ];
      const overdue = await scene.oneOff(subscriptionId);
      const isDead = await runUntilDeath(at, dieAt);
      await run(at);
      await run(at);

      const issued = await Promise.all(drafted.map(({ id }) => scene.ok('GET', `/v1/invoices/${id}`)));
      expect(issued.map(({ status }) => status)).toEqual(['open', 'open']);
      expect(new Set(issued.map(({ number }) => number)).size).toBe(2);
      for (const { id } of drafted) expect(await scene.told(id)).toEqual(['invoice_issued']);
      expect(await scene.told(overdue.id)).toEqual(['invoice_issued', 'invoice_reminder']);
      if (!isDead) break;
    }
    const numbers = await scene.api.sql('SELECT number FROM invoices WHERE tenant_id = $1 ORDER BY number', [
      scene.tenant.tenantId,
    ]);
    expect(numbers.map(({ number }) => number)).toEqual(
      numbers.map((_, index) => `INV-${String(index + 1).padStart(6, '0')}`),
    );
  });
});

/** Runs with a database that is gone from the `dieAt`-th border of a transaction on; returns whether it came so far. */
async function runUntilDeath(at: string, dieAt: number): Promise<boolean> {
  let reached = 0;
  const pass = () => {
    reached += 1;
    if (reached >= dieAt) throw new Death(`moment ${dieAt}`);
  };
  const transaction: Database['transaction'] = async (work) => {
    pass();
    const result = await scene.api.db.transaction(async (tx) => {
      const done = await work(tx);
      pass();
      return done;
    });
    pass();
    return result;
  };
  await run(at, { ...scene.api.db, transaction }).catch((error: unknown) => {
    if (!(error instanceof Death)) throw error;
  });
  return reached >= dieAt;
}
