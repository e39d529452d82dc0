/**
 * A person has accepted money that came too late: what is still missing of the invoice may come as long again as instructions
 * hold, and what is to begin with the payment waits for it.
 *
 * Why it is safe to run twice: only a transfer that has expired is extended, under the customer's lock.
 */
import { and, asc, eq } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { transferClock } from '../../../domain/payments/bank-transfer.ts';
import { lookAtBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { awaitTransfer } from './bank-transfers.ts';
import { lockInvoice } from './charge-attempts.ts';
import { changeTransfer, renewedColumns } from './follow-transfer.ts';

export async function extendExpiredTransfers(
  tx: Tx,
  { invoiceIds, at }: { invoiceIds: readonly string[]; at: Date },
): Promise<void> {
  const { id, invoiceId, status } = bankTransfers;
  const expired = await tx
    .select()
    .from(bankTransfers)
    .where(and(isOneOf(invoiceId, invoiceIds), eq(status, 'expired')))
    .orderBy(asc(id));
  for (const transfer of expired) await extend(tx, transfer, at);
}

async function extend(tx: Tx, expired: typeof bankTransfers.$inferSelect, at: Date): Promise<void> {
  const { invoiceId } = expired;
  const subject = await lockInvoice(tx, invoiceId);
  if (subject.invoice.status !== 'open') return;
  const renewed = await renewedColumns(tx, expired);
  const { id: bankTransferId, tenantId, customerId, isInternational } = { ...expired, ...renewed };
  const dayMs = dayLengthMs(subject.context.tenant);
  const { expiresAt } = transferClock({ issuedAt: at.toISOString(), isInternational, dayMs });
  const transfer = await changeTransfer(tx, expired, {
    ...renewed,
    status: 'partially_paid',
    expiresAt: new Date(expiresAt),
    at,
  });
  await awaitTransfer(tx, { ...subject, transfer }, at);
  const look = { tenantId, customerId, invoiceId, bankTransferId, lookAt: at.toISOString() };
  await appendOutbox(tx, tenantId, [lookAtBankTransfer(look)]);
}
