/**
 * Payments that were booked on a proof, before their money was seen on the account. When it shows up it belongs to them: nothing
 * is paid with it a second time, and none of it is credit.
 *
 * Why it is safe to run twice: a payment has one movement at most (unique in the table), and one that has it waits for none.
 */
import { and, asc, eq, isNull, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { isOneOf } from '../../is-one-of.ts';
import { bankAllocations, bankProofs } from '../../schema/banking.ts';
import { payments } from '../../schema/payments.ts';
import type { PaymentRow } from './read-payments.ts';

/** The name of a proof's payment on the rail `bank`. */
export function proofPaymentName(proofId: string): string {
  return `proof:${proofId}`;
}

export function isOnProof({ rail, externalId }: Pick<PaymentRow, 'rail' | 'externalId'>): boolean {
  return rail === 'bank' && externalId.startsWith(proofPaymentName(''));
}

export type ProofPayment = {
  paymentId: string;
  proofId: string;
  invoiceId: string;
  amountMinor: number;
  currency: string;
};

/** The one that a movement of this amount is the money of; null where there is none. Call under the customer's lock. */
export async function proofPaymentAwaiting(
  tx: Tx,
  { invoiceId, amountMinor, currency }: Pick<ProofPayment, 'invoiceId' | 'amountMinor' | 'currency'>,
): Promise<ProofPayment | null> {
  const awaiting = await proofPaymentsAwaiting(tx, [invoiceId]);
  const isSame = (each: ProofPayment) => each.amountMinor === amountMinor && each.currency === currency;
  return awaiting.find(isSame) ?? null;
}

/** Whether a movement is known as the payment's money. */
export async function isSeen(tx: Tx, paymentId: string): Promise<boolean> {
  const [seen] = await tx
    .select({ id: bankAllocations.id })
    .from(bankAllocations)
    .where(and(eq(bankAllocations.paymentId, paymentId), isNull(bankAllocations.undoneAt)));
  return seen !== undefined;
}

/** Of payments on proofs in a query: those that stand and whose money was not seen yet. */
export const isUnseen = sql`(${payments.returnedMinor} = 0 and not exists (
  select from ${bankAllocations} seen where seen.payment_id = ${payments.id} and seen.undone_at is null))`;

/** Says that a movement is the payment's money, by a decision about the movement. */
export async function linkProofPayment(
  tx: Tx,
  {
    tenantId,
    transactionId,
    decisionId,
    payment: { paymentId, invoiceId, amountMinor },
  }: { tenantId: string; transactionId: string; decisionId: string; payment: ProofPayment },
): Promise<void> {
  await tx
    .insert(bankAllocations)
    .values({ id: newId('bal'), tenantId, transactionId, decisionId, paymentId, invoiceId, amountMinor });
}

/** Those of the invoices whose money was not seen yet, the first first. Call under the locks of their customers. */
export async function proofPaymentsAwaiting(tx: Tx, invoiceIds: readonly string[]): Promise<ProofPayment[]> {
  if (invoiceIds.length === 0) return [];
  return tx
    .select({
      paymentId: payments.id,
      proofId: bankProofs.id,
      invoiceId: bankProofs.invoiceId,
      amountMinor: payments.amountMinor,
      currency: payments.currency,
    })
    .from(bankProofs)
    .innerJoin(payments, eq(payments.id, bankProofs.paymentId))
    .where(and(isOneOf(bankProofs.invoiceId, invoiceIds), isUnseen))
    .orderBy(asc(payments.id));
}
