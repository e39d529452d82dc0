/** What coins explain of the books: the cash they brought, the payments they became, and what was let go with them. */
import type { cryptoInvoices } from '../../db/schema/crypto.ts';
import type { payments, refunds } from '../../db/schema/payments.ts';
import { coinsWorth } from '../../domain/payments/crypto-worth.ts';

type Amount = { currency: string; amountMinor: number };
type CryptoInvoiceRow = typeof cryptoInvoices.$inferSelect;

/** The accounts, each with the amounts that make up its balance. */
export function cryptoBooks(rows: {
  cryptoInvoices: readonly CryptoInvoiceRow[];
  payments: readonly (typeof payments.$inferSelect)[];
  refunds: readonly (typeof refunds.$inferSelect)[];
}): { what: string; name: string; amounts: Amount[] }[] {
  const own = new Set(rows.payments.filter(({ rail }) => rail === 'crypto').map(({ id }) => id));
  const givenBack = rows.refunds
    .filter(({ status, paymentId }) => status === 'succeeded' && own.has(paymentId))
    .map(({ currency, amountMinor }) => ({ currency, amountMinor: -amountMinor }));
  return [
    {
      what: 'cash in coins is what the booked coins are worth, less what was given back',
      name: 'cash:crypto',
      amounts: [...rows.cryptoInvoices.map(bookedWorth), ...givenBack],
    },
    {
      what: 'the tolerance is what booked coins are worth less than was due',
      name: 'crypto_tolerance',
      amounts: rows.cryptoInvoices.map((coins) => ({
        currency: coins.currency,
        amountMinor:
          coins.bookedUnits === 0n ? 0 : Math.max(0, coins.dueMinor - coinsWorth(coins.bookedUnits, coins)),
      })),
    },
  ];
}

/** What the books count of an invoice in coins. */
export function bookedWorth(coins: CryptoInvoiceRow): Amount & { id: string } {
  const { id, currency, bookedUnits } = coins;
  return { id, currency, amountMinor: bookedUnits === 0n ? 0 : coinsWorth(bookedUnits, coins) };
}

/** The payments it has become, as far as they stand. */
export function standingPayments(
  rows: readonly (typeof payments.$inferSelect)[],
): { id: string; amountMinor: number }[] {
  return rows
    .filter(({ rail }) => rail === 'crypto')
    .map(({ externalId, amountMinor, returnedMinor }) => ({
      id: externalId.slice(0, externalId.lastIndexOf(':')),
      amountMinor: amountMinor - (returnedMinor ?? 0),
    }));
}

/** Units in the books that the chain does not hold. */
export function unbacked(
  rows: readonly CryptoInvoiceRow[],
  received: ReadonlyMap<string, bigint>,
): { id: string; amountMinor: number }[] {
  return rows.map(({ id, bookedUnits }) => {
    const missing = bookedUnits - (received.get(id) ?? 0n);
    return { id, amountMinor: missing > 0n ? Number(missing) : 0 };
  });
}
