/** Dunning policies: every edit is a new version; a running case keeps the version it started with. */
import { and, asc, desc, eq, gt, sql } from 'drizzle-orm';
import type { DunningPolicy } from '../../../domain/billing/dunning.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { dunningPolicies } from '../../schema/billing.ts';

export type DunningPolicyRow = typeof dunningPolicies.$inferSelect;

/** The version new cases take; `null` when the tenant has no policy of this name. */
export async function findLatestPolicy(tx: Tx, name: string): Promise<DunningPolicyRow | null> {
  const [row] = await tx
    .select()
    .from(dunningPolicies)
    .where(eq(dunningPolicies.name, name))
    .orderBy(desc(dunningPolicies.version))
    .limit(1);
  return row ?? null;
}

/** The latest version of each policy, by name. `cursor` is the last name of the page before. */
export function listLatestPolicies(
  tx: Tx,
  { cursor, limit }: { cursor: string | undefined; limit: number },
): Promise<DunningPolicyRow[]> {
  return tx
    .selectDistinctOn([dunningPolicies.name])
    .from(dunningPolicies)
    .where(cursor === undefined ? undefined : gt(dunningPolicies.name, cursor))
    .orderBy(asc(dunningPolicies.name), desc(dunningPolicies.version))
    .limit(limit);
}

/** Adds the next version. Two edits at once make two versions: the unique index lets one wait and fail over to retry. */
export async function addPolicyVersion(
  tx: Tx,
  {
    tenantId,
    name,
    graceDays,
    steps,
    technicalRetryMinutes,
  }: Omit<DunningPolicy, 'version'> & { tenantId: string },
): Promise<DunningPolicyRow> {
  // One edit of a tenant's policies at a time, so that versions are 1, 2, 3 … without a gap.
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`dunning_policy:${tenantId}`}, 0))`);
  const latest = await findLatestPolicy(tx, name);
  const [row] = await tx
    .insert(dunningPolicies)
    .values({
      id: newId('dpol'),
      tenantId,
      name,
      version: (latest?.version ?? 0) + 1,
      graceDays,
      steps,
      technicalRetryMinutes,
    })
    .returning();
  if (row === undefined) throw new Error('An inserted dunning policy was not returned');
  return row;
}

/** Whether the tenant has a policy of this name. */
export async function hasPolicy(tx: Tx, name: string): Promise<boolean> {
  const rows = await tx
    .select({ id: dunningPolicies.id })
    .from(dunningPolicies)
    .where(and(eq(dunningPolicies.name, name)))
    .limit(1);
  return rows.length > 0;
}
