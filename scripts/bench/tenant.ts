/** A tenant of the bench with real days, and customers whose card is on file at the sandbox. */
import { randomUUID } from 'node:crypto';
import { and, eq, inArray } from 'drizzle-orm';
import { createDatabase, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { customers, dunningPolicies, plans, subscriptions } from '../../db/schema/billing.ts';
import { paymentMethods } from '../../db/schema/payments.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { csvMapping } from '../../db/seed/bank.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';
import { createStripeCardVendor } from '../../integrations/stripe/client.ts';
import type { Stack } from '../stack.ts';

export type Payer = { customerId: string };

export type BenchTenant = {
  payers(count: number): Promise<Payer[]>;
  /** Both through the API; they return the subscription's id. */
  startTrial(payer: Payer): Promise<string>;
  startPaid(payer: Payer): Promise<string>;
  extendTrial(subscriptionId: string): Promise<void>;
  activeAmong(payers: Payer[]): Promise<number>;
  /** A statement with so many lines is read, into an account of its own. */
  readStatement(lines: number): Promise<void>;
};

export async function createBenchTenant(stack: Stack): Promise<BenchTenant> {
  const { config, urls } = stack;
  const db = createDatabase({ url: config.database.url, max: 4 });
  const cardVendor = createStripeCardVendor({
    secretKey: config.stripe.secretKey,
    ...(config.stripe.apiBase !== undefined && { apiBase: config.stripe.apiBase }),
    returnUrl: config.publicUrl,
  });
  const tenantId = newId('ten');
  const token = await withTenant(db, tenantId, async (tx) => {
    await tx.insert(tenants).values({ id: tenantId, name: 'Bench', portalUrl: config.publicUrl });
    for (const policy of defaultDunningPolicies) {
      await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
    }
    await tx.insert(plans).values({
      id: newId('plan'),
      tenantId,
      code: 'pro',
      name: 'Pro',
      family: 'bench',
      rank: 1,
      priceMinor: 2900,
      currency: 'USD',
      interval: { unit: 'month', count: 1 },
      policy: defaultSubscriptionPolicy,
    });
    const scopes = ['billing:read', 'billing:write'];
    return (await createApiKey(tx, { tenantId, name: 'bench', scopes, expiresAt: null })).token;
  });

  const post = (path: string, body: unknown) =>
    send(path, { type: 'application/json', body: JSON.stringify(body) });

  async function send(path: string, { type, body }: { type: string; body: string }): Promise<{ id: string }> {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': type,
      'idempotency-key': randomUUID(),
    };
    const response = await fetch(`${urls.api}${path}`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json() as Promise<{ id: string }>;
  }

  async function createPayer(): Promise<Payer> {
    const customerId = newId('cus');
    const who = { email: `${customerId}@example.test`, name: 'Bench' };
    const vendorCustomerId = await cardVendor.ensureCustomer({ tenantId, customerId, ...who });
    const { externalId: id, ...method } = await cardVendor.attachPaymentMethod({
      vendorCustomerId,
      paymentMethodId: 'pm_card_visa',
    });
    await withTenant(db, tenantId, async (tx) => {
      const rows = {
        id: customerId,
        tenantId,
        ...who,
        currency: 'USD',
        personKey: customerId,
        vendorCustomerId,
      };
      await tx.insert(customers).values({ ...rows, defaultPaymentMethodId: id });
      await tx.insert(paymentMethods).values({ id, tenantId, customerId, ...method, attachedAt: new Date() });
    });
    return { customerId };
  }

  return {
    async payers(count) {
      const made: Payer[] = [];
      for (let index = 0; index < count; index += 1) made.push(await createPayer());
      return made;
    },
    startTrial: async ({ customerId }) =>
      (await post('/v1/subscriptions', { customerId, planCode: 'pro' })).id,
    startPaid: async ({ customerId }) =>
      (await post('/v1/subscriptions', { customerId, planCode: 'pro', start: 'payment' })).id,
    async extendTrial(subscriptionId) {
      await post(`/v1/subscriptions/${subscriptionId}/extend_trial`, { days: 1 });
    },
    async readStatement(lines) {
      const { id } = await post('/v1/bank_accounts', { name: 'Bench', currency: 'USD', csvMapping });
      const rows = Array.from({ length: lines }, (_, n) => `2026-03-05;${n + 1}.00;payment ${n}`);
      const body = ['Date;Amount;Text', ...rows].join('\n');
      await send(`/v1/bank_accounts/${id}/statements`, { type: 'text/csv', body });
    },
    async activeAmong(payers) {
      const ids = payers.map(({ customerId }) => customerId);
      const active = await withTenant(db, tenantId, (tx) =>
        tx
          .select({ id: subscriptions.id })
          .from(subscriptions)
          .where(and(inArray(subscriptions.customerId, ids), eq(subscriptions.status, 'active'))),
      );
      return active.length;
    },
  };
}
