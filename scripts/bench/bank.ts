// What the matching of movements costs: 100,000 of them against 100,000 open invoices, in times of one join of the same size.
// Nothing is booked: what is measured is what the rules ask the database for, and the rules.

import { sql } from 'drizzle-orm';
import { createDatabase, type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { readMovementsAfter } from '../../db/queries/payments/bank-movements.ts';
import { decideMovement, gatherMatchFacts } from '../../db/queries/payments/gather-match-facts.ts';
import { MOVEMENTS_AT_ONCE } from '../../db/queries/payments/match-movements.ts';
import { bankAccounts } from '../../db/schema/banking.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import { progress } from '../terminal.ts';
import { fillBank, prepareJoin } from './bank-data.ts';

export type BankCosts = {
  /** Deciding about all movements, in times of one join of them with the invoices that they name. */
  bankMatchVsJoin: number;
};

const COUNT = 100_000;
const ROUNDS = 5;

/** PostgreSQL must run, as `startTestServices` starts it. */
export async function measureBank(): Promise<BankCosts> {
  const { createTestDatabase } = await import('../../test/support/database.ts');
  const database = await createTestDatabase();
  const db = createDatabase({ url: database.url });
  try {
    const tenantId = await createTenant(db, { name: 'Bench' });
    const accountId = newId('bac');
    const account = { id: accountId, tenantId, name: 'Checking', currency: 'USD', isReceiving: true };
    await withTenant(db, tenantId, (tx) => tx.insert(bankAccounts).values(account));
    progress(`Filling ${COUNT.toLocaleString('en')} open invoices and movements …`);
    await fillBank(database.adminUrl, { tenantId, accountId, count: COUNT });
    const joinMs = await joinTime(db, { adminUrl: database.adminUrl, tenantId });
    return { bankMatchVsJoin: (await matchTime(db, tenantId)) / joinMs };
  } finally {
    await db.close();
    await database.drop();
  }
}

async function matchTime(db: Database, tenantId: string): Promise<number> {
  const kinds = new Map<string, number>();
  const began = performance.now();
  let after = '';
  for (;;) {
    const decisions = await withTenant(db, tenantId, async (tx) => {
      const rows = await readMovementsAfter(tx, { after, limit: MOVEMENTS_AT_ONCE });
      after = rows.at(-1)?.id ?? '';
      return (await gatherMatchFacts(tx, rows)).map(decideMovement);
    });
    for (const { kind } of decisions) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (decisions.length < MOVEMENTS_AT_ONCE) break;
  }
  const ms = performance.now() - began;
  // Slips and silence are for people; whatever names its invoice is booked without one.
  const wanted = { auto: COUNT - (2 * COUNT) / 50, suggest: (2 * COUNT) / 50 };
  for (const [kind, count] of Object.entries(wanted)) {
    if (kinds.get(kind) !== count) throw new Error(`${kinds.get(kind)} of ${kind}, and ${count} are wanted`);
  }
  return ms;
}

/** The middle of several, asked for by the same role and under the same row-level security. */
async function joinTime(db: Database, { adminUrl, tenantId }: { adminUrl: string; tenantId: string }) {
  await prepareJoin(adminUrl);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await withTenant(db, tenantId, (tx) => tx.execute(join));
    times.push(performance.now() - began);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

const join = sql.raw(`SELECT movement.id, invoice.id AS invoice_id, invoice.due_minor, customer.name
  FROM bench_codes movement
  JOIN bank_transfers transfer ON transfer.reference = movement.code
  JOIN invoices invoice ON invoice.id = transfer.invoice_id AND invoice.currency = movement.currency
  JOIN customers customer ON customer.id = invoice.customer_id
  WHERE invoice.status = 'open' AND invoice.due_minor = movement.amount_minor`);
