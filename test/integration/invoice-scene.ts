/** A tenant with a paying customer and a clock that a test turns, for whatever becomes of an invoice by hand. */
import { randomUUID } from 'node:crypto';
import { desc, eq } from 'drizzle-orm';
import { withTenant } from '../../db/client.ts';
import { subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import { businessOf } from './report-scene.ts';

export type InvoiceScene = {
  api: TestApi;
  tenant: TestTenant;
  business: ReturnType<typeof businessOf>;
  /** Turns the clock of the API. */
  at(instant: string): void;
  now(): Date;
  /** A subscription that is paid for since 1 March. */
  subscribed(): Promise<{ subscriptionId: string; customerId: string }>;
  request(method: string, path: string, body?: unknown): Promise<TestAnswer>;
  /** The body of a request that must succeed. */
  ok(method: string, path: string, body?: unknown): Promise<Json>;
  /** A draft over USD 900.00. */
  draft(subscriptionId: string, fields?: object): Promise<Json>;
  /** The same, issued. */
  oneOff(subscriptionId: string, fields?: object): Promise<Json>;
  /** Money by wire for an invoice, recorded by somebody who has recorded nothing yet, and approved where that is needed. */
  wire(invoiceId: string, amountMinor: number): Promise<Json>;
  /** Templates of the mails about an invoice, oldest first. */
  told(invoiceId: string): Promise<string[]>;
  /** What the books say, by account, without zeros. */
  books(): Promise<Record<string, number>>;
  close(): Promise<void>;
};

export const day1 = '2026-03-01T09:00:00.000Z';

export async function createInvoiceScene(
  options: Pick<NonNullable<Parameters<typeof startTestApi>[0]>, 'config' | 'log' | 'storage'> = {},
): Promise<InvoiceScene> {
  let now = new Date(day1);
  const api = await startTestApi({ ...options, clock: () => now });
  const tenant = await api.tenant();
  const { tenantId, token, plans } = tenant;
  const business = businessOf({ db: api.db, tenantId });
  const plan = plans['pro-monthly'];
  if (plan === undefined) throw new Error('no plan');

  const request: InvoiceScene['request'] = (method, path, body) =>
    api.request(method, path, { token, ...(body !== undefined && { body }) });
  const ok: InvoiceScene['ok'] = async (method, path, body) => {
    const answer = await request(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const scene: InvoiceScene = {
    api,
    tenant,
    business,
    at: (instant) => {
      now = new Date(instant);
    },
    now: () => now,
    async subscribed() {
      const customerId = await business.customer();
      const subscriptionId = await business.subscribe(customerId, plan, day1);
      await business.begin(subscriptionId, day1);
      return { subscriptionId, customerId };
    },
    request,
    ok,
    draft: (subscriptionId, fields = {}) =>
      ok('POST', '/v1/invoices', {
        subscriptionId,
        lines: [{ description: 'Onboarding workshop', quantity: 2, unitMinor: 45_000 }],
        ...fields,
      }),
    async oneOff(subscriptionId, fields) {
      const { id } = await scene.draft(subscriptionId, fields);
      return ok('POST', `/v1/invoices/${id}/finalise`, {});
    },
    async wire(invoiceId, amountMinor) {
      const key = await api.key(tenantId, ['billing:write']);
      const money = { amountMinor, currency: 'USD', reference: randomUUID() };
      const body = { ...money, method: 'wire', reason: 'on the statement' };
      const answer = await api.request('POST', `/v1/invoices/${invoiceId}/payments`, {
        token: key.token,
        body,
      });
      if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
      if (answer.status !== 202) return answer.body;
      return ok('POST', `/v1/payment_approvals/${answer.body.id}/approve`, {});
    },
    told: (invoiceId) =>
      withTenant(api.db, tenantId, async (tx) => {
        const rows = await tx.select().from(notifications).orderBy(desc(notifications.id));
        return rows
          .filter(({ dedupeKey }) => dedupeKey.startsWith(`invoice:${invoiceId}:`))
          .map(({ template }) => template)
          .reverse();
      }),
    books: () =>
      withTenant(api.db, tenantId, async (tx) => {
        const sums: Record<string, number> = {};
        for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
          sums[account] = (sums[account] ?? 0) + amountMinor;
        }
        return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));
      }),
    close: () => api.close(),
  };
  return scene;
}

export function statusOf({ api, tenant }: InvoiceScene, subscriptionId: string): Promise<string | undefined> {
  return withTenant(api.db, tenant.tenantId, async (tx) => {
    const [row] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    return row?.status;
  });
}
