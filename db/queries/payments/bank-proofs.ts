/**
 * Proofs of bank transfers: what was sent is kept, operators are told to look, and the transfer waits for them and no longer for
 * the customer. What they say of it is in `judge-proof.ts`.
 *
 * Why it is safe to run twice: the file is stored before, under a key made of the id that its row gets here, and a file that
 * nothing names harms nobody. All of this is one transaction under the customer's lock; the same id, or the very same file for
 * the same transfer, finds the row that is there.
 */
import { and, desc, eq, isNotNull, lt, ne, sql } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import { contentTypeOf, type ObjectEnding, objectKey } from '../../../domain/operations/object-storage.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import {
  type ProofStatus,
  type ProofSuspicion,
  suspicionInWords,
} from '../../../domain/payments/bank-proof.ts';
import { isWaitedFor } from '../../../domain/payments/bank-transfer.ts';
import { statusAfterDeed } from '../../../domain/payments/transfer-standing.ts';
import { lookAtBankTransfer } from '../../../workflows/payments/bank-transfer.contract.ts';
import type { Tx } from '../../client.ts';
import { bankProofs } from '../../schema/banking.ts';
import { addTimelineEntry, notFound } from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { lockTransfer, situationOf, type TransferSubject } from './bank-transfers.ts';
import { changeTransfer, startOf } from './follow-transfer.ts';
import { reconsiderConfirmed } from './reconsider-movements.ts';
import { tellOperatorsOfTransfer } from './transfer-messages.ts';

export type BankProofRow = typeof bankProofs.$inferSelect;

export type SentProof = {
  /** Of which the key of its file is made. */
  proofId: string;
  bankTransferId: string;
  /** As it was sent. */
  sha256: string;
  /** As it is kept. */
  ending: ObjectEnding;
  sizeBytes: number;
  confirmationNumber: string | null;
  uploadedVia: BankProofRow['uploadedVia'];
  actor: string;
  at: Date;
};

/** Where the file of a proof is kept. */
export function proofKey({
  tenantId,
  proofId,
  ending,
}: {
  tenantId: string;
  proofId: string;
  ending: ObjectEnding;
}): string {
  const digits = proofId.slice(proofId.indexOf('_') + 1);
  const id = digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return objectKey({ tenantId, id, ending });
}

/**
 * Keeps what was sent. The very same file for the same transfer is the proof that is there already; its id is another one then.
 * Throws what `checkTakesProof` throws.
 */
export async function keepProof(tx: Tx, sent: SentProof): Promise<BankProofRow> {
  const subject = await lockTransfer(tx, sent.bankTransferId);
  const same = await checkTakesProof(tx, subject, sent);
  if (same !== null) return same;
  const { transfer, invoice, context } = subject;
  const { tenantId, invoiceId, customerId } = transfer;
  const { proofId, at, actor, ending, confirmationNumber } = sent;
  const suspicion = await suspect(tx, subject, sent.sha256);
  const key = proofKey({ tenantId, proofId, ending });
  const [proof] = await tx
    .insert(bankProofs)
    .values({
      id: proofId,
      tenantId,
      bankTransferId: transfer.id,
      invoiceId,
      customerId,
      sha256: sent.sha256,
      objectKey: key,
      contentType: contentTypeOf(key),
      sizeBytes: sent.sizeBytes,
      status: 'waiting',
      confirmationNumber,
      uploadedVia: sent.uploadedVia,
      uploadedBy: actor,
      uploadedAt: at,
      suspicion,
    })
    .returning();
  if (proof === undefined) throw new Error('An inserted proof was not returned');
  const status = statusAfterDeed(transfer.status, 'send_proof', situationOf(subject)) ?? transfer.status;
  const changed = await changeTransfer(tx, transfer, {
    status,
    ...(confirmationNumber !== null && { confirmationNumber }),
    at,
  });
  if (confirmationNumber !== null)
    await reconsiderConfirmed(tx, { tenantId, number: confirmationNumber, at });
  await tellOperatorsOfTransfer(
    tx,
    { transfer: changed, invoice, at },
    {
      what: `A proof of the transfer was sent.${suspicionInWords(suspicion)} Look at it and approve or reject it; nothing is booked before that.`,
      occasion: `proof:${proofId}`,
    },
  );
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'bank_proof_sent',
    message: `A proof of the transfer for invoice ${invoice.number} was sent.`,
    details: { bankProofId: proofId, bankTransferId: transfer.id, invoiceId },
  });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'bank_proof.sent',
    entityType: 'bank_proof',
    entityId: proofId,
    details: { bankTransferId: transfer.id, invoiceId, suspicion },
    at,
  });
  await appendOutbox(tx, tenantId, [lookAtBankTransfer(startOf(changed))]);
  return proof;
}

/**
 * The proof that this very file is already; null where it may be kept. Throws `state_conflict` with `transfer_not_open`,
 * `proof_rejected` (this very file was) and `proofs_used_up`, and `customer_erased`. Without a file only the transfer is looked
 * at.
 */
export async function checkTakesProof(
  tx: Tx,
  { transfer, invoice, context }: TransferSubject,
  file: { sha256: string } | null,
): Promise<BankProofRow | null> {
  if (context.customer.erasedAt !== null) {
    throw stateConflict('customer_erased', 'The data of the customer was erased; nobody is left to pay.');
  }
  const sent = await proofsOf(tx, transfer.id);
  const same = sent.find(({ sha256 }) => sha256 === file?.sha256) ?? null;
  if (same !== null && same.status !== 'rejected') return same;
  if (!isWaitedFor(transfer.status) || invoice.status !== 'open') {
    throw stateConflict(
      'transfer_not_open',
      'The invoice waits for no transfer any more; nothing is to be proved.',
    );
  }
  if (same !== null) {
    throw stateConflict(
      'proof_rejected',
      'This very file was looked at before and not accepted. Send another one, such as the confirmation of your bank.',
    );
  }
  const { proofsMax } = bankPolicy;
  if (sent.length >= proofsMax) {
    throw stateConflict(
      'proofs_used_up',
      `${proofsMax} proofs were sent for this invoice, and no more are taken. Answer one of our mails instead.`,
    );
  }
  return null;
}

/** Newest first. */
export function proofsOf(tx: Tx, bankTransferId: string): Promise<BankProofRow[]> {
  return tx
    .select()
    .from(bankProofs)
    .where(eq(bankProofs.bankTransferId, bankTransferId))
    .orderBy(desc(bankProofs.id));
}

export async function findProof(tx: Tx, id: string): Promise<BankProofRow | null> {
  const [row] = await tx.select().from(bankProofs).where(eq(bankProofs.id, id));
  return row ?? null;
}

/** Throws `not_found`. */
export async function readProof(tx: Tx, id: string): Promise<BankProofRow> {
  const row = await findProof(tx, id);
  if (row === null) throw notFound('bank proof', id);
  return row;
}

export type ProofFilter = {
  status: ProofStatus | undefined;
  bankTransferId: string | undefined;
  invoiceId: string | undefined;
  cursor: string | undefined;
  limit: number;
};

/** Newest first. */
export function listProofs(tx: Tx, filter: ProofFilter): Promise<BankProofRow[]> {
  const { status, bankTransferId, invoiceId, cursor, limit } = filter;
  return tx
    .select()
    .from(bankProofs)
    .where(
      and(
        status === undefined ? undefined : eq(bankProofs.status, status),
        bankTransferId === undefined ? undefined : eq(bankProofs.bankTransferId, bankTransferId),
        invoiceId === undefined ? undefined : eq(bankProofs.invoiceId, invoiceId),
        cursor === undefined ? undefined : lt(bankProofs.id, cursor),
      ),
    )
    .orderBy(desc(bankProofs.id))
    .limit(limit);
}

/** The keys of the files that are still there. */
export async function proofFilesOf(tx: Tx, customerId: string): Promise<string[]> {
  const rows = await tx
    .select({ key: bankProofs.objectKey })
    .from(bankProofs)
    .where(and(eq(bankProofs.customerId, customerId), isNotNull(bankProofs.objectKey)));
  return rows.flatMap(({ key }) => (key === null ? [] : [key]));
}

/** Of a customer who was erased: once the files are deleted. */
export async function forgetProofFiles(tx: Tx, customerId: string): Promise<void> {
  await tx.update(bankProofs).set({ objectKey: null }).where(eq(bankProofs.customerId, customerId));
}

/** What people have written with or about the proofs of a customer who is erased. The hashes of the files say nothing of anybody. */
export async function forgetProofTexts(tx: Tx, customerId: string): Promise<void> {
  await tx
    .update(bankProofs)
    .set({ confirmationNumber: null, reason: null })
    .where(eq(bankProofs.customerId, customerId));
}

/** The same file for other invoices; those that wait are suspected from now on as well. */
async function suspect(
  tx: Tx,
  { transfer }: TransferSubject,
  sha256: string,
): Promise<ProofSuspicion | null> {
  const { id, tenantId, customerId } = transfer;
  // Two that are sent at the same moment must see each other.
  await tx.execute(
    sql`select pg_advisory_xact_lock(hashtextextended(${`bank_proof ${tenantId} ${sha256}`}, 0))`,
  );
  const others = await tx
    .select()
    .from(bankProofs)
    .where(and(eq(bankProofs.sha256, sha256), ne(bankProofs.bankTransferId, id)));
  if (others.length === 0) return null;
  const suspicion = others.some((other) => other.customerId !== customerId)
    ? 'other_customer'
    : 'other_invoice';
  for (const other of others) {
    if (other.status !== 'waiting' || other.suspicion === 'other_customer') continue;
    const set = {
      suspicion: other.customerId === customerId ? ('other_invoice' as const) : ('other_customer' as const),
    };
    await tx.update(bankProofs).set(set).where(eq(bankProofs.id, other.id));
  }
  return suspicion;
}
