/** Tenants, their API keys, what their callers asked for once, and who did what. */
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, id, instant, tenantId } from './columns.ts';

export const tenants = pgTable('tenants', {
  id: id(),
  name: text().notNull(),
  /** IANA zone in which billing dates are computed. */
  timeZone: text().notNull().default('UTC'),
  /** Length of a day in seconds for a demo tenant; null: real days. */
  demoDaySeconds: integer(),
  /** Where the tenant's customers see and pay their invoices; mails link to it. */
  portalUrl: text().notNull(),
  createdAt: createdAt(),
});

export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    name: text().notNull(),
    /** SHA-256 of the secret, hex. The secret has 256 random bits, so no slow hash is needed. */
    secretHash: text().notNull(),
    scopes: text().array().notNull(),
    expiresAt: instant(),
    revokedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [index('api_keys_tenant').on(t.tenantId)],
);

/** One row per Idempotency-Key of a tenant; the answer is kept so that a repeated request gets the same one. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    tenantId: tenantId().references(() => tenants.id),
    key: text().notNull(),
    /** Method and path template with its values. */
    operation: text().notNull(),
    requestHash: text().notNull(),
    /** The id under which a process is asked; another one once the process is known to have failed at it. */
    actId: text().notNull(),
    /** Null while the act is under way. */
    responseStatus: integer(),
    responseBody: jsonb(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('idempotency_keys_key').on(t.tenantId, t.key),
    index('idempotency_keys_age').on(t.createdAt),
  ],
);

/** Append-only. `details` names fields and ids, never personal values. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** `api_key:<id>`, `workflow:<id>` or `system`. */
    actor: text().notNull(),
    action: text().notNull(),
    entityType: text().notNull(),
    entityId: text().notNull(),
    reason: text(),
    details: jsonb().notNull().default(sql`'{}'::jsonb`),
    at: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [index('audit_log_entity').on(t.tenantId, t.entityType, t.entityId)],
);
