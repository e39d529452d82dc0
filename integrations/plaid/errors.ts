/**
 * Plaid's failures in our words. The question each answers: can the request have had its effect? What is carried on is a code
 * and a sentence: the error of the SDK holds the request with its headers, and with them our secret and the customer's token,
 * and goes no further than this file.
 * https://plaid.com/docs/errors/
 */
import { z } from 'zod';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import { BankFeedError, type BankFeedFailure } from '../../domain/payments/bank-feed.ts';
import { interruptedCode, wasNeverSent } from '../lost-requests.ts';
import * as shapes from './shapes.ts';

/** Maps whatever the SDK threw; `mutates` says whether asking again is not the same as having asked once. */
export function toVendorError(failure: unknown, { mutates }: { mutates: boolean }): VendorError {
  if (failure instanceof VendorError) return failure;
  const parsed = failedRequest.safeParse(failure);
  // Not Plaid's answer but a fault on our side or of the SDK, before or after the request: nobody knows.
  if (!parsed.success) {
    const name = failure instanceof Error ? failure.name : 'no readable answer';
    return new VendorError({ code: interruptedCode(mutates), message: `Plaid: ${name}` });
  }
  const { code: networkCode, response } = parsed.data;
  if (response === undefined) {
    const code = wasNeverSent(networkCode) ? 'vendor_unavailable' : interruptedCode(mutates);
    return new VendorError({ code, message: `Plaid: no answer (${networkCode ?? 'unknown'})` });
  }
  return refused(response, mutates);
}

/** What an error says of the connection it is about; null for one that says nothing of it. */
export function failureOf({ error_code, error_message }: shapes.FailureJson): BankFeedFailure | null {
  if (error_code === 'INVALID_FIELD' && /\bcursor\b/i.test(error_message ?? '')) return 'cursor_unknown';
  return failures.get(error_code) ?? null;
}

const failures: ReadonlyMap<string, BankFeedFailure> = new Map([
  ['TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION', 'changed_while_reading'],
  ['PRODUCT_NOT_READY', 'not_ready'],
  // The person repairs these by signing in anew.
  ['ITEM_LOGIN_REQUIRED', 'login_required'],
  ['INVALID_CREDENTIALS', 'login_required'],
  ['INVALID_MFA', 'login_required'],
  ['INSUFFICIENT_CREDENTIALS', 'login_required'],
  ['ITEM_LOCKED', 'login_required'],
  ['USER_SETUP_REQUIRED', 'login_required'],
  ['ACCESS_NOT_GRANTED', 'login_required'],
  // These nobody repairs.
  ['ITEM_NOT_FOUND', 'access_revoked'],
  ['ITEM_CONCURRENTLY_DELETED', 'access_revoked'],
  ['INVALID_ACCESS_TOKEN', 'access_revoked'],
  ['USER_PERMISSION_REVOKED', 'access_revoked'],
  ['USER_ACCOUNT_REVOKED', 'access_revoked'],
  ['INSTITUTION_NO_LONGER_SUPPORTED', 'access_revoked'],
  ['INSTITUTION_DOWN', 'bank_unavailable'],
  ['INSTITUTION_NOT_RESPONDING', 'bank_unavailable'],
  ['INSTITUTION_NOT_AVAILABLE', 'bank_unavailable'],
]);

/** Plaid does not take this public token, or not any more. */
export function isUnusableToken(failure: unknown): boolean {
  const { response } = failedRequest.safeParse(failure).data ?? {};
  return response?.status === 400 && response.data?.error_code === 'INVALID_PUBLIC_TOKEN';
}

/** Plaid knows no key of this id. */
export function isUnknownKey(failure: unknown): boolean {
  const { response } = failedRequest.safeParse(failure).data ?? {};
  const code = response?.data?.error_code;
  return (
    response?.status === 400 && (code === 'INVALID_WEBHOOK_VERIFICATION_KEY_ID' || code === 'INVALID_FIELD')
  );
}

type Answer = NonNullable<z.output<typeof failedRequest>['response']>;

function refused({ status, headers, data }: Answer, mutates: boolean): VendorError {
  const vendorRequestId = data?.request_id ?? undefined;
  const reason = data && failureOf(data);
  const message = data ? `Plaid: ${sentenceOf(data)}` : `Plaid: status ${status}`;
  if (reason) return new BankFeedError({ reason, message, vendorRequestId });
  const retryAfterSeconds = Number(headers?.['retry-after'] ?? Number.NaN);
  return new VendorError({
    code: codeOf({ status, data }, mutates),
    message,
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1000 }),
    ...(vendorRequestId !== undefined && { vendorRequestId }),
  });
}

function codeOf({ status, data }: Pick<Answer, 'status' | 'data'>, mutates: boolean): ErrorCode {
  if (status === 429 || data?.error_type === 'RATE_LIMIT_EXCEEDED') return 'rate_limited';
  // An answer that is not Plaid's comes from something in between; 5xx, redirects nobody follows.
  if (data === undefined || status < 400 || status >= 500) return interruptedCode(mutates);
  if (data.error_type === 'API_ERROR') return interruptedCode(mutates);
  return status === 404 ? 'not_found' : 'vendor_rejected_request';
}

/** Plaid quotes no tokens; where it would, they are left out. */
function sentenceOf({ error_code, error_message }: shapes.FailureJson): string {
  const told = (error_message ?? '')
    .slice(0, 300)
    .replace(/\b(access|public|link|processor)-[\w-]{6,}/g, '$1-…');
  return told === '' ? error_code : `${error_code}: ${told}`;
}

/** As much of the SDK's error as is looked at. */
const failedRequest = z.object({
  isAxiosError: z.literal(true),
  code: z.string().optional().catch(undefined),
  response: z
    .object({
      status: z.number(),
      headers: z.object({ 'retry-after': z.unknown() }).optional().catch(undefined),
      data: shapes.failure.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
