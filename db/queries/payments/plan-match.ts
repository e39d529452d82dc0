/** How a movement is split as a person wants it: never more than is due, and never more than came. Nothing is written here. */
import { stateConflict } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import type { BankAct } from '../../../domain/payments/bank-act.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import type { BankMovementRow } from './bank-movements.ts';
import type { ProofPayment } from './proof-payments.ts';

/**
 * What an invoice gets, in the movement's currency; beyond what it is due, it becomes the customer's credit. With `proven` it is
 * the money of a payment that was booked on a proof before, and pays nothing again.
 */
export type InvoicePart = { invoice: InvoiceRow; amountMinor: number; proven?: ProofPayment };

export type MatchPlan = {
  parts: InvoicePart[];
  act: Pick<Extract<BankAct, { kind: 'match' }>, 'invoices' | 'credit'>;
};

/** Throws `state_conflict`; the reasons are listed where the act is. */
export function planMatch({
  row,
  owed,
  proven,
  wish,
  creditTo,
}: {
  row: BankMovementRow;
  /** In the order of the wish. */
  owed: readonly InvoiceRow[];
  /** Payments on proofs of these invoices, whose money was not seen yet. */
  proven: readonly ProofPayment[];
  wish: {
    invoices: readonly { invoiceId: string; amountMinor?: number | undefined }[];
    convert?: boolean | undefined;
  };
  /** By which the rest becomes credit; null where it stays. */
  creditTo: InvoiceRow | null;
}): MatchPlan {
  let leftMinor = row.amountMinor - row.allocatedMinor;
  const parts = owed.map((invoice, index): InvoicePart => {
    const wished = wish.invoices[index]?.amountMinor;
    const waiting = proven.filter(({ invoiceId }) => invoiceId === invoice.id);
    const payment =
      invoice.currency === row.currency ? provenBy(waiting, { invoice, wished, leftMinor }) : undefined;
    if (payment !== undefined) {
      leftMinor -= payment.amountMinor;
      return { invoice, amountMinor: payment.amountMinor, proven: payment };
    }
    refuseUnpayable(invoice, waiting);
    const amountMinor =
      invoice.currency === row.currency
        ? shareOf(invoice, { wished, leftMinor })
        : wholeOf(invoice, { row, wish, leftMinor });
    leftMinor -= amountMinor;
    return { invoice, amountMinor };
  });
  const shares = parts.map(({ invoice, amountMinor }) => ({ invoiceId: invoice.id, amountMinor }));
  if (creditTo === null) return { parts, act: { invoices: shares, credit: null } };
  if (leftMinor === 0)
    throw stateConflict('nothing_left', 'The invoices take all of it; nothing is left as credit.');
  const credit = { customerId: creditTo.customerId, amountMinor: leftMinor };
  return { parts: withCredit(parts, creditTo, leftMinor), act: { invoices: shares, credit } };
}

/** One payment brings both what the invoice is due and what is beyond it. */
function withCredit(parts: readonly InvoicePart[], creditTo: InvoiceRow, leftMinor: number): InvoicePart[] {
  const paying = parts.findLast(({ invoice }) => invoice.id === creditTo.id);
  const credit = { invoice: creditTo, amountMinor: leftMinor };
  if (paying === undefined) return [...parts, credit];
  const paidMinor = paying.proven === undefined ? paying.amountMinor : 0;
  if (paidMinor < dueOf(creditTo).amountMinor) {
    throw stateConflict(
      'above_due',
      `Invoice ${creditTo.number} would be paid with what is to be credit; give it all that it is due first.`,
    );
  }
  if (paying.proven !== undefined) return [...parts, credit];
  return parts.map((part) =>
    part === paying ? { ...part, amountMinor: part.amountMinor + leftMinor } : part,
  );
}

/**
 * The payment whose money it is: of exactly that amount; for an invoice that needs no money and without a wish, also one that the
 * money is enough for.
 */
function provenBy(
  waiting: readonly ProofPayment[],
  { invoice, wished, leftMinor }: { invoice: InvoiceRow; wished: number | undefined; leftMinor: number },
): ProofPayment | undefined {
  const inReach = waiting.filter(({ amountMinor }) => amountMinor <= leftMinor);
  const exact = inReach.find(({ amountMinor }) => amountMinor === (wished ?? leftMinor));
  return exact ?? (wished === undefined && !needsMoney(invoice) ? inReach[0] : undefined);
}

function needsMoney(invoice: InvoiceRow): boolean {
  const isOwed = invoice.status === 'open' || invoice.status === 'uncollectible';
  return isOwed && dueOf(invoice).amountMinor > 0;
}

function refuseUnpayable(invoice: InvoiceRow, [waiting]: readonly ProofPayment[]): void {
  if (needsMoney(invoice)) return;
  const proof =
    waiting === undefined
      ? ''
      : ` ${formatMoney(waiting)} of it were booked on a proof and not seen yet: if this is that money, take payment ${waiting.paymentId} back first (POST /v1/payments/${waiting.paymentId}/bounce).`;
  throw stateConflict(
    'invoice_not_open',
    `Invoice ${invoice.number} needs no money (${invoice.status}).${proof} To keep it as the customer's credit, send creditCustomerId.`,
  );
}

function shareOf(
  invoice: InvoiceRow,
  { wished, leftMinor }: { wished: number | undefined; leftMinor: number },
): number {
  const due = dueOf(invoice);
  if (wished !== undefined && wished > due.amountMinor) {
    throw stateConflict(
      'above_due',
      `Invoice ${invoice.number} is due ${formatMoney(due)}, which is less than that.`,
    );
  }
  const amountMinor = wished ?? Math.min(due.amountMinor, leftMinor);
  if (amountMinor > leftMinor || amountMinor === 0) {
    const left = formatMoney(money(leftMinor, due.currency));
    throw stateConflict(
      'above_movement',
      `Of the movement only ${left} are left for invoice ${invoice.number}.`,
    );
  }
  return amountMinor;
}

/** Converted money pays one invoice, with all there is of it. */
function wholeOf(
  invoice: InvoiceRow,
  {
    row,
    wish,
    leftMinor,
  }: { row: BankMovementRow; wish: Parameters<typeof planMatch>[0]['wish']; leftMinor: number },
): number {
  const [only] = wish.invoices;
  if (wish.convert !== true || wish.invoices.length > 1 || only?.amountMinor !== undefined) {
    throw stateConflict(
      'currency_mismatch',
      `The movement is in ${row.currency} and invoice ${invoice.number} in ${invoice.currency}: match it to this invoice alone, without an amount and with convert.`,
    );
  }
  return leftMinor;
}
