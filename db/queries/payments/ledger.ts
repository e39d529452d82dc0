/**
 * The ledger: append-only double entry. A fact is booked once (unique on kind and reference), its entries sum to
 * zero per currency (checked here for a clear message, and by the database at the commit).
 */
import type { Money } from '../../../domain/money.ts';
import type { PaymentRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { ledgerEntries, ledgerTransactions } from '../../schema/payments.ts';

export type LedgerAccount =
  | 'receivable'
  | 'revenue'
  | 'refunds'
  | 'bad_debt'
  | 'customer_credit'
  | 'rounding'
  | 'disputed'
  | `cash:${Exclude<PaymentRail, 'credit'>}`;

/** Debit positive, credit negative. */
export type LedgerLine = { account: LedgerAccount; amount: Money };

export type LedgerFact = {
  tenantId: string;
  kind:
    | 'invoice'
    | 'invoice_voided'
    | 'invoice_written_off'
    | 'payment'
    | 'refund'
    | 'refund_reversed'
    | 'dispute_withdrawn'
    | 'dispute_reinstated'
    | 'dispute_lost';
  /** Id of the invoice, payment, refund or dispute. */
  reference: string;
  at: Date;
  lines: LedgerLine[];
};

/** Books a fact. Lines of zero are left out; booking the same fact again does nothing. */
export async function postToLedger(
  tx: Tx,
  { tenantId, kind, reference, at, lines }: LedgerFact,
): Promise<void> {
  const entries = lines.filter(({ amount }) => amount.amountMinor !== 0);
  if (entries.length === 0) return;
  assertBalanced(entries, `${kind} ${reference}`);

  const transactionId = newId('ltx');
  const inserted = await tx
    .insert(ledgerTransactions)
    .values({ id: transactionId, tenantId, kind, reference, at })
    .onConflictDoNothing()
    .returning({ id: ledgerTransactions.id });
  if (inserted.length === 0) return;

  await tx.insert(ledgerEntries).values(
    entries.map(({ account, amount }) => ({
      id: newId('len'),
      tenantId,
      transactionId,
      account,
      currency: amount.currency,
      amountMinor: amount.amountMinor,
    })),
  );
}

function assertBalanced(lines: LedgerLine[], fact: string): void {
  const sums = new Map<string, number>();
  for (const { amount } of lines)
    sums.set(amount.currency, (sums.get(amount.currency) ?? 0) + amount.amountMinor);
  for (const [currency, sum] of sums) {
    if (sum !== 0) throw new Error(`Ledger fact ${fact} is off by ${sum} ${currency}`);
  }
}
