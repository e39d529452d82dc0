/** Who a tenant is to the tax office, the rates it charges, and what a tax engine was asked and told. */
import { sql } from 'drizzle-orm';
import { check, date, index, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import type { Address } from '../../domain/billing/address.ts';
import type { PriceDisplay, SellerTaxId } from '../../domain/billing/tax.ts';
import type { TaxAnswer, TaxEngineName } from '../../domain/billing/tax-engine.ts';
import type { TaxKind } from '../../domain/billing/tax-rate.ts';
import type { RecordedLine } from '../../domain/billing/tax-record.ts';
import { createdAt, id, instant, tenantId } from './columns.ts';
import { tenants } from './tenants.ts';

/** The seller. A tenant without this row charges no tax. */
export const taxSettings = pgTable('tax_settings', {
  tenantId: text()
    .primaryKey()
    .references(() => tenants.id),
  legalName: text().notNull(),
  address: jsonb().$type<Address>().notNull(),
  taxIds: jsonb().$type<SellerTaxId[]>().notNull().default([]),
  priceDisplay: text().$type<PriceDisplay>().notNull(),
  /** Who says which tax an invoice bears. */
  engine: text().$type<TaxEngineName>().notNull().default('own_rates'),
  updatedAt: instant().notNull(),
});

/** A rate never changes: another percent is another row from its own day on. */
export const taxRates = pgTable(
  'tax_rates',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    country: text().notNull(),
    /** Null: in the whole country. */
    region: text(),
    kind: text().$type<TaxKind>().notNull(),
    name: text().notNull(),
    /** An exact decimal from 0 to 100, never a float. */
    percent: text().notNull(),
    validFrom: date({ mode: 'string' }).notNull(),
    archivedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    // One rate of a kind begins at a place on a day.
    uniqueIndex('tax_rates_once')
      .on(t.tenantId, t.country, sql`coalesce(${t.region}, '')`, t.kind, t.validFrom)
      .where(sql`${t.archivedAt} is null`),
    index('tax_rates_country').on(t.tenantId, t.country),
  ],
);

/** What an engine has answered. An invoice takes the answer to exactly its own request, once. */
export const taxCalculations = pgTable(
  'tax_calculations',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    customerId: text().notNull(),
    engine: text().$type<TaxEngineName>().notNull(),
    /** The engine's id. */
    externalId: text().notNull(),
    /** Hash of the request, which has the customer's address in it; overwritten by the erasure. */
    fingerprint: text().notNull(),
    lines: jsonb().$type<TaxAnswer['lines']>().notNull(),
    expiresAt: instant().notNull(),
    createdAt: createdAt(),
  },
  (t) => [index('tax_calculations_fingerprint').on(t.tenantId, t.fingerprint)],
);

/**
 * - `sale`: an invoice, from the calculation it was issued by.
 * - `reversal`: what a credit, a credit note or the voiding takes back of a sale.
 * - `undo`: a reversal that was wrong: the sale bears the tax again.
 */
export type TaxRecordKind = 'sale' | 'reversal' | 'undo';

/** `owed`: still to be told to the engine. `refused`: it did not take it, and a person must correct it there. */
export type TaxRecordStatus = 'owed' | 'recorded' | 'refused';

/** What an engine is told of issued invoices, each once, under a reference that is unique there too. */
export const taxRecords = pgTable(
  'tax_records',
  {
    id: id(),
    tenantId: tenantId().references(() => tenants.id),
    /** The invoice by which it is owed. */
    invoiceId: text().notNull(),
    kind: text().$type<TaxRecordKind>().notNull(),
    reference: text().notNull(),
    /** The record it takes back. */
    originalId: text(),
    lines: jsonb().$type<RecordedLine[]>().notNull(),
    status: text().$type<TaxRecordStatus>().notNull().default('owed'),
    /** Null also where the engine's answer was lost for good. */
    externalId: text(),
    /** The engine's ids of a sale's lines, by their reference. */
    externalLines: jsonb().$type<Record<string, string>>().notNull().default({}),
    failure: text(),
    owedAt: instant().notNull(),
    recordedAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('tax_records_reference').on(t.tenantId, t.reference),
    index('tax_records_invoice').on(t.tenantId, t.invoiceId),
    index('tax_records_original').on(t.originalId),
    check('tax_records_original_kind', sql`(${t.kind} = 'sale') = (${t.originalId} is null)`),
  ],
);
