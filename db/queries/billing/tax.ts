/** A tenant's tax settings and rates, as they are kept. */
import { and, desc, eq, isNull, lt } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { taxRates, taxSettings } from '../../schema/tax.ts';

export type TaxSettingsRow = typeof taxSettings.$inferSelect;
export type TaxRateRow = typeof taxRates.$inferSelect;

/** `null` where the tenant charges no tax. */
export async function findTaxSettings(tx: Tx): Promise<TaxSettingsRow | null> {
  const [row] = await tx.select().from(taxSettings);
  return row ?? null;
}

/** Replaces them; invoices that are there keep the seller they were issued by. */
export async function putTaxSettings(tx: Tx, settings: TaxSettingsRow): Promise<TaxSettingsRow> {
  const { tenantId: _, ...set } = settings;
  const [row] = await tx
    .insert(taxSettings)
    .values(settings)
    .onConflictDoUpdate({ target: taxSettings.tenantId, set })
    .returning();
  if (row === undefined) throw new Error('The tax settings were not returned');
  return row;
}

/** `null` when a rate of this kind begins at this place on this day already. */
export async function createTaxRate(
  tx: Tx,
  rate: Omit<TaxRateRow, 'id' | 'archivedAt' | 'createdAt'>,
): Promise<TaxRateRow | null> {
  const [row] = await tx
    .insert(taxRates)
    .values({ id: newId('rate'), ...rate })
    .onConflictDoNothing()
    .returning();
  return row ?? null;
}

/** Newest first; without archived ones unless they are asked for. */
export function listTaxRates(
  tx: Tx,
  {
    archived,
    country,
    cursor,
    limit,
  }: { archived: boolean; country: string | undefined; cursor: string | undefined; limit: number },
): Promise<TaxRateRow[]> {
  return tx
    .select()
    .from(taxRates)
    .where(
      and(
        archived ? undefined : isNull(taxRates.archivedAt),
        country === undefined ? undefined : eq(taxRates.country, country),
        cursor === undefined ? undefined : lt(taxRates.id, cursor),
      ),
    )
    .orderBy(desc(taxRates.id))
    .limit(limit);
}

/** No invoice is issued with it any more: the rate before it holds again. `null` when there is no such rate. */
export async function archiveTaxRate(
  tx: Tx,
  { id, at }: { id: string; at: Date },
): Promise<TaxRateRow | null> {
  await tx
    .update(taxRates)
    .set({ archivedAt: at })
    .where(and(eq(taxRates.id, id), isNull(taxRates.archivedAt)));
  const [row] = await tx.select().from(taxRates).where(eq(taxRates.id, id));
  return row ?? null;
}
