/** When a row that could not be delivered is tried again: by what failed, and how often it has. */
import { errorCodes, VendorError } from '../domain/errors.ts';
import type { OutboxEnvelope } from '../domain/operations/outbox.ts';
import { isTemporalAway } from '../temporal/connection.ts';

/**
 * Milliseconds until the next try; null gives the row up. What goes to Temporal is never given up, because a process
 * depends on it, and goes out soon after Temporal is back; nor is what a tax engine is owed. A mail is tried for about three days, a post to a chat
 * for five hours, and neither again where the vendor refuses it for good.
 */
export function retryDelayMs({
  topic,
  attempts,
  error,
}: {
  topic: OutboxEnvelope['topic'];
  /** Tries so far, this one included. */
  attempts: number;
  error: Error;
}): number | null {
  const backoffMs = FIRST_MS * 2 ** Math.min(attempts - 1, 20);
  if (topic !== 'mail.send' && topic !== 'chat.send')
    return Math.min(backoffMs, isTemporalAway(error) ? AWAY_MAX_MS : MAX_MS);

  if (error instanceof VendorError && !errorCodes[error.code].retryable) return null;
  if (attempts >= (topic === 'mail.send' ? MAIL_ATTEMPTS_MAX : CHAT_ATTEMPTS_MAX)) return null;
  const wantedMs = error instanceof VendorError ? (error.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(Math.min(backoffMs, MAX_MS), wantedMs);
  // Whoever runs a chat of their own does not decide for how long we keep a notice.
  return topic === 'mail.send' ? delayMs : Math.min(delayMs, MAX_MS);
}

const FIRST_MS = 1_000;
const MAX_MS = 3_600_000;
const AWAY_MAX_MS = 15_000;
/** Twelve doublings up to an hour, then hourly: 80 tries take 69 hours. */
const MAIL_ATTEMPTS_MAX = 80;
/** Each try whose answer is lost may be another message, so they are few: 16 tries take five hours. */
const CHAT_ATTEMPTS_MAX = 16;
