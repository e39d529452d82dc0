/** Turns rows of transfers into what callers get. */
import { duesOf } from '../../db/queries/payments/bank-transfers.ts';
import { type BankTransferRow, nextActOf } from '../../db/queries/payments/follow-transfer.ts';
import { pageUrlOf } from '../../db/queries/payments/transfer-messages.ts';
import { epcQrOfTransfer } from '../../domain/payments/epc-qr.ts';
import { linesForInvoice } from '../../domain/payments/transfer-instructions.ts';
import { transferInWords } from '../../domain/payments/transfer-standing.ts';
import { bankTransferWorkflowId } from '../../workflows/payments/bank-transfer.contract.ts';
import type { ReadContext } from '../route.ts';
import { workflowUrl } from '../workflow-url.ts';
import type { BankTransferBody } from './bank-transfers.schemas.ts';

/** In the order given. */
export async function toBankTransfers(
  { tx, deps }: Pick<ReadContext, 'tx' | 'deps'>,
  rows: readonly BankTransferRow[],
): Promise<BankTransferBody[]> {
  const dues = await duesOf(tx, rows);
  return rows.map((row) => {
    const { reference, instructions, invoiceId } = row;
    const due = dues.get(invoiceId);
    if (due === undefined) throw new Error(`Bank transfer ${row.id} has no invoice`);
    return {
      id: row.id,
      invoiceId,
      customerId: row.customerId,
      status: row.status,
      waitingFor: transferInWords(row.status, nextActOf(row)),
      reference,
      pageUrl: pageUrlOf(deps.config.publicUrl, row),
      dueMinor: due.amountMinor,
      currency: row.currency,
      method: instructions.method,
      methodName: instructions.methodName,
      isInternational: row.isInternational,
      payerCountry: row.payerCountry,
      detailsVersion: row.detailsVersion,
      accountId: instructions.accountId,
      lines: linesForInvoice({ instructions, amount: due, reference }),
      warning: instructions.warning,
      epcQr: epcQrOfTransfer({ instructions, amount: due, reference }),
      issuedAt: row.issuedAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
      askAt: row.askAt.toISOString(),
      askedAt: row.askedAt?.toISOString() ?? null,
      alertAt: row.alertAt.toISOString(),
      alertedAt: row.alertedAt?.toISOString() ?? null,
      heldAt: row.heldAt?.toISOString() ?? null,
      holdReason: row.holdReason,
      confirmationNumber: row.confirmationNumber,
      createdAt: row.createdAt.toISOString(),
      links: { temporal: workflowUrl(deps, bankTransferWorkflowId(invoiceId)) },
    };
  });
}

export async function toBankTransfer(
  context: Pick<ReadContext, 'tx' | 'deps'>,
  row: BankTransferRow,
): Promise<BankTransferBody> {
  const [body] = await toBankTransfers(context, [row]);
  if (body === undefined) throw new Error(`Bank transfer ${row.id} was not turned into a body`);
  return body;
}
