/**
 * The demo tenant "Acme Books": four plans, the default dunning policies, days shortened so that a person can watch a
 * year, and an API key whose secret is kept beside the servers' state, so that it is the same after every start. It can be paid by
 * bank transfer, on local chains in coins, and its operators are told in a chat what needs them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type SealKeys, seal } from '../../config/seal.ts';
import type { CryptoNetwork } from '../../domain/payments/crypto-chain.ts';
import { type Database, type Tx, withTenant } from '../client.ts';
import {
  chatSealedFor,
  findReportSettings,
  putReportSettings,
  usualReportSettings,
} from '../queries/reporting/report-settings.ts';
import { apiKeyToken, newApiKeySecret, putApiKey } from '../queries/tenants/api-keys.ts';
import { setDayLength } from '../queries/tenants/tenants.ts';
import { createDemoBank } from './bank.ts';
import { createDemoCryptoAccounts } from './crypto-accounts.ts';
import { createPlans, createTenant, type SeedPlan } from './tenant.ts';

export type DemoTenant = { tenantId: string; apiKey: string };

/** The incoming webhook of its operators' chat on this machine. */
type DemoChat = { url: string; encryption: SealKeys };

/** Safe to repeat. `home` is the folder of the servers' state. */
export async function seedDemo(
  db: Database,
  {
    demoDaySeconds,
    home,
    network,
    chat,
  }: {
    demoDaySeconds: number;
    home: string;
    network: CryptoNetwork;
    chat?: DemoChat;
  },
): Promise<DemoTenant> {
  const secret = await keptSecret(join(home, 'demo-api-key'));
  await createTenant(db, {
    id: TENANT_ID,
    name: 'Acme Books',
    timeZone: 'Europe/Berlin',
    demoDaySeconds,
    portalUrl: 'https://books.acme.example/billing',
  });
  await createPlans(db, TENANT_ID, plans);
  await withTenant(db, TENANT_ID, async (tx) => {
    await setDayLength(tx, TENANT_ID, demoDaySeconds);
    await putApiKey(tx, { id: KEY_ID, tenantId: TENANT_ID, name: 'Demo', scopes: demoScopes, secret });
    if (chat !== undefined) await setDemoChat(tx, chat);
    await createDemoBank(tx, TENANT_ID);
  });
  // Its keys are known to everybody: coins of value are not to be paid to them.
  if (network === 'local') await createDemoCryptoAccounts(db, TENANT_ID);
  return { tenantId: TENANT_ID, apiKey: apiKeyToken({ id: KEY_ID, secret }) };
}

/** What somebody has set otherwise, or cleared, stays; the sandbox may have moved to another port. */
async function setDemoChat(tx: Tx, { url, encryption }: DemoChat): Promise<void> {
  const kept = await findReportSettings(tx);
  const { host: chatHost } = new URL(url);
  const isAnother = kept !== null && !kept.chatHost?.startsWith('127.0.0.1:');
  if (isAnother || kept?.chatHost === chatHost) return;
  const { recipient, sendAt, clock } = kept ?? usualReportSettings;
  await putReportSettings(tx, {
    tenantId: TENANT_ID,
    settings: { recipient, sendAt, clock },
    chat: { chatUrl: seal(encryption, url, chatSealedFor(TENANT_ID)), chatHost },
    at: new Date(),
  });
}

const TENANT_ID = 'ten_00000000000070008000000000000001';
const KEY_ID = 'key_00000000000070008000000000000001';

const demoScopes = [
  'billing:read',
  'billing:write',
  'operations:read',
  'operations:write',
  'reports:read',
  'reports:write',
  'tenants:read',
  'tenants:write',
];

const books = { family: 'books', currency: 'USD' } as const;

const plans: readonly SeedPlan[] = [
  {
    ...books,
    code: 'free',
    name: 'Free',
    rank: 0,
    priceMinor: 0,
    interval: { unit: 'month', count: 1 },
    policy: { trialDays: 0, trialMessages: [] },
  },
  {
    ...books,
    code: 'pro-monthly',
    name: 'Pro monthly',
    rank: 1,
    priceMinor: 2900,
    interval: { unit: 'month', count: 1 },
  },
  {
    ...books,
    code: 'pro-yearly',
    name: 'Pro yearly',
    rank: 2,
    priceMinor: 29_000,
    interval: { unit: 'year', count: 1 },
  },
  {
    ...books,
    code: 'team-monthly',
    name: 'Team monthly',
    rank: 3,
    priceMinor: 9900,
    interval: { unit: 'month', count: 1 },
    policy: { dunningPolicy: 'short_10' },
  },
];

/** Readable by this user only. */
async function keptSecret(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (/^[\w-]{43}$/.test(kept.trim())) return kept.trim();
  const secret = newApiKeySecret();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}
