/** A new tenant with what it needs to bill: the default dunning policies, and optionally plans and an API key. */

import { defaultDunningPolicies } from '../../domain/billing/dunning.ts';
import { defaultSubscriptionPolicy, type SubscriptionPolicy } from '../../domain/billing/plan.ts';
import type { BillingInterval } from '../../domain/calendar.ts';
import { type Database, withTenant } from '../client.ts';
import { newId } from '../ids.ts';
import { addPolicyVersion, hasPolicy } from '../queries/billing/dunning-policies.ts';
import { createPlan, findPlan } from '../queries/billing/plans.ts';
import type { PlanRow } from '../queries/billing/subscriptions.ts';
import { insertTenant } from '../queries/tenants/tenants.ts';

export type NewTenant = {
  id?: string;
  name: string;
  /** IANA zone. */
  timeZone?: string;
  /** Length of a day, for a demo; otherwise days are days. */
  demoDaySeconds?: number | null;
  portalUrl?: string;
};

/** Safe to repeat with the same id: what is there stays. Returns the tenant's id. */
export async function createTenant(db: Database, tenant: NewTenant): Promise<string> {
  const {
    id = newId('ten'),
    name,
    timeZone = 'UTC',
    demoDaySeconds = null,
    portalUrl = 'https://portal.example',
  } = tenant;
  await withTenant(db, id, async (tx) => {
    await insertTenant(tx, { id, name, timeZone, demoDaySeconds, portalUrl });
    for (const policy of defaultDunningPolicies) {
      if (!(await hasPolicy(tx, policy.name))) await addPolicyVersion(tx, { tenantId: id, ...policy });
    }
  });
  return id;
}

export type SeedPlan = {
  code: string;
  name: string;
  family: string;
  rank: number;
  priceMinor: number;
  currency: string;
  interval: BillingInterval;
  policy?: Partial<SubscriptionPolicy>;
};

/** Creates the plans that are missing and returns all of them, in the order given. */
export function createPlans(db: Database, tenantId: string, plans: readonly SeedPlan[]): Promise<PlanRow[]> {
  return withTenant(db, tenantId, async (tx) => {
    const rows: PlanRow[] = [];
    for (const { policy, ...plan } of plans) {
      const row =
        (await createPlan(tx, { ...plan, tenantId, policy: { ...defaultSubscriptionPolicy, ...policy } })) ??
        (await findPlan(tx, { code: plan.code }));
      if (row === null) throw new Error(`Plan ${plan.code} is neither new nor known`);
      rows.push(row);
    }
    return rows;
  });
}
