/**
 * One movement on a bank account, as a feed or a statement tells it. Whatever the source calls money in, here it is
 * positive: a feed that counts the other way round is turned round where it is read.
 */

/** The source that tells of changes and takes back what it told; all others are files. */
export const FEED = 'plaid' as const;

export const bankSources = [FEED, 'camt', 'ofx', 'mt940', 'csv'] as const;

export type BankSource = (typeof bankSources)[number];

export type BankTransaction = {
  /**
   * What the source calls it; unique per source and account, for ever. A file that gives no such name gets one of what
   * is in the line and its ordinal among equal ones, so that the same file read twice names the same movements.
   */
  externalId: string;
  /** Money in is positive, money out negative. Integer minor units of `currency`. */
  amountMinor: number;
  /** ISO 4217, upper case; one that we know. */
  currency: string;
  /** The day it was booked, in the bank's calendar: `2026-03-05`. */
  bookedOn: string;
  /** The day it was made, where the source knows it. */
  authorisedOn: string | null;
  /** Seen and not booked yet: it may still change or vanish. */
  pending: boolean;
  /** The pending movement that this booked one replaces, by its `externalId`. */
  pendingExternalId: string | null;
  /** Every text the source gives, one per field and in the order in which they are searched; none is empty. */
  texts: readonly string[];
  /** Who paid, as far as the bank says it. */
  payer: { name: string | null; account: string | null };
  /** The bank's own number of it: what a customer finds on the confirmation of a wire. */
  bankReference: string | null;
};
