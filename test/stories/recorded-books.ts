/**
 * What recorded payments and their refunds explain of the books: the cash they brought, what passed from one currency to
 * the other, and what that and the banks cost.
 */
import type { invoices } from '../../db/schema/billing.ts';
import type { payments, refunds } from '../../db/schema/payments.ts';

type Amount = { currency: string; amountMinor: number };
type PaymentRow = typeof payments.$inferSelect;
type InvoiceRow = typeof invoices.$inferSelect;
type RefundRow = typeof refunds.$inferSelect;

/** The accounts, each with the amounts that make up its balance. */
export function recordedBooks(rows: {
  payments: readonly PaymentRow[];
  refunds: readonly RefundRow[];
  invoices: readonly Pick<InvoiceRow, 'currency' | 'writtenOffMinor'>[];
}): { what: string; name: string; amounts: Amount[] }[] {
  const recorded = rows.payments.filter(({ rail }) => rail === 'manual');
  const given = rows.refunds.filter(
    ({ status, paymentId }) => status === 'succeeded' && recorded.some(({ id }) => id === paymentId),
  );
  const came = recorded.map(cameIn);
  // A cheque that bounced is taken back whole.
  const bounced = recorded.filter(({ returnedMinor, amountMinor }) => returnedMinor === amountMinor);
  const back = [...given, ...bounced];
  const exchanged = [...recorded.flatMap(exchangeOf), ...back.flatMap(exchangeOf).map(reversed)];
  return [
    {
      what: 'recorded cash is what came, less what banks kept, what was given back and what was taken back',
      name: 'cash:manual',
      amounts: [...came, ...recorded.map(feeOf).map(negative), ...back.map(cameIn).map(negative)],
    },
    {
      what: 'what was written off is the rests of invoices',
      name: 'write_off',
      amounts: rows.invoices.map(({ currency, writtenOffMinor }) => ({
        currency,
        amountMinor: writtenOffMinor,
      })),
    },
    { what: 'bank fees are those of the payments', name: 'bank_fee', amounts: recorded.map(feeOf) },
    {
      what: 'the clearing of currencies is what payments and their refunds exchanged',
      name: 'fx_clearing',
      amounts: exchanged.flatMap(({ received, converted }) => [negative(received), converted]),
    },
    {
      what: 'the fee of exchange is what payments count for beside what they come to',
      name: 'fx_fee',
      amounts: exchanged.map(({ settled, converted }) => ({
        ...settled,
        amountMinor: settled.amountMinor - converted.amountMinor,
      })),
    },
  ];
}

type Row = Pick<
  PaymentRow & RefundRow,
  'amountMinor' | 'currency' | 'receivedMinor' | 'receivedCurrency' | 'convertedMinor'
>;

function cameIn({ amountMinor, currency, receivedMinor, receivedCurrency }: Row): Amount {
  return { amountMinor: receivedMinor ?? amountMinor, currency: receivedCurrency ?? currency };
}

function feeOf({ bankFeeMinor, ...payment }: PaymentRow): Amount {
  return { ...cameIn(payment), amountMinor: bankFeeMinor };
}

type Exchange = { received: Amount; converted: Amount; settled: Amount };

function exchangeOf(row: Row): Exchange[] {
  const { convertedMinor, amountMinor, currency } = row;
  if (convertedMinor === null) return [];
  const converted = { amountMinor: convertedMinor, currency };
  return [{ received: cameIn(row), converted, settled: { amountMinor, currency } }];
}

function reversed({ received, converted, settled }: Exchange): Exchange {
  return { received: negative(received), converted: negative(converted), settled: negative(settled) };
}

function negative({ amountMinor, currency }: Amount): Amount {
  return { amountMinor: -amountMinor, currency };
}
