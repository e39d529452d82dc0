/** What somebody who reads payouts, or acts on one, has to know besides their status. Nothing is written here. */
import { and, eq, inArray, ne, sql } from 'drizzle-orm';
import { isSettled } from '../../../domain/payments/crypto-invoice.ts';
import { isSent, type PayoutProblem, payoutProblem } from '../../../domain/payments/crypto-payout.ts';
import type { Tx } from '../../client.ts';
import { cryptoInvoices, cryptoPayments } from '../../schema/crypto.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { payments, refunds } from '../../schema/payments.ts';

type CryptoPayoutRow = typeof cryptoPayouts.$inferSelect;

/** By the payouts' ids; whoever is not there has none. */
export async function payoutProblems(
  tx: Tx,
  rows: readonly CryptoPayoutRow[],
): Promise<ReadonlyMap<string, PayoutProblem>> {
  const lost = await lostOnes(tx, rows);
  const found = new Map<string, PayoutProblem>();
  for (const row of rows) {
    const isStray = isSentAfterRejection(row) && !(await standsForAnother(tx, row));
    const sentBy = isStray ? row.txid : null;
    const problem = payoutProblem({ status: row.status, isLost: lost.has(row.id), sentBy });
    if (problem !== null) found.set(row.id, problem);
  }
  return found;
}

function isSentAfterRejection({ status, txid }: CryptoPayoutRow): boolean {
  return status === 'rejected' && txid !== null;
}

/** Whether the chain has taken back what the payout gives back, or has had it rejected by that. */
export async function isLost(tx: Tx, row: CryptoPayoutRow): Promise<boolean> {
  return (await lostOnes(tx, [row])).has(row.id);
}

/** Whether another payout was told the transaction by which this one, though rejected, was sent. */
export async function standsForAnother(
  tx: Tx,
  { id, chain, txid, target }: CryptoPayoutRow,
): Promise<boolean> {
  if (txid === null || target === null) return false;
  const rows = await tx
    .select({ id: cryptoPayouts.id })
    .from(cryptoPayouts)
    .where(
      and(
        ne(cryptoPayouts.id, id),
        ne(cryptoPayouts.status, 'rejected'),
        eq(cryptoPayouts.chain, chain),
        eq(cryptoPayouts.txid, txid),
        eq(cryptoPayouts.target, target),
      ),
    )
    .limit(1);
  return rows.length > 0;
}

/** Two questions, however many there are. */
async function lostOnes(tx: Tx, rows: readonly CryptoPayoutRow[]): Promise<ReadonlySet<string>> {
  const lost = new Set(rows.filter(isRejectedAsLost).map(({ id }) => id));
  const standing = rows.filter(({ status }) => status !== 'rejected').map(({ id }) => id);
  for (const { id } of await lostFromBooks(tx, standing)) lost.add(id);
  for (const { id } of await lostBesideBooks(tx, standing)) lost.add(id);
  return lost;
}

/** Nothing else is rejected by the system. */
function isRejectedAsLost({ status, decidedBy }: CryptoPayoutRow): boolean {
  return status === 'rejected' && decidedBy === 'system';
}

/**
 * Of what an invoice was paid: less stands of the payment than is given back of it. What was not sent yet waits besides
 * while coins of the invoice are out of their chain, and while the books are yet to follow.
 */
async function lostFromBooks(tx: Tx, ids: readonly string[]): Promise<{ id: string }[]> {
  const given = sql`(select coalesce(sum(${refunds.amountMinor}), 0) from ${refunds} where ${refunds.paymentId} = ${payments.id} and ${refunds.status} <> 'failed')`;
  const rows = await tx
    .select({
      id: cryptoPayouts.id,
      status: cryptoPayouts.status,
      isLost: sql<boolean>`${payments.amountMinor} - ${payments.returnedMinor} < ${given}`,
      invoice: {
        status: cryptoInvoices.status,
        flags: cryptoInvoices.flags,
        bookedUnits: cryptoInvoices.bookedUnits,
      },
    })
    .from(cryptoPayouts)
    .innerJoin(refunds, eq(refunds.id, cryptoPayouts.refundId))
    .innerJoin(payments, eq(payments.id, refunds.paymentId))
    .innerJoin(cryptoInvoices, eq(cryptoInvoices.id, cryptoPayouts.cryptoInvoiceId))
    .where(inArray(cryptoPayouts.id, [...ids]));
  return rows.filter(({ status, isLost: isGone, invoice }) => {
    const isShaken =
      invoice.flags.includes('reorged') || (!isSettled(invoice.status) && invoice.bookedUnits > 0n);
    return isGone || (!isSent(status) && isShaken);
  });
}

/** Of payments that do not count: in no block. */
function lostBesideBooks(tx: Tx, ids: readonly string[]): Promise<{ id: string }[]> {
  return tx
    .select({ id: cryptoPayouts.id })
    .from(cryptoPayouts)
    .innerJoin(
      cryptoPayments,
      and(
        eq(cryptoPayments.cryptoInvoiceId, cryptoPayouts.cryptoInvoiceId),
        eq(cryptoPayments.key, cryptoPayouts.paymentKey),
      ),
    )
    .where(and(inArray(cryptoPayouts.id, [...ids]), sql`${cryptoPayments.height} is null`));
}
