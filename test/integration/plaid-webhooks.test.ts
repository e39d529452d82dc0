/** Webhooks of Plaid from the sandbox to the one who verifies them: what is signed is believed, and nothing else. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import type { BankFeedEvent } from '../../domain/payments/bank-feed.ts';
import type { PlaidConnection } from '../../integrations/plaid/connection.ts';
import type { PlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import { plaidVerificationKeys, type VerificationKeys } from '../../integrations/plaid/verify-keys.ts';
import {
  PLAID_SIGNATURE_HEADER,
  plaidEvent,
  verifyPlaidWebhook,
} from '../../integrations/plaid/verify-webhook.ts';
import { WebhookVerificationError } from '../../integrations/webhooks/webhook-refusal.ts';
import { startTestPlaid } from '../support/plaid.ts';

let plaid: PlaidSandbox;
let connection: PlaidConnection;
let keys: VerificationKeys;
let receiver: Server;
let webhook: string;
const believed: BankFeedEvent[] = [];
const refused: string[] = [];
const raw: { token: string; body: Buffer }[] = [];

beforeAll(async () => {
  ({ plaid, connection } = await startTestPlaid());
  receiver = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const token = String(message.headers[PLAID_SIGNATURE_HEADER]);
      void receive(token, Buffer.concat(chunks)).then((status) => response.writeHead(status).end());
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => receiver.once('listening', resolve));
  webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhooks/plaid`;
});

beforeEach(() => {
  plaid.reset();
  keys = plaidVerificationKeys(connection);
  for (const list of [believed, refused, raw]) list.length = 0;
});

afterAll(async () => {
  await plaid.close();
  await new Promise((resolve) => receiver.close(resolve));
});

/** As the API answers: 400 to what is refused, 503 where the key cannot be asked for. */
async function receive(token: string, body: Buffer): Promise<number> {
  raw.push({ token, body });
  try {
    believed.push(await verifyPlaidWebhook({ rawBody: body, signatureHeader: token, keys, now: new Date() }));
    return 200;
  } catch (error) {
    if (error instanceof WebhookVerificationError) refused.push(error.reason);
    return error instanceof VendorError ? 503 : 400;
  }
}

/** Tells something, once it was asked for the first time. */
async function syncedItem() {
  const item = plaid.createItem({ webhook });
  await call('/transactions/sync', { access_token: item.accessToken });
  return item;
}

const wire = { amount: '-499.00', description: 'WIRE IN ADV48213075' };

describe('a webhook', () => {
  it('that the sandbox has signed is believed by who asks it for the key', async () => {
    const { itemId } = await syncedItem();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    expect(refused).toEqual([]);
    expect(believed).toMatchObject([
      {
        kind: 'changes_available',
        connectionExternalId: itemId,
        externalId: expect.stringMatching(/^sha256:/),
      },
    ]);
    expect(plaid.calls()).toMatchObject({ 'webhook_verification_key.get': 1 });
  });

  it('tells of changes only to who has asked for them once', async () => {
    const { itemId, accessToken } = plaid.createItem({ webhook });
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    expect(believed).toEqual([]);
    await call('/transactions/sync', { access_token: accessToken });
    plaid.addTransactions(itemId, [wire, wire]);
    await plaid.flushWebhooks();
    expect(believed.map(({ kind }) => kind)).toEqual(['changes_available']);
  });

  it('tells of an Item that becomes ready, once more with its history', async () => {
    const { itemId, accessToken } = plaid.createItem({ webhook, status: 'NOT_READY' });
    await call('/transactions/sync', { access_token: accessToken });
    plaid.setUpdateStatus(itemId, 'INITIAL_UPDATE_COMPLETE');
    plaid.setUpdateStatus(itemId, 'HISTORICAL_UPDATE_COMPLETE');
    await plaid.flushWebhooks();
    const told = raw.map(
      ({ body }) => JSON.parse(body.toString()) as { historical_update_complete: boolean },
    );
    expect(told.map(({ historical_update_complete }) => historical_update_complete).toSorted()).toEqual([
      false,
      true,
    ]);
  });

  it('tells what happens to a login, and to a permission', async () => {
    const { itemId } = await syncedItem();
    plaid.setFaults({ webhooks: { hold: true } });
    plaid.requireLogin(itemId);
    plaid.repairLogin(itemId);
    plaid.expireConsent(itemId, '2026-04-01T00:00:00Z');
    plaid.expectDisconnect(itemId);
    plaid.revokeAccess(itemId);
    await plaid.flushWebhooks('created');
    expect(believed.map(({ kind }) => kind)).toEqual([
      'failed',
      'login_repaired',
      'consent_expires',
      'disconnect_expected',
      'access_revoked',
    ]);
    for (const { body } of raw) expect(plaidEvent.parse(JSON.parse(body.toString())).item_id).toBe(itemId);
  });

  it('tells nothing of a login that was repaired in Link of our own', async () => {
    const { itemId, accessToken } = await syncedItem();
    plaid.requireLogin(itemId);
    plaid.addTransactions(itemId, [wire]);
    const { link_token } = (await call('/link/token/create', {
      client_name: 'Perennial',
      language: 'en',
      country_codes: ['US'],
      user: { client_user_id: 'usr_1' },
      access_token: accessToken,
    })) as { link_token: string };
    plaid.completeLink(link_token);
    await plaid.flushWebhooks();
    expect(believed.map(({ kind }) => kind).toSorted()).toEqual(['changes_available', 'failed']);
  });

  it('that somebody forged under the right key is refused, and the genuine one is not', async () => {
    const { itemId } = await syncedItem();
    plaid.setFaults({ webhooks: { forge: 1 } });
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    expect(refused).toEqual(['bad_signature']);
    expect(believed).toHaveLength(1);
  });

  it('that is sent again later is signed anew', async () => {
    const { itemId } = await syncedItem();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    plaid.redeliverWebhook(plaid.webhookDeliveries()[0]?.eventId ?? '');
    await plaid.flushWebhooks();
    expect(believed).toHaveLength(2);
    expect(new Set(believed.map(({ externalId }) => externalId)).size).toBe(2);
    const [first, second] = raw;
    expect(second?.body).toEqual(first?.body);
  });

  it('that somebody overhears is the same event, and with other bytes none', async () => {
    const { itemId } = await syncedItem();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    const [{ token, body } = { token: '', body: Buffer.alloc(0) }] = raw;
    expect(await receive(token, body)).toBe(200);
    expect(believed[1]).toEqual(believed[0]);
    expect(await receive(token, Buffer.concat([body, Buffer.from(' ')]))).toBe(400);
    expect(refused).toEqual(['bad_signature']);
  });

  it('is believed under the next key as soon as Plaid signs with it', async () => {
    const { itemId } = await syncedItem();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    plaid.rotateKey();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    expect(refused).toEqual([]);
    expect(believed).toHaveLength(2);
  });

  it('signed with a key that has expired is refused by who asks for it', async () => {
    const { itemId } = await syncedItem();
    plaid.addTransactions(itemId, [wire]);
    await plaid.flushWebhooks();
    plaid.rotateKey();
    keys = plaidVerificationKeys(connection);
    const [{ token, body } = { token: '', body: Buffer.alloc(0) }] = raw;
    expect(await receive(token, body)).toBe(400);
    expect(refused).toEqual(['bad_signature']);
  });

  it('comes again when its key could not be asked for', async () => {
    const { itemId } = await syncedItem();
    plaid.setFaults({ next: [{ fault: 'error_before', op: 'webhook_verification_key.get' }] });
    plaid.addTransactions(itemId, [wire]);
    await expect.poll(() => believed.length, { timeout: 5_000 }).toBe(1);
    // It is answered before its sender has noted that.
    await expect
      .poll(() => plaid.webhookDeliveries(), { timeout: 5_000 })
      .toMatchObject([{ state: 'delivered', answers: [503, 200] }]);
  });

  it('goes nowhere when an Item has no address for it, and where it says when that changes', async () => {
    const { itemId, accessToken } = plaid.createItem();
    plaid.requireLogin(itemId);
    expect(plaid.webhookDeliveries()).toEqual([]);
    await call('/item/webhook/update', { access_token: accessToken, webhook });
    await plaid.flushWebhooks();
    expect(believed).toMatchObject([{ type: 'ITEM.WEBHOOK_UPDATE_ACKNOWLEDGED', kind: 'other' }]);
  });
});

async function call(path: string, body: object): Promise<unknown> {
  const response = await fetch(`${plaid.url}${path}`, {
    method: 'POST',
    headers: { 'plaid-client-id': connection.clientId, 'plaid-secret': connection.secret },
    body: JSON.stringify(body),
  });
  return response.json();
}
