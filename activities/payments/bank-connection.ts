/**
 * Looks at a connection to a bank: reads what has changed, and keeps it with the cursor after it.
 *
 * Why it is safe to run twice: reading changes nothing at the bank. Nothing is kept before the last page is there, and then all
 * of it with the cursor in one transaction: whoever dies has kept all or nothing, and the next one reads from the cursor that
 * is kept. Ending a connection at the feed is asked for until the feed does not know it any more.
 */
import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { markEventsProcessed, readEvents } from '../../db/queries/operations/inbox.ts';
import {
  type BankConnectionRow,
  forgetToken,
  readConnection,
  resealToken,
  tokenOf,
} from '../../db/queries/payments/bank-connections.ts';
import { accountsOf, accountsToGain } from '../../db/queries/payments/connected-accounts.ts';
import { connectionNamed } from '../../db/queries/payments/connection-named.ts';
import {
  type Hints,
  type Looked,
  type ReadBank,
  saveFailure,
  saveReading,
} from '../../db/queries/payments/save-bank-reading.ts';
import type { TokenSeal } from '../../db/queries/payments/sealed-token.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';
import {
  type BankConnectionStatus,
  bankConnectionPolicy,
  hoursBetween,
  retryDelayMs,
  statusAfter,
} from '../../domain/payments/bank-connection.ts';
import { type BankFeed, BankFeedError } from '../../domain/payments/bank-feed.ts';
import { readBankFeed } from './read-bank-feed.ts';

/** Who reads banks, and what opens the tokens that it is asked with. */
export type Banks = { feed: BankFeed; tokenSeal: TokenSeal };

type Deps = { db: Database; banks: Banks; log: Logger };

export type SyncBankConnectionInput = { connectionExternalId: string; inboxEventIds: string[]; at: string };

/** `status` null: nobody has connected it here. `lookAt` null: only when something is told. */
export type SyncedBankConnection = { status: BankConnectionStatus | null; lookAt: string | null };

export function createBankConnectionActivities({
  banks,
  ...rest
}: Omit<Deps, 'banks'> & { banks?: Banks | undefined }) {
  const { db } = rest;
  const depsOf = (): Deps => {
    if (banks === undefined) throw new Error('No bank is read here');
    return { ...rest, banks };
  };
  return {
    /** Throws a `VendorError` where the feed cannot be asked now; try again then, after the time it names. */
    async syncBankConnection({
      connectionExternalId,
      inboxEventIds,
      at: now,
    }: SyncBankConnectionInput): Promise<SyncedBankConnection> {
      // A look that was tried again is of the time at which it was.
      const { currentAttemptScheduledTimestampMs: triedAt } = Context.current().info;
      const at = new Date(Math.max(Date.parse(now), triedAt));
      const { owner, hints } = await withSystem(db, async (tx) => ({
        owner: await connectionNamed(tx, connectionExternalId),
        hints: await readEvents(tx, inboxEventIds),
      }));
      const looked =
        owner === null ? { status: null, lookAt: null } : await look(depsOf(), { ...owner, hints, at });
      await withSystem(db, (tx) =>
        markEventsProcessed(tx, { ids: inboxEventIds, tenantId: owner?.tenantId ?? null }),
      );
      return looked;
    },
  };
}

type Look = { id: string; tenantId: string; hints: Hints; at: Date };

async function look(deps: Deps, { id: connectionId, tenantId, hints, at }: Look): Promise<Looked> {
  const {
    db,
    banks: { tokenSeal },
  } = deps;
  const inTenant = tenantOf(db, tenantId);
  for (;;) {
    const connection = await inTenant((tx) => readConnection(tx, connectionId));
    if (connection.accessToken === null) return { status: 'unlinked', lookAt: null };
    const accessToken = tokenSeal.open(connection.accessToken, tokenOf(connection));
    if (connection.status === 'unlinked') {
      const isEnded = await endAtFeed(deps, { connectionId, accessToken });
      if (isEnded) await inTenant((tx) => forgetToken(tx, connectionId));
      return { status: 'unlinked', lookAt: null };
    }
    const read = await tryToRead(deps, { connection, accessToken, hints, at });
    if ('failure' in read) {
      const looked = await inTenant((tx) => saveFailure(tx, { connectionId, hints, at, ...read.told }));
      if (passes(read.failure)) throw inAWhile(read.failure);
      deps.log.warn({ connectionId, err: read.failure }, 'a bank cannot be read until somebody has looked');
      return looked;
    }
    const { cursor } = connection;
    const saved = await inTenant(async (tx) => {
      if (!tokenSeal.isCurrent(connection.accessToken ?? '')) {
        await resealToken(tx, connection, tokenSeal.seal(accessToken, tokenOf(connection)));
      }
      return saveReading(tx, { connectionId, cursor, hints, at, ...read });
    });
    if (saved !== null) return saved;
  }
}

function tenantOf(db: Database, tenantId: string) {
  return <T>(work: Parameters<typeof withTenant<T>>[2]) => withTenant(db, tenantId, work);
}

type Failed = {
  failure: VendorError;
  told: { problem: BankFeedError['reason'] | null; message: string };
};

async function tryToRead(
  { db, banks: { feed } }: Deps,
  {
    connection,
    accessToken,
    hints,
    at,
  }: { connection: BankConnectionRow; accessToken: string; hints: Hints; at: Date },
): Promise<ReadBank | Failed> {
  try {
    const reader = { feed, wait: (ms: number) => Context.current().sleep(ms) };
    const inTenant = tenantOf(db, connection.tenantId);
    const reading = await readBankFeed(reader, { accessToken, cursor: connection.cursor });
    const known = await inTenant((tx) => accountsOf(tx, connection.id));
    const named = [...(reading?.told ?? []), ...(reading?.unreadable ?? [])];
    const isStrange = named.some(({ accountExternalId }) => !known.has(accountExternalId));
    if (!isStrange && known.size > 0 && !isToBeAsked(connection, hints, at)) {
      return { reading, history: null, asked: null };
    }
    const asked = { item: await feed.item(accessToken), accounts: await feed.accounts(accessToken) };
    // An account that is kept without its history would never get it.
    if (reading === null) return { reading, history: null, asked: connection.cursor === null ? asked : null };
    if (reading.from === null) return { reading, history: null, asked };
    const gained = await inTenant((tx) => accountsToGain(tx, connection, asked));
    if (gained.size === 0) return { reading, history: null, asked };
    const history = await readBankFeed(reader, { accessToken, cursor: null, isFirst: false });
    return history === null ? { reading: null, history, asked: null } : { reading, history, asked };
  } catch (failure) {
    if (!(failure instanceof VendorError)) throw failure;
    const problem = failure instanceof BankFeedError ? failure.reason : null;
    return { failure, told: { problem, message: failure.message } };
  }
}

/** Once a day, when something was told of the connection itself, and when it can be read again. */
function isToBeAsked({ askedAt, status }: BankConnectionRow, { types }: Hints, at: Date): boolean {
  if (askedAt === null || status !== 'active') return true;
  if ([...types].some((type) => type.startsWith('ITEM.'))) return true;
  return hoursBetween(askedAt.toISOString(), at.toISOString()) >= bankConnectionPolicy.askEveryHours;
}

/** False where the feed refuses to: then its token is kept, and whoever unlinks the connection again has it tried again. */
async function endAtFeed(
  { banks: { feed }, log }: Deps,
  { connectionId, accessToken }: { connectionId: string; accessToken: string },
): Promise<boolean> {
  try {
    await feed.remove(accessToken);
    return true;
  } catch (error) {
    if (!(error instanceof VendorError)) throw error;
    if (error instanceof BankFeedError && statusAfter(error.reason) === 'revoked') return true;
    if (passes(error)) throw inAWhile(error);
    log.error({ connectionId, err: error }, 'a connection to a bank could not be ended at the feed');
    return false;
  }
}

/** Whether it is over by itself some time. */
function passes({ code }: VendorError): boolean {
  return errorCodes[code].retryable;
}

/** The feed names no time; all that fail together must not come back together. */
function inAWhile({ code, message, retryAfterMs }: VendorError): VendorError {
  const { attempt } = Context.current().info;
  const wait = Math.max(retryDelayMs(attempt, Math.random()), retryAfterMs ?? 0);
  return new VendorError({ code, message, retryAfterMs: wait });
}
