/** A job that does the same for every tenant: what fails for one holds up no other. */
import type { Logger } from '../config/logger.ts';
import { type Database, type Tx, withSystem, withTenant } from '../db/client.ts';
import { listTenantIds } from '../db/queries/tenants/tenants.ts';

/**
 * Does `work` for one after the other, each in a transaction of its own. Returns what to throw once the rest of the job is done, so
 * that it is tried again; null where nothing failed.
 */
export async function forEachTenant(
  { db, log }: { db: Database; log: Logger },
  work: (tx: Tx, tenantId: string) => Promise<void>,
): Promise<Error | null> {
  const failures: unknown[] = [];
  for (const tenantId of await withSystem(db, listTenantIds)) {
    try {
      await withTenant(db, tenantId, (tx) => work(tx, tenantId));
    } catch (err) {
      failures.push(err);
      log.error({ err, tenantId }, 'a job failed for a tenant; it goes on with the others');
    }
  }
  const [cause] = failures;
  return cause === undefined
    ? null
    : new Error(`The job failed for some tenants: ${failures.length}`, { cause });
}
