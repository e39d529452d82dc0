/**
 * Payouts that the chain has confirmed are booked: what the refund held has left.
 *
 * Why it is safe to run twice: a payout is confirmed once, under the locks of the customer and of the invoice in coins, in the
 * transaction that books its refund.
 */
import { and, asc, eq } from 'drizzle-orm';
import { familyOf } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoPolicy } from '../../../domain/payments/crypto-policy.ts';
import type { Tx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { giveBack } from './book-refund.ts';
import { readChainViews } from './chain-cursor.ts';
import { lockPayment, readRefund } from './refunds.ts';

/** Of one invoice, by whoever carries it out; confirmed is what is as deep as the invoice asks of a small payment. */
export async function bookPayouts(
  tx: Tx,
  { cryptoInvoiceId, policy, at }: { cryptoInvoiceId: string; policy: Pick<CryptoPolicy, 'depth'>; at: Date },
): Promise<void> {
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
