/** What the public page of a transfer is made of. Who knows its token sees it, and needs no account. */
import { eq, sql } from 'drizzle-orm';
import type { Money } from '../../../domain/money.ts';
import { type Database, withSystem, withTenant } from '../../client.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { type BankProofRow, proofsOf } from './bank-proofs.ts';
import { duesOf } from './bank-transfers.ts';
import type { BankTransferRow } from './follow-transfer.ts';

export type TransferPageFacts = {
  seller: string;
  invoiceNumber: string;
  /** Of the whole invoice, in minor units. */
  totalMinor: number;
  transfer: BankTransferRow;
  due: Money;
  /** What came since the instructions were given, in minor units. */
  receivedMinor: number;
  /** Newest first. */
  proofs: BankProofRow[];
};

/** Null for a token that opens nothing, or nothing any more: the customer was erased. */
export async function readTransferPage(db: Database, token: string): Promise<TransferPageFacts | null> {
  const tenantId = await withSystem(db, async (tx) => {
    const [found] = await tx
      .select({ tenantId: bankTransfers.tenantId })
      .from(bankTransfers)
      .where(eq(bankTransfers.pageToken, token));
    return found?.tenantId;
  });
  if (tenantId === undefined) return null;
  return withTenant(db, tenantId, async (tx) => {
    const [row] = await tx
      .select({
        transfer: bankTransfers,
        invoiceNumber: invoices.number,
        totalMinor: invoices.totalMinor,
        paidMinor: sql<number>`(${invoices.paidMinor} - ${invoices.writtenOffMinor})::int8`.mapWith(Number),
        erasedAt: customers.erasedAt,
      })
      .from(bankTransfers)
      .innerJoin(invoices, eq(invoices.id, bankTransfers.invoiceId))
      .innerJoin(customers, eq(customers.id, bankTransfers.customerId))
      .where(eq(bankTransfers.pageToken, token));
    if (row === undefined || row.erasedAt !== null) return null;
    const { transfer, invoiceNumber, totalMinor, paidMinor } = row;
    const due = (await duesOf(tx, [transfer])).get(transfer.invoiceId);
    if (due === undefined) return null;
    return {
      seller: (await currentTenant(tx)).name,
      invoiceNumber,
      totalMinor,
      transfer,
      due,
      receivedMinor: Math.max(0, paidMinor - transfer.paidBeforeMinor),
      proofs: await proofsOf(tx, transfer.id),
    };
  });
}
