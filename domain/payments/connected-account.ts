/**
 * Which known account a feed's account is. A bank that is connected anew names its accounts anew; where it has a lasting name
 * for them, that decides, otherwise the institution and the last digits of the number do, as far as only one account fits.
 */
import type { FeedAccount } from './bank-feed.ts';
import { hasEnd, tellingEnd } from './statement-account.ts';

export type KnownAccount = {
  id: string;
  name: string;
  currency: string;
  mask: string | null;
  /** As statement files name it. */
  statementAccount: string | null;
  externalId: string | null;
  persistentId: string | null;
  /** Found only by a name that lasts. */
  isClosed: boolean;
  /** `isRead`: it is neither ended nor revoked. */
  connection: { id: string; institutionId: string | null; isRead: boolean } | null;
};

export type FoundAccount = {
  accountId: string;
  /** `newer`: a connection that was made later reads it, and keeps it. */
  readBy: 'this' | 'older' | 'nobody' | 'newer';
};

/** Ids of connections sort by the time at which they were made. Null for an account that is not known yet. */
export function sameAccount(
  told: FeedAccount,
  {
    connection,
    known,
    accounts,
  }: {
    connection: { id: string; institutionId: string | null };
    known: readonly KnownAccount[];
    /** All that the connection tells of. */
    accounts: readonly FeedAccount[];
  },
): FoundAccount | null {
  const ours = known.find(
    (each) => each.connection?.id === connection.id && each.externalId === told.externalId,
  );
  if (ours !== undefined) return { accountId: ours.id, readBy: 'this' };
  const others = known.filter(
    (each) => each.connection?.id !== connection.id && each.currency === told.currency,
  );
  const found =
    others.find((each) => told.persistentId !== null && each.persistentId === told.persistentId) ??
    onlyOne(
      others.filter((each) => isAlike(each, told, connection.institutionId)),
      { told, accounts },
    ) ??
    onlyOne(
      others.filter((each) => isInFiles(each, told)),
      { told, accounts },
    );
  if (found === undefined) return null;
  return { accountId: found.id, readBy: readerOf(found, connection.id) };
}

function readerOf({ connection }: KnownAccount, connectionId: string): FoundAccount['readBy'] {
  if (connection === null || !connection.isRead) return 'nobody';
  return connection.id > connectionId ? 'newer' : 'older';
}

/** Of the same institution, with the same last digits; two lasting names that differ are two accounts. */
function isAlike(known: KnownAccount, told: FeedAccount, institutionId: string | null): boolean {
  if (known.isClosed || known.connection === null || !hasMask(known.mask, told.mask)) return false;
  if (known.persistentId !== null && told.persistentId !== null) return false;
  return institutionId !== null && known.connection.institutionId === institutionId;
}

/** Nobody has connected it yet, and its number ends like the feed's. */
function isInFiles(known: KnownAccount, { mask }: FeedAccount): boolean {
  if (known.isClosed || known.connection !== null) return false;
  if (known.statementAccount === null) return hasMask(known.mask, mask);
  return hasEnd(known.statementAccount, mask);
}

function hasMask(known: string | null, told: string | null): boolean {
  const end = tellingEnd(told);
  return end !== null && end === tellingEnd(known);
}

/** Several that fit, on either side, are told apart by the name, or not at all. */
function onlyOne(
  fitting: readonly KnownAccount[],
  { told, accounts }: { told: FeedAccount; accounts: readonly FeedAccount[] },
): KnownAccount | undefined {
  const alike = accounts.filter(({ mask, currency }) => mask === told.mask && currency === told.currency);
  if (fitting.length <= 1 && alike.length <= 1) return fitting[0];
  const named = fitting.filter(({ name }) => name === told.name);
  return named.length === 1 ? named[0] : undefined;
}
