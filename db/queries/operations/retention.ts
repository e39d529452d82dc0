/** Removes delivered outbox rows a week after their delivery; they hold ids only, but nobody needs them. */
import { and, eq, lt, notExists, sql } from 'drizzle-orm';
import { type Database, type Tx, withSystem, withTenant } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { outbox } from '../../schema/operations.ts';
import { taxCalculations } from '../../schema/tax.ts';
import { idempotencyKeys } from '../../schema/tenants.ts';
import { together } from '../../together.ts';
import { listTenantIds } from '../tenants/tenants.ts';

/** Also forgets idempotency keys, and calculations of taxes that no invoice has used, after a week. Returns the number of rows removed. */
export async function removeOldRows(db: Database): Promise<number> {
  const { delivered, tenantIds } = await withSystem(db, async (tx) => {
    const result = await tx.delete(outbox).where(lt(outbox.deliveredAt, weekAgo));
    return { delivered: result.rowCount ?? 0, tenantIds: await listTenantIds(tx) };
  });
  let removed = delivered;
  for (const tenantId of tenantIds) {
    const results = await withTenant(db, tenantId, (tx) =>
      together([
        tx.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, weekAgo)).execute(),
        removeUnusedCalculations(tx),
      ]),
    );
    for (const { rowCount } of results) removed += rowCount ?? 0;
  }
  return removed;
}

function removeUnusedCalculations(tx: Tx) {
  const used = tx
    .select({ id: invoices.id })
    .from(invoices)
    .where(eq(invoices.taxCalculationId, taxCalculations.id));
  return tx
    .delete(taxCalculations)
    .where(and(lt(taxCalculations.createdAt, weekAgo), notExists(used)))
    .execute();
}

const weekAgo = sql<Date>`now() - interval '7 days'`;
