/** The way in which an invoice is offered for payment in coins at the moment, and how that is taken back. */
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoActs, cryptoInvoices } from '../../schema/crypto.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { decideCryptoInvoices } from './save-decision.ts';

/** Null where there is none. */
export async function findCurrentOffer(tx: Tx, invoiceId: string): Promise<CryptoInvoiceRow | null> {
  const [row] = await tx
    .select()
    .from(cryptoInvoices)
    .where(
      and(
        eq(cryptoInvoices.invoiceId, invoiceId),
        inArray(cryptoInvoices.status, ['awaiting', 'processing']),
      ),
    );
  return row ?? null;
}

/** Something was paid for it, enough or not. */
export function isBeingPaid({ status, creditedUnits }: CryptoInvoiceRow): boolean {
  return status === 'processing' || creditedUnits > 0n;
}

/** What else may pay the invoice has to wait. */
export async function areCoinsUnderWay(tx: Tx, invoiceId: string): Promise<boolean> {
  const current = await findCurrentOffer(tx, invoiceId);
  return current !== null && isBeingPaid(current);
}

/**
 * The invoice was paid otherwise, or given up: nobody is to send coins for it. Where some are on their way already, they are
 * waited for and become the customer's credit.
 */
export async function withdrawCurrentOffer(
  tx: Tx,
  { invoiceId, at }: { invoiceId: string; at: Date },
): Promise<void> {
  const current = await findCurrentOffer(tx, invoiceId);
  if (current !== null && !isBeingPaid(current)) await withdrawOffer(tx, current, at);
}

/** Takes an offer back that nobody has paid anything for. What comes all the same is found, and somebody decides about it. */
export async function withdrawOffer(tx: Tx, { id, tenantId }: CryptoInvoiceRow, at: Date): Promise<void> {
  const [{ last = 0 } = {}] = await tx
    .select({ last: sql<number>`coalesce(max(${cryptoActs.ordinal}), 0)`.mapWith(Number) })
    .from(cryptoActs)
    .where(eq(cryptoActs.cryptoInvoiceId, id));
  await tx.insert(cryptoActs).values({
    id: newId('cact'),
    tenantId,
    cryptoInvoiceId: id,
    ordinal: last + 1,
    act: { kind: 'cancel', at: at.toISOString() },
    reason: 'offered anew, or paid otherwise',
    status: 'approved',
    requestedBy: 'system',
    requestedAt: at,
    decidedBy: 'system',
    decidedAt: at,
  });
  await decideCryptoInvoices(tx, { ids: [id], now: at.toISOString() });
}
