/**
 * Writes what the watcher of a chain has seen. A block is one transaction: the block itself, the payments that it changes,
 * what the invoices become by it, their events, and the signals to whoever waits for them.
 *
 * Why it is safe to run twice: a block is written only on top of the block we read last, under the watcher's own fence. Dying
 * before the commit leaves the cursor where it was, and the block is read again; dying after it, the next one is its
 * successor. Payments are kept by their keys, and a decision that changes nothing writes nothing.
 */
import { and, asc, eq, gt, inArray, isNull, lt, lte, or, sql } from 'drizzle-orm';
import type { ChainBlock, ChainTransaction } from '../../../domain/payments/chain-node.ts';
import {
  leaveChain,
  type OwnPayment,
  observe,
  type TrackedSpend,
} from '../../../domain/payments/chain-observation.ts';
import type { ChainName } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoPaymentStatus } from '../../../domain/payments/crypto-payment.ts';
import { type CryptoPolicySettings, cryptoPolicyOn } from '../../../domain/payments/crypto-policy.ts';
import {
  FAILED_CALLS_MAX,
  type FailedCall,
  failedCallKey,
  failedCallsOf,
} from '../../../domain/payments/failed-call.ts';
import type { Database, SystemTx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import {
  chainBlocks,
  cryptoEvents,
  cryptoInvoices,
  cryptoPayments,
  cryptoSpends,
} from '../../schema/crypto.ts';
import { together } from '../../together.ts';
import { type ChainLease, setChain, underLease } from './chain-cursor.ts';
import {
  type CryptoInvoiceRow,
  findTouching,
  invoicesToWake,
  lockCryptoInvoices,
  paymentsAbove,
  readPayments,
  type StoredPayment,
  targetsOf,
  worthlessOf,
} from './observe-chain.ts';
import { findPayouts, forgetPayoutsAbove } from './payouts-on-chain.ts';
import { saveDecisions } from './save-decision.ts';
import { readUsdRates } from './usd-rates.ts';

/** `not_next`: the block does not follow the one that was read last, so that somebody has to look where the chain leads. */
export type BlockRecorded = { outcome: 'recorded'; payments: number } | { outcome: 'not_next' };

/** The next block of the active chain. */
export function recordBlock(
  db: Database,
  lease: ChainLease,
  { block, now, settings }: { block: ChainBlock; now: Date; settings?: CryptoPolicySettings | undefined },
): Promise<BlockRecorded> {
  return underLease(db, lease, async (tx, chain) => {
    if (chain.height !== block.height - 1 || chain.hash !== block.parentHash) return { outcome: 'not_next' };
    const { height, hash, parentHash } = block;
    const moved = together([
      tx
        .insert(chainBlocks)
        .values({ chain: lease.chain, height, hash, parentHash, time: new Date(block.time) }),
      setChain(tx, lease.chain, { height, hash }),
    ]);
    const [, payments] = await together([
      moved,
      recordSeen(tx, lease, {
        block,
        transactions: block.transactions,
        ancestors: [],
        now,
        settings,
        toHeight: height,
      }),
    ]);
    await findPayouts(tx, lease.chain, block);
    return { outcome: 'recorded', payments };
  });
}

/** A block that was read before, read again. Only payments that are missing or wrong change. Returns how many. */
export function recordBlockAgain(
  db: Database,
  lease: ChainLease,
  { block, now, settings }: { block: ChainBlock; now: Date; settings?: CryptoPolicySettings | undefined },
): Promise<number> {
  return underLease(db, lease, async (tx, { rescanFrom }) => {
    const payments = await recordSeen(tx, lease, {
      block,
      transactions: block.transactions,
      ancestors: [],
      now,
      settings,
      toHeight: null,
    });
    // Somebody may have asked for a lower height in the meantime.
    if (rescanFrom === block.height) await setChain(tx, lease.chain, { rescanFrom: block.height + 1 });
    return payments;
  });
}

/** Transactions that wait to be mined, with those that they build upon and that wait as well. Returns how many payments changed. */
export function recordMempool(
  db: Database,
  lease: ChainLease,
  {
    settings,
    ...seen
  }: {
    transactions: readonly ChainTransaction[];
    ancestors: readonly ChainTransaction[];
    now: Date;
    settings?: CryptoPolicySettings | undefined;
  },
): Promise<number> {
  return underLease(db, lease, (tx) =>
    recordSeen(tx, lease, { ...seen, settings, block: null, toHeight: null }),
  );
}

/** Keeps alive what is still waiting. A write for each payment every few minutes is enough: it is given up after days. */
export async function recordStillWaiting(
  db: Database,
  lease: ChainLease,
  { txids, now }: { txids: readonly string[]; now: Date },
): Promise<void> {
  const before = new Date(now.getTime() - SEEN_AGAIN_MS);
  const isWaiting = and(
    eq(cryptoPayments.chain, lease.chain),
    isNull(cryptoPayments.height),
    inArray(cryptoPayments.status, ['seen', 'orphaned']),
    or(isNull(cryptoPayments.seenAt), lt(cryptoPayments.seenAt, before)),
  );
  await underLease(db, lease, async (tx) => {
    const waiting = await tx
      .selectDistinct({ txid: cryptoPayments.txid })
      .from(cryptoPayments)
      .where(isWaiting);
    const present = new Set(txids);
    const seen = waiting.map(({ txid }) => txid).filter((txid) => present.has(txid));
    if (seen.length === 0) return;
    await tx
      .update(cryptoPayments)
      .set({ seenAt: now })
      .where(and(isWaiting, isOneOf(cryptoPayments.txid, seen)));
  });
}

const SEEN_AGAIN_MS = 10 * 60_000;

/**
 * Takes every block above `ancestor` out of the chain. What becomes of the invoices is decided when the new branch has been
 * read to `newTip`, since most of the payments are in it again; at once where the branch has nothing more.
 */
export function recordReorganisation(
  db: Database,
  lease: ChainLease,
  { ancestor, newTip, now }: { ancestor: { height: number; hash: string }; newTip: number; now: Date },
): Promise<{ orphaned: number }> {
  const { chain } = lease;
  const { height, hash } = ancestor;
  return underLease(db, lease, async (tx) => {
    const affected = await paymentsAbove(tx, { chain, height });
    const ids = [...new Set(affected.map(({ cryptoInvoiceId }) => cryptoInvoiceId))];
    const invoices = await lockCryptoInvoices(tx, ids);
    const changed = leaveChain(affected, { ancestor: height, now: now.toISOString() });
    await savePayments(tx, changed);
    await tx.delete(chainBlocks).where(and(eq(chainBlocks.chain, chain), gt(chainBlocks.height, height)));
    await setChain(tx, chain, { height, hash });
    await forgetPayoutsAbove(tx, chain, height);
    if (newTip > height) await wakeAt(tx, invoices, { chain, height: newTip });
    // Without a branch, and for invoices of another chain, no block comes that wakes them.
    const atOnce = invoices.filter((invoice) => newTip <= height || invoice.chain !== chain);
    await decide(tx, atOnce, now);
    return { orphaned: changed.length };
  });
}

/** Invoices that nobody has paid and whose time is over, now that everything before it has been seen. Returns how many were decided. */
export async function decideExpired(
  db: Database,
  lease: ChainLease,
  { now }: { now: Date },
): Promise<number> {
  let after = '';
  for (let decided = 0; ; ) {
    const ids = await underLease(db, lease, async (tx, { freshUntil, pausedAt }) => {
      // The clock of expiries stands still while the chain is paused.
      if (freshUntil === null || pausedAt !== null) return [];
      const rows = await tx
        .select({ id: cryptoInvoices.id })
        .from(cryptoInvoices)
        .where(
          and(
            eq(cryptoInvoices.chain, lease.chain),
            eq(cryptoInvoices.status, 'awaiting'),
            lt(cryptoInvoices.expiresAt, freshUntil),
            gt(cryptoInvoices.id, after),
          ),
        )
        .orderBy(asc(cryptoInvoices.id))
        .limit(DECIDED_AT_ONCE);
      const found = rows.map(({ id }) => id);
      await decide(tx, await lockCryptoInvoices(tx, found), now);
      return found;
    });
    decided += ids.length;
    const last = ids.at(-1);
    if (last === undefined || ids.length < DECIDED_AT_ONCE) return decided;
    after = last;
  }
}

/** What a pause had held up. */
export async function decideHeldUp(db: Database, lease: ChainLease, { now }: { now: Date }): Promise<void> {
  for (let after = '', more = true; more; ) {
    const ids = await underLease(db, lease, async (tx) => {
      const rows = await tx
        .select({ id: cryptoInvoices.id })
        .from(cryptoInvoices)
        .where(
          and(
            eq(cryptoInvoices.chain, lease.chain),
            inArray(cryptoInvoices.status, ['awaiting', 'processing']),
            gt(cryptoInvoices.id, after),
            or(eq(cryptoInvoices.status, 'processing'), lte(cryptoInvoices.expiresAt, now)),
          ),
        )
        .orderBy(asc(cryptoInvoices.id))
        .limit(DECIDED_AT_ONCE);
      const found = rows.map(({ id }) => id);
      await decide(tx, await lockCryptoInvoices(tx, found), now);
      return found;
    });
    more = ids.length === DECIDED_AT_ONCE;
    after = ids.at(-1) ?? after;
  }
}

const DECIDED_AT_ONCE = 500;

async function recordSeen(
  tx: SystemTx,
  { chain, network }: ChainLease,
  {
    block,
    transactions,
    ancestors,
    now,
    settings,
    toHeight,
  }: {
    block: ChainBlock | null;
    transactions: readonly ChainTransaction[];
    ancestors: readonly ChainTransaction[];
    now: Date;
    settings: CryptoPolicySettings | undefined;
    /** Invoices that wait for a height up to this one are decided as well. */
    toHeight: number | null;
  },
): Promise<number> {
  const [touching, due] = await together([
    findTouching(tx, chain, transactions),
    toHeight === null ? Promise.resolve([]) : invoicesToWake(tx, { chain, height: toHeight }),
  ]);
  if (touching.transactions.length === 0 && due.length === 0) return 0;

  const invoices = await lockCryptoInvoices(tx, [...new Set([...touching.invoiceIds, ...due])]);
  const [known, usdRateAt] = await together([
    readPayments(
      tx,
      invoices.map(({ id }) => id),
    ),
    readUsdRates(tx, cryptoPolicyOn(network, settings)),
  ]);
  const changes = observe({
    chain,
    now: now.toISOString(),
    block,
    transactions: touching.transactions,
    ancestors,
    targets: targetsOf(touching.targets, invoices),
    payments: known.filter((payment) => payment.chain === chain),
    spends: touching.spends,
    worthless: worthlessOf(known, invoices),
    usdRateAt,
  });
  await together([savePayments(tx, changes.payments), saveSpends(tx, chain, changes.spends)]);

  const byId = new Map(invoices.map((invoice) => [invoice.id, invoice]));
  const touched = changes.payments
    .filter((payment) => payment.asset !== null || byId.get(payment.cryptoInvoiceId)?.chain === chain)
    .map(({ cryptoInvoiceId }) => cryptoInvoiceId);
  const calls = block === null ? [] : await untold(tx, failedCallsOf(chain, touching));
  const isToDecide = new Set([...due, ...touched, ...calls.map(({ cryptoInvoiceId }) => cryptoInvoiceId)]);
  await saveDecisions(tx, {
    invoices: invoices.filter(({ id }) => isToDecide.has(id)),
    payments: asStored(known, changes.payments),
    before: known,
    calls,
    now: now.toISOString(),
  });
  return changes.payments.length;
}

/** Those that no event tells of yet, as many as an invoice is told of. */
async function untold(tx: SystemTx, calls: readonly FailedCall[]): Promise<FailedCall[]> {
  if (calls.length === 0) return [];
  const ids = [...new Set(calls.map(({ cryptoInvoiceId }) => cryptoInvoiceId))];
  const rows = await tx
    .select({ id: cryptoEvents.cryptoInvoiceId, key: cryptoEvents.key })
    .from(cryptoEvents)
    .where(and(isOneOf(cryptoEvents.cryptoInvoiceId, ids), eq(cryptoEvents.kind, 'call_failed')));
  const told = Map.groupBy(rows, ({ id }) => id);
  return ids.flatMap((id) => {
    const before = told.get(id) ?? [];
    const known = new Set(before.map(({ key }) => key));
    return calls
      .filter((call) => call.cryptoInvoiceId === id && !known.has(failedCallKey(call)))
      .slice(0, Math.max(0, FAILED_CALLS_MAX - before.length));
  });
}

async function decide(tx: SystemTx, invoices: readonly CryptoInvoiceRow[], now: Date): Promise<void> {
  if (invoices.length === 0) return;
  const payments = await readPayments(
    tx,
    invoices.map(({ id }) => id),
  );
  await saveDecisions(tx, { invoices, payments, now: now.toISOString() });
}

function asStored(known: readonly StoredPayment[], changed: readonly OwnPayment[]): StoredPayment[] {
  const byKey = new Map(known.map((payment) => [`${payment.chain} ${payment.key}`, payment]));
  for (const payment of changed) {
    const key = `${payment.chain} ${payment.key}`;
    const { status, isLate } = byKey.get(key) ?? { status: provisionalStatus(payment), isLate: false };
    byKey.set(key, { ...payment, status, isLate });
  }
  return [...byKey.values()];
}

/** Of a new one, until it is decided about, or where nobody has to. */
function provisionalStatus({ asset, block, rival, orphanedAt }: OwnPayment): CryptoPaymentStatus {
  if (asset === null) return 'unexpected_asset';
  if (block !== null) return 'mined';
  if (rival !== null) return rival.height === null ? 'replaced' : 'double_spent';
  return orphanedAt === null ? 'seen' : 'orphaned';
}

/** One statement takes 65,535 values. */
const PAYMENTS_AT_ONCE = 500;
const SPENDS_AT_ONCE = 10_000;

async function savePayments(tx: SystemTx, payments: readonly OwnPayment[]): Promise<void> {
  for (let from = 0; from < payments.length; from += PAYMENTS_AT_ONCE) {
    const rows = payments.slice(from, from + PAYMENTS_AT_ONCE).map(toRow);
    const excluded = (name: string) => sql.raw(`excluded.${name}`);
    await tx
      .insert(cryptoPayments)
      .values(rows)
      .onConflictDoUpdate({
        target: [cryptoPayments.chain, cryptoPayments.key],
        set: {
          units: excluded('units'),
          usdRate: excluded('usd_rate'),
          height: excluded('height'),
          blockHash: excluded('block_hash'),
          effectiveAt: excluded('effective_at'),
          seenAt: excluded('seen_at'),
          orphanedAt: excluded('orphaned_at'),
          rivalTxid: excluded('rival_txid'),
          rivalHeight: excluded('rival_height'),
          unconfirmedParent: excluded('unconfirmed_parent'),
        },
      });
  }
}

function toRow(payment: OwnPayment): typeof cryptoPayments.$inferInsert {
  const { block, rival, effectiveAt, seenAt, orphanedAt, ...rest } = payment;
  return {
    ...rest,
    height: block?.height ?? null,
    blockHash: block?.hash ?? null,
    effectiveAt: new Date(effectiveAt),
    seenAt: seenAt === null ? null : new Date(seenAt),
    orphanedAt: orphanedAt === null ? null : new Date(orphanedAt),
    rivalTxid: rival?.txid ?? null,
    rivalHeight: rival?.height ?? null,
    status: provisionalStatus(payment),
  };
}

async function saveSpends(tx: SystemTx, chain: ChainName, spends: readonly TrackedSpend[]): Promise<void> {
  for (let from = 0; from < spends.length; from += SPENDS_AT_ONCE) {
    const chunk = spends.slice(from, from + SPENDS_AT_ONCE);
    await tx
      .insert(cryptoSpends)
      .values(chunk.map((spend) => ({ chain, ...spend })))
      .onConflictDoNothing();
  }
}

async function wakeAt(
  tx: SystemTx,
  invoices: readonly CryptoInvoiceRow[],
  { chain, height }: { chain: ChainName; height: number },
): Promise<void> {
  const ids = invoices.filter((invoice) => invoice.chain === chain).map(({ id }) => id);
  if (ids.length === 0) return;
  await tx
    .update(cryptoInvoices)
    .set({ wakeHeight: sql`least(coalesce(${cryptoInvoices.wakeHeight}, ${height}::int), ${height}::int)` })
    .where(isOneOf(cryptoInvoices.id, ids));
}
