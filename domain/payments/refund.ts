/**
 * Refunds: how much of a payment can still be given back, and what a request for it comes to. The sum of what was given
 * back, is on its way, was taken by the customer's bank, or was credited by a plan change never exceeds what was paid.
 */
import { DomainError, VendorError } from '../errors.ts';
import { formatMoney, type Money, money } from '../money.ts';
import type { PaymentRail } from './payment.ts';

/**
 * - `pending`: asked for; nothing is booked yet.
 * - `succeeded`: given back and booked.
 * - `failed`: refused, or sent back by the bank; nothing is given back (any more).
 */
export type RefundStatus = 'pending' | 'succeeded' | 'failed';

/** A part of a refund, by the line of the invoice it is for. */
export type RefundLine = { lineId: string; amountMinor: number };

/** A refund as the card vendor sees it now. */
export type CardRefund = {
  externalId: string;
  status: RefundStatus;
  amount: Money;
  createdAt: string;
  /** Our own id, where we have asked for it; none for one made in the vendor's dashboard. */
  refundId?: string;
};

/** What a refund needs at the card vendor. */
export type CardRefundRequest = {
  tenantId: string;
  invoiceId: string;
  refundId: string;
  /** The vendor's id of the payment. */
  paymentId: string;
  amount: Money;
  /** `refund:<id>`: the same for every try. */
  idempotencyKey: string;
};

/** The vendor gives nothing back, and would not if asked again: more than is left, a dispute, an amount it cannot carry. */
export class RefundRefused extends VendorError {
  readonly reason: string;

  constructor({ reason, message }: { reason: string; message: string }) {
    super({ code: 'vendor_rejected_request', message });
    this.reason = reason;
  }
}

/** The idempotency key of a refund. Never built from a retry, a run or a random number. */
export function refundIdempotencyKey(refundId: string): string {
  return `refund:${refundId}`;
}

/** While the vendor cannot be asked: how long until it is asked again, at first and at most. */
export const refundPauses = { firstHours: 1, longestHours: 24 } as const;

/** What is known of a payment when somebody wants money back. */
export type RefundablePayment = {
  rail: PaymentRail;
  amountMinor: number;
  /** The part that paid the invoice; the rest became the customer's credit. */
  allocatedMinor: number;
  currency: string;
  /** What a chain has taken back of it, which may be a part; `allocatedMinor` is less by what of that had paid the invoice. */
  returnedMinor: number;
  /** The customer's credit now, from whatever source. */
  customerCreditMinor: number;
  /** What the customer's bank took back or wants back. */
  disputedMinor: number;
  /** Of the part that paid the invoice: what a plan change has credited, beyond what was paid of the invoice otherwise. */
  takenOverMinor: number;
  /** `creditMinor`: the part that came, or will come, out of the customer's credit. */
  refunds: readonly { status: RefundStatus; amountMinor: number; creditMinor: number }[];
};

/**
 * What can still be given back: in all, and of the part that paid the invoice. What became credit can be given back as far
 * as it is not spent; what was paid out of the credit goes back there, so its own unallocated part is there already.
 */
export function refundable(payment: RefundablePayment): { totalMinor: number; billedMinor: number } {
  const { rail, allocatedMinor, returnedMinor, customerCreditMinor } = payment;
  const { disputedMinor, takenOverMinor, refunds } = payment;
  const amountMinor = payment.amountMinor - returnedMinor;
  const given = refunds.filter(({ status }) => status !== 'failed');
  const creditGivenMinor = given.reduce((total, { creditMinor }) => total + creditMinor, 0);
  const billedMinor = Math.max(
    0,
    allocatedMinor - (sum(given) - creditGivenMinor) - disputedMinor - takenOverMinor,
  );
  const unallocatedMinor = rail === 'credit' ? 0 : amountMinor - allocatedMinor - creditGivenMinor;
  const creditMinor = Math.max(0, Math.min(unallocatedMinor, customerCreditMinor));
  const leftMinor = Math.max(0, amountMinor - sum(given) - disputedMinor - takenOverMinor);
  const atMost = (availableMinor: number) => Math.min(leftMinor, availableMinor);
  return { totalMinor: atMost(billedMinor + creditMinor), billedMinor: atMost(billedMinor) };
}

/**
 * Whether nothing of a payment stands any more. A bank takes back all of a direct debit; a chain takes coins back in parts, and
 * the rest of them can still be given back.
 */
export function isTakenBack({
  rail,
  amountMinor,
  returnedMinor,
}: {
  rail: PaymentRail;
  amountMinor: number;
  returnedMinor: number;
}): boolean {
  return rail === 'crypto' ? returnedMinor === amountMinor : returnedMinor > 0;
}

/** A line of the paid invoice, tax included, with what of it was given back, is on its way, or was credited by a change. */
export type RefundableLine = { id: string; amountMinor: number; takenMinor: number };

/** Without amount and lines: everything that can be given back. A line without amount: all that is left of it. */
export type RefundWish = {
  amountMinor?: number | undefined;
  lines?: readonly { lineId: string; amountMinor?: number | undefined }[] | undefined;
};

/** What a wish comes to. Throws `state_conflict` with what can still be given back, or `not_found` for a foreign line. */
export function planRefund(
  payment: RefundablePayment,
  lines: readonly RefundableLine[],
  wish: RefundWish,
): { amountMinor: number; lines: RefundLine[] } {
  const { totalMinor, billedMinor } = refundable(payment);
  if (wish.lines !== undefined) {
    const planned = planLines(payment, lines, wish.lines);
    const amountMinor = sum(planned);
    if (amountMinor > billedMinor) throw exceeds(money(billedMinor, payment.currency));
    return { amountMinor, lines: planned };
  }
  const amountMinor = wish.amountMinor ?? totalMinor;
  if (amountMinor > totalMinor || amountMinor === 0) throw exceeds(money(totalMinor, payment.currency));
  return { amountMinor, lines: [] };
}

function planLines(
  { currency }: RefundablePayment,
  lines: readonly RefundableLine[],
  wished: NonNullable<RefundWish['lines']>,
): RefundLine[] {
  const planned: RefundLine[] = [];
  for (const { lineId, amountMinor } of wished) {
    const line = lines.find(({ id }) => id === lineId);
    if (line === undefined) {
      throw new DomainError({
        code: 'not_found',
        reason: 'invoice_line_not_found',
        message: `The payment's invoice has no line ${lineId}.`,
      });
    }
    const plannedMinor = sum(planned.filter((each) => each.lineId === lineId));
    const leftMinor = Math.max(0, line.amountMinor - line.takenMinor - plannedMinor);
    const wantedMinor = amountMinor ?? leftMinor;
    if (wantedMinor > leftMinor || wantedMinor === 0) {
      throw refusal(
        'refund_exceeds_line',
        `At most ${formatMoney(money(leftMinor, currency))} can still be given back for line ${lineId}.`,
      );
    }
    planned.push({ lineId, amountMinor: wantedMinor });
  }
  return planned;
}

function exceeds(left: Money): DomainError {
  return refusal(
    'refund_exceeds_payment',
    `At most ${formatMoney(left)} of the payment can still be given back.`,
  );
}

function refusal(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

function sum(amounts: readonly { amountMinor: number }[]): number {
  return amounts.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
