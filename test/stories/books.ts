/**
 * The books at the end of a story, against everything they can be compared with: the ledger with itself, with the
 * invoices and their tax, with the customers' credit, and its cash with the payment vendors' own logs and with what a chain
 * holds; recurring revenue with its movements.
 */
import { eq } from 'drizzle-orm';
import { type Database, withTenant } from '../../db/client.ts';
import { mrrOfSubscription } from '../../db/queries/reporting/record-movement.ts';
import {
  customers,
  invoiceLines,
  invoiceLineTaxes,
  invoices,
  plans,
  subscriptions,
} from '../../db/schema/billing.ts';
import { cryptoInvoices } from '../../db/schema/crypto.ts';
import { creditNotes, ledgerEntries, payments, refunds } from '../../db/schema/payments.ts';
import { mrrMovements } from '../../db/schema/reporting.ts';
import { taxPart } from '../../domain/billing/tax-amounts.ts';
import { type Fraction, fraction, negative, plus, signOf, zero } from '../../domain/reporting/fraction.ts';
import type { CoinbaseSandbox } from '../../integrations/coinbase-business/sandbox.ts';
import type { RazorpaySandbox } from '../../integrations/razorpay/sandbox.ts';
import type { Effect } from '../../integrations/sandbox/effect-log.ts';
import type { StripeSandbox } from '../../integrations/stripe/sandbox.ts';
import type { StoryChain } from './chain.ts';
import { bookedWorth, cryptoBooks, standingPayments, unbacked } from './crypto-books.ts';
import { recordedBooks } from './recorded-books.ts';

/** Throws when a sum is off by a cent, or an invoice was charged twice. */
export async function checkBooks({
  db,
  tenantId,
  stripe,
  razorpay,
  coinbase,
  chain,
}: {
  db: Database;
  tenantId: string;
  stripe: StripeSandbox;
  razorpay: RazorpaySandbox;
  coinbase: CoinbaseSandbox;
  /** Left out, or null, where none was watched. */
  chain?: Pick<StoryChain, 'received'> | null;
}): Promise<void> {
  const rows = await withTenant(db, tenantId, async (tx) => ({
    entries: await tx.select().from(ledgerEntries),
    invoices: await tx.select().from(invoices),
    customers: await tx.select().from(customers),
    payments: await tx.select().from(payments),
    movements: await tx.select().from(mrrMovements),
    subscriptions: await tx
      .select({ plan: plans, subscription: subscriptions })
      .from(subscriptions)
      .innerJoin(plans, eq(plans.id, subscriptions.planId)),
    lines: await tx.select().from(invoiceLines),
    taxes: await tx.select().from(invoiceLineTaxes),
    notes: await tx.select().from(creditNotes),
    refunds: await tx.select().from(refunds),
    cryptoInvoices: await tx.select().from(cryptoInvoices),
  }));
  const accounts = sums(rows.entries, ({ account, currency }) => `${account} ${currency}`);
  const taken = { stripe: stripe.charges(), razorpay: razorpay.captures(), coinbase: coinbase.captures() };
  const logs = { stripe: stripe.effects(), razorpay: razorpay.effects(), coinbase: coinbase.effects() };

  compareRevenue(rows);
  compare('no more was credited and given back of an invoice than was paid of it', overcredited(rows), {});
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
    'refunds on their way hold the credit that they will take',
    account(accounts, 'refunds_pending'),
    sums(
      rows.refunds.filter(({ status, isCreditHeld }) => status === 'pending' && isCreditHeld).map(held),
      ({ currency }) => currency,
    ),
  );
  compare(
    'an invoice is over its lines, and the tax that they do not contain',
    sums(rows.invoices.map(totalOf), ({ id }) => id),
    sums(
      [
        ...rows.lines.map(({ invoiceId, amountMinor }) => ({ invoiceId, amountMinor })),
        ...rows.invoices
          .filter(({ taxInclusive }) => !taxInclusive)
          .map(({ id, taxMinor }) => ({ invoiceId: id, amountMinor: taxMinor })),
      ],
      ({ invoiceId }) => invoiceId,
    ),
  );
  compare(
    'the tax of an invoice is that of its lines',
    sums(rows.invoices.map(taxOf), ({ id }) => id),
    sums(rows.taxes, ({ invoiceId }) => invoiceId),
  );
  compare(
    'tax payable is the tax of invoices that count, as far as it was not taken back',
    account(accounts, 'tax_payable'),
    sums(
      rows.invoices.map((invoice) => owedTax(invoice, rows.notes)),
      ({ currency }) => currency,
    ),
  );
  compare(
    'the tax engine was told of the tax of the invoices it has calculated, as far as it was not taken back',
    sums(stripe.effects().flatMap(toldTax), ({ currency }) => currency),
    sums(
      rows.invoices
        .filter(({ taxCalculationId, status }) => taxCalculationId !== null && status !== 'uncollectible')
        .map((invoice) => negated(owedTax(invoice, rows.notes))),
      ({ currency }) => currency,
    ),
  );
  for (const { what, name, amounts } of [...recordedBooks(rows), ...cryptoBooks(rows)]) {
    compare(
      what,
      account(accounts, name),
      sums(amounts, ({ currency }) => currency),
    );
  }
  compare(
    'coins that are booked are payments, as far as they stand',
    sums(standingPayments(rows.payments), ({ id }) => id),
    sums(rows.cryptoInvoices.map(bookedWorth), ({ id }) => id),
  );
  compare(
    'coins that are booked are on the chain',
    sums(unbacked(rows.cryptoInvoices, (await chain?.received()) ?? new Map()), ({ id }) => id),
    {},
  );
  for (const rail of ['stripe', 'razorpay', 'coinbase'] as const) {
    compare(
      `cash is what the log of ${rail} says it took, gave back and got back`,
      account(accounts, `cash:${rail}`),
      sums([...taken[rail].map(moved(1)), ...movedBack(logs[rail])], ({ currency }) => currency),
    );
    compare(
      `what ${rail} has taken is one payment each`,
      Object.fromEntries(taken[rail].map(({ objectId }) => [objectId, 1])),
      sums(
        rows.payments
          .filter((payment) => payment.rail === rail)
          .map(({ externalId }) => ({ externalId, amountMinor: 1 })),
        ({ externalId }) => externalId,
      ),
    );
  }
}

/** Which way the vendor's money goes after a charge; what moves none has no amount there. */
const signs: Partial<Record<string, 1 | -1>> = {
  'refunds.create': -1,
  'refunds.settle': -1,
  'refunds.fail': 1,
  'checkouts.refund': -1,
  'checkouts.refund_fail': 1,
  'disputes.open': -1,
  'disputes.won': 1,
  'disputes.lost': -1,
};

const movedBack = (effects: readonly Effect[]) =>
  effects
    .filter(({ outcome }) => outcome === 'effect')
    .flatMap((effect) => {
      const sign = signs[effect.op === 'disputes.close' ? `disputes.${effect.detail}` : effect.op];
      return sign === undefined ? [] : [moved(sign)(effect)];
    });

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

/** By invoice, what of it was credited by plan changes or given back beyond what was paid. */
function overcredited({
  invoices: issued,
  lines,
  taxes,
  notes,
}: {
  invoices: (typeof invoices.$inferSelect)[];
  lines: (typeof invoiceLines.$inferSelect)[];
  taxes: (typeof invoiceLineTaxes.$inferSelect)[];
  notes: (typeof creditNotes.$inferSelect)[];
}): Sums {
  const invoiceOf = new Map(lines.map(({ id, invoiceId }) => [id, invoiceId]));
  const counting = new Map(issued.filter(({ status }) => status !== 'void').map((each) => [each.id, each]));
  const gross = ({ id, amountMinor, invoiceId }: (typeof lines)[number]) =>
    taxes
      .filter(({ lineId }) => lineId === id && counting.get(invoiceId)?.taxInclusive === false)
      .reduce((sum, tax) => sum + tax.amountMinor, amountMinor);
  const credited = lines
    .filter(({ invoiceId, creditsLineId }) => creditsLineId !== null && counting.has(invoiceId))
    .map((line) => ({ invoiceId: invoiceOf.get(line.creditsLineId ?? '') ?? '', amountMinor: -gross(line) }));
  // An invoice of a change is paid with what it credits, too, but for what became the customer's.
  const absorbed = sums(
    lines
      .filter(({ kind }) => kind === 'change_credit' || kind === 'to_balance')
      .map((line) => ({ invoiceId: line.invoiceId, amountMinor: -gross(line) })),
    ({ invoiceId }) => invoiceId,
  );
  // What was given back out of the credit has no note: it had paid no invoice.
  const given = notes.map(({ invoiceId, totalMinor }) => ({ invoiceId, amountMinor: totalMinor }));
  const taken = sums([...credited, ...given], ({ invoiceId }) => invoiceId);
  return sums(
    [...counting.values()].map(({ id, paidMinor }) => ({
      id,
      amountMinor: Math.max(0, (taken[id] ?? 0) - paidMinor - (absorbed[id] ?? 0)),
    })),
    ({ id }) => id,
  );
}

/** What has moved, customer by customer, is what the subscriptions bring now. */
function compareRevenue({
  movements,
  subscriptions: living,
}: {
  movements: (typeof mrrMovements.$inferSelect)[];
  subscriptions: { plan: typeof plans.$inferSelect; subscription: typeof subscriptions.$inferSelect }[];
}): void {
  const totals = new Map<string, Fraction>();
  const count = (customerId: string, change: Fraction) =>
    totals.set(customerId, plus(totals.get(customerId) ?? zero, change));
  for (const { customerId, beforeNumerator, afterNumerator, denominator } of movements)
    count(customerId, fraction(afterNumerator - beforeNumerator, BigInt(denominator)));
  for (const { plan, subscription } of living) {
    count(subscription.customerId, negative(mrrOfSubscription({ plan, subscription })));
  }
  const off = [...totals].filter(([, rest]) => signOf(rest) !== 0);
  if (off.length > 0) throw new Error(`Recurring revenue is not what has moved, for ${off.join(' and ')}`);
}

function due({ totalMinor, paidMinor, currency }: typeof invoices.$inferSelect) {
  return { currency, amountMinor: totalMinor - paidMinor };
}

function held({ creditMinor, currency }: typeof refunds.$inferSelect) {
  return { currency, amountMinor: -creditMinor };
}

function owed({ creditMinor, currency }: typeof customers.$inferSelect) {
  return { currency, amountMinor: -creditMinor };
}

function totalOf({ id, totalMinor }: typeof invoices.$inferSelect) {
  return { id, amountMinor: totalMinor };
}

function taxOf({ id, taxMinor }: typeof invoices.$inferSelect) {
  return { id, amountMinor: taxMinor };
}

/** Nothing of a voided invoice; of one that was written off what was paid; less what the credit notes took back. */
function owedTax(invoice: typeof invoices.$inferSelect, notes: readonly (typeof creditNotes.$inferSelect)[]) {
  const { id, status, currency, taxMinor, paidMinor } = invoice;
  const takenBackMinor = notes.reduce((sum, note) => (note.invoiceId === id ? sum + note.taxMinor : sum), 0);
  const bornMinor =
    status === 'uncollectible' ? Math.max(taxPart(invoice, paidMinor), takenBackMinor) : taxMinor;
  return { currency, amountMinor: status === 'void' ? 0 : takenBackMinor - bornMinor };
}

/** `sale 2900 tax 551`: what a transaction at the engine says of its tax. */
function toldTax({ op, outcome, detail, currency }: Effect) {
  if (!op.startsWith('tax.transactions.') || outcome !== 'effect') return [];
  return [{ currency: (currency ?? '').toUpperCase(), amountMinor: Number(detail?.split(' tax ')[1]) }];
}

function negated({ currency, amountMinor }: { currency: string; amountMinor: number }) {
  return { currency, amountMinor: 0 - amountMinor };
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
