/**
 * A file becomes a proof: it is looked at, stored, and only then told of in a transaction.
 *
 * Why it is safe to run twice: the file is stored under a key made of the proof's id, so the same try stores the same bytes in
 * the same place. Dying before the transaction leaves a file that no row names: nobody sees it, and it may be deleted. A try that
 * is refused in the transaction, or that finds the very same file, takes its own file away again as far as it can.
 */

import type { Tx } from '../../db/client.ts';
import { type BankProofRow, keepProof, proofKey } from '../../db/queries/payments/bank-proofs.ts';
import { DomainError } from '../../domain/errors.ts';
import { contentTypeOf, type ObjectEnding } from '../../domain/operations/object-storage.ts';
import { checkProof } from '../../integrations/proofs/check-proof.ts';
import type { ApiDependencies } from '../dependencies.ts';
import type { UploadedFile } from '../form-file.ts';
import { Problem } from '../problem.ts';

export type ProofToReceive = {
  tenantId: string;
  proofId: string;
  bankTransferId: string;
  file: UploadedFile;
  confirmationNumber: string | null;
  uploadedVia: BankProofRow['uploadedVia'];
  actor: string;
};

/** As it is kept. */
export type StoredProof = { ending: ObjectEnding; sizeBytes: number };

/** Outside of any transaction. Throws the problem `file_unusable`, what the storage throws, or that the sender has hung up. */
export async function storeProof(
  { storage }: Pick<ApiDependencies, 'storage'>,
  { tenantId, proofId, file }: ProofToReceive,
): Promise<StoredProof> {
  const checked = await checkProof(file.bytes, file);
  if (checked.kind === 'refused') {
    const { reason, message } = checked;
    throw new Problem({ code: 'file_unusable', reason, detail: message });
  }
  const { bytes, ending } = checked;
  const key = proofKey({ tenantId, proofId, ending });
  await storage.put({ key, bytes, contentType: contentTypeOf(key) });
  return { ending, sizeBytes: bytes.length };
}

/** In the transaction that keeps it. Throws what `keepProof` throws. */
export async function tellOfStored(
  tx: Tx,
  { storage, log }: Pick<ApiDependencies, 'storage' | 'log'>,
  { received, stored, at }: { received: ProofToReceive; stored: StoredProof; at: Date },
): Promise<BankProofRow> {
  const { file, ...told } = received;
  const takeAway = async () => {
    const key = proofKey({ ...told, ending: stored.ending });
    await storage
      .delete(key)
      .catch((err: unknown) => log.warn({ err }, 'a file that no proof names was left'));
  };
  try {
    const proof = await keepProof(tx, { ...told, ...stored, sha256: file.sha256, at });
    if (proof.id !== told.proofId) await takeAway();
    return proof;
  } catch (error) {
    // Nothing was written. After another error the row may be there.
    if (error instanceof DomainError) await takeAway();
    throw error;
  }
}
