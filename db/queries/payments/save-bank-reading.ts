/**
 * What a look at a connection has found: movements and the cursor after them, or why there are none.
 *
 * Why it is safe to run twice: movements and cursor are one transaction, under the connection's lock and only while the cursor
 * is the one that was read from. Who comes second finds another cursor and reads again; who dies before the commit has left
 * nothing. What operators are told of is known by what it is about, and told once.
 */
import { eq } from 'drizzle-orm';
import {
  type BankConnectionStatus,
  isConsentEnding,
  nextLookAt,
  statusAfter,
} from '../../../domain/payments/bank-connection.ts';
import type {
  BankFeedFailure,
  FeedAccount,
  FeedConnection,
  FeedTransaction,
  RemovedTransaction,
  UnreadableTransaction,
} from '../../../domain/payments/bank-feed.ts';
import { disconnectExpectedAfter, unreadableAfter } from '../../../domain/payments/bank-reading.ts';
import { FEED } from '../../../domain/payments/bank-transaction.ts';
import { PLAID_CONSENT_ENDS } from '../../../domain/payments/vendor-events.ts';
import type { Tx } from '../../client.ts';
import { bankConnections } from '../../schema/bank-connections.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { adoptMovements, noteTellers, untoldPendings } from './adopt-movements.ts';
import type { BankAccountRow } from './bank-accounts.ts';
import { type BankConnectionRow, lockBanks, readConnection } from './bank-connections.ts';
import { accountsOf, accountsToGain, keepAccounts } from './connected-accounts.ts';
import { tellOperatorsOfConnection } from './connection-alerts.ts';
import { keepMovements, removeMovements } from './keep-movements.ts';

/** Everything that has changed since a cursor, read to the end. */
export type BankReading = {
  /** Where it was begun; null for the beginning. */
  from: string | null;
  /** Where the next one begins. */
  cursor: string;
  /** Added and changed ones. */
  told: FeedTransaction[];
  removed: RemovedTransaction[];
  unreadable: UnreadableTransaction[];
};

/** What the feed said of the connection itself, where it was asked. */
export type AskedConnection = { item: FeedConnection; accounts: readonly FeedAccount[] };

/**
 * What a look has found. `reading` null: the feed has not read the bank yet. `asked` null where nothing new can be known of the
 * accounts. `history`: all there is, where an account is told for the first time in a reading that began later.
 */
export type ReadBank = {
  reading: BankReading | null;
  history: BankReading | null;
  asked: AskedConnection | null;
};

/** What the webhooks were about that caused the look. */
export type Hints = { types: ReadonlySet<string>; lastReceivedAt: Date | null };

export const noHints: Hints = { types: new Set(), lastReceivedAt: null };

export type Looked = { status: BankConnectionStatus; lookAt: string | null };

/** Returns null, and keeps nothing, where connections or accounts have changed since the bank was read; read it again then. */
export async function saveReading(
  tx: Tx,
  {
    connectionId,
    cursor,
    reading,
    history,
    asked,
    hints,
    at,
  }: ReadBank & {
    connectionId: string;
    /** Of the row, when the reading began. */
    cursor: string | null;
    hints: Hints;
    at: Date;
  },
): Promise<Looked | null> {
  const connection = await lockConnection(tx, connectionId);
  if (connection.status === 'unlinked') return stateOf(connection, at);
  if (connection.cursor !== cursor) return null;
  const gained = asked === null ? new Set<string>() : await accountsToGain(tx, connection, asked);
  const isPart = reading !== null && reading.from !== null;
  if (gained.size > 0 && isPart && history === null) return null;
  const known = withAsked(connection, asked, at);
  if (asked !== null) await update(tx, known);
  const { elsewhere } =
    asked === null ? nowhere : await keepAccounts(tx, known, { accounts: asked.accounts, at });
  const accounts = await accountsOf(tx, connectionId);
  if (reading !== null) {
    const readingOf = (account: string) => (gained.has(account) ? (history ?? reading) : reading);
    await keepReading(tx, known, { readingOf, accounts, at });
  }

  const all = reading && { ...(history ?? reading), removed: reading.removed };
  const unreadable =
    all === null ? known.unreadable : unreadableAfter(known.unreadable, all, { accounts, elsewhere });
  const after: BankConnectionRow = {
    ...known,
    ...(connection.status !== 'active' && { status: 'active', statusSince: at }),
    problem: reading === null ? 'not_ready' : null,
    unreadable,
    lastWebhookAt: hints.lastReceivedAt ?? known.lastWebhookAt,
    disconnectExpectedSince: disconnectExpectedAfter(known, hints.types, at),
    ...(reading !== null && {
      cursor: reading.cursor,
      isReady: true,
      lastSyncedAt: at,
    }),
  };
  await update(tx, after);
  if (after.status !== connection.status) await auditStatus(tx, after, at);
  await tellNews(tx, { before: connection, after, hints, at });
  return stateOf(after, at);
}

const nowhere = { elsewhere: new Set<string>() };

/** What a look that failed has made of the connection. Operators are told of what only they can mend. */
export async function saveFailure(
  tx: Tx,
  {
    connectionId,
    problem,
    message,
    hints,
    at,
  }: {
    connectionId: string;
    problem: BankFeedFailure | null;
    message: string;
    hints: Hints;
    at: Date;
  },
): Promise<Looked> {
  const connection = await lockConnection(tx, connectionId);
  if (connection.status === 'unlinked') return stateOf(connection, at);
  const status = (problem && statusAfter(problem)) ?? connection.status;
  const after: BankConnectionRow = {
    ...connection,
    status,
    statusSince: status === connection.status ? connection.statusSince : at,
    problem,
    lastFailedAt: at,
    lastFailure: message.slice(0, FAILURE_LENGTH),
    lastWebhookAt: hints.lastReceivedAt ?? connection.lastWebhookAt,
    ...(status === 'active' && {
      disconnectExpectedSince: disconnectExpectedAfter(connection, hints.types, at),
    }),
  };
  await update(tx, after);
  await tellOfDisconnect(tx, { before: connection, after, at });
  if (status !== connection.status) {
    await auditStatus(tx, after, at);
    if (status === 'needs_reauth' || status === 'revoked') {
      const alert = { kind: status, since: after.statusSince.toISOString() };
      await tellOperatorsOfConnection(tx, after, { alert, at });
    }
  }
  return stateOf(after, at);
}

const FAILURE_LENGTH = 300;

async function lockConnection(tx: Tx, connectionId: string): Promise<BankConnectionRow> {
  const { tenantId } = await readConnection(tx, connectionId);
  await lockBanks(tx, tenantId);
  return readConnection(tx, connectionId);
}

function stateOf({ status, isReady }: BankConnectionRow, at: Date): Looked {
  return { status, lookAt: nextLookAt({ status, isReady }, at.toISOString()) };
}

function withAsked(
  connection: BankConnectionRow,
  asked: AskedConnection | null,
  at: Date,
): BankConnectionRow {
  if (asked === null) return connection;
  const { institutionId, institutionName, consentExpiresAt, lastReadAt } = asked.item;
  return {
    ...connection,
    institutionId,
    institutionName,
    consentExpiresAt: consentExpiresAt === null ? null : new Date(consentExpiresAt),
    bankReadAt: lastReadAt === null ? null : new Date(lastReadAt),
    askedAt: at,
  };
}

async function update(tx: Tx, row: BankConnectionRow): Promise<void> {
  const { id, tenantId: _, externalId: __, accessToken: ___, createdAt: ____, ...changed } = row;
  await tx.update(bankConnections).set(changed).where(eq(bankConnections.id, id));
}

async function keepReading(
  tx: Tx,
  { id: connectionId, tenantId }: BankConnectionRow,
  {
    readingOf,
    accounts,
    at,
  }: {
    readingOf: (accountExternalId: string) => BankReading;
    accounts: ReadonlyMap<string, BankAccountRow>;
    at: Date;
  },
): Promise<void> {
  for (const [accountExternalId, account] of accounts) {
    const reading = readingOf(accountExternalId);
    const isWhole = reading.from === null;
    const told = reading.told.filter((each) => each.accountExternalId === accountExternalId);
    const gone = reading.removed.filter((each) => each.accountExternalId === accountExternalId);
    const about = { tenantId, account, source: FEED, at };
    const { copies, forgotten } = await adoptMovements(tx, { account, connectionId, told, isWhole });
    if (told.length > 0) await keepMovements(tx, { ...about, told, statementId: null });
    await noteTellers(tx, {
      account,
      connectionId,
      names: told.map(({ externalId }) => externalId),
      copies,
    });
    const untold = isWhole ? await untoldPendings(tx, { account, connectionId, told }) : [];
    await removeMovements(tx, {
      ...about,
      externalIds: [...gone.map(({ externalId }) => externalId), ...forgotten, ...untold],
    });
  }
}

async function auditStatus(tx: Tx, { id, tenantId, status }: BankConnectionRow, at: Date): Promise<void> {
  const action = status === 'active' ? 'resumed' : status;
  await writeAudit(tx, {
    tenantId,
    actor: 'system',
    action: `bank_connection.${action}`,
    entityType: 'bank_connection',
    entityId: id,
    at,
  });
}

async function tellNews(
  tx: Tx,
  {
    before,
    after,
    hints: { types },
    at,
  }: { before: BankConnectionRow; after: BankConnectionRow; hints: Hints; at: Date },
): Promise<void> {
  const consent = after.consentExpiresAt?.toISOString() ?? null;
  if (consent !== null && (types.has(PLAID_CONSENT_ENDS) || isConsentEnding(consent, at.toISOString()))) {
    await tellOperatorsOfConnection(tx, after, { alert: { kind: 'consent_ends', at: consent }, at });
  }
  await tellOfDisconnect(tx, { before, after, at });
  const known = new Set(before.unreadable.map(({ externalId }) => externalId));
  const movements = after.unreadable.filter(({ externalId }) => !known.has(externalId));
  if (movements.length > 0) {
    await tellOperatorsOfConnection(tx, after, { alert: { kind: 'unreadable_movements', movements }, at });
  }
}

async function tellOfDisconnect(
  tx: Tx,
  { before, after, at }: { before: BankConnectionRow; after: BankConnectionRow; at: Date },
): Promise<void> {
  const { disconnectExpectedSince: since } = after;
  if (since === null || since.getTime() === before.disconnectExpectedSince?.getTime()) return;
  const alert = { kind: 'disconnect_expected' as const, since: since.toISOString() };
  await tellOperatorsOfConnection(tx, after, { alert, at });
}
