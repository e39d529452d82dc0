/**
 * An invoice that cannot be issued yet, because a tax engine is asked for its tax and has not said it: the act that issues
 * is held and tried again, soon at first and then ever later, up to once an hour, or once a day where only the customer's
 * address can help, whose change ends the wait. Nothing is billed with a wrong tax meanwhile, and nothing else of the
 * subscription waits for it.
 */

/**
 * - `engine_unavailable`: it does not answer.
 * - `engine_refused`: it does not take our request; somebody must look at its settings.
 * - `location_invalid`: it cannot tell where the customer is; the address must be mended.
 */
export type TaxHoldReason = 'engine_unavailable' | 'engine_refused' | 'location_invalid';

/**
 * Instants. `since` is when the first try failed. `holdsEnd`: what was to be issued bills a change with the end of the
 * subscription, which waits too.
 */
export type TaxHold = { reason: TaxHoldReason; since: string; until: string; holdsEnd?: true };

/** The hold after a try that failed at `at`. */
export function heldAgain(
  before: TaxHold | null,
  { reason, at, holdsEnd = false }: { reason: TaxHoldReason; at: string; holdsEnd?: boolean },
): TaxHold {
  const since = before?.since ?? at;
  const waitedMs = Date.parse(at) - Date.parse(since);
  const delayMs = Math.min(Math.max(waitedMs, SOONEST_MS), latestMs[reason]);
  const until = new Date(Date.parse(at) + delayMs).toISOString();
  return { reason, since, until, ...(holdsEnd && { holdsEnd }) };
}

/** What is missing, after "the tax of its invoice:". */
export function holdInWords(reason: TaxHoldReason): string {
  return words[reason];
}

const words: Record<TaxHoldReason, string> = {
  engine_unavailable: 'the tax engine does not answer',
  engine_refused: 'the tax engine refuses the request; look at its settings',
  location_invalid: "the tax engine cannot use the customer's address; mend it",
};

const SOONEST_MS = 60_000;
const HOUR_MS = 3_600_000;
const latestMs: Record<TaxHoldReason, number> = {
  engine_unavailable: HOUR_MS,
  engine_refused: HOUR_MS,
  location_invalid: 24 * HOUR_MS,
};
