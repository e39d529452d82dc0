/**
 * Resend's failures in our words. Its SDK never throws and hides what happened to the connection, so a failure
 * without a status may or may not have reached Resend: an unknown outcome, safe to repeat with the same key.
 */
import type { ErrorResponse } from 'resend';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';

export function toVendorError(error: ErrorResponse, headers: Record<string, string> | null): VendorError {
  const retryAfterSeconds = Number(headers?.['retry-after'] ?? Number.NaN);
  return new VendorError({
    code: codeOf(error),
    message: `Resend: ${error.name}: ${error.message}`,
    ...(Number.isFinite(retryAfterSeconds) ? { retryAfterMs: retryAfterSeconds * 1000 } : {}),
  });
}

function codeOf({ name, statusCode }: ErrorResponse): ErrorCode {
  if (name === 'concurrent_idempotent_requests') return 'outcome_unknown';
  if (name === 'invalid_idempotent_request') return 'idempotency_key_reused';
  if (statusCode === null || statusCode >= 500) return 'outcome_unknown';
  if (statusCode === 429) return 'rate_limited';
  return 'vendor_rejected_request';
}
