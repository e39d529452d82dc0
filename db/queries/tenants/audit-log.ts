/** The audit log: who did what to which object, and why. Append-only; names fields and ids, never personal values. */
import { and, desc, eq, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { auditLog } from '../../schema/tenants.ts';

export type AuditRow = typeof auditLog.$inferSelect;

export type AuditEntry = {
  tenantId: string;
  /** `api_key:<id>`, `workflow:<id>`, `customer:<id>` by a page of ours, or `system`. */
  actor: string;
  /** `subscription.created`, `customer.erased` … */
  action: string;
  entityType: string;
  entityId: string;
  reason?: string;
  details?: Record<string, unknown>;
  at: Date;
};

/** Records a deed in the transaction that does it. */
export async function writeAudit(tx: Tx, { reason, details, ...entry }: AuditEntry): Promise<void> {
  await tx
    .insert(auditLog)
    .values({ id: newId('aud'), ...entry, reason: reason ?? null, ...(details && { details }) });
}

/** Newest first, of one object or of all. */
export function listAudit(
  tx: Tx,
  { entityId, cursor, limit }: { entityId: string | undefined; cursor: string | undefined; limit: number },
): Promise<AuditRow[]> {
  return tx
    .select()
    .from(auditLog)
    .where(
      and(
        entityId === undefined ? undefined : eq(auditLog.entityId, entityId),
        cursor === undefined ? undefined : lt(auditLog.id, cursor),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit);
}
