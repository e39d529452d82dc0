/**
 * What the watcher of a chain sees of payouts: the transaction that was told is in a block and pays what it should, and its
 * block may leave the chain again. Who has to book it is told when it is deep enough.
 *
 * Why it is safe to run twice: a block's word is written in the transaction that reads the block, and only tells where the
 * transaction is; what follows in the books is done once, by whoever carries out the invoice.
 */
import { and, eq, gt, inArray, isNotNull, isNull, lte } from 'drizzle-orm';
import type { ChainBlock } from '../../../domain/payments/chain-node.ts';
import type { ChainName } from '../../../domain/payments/crypto-chain.ts';
import { isPaidOut } from '../../../domain/payments/crypto-payout.ts';
import type { SystemTx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';

/** Finds payouts in a block. Costs one question while none is under way on this chain. */
export async function findPayouts(
  tx: SystemTx,
  chain: ChainName,
  { height, transactions }: Pick<ChainBlock, 'height' | 'transactions'>,
): Promise<void> {
  const waiting = await tx
    .select()
    .from(cryptoPayouts)
    .where(
      and(
        eq(cryptoPayouts.chain, chain),
        eq(cryptoPayouts.status, 'broadcast'),
        isNull(cryptoPayouts.height),
      ),
    );
  if (waiting.length === 0) return;
  const byId = new Map(transactions.map((transaction) => [transaction.txid, transaction]));
  for (const payout of waiting) {
    const transaction = byId.get(payout.txid ?? '');
    if (transaction === undefined || !isPaidOut(transaction.transfers, payout)) continue;
    await tx.update(cryptoPayouts).set({ height }).where(eq(cryptoPayouts.id, payout.id));
  }
}

/** The chain has left the blocks above this height: what was in one of them is in none now. */
export async function forgetPayoutsAbove(tx: SystemTx, chain: ChainName, height: number): Promise<void> {
  await tx
    .update(cryptoPayouts)
    .set({ height: null })
    .where(
      and(
        eq(cryptoPayouts.chain, chain),
        eq(cryptoPayouts.status, 'broadcast'),
        gt(cryptoPayouts.height, height),
      ),
    );
}

/** Invoices of payouts that a chain of this height has confirmed to this depth, and that nobody has booked yet. */
export async function invoicesOfConfirmedPayouts(
  tx: SystemTx,
  { chain, height, depth }: { chain: ChainName; height: number; depth: number },
): Promise<string[]> {
  const rows = await tx
    .selectDistinct({ id: cryptoPayouts.cryptoInvoiceId })
    .from(cryptoPayouts)
    .where(
      and(
        eq(cryptoPayouts.chain, chain),
        inArray(cryptoPayouts.status, ['broadcast']),
        isNotNull(cryptoPayouts.height),
        lte(cryptoPayouts.height, height - depth + 1),
      ),
    );
  return rows.map(({ id }) => id);
}
