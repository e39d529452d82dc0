/**
 * What the watcher of a chain sees of payouts: the transaction that was told is in a block and pays what it should, and its
 * block may leave the chain again. Who has to book it is told once it is deep enough. A rejected payout whose transaction had
 * been told is looked for as well: that it is mined all the same is told to operators, and booked by nobody.
 *
 * Why it is safe to run twice: all of it only says where a transaction is, and the word that it is deep enough is given in the
 * transaction that notes it. What follows in the books is done once, by whoever carries out the invoice.
 */
import { and, eq, gt, inArray, isNotNull, isNull, lte, or, sql } from 'drizzle-orm';
import type { ChainTransaction } from '../../../domain/payments/chain-node.ts';
import { type ChainName, familyOf } from '../../../domain/payments/crypto-chain.ts';
import { isPaidOut } from '../../../domain/payments/crypto-payout.ts';
import { lookAtCryptoInvoice } from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { SystemTx } from '../../client.ts';
import { cryptoInvoices } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { startOf } from './save-decision.ts';

/**
 * Transactions of payouts that no block has yet; a node is asked for these. For those of rejected ones it is a day long: what is
 * mined later is found in its block.
 */
export async function payoutsToFind(tx: SystemTx, chain: ChainName, now: Date): Promise<string[]> {
  const { status, txid, formerTxids, decidedAt } = cryptoPayouts;
  const since = new Date(now.getTime() - STRAY_HOURS * 3_600_000);
  // Whatever is never found must not keep others from being asked for.
  const rows = await tx
    .select({ status, txid, formerTxids })
    .from(cryptoPayouts)
    .where(and(isLookedFor(chain), or(eq(status, 'broadcast'), gt(decidedAt, since))))
    .orderBy(sql`random()`)
    .limit(FIND_MAX);
  return [...new Set(rows.flatMap(transactionsOf))].slice(0, FIND_MAX);
}

const STRAY_HOURS = 24;
const FIND_MAX = 50;

/** Any of those that were told for a rejected one may be mined. */
function transactionsOf({
  status,
  txid,
  formerTxids,
}: Pick<typeof cryptoPayouts.$inferSelect, 'status' | 'txid' | 'formerTxids'>): string[] {
  if (status === 'rejected') return formerTxids;
  return txid === null ? [] : [txid];
}

/** Finds payouts among the transactions of a block. Costs one question while none is under way on this chain. */
export async function findPayouts(
  tx: SystemTx,
  chain: ChainName,
  { height, transactions }: { height: number; transactions: readonly ChainTransaction[] },
): Promise<void> {
  const waiting = await tx.select().from(cryptoPayouts).where(isLookedFor(chain));
  if (waiting.length === 0) return;
  const byId = new Map(transactions.map((transaction) => [transaction.txid, transaction]));
  for (const payout of waiting) {
    const { id, status, target } = payout;
    const told = transactionsOf(payout).flatMap((txid) => byId.get(txid) ?? []);
    const found = told.find(({ transfers }) => isPaidOut(transfers, { ...payout, target: target ?? '' }));
    if (found === undefined) continue;
    const { txid } = found;
    // Somebody may tell another transaction, or reject it, at this moment.
    const isTold = status === 'rejected' ? undefined : eq(cryptoPayouts.txid, txid);
    await tx
      .update(cryptoPayouts)
      .set({ height, txid })
      .where(and(isLookedFor(chain), eq(cryptoPayouts.id, id), eq(cryptoPayouts.status, status), isTold));
  }
}

function isLookedFor(chain: ChainName) {
  return and(
    eq(cryptoPayouts.chain, chain),
    isNull(cryptoPayouts.height),
    or(eq(cryptoPayouts.status, 'broadcast'), wasToldAndRejected),
  );
}

const wasToldAndRejected = and(
  eq(cryptoPayouts.status, 'rejected'),
  sql`${cryptoPayouts.formerTxids} <> '{}'::text[]`,
);

/** The chain has left the blocks above this height: what was in one of them is in none now. */
export async function forgetPayoutsAbove(tx: SystemTx, chain: ChainName, height: number): Promise<void> {
  const { status, txid } = cryptoPayouts;
  await tx
    .update(cryptoPayouts)
    .set({
      height: null,
      // A rejected one has been sent by none again.
      txid: sql`case when ${status} = 'rejected' then null else ${txid} end`,
      toldAt: null,
    })
    .where(
      and(
        eq(cryptoPayouts.chain, chain),
        inArray(status, ['broadcast', 'rejected']),
        gt(cryptoPayouts.height, height),
      ),
    );
}

/**
 * Tells the processes of payouts that a chain of this height has confirmed as deep as their invoices ask of a small payment, and
 * of rejected ones that a block has.
 */
export async function tellOfConfirmedPayouts(
  tx: SystemTx,
  { chain, height, now }: { chain: ChainName; height: number; now: Date },
): Promise<void> {
  const depth = sql`(${cryptoInvoices.policy}->'depth'->${familyOf(chain)}->>'small')::int`;
  const isDeepEnough = and(
    eq(cryptoPayouts.chain, chain),
    isNull(cryptoPayouts.toldAt),
    isNotNull(cryptoPayouts.height),
    or(
      and(
        eq(cryptoPayouts.status, 'broadcast'),
        lte(cryptoPayouts.height, sql`${height}::int - ${depth} + 1`),
      ),
      and(wasToldAndRejected, isNull(cryptoPayouts.strayToldAt)),
    ),
  );
  const rows = await tx
    .select({ payoutId: cryptoPayouts.id, invoice: cryptoInvoices })
    .from(cryptoPayouts)
    .innerJoin(cryptoInvoices, eq(cryptoInvoices.id, cryptoPayouts.cryptoInvoiceId))
    .where(isDeepEnough);
  for (const { payoutId, invoice } of rows) {
    await tx.update(cryptoPayouts).set({ toldAt: now }).where(eq(cryptoPayouts.id, payoutId));
    await appendOutbox(tx, invoice.tenantId, [lookAtCryptoInvoice(startOf(invoice))]);
  }
}
