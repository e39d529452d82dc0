/** What the API promises Plaid: a proved event is stored once before it is answered; anything else leaves no trace. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Bank, type BankScene, createBankScene, wire } from './bank-connection-scene.ts';

let scene: BankScene;
let bank: Bank;
/** Overhears what Plaid sends, byte for byte. */
let listener: Server;
const heard: { token: string; body: Buffer }[] = [];

beforeAll(async () => {
  scene = await createBankScene();
  bank = await scene.connect(await scene.tenant());
  await scene.look(bank);
  listener = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      heard.push({ token: String(message.headers['plaid-verification']), body: Buffer.concat(chunks) });
      response.writeHead(200).end();
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
});
afterAll(async () => {
  await new Promise((resolve) => listener.close(resolve));
  await scene.close();
});

const post = (body: Buffer | string, token: string | null) =>
  scene.api.request('POST', '/webhooks/plaid', {
    key: null,
    body,
    headers: token === null ? {} : { 'plaid-verification': token },
  });

/** An event that Plaid has signed and sent elsewhere. */
async function overheard(): Promise<{ token: string; body: Buffer }> {
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
  scene.plaid.setWebhookEndpoint({ url, secret: 'none' });
  scene.plaid.addTransactions(bank.itemId, [wire('1.00', 'A')]);
  await scene.plaid.flushWebhooks();
  scene.plaid.setWebhookEndpoint({ url: '', secret: 'none' });
  const last = heard.at(-1);
  if (last === undefined) throw new Error('Nothing was heard');
  return last;
}

async function expectNothingWritten(request: () => ReturnType<typeof post>, reason: string): Promise<void> {
  const before = await scene.api.rowCounts();
  expect(await request()).toMatchObject({ status: 400, body: { code: 'invalid_signature', reason } });
  expect(await scene.api.rowCounts()).toEqual(before);
}

describe('an event of Plaid', () => {
  it('is stored with the signal to its connection’s process, in one transaction', async () => {
    const { token, body } = await overheard();
    expect(await post(body, token)).toMatchObject({ status: 200, body: { received: 'stored' } });
    const [row] = await scene.api.sql('SELECT * FROM inbox_events ORDER BY received_at DESC LIMIT 1');
    expect(row).toMatchObject({
      provider: 'plaid',
      type: 'TRANSACTIONS.SYNC_UPDATES_AVAILABLE',
      object_id: bank.itemId,
      source: 'webhook',
      status: 'received',
    });
    const [sent] = await scene.api.sql('SELECT * FROM outbox ORDER BY id DESC LIMIT 1');
    expect(sent).toMatchObject({
      topic: 'workflow.signal_with_start',
      envelope: {
        workflowId: `bank-connection/${bank.itemId}`,
        args: [{ connectionExternalId: bank.itemId }],
        signalArgs: [{ inboxEventId: row.id }],
      },
    });
    expect(JSON.stringify([row, sent])).not.toContain(bank.accessToken);
    await scene.look(bank);
    const [processed] = await scene.api.sql('SELECT * FROM inbox_events WHERE id = $1', [row.id]);
    expect(processed).toMatchObject({ status: 'processed', tenant_id: bank.tenant.tenantId });
  });

  it('delivered five times at once is stored once and signalled once, and every delivery is answered 200', async () => {
    const { token, body } = await overheard();
    const before = await scene.api.rowCounts();
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(body, token)));
    const after = await scene.api.rowCounts();
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(answers.map(({ body: { received } }) => received).sort()).toEqual([
      ...Array(4).fill('duplicate'),
      'stored',
    ]);
    expect((after['inbox_events'] ?? 0) - (before['inbox_events'] ?? 0)).toBe(1);
    expect((after['outbox'] ?? 0) - (before['outbox'] ?? 0)).toBe(1);
  });

  it('of a connection that is none of ours, or of a type nothing depends on, is stored as ignored and causes nothing', async () => {
    const stranger = scene.plaid.createItem({ webhook: `${scene.api.url}/webhooks/plaid` });
    const before = await scene.api.rowCounts();
    scene.plaid.requireLogin(stranger.itemId);
    await fetch(`${scene.plaid.url}/sandbox/item/fire_webhook`, {
      method: 'POST',
      headers: { 'plaid-client-id': 'plaid_sandbox_client', 'plaid-secret': 'plaid_sandbox_secret' },
      body: JSON.stringify({ access_token: bank.accessToken, webhook_code: 'NEW_ACCOUNTS_AVAILABLE' }),
    });
    await scene.plaid.flushWebhooks();
    const after = await scene.api.rowCounts();
    expect(after['inbox_events']).toBe((before['inbox_events'] ?? 0) + 2);
    expect(after['outbox']).toBe(before['outbox']);
    const rows = await scene.api.sql("SELECT type FROM inbox_events WHERE status = 'ignored' ORDER BY type");
    expect(rows.map(({ type }) => type)).toEqual([
      'ITEM.ERROR',
      'ITEM.NEW_ACCOUNTS_AVAILABLE',
      // Of the address that the scene has named.
      'ITEM.WEBHOOK_UPDATE_ACKNOWLEDGED',
    ]);
  });

  it('without a token leaves no trace', async () => {
    const { body } = await overheard();
    await expectNothingWritten(() => post(body, null), 'missing_header');
  });

  it('with other bytes than were signed leaves no trace, not even the same JSON respelled', async () => {
    const { token, body } = await overheard();
    const respelled = JSON.stringify(JSON.parse(body.toString()));
    await expectNothingWritten(() => post(respelled, token), 'bad_signature');
    await expectNothingWritten(() => post(`${body} `, token), 'bad_signature');
  });

  it('forged under the name of the right key leaves no trace, and the genuine one is stored', async () => {
    scene.plaid.setFaults({ webhooks: { forge: 1 } });
    const before = await scene.api.rowCounts();
    scene.plaid.addTransactions(bank.itemId, [wire('1.00', 'A')]);
    await scene.plaid.flushWebhooks();
    scene.plaid.setFaults({});
    const after = await scene.api.rowCounts();
    expect((after['inbox_events'] ?? 0) - (before['inbox_events'] ?? 0)).toBe(1);
    expect((after['outbox'] ?? 0) - (before['outbox'] ?? 0)).toBe(1);
  });

  it('of more than five minutes ago leaves no trace', async () => {
    const { token, body } = await overheard();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 310_000 });
    try {
      await expectNothingWritten(() => post(body, token), 'too_old');
    } finally {
      vi.useRealTimers();
    }
  });

  it('whose key cannot be asked for now is answered 503, and stored when it comes again', async () => {
    scene.plaid.rotateKey();
    const { token, body } = await overheard();
    scene.plaid.setFaults({ next: [{ fault: 'error_before', op: 'webhook_verification_key.get' }] });
    const before = await scene.api.rowCounts();
    expect(await post(body, token)).toMatchObject({ status: 503, body: { code: 'vendor_unavailable' } });
    expect(await scene.api.rowCounts()).toEqual(before);
    expect(await post(body, token)).toMatchObject({ status: 200, body: { received: 'stored' } });
  });
});
