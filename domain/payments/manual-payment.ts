/**
 * Money that a person records: cash, a cheque, a wire, a money order. What one may do alone has a limit; from there on somebody
 * else looks at it before anything is booked. A cheque or a money order can still come back unpaid.
 */

export const manualMethods = ['cash', 'cheque', 'wire', 'money_order', 'other'] as const;

export type ManualMethod = (typeof manualMethods)[number];

/** As on a receipt. */
export function manualMethodInWords(method: ManualMethod, chequeNumber: string | null): string {
  return chequeNumber === null ? methodWords[method] : `${methodWords[method]} ${chequeNumber}`;
}

const methodWords: Record<ManualMethod, string> = {
  cash: 'Cash',
  cheque: 'Cheque',
  wire: 'Wire transfer',
  money_order: 'Money order',
  other: 'Direct payment',
};

/** Why a payment does not stand, as a code, where a bank may still refuse what was handed over; null where it cannot. */
export function bounceCodeOf(method: ManualMethod | null): BounceCode | null {
  if (method === 'cheque') return 'cheque_bounced';
  return method === 'money_order' ? 'money_order_bounced' : null;
}

export type BounceCode = 'cheque_bounced' | 'money_order_bounced';

/** Records of one person within so many hours count together, so that no limit is passed by splitting. */
const SPLIT_WINDOW_HOURS = 24;

/** From when on what one person did alone counts together with what is done at `at`. */
export function splitWindowBegin(at: Date): Date {
  return new Date(at.getTime() - SPLIT_WINDOW_HOURS * 3_600_000);
}

/**
 * Whether a second person has to look at a record, all in cents of US dollars. `usdMinor`: what it is worth, null where no rate
 * says that. `aloneUsdMinor`: what the same person has booked for the customer alone within the window.
 */
export function needsApproval({
  usdMinor,
  aloneUsdMinor,
  fourEyesUsdMinor,
}: {
  usdMinor: number | null;
  aloneUsdMinor: number;
  fourEyesUsdMinor: number;
}): boolean {
  return usdMinor === null || usdMinor + aloneUsdMinor >= fourEyesUsdMinor;
}

export const approvalStatuses = ['asked', 'approved', 'rejected'] as const;

export type ApprovalStatus = (typeof approvalStatuses)[number];

export type ApprovalAct = 'approve' | 'reject';

export const approvalStatusAfter = { approve: 'approved', reject: 'rejected' } as const satisfies Record<
  ApprovalAct,
  ApprovalStatus
>;

/**
 * Why an act is refused (`second_person_required`, `approval_approved`, `approval_rejected`), null where it may be done. An act
 * that was done before may be asked for again: it does nothing.
 */
export function approvalMistake(
  { status, askedBy }: { status: ApprovalStatus; askedBy: string },
  act: ApprovalAct,
  actor: string,
): { reason: string; message: string } | null {
  if (actor === askedBy) {
    return {
      reason: 'second_person_required',
      message: 'Somebody else than who recorded the payment decides about it, with an API key of their own.',
    };
  }
  if (status === 'approved' && act === 'reject') {
    return {
      reason: 'approval_approved',
      message:
        'The payment was approved and is booked. Give it back with POST /v1/payments/{paymentId}/refunds; a cheque that was not paid is taken back with POST /v1/payments/{paymentId}/bounce.',
    };
  }
  if (status === 'rejected' && act === 'approve') {
    return { reason: 'approval_rejected', message: 'The payment was rejected; record it anew.' };
  }
  return null;
}

/** Why the rest of an invoice is not written off, null where it may be. Amounts are minor units of the invoice's currency. */
export function writeOffMistake({
  restUsdMinor,
  paidMinor,
  writeOffLimitUsdMinor,
}: {
  restUsdMinor: number;
  paidMinor: number;
  writeOffLimitUsdMinor: number;
}): 'nothing_paid' | 'write_off_above_limit' | null {
  if (paidMinor === 0) return 'nothing_paid';
  return restUsdMinor > writeOffLimitUsdMinor ? 'write_off_above_limit' : null;
}
