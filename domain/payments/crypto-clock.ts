/** The clocks of an invoice in coins. Each is over only once all that happened up to its end is known. */
import { familyOf } from './crypto-chain.ts';
import type { ChainView, CryptoTerms } from './crypto-invoice.ts';

/** The moments that the terms name. */
export function clocksOf(terms: CryptoTerms): { expiresMs: number; monitorUntilMs: number } {
  const expiresMs = Date.parse(terms.expiresAt);
  const monitorMinutes = terms.policy.monitorMinutes[familyOf(terms.chain)];
  return { expiresMs, monitorUntilMs: expiresMs + monitorMinutes * MINUTE_MS };
}

/** Whether a moment has passed and all that happened up to it is known; never while the chain is paused (§1.5, §1.9). */
export function isOver(atMs: number, view: ChainView | null, now: string): boolean {
  if (view === null || view.freshUntil === null || view.isPaused) return false;
  return Date.parse(now) > atMs && Date.parse(view.freshUntil) > atMs;
}

export function hoursMs(hours: number): number {
  return hours * 60 * MINUTE_MS;
}

/** The length of a minute. */
export const MINUTE_MS = 60_000;
