/**
 * The feed of a bank: who reads a customer's bank for us and tells what moved on the accounts. One login at one bank is a
 * connection, which has one access token and one cursor. The feed only reads; no method of it moves money.
 *
 * Why it is safe to run twice: `sync` answers from the cursor it is given, so that the same cursor gives the same movements
 * again, and with them whatever changed since. A reader that keeps movements and cursor in one transaction loses nothing
 * and doubles nothing, wherever it dies.
 */
import { type ErrorCode, VendorError } from '../errors.ts';
import type { BankTransaction } from './bank-transaction.ts';

/** A movement as the feed tells it. */
export type FeedTransaction = BankTransaction & {
  /** The account of the connection that it is on. */
  accountExternalId: string;
  /**
   * What the feed said, where it was more digits than the currency has and the amount was therefore rounded (half to even):
   * a decimal with money in positive, such as `499.005`. Null for an amount that is exact.
   */
  roundedFrom: string | null;
};

/** A movement that is gone: it never happened, or came back under another name when it was booked. */
export type RemovedTransaction = { externalId: string; accountExternalId: string };

/**
 * Why a movement cannot be kept. `currency_unknown`: in a currency, or a coin, that we keep no amounts in. `amount_too_large`:
 * more than can be counted exactly. `account_unknown`: on an account whose own currency we do not know.
 */
export const unreadableReasons = ['currency_unknown', 'amount_too_large', 'account_unknown'] as const;

export type UnreadableReason = (typeof unreadableReasons)[number];

/** A movement that cannot be kept, told so that it is neither lost unseen nor stops all others. */
export type UnreadableTransaction = RemovedTransaction & {
  reason: Exclude<UnreadableReason, 'account_unknown'>;
  /** As the feed wrote it. */
  currency: string;
  bookedOn: string;
};

/** One page of what has changed since a cursor. */
export type FeedPage = {
  added: FeedTransaction[];
  modified: FeedTransaction[];
  removed: RemovedTransaction[];
  unreadable: UnreadableTransaction[];
  /** Where the next page begins or, after the last one, the next reading. Empty while the feed is not ready. */
  nextCursor: string;
  hasMore: boolean;
  /** False until the feed has read the bank for the first time: an empty page then says nothing about the account. */
  isReady: boolean;
};

/** Most movements of one page. */
export const FEED_PAGE_MAX = 500;

export type FeedAccount = {
  externalId: string;
  /** The same in every connection to the account, where the bank gives such a name; `externalId` is not. */
  persistentId: string | null;
  name: string;
  /** The last digits of its number. */
  mask: string | null;
  /** ISO 4217 and one that we know; null for another. */
  currency: string | null;
};

export type FeedConnection = {
  externalId: string;
  institutionId: string | null;
  institutionName: string | null;
  /** Why it is not read now; null for a healthy one. */
  problem: BankFeedFailure | null;
  /** When the customer must consent anew; null where consent does not end. */
  consentExpiresAt: string | null;
  /** When movements were last read at the bank, and when that last failed. */
  lastReadAt: string | null;
  lastFailedAt: string | null;
};

/** What a person needs to connect a bank on the feed's own page. */
export type LinkRequest = {
  /** Ours of who connects; says nothing about the person. */
  userId: string;
  /** How we are called on that page: 30 characters at most. */
  clientName: string;
  /** ISO 639-1, lower case. */
  language: string;
  /** ISO 3166-1, upper case: whose banks are offered. */
  countries: readonly string[];
  webhookUrl: string;
  /** How many days back the first reading goes; as many as the feed likes when absent. */
  historyDays?: number;
  /** A page of ours to which a bank with a page of its own sends the person back. */
  redirectUrl?: string;
  /** The connection to repair: the person signs in again, and token and cursor stay. A new connection when absent. */
  accessToken?: string;
};

/** The public key by which one webhook can be verified. */
export type VerificationKey = {
  keyId: string;
  /** As a JSON Web Key. */
  jwk: { kty: string; crv: string; x: string; y: string; alg: string };
  /** From then on it signs nothing any more; null while it is in use. */
  expiredAt: Date | null;
};

/** Who reads banks for us. Every method throws `VendorError` on failure, a `BankFeedError` where a connection is the cause. */
export type BankFeed = {
  /** Asking twice makes two tokens, of which one is used; both end by themselves. */
  linkToken(request: LinkRequest): Promise<{ linkToken: string; expiresAt: string }>;
  /**
   * The access token of a new connection. Each public token can be exchanged once; null for one that is not taken: it is too
   * old, or none, or somebody has exchanged it already. Throws `outcome_unknown` where the answer was lost: nobody has the token then, the person connects the bank again, and the lost connection is one that nobody reads.
   */
  exchange(publicToken: string): Promise<{ accessToken: string; connectionExternalId: string } | null>;
  item(accessToken: string): Promise<FeedConnection>;
  accounts(accessToken: string): Promise<FeedAccount[]>;
  /**
   * What has changed since the cursor, from the beginning when it is null. Keep nothing before `hasMore` is false. Throws
   * `changed_while_reading` when a page after the first does not fit the ones before: begin again at the first page's cursor.
   */
  sync(input: { accessToken: string; cursor: string | null; count?: number }): Promise<FeedPage>;
  /** Null for a key that is none of the feed's. */
  verificationKey(keyId: string): Promise<VerificationKey | null>;
  /** Ends the connection for good: the token opens nothing any more. Asked again it is `access_revoked`, which says the same. */
  remove(accessToken: string): Promise<void>;
};

/**
 * - `login_required`: the bank wants the person to sign in again (`linkToken` with the access token). Nothing is lost
 *   meanwhile: the cursor stays good.
 * - `access_revoked`: the connection is over, or was never one; the bank must be connected anew.
 * - `changed_while_reading`: begin again at the cursor of the first page.
 * - `cursor_unknown`: the cursor is of another connection or none; reading from the beginning is safe.
 * - `not_ready`: the feed has not read the bank yet.
 * - `bank_unavailable`: the bank cannot be read now, by its own fault.
 */
export const bankFeedFailures = [
  'login_required',
  'access_revoked',
  'changed_while_reading',
  'cursor_unknown',
  'not_ready',
  'bank_unavailable',
] as const;

export type BankFeedFailure = (typeof bankFeedFailures)[number];

const codes: Record<BankFeedFailure, ErrorCode> = {
  login_required: 'state_conflict',
  access_revoked: 'not_found',
  changed_while_reading: 'vendor_unavailable',
  cursor_unknown: 'state_conflict',
  not_ready: 'vendor_unavailable',
  bank_unavailable: 'vendor_unavailable',
};

/** What keeps one connection from being read. Whether trying again helps is in its code. */
export class BankFeedError extends VendorError {
  readonly reason: BankFeedFailure;

  constructor({
    reason,
    message,
    vendorRequestId,
  }: { reason: BankFeedFailure; message: string; vendorRequestId?: string | undefined }) {
    super({ code: codes[reason], message, ...(vendorRequestId !== undefined && { vendorRequestId }) });
    this.name = 'BankFeedError';
    this.reason = reason;
  }
}

/**
 * - `changes_available`: there is something for `sync`.
 * - `failed`: the connection cannot be read.
 * - `login_repaired`: it can be read again, by no act of ours.
 * - `consent_expires`: soon, unless the person consents anew.
 * - `disconnect_expected`: within days, unless the person signs in again.
 * - `access_revoked`: the person has ended it.
 * - `other`: nothing that we act on.
 */
export type BankFeedEventKind =
  | 'changes_available'
  | 'failed'
  | 'login_repaired'
  | 'consent_expires'
  | 'disconnect_expected'
  | 'access_revoked'
  | 'other';

/** What the feed told us by webhook, as far as it is trusted: what it speaks of is read again. */
export type BankFeedEvent = {
  /** The same for a copy of the delivery. A feed that tells something a second time signs it anew and names it anew. */
  externalId: string;
  /** As the feed calls it: `TRANSACTIONS.SYNC_UPDATES_AVAILABLE`. */
  type: string;
  kind: BankFeedEventKind;
  /** Null for an event that is about no connection. */
  connectionExternalId: string | null;
  createdAt: string;
};
