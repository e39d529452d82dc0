/** Removes delivered outbox rows a week after their delivery; they hold ids only, but nobody needs them. */
import { lt, sql } from 'drizzle-orm';
import { type Database, withSystem, withTenant } from '../../client.ts';
import { outbox } from '../../schema/operations.ts';
import { idempotencyKeys } from '../../schema/tenants.ts';
import { listTenantIds } from '../tenants/tenants.ts';

/** Also forgets idempotency keys after a week. Returns the number of rows removed. */
export async function removeOldRows(db: Database): Promise<number> {
  const { delivered, tenantIds } = await withSystem(db, async (tx) => {
    const result = await tx.delete(outbox).where(lt(outbox.deliveredAt, weekAgo));
    return { delivered: result.rowCount ?? 0, tenantIds: await listTenantIds(tx) };
  });
  let removed = delivered;
  for (const tenantId of tenantIds) {
    const result = await withTenant(db, tenantId, (tx) =>
      tx.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, weekAgo)),
    );
    removed += result.rowCount ?? 0;
  }
  return removed;
}

const weekAgo = sql<Date>`now() - interval '7 days'`;
