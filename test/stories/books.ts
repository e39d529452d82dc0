/**
 * The books at the end of a story, against everything they can be compared with: the ledger with itself, with the
 * invoices, with the customers' credit, and its cash with the card vendor's own log.
 */
import { type Database, withTenant } from '../../db/client.ts';
import { customers, invoices } from '../../db/schema/billing.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import type { StripeSandbox } from '../../integrations/stripe/sandbox.ts';

/** Throws when a sum is off by a cent, or an invoice was charged twice. */
export async function checkBooks({
  db,
  tenantId,
  stripe,
}: {
  db: Database;
  tenantId: string;
  stripe: StripeSandbox;
}): Promise<void> {
  const rows = await withTenant(db, tenantId, async (tx) => ({
    entries: await tx.select().from(ledgerEntries),
    invoices: await tx.select().from(invoices),
    customers: await tx.select().from(customers),
    payments: await tx.select().from(payments),
  }));
  const accounts = sums(rows.entries, ({ account, currency }) => `${account} ${currency}`);
  const captured = stripe.charges();
  const movedBack = stripe
    .effects()
    .filter(({ outcome }) => outcome === 'effect')
    .flatMap((effect) => {
      const sign = signs[effect.op === 'disputes.close' ? `disputes.${effect.detail}` : effect.op];
      return sign === undefined ? [] : [moved(sign)(effect)];
    });

  compare(
    'a ledger transaction sums to zero',
    sums(rows.entries, ({ transactionId }) => transactionId),
    {},
  );
  compare(
    'the ledger sums to zero',
    sums(rows.entries, ({ currency }) => currency),
    {},
  );
  compare(
    'receivable is what open invoices are due',
    account(accounts, 'receivable'),
    sums(rows.invoices.filter(({ status }) => status === 'open').map(due), ({ currency }) => currency),
  );
  compare(
    'customer credit is what customers are shown',
    account(accounts, 'customer_credit'),
    sums(rows.customers.map(owed), ({ currency }) => currency),
  );
  compare(
    "cash is what the card vendor's log says it took, gave back and got back",
    account(accounts, 'cash:stripe'),
    sums([...captured.map(moved(1)), ...movedBack], ({ currency }) => currency),
  );
  compare(
    'each charge of the vendor is one payment',
    Object.fromEntries(captured.map(({ objectId }) => [objectId, 1])),
    sums(
      rows.payments
        .filter(({ rail }) => rail === 'stripe')
        .map(({ externalId }) => ({ externalId, amountMinor: 1 })),
      ({ externalId }) => externalId,
    ),
  );
}

/** Which way the vendor's money goes after a charge; what moves none has no amount there. */
const signs: Partial<Record<string, 1 | -1>> = {
  'refunds.create': -1,
  'refunds.settle': -1,
  'refunds.fail': 1,
  'disputes.open': -1,
  'disputes.won': 1,
  'disputes.lost': -1,
};

type Amount = { amountMinor: number };
type Sums = Record<string, number>;

/** Sums by key; what is zero is left out. */
function sums<T extends Amount>(rows: readonly T[], keyOf: (row: T) => string): Sums {
  const found: Sums = {};
  for (const row of rows) found[keyOf(row)] = (found[keyOf(row)] ?? 0) + row.amountMinor;
  return Object.fromEntries(Object.entries(found).filter(([, sum]) => sum !== 0));
}

/** The balance of an account by currency. */
function account(accounts: Sums, name: string): Sums {
  const own = Object.entries(accounts).filter(([key]) => key.startsWith(`${name} `));
  return Object.fromEntries(own.map(([key, sum]) => [key.slice(name.length + 1), sum]));
}

function due({ totalMinor, paidMinor, currency }: typeof invoices.$inferSelect) {
  return { currency, amountMinor: totalMinor - paidMinor };
}

function owed({ creditMinor, currency }: typeof customers.$inferSelect) {
  return { currency, amountMinor: -creditMinor };
}

function moved(sign: 1 | -1) {
  return ({ amountMinor, currency }: Effect) => ({
    amountMinor: sign * (amountMinor ?? 0),
    currency: (currency ?? '').toUpperCase(),
  });
}

function compare(what: string, actual: Sums, expected: Sums): void {
  const text = (found: Sums) => JSON.stringify(Object.entries(found).sort());
  if (text(actual) !== text(expected))
    throw new Error(`The books are wrong: ${what}: ${text(actual)} against ${text(expected)}`);
}
