/**
 * A payment in coins does not stand, or a part of it: payouts of it that were not sent yet are rejected before the books take
 * it back. What they held is the customer's credit for that moment, and is taken from there as anything else that is lost.
 *
 * Why it is safe to run twice: a payout is rejected once, under the customer's lock, in the transaction that moves the books.
 */
import { and, asc, eq, inArray, or } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { refunds } from '../../schema/payments.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { releaseCredit } from './book-refund.ts';
import { type RefundContext, readRefund } from './refunds.ts';

const REASON = 'the coins were lost';

/** Of this payment. What was sent is gone, and stays what it is. */
export async function rejectLostPayouts(tx: Tx, subject: RefundContext, at: Date): Promise<void> {
  const rows = await tx
    .select({ payout: cryptoPayouts, refundId: refunds.id })
    .from(cryptoPayouts)
    .leftJoin(refunds, eq(refunds.id, cryptoPayouts.refundId))
    .where(
      or(
        and(
          eq(refunds.paymentId, subject.payment.id),
          inArray(cryptoPayouts.status, ['requested', 'approved']),
        ),
        and(eq(cryptoPayouts.excessPaymentId, subject.payment.id), eq(cryptoPayouts.status, 'asked')),
      ),
    )
    .orderBy(asc(cryptoPayouts.id));
  for (const { payout, refundId } of rows) {
    if (refundId !== null) {
      await releaseCredit(tx, { ...subject, refund: await readRefund(tx, refundId), at });
      await tx
        .update(refunds)
        .set({ status: 'failed', failureCode: 'coins_lost' })
        .where(eq(refunds.id, refundId));
    }
    await tx
      .update(cryptoPayouts)
      .set({ status: 'rejected', decidedBy: 'system', decidedAt: at, rejection: REASON })
      .where(eq(cryptoPayouts.id, payout.id));
    await writeAudit(tx, {
      tenantId: payout.tenantId,
      actor: 'system',
      action: 'crypto_payout.rejected',
      entityType: 'crypto_payout',
      entityId: payout.id,
      reason: REASON,
      details: {
        cryptoInvoiceId: payout.cryptoInvoiceId,
        asset: payout.asset,
        units: payout.units.toString(),
      },
      at,
    });
  }
}
