/** Acts of operators that count: each has its place in the order in which they were decided, under the invoice's lock. */
import { eq, max } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoActs } from '../../schema/crypto.ts';

type NewAct = typeof cryptoActs.$inferInsert;

export async function addApprovedAct(tx: Tx, act: Omit<NewAct, 'id' | 'ordinal' | 'status'>): Promise<void> {
  const ordinal = await nextOrdinal(tx, act.cryptoInvoiceId);
  await tx.insert(cryptoActs).values({ id: newId('cact'), ...act, ordinal, status: 'approved' });
}

export async function nextOrdinal(tx: Tx, cryptoInvoiceId: string): Promise<number> {
  const [row] = await tx
    .select({ last: max(cryptoActs.ordinal) })
    .from(cryptoActs)
    .where(eq(cryptoActs.cryptoInvoiceId, cryptoInvoiceId));
  return (row?.last ?? 0) + 1;
}
