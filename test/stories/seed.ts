/** The tenant a story plays at: the default policies, and plans of every shape a story needs. */
import { type Database, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import type { PlanRow } from '../../db/queries/billing/subscriptions.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { dunningPolicies, plans } from '../../db/schema/billing.ts';
import { tenants } from '../../db/schema/tenants.ts';
import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy } from '../../domain/billing/plan.ts';

/** Creates the tenant; `token` is an API key that may do everything. */
export async function seedTenant(
  db: Database,
  timeZone: string,
): Promise<{ tenantId: string; token: string }> {
  const tenantId = newId('ten');
  const token = await withTenant(db, tenantId, async (tx) => {
    await tx
      .insert(tenants)
      .values({ id: tenantId, name: 'Acme Books', timeZone, portalUrl: 'http://portal.test/billing' });
    for (const policy of defaultDunningPolicies) {
      await tx.insert(dunningPolicies).values({ id: newId('dpol'), tenantId, version: 1, ...policy });
    }
    await tx
      .insert(plans)
      .values(storyPlans.map((plan) => ({ ...common, ...plan, id: newId('plan'), tenantId })));
    const scopes = [
      'billing:read',
      'billing:write',
      'operations:read',
      'operations:write',
      'reports:read',
      'reports:write',
      'tenants:read',
    ];
    return (await createApiKey(tx, { tenantId, name: 'story', scopes, expiresAt: null })).token;
  });
  return { tenantId, token };
}

type StoryPlan = Pick<PlanRow, 'code' | 'name' | 'rank' | 'priceMinor'> & Partial<PlanRow>;

const common = {
  family: 'books',
  currency: 'USD',
  interval: { unit: 'month', count: 1 } as const,
  policy: defaultSubscriptionPolicy,
};

const storyPlans: StoryPlan[] = [
  { code: 'free', name: 'Free', rank: 0, priceMinor: 0 },
  { code: 'pro-monthly', name: 'Pro', rank: 10, priceMinor: 2900 },
  {
    code: 'pro-short',
    name: 'Pro',
    rank: 11,
    priceMinor: 2900,
    policy: { ...defaultSubscriptionPolicy, dunningPolicy: 'short_10' },
  },
  { code: 'plus-monthly', name: 'Plus', rank: 20, priceMinor: 9900 },
  { code: 'max-monthly', name: 'Max', rank: 30, priceMinor: 19_900 },
  { code: 'gone-monthly', name: 'Gone', rank: 40, priceMinor: 39_900, archivedAt: new Date(0) },
  {
    code: 'pro-yearly',
    name: 'Pro yearly',
    rank: 12,
    priceMinor: 29_000,
    interval: { unit: 'year', count: 1 },
  },
  {
    code: 'max-yearly',
    name: 'Max yearly',
    rank: 32,
    priceMinor: 199_000,
    interval: { unit: 'year', count: 1 },
  },
  {
    code: 'lite-weekly',
    name: 'Lite',
    rank: 5,
    priceMinor: 500,
    interval: { unit: 'week', count: 1 },
  },
  { code: 'pro-rupee', name: 'Pro', rank: 10, priceMinor: 249_900, currency: 'INR' },
  { code: 'pro-dinar', name: 'Pro', rank: 10, priceMinor: 5124, currency: 'KWD' },
  {
    code: 'pro-keep',
    name: 'Pro',
    rank: 13,
    priceMinor: 2900,
    policy: { ...defaultSubscriptionPolicy, openInvoiceOnCancel: 'keep' },
  },
  {
    code: 'team-short',
    name: 'Team',
    family: 'team',
    rank: 11,
    priceMinor: 4900,
    policy: { ...defaultSubscriptionPolicy, dunningPolicy: 'short_10' },
  },
  {
    code: 'team-weekly',
    name: 'Team',
    family: 'team',
    rank: 10,
    priceMinor: 900,
    interval: { unit: 'week', count: 1 },
  },
];
