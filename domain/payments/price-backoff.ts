/**
 * How long a price source that failed is left alone: 5 seconds, doubled with each failure in a row up to 5 minutes, and never
 * less than the source itself asks for.
 */

/** Of one source. `retryAt` is a UTC instant; null where it may be asked at once. */
export type PriceBackoff = { failures: number; retryAt: string | null };

/** Of a source that answered, or was never asked. */
export const noBackoff: PriceBackoff = { failures: 0, retryAt: null };

/** `retryAfterMs`: what the source asked for, if anything; more than a day is taken for a day. */
export function afterFailure(
  { failures }: PriceBackoff,
  { at, retryAfterMs = 0 }: { at: Date; retryAfterMs?: number | undefined },
): PriceBackoff {
  const own = Math.min(FIRST_MS * 2 ** failures, LONGEST_MS);
  const asked = Number.isFinite(retryAfterMs) ? Math.min(retryAfterMs, DAY_MS) : 0;
  const retryAt = new Date(at.getTime() + Math.max(own, asked));
  return { failures: failures + 1, retryAt: retryAt.toISOString() };
}

export function mayAsk({ retryAt }: PriceBackoff, now: Date): boolean {
  return retryAt === null || now.getTime() >= Date.parse(retryAt);
}

const FIRST_MS = 5_000;
const LONGEST_MS = 300_000;
const DAY_MS = 86_400_000;
