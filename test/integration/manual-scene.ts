/** Two operators with keys of their own, customers who owe, a clock that a test turns, and the books of all of it. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { withSystem, withTenant } from '../../db/client.ts';
import { createSubscription } from '../../db/queries/billing/create-subscription.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { storePublished } from '../../db/queries/payments/exchange-rates.ts';
import { startStripeSandbox } from '../../integrations/stripe/sandbox.ts';
import { checkBooks } from '../stories/books.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import { startTestCoinbase } from '../support/coinbase.ts';
import { startTestRazorpay } from '../support/razorpay.ts';
import { type Business, businessOf } from './report-scene.ts';

/** What an invoice of the scene is over, in cents. */
export const PRICE_MINOR = 2900;

export type ManualScene = {
  api: TestApi;
  tenant: TestTenant;
  business: Business;
  /** Whom `post` speaks for. */
  ada: string;
  bob: string;
  /** Turns the clock. */
  at(instant: string): void;
  /** A new customer with so many open invoices, of USD 29.00 each unless of another plan; the first one is to activate. */
  owing(count?: number, plan?: { code: string; currency?: string }): Promise<Debtor>;
  post(path: string, body: unknown, token?: string): Promise<TestAnswer>;
  get(path: string): Promise<Json>;
  /** The request is refused so, and no table has another row than before. */
  refused(request: () => Promise<TestAnswer>, status: number, cause: string): Promise<TestAnswer>;
  /** Actions on an object, oldest first. */
  auditOf(entityId: string): Promise<Json[]>;
  /** Templates of the mails to a customer, oldest first. */
  mailsTo(customerId: string): Promise<string[]>;
  /** What operators were told, oldest first. */
  alerts(): Promise<string[]>;
  /** The balance of an account. */
  balance(account: string): Promise<number>;
  /** Checks the books, then ends everything. */
  close(): Promise<void>;
};

export type Debtor = { customerId: string; subscriptionId: string; invoices: string[] };

export const now = '2026-03-05T12:00:00.000Z';

export async function createManualScene(): Promise<ManualScene> {
  let clock = new Date(now);
  const api = await startTestApi({ clock: () => clock });
  const stripe = await startStripeSandbox({ port: 0 });
  const { razorpay } = await startTestRazorpay();
  const { coinbase } = await startTestCoinbase();
  const tenant = await api.tenant();
  const { tenantId } = tenant;
  const business = businessOf({ db: api.db, tenantId });
  const keyOf = async () =>
    (await api.key(tenantId, ['billing:read', 'billing:write', 'tenants:write'])).token;
  const [ada, bob] = [await keyOf(), await keyOf()];
  const published = { day: '2026-03-04', base: 'EUR', source: 'ecb' };
  const rates = [
    { ...published, quote: 'USD', rate: '1.0866' },
    { ...published, quote: 'GBP', rate: '0.85559' },
  ];
  await withSystem(api.db, (tx) => storePublished(tx, { rates, fetchedAt: clock }));
  const settings = await api.request('PUT', '/v1/report_settings', {
    token: tenant.token,
    body: { recipient: 'owner@example.com' },
  });
  expect(settings.status).toBe(200);

  const books = () => checkBooks({ db: api.db, tenantId, stripe, razorpay, coinbase });
  const scene: ManualScene = {
    api,
    tenant,
    business,
    ada,
    bob,
    at: (instant) => {
      clock = new Date(instant);
    },
    async owing(count = 1, { code, currency = 'USD' } = { code: 'pro-monthly' }) {
      const customerId = await business.customer(currency);
      return withTenant(api.db, tenantId, async (tx) => {
        const { context } = await createSubscription(tx, {
          customerId,
          plan: { code },
          start: 'payment',
          at: clock,
        });
        const invoices: string[] = [];
        for (let periodIndex = 0; periodIndex < count; periodIndex += 1) {
          const period = { startsAt: '2026-03-01T00:00:00.000Z', endsAt: '2026-04-01T00:00:00.000Z' };
          invoices.push((await issuePeriodInvoice(tx, context, { periodIndex, period, at: clock })).id);
        }
        return { customerId, subscriptionId: context.subscription.id, invoices };
      });
    },
    post: (path, body, token = ada) => api.request('POST', path, { token, body }),
    async get(path) {
      const { status, body } = await api.request('GET', path, { token: tenant.token });
      expect(status).toBe(200);
      return body;
    },
    async refused(request, status, cause) {
      const before = await api.rowCounts(tenantId);
      const answer = await request();
      expect([answer.status, answer.body.reason ?? answer.body.code]).toEqual([status, cause]);
      expect(answer.body.detail).not.toBe('');
      expect(await api.rowCounts(tenantId)).toEqual(before);
      return answer;
    },
    auditOf: async (entityId) => (await scene.get(`/v1/audit_log?entityId=${entityId}`)).data.toReversed(),
    async mailsTo(customerId) {
      const { data } = await scene.get(`/v1/notifications?customerId=${customerId}&limit=100`);
      return data.map(({ template }: Json) => template).toReversed();
    },
    async alerts() {
      const rows = await api.sql(
        "SELECT variables ->> 'what' AS what FROM notifications WHERE tenant_id = $1 AND template = 'payment_operator_alert' ORDER BY id",
        [tenantId],
      );
      return rows.map(({ what }) => what);
    },
    async balance(account) {
      const [row] = await api.sql(
        'SELECT coalesce(sum(amount_minor), 0)::int AS sum FROM ledger_entries WHERE tenant_id = $1 AND account = $2',
        [tenantId, account],
      );
      return row.sum;
    },
    async close() {
      try {
        await books();
      } finally {
        await Promise.all([stripe.close(), razorpay.close(), coinbase.close(), api.close()]);
      }
    },
  };
  return scene;
}

/** Money as an operator records it. */
export function money(amountMinor: number, differs: object = {}) {
  const how = { method: 'cheque', chequeNumber: '000417', reason: 'handed in at the office' };
  return { amountMinor, currency: 'USD', reference: randomUUID(), ...how, ...differs };
}

/** The same by wire. */
export function wire(amountMinor: number, differs: object = {}) {
  return money(amountMinor, { method: 'wire', chequeNumber: undefined, ...differs });
}
