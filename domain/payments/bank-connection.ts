/**
 * A connection to a bank: one login of the tenant's at one bank, read by the feed (`bank-feed.ts`). What keeps it from being
 * read, when it is looked at next, and what operators are told of it.
 */
import { addHours, realDayMs } from '../instant.ts';
import type { BankFeedFailure, UnreadableReason } from './bank-feed.ts';

/**
 * - `active`: it is read.
 * - `needs_reauth`: the bank wants the person to sign in again. Nothing is lost: reading goes on where it stopped.
 * - `revoked`: it is over, by the bank or by the person; the bank must be connected anew.
 * - `unlinked`: we have ended it, by an operator's wish, or because another connection reads all its accounts.
 */
export const bankConnectionStatuses = ['active', 'needs_reauth', 'revoked', 'unlinked'] as const;

export type BankConnectionStatus = (typeof bankConnectionStatuses)[number];

/** A movement that could not be kept, as operators are shown it until it is gone. `isDismissed`: somebody has dealt with it. */
export type UnreadableMovement = {
  isDismissed?: boolean;
  externalId: string;
  accountExternalId: string;
  reason: UnreadableReason;
  currency: string;
  bookedOn: string;
};

export const bankConnectionPolicy = {
  /** The feed asks the bank one to four times a day, and tells when it has found something; a webhook may be lost. */
  lookEveryHours: 1,
  /** Somebody may have signed in again, and nobody told us. */
  lookWhileLockedHours: 24,
  /** The first reading takes the feed minutes. */
  lookUntilReadyMinutes: 10,
  /** Consent, and how the feed itself fares, are asked for so often. */
  askEveryHours: 24,
  /** Two looks that webhooks cause are so far apart at least: fifty in a second are one look, and one after it. */
  secondsBetweenHints: 10,
  /** So many looks, and another run goes on: a day of a quiet connection. */
  looksPerRun: 24,
  /** A reading that does not come to an end because the log changes under it is begun again so often before it waits. */
  restartsMax: 10,
  /** A feed that answers no more within a reading is waited for so often, each time twice as long: some minutes. */
  waitsForPageMax: 7,
  /** How far back the first reading goes: as far as the feed goes. */
  historyDays: 730,
  /** Operators are told of consent that ends so long before it does, unless the feed tells earlier. */
  consentNoticeDays: 7,
  /** An announcement that a connection will be ended holds so long at most. */
  disconnectWithinDays: 8,
  /** No complete reading for so long: something is wrong with us or with the feed. */
  staleAfterHours: 6,
  /** The bank itself was not read for so long: transfers that came meanwhile are not seen (§2.8). */
  bankSilentAfterHours: 48,
  /** The newest ones that could not be read are kept. */
  unreadableMax: 100,
} as const;

export type ConnectionState = { status: BankConnectionStatus; isReady: boolean };

/** When to look by ourselves; null for never: only a webhook or an operator wakes it. */
export function nextLookAt({ status, isReady }: ConnectionState, lookedAt: string): string | null {
  const policy = bankConnectionPolicy;
  if (status === 'unlinked' || status === 'revoked') return null;
  const soon = policy.lookUntilReadyMinutes / MINUTES_AN_HOUR;
  const hours =
    status === 'needs_reauth' ? policy.lookWhileLockedHours : isReady ? policy.lookEveryHours : soon;
  return addHours(lookedAt, hours, realDayMs);
}

const MINUTES_AN_HOUR = 60;

/** When what was told since a look is looked at, so that many who tell at once cause one look and one after it. */
export function nextHintedLookAt(lookedAt: string): string {
  return new Date(Date.parse(lookedAt) + bankConnectionPolicy.secondsBetweenHints * SECOND_MS).toISOString();
}

const SECOND_MS = 1_000;

/** What a failure makes of a connection; null for one that passes by itself. */
export function statusAfter(failure: BankFeedFailure): 'needs_reauth' | 'revoked' | null {
  if (failure === 'login_required') return 'needs_reauth';
  return failure === 'access_revoked' ? 'revoked' : null;
}

/**
 * How long to wait before a reading is tried again, in milliseconds: doubled from try to try, with jitter, because all
 * connections of an installation fail together. `attempt` counts from 1, `random` is in [0, 1).
 */
export function retryDelayMs(attempt: number, random: number): number {
  const longest = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 20), RETRY_MAX_MS);
  return Math.round(longest / 2 + (longest / 2) * random);
}

const FIRST_RETRY_MS = 2_000;
const RETRY_MAX_MS = 10 * 60_000;

export const connectionConcerns = [
  'needs_reauth',
  'revoked',
  'failing',
  'stale',
  'bank_silent',
  'consent_ends',
  'disconnect_expected',
  'unreadable_movements',
] as const;

/** Why somebody should look at a connection. */
export type ConnectionConcern = (typeof connectionConcerns)[number];

export type ConnectionRecord = ConnectionState & {
  /** Our last reading that came to its end, and the last that failed; the feed's own last one at the bank. */
  lastSyncedAt: string | null;
  lastFailedAt: string | null;
  bankReadAt: string | null;
  consentExpiresAt: string | null;
  disconnectExpectedSince: string | null;
  unreadable: readonly UnreadableMovement[];
  createdAt: string;
};

/** The gravest first. An unlinked connection concerns nobody. */
export function concernsOf(connection: ConnectionRecord, now: string): ConnectionConcern[] {
  const { status, lastSyncedAt, lastFailedAt, bankReadAt, consentExpiresAt } = connection;
  if (status === 'unlinked') return [];
  const policy = bankConnectionPolicy;
  const isRead = status === 'active';
  const hoursSince = (at: string | null) => hoursBetween(at ?? connection.createdAt, now);
  const found: Record<ConnectionConcern, boolean> = {
    needs_reauth: status === 'needs_reauth',
    revoked: status === 'revoked',
    failing: isRead && lastFailedAt !== null && (lastSyncedAt === null || lastFailedAt > lastSyncedAt),
    stale: isRead && hoursSince(lastSyncedAt) > policy.staleAfterHours,
    bank_silent: isRead && bankReadAt !== null && hoursSince(bankReadAt) > policy.bankSilentAfterHours,
    consent_ends: isRead && isConsentEnding(consentExpiresAt, now),
    disconnect_expected: isRead && connection.disconnectExpectedSince !== null,
    unreadable_movements: connection.unreadable.some(({ isDismissed = false }) => !isDismissed),
  };
  return connectionConcerns.filter((concern) => found[concern]);
}

/** So near that operators are told by us, even if the feed has not. */
export function isConsentEnding(consentExpiresAt: string | null, now: string): boolean {
  if (consentExpiresAt === null) return false;
  return hoursBetween(now, consentExpiresAt) <= bankConnectionPolicy.consentNoticeDays * HOURS_A_DAY;
}

const HOURS_A_DAY = 24;

export function hoursBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / (realDayMs / HOURS_A_DAY);
}
