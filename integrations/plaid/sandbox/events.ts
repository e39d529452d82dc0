/** Events: written with the change they tell of, handed to the webhook sender, and signed with a key that Plaid shows. */
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import { postWebhook } from '../../sandbox/post-webhook.ts';
import type { WebhookEndpoint } from '../../sandbox/webhooks.ts';
import { changeItem, type Item, type PlaidContext, type PlaidEvent, type SigningKey } from './context.ts';

export const plaidEventTypes = [
  'TRANSACTIONS.SYNC_UPDATES_AVAILABLE',
  'TRANSACTIONS.DEFAULT_UPDATE',
  'TRANSACTIONS.RECURRING_TRANSACTIONS_UPDATE',
  'ITEM.ERROR',
  'ITEM.LOGIN_REPAIRED',
  'ITEM.PENDING_EXPIRATION',
  'ITEM.PENDING_DISCONNECT',
  'ITEM.NEW_ACCOUNTS_AVAILABLE',
  'ITEM.USER_PERMISSION_REVOKED',
  'ITEM.USER_ACCOUNT_REVOKED',
  'ITEM.WEBHOOK_UPDATE_ACKNOWLEDGED',
] as const;

export type PlaidEventType = (typeof plaidEventTypes)[number];

/** Tells of what has just happened to an Item; where nobody listens, it is told to nobody. */
export function emit(context: PlaidContext, item: Item, type: PlaidEventType, more: object = {}): void {
  if (item.webhook === null) return;
  const [webhook_type, webhook_code] = type.split('.') as [string, string];
  const body = { webhook_type, webhook_code, item_id: item.id, ...more, environment: 'sandbox' };
  const event: PlaidEvent = { id: randomUUID(), type, itemId: item.id, url: item.webhook, body };
  context.events.put(event.id, event);
  const sent_at = context.clock.now().toISOString();
  const current = context.items.get(item.id) ?? item;
  changeItem(context, current, { lastWebhook: { sent_at, code_sent: webhook_code } });
  context.deliver(event);
}

/** Told only of Items that were synced before. `isAsked`: somebody fires it by hand. */
export function emitSyncUpdates(context: PlaidContext, item: Item, { isAsked = false } = {}): void {
  if (!isAsked && (!item.hasSynced || item.status === 'NOT_READY')) return;
  emit(context, item, 'TRANSACTIONS.SYNC_UPDATES_AVAILABLE', {
    initial_update_complete: item.status !== 'NOT_READY',
    historical_update_complete: item.status === 'HISTORICAL_UPDATE_COMPLETE',
  });
}

/** The key that signs now; the first one is made when it is needed. */
function signingKey(context: Pick<PlaidContext, 'keys' | 'clock'>): SigningKey {
  return context.keys.values().find(({ expiredAt }) => expiredAt === null) ?? newKey(context);
}

/** From now on another key signs; the one before is over at `expiredAt` (seconds). */
export function rotateKey(context: PlaidContext, expiredAt: number): SigningKey {
  const before = signingKey(context);
  context.keys.put(before.kid, { ...before, expiredAt });
  return newKey(context);
}

function newKey({ keys, clock }: Pick<PlaidContext, 'keys' | 'clock'>): SigningKey {
  const privateJwk = newPrivateJwk();
  const { x, y } = privateJwk as { x: string; y: string };
  const key = { kid: randomUUID(), privateJwk, x, y, createdAt: clock.seconds(), expiredAt: null };
  keys.put(key.kid, key);
  return key;
}

function newPrivateJwk(): Record<string, unknown> {
  return { ...generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({ format: 'jwk' }) };
}

/**
 * One webhook on its way: every delivery has the same body and is signed anew, at the real time. A forged one names the right
 * key and is signed with another.
 */
export async function postEvent(
  context: Pick<PlaidContext, 'keys' | 'clock'>,
  endpoint: WebhookEndpoint,
  event: PlaidEvent,
  forged: boolean,
): Promise<number | string> {
  const body = JSON.stringify(event.body, null, 2);
  const token = await signedToken(context, body, { forged });
  return postWebhook(endpoint.url || event.url, {
    headers: { 'content-type': 'application/json', 'plaid-verification': token },
    body,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
}

/** What proves these bytes, now. */
export async function signedToken(
  context: Pick<PlaidContext, 'keys' | 'clock'>,
  body: string | Buffer,
  { forged }: { forged: boolean } = { forged: false },
): Promise<string> {
  const { kid, privateJwk } = signingKey(context);
  return new SignJWT({ request_body_sha256: createHash('sha256').update(body).digest('hex') })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'JWT' })
    .setIssuedAt(Math.floor(Date.now() / 1000))
    .sign(await importJWK(forged ? newPrivateJwk() : privateJwk, 'ES256'));
}

const ANSWER_TIMEOUT_MS = 10_000;
