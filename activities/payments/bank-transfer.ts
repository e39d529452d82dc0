/**
 * Looks at a transfer and does what is due, in one transaction of our own database.
 *
 * Why it is safe to run twice: see `look-at-transfer.ts`; a second look finds nothing left to do.
 */
import { type Database, withTenant } from '../../db/client.ts';
import { lookAtTransfer } from '../../db/queries/payments/look-at-transfer.ts';
import { isTransferOpen } from '../../domain/payments/bank-transfer.ts';
import { transferInWords } from '../../domain/payments/transfer-standing.ts';

export type LookAtBankTransferInput = { tenantId: string; bankTransferId: string; at: string };

export type BankTransferState = {
  /** What it waits for, as a sentence. */
  waitingFor: string;
  /** When it is to be looked at again though nobody asks; null where only money or a person changes it. */
  wakeAt: string | null;
  /** Nothing waits for it; what comes later starts another run. */
  isOver: boolean;
};

export function createBankTransferActivities({ db, publicUrl }: { db: Database; publicUrl?: string }) {
  return {
    async lookAtBankTransfer({
      tenantId,
      bankTransferId,
      at,
    }: LookAtBankTransferInput): Promise<BankTransferState> {
      const { status, next } = await withTenant(db, tenantId, (tx) =>
        lookAtTransfer(tx, { bankTransferId, publicUrl, at: new Date(at) }),
      );
      return {
        waitingFor: transferInWords(status, next),
        wakeAt: next?.at ?? null,
        isOver: !isTransferOpen(status),
      };
    },
  };
}
