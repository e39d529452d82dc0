/**
 * Everything that can go wrong, as problems of RFC 9457. One table says which status and title a code has; programs
 * branch on `code`, people read `detail`.
 */
import type { ErrorCode } from '../domain/errors.ts';

/** `retryAfterSeconds`: an outage of the world outside that we foresee; nobody of ours has to look. */
type ProblemKind = { status: number; title: string; retryAfterSeconds?: number };

/** The table. A code never changes its meaning. */
export const problemKinds = {
  malformed_json: { status: 400, title: 'The body is not JSON' },
  invalid_request: { status: 400, title: 'The request does not have the required form' },
  idempotency_key_required: { status: 400, title: 'An Idempotency-Key is required' },
  invalid_signature: { status: 400, title: 'The webhook was refused' },
  invalid_checkout_signature: { status: 400, title: 'The checkout does not prove the payment' },
  unauthenticated: { status: 401, title: 'A valid API key is required' },
  api_key_expired: { status: 401, title: 'The API key has expired' },
  api_key_revoked: { status: 401, title: 'The API key was revoked' },
  card_declined: { status: 402, title: 'The card was declined' },
  authentication_required: { status: 402, title: 'The customer must confirm the payment' },
  insufficient_scope: { status: 403, title: 'The API key lacks a scope' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  state_conflict: { status: 409, title: 'The state does not allow it' },
  subscription_ended: { status: 409, title: 'The subscription has ended' },
  trial_already_used: { status: 409, title: 'The trial was already used' },
  already_exists: { status: 409, title: 'It already exists' },
  customer_erased: { status: 409, title: 'The data of the customer was erased' },
  payment_method_missing: { status: 409, title: 'The customer has no payment method' },
  nothing_unpaid: { status: 409, title: 'The customer has no unpaid invoice' },
  chain_not_watched: { status: 409, title: 'The chain is not watched here' },
  reference_already_booked: { status: 409, title: 'The reference stands for another payment' },
  idempotency_key_reused: { status: 409, title: 'The Idempotency-Key stands for another request' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  currency_mismatch: { status: 422, title: 'The currencies differ' },
  exchange_rate_missing: { status: 422, title: 'No exchange rate is known for the day' },
  exchange_rate_unusable: { status: 422, title: 'The exchange rate cannot be used' },
  fee_above_amount: { status: 422, title: 'The fee takes all of the amount' },
  amount_out_of_range: { status: 422, title: 'The amount is not acceptable' },
  amount_too_small: { status: 422, title: 'The amount is too small for a payment in coins' },
  asset_not_on_chain: { status: 422, title: 'The asset is not taken on this chain' },
  chat_address_unusable: { status: 422, title: 'The address of the chat cannot be used' },
  public_key_unusable: { status: 422, title: 'The public key cannot be used' },
  date_out_of_range: { status: 422, title: 'The date is not acceptable' },
  plan_archived: { status: 422, title: 'The plan is archived' },
  plan_without_trial: { status: 422, title: 'The plan has no trial' },
  bank_details_unusable: { status: 422, title: 'The bank details cannot be used' },
  bank_account_unusable: { status: 422, title: 'The bank account cannot be used' },
  statement_refused: { status: 422, title: 'The statement file was refused' },
  policy_unusable: { status: 422, title: 'The policy cannot be used' },
  tax_location_invalid: { status: 422, title: 'The tax engine cannot use the address of the customer' },
  tax_details_unusable: { status: 422, title: 'The tax details cannot be used' },
  value_unusable: { status: 422, title: 'A value cannot be kept' },
  file_unusable: { status: 422, title: 'The file cannot be taken' },
  payment_method_invalid: { status: 422, title: 'The payment method cannot be used' },
  too_many_uploads: { status: 429, title: 'Too many files are being sent' },
  too_many_open_pages: { status: 429, title: 'Too many pages are open' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  vendor_rejected_request: { status: 502, title: 'The payment vendor refused our request' },
  database_unavailable: { status: 503, title: 'The database cannot be reached' },
  temporal_unavailable: { status: 503, title: 'The process engine cannot be reached' },
  vendor_unavailable: { status: 503, title: 'The payment vendor cannot be reached' },
  rate_limited: { status: 503, title: 'The payment vendor asks us to slow down' },
  tax_not_calculated: { status: 503, title: 'The tax is not calculated yet' },
  chain_paused: { status: 503, title: 'No payments on the chain are taken now', retryAfterSeconds: 600 },
  chain_behind: { status: 503, title: 'The chain has not been read lately', retryAfterSeconds: 60 },
  rates_stale: { status: 503, title: 'No fresh rate is known', retryAfterSeconds: 60 },
  rates_apart: { status: 503, title: 'The price sources disagree', retryAfterSeconds: 60 },
  rates_too_few: { status: 503, title: 'Too few price sources know a rate', retryAfterSeconds: 60 },
  chain_unreachable: { status: 503, title: 'The chain cannot be asked', retryAfterSeconds: 10 },
  crypto_unhealthy: { status: 503, title: 'Payments in coins cannot be relied on', retryAfterSeconds: 30 },
  outcome_unknown: { status: 503, title: 'The outcome is not known yet' },
} as const satisfies Record<ErrorCode, ProblemKind> & Record<string, ProblemKind>;

export type ProblemCode = keyof typeof problemKinds;

/** One mistake in a request: where it is and what is wrong with it. */
export type RequestMistake = { path: string; message: string };

/** The body of an answer with media type `application/problem+json`. */
export type ProblemBody = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  /** A finer, stable name of the cause, where there is one. */
  reason?: string;
  /** Of a file that was sent: where it cannot be read. The first is 1. */
  line?: number;
  errors?: RequestMistake[];
};

/** Thrown anywhere in a request; answered as it is. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly body: ProblemBody;
  readonly headers: Readonly<Record<string, string>>;

  constructor({
    code,
    detail,
    reason,
    line,
    errors,
    headers = {},
    cause,
  }: {
    code: ProblemCode;
    detail: string;
    reason?: string | undefined;
    line?: number | undefined;
    errors?: RequestMistake[];
    headers?: Record<string, string>;
    cause?: unknown;
  }) {
    super(detail, { cause });
    this.name = 'Problem';
    this.code = code;
    const { status, title } = problemKinds[code];
    this.body = {
      type: `urn:perennial:problem:${code}`,
      title,
      status,
      detail,
      code,
      ...(reason !== undefined && { reason }),
      ...(line !== undefined && { line }),
      ...(errors !== undefined && { errors }),
    };
    const retryAfter = retryAfterOf(code) ?? RETRY_AFTER_SECONDS;
    this.headers = { ...(status === 503 && { 'Retry-After': String(retryAfter) }), ...headers };
  }

  get status(): number {
    return this.body.status;
  }
}

/** Another tenant's object does not exist for the caller either. */
export function notFound(noun: string, id: string): Problem {
  return new Problem({
    code: 'not_found',
    detail: `There is no ${noun} ${id}.`,
    reason: `${noun.replaceAll(' ', '_')}_not_found`,
  });
}

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problemKinds, code);
}

/** After this the caller may try again, with the same Idempotency-Key. */
const RETRY_AFTER_SECONDS = 2;

/** Of an outage that is foreseen; undefined for others. */
export function retryAfterOf(code: ProblemCode): number | undefined {
  const kind: ProblemKind = problemKinds[code];
  return kind.retryAfterSeconds;
}
