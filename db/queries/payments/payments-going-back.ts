/** Which payments of an invoice in coins are given back by a payout. */
import { and, eq, inArray } from 'drizzle-orm';
import { type CryptoPayoutStatus, givingBackStatuses } from '../../../domain/payments/crypto-payout.ts';
import type { Tx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';

/** Payments that are about to go back or have gone, by their keys: nobody accepts them. */
export function paymentsGoingBack(tx: Tx, cryptoInvoiceId: string): Promise<ReadonlySet<string>> {
  return paymentKeys(tx, cryptoInvoiceId, givingBackStatuses);
}

/** Those of them whose coins are still here. What was sent is dismissed, and comes to count by nothing but an accept. */
export function paymentsToSendBack(tx: Tx, cryptoInvoiceId: string): Promise<ReadonlySet<string>> {
  return paymentKeys(tx, cryptoInvoiceId, ['requested', 'approved']);
}

async function paymentKeys(
  tx: Tx,
  cryptoInvoiceId: string,
  statuses: readonly CryptoPayoutStatus[],
): Promise<ReadonlySet<string>> {
  const rows = await tx
    .select({ key: cryptoPayouts.paymentKey })
    .from(cryptoPayouts)
    .where(
      and(eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId), inArray(cryptoPayouts.status, [...statuses])),
    );
  return new Set(rows.flatMap(({ key }) => (key === null ? [] : [key])));
}
