/** A tenant's banks for tests: the API and Plaid's sandbox as servers, the activity called as its process would. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import pino from 'pino';
import {
  type Banks,
  createBankConnectionActivities,
  type SyncedBankConnection,
} from '../../activities/payments/bank-connection.ts';
import type { Config } from '../../config/env.ts';
import type { Database } from '../../db/client.ts';
import type { PlaidControl } from '../../integrations/plaid/sandbox/control.ts';
import type { PlaidSandbox } from '../../integrations/plaid/sandbox.ts';
import { type Json, startTestApi, type TestApi, type TestTenant, testConfig } from '../support/api.ts';
import { startTestPlaid, testBanks } from '../support/plaid.ts';

/** `itemId` is Plaid's name of it, `id` ours. */
export type Bank = ReturnType<PlaidControl['createItem']> & { id: string; tenant: TestTenant };

type Accounts = NonNullable<Parameters<PlaidControl['createItem']>[0]>['accounts'];

export type BankScene = {
  api: TestApi;
  plaid: PlaidSandbox;
  banks: Banks;
  /** A tenant whose operators get mail. */
  tenant(): Promise<TestTenant>;
  ok(tenant: TestTenant, method: string, path: string, body?: unknown): Promise<Json>;
  /** Through Link, up to the answer of the API. Nothing is read yet. */
  connect(tenant: TestTenant, accounts?: Accounts): Promise<Bank>;
  /** What Link has given for an Item, sent to the API. */
  add(tenant: TestTenant, item: ReturnType<PlaidControl['createItem']>): Promise<Bank>;
  /** One look, told of all stored events about the connection. `triedAt`: of the try, where the look was asked for earlier. */
  look(
    bank: Pick<Bank, 'itemId'>,
    parts?: { at?: string; triedAt?: string; db?: Database; banks?: Banks },
  ): Promise<SyncedBankConnection>;
  connection(bank: Bank): Promise<Json>;
  /** In plain words, the first booked first: `2026-03-05 49900 USD new`. */
  movements(tenant: TestTenant): Promise<string[]>;
  /** Titles of mails to the operators. */
  mails(tenant: TestTenant): Promise<string[]>;
  close(): Promise<void>;
};

export const at = '2026-03-05T10:00:00.000Z';

/** A Plaid and an API of their own. */
export async function createBankScene({ config }: { config?: Config } = {}): Promise<BankScene> {
  const { plaid } = await startTestPlaid();
  const api = await startTestApi({ plaidUrl: plaid.url, ...(config && { config }) });
  const { banks } = testBanks(plaid.url);
  const log = pino({ level: 'silent' });
  const ok: BankScene['ok'] = async ({ token }, method, path, body) => {
    const answer = await api.request(method, path, { token, ...(body !== undefined && { body }) });
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  const scene: BankScene = {
    api,
    plaid,
    banks,
    async tenant() {
      const tenant = await api.tenant();
      const settings = { recipient: 'owner@example.com' };
      await ok(tenant, 'PUT', '/v1/report_settings', settings);
      return tenant;
    },
    ok,
    async connect(tenant, accounts) {
      const { linkToken } = await ok(tenant, 'POST', '/v1/bank_link_tokens', {});
      const item = plaid.completeLink(linkToken, { accounts });
      await fetch(`${plaid.url}/item/webhook/update`, {
        method: 'POST',
        headers: credentials,
        body: JSON.stringify({ access_token: item.accessToken, webhook: `${api.url}/webhooks/plaid` }),
      });
      return scene.add(tenant, item);
    },
    async add(tenant, item) {
      const { id } = await ok(tenant, 'POST', '/v1/bank_connections', { publicToken: item.publicToken });
      return { ...item, id, tenant };
    },
    async look({ itemId }, { at: when = at, triedAt = when, ...parts } = {}) {
      const events = await api.sql(
        "SELECT id FROM inbox_events WHERE object_id = $1 AND status = 'received'",
        [itemId],
      );
      const inboxEventIds = events.map(({ id }) => id);
      const deps = { db: api.db, banks, log, ...parts };
      const { syncBankConnection } = createBankConnectionActivities(deps);
      const info = { currentAttemptScheduledTimestampMs: Date.parse(triedAt) };
      return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') }).run(
        syncBankConnection,
        {
          connectionExternalId: itemId,
          inboxEventIds,
          at: when,
        },
      );
    },
    connection: ({ tenant, id }) => ok(tenant, 'GET', `/v1/bank_connections/${id}`),
    async movements({ tenantId }) {
      const rows = await api.sql(
        'SELECT booked_on::text AS day, amount_minor, currency, status FROM bank_transactions WHERE tenant_id = $1 ORDER BY booked_on, amount_minor, status',
        [tenantId],
      );
      return rows.map(
        ({ day, amount_minor, currency, status }) => `${day} ${amount_minor} ${currency} ${status}`,
      );
    },
    async mails({ tenantId }) {
      const rows = await api.sql(
        "SELECT variables ->> 'title' AS title FROM notifications WHERE tenant_id = $1 AND template = 'bank_connection_alert' ORDER BY id",
        [tenantId],
      );
      return rows.map(({ title }) => title);
    },
    async close() {
      await api.close();
      await plaid.close();
    },
  };
  return scene;
}

const { clientId, secret } = testConfig.plaid;
const credentials = { 'plaid-client-id': clientId, 'plaid-secret': secret };

export const wire = (amount: string, description: string, date = '2026-03-04') => ({
  amount: `-${amount}`,
  description,
  date,
});
