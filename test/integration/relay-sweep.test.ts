/**
 * What the relay takes from the outbox, and the sweep behind it: events nobody worked on are told of again, what is due
 * goes out, what nobody needs any more goes away. The database alone decides, so nothing is waited for.
 */
import { CancelledFailure } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { asc, eq, sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRelaySweepActivities } from '../../activities/operations/relay-sweep.ts';
import { createLogger } from '../../config/logger.ts';
import { createDatabase, type Database, withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { retellWaitingEvents } from '../../db/queries/operations/inbox-sweep.ts';
import {
  appendOutbox,
  claimOutbox,
  markDelivered,
  markFailed,
  type OutboxKind,
} from '../../db/queries/operations/outbox.ts';
import { removeOldRows } from '../../db/queries/operations/retention.ts';
import { type InboxStatus, inboxEvents, outbox, scheduleRuns } from '../../db/schema/operations.ts';
import { idempotencyKeys } from '../../db/schema/tenants.ts';
import { createTenant } from '../../db/seed/tenant.ts';
import type { MailSend, OutboxEnvelope, WorkflowSignal } from '../../domain/operations/outbox.ts';
import { createRelay } from '../../workers/relay.ts';
import { cardPaymentEvent, cardPaymentWorkflowId } from '../../workflows/payments/card-payment.contract.ts';
import { openTemporal } from '../support/api.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let temporal: Client;
let testDatabase: TestDatabase;
let db: Database;

beforeAll(async () => {
  temporal = await openTemporal();
});
afterAll(() => temporal.connection.close());
beforeEach(async () => {
  testDatabase = await createTestDatabase();
  db = createDatabase({ url: testDatabase.url });
});
afterEach(async () => {
  await db.close();
  await testDatabase.drop();
});

describe('an event that was stored and not worked on', () => {
  it('is told of once, from a minute on and for three days', async () => {
    const waiting = [await received('71 hours 59 minutes'), await received('70 seconds')];
    await received('50 seconds');
    await received('72 hours 1 minute');
    await received('1 hour', { status: 'processed' });
    await received('1 hour', { status: 'ignored' });

    expect(await retellWaitingEvents(db)).toBe(2);
    const owed = waiting.map(({ objectId, id }) => ({
      envelope: cardPaymentEvent(objectId, id),
      topic: 'workflow.signal_with_start',
      tenantId: null,
      attempts: 0,
      deliveredAt: null,
    }));
    expect(await outboxRows()).toMatchObject(owed);
    expect(await claimed('workflows')).toHaveLength(2);
  });

  it('is told of again by the next sweep, until it is worked on', async () => {
    const [first, second] = [await received('2 hours'), await received('1 hour')];
    expect(await retellWaitingEvents(db)).toBe(2);
    await withSystem(db, (tx) => markEventsProcessed(tx, { ids: [first.id], tenantId: null }));
    expect(await retellWaitingEvents(db)).toBe(1);

    const told = (await outboxRows()).map(({ envelope }) => envelope);
    expect(told).toEqual([first, second, second].map(({ objectId, id }) => cardPaymentEvent(objectId, id)));
  });
});

describe('five hundred events nobody can do anything about', () => {
  it('do not keep a later one from being told of', async () => {
    const stuck = Array.from({ length: 500 }, (_, index) => ({
      id: newId('inb'),
      provider: 'stripe' as const,
      account: 'own',
      externalId: `evt_stuck_${index}`,
      type: 'payment_intent.succeeded',
      objectId: `pi_stuck_${index}`,
      source: 'webhook' as const,
      status: 'received' as const,
      occurredAt: new Date(),
      receivedAt: sql`now() - interval '2 hours'`,
    }));
    await withSystem(db, (tx) => tx.insert(inboxEvents).values(stuck));
    const later = await received('1 hour');
    expect(await retellWaitingEvents(db)).toBe(500);
    expect(await retellWaitingEvents(db)).toBe(500);
    const told = (await outboxRows()).map(({ envelope }) => envelope);
    expect(told).toContainEqual(cardPaymentEvent(later.objectId, later.id));
  });
});

describe('a sweep', () => {
  it('tells again, delivers and removes, and records how much of each', async () => {
    const tenantId = await createTenant(db, { name: 'Acme' });
    const events = [await received('2 hours'), await received('1 hour')];
    await owe([mail('ntf_due')]);
    await deliveredAgo('8 days', 'ntf_old');
    await rememberKey(tenantId, '8 days');
    const { sweepRelay } = sweepActivities();

    const result = { retold: 2, delivered: 3, removed: 2 };
    expect(await sweepRelay({ at: '2026-03-01T10:00:00.000Z' })).toEqual(result);
    expect(await sweepRuns()).toEqual([run('2026-03-01T10:00:00.000Z', result)]);
    expect((await outboxRows()).map(({ deliveredAt }) => deliveredAt)).toEqual(
      Array(3).fill(expect.any(Date)),
    );
    for (const { objectId } of events) {
      const process = temporal.workflow.getHandle(cardPaymentWorkflowId(objectId));
      expect((await process.describe()).status.name).toBe('RUNNING');
    }

    await withSystem(db, (tx) => markEventsProcessed(tx, { ids: events.map(({ id }) => id), tenantId }));
    const nothing = { retold: 0, delivered: 0, removed: 0 };
    expect(await sweepRelay({ at: '2026-03-01T10:05:00.000Z' })).toEqual(nothing);
    expect(await sweepRuns()).toEqual([run('2026-03-01T10:05:00.000Z', nothing)]);
  });

  it('whose time is over removes even so, delivers nothing more, and is no success', async () => {
    await owe([mail('ntf_due')]);
    await deliveredAgo('8 days', 'ntf_old');
    const environment = new MockActivityEnvironment();
    environment.cancel('TIMED_OUT');
    const { sweepRelay } = sweepActivities(environment);
    await expect(sweepRelay({ at: '2026-03-01T10:00:00.000Z' })).rejects.toThrow(CancelledFailure);
    expect(await outboxRows()).toMatchObject([{ envelope: mail('ntf_due'), deliveredAt: null }]);
    expect(await sweepRuns()).toEqual([]);
  });

  it('removes what was delivered, and every tenant’s keys, after seven days, and nothing that is still owed', async () => {
    const tenantIds = [await createTenant(db, { name: 'Acme' }), await createTenant(db, { name: 'Books' })];
    await deliveredAgo('7 days 1 minute', 'ntf_old');
    await deliveredAgo('6 days 23 hours 59 minutes', 'ntf_young');
    const month = sql`now() - interval '30 days'`;
    const [waiting, givenUp] = [mail('ntf_waiting'), mail('ntf_given_up')];
    await insertOutbox(waiting, { createdAt: month, dueAt: month });
    await insertOutbox(givenUp, { createdAt: month, dueAt: month, failedAt: month });
    for (const tenantId of tenantIds) {
      await rememberKey(tenantId, '7 days 1 minute');
      await rememberKey(tenantId, '6 days 23 hours 59 minutes');
    }

    expect(await removeOldRows(db)).toBe(3);
    const kept = (await outboxRows()).map(({ envelope }) => envelope);
    expect(kept).toEqual([mail('ntf_young'), waiting, givenUp]);
    for (const tenantId of tenantIds) {
      expect(await keysOf(tenantId)).toEqual(['6 days 23 hours 59 minutes']);
    }
  });
});

describe('of the rows for one workflow', () => {
  it('the older one is taken and the younger one when that is delivered; other workflows are not held up', async () => {
    const [older = 0] = await owe([signal('a', 1), signal('a', 2), signal('b', 1)]);
    expect(await claimed('workflows')).toEqual(['a 1', 'b 1']);
    expect(await claimed('workflows')).toEqual([]);

    await owe([signal('b', 2), signal('c', 1)]);
    expect(await claimed('workflows')).toEqual(['c 1']);
    await markDelivered(db, [older]);
    expect(await claimed('workflows')).toEqual(['a 2']);
  });

  it('a second relay takes none while the first one is taking the older', async () => {
    const [older = 0] = await owe([signal('a', 1), signal('a', 2), signal('b', 1)]);
    await withSystem(db, async (tx) => {
      await tx.select().from(outbox).where(eq(outbox.id, older)).for('update');
      expect(await claimed('workflows')).toEqual(['b 1']);
    });
  });

  it('one is taken once, however many relays come at the same time', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    await owe([1, 2, 3].flatMap((version) => names.map((name) => signal(name, version))));
    const taken = await Promise.all(Array.from({ length: 8 }, () => claimed('workflows')));
    expect(taken.flat().sort()).toEqual(names.map((name) => `${name} 1`));
  });

  it('the older one is taken again after the lease of a relay that died with it', async () => {
    await owe([signal('a', 1), signal('a', 2)]);
    expect(await claimed('workflows', { leaseSeconds: 0 })).toEqual(['a 1']);
    expect(await claimed('workflows')).toEqual(['a 1']);
  });

  it('the younger one waits while the older is to be tried again, and not for one that was given up', async () => {
    const [older = 0] = await owe([signal('a', 1), signal('a', 2)]);
    expect(await claimed('workflows')).toEqual(['a 1']);
    await markFailed(db, { id: older, error: 'away', retryAt: new Date(Date.now() + 3_600_000) });
    expect(await claimed('workflows')).toEqual([]);
    await markFailed(db, { id: older, error: 'refused', retryAt: null });
    expect(await claimed('workflows')).toEqual(['a 2']);
  });

  it('none holds up a mail, and no mail another one', async () => {
    await owe([signal('a', 1), mail('ntf_1'), signal('a', 2), mail('ntf_2')]);
    expect(await claimed('workflows')).toEqual(['a 1']);
    expect(await claimed('mails')).toEqual(['ntf_1', 'ntf_2']);
  });
});

const mail = (notificationId: string): MailSend => ({ topic: 'mail.send', notificationId });
const signal = (workflowId: string, version: number): WorkflowSignal => ({
  topic: 'workflow.signal',
  workflowId,
  signal: 'subscriptionChanged',
  args: [version],
});

const ago = (interval: string) => sql`now() - ${interval}::interval`;

const owe = (envelopes: OutboxEnvelope[]) => withSystem(db, (tx) => appendOutbox(tx, 'ten_1', envelopes));

const outboxRows = () => withSystem(db, (tx) => tx.select().from(outbox).orderBy(asc(outbox.id)));

async function claimed(kind: OutboxKind, { leaseSeconds = 30 } = {}): Promise<string[]> {
  const rows = await claimOutbox(db, { limit: 50, leaseSeconds, kind });
  return rows.map(({ envelope }) => {
    if (envelope.topic === 'mail.send' || envelope.topic === 'chat.send') return envelope.notificationId;
    if (envelope.topic === 'tax.record') return envelope.recordId;
    return envelope.topic === 'workflow.signal'
      ? `${envelope.workflowId} ${envelope.args[0]}`
      : envelope.workflowId;
  });
}

function insertOutbox(envelope: OutboxEnvelope, differs: Record<string, unknown>): Promise<unknown> {
  const { topic } = envelope;
  return withSystem(db, (tx) => tx.insert(outbox).values({ tenantId: 'ten_1', topic, envelope, ...differs }));
}

const deliveredAgo = (interval: string, notificationId: string) =>
  insertOutbox(mail(notificationId), { deliveredAt: ago(interval) });

/** An event about a payment of its own that came this long ago. */
async function received(interval: string, { status = 'received' }: { status?: InboxStatus } = {}) {
  const event = { id: newId('inb'), objectId: `pi_${newId('evt')}` };
  await withSystem(db, (tx) =>
    tx.insert(inboxEvents).values({
      ...event,
      provider: 'stripe',
      account: 'own',
      externalId: `evt_${event.id}`,
      type: 'payment_intent.succeeded',
      source: 'webhook',
      status,
      occurredAt: ago(interval),
      receivedAt: ago(interval),
    }),
  );
  return event;
}

/** A key a tenant used this long ago, named after that. */
function rememberKey(tenantId: string, key: string): Promise<unknown> {
  const request = { operation: 'POST /v1/customers', requestHash: 'hash', actId: newId('act') };
  return withTenant(db, tenantId, (tx) =>
    tx.insert(idempotencyKeys).values({ tenantId, key, ...request, createdAt: ago(key) }),
  );
}

async function keysOf(tenantId: string): Promise<string[]> {
  const rows = await withTenant(db, tenantId, (tx) => tx.select().from(idempotencyKeys));
  return rows.map(({ key }) => key);
}

/** The activity with a relay of its own, as a worker runs it; mails are sent to nobody. */
function sweepActivities(environment = new MockActivityEnvironment()) {
  const log = createLogger({ name: 'test', level: 'silent' });
  const listen = async () => ({ close: async () => {} });
  const relay = createRelay({
    db,
    client: temporal,
    listen,
    sendNotification: async () => {},
    postNotice: async () => {},
    recordTax: async () => {},
    log,
  });
  const { sweepRelay } = createRelaySweepActivities({ db, drainOutbox: relay.drainOnce });
  return { sweepRelay: (input: { at: string }) => environment.run(sweepRelay, input) };
}

const sweepRuns = () => withSystem(db, (tx) => tx.select().from(scheduleRuns));

function run(at: string, lastResult: object) {
  const lastSuccessAt = new Date(at);
  return { name: 'relay-sweep', firstSeenAt: expect.any(Date), lastSuccessAt, lastResult, watermark: null };
}
