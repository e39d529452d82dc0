/** Operators are told when nobody watches a chain and when a dollar coin is no dollar: once for each time, and when it is over. */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keepCryptoAlerts, lookForCryptoAlerts } from '../../activities/payments/keep-crypto-alerts.ts';
import { withSystem, withTenant } from '../../db/client.ts';
import { noteCryptoAlerts } from '../../db/queries/payments/crypto-alerts.ts';
import { putReportSettings } from '../../db/queries/reporting/report-settings.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { outbox } from '../../db/schema/operations.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import { eventually } from '../../scripts/processes.ts';
import { type ChainScene, createChainScene } from './chain-scene.ts';
import { addAccount } from './crypto-scene.ts';

let scene: ChainScene;
const log = pino({ level: 'silent' });

beforeEach(async () => {
  scene = await createChainScene();
  await named(scene.tenantId, 'operators@acme.example');
  await heard('bitcoin', 0);
  await heard('ethereum', 0);
  await scene.price('USDC', '1');
});
afterEach(() => scene.close());

describe('a chain that nobody watches', () => {
  it('is told of once, at ninety seconds and not before, and once when it is watched again', async () => {
    await addAccount(scene, scene.tenantId, 'bitcoin');
    // The database's clock goes on until the look.
    await heard('bitcoin', 85);
    await look();
    expect(await told()).toEqual([]);

    await heard('bitcoin', 95);
    await look();
    await look();
    expect(await told()).toEqual(['Bitcoin is not watched']);
    await heard('bitcoin', 2);
    await look();
    await look();
    expect(await told()).toEqual(['Bitcoin is not watched', 'Bitcoin is watched again']);

    await heard('bitcoin', 95);
    await look();
    expect((await told()).at(-1)).toBe('Bitcoin is not watched');
    expect(await told()).toHaveLength(3);
    expect(await owedMails()).toBe(3);
  });

  it('is one that nobody has ever watched, too', async () => {
    await addAccount(scene, scene.tenantId, 'evm');
    await look(['bitcoin', 'polygon']);
    expect(await told()).toEqual(['Polygon is not watched']);
  });

  it('is no business of who has no account on it, or has named no address', async () => {
    const other = await createTenant(scene.db, { name: 'Globex' });
    await addAccount(scene, other, 'bitcoin');
    await addAccount(scene, scene.tenantId, 'evm');
    await heard('bitcoin', 95);
    await look();
    expect([await told(), await told(other)]).toEqual([[], []]);
  });

  it('is told of once by many processes that look at the same moment', async () => {
    await addAccount(scene, scene.tenantId, 'bitcoin');
    await heard('bitcoin', 95);
    await Promise.all(Array.from({ length: 5 }, () => look()));
    await heard('bitcoin', 0);
    await Promise.all(Array.from({ length: 5 }, () => look()));
    expect(await told()).toEqual(['Bitcoin is not watched', 'Bitcoin is watched again']);
    expect(await owedMails()).toBe(2);
  });

  it('is told of by the next look where a process died after it had noted it, and by none twice', async () => {
    await addAccount(scene, scene.tenantId, 'bitcoin');
    await heard('bitcoin', 95);
    await noteCryptoAlerts(scene.db, { watched: ['bitcoin'], network: 'local', at: scene.now() });
    expect(await told()).toEqual([]);
    await look();
    expect(await told()).toEqual(['Bitcoin is not watched']);
    // All were told, and it died before that was noted.
    await scene.sql('update crypto_alerts set told_at = null');
    await look();
    expect(await told()).toEqual(['Bitcoin is not watched']);
    expect(await owedMails()).toBe(1);
  });

  it('is found by a process whose own watcher has stopped, and until that process stops', async () => {
    await addAccount(scene, scene.tenantId, 'bitcoin');
    const stopping = new AbortController();
    const kept = keepCryptoAlerts({
      ...deps(['bitcoin']),
      signal: stopping.signal,
      firstAfterMs: 0,
      everyMs: 1,
    });
    await heard('bitcoin', 95);
    expect(await eventually(async () => (await told()).length === 1, 10_000)).toBe(true);
    await heard('bitcoin', 0);
    expect(await eventually(async () => (await told()).length === 2, 10_000)).toBe(true);
    stopping.abort();
    await kept;
    await heard('bitcoin', 95);
    expect(await told()).toEqual(['Bitcoin is not watched', 'Bitcoin is watched again']);
  });
});

describe('USDC that is not worth a dollar', () => {
  beforeEach(() => addAccount(scene, scene.tenantId, 'evm'));

  it('is told of once for each time that its peg breaks, whatever the rate does meanwhile', async () => {
    await scene.price('USDC', '0.97');
    await look();
    await scene.price('USDC', '0.95');
    await look();
    expect(await told()).toEqual(['USDC is not worth a dollar']);
    expect(await lastWhat()).toContain('The markets have put one USDC at 0.97 US dollars;');

    await scene.price('USDC', '0.99');
    await look();
    await scene.price('USDC', '1.02');
    await look();
    expect(await told()).toEqual([
      'USDC is not worth a dollar',
      'USDC is worth a dollar again',
      'USDC is not worth a dollar',
    ]);
    expect(await lastWhat()).toContain('The markets have put one USDC at 1.02 US dollars;');
  });

  it('is neither found nor over while no rate can be relied on', async () => {
    await scene.price('USDC', '0.97');
    scene.pass({ minutes: 6 });
    await look();
    expect(await told()).toEqual([]);
    await scene.price('USDC', '0.97');
    await look();
    scene.pass({ minutes: 6 });
    await look();
    expect(await told()).toEqual(['USDC is not worth a dollar']);
  });

  it('is nobody’s business where only Bitcoin is watched', async () => {
    await scene.price('USDC', '0.97');
    await look(['bitcoin']);
    expect(await told()).toEqual([]);
  });
});

function deps(watched: readonly ChainName[]) {
  const watching = watched.map((chain) => ({ chain, nodes: [], everyMs: 1, startHeight: null }));
  return {
    db: scene.db,
    log,
    clock: scene.now,
    chainWatching: { network: 'local', chains: watching },
  } as const;
}

function look(watched: readonly ChainName[] = ['bitcoin', 'ethereum']): Promise<void> {
  return lookForCryptoAlerts(deps(watched));
}

async function named(tenantId: string, recipient: string): Promise<void> {
  const settings = { recipient, sendAt: '09:00', clock: 'utc' } as const;
  await withTenant(scene.db, tenantId, (tx) =>
    putReportSettings(tx, { tenantId, settings, at: scene.now() }),
  );
}

/** The watcher's last sign of life, so many seconds ago by the database's clock, which alone counts. */
async function heard(chain: ChainName, secondsAgo: number): Promise<void> {
  await scene.sql(
    `insert into chains (name, network, heartbeat_at) values ($1, 'local', now() - make_interval(secs => $2))
     on conflict (name) do update set heartbeat_at = excluded.heartbeat_at`,
    [chain, secondsAgo],
  );
}

/** Titles of what operators are told, in order. */
async function told(tenantId = scene.tenantId): Promise<unknown[]> {
  return (await mails(tenantId)).map(({ variables }) => variables['title']);
}

async function lastWhat(): Promise<unknown> {
  return (await mails(scene.tenantId)).at(-1)?.variables['what'];
}

function mails(tenantId: string) {
  return withTenant(scene.db, tenantId, (tx) =>
    tx
      .select()
      .from(notifications)
      .where(eq(notifications.template, 'crypto_service_alert'))
      .orderBy(asc(notifications.id)),
  );
}

async function owedMails(): Promise<number> {
  const rows = await withSystem(scene.db, (tx) =>
    tx.select().from(outbox).where(eq(outbox.topic, 'mail.send')),
  );
  return rows.length;
}
