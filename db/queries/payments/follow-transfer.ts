/**
 * A transfer follows its invoice: whatever pays it, takes the payment back or closes it says so here, in its own transaction
 * and under the customer's lock.
 *
 * Why it is safe to run twice: the status is a function of the invoice; where it is what it was, nothing is written, and a look
 * too many changes nothing.
 */
import { eq } from 'drizzle-orm';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import {
  isLookedInto,
  isTransferOpen,
  nextTransferAct,
  type TransferAct,
  transferClock,
} from '../../../domain/payments/bank-transfer.ts';
import {
  instructionsFor,
  type TransferInstructions,
} from '../../../domain/payments/transfer-instructions.ts';
import { statusFollowing, type TransferSituation } from '../../../domain/payments/transfer-standing.ts';
import {
  type BankTransferInput,
  lookAtBankTransfer,
} from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { bankTransfers } from '../../schema/banking.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { currentBankDetails } from './bank-details.ts';
import { isProofWaiting } from './waiting-proofs.ts';

export type BankTransferRow = typeof bankTransfers.$inferSelect;

/** Call after the invoice is as it is to be. Cheap where the invoice has no transfer. */
export async function lookAtTransferOf(tx: Tx, invoiceId: string, at: Date): Promise<void> {
  const [found] = await tx
    .select({
      transfer: bankTransfers,
      invoice: { status: invoices.status, paidMinor: invoices.paidMinor },
      erasedAt: customers.erasedAt,
    })
    .from(bankTransfers)
    .innerJoin(invoices, eq(invoices.id, bankTransfers.invoiceId))
    .innerJoin(customers, eq(customers.id, bankTransfers.customerId))
    .where(eq(bankTransfers.invoiceId, invoiceId));
  if (found === undefined) return;
  const { transfer, invoice, erasedAt } = found;
  const after = await followInvoice(tx, { transfer, invoice, isErased: erasedAt !== null, at });
  const hasMoved = after.version !== transfer.version || after.status === 'partially_paid';
  const hasProcess = isTransferOpen(transfer.status) || isTransferOpen(after.status);
  if (hasMoved && hasProcess) await appendOutbox(tx, after.tenantId, [lookAtBankTransfer(startOf(after))]);
}

/** Whether somebody looks into a transfer of the invoice: nothing that waits for the money is given up meanwhile. */
export async function isTransferLookedInto(tx: Tx, invoiceId: string): Promise<boolean> {
  const [row] = await tx
    .select({ status: bankTransfers.status })
    .from(bankTransfers)
    .where(eq(bankTransfers.invoiceId, invoiceId));
  return row !== undefined && isLookedInto(row.status);
}

/** The row with the status that the invoice asks for. */
export async function followInvoice(
  tx: Tx,
  {
    transfer,
    invoice,
    isErased,
    at,
  }: Pick<TransferSituation, 'invoice' | 'isErased'> & { transfer: BankTransferRow; at: Date },
): Promise<BankTransferRow> {
  // What was paid before the instructions and is taken back is owed by them as well.
  const paidBeforeMinor = Math.min(transfer.paidBeforeMinor, invoice.paidMinor);
  const wasOpen = isTransferOpen(transfer.status);
  const status = statusFollowing(transfer.status, {
    invoice,
    paidBeforeMinor,
    isErased,
    isProofWaiting: !wasOpen && (await isProofWaiting(tx, transfer.id)),
  });
  const isOwedMore = isTransferOpen(status) && paidBeforeMinor < transfer.paidBeforeMinor;
  if (status === transfer.status && !isOwedMore) return transfer;
  const isAskedAnew = isTransferOpen(status) && (!wasOpen || (isOwedMore && !isLookedInto(status)));
  if (!isAskedAnew) return changeTransfer(tx, transfer, { status, paidBeforeMinor, at });
  const instructions = await renewedInstructions(tx, transfer);
  const offer = await offerColumns(tx, { instructions, paidMinor: invoice.paidMinor, at });
  return changeTransfer(tx, transfer, { status, ...offer, at });
}

/** Changes the row; a status that is not on hold holds nothing. */
export async function changeTransfer(
  tx: Tx,
  before: BankTransferRow,
  { at, ...set }: Partial<Omit<BankTransferRow, 'id' | 'version' | 'statusSince'>> & { at: Date },
): Promise<BankTransferRow> {
  const { id, version } = before;
  const status = set.status ?? before.status;
  const [row] = await tx
    .update(bankTransfers)
    .set({
      ...set,
      ...(status !== before.status && { statusSince: at }),
      ...(status !== 'on_hold' && { heldAt: null, holdReason: null }),
      version: version + 1,
    })
    .where(eq(bankTransfers.id, id))
    .returning();
  if (row === undefined) throw new Error(`Bank transfer ${id} disappeared`);
  return row;
}

/** The columns of instructions that are given now: a clock of their own, and nobody was asked yet. */
export async function offerColumns(
  tx: Tx,
  { instructions, paidMinor, at }: { instructions: TransferInstructions; paidMinor: number; at: Date },
) {
  const { isInternational, configurationVersion } = instructions;
  const dayMs = dayLengthMs(await currentTenant(tx));
  const clock = transferClock({ issuedAt: at.toISOString(), isInternational, dayMs });
  return {
    instructions,
    detailsVersion: configurationVersion,
    isInternational,
    paidBeforeMinor: paidMinor,
    issuedAt: at,
    ...clockColumns(clock),
    askedAt: null,
    alertedAt: null,
  };
}

export function clockColumns({ askAt, alertAt, expiresAt }: ReturnType<typeof transferClock>) {
  return { askAt: new Date(askAt), alertAt: new Date(alertAt), expiresAt: new Date(expiresAt) };
}

/** What happens next by the clock; null where only money or a person changes anything. */
export function nextActOf(row: BankTransferRow): TransferAct | null {
  return nextTransferAct({
    status: row.status,
    askAt: row.askAt.toISOString(),
    alertAt: row.alertAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    isAsked: row.askedAt !== null,
    isAlerted: row.alertedAt !== null,
  });
}

/** What the process of the transfer is started with. */
export function startOf(row: BankTransferRow): BankTransferInput {
  const { id: bankTransferId, tenantId, customerId, invoiceId } = row;
  const lookAt = nextActOf(row)?.at ?? row.expiresAt.toISOString();
  return { tenantId, customerId, invoiceId, bankTransferId, lookAt };
}

/** Of instructions that have expired and hold again. */
export async function renewedColumns(tx: Tx, transfer: BankTransferRow) {
  if (transfer.status !== 'expired') return {};
  const instructions = await renewedInstructions(tx, transfer);
  const { isInternational, configurationVersion: detailsVersion } = instructions;
  return { instructions, isInternational, detailsVersion };
}

/** By the accounts of now: one that was closed since must not be paid into. */
async function renewedInstructions(
  tx: Tx,
  { instructions, payerCountry: country, currency }: BankTransferRow,
): Promise<TransferInstructions> {
  const details = await currentBankDetails(tx);
  if (details === null) return instructions;
  return instructionsFor({ configuration: details.configuration, country, currency }) ?? instructions;
}
