/** Which payment in the books gives back how much of what an invoice in coins was paid. Call under the customer's lock. */
import { and, eq, inArray } from 'drizzle-orm';
import { givingBackStatuses } from '../../../domain/payments/crypto-payout.ts';
import { coinsWorth } from '../../../domain/payments/crypto-worth.ts';
import type { Tx } from '../../client.ts';
import { cryptoPayouts } from '../../schema/crypto-payouts.ts';
import { refunds } from '../../schema/payments.ts';
import { unspentCredit } from './book-refund.ts';
import { bookedPayments } from './booked-payments.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';
import type { PaymentRow } from './read-payments.ts';
import { lockPayment } from './refunds.ts';

/** Of one payment in the books: minor units of the invoice, and the coins for them. */
export type FromPayment = { paymentId: string; amountMinor: number; units: bigint };

/**
 * What was paid too much, less what was given back of it, as far as one payment still has it as credit: of all that the invoice
 * has become, or among those named.
 */
export async function unspentExcess(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  among?: readonly PaymentRow[],
): Promise<FromPayment | null> {
  const given = await givenBack(tx, invoice.id);
  const excessMinor = coinsWorth(invoice.bookedUnits, invoice) - invoice.dueMinor - given.amountMinor;
  if (excessMinor <= 0) return null;
  let best = { paymentId: '', amountMinor: 0 };
  for (const payment of (among ?? (await bookedPayments(tx, invoice.id))).toReversed()) {
    const { context } = await lockPayment(tx, payment.id);
    const amountMinor = Math.min(excessMinor, await unspentCredit(tx, payment, context));
    if (amountMinor > best.amountMinor) best = { paymentId: payment.id, amountMinor };
  }
  if (best.amountMinor === 0) return null;
  const excessUnits = invoice.bookedUnits - invoice.dueUnits - given.units;
  const isAll = best.amountMinor === excessMinor && excessUnits > 0n;
  return { ...best, units: isAll ? excessUnits : unitsWorth(best.amountMinor, invoice) };
}

/** Of the payments that the coins became in the books: the last one that still holds so much. */
export async function paymentOf(
  tx: Tx,
  invoice: CryptoInvoiceRow,
  amountMinor: number,
): Promise<FromPayment | null> {
  for (const payment of (await bookedPayments(tx, invoice.id)).reverse()) {
    const { context } = await lockPayment(tx, payment.id);
    const holdsMinor = payment.amountMinor - payment.returnedMinor - payment.refundedMinor;
    const credit = await unspentCredit(tx, payment, context);
    if (holdsMinor >= amountMinor && (credit >= amountMinor || payment.allocatedMinor > 0)) {
      return { paymentId: payment.id, amountMinor, units: unitsWorth(amountMinor, invoice) };
    }
  }
  return null;
}

/** At the rate that was agreed, never more than that. */
function unitsWorth(amountMinor: number, { dueUnits, dueMinor }: CryptoInvoiceRow): bigint {
  return (dueUnits * BigInt(amountMinor)) / BigInt(dueMinor);
}

/** Of what the invoice was paid: what payouts that were not rejected have given back, or are about to. */
async function givenBack(tx: Tx, cryptoInvoiceId: string): Promise<{ amountMinor: number; units: bigint }> {
  const rows = await tx
    .select({ amountMinor: refunds.amountMinor, units: cryptoPayouts.units })
    .from(cryptoPayouts)
    .innerJoin(refunds, eq(refunds.id, cryptoPayouts.refundId))
    .where(
      and(
        eq(cryptoPayouts.cryptoInvoiceId, cryptoInvoiceId),
        inArray(cryptoPayouts.status, givingBackStatuses),
      ),
    );
  return {
    amountMinor: rows.reduce((sum, row) => sum + row.amountMinor, 0),
    units: rows.reduce((sum, row) => sum + row.units, 0n),
  };
}
