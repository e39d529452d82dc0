/** Movements as they are kept: any order and repetition of what a source tells ends in the same rows. */
import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import type { PlanRow } from '../../db/queries/billing/subscriptions.ts';
import { lockMovements } from '../../db/queries/payments/bank-movements.ts';
import { eraseMovements } from '../../db/queries/payments/erase-movements.ts';
import {
  keepMovements,
  MOVEMENTS_AT_ONCE,
  removeMovements,
} from '../../db/queries/payments/keep-movements.ts';
import { bankAccounts, bankTransactions } from '../../db/schema/banking.ts';
import type { BankSource } from '../../domain/payments/bank-transaction.ts';
import type { ToldMovement } from '../../domain/payments/retold-movement.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { movement } from '../support/bank-matching.ts';
import { businessOf } from './report-scene.ts';

let api: TestApi;
let tenantId: string;
let plan: PlanRow;
let account: { id: string };

beforeAll(async () => {
  api = await startTestApi();
  const tenant = await api.tenant();
  tenantId = tenant.tenantId;
  plan = tenant.plans['pro-monthly'] as PlanRow;
});
afterAll(() => api.close());

beforeEach(async () => {
  account = await work(addAccount);
  await api.sql('DELETE FROM outbox');
});

const at = new Date('2026-03-06T09:00:00Z');
const day1 = '2026-03-01T09:00:00.000Z';

function work<T>(run: (tx: Tx) => Promise<T>): Promise<T> {
  return withTenant(api.db, tenantId, run);
}

async function addAccount(tx: Tx): Promise<{ id: string }> {
  const id = newId('bac');
  await tx.insert(bankAccounts).values({ id, tenantId, name: 'Current', currency: 'USD', isReceiving: true });
  return { id };
}

function keep(told: readonly ToldMovement[], source: BankSource = 'plaid') {
  return work((tx) => keepMovements(tx, { tenantId, account, source, told, statementId: null, at }));
}

function remove(...externalIds: string[]) {
  return work((tx) => removeMovements(tx, { tenantId, account, source: 'plaid', externalIds, at }));
}

type Row = Record<string, unknown> & { external_id: string; status: string; version: number };

/** Everything but what differs by chance. */
async function rows(): Promise<Row[]> {
  const all = await api.sql(
    `SELECT t.*, original.external_id AS copy_of FROM bank_transactions t
     LEFT JOIN bank_transactions original ON original.id = t.copy_of_id
     WHERE t.account_id = $1 ORDER BY t.source, t.external_id`,
    [account.id],
  );
  return all.map(({ id: _id, copy_of_id: _copy, created_at: _at, ...row }: Row) => row);
}

const statuses = async () =>
  Object.fromEntries((await rows()).map(({ external_id, status }) => [external_id, status]));

async function signals(): Promise<number> {
  const all = await api.sql(
    `SELECT count(*)::int AS count FROM outbox WHERE envelope ->> 'workflowType' = 'bankMatching'`,
  );
  return all[0].count;
}

describe('a movement', () => {
  it('is kept with everything that its source says, and the matching hears of it once', async () => {
    const told = movement(['WIRE IN', 'ADV48213075'], 49_900, {
      externalId: 't1',
      authorisedOn: '2026-03-04',
      payer: { name: 'ACME', account: 'DE89370400440532013000' },
      bankReference: 'F123',
    });
    const more = Array.from({ length: 2100 }, (_, n) => movement('x', n + 1, { externalId: `m${n}` }));
    expect(await keep([told, ...more])).toEqual({ known: 0, added: 2101, changed: 0, suspectedCopies: 0 });
    expect(await signals()).toBe(1);
    const [row] = (await rows()).filter(({ external_id }) => external_id === 't1');
    expect(row).toMatchObject({
      amount_minor: '49900',
      currency: 'USD',
      texts: ['WIRE IN', 'ADV48213075'],
      payer_name: 'ACME',
      payer_account: 'DE89370400440532013000',
      bank_reference: 'F123',
      status: 'new',
      version: 0,
    });
  });

  it('is written while the next ones are told, however many they are', async () => {
    const leads: number[] = [];
    await work(async (tx) => {
      async function* told() {
        for (let n = 0; n < 10_000; n += 1) {
          if (n % 2500 === 2499)
            leads.push(n - (await tx.$count(bankTransactions, eq(bankTransactions.accountId, account.id))));
          yield movement('x', n, { externalId: `m${n}` });
        }
      }
      await keepMovements(tx, { tenantId, account, source: 'csv', told: told(), statementId: null, at });
    });
    expect(leads).toHaveLength(4);
    expect(Math.max(...leads)).toBeLessThan(MOVEMENTS_AT_ONCE);
  });

  it('told again changes nothing and wakes nobody', async () => {
    const told = movement('WIRE', 49_900, { externalId: 't1' });
    await keep([told]);
    const before = await rows();
    await api.sql('DELETE FROM outbox');
    expect(await keep([told, told])).toEqual({ known: 1, added: 0, changed: 0, suspectedCopies: 0 });
    expect(await rows()).toEqual(before);
    expect(await signals()).toBe(0);
  });

  it('that says something else now is changed, counted, and looked at again', async () => {
    const told = movement('WIRE', 49_900, { externalId: 't1' });
    await keep([told]);
    await api.sql(`UPDATE bank_transactions SET status = 'matched', decided_version = version`);
    await api.sql('DELETE FROM outbox');
    expect(await keep([{ ...told, amountMinor: 40_000 }])).toMatchObject({ changed: 1 });
    expect(await rows()).toMatchObject([
      { status: 'matched', amount_minor: '40000', version: 1, decided_version: 0 },
    ]);
    expect(await signals()).toBe(1);
  });

  it('that was matched and is removed stays matched until the matching has taken it back', async () => {
    const told = [movement('WIRE', 1, { externalId: 't1' }), movement('WIRE', 2, { externalId: 't2' })];
    await keep(told);
    await api.sql(
      `UPDATE bank_transactions SET status = 'matched', decided_version = version WHERE external_id = 't1'`,
    );
    await api.sql('DELETE FROM outbox');
    expect(await remove('t1', 't2', 'never told')).toEqual({ removed: 2 });
    expect(await remove('t1', 't2')).toEqual({ removed: 0 });
    expect(await rows()).toMatchObject([
      { status: 'matched', version: 1, decided_version: 0, removed_at: at },
      { status: 'removed', version: 1, removed_at: at },
    ]);
    expect(await signals()).toBe(1);
  });

  it('that is told after it was removed is there again', async () => {
    const told = movement('WIRE', 1, { externalId: 't1' });
    await keep([told]);
    await remove('t1');
    await keep([told]);
    expect(await rows()).toMatchObject([{ status: 'new', removed_at: null, version: 2 }]);
  });
});

describe('a customer who is erased', () => {
  it('leaves no text and no payer in movements that paid, nor in what is told of them again', async () => {
    const business = businessOf({ db: api.db, tenantId });
    const customerId = await business.customer();
    const told = {
      pending: movement('ADA PENDING', 100, { externalId: 'p1', pending: true }),
      booked: movement('ADA BOOKED', 100, {
        externalId: 'b1',
        pendingExternalId: 'p1',
        payer: { name: 'Ada', account: 'NL91ABNA0417164300' },
        bankReference: 'ADA 1',
      }),
      back: movement('RETURN ADA', -100, { externalId: 'r1' }),
      other: movement('BOB', 100, { externalId: 'o1', payer: { name: 'Bob', account: null } }),
    };
    const all = Object.values(told);
    await keep([told.pending]);
    await keep(all.slice(1));
    await keep([movement('ADA IN A FILE', 100, { externalId: 'f1' })], 'camt');
    const ids = await api.sql('SELECT external_id, id FROM bank_transactions WHERE account_id = $1', [
      account.id,
    ]);
    const idOf = (name: string) => ids.find(({ external_id }) => external_id === name).id;
    // As the matching leaves it, without the payment.
    await api.sql(`UPDATE bank_transactions SET copy_of_id = $1, status = 'copy' WHERE external_id = 'f1'`, [
      idOf('b1'),
    ]);
    const decide = async (name: string, kind: string): Promise<string> => {
      const id = newId('bdc');
      await api.sql(
        `INSERT INTO bank_decisions (id, tenant_id, transaction_id, ordinal, kind, decision, decided_by, decided_at)
         VALUES ($1, $2, $3, 1, $4, $5, 'matching', now())`,
        [id, tenantId, idOf(name), kind, JSON.stringify({ creditId: idOf('b1') })],
      );
      return id;
    };
    const paymentId = await business.begin(await business.subscribe(customerId, plan, day1), day1);
    await api.sql(
      `INSERT INTO bank_allocations (id, tenant_id, transaction_id, decision_id, payment_id, invoice_id, amount_minor)
       SELECT $1, tenant_id, $2, $3, id, invoice_id, 100 FROM payments WHERE id = $4`,
      [newId('bal'), idOf('b1'), await decide('b1', 'auto'), paymentId],
    );
    await decide('r1', 'reversal');

    const erase = () => work((tx) => eraseMovements(tx, { customerId, at }));
    await erase();
    const erased = await rows();
    const isBlank = (row: Row) =>
      JSON.stringify([row['texts'], row['payer_name'], row['payer_account'], row['bank_reference']]) ===
      JSON.stringify([[], null, null, null]);
    expect(erased.map((row) => [row.external_id, isBlank(row)])).toEqual([
      ['f1', true],
      ['b1', true],
      ['o1', false],
      ['p1', true],
      ['r1', true],
    ]);
    await erase();
    expect(await keep(all.slice(1))).toMatchObject({ known: 3, changed: 0 });
    await keep([{ ...told.booked, amountMinor: 90, texts: ['ADA AGAIN'] }]);
    await keep([movement('ADA IN ANOTHER FILE', 90, { externalId: 'm1' })], 'mt940');
    expect((await rows()).filter(({ external_id }) => external_id === 'm1')).toMatchObject([
      { status: 'copy_suspected', texts: [], payer_name: null },
    ]);
    expect((await rows()).filter(({ external_id }) => external_id === 'b1')).toMatchObject([
      { amount_minor: '90', texts: [], payer_name: null, version: 1 },
    ]);
  });
});

describe('movements are locked in the order of their ids', () => {
  const idsOf = async (...names: string[]) => {
    const all = await api.sql('SELECT external_id, id FROM bank_transactions WHERE account_id = $1', [
      account.id,
    ]);
    return names.map((name) => all.find(({ external_id }) => external_id === name).id as string);
  };
  /** As the matching locks both of them, while somebody else wants both too. */
  const lockAround = (ids: readonly [string, string], other: () => Promise<unknown>) =>
    work(async (tx) => {
      await lockMovements(tx, [ids[0]]);
      const done = other();
      await vi.waitFor(async () =>
        expect(await api.sql('SELECT FROM pg_locks WHERE NOT granted')).not.toEqual([]),
      );
      await lockMovements(tx, [ids[1]]);
      return { done };
    }).then(({ done }) => done);

  it('by what is told anew, with what it replaces', async () => {
    const booked = movement('WIRE', 100, { externalId: 'b1' });
    await keep([movement('WIRE', 100, { externalId: 'p1', pending: true }), booked]);
    const [pending = '', replacing = ''] = await idsOf('p1', 'b1');
    expect(pending < replacing).toBe(true);
    await lockAround([pending, replacing], () => keep([{ ...booked, pendingExternalId: 'p1' }]));
    expect(await statuses()).toEqual({ p1: 'removed', b1: 'new' });
  });

  /** A customer whose invoice the movement has paid. */
  const payerOf = async (movementId: string) => {
    const business = businessOf({ db: api.db, tenantId });
    const customerId = await business.customer();
    const paymentId = await business.begin(await business.subscribe(customerId, plan, day1), day1);
    const decisionId = newId('bdc');
    await api.sql(
      `INSERT INTO bank_decisions (id, tenant_id, transaction_id, ordinal, kind, decision, decided_by, decided_at)
       VALUES ($1, $2, $3, 1, 'auto', '{}', 'matching', now())`,
      [decisionId, tenantId, movementId],
    );
    await api.sql(
      `INSERT INTO bank_allocations (id, tenant_id, transaction_id, decision_id, payment_id, invoice_id, amount_minor)
       SELECT $1, tenant_id, $2, $3, id, invoice_id, 100 FROM payments WHERE id = $4`,
      [newId('bal'), movementId, decisionId, paymentId],
    );
    return customerId;
  };

  it('by an erasure, with the copies', async () => {
    await keep([movement('ADA', 100, { externalId: 'b1' }), movement('ADA', 200, { externalId: 'f1' })]);
    const [original = '', later = ''] = await idsOf('b1', 'f1');
    const copy = later.replace('btx_01', 'btx_00');
    await api.sql(`UPDATE bank_transactions SET id = $1, status = 'copy', copy_of_id = $2 WHERE id = $3`, [
      copy,
      original,
      later,
    ]);
    const customerId = await payerOf(original);
    expect(copy < original).toBe(true);
    await lockAround([copy, original], () => work((tx) => eraseMovements(tx, { customerId, at })));
    expect((await rows()).map(({ texts }) => texts)).toEqual([[], []]);
  });

  it('and a copy that is told while its original is erased is erased with it', async () => {
    const told = movement('ADA', 100, { externalId: 'b1' });
    await keep([told]);
    const [original = ''] = await idsOf('b1');
    const customerId = await payerOf(original);
    const { erased } = await work(async (tx) => {
      const about = { tenantId, account, source: 'camt', statementId: null, at } as const;
      await keepMovements(tx, { ...about, told: [{ ...told, externalId: 'copy' }] });
      const done = work((other) => eraseMovements(other, { customerId, at }));
      await vi.waitFor(async () =>
        expect(await api.sql('SELECT FROM pg_locks WHERE NOT granted')).not.toEqual([]),
      );
      return { erased: done };
    });
    await erased;
    expect(await statuses()).toEqual({ b1: 'new', copy: 'copy_suspected' });
    expect((await rows()).map(({ texts }) => texts)).toEqual([[], []]);
  });

  it('and what is told as it is known waits for nobody', async () => {
    const known = movement('WIRE', 100, { externalId: 'b1' });
    await keep([known]);
    const ids = await idsOf('b1');
    await work(async (tx) => {
      await lockMovements(tx, ids);
      expect(await keep([known, movement('WIRE', 200, { externalId: 'b2' })])).toMatchObject({ added: 1 });
    });
  });
});

describe('any order and repetition', () => {
  const pending = movement('WIRE ADV48213075', 49_900, { externalId: 'p1', pending: true });
  const booked = movement('WIRE ADV48213075', 49_900, { externalId: 'b1', pendingExternalId: 'p1' });
  const other = movement('RENT', -90_000, { externalId: 'o1' });
  const twice = movement('WIRE', 49_900, { externalId: 'b2' });

  const acts = {
    pending: () => keep([pending]),
    booked: () => keep([booked]),
    both: () => keep([booked, pending]),
    others: () => keep([other, twice]),
    gone: () => remove('p1'),
  };

  it('of a feed ends in the same rows', async () => {
    const names = Object.keys(acts) as (keyof typeof acts)[];
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(names, { minLength: names.length }),
        fc.array(fc.constantFrom(...names), { maxLength: 4 }),
        async (order, again) => {
          account = await work(addAccount);
          for (const name of [...order, ...again]) await acts[name]();
          const found = await rows();
          expect(found.map(({ external_id, status }) => [external_id, status])).toEqual([
            ['b1', 'new'],
            ['b2', 'new'],
            ['o1', 'new'],
            ['p1', 'removed'],
          ]);
          for (const { external_id, version } of found.slice(0, 3))
            expect([external_id, version]).toEqual([external_id, 0]);
          expect(found[3]?.['pending']).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of two who tell the same at once ends in one row each', async () => {
    const told = Array.from({ length: 50 }, (_, n) => movement('x', n + 1, { externalId: `m${n}` }));
    const counts = await Promise.all([keep(told), keep(told.toReversed())]);
    expect(counts.map(({ added }) => added).sort((a, b) => a - b)).toEqual([0, 50]);
    expect(await rows()).toHaveLength(50);
  });
});

describe('a movement that another source has told', () => {
  const fed = movement('WIRE IN ADV48213075 ACME', 49_900, { externalId: 'fed' });
  const filed = movement('ADV48213075', 49_900, { externalId: 'filed', bookedOn: '2026-03-07' });

  it('is suspected, and only booked ones are; a known one has one copy at most', async () => {
    await keep([fed, { ...fed, externalId: 'soon', pending: true }]);
    expect(await keep([filed, { ...filed, externalId: 'filed 2' }], 'camt')).toMatchObject({
      added: 2,
      suspectedCopies: 1,
    });
    expect(await statuses()).toEqual({
      fed: 'new',
      soon: 'pending',
      filed: 'copy_suspected',
      'filed 2': 'new',
    });
    expect(await keep([{ ...filed, externalId: 'line' }], 'csv')).toMatchObject({ suspectedCopies: 1 });
    expect((await rows()).map(({ external_id, copy_of }) => [external_id, copy_of])).toEqual([
      ['filed', 'fed'],
      ['filed 2', null],
      ['line', 'filed 2'],
      ['fed', null],
      ['soon', null],
    ]);
  });

  it('is suspected only by one of two sources that tell it at once', async () => {
    const counts = await Promise.all([keep([fed]), keep([filed], 'camt'), keep([filed], 'mt940')]);
    expect(counts.reduce((sum, { suspectedCopies }) => sum + suspectedCopies, 0)).toBe(2);
  });

  it('is new again when what it seemed to be a copy of is gone, or is other money', async () => {
    await keep([fed]);
    await keep([filed], 'camt');
    await remove('fed');
    expect(await statuses()).toEqual({ fed: 'removed', filed: 'new' });
    await keep([fed]);
    expect(await statuses()).toEqual({ fed: 'copy_suspected', filed: 'new' });
    await keep([{ ...filed, amountMinor: 1 }], 'camt');
    expect(await statuses()).toEqual({ fed: 'new', filed: 'new' });
  });

  it('stays no copy once a person has said so', async () => {
    await keep([fed]);
    await keep([filed], 'camt');
    await api.sql(
      `UPDATE bank_transactions SET status = 'new', copy_judged_at = now() WHERE external_id = 'filed'`,
    );
    await keep([{ ...filed, texts: ['ADV48213075', 'more'] }], 'camt');
    expect(await statuses()).toEqual({ fed: 'new', filed: 'new' });
  });

  it('stays a copy once a person has said so, whatever day its source gives it then', async () => {
    await keep([filed], 'camt');
    await keep([fed]);
    await api.sql(
      `UPDATE bank_transactions SET status = 'copy', copy_judged_at = now() WHERE external_id = 'fed'`,
    );
    await keep([{ ...fed, bookedOn: '2026-03-20' }]);
    expect((await rows()).find(({ external_id }) => external_id === 'fed')).toMatchObject({
      status: 'copy',
      version: 1,
      copy_of: 'filed',
      copy_judged_at: expect.any(Date),
    });
    await keep([{ ...fed, amountMinor: 1 }]);
    expect((await rows()).find(({ external_id }) => external_id === 'fed')).toMatchObject({
      status: 'new',
      copy_of: null,
      copy_judged_at: null,
    });
  });
});
