/**
 * A person has accepted money that came too late: what is still missing of the invoice may come as long again as instructions
 * hold.
 *
 * Why it is safe to run twice: only a transfer that has expired is extended, under the customer's lock.
 */
import { and, eq } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { transferClock } from '../../../domain/payments/bank-transfer.ts';
import { lookAtBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { readInvoice } from '../billing/invoices.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { currentTenant } from '../tenants/tenants.ts';

export async function extendExpiredTransfer(
  tx: Tx,
  { invoiceId, at }: { invoiceId: string; at: Date },
): Promise<void> {
  const [transfer] = await tx
    .select()
    .from(bankTransfers)
    .where(and(eq(bankTransfers.invoiceId, invoiceId), eq(bankTransfers.status, 'expired')));
  if (transfer === undefined) return;
  const { status } = await readInvoice(tx, invoiceId);
  if (status !== 'open') return;
  const { id: bankTransferId, tenantId, customerId, isInternational, version } = transfer;
  const dayMs = dayLengthMs(await currentTenant(tx));
  const { expiresAt } = transferClock({ issuedAt: at.toISOString(), isInternational, dayMs });
  await tx
    .update(bankTransfers)
    .set({ status: 'partially_paid', statusSince: at, expiresAt: new Date(expiresAt), version: version + 1 })
    .where(eq(bankTransfers.id, bankTransferId));
  const look = { tenantId, customerId, invoiceId, bankTransferId, lookAt: at.toISOString() };
  await appendOutbox(tx, tenantId, [lookAtBankTransfer(look)]);
}
