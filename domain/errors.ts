/**
 * The small shared set of error codes. Vendors' own codes are mapped to these at the border; retry policies,
 * workflows and the API's problem table name codes, never messages.
 */

/** Codes a failed act can carry across Temporal and HTTP. Each says what the caller should do. */
export const errorCodes = {
  /** The vendor declined the card; the decline class says whether another try can help. */
  card_declined: { retryable: false },
  /** The customer must confirm the payment (3-D Secure); follow the link that was mailed. */
  authentication_required: { retryable: false },
  /** The payment method is unknown at the vendor or cannot be attached; send another one. */
  payment_method_invalid: { retryable: false },
  /** The customer has no payment method; add one first. */
  payment_method_missing: { retryable: false },
  /** The vendor asks us to slow down; retried after the delay it names. */
  rate_limited: { retryable: true },
  /** The vendor is down or unreachable before anything happened; retried. */
  vendor_unavailable: { retryable: true },
  /** The answer was lost after the request may have had its effect; looked up before anything is tried again. */
  outcome_unknown: { retryable: true },
  /** A tax engine is to be asked, or asked again, before this can be billed. */
  tax_not_calculated: { retryable: true },
  /** The tax engine cannot tell where the customer is; the address must be mended first. */
  tax_location_invalid: { retryable: false },
  /** Our request was wrong (parameters, credentials); a person must look. */
  vendor_rejected_request: { retryable: false },
  /** The same idempotency key was used with another request. */
  idempotency_key_reused: { retryable: false },
  /** The object is not in a state that allows the act. */
  state_conflict: { retryable: false },
  /** No such object for this tenant. */
  not_found: { retryable: false },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An act our rules refuse. `reason` is a stable snake_case detail, `message` a sentence for the caller. */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly reason: string;

  constructor({ code, reason, message }: { code: ErrorCode; reason: string; message: string }) {
    super(message);
    this.name = 'DomainError';
    this.code = code;
    this.reason = reason;
  }
}

/** What the state of an object does not allow: the commonest of them. */
export function stateConflict(reason: string, message: string): DomainError {
  return new DomainError({ code: 'state_conflict', reason, message });
}

/** A vendor's failure in our words. `retryAfterMs` is the vendor's own Retry-After. */
export class VendorError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly vendorRequestId: string | undefined;

  constructor({
    code,
    message,
    retryAfterMs,
    vendorRequestId,
    cause,
  }: { code: ErrorCode; message: string; retryAfterMs?: number; vendorRequestId?: string; cause?: unknown }) {
    super(message, { cause });
    this.name = 'VendorError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.vendorRequestId = vendorRequestId;
  }
}

/** Makes a `switch` over a union complete: the compiler refuses a call that can be reached. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
