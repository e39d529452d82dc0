/**
 * Decides an invoice in coins anew and carries out what that asks for, in one transaction of our own database.
 *
 * Why it is safe to run twice: see `carry-out-crypto-invoice.ts`; a second run finds nothing left to do.
 */
import { type Database, withTenant } from '../../db/client.ts';
import { carryOutCryptoInvoice } from '../../db/queries/payments/carry-out-crypto-invoice.ts';
import type { DecidedInvoice } from '../../db/queries/payments/save-decision.ts';
import type { CryptoInvoiceStatus } from '../../domain/payments/crypto-invoice.ts';

export type DecideCryptoInvoiceInput = { tenantId: string; cryptoInvoiceId: string; at: string };

export type CryptoInvoiceState = {
  status: CryptoInvoiceStatus;
  /** When it is to be decided again though nobody asks; null where only the chain's watcher, or a person, changes it. */
  wakeAt: string | null;
  /** Nothing waits for it; what comes later starts another run. */
  isOver: boolean;
};

export function createCryptoInvoiceActivities({ db }: { db: Database }) {
  return {
    async decideCryptoInvoice({
      tenantId,
      cryptoInvoiceId,
      at,
    }: DecideCryptoInvoiceInput): Promise<CryptoInvoiceState> {
      const decided = await withTenant(db, tenantId, (tx) =>
        carryOutCryptoInvoice(tx, { cryptoInvoiceId, at: new Date(at) }),
      );
      return stateOf(decided, at);
    },
  };
}

function stateOf({ invoice, decision }: DecidedInvoice, at: string): CryptoInvoiceState {
  const { status } = invoice;
  // An expiry waits until the chain is read beyond it; then its watcher says so.
  const isAwaited = status === 'awaiting' && invoice.expiresAt.toISOString() < at;
  const wakeAt = isAwaited ? null : decision.wakeAt;
  const isOpen = status === 'awaiting' || status === 'processing';
  return { status, wakeAt, isOver: !isOpen && wakeAt === null };
}
