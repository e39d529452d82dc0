/** Connections to banks, through which a feed reads accounts: what opens them, how far they are read, and how they fare. */
import { sql } from 'drizzle-orm';
import { boolean, check, index, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { BankConnectionStatus, UnreadableMovement } from '../../domain/payments/bank-connection.ts';
import type { BankFeedFailure } from '../../domain/payments/bank-feed.ts';
import { createdAt, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

export const bankConnections = pgTable(
  'bank_connections',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** The feed's name of it (an Item). */
    externalId: text().notNull(),
    institutionId: text(),
    institutionName: text(),
    /** Encrypted (`sealed-token.ts`); gone once the connection has been ended at the feed. */
    accessToken: text(),
    /** SHA-256 of the public token it was exchanged for: who repeats the request finds what it has made. */
    publicTokenHash: text().notNull(),
    status: text().$type<BankConnectionStatus>().notNull(),
    statusSince: instant().notNull(),
    /** Why it could not be read at the last look. */
    problem: text().$type<BankFeedFailure>(),
    /** Where the next reading begins; null for the beginning. */
    cursor: text(),
    /** Whether the feed has read the bank for the first time. */
    isReady: boolean().notNull().default(false),
    consentExpiresAt: instant(),
    disconnectExpectedSince: instant(),
    /** Our last reading that came to its end. */
    lastSyncedAt: instant(),
    lastFailedAt: instant(),
    /** In our words; without anything of the customer's. */
    lastFailure: text(),
    /** The feed's own last reading at the bank, as it said at `askedAt`. */
    bankReadAt: instant(),
    askedAt: instant(),
    lastWebhookAt: instant(),
    unreadable: jsonb().$type<UnreadableMovement[]>().notNull().default([]),
    /** Who connected it, as in the audit log. */
    actor: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('bank_connections_external').on(t.externalId),
    uniqueIndex('bank_connections_public_token').on(t.tenantId, t.publicTokenHash),
    index('bank_connections_list').on(t.tenantId, t.id),
    check('bank_connections_token', sql`${t.accessToken} is not null or ${t.status} = 'unlinked'`),
  ],
);
