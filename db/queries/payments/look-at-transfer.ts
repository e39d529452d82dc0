/**
 * Looks at a transfer and does what is due: the customer is asked where the money is, operators are told, the instructions
 * expire; and the customer is told what the invoice has become for it.
 *
 * Why it is safe to run twice: under the customer's lock the same function is asked again on the row, what was done is written
 * into it in the same transaction, and each message is known by what it tells. A look that finds nothing to do changes nothing.
 */
import { inWords } from '../../../domain/instant.ts';
import type { BankTransferStatus, TransferAct } from '../../../domain/payments/bank-transfer.ts';
import type { Tx } from '../../client.ts';
import { addTimelineEntry } from '../billing/subscriptions.ts';
import { lockTransfer, type TransferSubject } from './bank-transfers.ts';
import { payUrl } from './dunning-message.ts';
import { type BankTransferRow, changeTransfer, followInvoice, nextActOf } from './follow-transfer.ts';
import {
  askCustomer,
  pageUrlOf,
  type TransferMessage,
  tellOfExpiry,
  tellOfStanding,
  tellOperatorsOfTransfer,
} from './transfer-messages.ts';

export type LookedAtTransfer = {
  status: BankTransferStatus;
  /** What happens next by the clock. */
  next: TransferAct | null;
};

/** Does all that is due at that time, the earliest first. Throws `not_found`. */
export async function lookAtTransfer(
  tx: Tx,
  {
    bankTransferId,
    publicUrl,
    at,
  }: {
    bankTransferId: string;
    /** Under which customers reach the pages; without it, mails lead to the tenant's portal. */
    publicUrl: string | undefined;
    at: Date;
  },
): Promise<LookedAtTransfer> {
  const { transfer, ...subject } = await lockTransfer(tx, bankTransferId);
  const { invoice, context } = subject;
  const isErased = context.customer.erasedAt !== null;
  const pageUrl =
    publicUrl === undefined ? payUrl(context.tenant.portalUrl, invoice.id) : pageUrlOf(publicUrl, transfer);
  let row = await followInvoice(tx, { transfer, invoice, isErased, at });
  for (;;) {
    const next = nextActOf(row);
    if (next === null || Date.parse(next.at) > at.getTime()) {
      await tellOfStanding(tx, { ...subject, transfer: row, pageUrl, at });
      return { status: row.status, next };
    }
    row = await acts[next.kind](tx, { ...subject, transfer: row, pageUrl, at });
  }
}

/** Each changes the row, so that it is not due any more. */
const acts: Record<TransferAct['kind'], (tx: Tx, told: TransferMessage) => Promise<BankTransferRow>> = {
  async ask_customer(tx, told) {
    const { transfer, at } = told;
    const row = await changeTransfer(tx, transfer, { askedAt: at, at });
    // After an outage what comes next is due as well, and says more.
    const isExpiring = transfer.expiresAt <= at;
    if (!isExpiring) await askCustomer(tx, told);
    if (transfer.alertAt > at) {
      const since = inWords(transfer.issuedAt.toISOString());
      await tellOperatorsOfTransfer(tx, told, {
        what: `Nothing has come since ${since}; the customer was asked for a copy of the confirmation or the number on it.`,
        occasion: `asked:${transfer.issuedAt.toISOString()}`,
      });
    }
    if (isExpiring) return row;
    return noted(tx, told, row, {
      kind: 'asked',
      message: 'has not come yet; the customer was asked where it is',
    });
  },
  async alert_operators(tx, told) {
    const { status, issuedAt } = told.transfer;
    const since = inWords(issuedAt.toISOString());
    await tellOperatorsOfTransfer(tx, told, {
      what: `${missing(status)} since ${since}. Look among the movements that found no invoice, and ask the customer; hold the transfer or give it more time where that helps.`,
      occasion: `alert:${issuedAt.toISOString()}`,
    });
    const row = await changeTransfer(tx, told.transfer, { alertedAt: told.at, at: told.at });
    return noted(tx, told, row, {
      kind: 'alerted',
      message: 'is waited for too long; operators were alerted',
    });
  },
  async expire(tx, told) {
    await tellOfExpiry(tx, told);
    const row = await changeTransfer(tx, told.transfer, { status: 'expired', at: told.at });
    return noted(tx, told, row, {
      kind: 'expired',
      message: 'has not come in time; the instructions have expired',
    });
  },
};

function missing(status: BankTransferStatus): string {
  if (status === 'in_review')
    return 'A proof that the customer sent waits to be looked at; the transfer is waited for';
  return status === 'partially_paid' ? 'The rest of the transfer is missing' : 'The transfer is missing';
}

async function noted(
  tx: Tx,
  { context, invoice, at }: Pick<TransferSubject, 'context' | 'invoice'> & { at: Date },
  row: BankTransferRow,
  { kind, message }: { kind: string; message: string },
): Promise<BankTransferRow> {
  await addTimelineEntry(tx, context.subscription, at, {
    kind: `bank_transfer_${kind}`,
    message: `The transfer for invoice ${invoice.number} ${message}.`,
    details: { bankTransferId: row.id, invoiceId: invoice.id },
  });
  return row;
}
