/**
 * What operators say of a proof. An approval books the payment now, on the bank's rail; the money itself is linked to it when it
 * shows up on the account (`proof-payments.ts`). A rejection asks the customer again, with the reason and with time for it.
 *
 * Why it is safe to run twice: all is decided under the customer's lock on the row, and a proof is judged once; who says the same
 * again gets the same answer. A match that came first has paid the invoice, and then nothing is booked; one that comes after it
 * finds the invoice paid and the payment that its money belongs to.
 */
import { eq } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { needsApproval } from '../../../domain/payments/manual-payment.ts';
import { statusAfterDeed } from '../../../domain/payments/transfer-standing.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import { lookAtBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { bankProofs } from '../../schema/banking.ts';
import { dueOf } from '../billing/invoices.ts';
import { addTimelineEntry } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { currentTenant } from '../tenants/tenants.ts';
import { type BankProofRow, readProof } from './bank-proofs.ts';
import {
  awaitTransfer,
  lockTransfer,
  readTransfer,
  situationOf,
  type TransferSubject,
} from './bank-transfers.ts';
import { bookedAlone } from './booked-alone.ts';
import { usdWorth } from './exchange-rates.ts';
import { type BankTransferRow, changeTransfer, startOf } from './follow-transfer.ts';
import { proofPaymentName } from './proof-payments.ts';
import { settlePayment } from './settle-payment.ts';
import { clockAfterReviewOf } from './transfer-acts.ts';
import { pageUrlOf, tellOfRejection } from './transfer-messages.ts';
import { isProofWaiting } from './waiting-proofs.ts';

type Judged = { proofId: string; actor: string; at: Date };

/**
 * `amountMinor`: what the proof shows, in the invoice's currency; as usual what the invoice is due. `receivedAt`: when the
 * customer paid it. Throws `not_found`, and `state_conflict` with `proof_rejected`, `invoice_not_open`, `transfer_on_hold` and
 * `second_person_required`.
 */
export async function approveProof(
  tx: Tx,
  {
    amountMinor,
    receivedAt,
    ...judged
  }: Judged & { amountMinor?: number | undefined; receivedAt?: Date | undefined },
): Promise<BankProofRow> {
  const { proof, ...subject } = await lockProof(tx, judged.proofId);
  if (proof.status === 'approved') return proof;
  if (proof.status === 'rejected') {
    throw stateConflict(
      'proof_rejected',
      `Bank proof ${proof.id} was rejected, and the customer was told; have another one sent, or record the payment by hand.`,
    );
  }
  const { transfer, invoice } = subject;
  const { tenantId, invoiceId } = transfer;
  if (invoice.status === 'void') {
    throw stateConflict(
      'invoice_not_open',
      `Invoice ${invoice.number} is void: nothing can be paid. Reject the proof; money that came is given back.`,
    );
  }
  const due = dueOf(invoice);
  if (invoice.status === 'paid' || due.amountMinor === 0) {
    return close(tx, { proof, ...subject }, judged, { outcome: 'superseded', paymentId: null });
  }
  if (transfer.status === 'on_hold') {
    throw stateConflict(
      'transfer_on_hold',
      `The transfer is on hold (${transfer.holdReason}); let it go on before a proof of it is approved.`,
    );
  }
  const amount = money(amountMinor ?? due.amountMinor, due.currency);
  await wantSecondPerson(tx, proof, { ...judged, amount });
  const { paymentId } = await settlePayment(tx, {
    tenantId,
    invoiceId,
    rail: 'bank',
    externalId: proofPaymentName(proof.id),
    amount,
    at: judged.at,
    ...(receivedAt !== undefined && { receivedAt }),
  });
  return close(tx, { proof, ...subject }, judged, { outcome: 'booked', paymentId, amount });
}

/** `reason` is told to the customer. Throws `not_found`, and `state_conflict` with `proof_approved`. */
export async function rejectProof(
  tx: Tx,
  { reason, publicUrl, ...judged }: Judged & { reason: string; publicUrl: string },
): Promise<BankProofRow> {
  const { proof, ...subject } = await lockProof(tx, judged.proofId);
  if (proof.status === 'rejected') return proof;
  if (proof.status === 'approved') {
    throw stateConflict(
      'proof_approved',
      `Bank proof ${proof.id} was approved; if the money never came, take its payment back (POST /v1/payments/${proof.paymentId ?? '{paymentId}'}/bounce).`,
    );
  }
  const { at, actor } = judged;
  const rejected = await decide(tx, proof, { status: 'rejected', reason, decidedBy: actor, decidedAt: at });
  const { context, invoice } = subject;
  const transfer = await leaveReview(tx, subject, { isAsked: true, at });
  const isAsked = invoice.status === 'open' && context.customer.erasedAt === null;
  if (isAsked) {
    const told = { ...subject, transfer, pageUrl: pageUrlOf(publicUrl, transfer), at };
    const hasNewEnd = transfer.expiresAt.getTime() !== subject.transfer.expiresAt.getTime();
    await tellOfRejection(tx, told, { proofId: proof.id, reason, hasNewEnd });
  }
  await note(tx, { ...subject, transfer }, judged, { kind: 'rejected', message: 'was not accepted', reason });
  return rejected;
}

type ProofSubject = TransferSubject & { proof: BankProofRow };

async function lockProof(tx: Tx, proofId: string): Promise<ProofSubject> {
  const { bankTransferId } = await readProof(tx, proofId);
  const subject = await lockTransfer(tx, bankTransferId);
  return { ...subject, proof: await readProof(tx, proofId) };
}

async function close(
  tx: Tx,
  { proof, ...subject }: ProofSubject,
  judged: Judged,
  done: { outcome: 'superseded'; paymentId: null } | { outcome: 'booked'; paymentId: string; amount: Money },
): Promise<BankProofRow> {
  const { at, actor } = judged;
  const { outcome, paymentId } = done;
  const approved = await decide(tx, proof, {
    status: 'approved',
    decidedBy: actor,
    decidedAt: at,
    outcome,
    paymentId,
  });
  // As the payment has left it.
  const paid = await lockTransfer(tx, subject.transfer.id);
  const transfer = await leaveReview(tx, paid, { isAsked: false, at });
  await note(tx, { ...paid, transfer }, judged, {
    kind: 'approved',
    message:
      done.outcome === 'booked'
        ? `was approved: ${formatMoney(done.amount)} is booked`
        : 'was approved; the invoice had been paid in the meantime, and nothing was booked',
  });
  return approved;
}

/**
 * Who sent a proof in the name of a customer does not approve much money on it, nor much in several parts within a day, recorded or
 * proved. What cannot be told in US dollars is much.
 */
async function wantSecondPerson(
  tx: Tx,
  proof: BankProofRow,
  { actor, amount, at }: Judged & { amount: Money },
): Promise<void> {
  if (proof.uploadedBy !== actor) return;
  const { timeZone } = await currentTenant(tx);
  const usdMinor = await usdWorth(tx, amount, { day: dayAt(at.toISOString(), timeZone), actor });
  const aloneUsdMinor = await bookedAlone(tx, { customerId: proof.customerId, actor, at });
  if (!needsApproval({ usdMinor, aloneUsdMinor, fourEyesUsdMinor: bankPolicy.fourEyesUsdMinor })) return;
  throw stateConflict(
    'second_person_required',
    `${formatMoney(amount)} is too much for one person: another API key than the one that sent the proof approves it.`,
  );
}

/**
 * Once no proof waits any more, the transfer waits for what is missing, with the time that it stood in review given back; of
 * another status it stays what it is. `isAsked`: the customer is being told, and need not be asked once more.
 */
async function leaveReview(
  tx: Tx,
  subject: TransferSubject,
  { isAsked, at }: { isAsked: boolean; at: Date },
): Promise<BankTransferRow> {
  const before = await readTransfer(tx, subject.transfer.id);
  const situation = situationOf({ ...subject, isProofWaiting: await isProofWaiting(tx, before.id) });
  const status = statusAfterDeed(before.status, 'judge_proof', situation);
  if (status === null || status === before.status) return before;
  const clock = clockAfterReviewOf({ ...subject, transfer: before }, at);
  const askedAt = before.askedAt ?? (isAsked ? at : null);
  const transfer = await changeTransfer(tx, before, { ...clock, status, askedAt, at });
  await awaitTransfer(tx, { ...subject, transfer }, at);
  return transfer;
}

async function decide(
  tx: Tx,
  { id }: BankProofRow,
  set: Partial<typeof bankProofs.$inferInsert>,
): Promise<BankProofRow> {
  const [row] = await tx.update(bankProofs).set(set).where(eq(bankProofs.id, id)).returning();
  if (row === undefined) throw new Error(`Bank proof ${id} disappeared`);
  return row;
}

async function note(
  tx: Tx,
  { transfer, invoice, context }: TransferSubject,
  { proofId, actor, at }: Judged,
  { kind, message, reason }: { kind: 'approved' | 'rejected'; message: string; reason?: string },
): Promise<void> {
  const { tenantId } = transfer;
  await addTimelineEntry(tx, context.subscription, at, {
    kind: `bank_proof_${kind}`,
    message: `The proof of the transfer for invoice ${invoice.number} ${message}.`,
    details: { bankProofId: proofId, bankTransferId: transfer.id, invoiceId: invoice.id },
  });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: `bank_proof.${kind}`,
    entityType: 'bank_proof',
    entityId: proofId,
    ...(reason !== undefined && { reason }),
    details: { bankTransferId: transfer.id, invoiceId: invoice.id },
    at,
  });
  await appendOutbox(tx, tenantId, [lookAtBankTransfer(startOf(transfer))]);
}
