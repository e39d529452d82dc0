/** Plans: what is sold, at which price and by which policy. A plan never changes; a new price is a new plan. */
import { and, desc, eq, isNull, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { plans } from '../../schema/billing.ts';
import type { PlanRow } from './subscriptions.ts';

export type NewPlan = Omit<typeof plans.$inferInsert, 'id' | 'archivedAt' | 'createdAt'>;

/** `null` when the tenant has a plan of this code, archived or not. */
export async function createPlan(tx: Tx, plan: NewPlan): Promise<PlanRow | null> {
  const [row] = await tx
    .insert(plans)
    .values({ id: newId('plan'), ...plan })
    .onConflictDoNothing({ target: [plans.tenantId, plans.code] })
    .returning();
  return row ?? null;
}

export async function findPlan(tx: Tx, where: { id: string } | { code: string }): Promise<PlanRow | null> {
  const [row] = await tx
    .select()
    .from(plans)
    .where('id' in where ? eq(plans.id, where.id) : eq(plans.code, where.code));
  return row ?? null;
}

/** Newest first; without archived ones unless they are asked for. */
export function listPlans(
  tx: Tx,
  { archived, cursor, limit }: { archived: boolean; cursor: string | undefined; limit: number },
): Promise<PlanRow[]> {
  return tx
    .select()
    .from(plans)
    .where(
      and(
        archived ? undefined : isNull(plans.archivedAt),
        cursor === undefined ? undefined : lt(plans.id, cursor),
      ),
    )
    .orderBy(desc(plans.id))
    .limit(limit);
}

/** No subscription can be started on it any more; running ones keep it. `null` when there is no such plan. */
export async function archivePlan(tx: Tx, { id, at }: { id: string; at: Date }): Promise<PlanRow | null> {
  await tx
    .update(plans)
    .set({ archivedAt: at })
    .where(and(eq(plans.id, id), isNull(plans.archivedAt)));
  return findPlan(tx, { id });
}
