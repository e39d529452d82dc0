/** The way in which an invoice is offered for payment in coins at the moment, and how that is taken back. */
import { and, asc, desc, eq, inArray, sql } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoActs, cryptoInvoices } from '../../schema/crypto.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import { decideAndSave } from './save-decision.ts';

/** Null where there is none. One that is being paid goes before one that only waits. */
export async function findCurrentOffer(tx: Tx, invoiceId: string): Promise<CryptoInvoiceRow | null> {
  const offers = await currentOffers(tx, invoiceId);
  return offers.find(isBeingPaid) ?? offers[0] ?? null;
}

/** The newest first. There is one as usual; money found late for an earlier one revives that beside it. */
function currentOffers(tx: Tx, invoiceId: string): Promise<CryptoInvoiceRow[]> {
  return tx
    .select()
    .from(cryptoInvoices)
    .where(
      and(
        eq(cryptoInvoices.invoiceId, invoiceId),
        inArray(cryptoInvoices.status, ['awaiting', 'processing']),
      ),
    )
    .orderBy(desc(cryptoInvoices.id));
}

/** Something was paid for it, enough or not. */
export function isBeingPaid({ status, creditedUnits }: CryptoInvoiceRow): boolean {
  return status === 'processing' || creditedUnits > 0n;
}

/**
 * Locks every offer of the invoice, in the order in which the watcher of a chain locks those that its block touches: who locks
 * one and then another would wait for the watcher while it waits for them. Before anything else locks one of them.
 */
export async function lockOffers(tx: Tx, invoiceId: string): Promise<void> {
  await tx
    .select({ id: cryptoInvoices.id })
    .from(cryptoInvoices)
    .where(eq(cryptoInvoices.invoiceId, invoiceId))
    .orderBy(asc(cryptoInvoices.id))
    .for('update');
}

/** What else may pay the invoice has to wait. */
export async function areCoinsUnderWay(tx: Tx, invoiceId: string): Promise<boolean> {
  return (await currentOffers(tx, invoiceId)).some(isBeingPaid);
}

/**
 * The invoice was paid, or given up: nobody is to send (more) coins for it. Where some are on their way already, they are
 * waited for and become the customer's credit.
 */
export async function withdrawCurrentOffer(
  tx: Tx,
  { invoiceId, at }: { invoiceId: string; at: Date },
): Promise<void> {
  await lockOffers(tx, invoiceId);
  for (const offer of await currentOffers(tx, invoiceId)) {
    if (!isBeingPaid(offer)) await withdrawOffer(tx, offer, at);
  }
}

/** Takes an offer back that nobody has paid anything for. What comes all the same is found, and somebody decides about it. */
async function withdrawOffer(tx: Tx, { id, tenantId }: CryptoInvoiceRow, at: Date): Promise<void> {
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
  await decideAndSave(tx, { id, at });
}
