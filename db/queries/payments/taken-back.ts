/**
 * What of a paid invoice was taken back: given back by refunds, or lost to the customer's bank. Money that had become the
 * customer's credit and was given back has corrected no invoice, and is no part of it.
 */
import { and, eq, gt, inArray } from 'drizzle-orm';
import type { UnsettledMoney } from '../../../domain/billing/proration.ts';
import { taxPart } from '../../../domain/billing/tax-amounts.ts';
import type { Tx } from '../../client.ts';
import { disputes, payments, refunds } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import { correctedOf } from './credit-notes.ts';

export type TakenBack = {
  /** As lines are billed: with tax where their amounts contain it. */
  amountMinor: number;
  /** Null where everything is decided. */
  unsettled: UnsettledMoney | null;
};

export async function takenBackOf(tx: Tx, invoice: InvoiceRow): Promise<TakenBack> {
  const { disputedMinor, taxInclusive } = invoice;
  const corrected = await correctedOf(tx, invoice.id);
  const taxMinor = taxInclusive ? 0 : corrected.taxMinor + taxPart(invoice, disputedMinor);
  return {
    amountMinor: corrected.totalMinor + disputedMinor - taxMinor,
    unsettled: await unsettledOf(tx, invoice),
  };
}

async function unsettledOf(tx: Tx, { id }: InvoiceRow): Promise<UnsettledMoney | null> {
  const paid = tx.select({ id: payments.id }).from(payments).where(eq(payments.invoiceId, id));
  const disputed = await tx
    .select({ id: disputes.id })
    .from(disputes)
    .where(and(inArray(disputes.paymentId, paid), eq(disputes.status, 'open')))
    .limit(1);
  if (disputed.length > 0) return 'payment_disputed';
  const pending = await tx
    .select({ id: refunds.id })
    .from(refunds)
    .where(
      and(
        inArray(refunds.paymentId, paid),
        eq(refunds.status, 'pending'),
        gt(refunds.amountMinor, refunds.creditMinor),
      ),
    )
    .limit(1);
  return pending.length > 0 ? 'refund_pending' : null;
}
