/** Tenants: the companies whose billing this is. */
import { asc, eq } from 'drizzle-orm';
import type { SystemTx, Tx } from '../../client.ts';
import { tenants } from '../../schema/tenants.ts';

export type TenantRow = typeof tenants.$inferSelect;

/** Inside `withTenant` of its own id. Run again it changes nothing; returns whether it was new. */
export async function insertTenant(tx: Tx, tenant: typeof tenants.$inferInsert): Promise<boolean> {
  const inserted = await tx
    .insert(tenants)
    .values(tenant)
    .onConflictDoNothing()
    .returning({ id: tenants.id });
  return inserted.length > 0;
}

/** Changes how long a day is for a demo tenant. */
export async function setDayLength(tx: Tx, tenantId: string, demoDaySeconds: number): Promise<void> {
  await tx.update(tenants).set({ demoDaySeconds }).where(eq(tenants.id, tenantId));
}

/** The tenant of this transaction. */
export async function currentTenant(tx: Tx): Promise<TenantRow> {
  const [tenant] = await tx.select().from(tenants);
  if (tenant === undefined) throw new Error('The transaction names a tenant that does not exist');
  return tenant;
}

/** Every tenant's id, for jobs that visit one after the other. */
export async function listTenantIds(tx: SystemTx): Promise<string[]> {
  const rows = await tx.select({ id: tenants.id }).from(tenants).orderBy(asc(tenants.id));
  return rows.map(({ id }) => id);
}
