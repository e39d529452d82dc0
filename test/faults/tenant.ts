/** A tenant whose days last a second, so that a subscription converts, renews, ends and is erased within a minute. */
import { type Database, withTenant } from '../../db/client.ts';
import { addPolicyVersion } from '../../db/queries/billing/dunning-policies.ts';
import { enterRate } from '../../db/queries/payments/exchange-rates.ts';
import { createApiKey } from '../../db/queries/tenants/api-keys.ts';
import { createPlans, createTenant, type SeedPlan } from '../../db/seed/tenant.ts';
import type { DunningPolicy } from '../../domain/billing/dunning.ts';
import type { SubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { BillingInterval } from '../../domain/calendar.ts';

export type FastTenant = {
  tenantId: string;
  apiKey: string;
  plans: readonly { code: string; currency: string }[];
};

/** Plans in two currencies; a month is 30 seconds. */
export async function createFastTenant(
  db: Database,
  {
    name,
    policy = {},
    interval = { unit: 'month', count: 1 },
  }: { name: string; policy?: Partial<SubscriptionPolicy>; interval?: BillingInterval },
): Promise<FastTenant> {
  const tenantId = await createTenant(db, { name, demoDaySeconds: 1 });
  await createPlans(
    db,
    tenantId,
    plans.map((plan) => ({ ...plan, interval, policy: { ...fastPolicy, ...policy } })),
  );
  const apiKey = await withTenant(db, tenantId, async (tx) => {
    await addPolicyVersion(tx, { tenantId, ...patientDunning });
    // What yen are worth must be known, else a wire waits for a second person.
    const at = new Date();
    const day = at.toISOString().slice(0, 10);
    const by = { actor: 'test', reason: 'needed', at };
    await enterRate(tx, { tenantId, day, base: 'JPY', quote: 'USD', rate: '0.0065', ...by });
    const scopes = ['billing:read', 'billing:write', 'operations:read', 'operations:write'];
    return (await createApiKey(tx, { tenantId, name: 'driver', scopes, expiresAt: null })).token;
  });
  return { tenantId, apiKey, plans };
}

const plans: readonly Omit<SeedPlan, 'interval'>[] = [
  {
    code: 'pro-usd',
    name: 'Pro',
    family: 'usd',
    rank: 1,
    priceMinor: 2900,
    currency: 'USD',
  },
  {
    code: 'pro-jpy',
    name: 'Pro',
    family: 'jpy',
    rank: 1,
    priceMinor: 3200,
    currency: 'JPY',
  },
];

/** Minutes are as short as days: a technical failure is tried again after two and four seconds. */
const fastPolicy: Partial<SubscriptionPolicy> = {
  trialDays: 12,
  trialMessages: [{ template: 'trial_ending', daysBeforeEnd: 3 }],
  trialWindowDays: 600,
  winBack: [{ template: 'win_back_1', daysAfterEnd: 1 }],
  retentionDays: 3,
  technicalRetryMinutes: [2_880, 5_760],
  dunningPolicy: 'patient',
};

/** Whoever is killed during a step is noticed after a minute, which must not cost the customer the subscription. */
const patientDunning: Omit<DunningPolicy, 'version'> = {
  name: 'patient',
  graceDays: 3,
  technicalRetryMinutes: [2_880, 5_760],
  steps: [
    { day: 3, retry: true, template: 'payment_failed_1' },
    { day: 9, retry: true, template: 'payment_failed_2' },
    { day: 90, retry: true, template: 'payment_failed_final' },
    { day: 3_000, retry: false, template: 'subscription_cancelled_unpaid', end: 'cancel' },
  ],
};
