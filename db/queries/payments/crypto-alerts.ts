/**
 * What is wrong with payments in coins as such: noted when it begins and when it is over, and told to every tenant that it
 * concerns and that has named an address for its reports, or a chat. A dead watcher cannot tell that it is dead, so this is asked by
 * somebody else (`activities/payments/keep-crypto-alerts.ts`), and from rows alone.
 *
 * Why it is safe to run twice: of each kind and subject one alert is open at a time (a unique index says so), and who looks
 * holds a lock until its look is committed, so that an older look never takes a newer one's place. A notice is known by its alert
 * and by whether it tells of the beginning or the end. Dying before an alert is noted leaves it to the next look; dying while
 * tenants are told leaves it untold, and all are told again, of whom those who were told before get nothing.
 */
import { and, asc, eq, isNotNull, isNull, or, sql } from 'drizzle-orm';
import {
  alertInWords,
  type CryptoAlert,
  type CryptoAlertState,
  concernedFamily,
} from '../../../domain/payments/crypto-alert.ts';
import { assetsOn, type ChainName, type CryptoNetwork } from '../../../domain/payments/crypto-chain.ts';
import type { CryptoPolicySettings } from '../../../domain/payments/crypto-policy.ts';
import { type Database, type SystemTx, type Tx, withSystem, withTenant } from '../../client.ts';
import { newId } from '../../ids.ts';
import { cryptoAccounts, cryptoAlerts } from '../../schema/crypto.ts';
import { enqueueOperatorNotice } from '../messaging/operator-notices.ts';
import { listTenantIds } from '../tenants/tenants.ts';
import { readChainHealth } from './chain-health.ts';
import { readPeg } from './rate-health.ts';

type AlertLook = {
  /** The chains that have a node here. */
  watched: readonly ChainName[];
  network: CryptoNetwork;
  settings?: CryptoPolicySettings | undefined;
  at: Date;
};

/** What has begun and what is over since the last look, whoever made it. */
export type AlertChanges = { begun: CryptoAlert[]; over: CryptoAlert[] };

/** Looks at the chains that are watched and at the peg, and notes what has changed. */
export function noteCryptoAlerts(db: Database, look: AlertLook): Promise<AlertChanges> {
  return withSystem(db, async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('crypto_alerts', 0))`);
    const changes: AlertChanges = { begun: [], over: [] };
    for (const { isSo, ...alert } of await statesOf(tx, look)) {
      if (isSo === true && (await begin(tx, alert, look.at))) changes.begun.push(alert);
      if (isSo === false && (await end(tx, alert, look.at))) changes.over.push(alert);
    }
    return changes;
  });
}

async function statesOf(
  tx: SystemTx,
  { watched, network, settings, at }: AlertLook,
): Promise<CryptoAlertState[]> {
  const states = (await readChainHealth(tx, { watched, network, now: at })).map(
    ({ chain, failing }): CryptoAlertState => ({
      kind: 'watcher_silent',
      subject: chain,
      detail: null,
      isSo: failing.some(({ part }) => part === 'heartbeat'),
    }),
  );
  if (!watched.some((chain) => assetsOn(chain).includes('USDC'))) return states;
  const { rate, isOff } = await readPeg(tx, { network, settings, now: at });
  return [...states, { kind: 'peg_off', subject: 'USDC', detail: rate ?? '', isSo: isOff }];
}

async function begin(tx: SystemTx, { kind, subject, detail }: CryptoAlert, at: Date): Promise<boolean> {
  const begun = await tx
    .insert(cryptoAlerts)
    .values({ id: newId('cal'), kind, subject, detail, since: at })
    .onConflictDoNothing()
    .returning({ id: cryptoAlerts.id });
  return begun.length > 0;
}

async function end(tx: SystemTx, { kind, subject }: CryptoAlert, at: Date): Promise<boolean> {
  const ended = await tx
    .update(cryptoAlerts)
    .set({ endedAt: at })
    .where(and(eq(cryptoAlerts.kind, kind), eq(cryptoAlerts.subject, subject), isNull(cryptoAlerts.endedAt)))
    .returning({ id: cryptoAlerts.id });
  return ended.length > 0;
}

/** Tells of what nobody was told of yet, whoever noted it. Returns how many alerts that were. */
export async function tellOfCryptoAlerts(db: Database): Promise<number> {
  const untold = await withSystem(db, untoldAlerts);
  if (untold.length === 0) return 0;
  const tenantIds = await withSystem(db, listTenantIds);
  for (const row of untold) {
    for (const tenantId of tenantIds) await withTenant(db, tenantId, (tx) => tellTenant(tx, tenantId, row));
    await withSystem(db, (tx) => noteTold(tx, row));
  }
  return untold.length;
}

type AlertRow = typeof cryptoAlerts.$inferSelect;

function untoldAlerts(tx: SystemTx): Promise<AlertRow[]> {
  return tx
    .select()
    .from(cryptoAlerts)
    .where(
      or(isNull(cryptoAlerts.toldAt), and(isNotNull(cryptoAlerts.endedAt), isNull(cryptoAlerts.endToldAt))),
    )
    .orderBy(asc(cryptoAlerts.id));
}

async function tellTenant(tx: Tx, tenantId: string, row: AlertRow): Promise<void> {
  const alert = alertOf(row);
  // Of a retired account, too, the addresses are watched.
  const [account] = await tx
    .select({ id: cryptoAccounts.id })
    .from(cryptoAccounts)
    .where(eq(cryptoAccounts.family, concernedFamily(alert)))
    .limit(1);
  if (account === undefined) return;
  const news = [
    ...(row.toldAt === null ? [{ is: 'begun' as const, at: row.since }] : []),
    ...(row.endedAt === null ? [] : [{ is: 'over' as const, at: row.endedAt }]),
  ];
  for (const { is, at } of news) {
    await enqueueOperatorNotice(tx, {
      tenantId,
      key: `crypto_alert:${row.id}:${is}`,
      at,
      template: 'crypto_service_alert',
      variables: alertInWords(alert, { is, at: at.toISOString() }),
    });
  }
}

/** Of what was told: it may have ended since the row was read, and that is told next time. */
async function noteTold(tx: SystemTx, { id, toldAt, endedAt, endToldAt }: AlertRow): Promise<void> {
  await tx
    .update(cryptoAlerts)
    .set({
      toldAt: toldAt ?? sql`now()`,
      ...(endedAt !== null && { endToldAt: endToldAt ?? sql`now()` }),
    })
    .where(eq(cryptoAlerts.id, id));
}

function alertOf({ kind, subject, detail }: AlertRow): CryptoAlert {
  return { kind, subject, detail } as CryptoAlert;
}
