/**
 * What a vendor's events set in motion: the object they speak of is read again, and what it says is booked. Events are hints,
 * so duplicates and any order are harmless; a burst is one look, or two.
 */
import { condition, type SignalDefinition, setHandler } from '@temporalio/workflow';

/** Looks until no hint is left that came after the last look. */
export async function lookOnHints(
  signal: SignalDefinition<[{ inboxEventId: string | null }]>,
  description: string,
  look: (hints: { inboxEventIds: string[]; at: string }) => Promise<void>,
): Promise<void> {
  let waiting: (string | null)[] = [];
  setHandler(
    signal,
    ({ inboxEventId }) => {
      waiting.push(inboxEventId);
    },
    { description },
  );

  await condition(() => waiting.length > 0);
  while (waiting.length > 0) {
    const inboxEventIds = waiting.filter((id) => id !== null);
    waiting = [];
    await look({ inboxEventIds, at: new Date().toISOString() });
  }
}
