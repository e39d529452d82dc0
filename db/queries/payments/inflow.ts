/**
 * Where money that came in stands in the books. Each currency sums to zero by itself, so what came in another currency than
 * the invoice's passes through `fx_clearing` in both: out of it in the one, into it in the other, at the payment's own rate.
 * What that differs from what the payment counts for is `fx_fee` (a debit is a loss); what banks kept is `bank_fee`.
 */
import { type Money, money, subtract } from '../../../domain/money.ts';
import { rateText, sourceText } from '../../../domain/payments/exchange-rate.ts';
import { type ForeignMoney, nextPart } from '../../../domain/payments/foreign-payment.ts';
import { negative } from '../billing/invoices.ts';
import type { LedgerAccount, LedgerLine } from './ledger.ts';
import type { PaymentRow } from './read-payments.ts';
import type { RefundRow } from './refunds.ts';

/** The lines that bring the amount in; the caller's lines say what it was for. */
export function inflowLines(
  source: LedgerAccount,
  { amount, foreign, bankFeeMinor }: { amount: Money; foreign: ForeignMoney | null; bankFeeMinor: number },
): LedgerLine[] {
  const paid = foreign?.received ?? amount;
  const fee = money(bankFeeMinor, paid.currency);
  const cash: LedgerLine[] = [
    { account: source, amount: subtract(paid, fee) },
    { account: 'bank_fee', amount: fee },
  ];
  if (foreign === null) return cash;
  return [...cash, ...clearingLines(foreign)];
}

/** The lines that take money out again, at the rate at which it came in. */
export function outflowLines(source: LedgerAccount, amount: Money, given: ForeignPart | null): LedgerLine[] {
  const paid = given?.received ?? amount;
  const cash: LedgerLine = { account: source, amount: negative(paid) };
  if (given === null) return [cash];
  const lines = clearingLines({ ...given, settled: amount });
  return [cash, ...lines.map((line) => ({ ...line, amount: negative(line.amount) }))];
}

function clearingLines({
  received,
  converted,
  settled,
}: Pick<ForeignMoney, 'received' | 'converted' | 'settled'>): LedgerLine[] {
  return [
    { account: 'fx_clearing', amount: negative(received) },
    { account: 'fx_clearing', amount: converted },
    { account: 'fx_fee', amount: subtract(settled, converted) },
  ];
}

/** The columns of a payment that say how it came in. */
export function exchangeColumns(foreign: ForeignMoney | null): Partial<PaymentRow> {
  if (foreign === null) return {};
  const { received, rate, converted } = foreign;
  return {
    receivedMinor: received.amountMinor,
    receivedCurrency: received.currency,
    convertedMinor: converted.amountMinor,
    exchangeRate: rateText(rate),
    rateDay: rate.day,
    rateSource: sourceText(rate),
    rateLegs: rate.legs,
  };
}

/** A part of foreign money: as it came, and what that comes to at its rate. */
export type ForeignPart = Pick<ForeignMoney, 'received' | 'converted'>;

/**
 * What a refund gives back of a payment that came in another currency: its share of what came, so that a payment given
 * back wholly, at once or by parts, gives back exactly that. Null for a payment in the invoice's currency.
 */
export function foreignPartOf(payment: PaymentRow, { amountMinor }: RefundRow): ForeignPart | null {
  return foreignPart(payment, { beforeMinor: payment.refundedMinor, shareMinor: amountMinor });
}

/** The same of what a bank takes back. */
export function foreignPartReturned(payment: PaymentRow, returnedMinor: number): ForeignPart | null {
  return foreignPart(payment, { beforeMinor: payment.returnedMinor, shareMinor: returnedMinor });
}

function foreignPart(
  payment: PaymentRow,
  share: { beforeMinor: number; shareMinor: number },
): ForeignPart | null {
  const { receivedMinor, receivedCurrency, convertedMinor, currency } = payment;
  if (receivedMinor === null || receivedCurrency === null || convertedMinor === null) return null;
  const cut = { wholeMinor: payment.amountMinor, ...share };
  return {
    received: money(nextPart(receivedMinor, cut), receivedCurrency),
    converted: money(nextPart(convertedMinor, cut), currency),
  };
}
