/**
 * What people do with a transfer: it is held while something about it is to be cleared up, goes on, is given more time; and the
 * customer tells the number on the bank's confirmation.
 *
 * Why it is safe to run twice: each act is decided under the customer's lock on the row; a transfer that is held already is held
 * no second time, and one that goes on already goes on. More time is given once for each idempotency key of a caller.
 */
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { stateConflict } from '../../../domain/errors.ts';
import { addDays, inWords } from '../../../domain/instant.ts';
import { clockAfterReview } from '../../../domain/payments/bank-proof.ts';
import {
  afterStanding,
  type BankTransferStatus,
  isTransferOpen,
  isWaitedFor,
} from '../../../domain/payments/bank-transfer.ts';
import { statusAfterDeed, type TransferDeed } from '../../../domain/payments/transfer-standing.ts';
import { lookAtBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { addTimelineEntry } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { awaitTransfer, lockTransfer, situationOf, type TransferSubject } from './bank-transfers.ts';
import {
  type BankTransferRow,
  changeTransfer,
  clockColumns,
  renewedColumns,
  startOf,
} from './follow-transfer.ts';
import { reconsiderConfirmed } from './reconsider-movements.ts';
import { pageUrlOf, tellOfHold, tellOfStanding } from './transfer-messages.ts';
import { isProofWaiting } from './waiting-proofs.ts';

type Asked = { bankTransferId: string; publicUrl: string; actor: string; at: Date };

/**
 * Nothing runs out from now on, and the customer is asked to get in touch. Throws `not_found`, `state_conflict` with
 * `transfer_not_open`.
 */
export async function holdTransfer(
  tx: Tx,
  { reason, ...asked }: Asked & { reason: string },
): Promise<BankTransferRow> {
  const { subject, status } = await lockFor(tx, asked, 'hold');
  if (subject.transfer.status === status) return subject.transfer;
  const { at } = asked;
  const transfer = await changeTransfer(tx, subject.transfer, {
    ...(subject.transfer.status === 'in_review' && clockAfterReviewOf(subject, at)),
    status,
    heldAt: at,
    holdReason: reason,
    at,
  });
  await tellOfHold(tx, { ...subject, transfer, pageUrl: pageUrlOf(asked.publicUrl, transfer), at });
  return follow(tx, { ...subject, transfer }, asked, {
    kind: 'held',
    message: 'is on hold; its clock stands still',
    reason,
  });
}

/** The clock goes on with what was left of it. Throws `not_found`, `state_conflict` with `transfer_not_open`. */
export async function resumeTransfer(tx: Tx, asked: Asked): Promise<BankTransferRow> {
  const { subject, status } = await lockFor(tx, asked, 'resume');
  const { transfer: before } = subject;
  const { at } = asked;
  if (before.heldAt === null) return before;
  const clock = afterStanding(clockOf(before), { from: before.heldAt.toISOString(), to: at.toISOString() });
  const transfer = await changeTransfer(tx, before, { status, ...clockColumns(clock), at });
  await awaitTransfer(tx, { ...subject, transfer }, at);
  await tellOfStanding(tx, { ...subject, transfer, pageUrl: pageUrlOf(asked.publicUrl, transfer), at });
  return follow(tx, { ...subject, transfer }, asked, {
    kind: 'resumed',
    message: `goes on, until ${inWords(clock.expiresAt)}`,
  });
}

/**
 * So many days more; instructions that have expired hold again from now on. Throws `not_found`, `state_conflict` with
 * `transfer_not_open`.
 */
export async function extendTransfer(
  tx: Tx,
  { days, reason, ...asked }: Asked & { days: number; reason: string },
): Promise<BankTransferRow> {
  const { subject, status } = await lockFor(tx, asked, 'extend');
  const { transfer: before, context } = subject;
  const { at } = asked;
  // While the clock stands still, its end is told as it was when it stopped.
  const from = before.heldAt === null && before.expiresAt < at ? at : before.expiresAt;
  const expiresAt = addDays(from.toISOString(), days, dayLengthMs(context.tenant));
  const transfer = await changeTransfer(tx, before, {
    ...(await renewedColumns(tx, before)),
    status,
    expiresAt: new Date(expiresAt),
    at,
  });
  await awaitTransfer(tx, { ...subject, transfer }, at);
  await tellOfStanding(tx, { ...subject, transfer, pageUrl: pageUrlOf(asked.publicUrl, transfer), at });
  return follow(tx, { ...subject, transfer }, asked, {
    kind: 'extended',
    message: `has time until ${inWords(expiresAt)}`,
    reason,
  });
}

/**
 * Keeps the number that finds the transfer where its reference is missing, and has money looked at that came before it. A later
 * number takes its place. Throws `not_found`,
 * `state_conflict` with `transfer_not_open` where nothing is waited for.
 */
export async function keepConfirmation(
  tx: Tx,
  { number, ...asked }: Omit<Asked, 'publicUrl'> & { number: string },
): Promise<BankTransferRow> {
  const subject = await lockTransfer(tx, asked.bankTransferId);
  const { transfer: before, context } = subject;
  if (!isWaitedFor(before.status) || context.customer.erasedAt !== null) throw notOpen(before);
  if (before.confirmationNumber === number) return before;
  const transfer = await changeTransfer(tx, before, { confirmationNumber: number, at: asked.at });
  await reconsiderConfirmed(tx, { tenantId: transfer.tenantId, number, at: asked.at });
  return follow(tx, { ...subject, transfer }, asked, {
    kind: 'confirmed',
    message: "is known by the number of the customer's confirmation",
  });
}

/** The clock with the time given back that a proof has stood in review, which is no time of the customer's. */
export function clockAfterReviewOf(
  { transfer, context }: Pick<TransferSubject, 'transfer' | 'context'>,
  at: Date,
) {
  const clock = clockAfterReview(clockOf(transfer), {
    reviewedFrom: transfer.statusSince.toISOString(),
    judgedAt: at.toISOString(),
    dayMs: dayLengthMs(context.tenant),
  });
  return clockColumns(clock);
}

/** What leads to the status after the deed. Throws where the deed does not apply. */
async function lockFor(
  tx: Tx,
  { bankTransferId }: Asked,
  deed: TransferDeed,
): Promise<{ subject: TransferSubject; status: BankTransferStatus }> {
  const locked = await lockTransfer(tx, bankTransferId);
  const { transfer } = locked;
  const subject = { ...locked, isProofWaiting: await isProofWaiting(tx, bankTransferId) };
  // What goes on already is not resumed.
  const isDone = deed === 'resume' && transfer.status !== 'on_hold' && isTransferOpen(transfer.status);
  const status = isDone ? transfer.status : statusAfterDeed(transfer.status, deed, situationOf(subject));
  if (status === null) throw notOpen(transfer);
  return { subject, status };
}

/** Whoever looks later finds what was done, and the process of the transfer looks anew. */
async function follow(
  tx: Tx,
  { transfer, invoice, context }: TransferSubject,
  { actor, at }: Pick<Asked, 'actor' | 'at'>,
  { kind, message, reason }: { kind: string; message: string; reason?: string },
): Promise<BankTransferRow> {
  const { id, tenantId, version } = transfer;
  await addTimelineEntry(tx, context.subscription, at, {
    kind: `bank_transfer_${kind}`,
    message: `The transfer for invoice ${invoice.number} ${message}.`,
    details: { bankTransferId: id, invoiceId: invoice.id },
  });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: `bank_transfer.${kind}`,
    entityType: 'bank_transfer',
    entityId: id,
    ...(reason !== undefined && { reason }),
    details: { version },
    at,
  });
  await appendOutbox(tx, tenantId, [lookAtBankTransfer(startOf(transfer))]);
  return transfer;
}

function clockOf({ askAt, alertAt, expiresAt }: BankTransferRow) {
  return {
    askAt: askAt.toISOString(),
    alertAt: alertAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}

function notOpen({ id, status }: BankTransferRow) {
  return stateConflict(
    'transfer_not_open',
    `Bank transfer ${id} is ${status}; this applies only while its invoice waits for it.`,
  );
}
