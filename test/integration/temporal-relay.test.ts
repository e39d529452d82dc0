// What a transaction owes the outside goes out: at once, in order, once a row, and after every outage.

import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { asc, eq } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import { createDatabase, type Database, withSystem } from '../../db/client.ts';
import { appendOutbox, claimOutbox } from '../../db/queries/operations/outbox.ts';
import { outbox } from '../../db/schema/operations.ts';
import { VendorError } from '../../domain/errors.ts';
import type {
  ChatSend,
  MailSend,
  OutboxEnvelope,
  WorkflowSignal,
  WorkflowStart,
} from '../../domain/operations/outbox.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { listenToOutbox } from '../../workers/listen.ts';
import { createRelay, type Relay, type RelayDeps } from '../../workers/relay.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { temporalAddress } from '../support/services.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const dataConverter = createDataConverter(loadConfig({}).encryption);
const target = { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} };
const soon = { timeout: 20_000 };

let client: Client;
let awayClient: Client;
let testDatabase: TestDatabase;
let db: Database;
let mails: string[];
let posts: string[];
const relays: Relay[] = [];

beforeAll(async () => {
  client = createTemporalClient({ target, dataConverter });
  awayClient = createTemporalClient({ target: { ...target, address: '127.0.0.1:1' }, dataConverter });
  await ensureNamespace({ client, log });
});
afterAll(() => Promise.all([client, awayClient].map((each) => each.connection.close())));
beforeEach(async () => {
  testDatabase = await createTestDatabase();
  db = createDatabase({ url: testDatabase.url });
  mails = [];
  posts = [];
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  await db.close();
  await testDatabase.drop();
});

function relayWith(deps: Partial<RelayDeps> = {}): Relay {
  const relay = createRelay({
    db,
    client,
    log,
    listen: listenToOutbox(testDatabase.url),
    sendNotification: async ({ notificationId }) => {
      mails.push(notificationId);
    },
    postNotice: async ({ notificationId }) => {
      posts.push(notificationId);
    },
    recordTax: async () => {},
    ...deps,
  });
  relays.push(relay);
  return relay;
}

const mail = (notificationId: string): MailSend => ({ topic: 'mail.send', notificationId });
const post = (notificationId: string): ChatSend => ({ topic: 'chat.send', notificationId });
const start = (workflowId = `subscription/${randomUUID()}`): WorkflowStart => ({
  topic: 'workflow.start',
  workflowType: 'subscription',
  workflowId,
  taskQueue: 'billing',
  args: [],
  reuse: 'reject_duplicate',
});
const signal = (workflowId: string, version: number): WorkflowSignal => ({
  topic: 'workflow.signal',
  workflowId,
  signal: 'subscriptionChanged',
  args: [version],
});

const owe = (envelopes: OutboxEnvelope[], options?: { leaseSeconds: number }) =>
  withSystem(db, (tx) => appendOutbox(tx, 'ten_1', envelopes, options));
const rows = () => withSystem(db, (tx) => tx.select().from(outbox).orderBy(asc(outbox.id)));
const undelivered = async () => (await rows()).filter(({ deliveredAt }) => deliveredAt === null).length;
const exists = (workflowId: string) =>
  client.workflow
    .getHandle(workflowId)
    .describe()
    .then(
      () => true,
      () => false,
    );

async function asOwner(statement: string): Promise<void> {
  const owner = new pg.Client({ connectionString: testDatabase.adminUrl });
  await owner.connect();
  await owner.query(statement);
  await owner.end();
}

describe('a running relay', () => {
  it('delivers a row right after its commit, without a look at the table in between', async () => {
    const relay = relayWith();
    relay.start();
    await expect.poll(() => relay.health().listening, soon).toBe(true);
    const envelope = start();
    await owe([envelope, mail('ntf_1')]);

    await expect.poll(undelivered, { timeout: 10_000 }).toBe(0);
    expect(await exists(envelope.workflowId)).toBe(true);
    expect(mails).toEqual(['ntf_1']);
  });

  it('delivers nothing of a transaction that is rolled back', async () => {
    const relay = relayWith();
    relay.start();
    await withSystem(db, async (tx) => {
      await appendOutbox(tx, 'ten_1', [mail('ntf_never')]);
      throw new Error('rolled back');
    }).catch(() => {});
    await owe([mail('ntf_after')]);

    await expect.poll(() => mails, soon).toEqual(['ntf_after']);
  });

  it('leaves a row to the caller who delivers it himself, and takes it when he does not', async () => {
    relayWith().start();
    await owe([mail('ntf_leased')], { leaseSeconds: 2 });
    await owe([mail('ntf_other')]);
    await expect.poll(() => mails, soon).toEqual(['ntf_other', 'ntf_leased']);

    const [leased] = await rows();
    expect(leased?.deliveredAt?.getTime()).toBeGreaterThanOrEqual((leased?.createdAt.getTime() ?? 0) + 2000);
  });

  it('takes over the rows of a relay that died with them in hand', async () => {
    await owe([mail('ntf_1')]);
    await claimOutbox(db, { limit: 10, leaseSeconds: 1, kind: 'mails' });
    relayWith().start();
    await expect.poll(() => mails, soon).toEqual(['ntf_1']);
  });

  it('listens again after its connection was cut', async () => {
    const relay = relayWith();
    relay.start();
    await expect.poll(() => relay.health().listening, soon).toBe(true);
    for (const notificationId of ['ntf_1', 'ntf_2', 'ntf_3']) {
      await asOwner(`select pg_terminate_backend(pid) from pg_stat_activity
        where application_name like 'perennial%' and datname = current_database()`);
      await expect.poll(() => owe([mail(notificationId)]).then(Boolean, () => false), soon).toBe(true);
      await expect.poll(() => mails.includes(notificationId), { timeout: 10_000 }).toBe(true);
    }
    const healthy = { running: true, listening: true, lastError: null };
    await expect.poll(relay.health, soon).toEqual(healthy);
  });

  it('delivers nothing more once it has stopped', async () => {
    const relay = relayWith();
    relay.start();
    await relay.stop();
    await owe([mail('ntf_1')]);
    expect(relay.health()).toMatchObject({ running: false });
    expect(mails).toEqual([]);
  });
});

describe('many rows', () => {
  it('are shared by several relays, and each goes out once', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `ntf_${index}`);
    await owe(names.map(mail));
    const counts = await Promise.all(
      [relayWith(), relayWith(), relayWith()].map((relay) => relay.drainOnce()),
    );

    expect(counts.reduce((sum, count) => sum + count)).toBe(500);
    expect([...mails].sort()).toEqual([...names].sort());
    expect(await undelivered()).toBe(0);
  });

  it('that keep coming do not keep a drain from ending: it delivers what was due when it began', async () => {
    await owe(Array.from({ length: 60 }, (_, index) => mail(`ntf_${index}`)));
    const { drainOnce } = relayWith({
      sendNotification: async ({ notificationId }) => {
        mails.push(notificationId);
        if (mails.length <= 300) await owe([mail(`ntf_next_${mails.length}`)]);
      },
    });
    expect(await drainOnce()).toBe(60);
    expect(mails.filter((id) => id.startsWith('ntf_next'))).toEqual([]);
    expect(await undelivered()).toBe(60);
  });

  it('are left to the next drain after a signal to stop, but for those in hand', async () => {
    await owe(Array.from({ length: 120 }, (_, index) => mail(`ntf_${index}`)));
    const stopping = new AbortController();
    const { drainOnce } = relayWith({ sendNotification: async () => stopping.abort() });
    expect(await drainOnce(stopping.signal)).toBe(50);
    expect(await undelivered()).toBe(70);
  });

  it('for one workflow arrive in the order of their transactions', async () => {
    const { workflowId } = start();
    const versions = Array.from({ length: 20 }, (_, index) => index);
    await owe([start(workflowId), ...versions.map((version) => signal(workflowId, version))]);
    expect(await relayWith().drainOnce()).toBe(21);

    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    const signals = (events ?? []).flatMap(
      ({ workflowExecutionSignaledEventAttributes: each }) => each ?? [],
    );
    const [codec] = dataConverter.payloadCodecs ?? [];
    const decoded = await codec?.decode(signals.flatMap(({ input }) => input?.payloads ?? []));
    expect(decoded?.map(({ data }) => Number(Buffer.from(data ?? [])))).toEqual(versions);
  });
});

describe('while Temporal is away', () => {
  it('mails still go out, and the processes start when it is back', async () => {
    const envelopes = Array.from({ length: 30 }, () => start());
    await owe([...envelopes, mail('ntf_1')]);
    const away = relayWith({ client: awayClient });
    expect(await away.drainOnce()).toBe(1);
    expect(mails).toEqual(['ntf_1']);

    const waiting = (await rows()).filter(({ deliveredAt }) => deliveredAt === null);
    expect(waiting).toHaveLength(30);
    expect(waiting.every(({ failedAt, lastError }) => failedAt === null && lastError !== null)).toBe(true);
    relayWith().start();
    await expect.poll(undelivered, soon).toBe(0);
    expect(await Promise.all(envelopes.map(({ workflowId }) => exists(workflowId)))).toEqual(
      Array(30).fill(true),
    );
  });

  it('a signal does not overtake the start it belongs to', async () => {
    const { workflowId } = start();
    await owe([start(workflowId), signal(workflowId, 1)]);
    await relayWith({ client: awayClient }).drainOnce();
    expect(await undelivered()).toBe(2);
  });

  it('a signal that is committed later does not overtake it either: it would find nobody and be lost', async () => {
    const { workflowId } = start();
    await owe([start(workflowId)], { leaseSeconds: 3 });
    await owe([signal(workflowId, 1), mail('ntf_1')]);
    expect(await relayWith().drainOnce()).toBe(1);
    expect(await undelivered()).toBe(2);

    relayWith().start();
    await expect.poll(undelivered, soon).toBe(0);
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    expect(events?.filter((each) => each.workflowExecutionSignaledEventAttributes)).toHaveLength(1);
  });

  it('the relay says so', async () => {
    const relay = relayWith({ client: awayClient });
    await owe([start()]);
    relay.start();
    await expect.poll(() => relay.health().lastError, soon).toMatch(/.+/);
  });
});

it('a mail vendor that hangs holds up no process', async () => {
  const vendor = Promise.withResolvers<void>();
  relayWith({ sendNotification: () => vendor.promise }).start();
  await owe(Array.from({ length: 60 }, (_, index) => mail(`ntf_${index}`)));
  const envelopes = [start(), start()];
  await owe(envelopes);
  await expect
    .poll(() => Promise.all(envelopes.map(({ workflowId }) => exists(workflowId))), { timeout: 10_000 })
    .toEqual([true, true]);
  vendor.resolve();
  await expect.poll(undelivered, soon).toBe(0);
});

it('a chat that hangs holds up no mail, and no more is taken from others than it is posted at once', async () => {
  const chat = Promise.withResolvers<void>();
  let posting = 0;
  relayWith({
    postNotice: () => {
      posting += 1;
      return chat.promise;
    },
  }).start();
  await owe(Array.from({ length: 25 }, (_, index) => post(`ntf_chat_${index}`)));
  await expect.poll(() => posting, soon).toBe(10);
  await owe([mail('ntf_1')]);
  await expect.poll(() => mails, soon).toEqual(['ntf_1']);
  const taken = (await rows()).filter(({ topic, attempts }) => topic === 'chat.send' && attempts > 0);
  expect(taken).toHaveLength(10);
  chat.resolve();
  await expect.poll(undelivered, soon).toBe(0);
  expect(posting).toBe(25);
});

it('a post to a chat goes out right after its commit, too', async () => {
  const relay = relayWith();
  relay.start();
  await expect.poll(() => relay.health().listening, soon).toBe(true);
  await owe([post('ntf_1')]);
  await expect.poll(undelivered, { timeout: 10_000 }).toBe(0);
  expect(posts).toEqual(['ntf_1']);
});

describe('a row that fails', () => {
  const failing = (error: Error) => relayWith({ sendNotification: () => Promise.reject(error) });

  it('is tried again later with what went wrong, and holds up no other row', async () => {
    await owe([mail('ntf_1'), start()]);
    expect(await failing(new Error('connection reset')).drainOnce()).toBe(1);

    const [failed] = await rows();
    expect(failed).toMatchObject({
      attempts: 1,
      lastError: 'connection reset',
      failedAt: null,
      deliveredAt: null,
    });
    relayWith().start();
    await expect.poll(() => mails, soon).toEqual(['ntf_1']);
    expect((await rows())[0]).toMatchObject({ attempts: 2 });
  });

  it('is given up, kept and not tried again when the vendor refuses it for good', async () => {
    await owe([mail('ntf_1')]);
    await failing(
      new VendorError({ code: 'vendor_rejected_request', message: 'no such domain' }),
    ).drainOnce();
    expect((await rows())[0]).toMatchObject({ lastError: 'no such domain', failedAt: expect.any(Date) });

    expect(await relayWith().drainOnce()).toBe(0);
    expect(mails).toEqual([]);
  });

  it('because it names no tenant is an error of ours that a person finds in the table', async () => {
    await withSystem(db, (tx) => appendOutbox(tx, null, [mail('ntf_1')]));
    expect(await relayWith().drainOnce()).toBe(0);
    const [row] = await withSystem(db, (tx) => tx.select().from(outbox).where(eq(outbox.topic, 'mail.send')));
    expect(row?.lastError).toContain('names no tenant');
  });
});
