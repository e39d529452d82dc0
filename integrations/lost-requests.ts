/** What is known of a request to a vendor that was never answered. */
import type { ErrorCode } from '../domain/errors.ts';

/** One that changes something may have done so. */
export function interruptedCode(mutates: boolean): ErrorCode {
  return mutates ? 'outcome_unknown' : 'vendor_unavailable';
}

/** Whether a connection failed with a code by which the vendor cannot have seen the request. */
export function wasNeverSent(networkCode: unknown): boolean {
  return typeof networkCode === 'string' && neverSentCodes.has(networkCode);
}

const neverSentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);
