/**
 * Payouts that the chain has confirmed are booked: what the refund held has left. Of one that was rejected and is in a block
 * all the same operators are told; its refund has been released, so nothing is booked.
 *
 * Why it is safe to run twice: a payout is confirmed once, and told of once, under the locks of the customer and of the invoice
 * in coins, in the transaction that books its refund, or writes to the operators.
 */
import { and, asc, eq, isNotNull, isNull } from 'drizzle-orm';
import { familyOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoPolicy } from '../../../domain/payments/crypto-policy.ts';
import type { Tx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { giveBack } from './book-refund.ts';
import { readChainViews } from './chain-cursor.ts';
import { tellOfPayout } from './crypto-messages.ts';
import { standsForAnother } from './payout-problems.ts';
import { lockPayment, readRefund } from './refunds.ts';

/** Of one invoice, by whoever carries it out; confirmed is what is as deep as the invoice asks of a small payment. */
export async function bookPayouts(
  tx: Tx,
  { cryptoInvoiceId, policy, at }: { cryptoInvoiceId: string; policy: Pick<CryptoPolicy, 'depth'>; at: Date },
): Promise<void> {
  await tellOfStrays(tx, { cryptoInvoiceId, at });
  const sent = await tx
    .select()
    .from(cryptoPayouts)
    .where(and(eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId), eq(cryptoPayouts.status, 'broadcast')))
    .orderBy(asc(cryptoPayouts.id))
    .for('update');
  if (sent.length === 0) return;
  const views = await readChainViews(tx);
  for (const { id, tenantId, chain, height, refundId, txid } of sent) {
    const depth = policy.depth[familyOf(chain)].small;
    const tip = views.get(chain)?.tipHeight ?? 0;
    if (height === null || tip - height + 1 < depth) continue;
    await tx
      .update(cryptoPayouts)
      .set({ status: 'confirmed', confirmedAt: at })
      .where(eq(cryptoPayouts.id, id));
    if (refundId !== null) {
      const refund = await readRefund(tx, refundId);
      await giveBack(tx, { ...(await lockPayment(tx, refund.paymentId)), refund, at });
    }
    await writeAudit(tx, {
      tenantId,
      actor: 'system',
      action: 'crypto_payout.confirmed',
      entityType: 'crypto_payout',
      entityId: id,
      details: { cryptoInvoiceId, txid },
      at,
    });
  }
}

/** Each once, unless its transaction was told for another payout meanwhile. */
async function tellOfStrays(
  tx: Tx,
  { cryptoInvoiceId, at }: { cryptoInvoiceId: string; at: Date },
): Promise<void> {
  const { id, status, txid, strayToldAt } = cryptoPayouts;
  const strays = await tx
    .select()
    .from(cryptoPayouts)
    .where(
      and(
        eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId),
        eq(status, 'rejected'),
        isNotNull(txid),
        isNull(strayToldAt),
      ),
    )
    .orderBy(asc(id))
    .for('update');
  for (const payout of strays) {
    if (await standsForAnother(tx, payout)) continue;
    await tx.update(cryptoPayouts).set({ strayToldAt: at }).where(eq(id, payout.id));
    await tellOfPayout(tx, {
      payout,
      kind: 'sent_after_rejection',
      what: `payout ${payout.id} was rejected, and its transaction ${payout.txid} is in a block all the same: its coins have left, and nothing is booked.`,
      details: { txid: payout.txid },
      at,
    });
  }
}
