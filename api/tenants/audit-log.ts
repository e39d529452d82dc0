/** The audit log: who did what, newest first. */
import { z } from 'zod';
import { type AuditRow, listAudit } from '../../db/queries/tenants/audit-log.ts';
import { page, pageOf, pageQuery } from '../pagination.ts';
import { type Route, route } from '../route.ts';
import { id, idPattern, instant, text } from '../schemas.ts';

const auditEntry = z
  .object({
    id: id('aud', 'audit entry'),
    at: instant,
    actor: z.string().meta({ example: 'api_key:key_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b' }),
    action: z.string().meta({ example: 'subscription.cancelled' }),
    entityType: z.string(),
    entityId: z.string(),
    reason: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEntry' });

const list = route({
  effect: 'read',
  method: 'get',
  path: '/v1/audit_log',
  operationId: 'listAuditLog',
  tag: 'Audit log',
  scope: 'tenants:read',
  summary: 'List who did what, newest first',
  query: z.strictObject({ ...pageQuery(idPattern('aud')), entityId: text(200).optional() }),
  responses: { 200: { description: 'A page of entries.', schema: pageOf(auditEntry) } },
  handler: async ({ tx, query: { limit, cursor, entityId } }) => ({
    status: 200,
    body: await page({
      limit,
      fetch: (count) => listAudit(tx, { entityId, cursor, limit: count }),
      cursorOf: (row) => row.id,
      toItem: toAuditEntry,
    }),
  }),
});

export const auditLogRoutes: readonly Route[] = [list];

function toAuditEntry({
  id,
  at,
  actor,
  action,
  entityType,
  entityId,
  reason,
  details,
}: AuditRow): z.infer<typeof auditEntry> {
  return {
    id,
    at: at.toISOString(),
    actor,
    action,
    entityType,
    entityId,
    reason,
    details: details as Record<string, unknown>,
  };
}
