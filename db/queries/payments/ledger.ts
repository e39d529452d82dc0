/**
 * The ledger: append-only double entry. A fact is booked once (unique on kind and reference), its entries sum to
 * zero per currency (checked here for a clear message, and by the database at the commit).
 */
import { and, eq } from 'drizzle-orm';
import { type Money, money } from '../../../domain/money.ts';
import type { PaymentRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { ledgerEntries, ledgerTransactions } from '../../schema/payments.ts';

export type LedgerAccount =
  | 'receivable'
  | 'revenue'
  | 'tax_payable'
  | 'refunds'
  | 'refunds_pending'
  | 'bad_debt'
  | 'customer_credit'
  | 'rounding'
  /** What was missing within the tolerance of a payment in coins, and is nobody's debt. */
  | 'crypto_tolerance'
  /** The small rest of an invoice that an operator has let go. */
  | 'write_off'
  | 'disputed'
  | 'referral_cost'
  | 'fx_clearing'
  | 'fx_fee'
  | 'bank_fee'
  | `cash:${Exclude<PaymentRail, 'credit'>}`;

/** Where the money of a rail lies. */
export function fundsOf(rail: PaymentRail): LedgerAccount {
  return rail === 'credit' ? 'customer_credit' : `cash:${rail}`;
}

/** Debit positive, credit negative. */
export type LedgerLine = { account: LedgerAccount; amount: Money };

export type LedgerFact = {
  tenantId: string;
  kind:
    | 'invoice'
    | 'invoice_voided'
    | 'invoice_written_off'
    | 'rest_written_off'
    | 'payment'
    | 'payment_returned'
    | 'refund'
    | 'refund_held'
    | 'refund_released'
    | 'refund_reversed'
    | 'dispute_withdrawn'
    | 'dispute_reinstated'
    | 'dispute_lost'
    | 'dispute_overturned'
    | 'referral_reward';
  /** Id of the invoice, payment, refund or dispute; of a referral, the referred customer's. */
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

/** The lines a fact was booked with; none where it was not. */
export async function readFact(
  tx: Tx,
  { kind, reference }: Pick<LedgerFact, 'kind' | 'reference'>,
): Promise<LedgerLine[]> {
  const rows = await tx
    .select({
      account: ledgerEntries.account,
      amountMinor: ledgerEntries.amountMinor,
      currency: ledgerEntries.currency,
    })
    .from(ledgerEntries)
    .innerJoin(ledgerTransactions, eq(ledgerTransactions.id, ledgerEntries.transactionId))
    .where(and(eq(ledgerTransactions.kind, kind), eq(ledgerTransactions.reference, reference)));
  return rows.map(({ account, amountMinor, currency }) => ({
    account: account as LedgerAccount,
    amount: money(amountMinor, currency),
  }));
}

function assertBalanced(lines: LedgerLine[], fact: string): void {
  const sums = new Map<string, number>();
  for (const { amount } of lines)
    sums.set(amount.currency, (sums.get(amount.currency) ?? 0) + amount.amountMinor);
  for (const [currency, sum] of sums) {
    if (sum !== 0) throw new Error(`Ledger fact ${fact} is off by ${sum} ${currency}`);
  }
}
