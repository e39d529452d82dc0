/**
 * One question to a source of market prices. They are only read: whatever goes wrong, nothing has happened, and the source is
 * asked again later. Who asks gives the time that all its questions together may take.
 */
import { VendorError } from '../../domain/errors.ts';

export type PriceQuestion = {
  /** As people know it: `Kraken`. */
  vendor: string;
  url: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
};

/** The answer's text, whatever its status is. Throws a `VendorError` when there is none in time. */
export async function askForPrices({
  vendor,
  url,
  headers = {},
  signal,
}: PriceQuestion): Promise<{ status: number; ok: boolean; text: string; headers: Headers }> {
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json', ...headers },
      signal,
      redirect: 'error',
    });
    const { status, ok } = response;
    return { status, ok, text: await response.text(), headers: response.headers };
  } catch (cause) {
    throw new VendorError({ code: 'vendor_unavailable', message: `${vendor}: no answer`, cause });
  }
}

/** What a status other than a success means. `now` is what a Retry-After with a date is counted from. */
export function refusedPrices(
  vendor: string,
  { status, headers }: { status: number; headers: Headers },
  now: Date,
): VendorError {
  const isOurs = status >= 400 && status < 500 && status !== 429;
  const retryAfterMs = retryAfterMsOf(headers.get('retry-after'), now);
  return new VendorError({
    code: status === 429 ? 'rate_limited' : isOurs ? 'vendor_rejected_request' : 'vendor_unavailable',
    message: `${vendor}: status ${status}`,
    ...(retryAfterMs !== null && { retryAfterMs }),
  });
}

/** Seconds, or a date (RFC 9110 §10.2.3). Null where it is neither. */
export function retryAfterMsOf(header: string | null, now: Date): number | null {
  if (header === null || header.trim() === '') return null;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime());
}

/** An answer that is not what it should be. */
export function unreadablePrices(vendor: string, cause: unknown): VendorError {
  return new VendorError({ code: 'vendor_unavailable', message: `${vendor}: no readable answer`, cause });
}

/** What every source of prices is set up with. */
export type PriceConnection = {
  baseUrl: string;
  /** For all questions of one look together. */
  timeoutMs?: number;
  clock?: () => Date;
};

/** Seed 002 §3.2: ten seconds. */
export const PRICE_TIMEOUT_MS = 10_000;
