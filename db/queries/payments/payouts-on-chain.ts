/**
 * What the watcher of a chain sees of payouts: the transaction that was told is in a block and pays what it should, and its
 * block may leave the chain again. Who has to book it is told once it is deep enough.
 *
 * Why it is safe to run twice: all of it only says where a transaction is, and the word that it is deep enough is given in the
 * transaction that notes it. What follows in the books is done once, by whoever carries out the invoice.
 */
import { and, eq, gt, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import type { ChainTransaction } from '../../../domain/payments/chain-node.ts';
import { type ChainName, familyOf } from '../../../domain/payments/crypto-chain.ts';
import { isPaidOut } from '../../../domain/payments/crypto-payout.ts';
import { lookAtCryptoInvoice } from '../../../workflows/payments/crypto-invoice.contract.ts';
import type { SystemTx } from '../../client.ts';
import { cryptoInvoices } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { startOf } from './save-decision.ts';

/** Transactions of payouts that no block has yet; a node is asked for these. */
export async function payoutsToFind(tx: SystemTx, chain: ChainName): Promise<string[]> {
  // Whatever is never found must not keep others from being asked for.
  const rows = await tx
    .select({ txid: cryptoPayouts.txid })
    .from(cryptoPayouts)
    .where(isUnderWay(chain))
    .groupBy(cryptoPayouts.txid)
    .orderBy(sql`random()`)
    .limit(FIND_MAX);
  return rows.flatMap(({ txid }) => (txid === null ? [] : [txid]));
}

const FIND_MAX = 50;

/** Finds payouts among the transactions of a block. Costs one question while none is under way on this chain. */
export async function findPayouts(
  tx: SystemTx,
  chain: ChainName,
  { height, transactions }: { height: number; transactions: readonly ChainTransaction[] },
): Promise<void> {
  const waiting = await tx.select().from(cryptoPayouts).where(isUnderWay(chain));
  if (waiting.length === 0) return;
  const byId = new Map(transactions.map((transaction) => [transaction.txid, transaction]));
  for (const payout of waiting) {
    const transaction = byId.get(payout.txid ?? '');
    if (transaction === undefined || !isPaidOut(transaction.transfers, payout)) continue;
    // Somebody may tell another transaction at this moment.
    const isStill = and(
      isUnderWay(chain),
      eq(cryptoPayouts.id, payout.id),
      eq(cryptoPayouts.txid, transaction.txid),
    );
    await tx.update(cryptoPayouts).set({ height }).where(isStill);
  }
}

function isUnderWay(chain: ChainName) {
  return and(
    eq(cryptoPayouts.chain, chain),
    eq(cryptoPayouts.status, 'broadcast'),
    isNull(cryptoPayouts.height),
  );
}

/** The chain has left the blocks above this height: what was in one of them is in none now. */
export async function forgetPayoutsAbove(tx: SystemTx, chain: ChainName, height: number): Promise<void> {
  await tx
    .update(cryptoPayouts)
    .set({ height: null, toldAt: null })
    .where(
      and(
        eq(cryptoPayouts.chain, chain),
        eq(cryptoPayouts.status, 'broadcast'),
        gt(cryptoPayouts.height, height),
      ),
    );
}

/** Tells the processes of payouts that a chain of this height has confirmed as deep as their invoices ask of a small payment. */
export async function tellOfConfirmedPayouts(
  tx: SystemTx,
  { chain, height, now }: { chain: ChainName; height: number; now: Date },
): Promise<void> {
  const depth = sql`(${cryptoInvoices.policy}->'depth'->${familyOf(chain)}->>'small')::int`;
  const isDeepEnough = and(
    eq(cryptoPayouts.chain, chain),
    eq(cryptoPayouts.status, 'broadcast'),
    isNull(cryptoPayouts.toldAt),
    isNotNull(cryptoPayouts.height),
    lte(cryptoPayouts.height, sql`${height}::int - ${depth} + 1`),
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
