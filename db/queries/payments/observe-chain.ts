/**
 * Which transactions of a block concern us, and what we know that they may change. One look at a block is a fixed number of
 * set queries by primary keys, whatever number of invoices is open.
 */
import { and, asc, eq, gt, isNotNull, lte, or, sql } from 'drizzle-orm';
import type { ChainTransaction } from '../../../domain/payments/chain-node.ts';
import {
  isCrumb,
  type OwnPayment,
  type OwnTarget,
  type TrackedSpend,
  type WorthlessCount,
} from '../../../domain/payments/chain-observation.ts';
import { type ChainName, familyOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoPaymentStatus } from '../../../domain/payments/crypto-payment.ts';
import type { Tx } from '../../client.ts';
import { distinct } from '../../distinct.ts';
import { isOneOf } from '../../is-one-of.ts';
import { cryptoAddresses, cryptoInvoices, cryptoPayments, cryptoSpends } from '../../schema/crypto.ts';
import { together } from '../../together.ts';

export type CryptoInvoiceRow = typeof cryptoInvoices.$inferSelect;

/** A payment, and what was decided about it last. */
export type StoredPayment = OwnPayment & { status: CryptoPaymentStatus; isLate: boolean };

/** The part of a block that concerns us. */
export type Touching = {
  transactions: ChainTransaction[];
  /** Our addresses among the receivers, with whose they are. */
  targets: { target: string; cryptoInvoiceId: string }[];
  /** Invoices whose payments may change, those of the addresses included. */
  invoiceIds: string[];
  spends: TrackedSpend[];
};

/** Longer arrays are asked for in pieces. */
const CHUNK = 10_000;

/** Finds it. Nothing is locked: only the watcher writes what is read here. */
export async function findTouching(
  tx: Tx,
  chain: ChainName,
  transactions: readonly ChainTransaction[],
): Promise<Touching> {
  const receivers = distinct(transactions.flatMap((each) => receiversOf(each)));
  const used = distinct(transactions.flatMap(({ spends }) => spends));
  const [targets, tracked] = await together([
    inChunks(receivers, (chunk) => ownTargets(tx, chain, chunk)),
    inChunks(used, (chunk) => trackedAmong(tx, chain, chunk)),
  ]);
  const isOurs = new Set(targets.map(({ target }) => target));
  const isTracked = new Set(tracked.map(({ spend }) => spend));
  const touching = transactions.filter(
    (each) =>
      receiversOf(each).some((to) => isOurs.has(to)) || each.spends.some((spend) => isTracked.has(spend)),
  );
  if (touching.length === 0) return { transactions: [], targets: [], invoiceIds: [], spends: [] };

  const txids = distinct([...touching.map(({ txid }) => txid), ...tracked.map(({ txid }) => txid)]);
  const related = await withDescendants(tx, chain, txids);
  const [spends, paid] = await together([
    inChunks(related, (chunk) => spendsOf(tx, chain, chunk)),
    inChunks(related, (chunk) => invoicesPaidBy(tx, chain, chunk)),
  ]);
  const invoiceIds = distinct([...targets, ...paid].map(({ cryptoInvoiceId }) => cryptoInvoiceId));
  return { transactions: touching, targets, invoiceIds, spends };
}

/** Those that were to get something as well. */
function receiversOf({ transfers, attempts = [] }: ChainTransaction): string[] {
  return [...transfers, ...attempts].map(({ to }) => to);
}

/** Locks the invoices, always in the order of their ids. Whoever also locks their customers does that first. */
export function lockCryptoInvoices(tx: Tx, ids: readonly string[]): Promise<CryptoInvoiceRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return tx
    .select()
    .from(cryptoInvoices)
    .where(isOneOf(cryptoInvoices.id, ids))
    .orderBy(asc(cryptoInvoices.id))
    .for('update');
}

/** All payments of these invoices, on whatever chain. */
export async function readPayments(tx: Tx, invoiceIds: readonly string[]): Promise<StoredPayment[]> {
  if (invoiceIds.length === 0) return [];
  const rows = await tx
    .select()
    .from(cryptoPayments)
    .where(isOneOf(cryptoPayments.cryptoInvoiceId, invoiceIds))
    .orderBy(asc(cryptoPayments.effectiveAt), asc(cryptoPayments.key));
  return rows.map(toPayment);
}

/** Invoices that blocks up to this height may change although nothing else happens. */
export async function invoicesToWake(
  tx: Tx,
  { chain, height }: { chain: ChainName; height: number },
): Promise<string[]> {
  const rows = await tx
    .select({ id: cryptoInvoices.id })
    .from(cryptoInvoices)
    .where(
      and(
        eq(cryptoInvoices.chain, chain),
        isNotNull(cryptoInvoices.wakeHeight),
        lte(cryptoInvoices.wakeHeight, height),
      ),
    );
  return rows.map(({ id }) => id);
}

/** Payments in blocks above this height, and those whose rival is in one. */
export async function paymentsAbove(
  tx: Tx,
  { chain, height }: { chain: ChainName; height: number },
): Promise<StoredPayment[]> {
  const rows = await tx
    .select()
    .from(cryptoPayments)
    .where(
      and(
        eq(cryptoPayments.chain, chain),
        or(gt(cryptoPayments.height, height), gt(cryptoPayments.rivalHeight, height)),
      ),
    );
  return rows.map(toPayment);
}

/** The invoices' addresses as `observe` wants them. */
export function targetsOf(
  targets: Touching['targets'],
  invoices: readonly CryptoInvoiceRow[],
): Map<string, OwnTarget> {
  const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  return new Map(
    targets.flatMap(({ target, cryptoInvoiceId }) => {
      const invoice = byId.get(cryptoInvoiceId);
      return invoice === undefined ? [] : [[target, ownTarget(target, invoice)] as const];
    }),
  );
}

function ownTarget(target: string, invoice: CryptoInvoiceRow): OwnTarget {
  return {
    target,
    tenantId: invoice.tenantId,
    cryptoInvoiceId: invoice.id,
    asset: invoice.asset,
    minDueUnits: invoice.minDueUnits,
    dustUsdMinor: invoice.policy.dustUsdMinor,
    toleranceBps: invoice.policy.toleranceBps,
    needsAgreedRate: invoice.policy.late === 'auto',
  };
}

/** What each invoice has already that is worth next to nothing. */
export function worthlessOf(
  payments: readonly StoredPayment[],
  invoices: readonly CryptoInvoiceRow[],
): Map<string, WorthlessCount> {
  const targets = new Map(invoices.map((invoice) => [invoice.id, ownTarget('', invoice)]));
  const counts = new Map<string, WorthlessCount>();
  for (const payment of payments) {
    const target = targets.get(payment.cryptoInvoiceId);
    if (target === undefined) continue;
    const count = counts.get(target.cryptoInvoiceId) ?? { unknownTokens: 0, crumbs: 0 };
    if (payment.asset === null) count.unknownTokens += 1;
    else if (isCrumb(payment, target)) count.crumbs += 1;
    counts.set(target.cryptoInvoiceId, count);
  }
  return counts;
}

function ownTargets(
  tx: Tx,
  chain: ChainName,
  receivers: readonly string[],
): Promise<{ target: string; cryptoInvoiceId: string }[]> {
  return tx
    .select({ target: cryptoAddresses.target, cryptoInvoiceId: cryptoAddresses.cryptoInvoiceId })
    .from(sql`unnest(${sql.param([...receivers])}::text[]) as receiver(target)`)
    .innerJoin(
      cryptoAddresses,
      and(eq(cryptoAddresses.family, familyOf(chain)), eq(cryptoAddresses.target, sql`receiver.target`)),
    );
}

function trackedAmong(
  tx: Tx,
  chain: ChainName,
  used: readonly string[],
): Promise<{ spend: string; txid: string }[]> {
  return tx
    .select({ spend: cryptoSpends.spend, txid: cryptoSpends.txid })
    .from(sql`unnest(${sql.param([...used])}::text[]) as used(spend)`)
    .innerJoin(cryptoSpends, and(eq(cryptoSpends.chain, chain), eq(cryptoSpends.spend, sql`used.spend`)));
}

async function withDescendants(tx: Tx, chain: ChainName, txids: readonly string[]): Promise<string[]> {
  if (familyOf(chain) !== 'bitcoin') return [...txids];
  const { rows } = await tx.execute<{ txid: string }>(sql`
    with recursive related(txid) as (
      select unnest(${sql.param([...txids])}::text[])
      union
      select child.txid from related join ${cryptoSpends} child
        on child.chain = ${chain} and child.parent_txid = related.txid
    ) select txid from related`);
  return rows.map(({ txid }) => txid);
}

function spendsOf(tx: Tx, chain: ChainName, txids: readonly string[]): Promise<TrackedSpend[]> {
  const { spend, txid, parentTxid } = cryptoSpends;
  return tx
    .select({ spend, txid, parentTxid })
    .from(cryptoSpends)
    .where(and(eq(cryptoSpends.chain, chain), isOneOf(cryptoSpends.txid, txids)));
}

function invoicesPaidBy(
  tx: Tx,
  chain: ChainName,
  txids: readonly string[],
): Promise<{ cryptoInvoiceId: string }[]> {
  return tx
    .selectDistinct({ cryptoInvoiceId: cryptoPayments.cryptoInvoiceId })
    .from(cryptoPayments)
    .where(and(eq(cryptoPayments.chain, chain), isOneOf(cryptoPayments.txid, txids)));
}

function toPayment(row: typeof cryptoPayments.$inferSelect): StoredPayment {
  const { chain, key, tenantId, cryptoInvoiceId, txid, target, asset, token, units, status, isLate } = row;
  return {
    chain,
    key,
    tenantId,
    cryptoInvoiceId,
    txid,
    target,
    asset,
    token,
    units,
    block: row.height === null || row.blockHash === null ? null : { height: row.height, hash: row.blockHash },
    effectiveAt: row.effectiveAt.toISOString(),
    seenAt: row.seenAt?.toISOString() ?? null,
    orphanedAt: row.orphanedAt?.toISOString() ?? null,
    rival: row.rivalTxid === null ? null : { txid: row.rivalTxid, height: row.rivalHeight },
    unconfirmedParent: row.unconfirmedParent,
    usdRate: row.usdRate,
    status,
    isLate,
  };
}

async function inChunks<T>(
  values: readonly string[],
  ask: (chunk: readonly string[]) => Promise<T[]>,
): Promise<T[]> {
  const answers: T[] = [];
  for (let from = 0; from < values.length; from += CHUNK) {
    for (const answer of await ask(values.slice(from, from + CHUNK))) answers.push(answer);
  }
  return answers;
}
