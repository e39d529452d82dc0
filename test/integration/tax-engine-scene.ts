/** What tests of the tax engine share: a subscription whose seller has chosen the engine, and what books and engine say of it. */
import { asc, eq } from 'drizzle-orm';
import pino from 'pino';
import { createRecordTax } from '../../activities/billing/tax-record.ts';
import { collectInvoice } from '../../activities/payments/collect-invoice.ts';
import { withTenant } from '../../db/client.ts';
import { putTaxSettings, type TaxSettingsRow } from '../../db/queries/billing/tax.ts';
import type { TaxDeps } from '../../db/queries/billing/tax-calculations.ts';
import {
  customers,
  invoiceLines,
  invoiceLineTaxes,
  invoices,
  subscriptionEvents,
  subscriptions,
} from '../../db/schema/billing.ts';
import { ledgerEntries } from '../../db/schema/payments.ts';
import { taxCalculations, taxRecords } from '../../db/schema/tax.ts';
import type { Address } from '../../domain/billing/address.ts';
import type { DueSubscription, IssuingAct, Scene } from './collection-scene.ts';

const log = pino({ level: 'silent' });

export const inGermany: Address = {
  country: 'DE',
  region: null,
  postalCode: '10117',
  lines: ['Unter den Linden 1', 'Berlin'],
};
export const inNewYork: Address = {
  country: 'US',
  region: 'NY',
  postalCode: '10001',
  lines: ['350 Fifth Avenue', 'New York'],
};
export const inTexas: Address = { country: 'US', region: 'TX', postalCode: '73301', lines: ['Austin'] };
/** The engine needs a postal code there. */
export const somewhereInAmerica: Address = { country: 'US', region: null, postalCode: null, lines: [] };

export const HOUR_MS = 3_600_000;

/** A subscription at the instant at which an act is due, taxed by the engine; its vendor's clock shows that instant. */
export async function engineSubscription(
  scene: Scene,
  kind: IssuingAct,
  address: Address | null = inGermany,
  settings: Partial<TaxSettingsRow> = {},
): Promise<DueSubscription> {
  const due = await scene.dueSubscription(kind);
  scene.sandbox.clock.set(new Date(due.at));
  const { tenantId } = due;
  await withTenant(scene.db, tenantId, (tx) =>
    putTaxSettings(tx, {
      tenantId,
      legalName: 'Acme Books GmbH',
      address: inGermany,
      taxIds: [],
      priceDisplay: 'exclusive',
      engine: 'stripe_tax',
      updatedAt: new Date(due.at),
      ...settings,
    }),
  );
  await move(scene, due, address);
  return due;
}

/** The customer is somewhere else from now on. */
export function move(scene: Scene, { tenantId }: DueSubscription, address: Address | null): Promise<unknown> {
  return withTenant(scene.db, tenantId, (tx) => tx.update(customers).set({ address }));
}

/** A paid first period, taxed by the engine. */
export async function paidPeriod(
  scene: Scene,
  address: Address = inGermany,
): Promise<DueSubscription & { invoiceId: string }> {
  const due = await engineSubscription(scene, 'issueFirstInvoice', address);
  const { invoiceId } = await scene.activities.billing.issueFirstInvoice(due);
  const origin = { origin: 'first_invoice', originKey: 'first_invoice' } as const;
  const asked = { tenantId: due.tenantId, invoiceId: invoiceId ?? '', at: due.at, ...origin };
  await collectInvoice(scene, asked);
  return { ...due, invoiceId: asked.invoiceId };
}

/** Everything that was written of the invoices and of what the engine is owed. */
export function stateOf(scene: Scene, { tenantId }: Pick<DueSubscription, 'tenantId'>) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [subscription] = await tx.select().from(subscriptions);
    const issued = await tx.select().from(invoices).orderBy(asc(invoices.id));
    const lines = await tx.select().from(invoiceLines).orderBy(asc(invoiceLines.id));
    const taxes = await tx
      .select()
      .from(invoiceLineTaxes)
      .orderBy(asc(invoiceLineTaxes.lineId), asc(invoiceLineTaxes.position));
    const records = await tx.select().from(taxRecords).orderBy(asc(taxRecords.id));
    const entries = await tx.select().from(ledgerEntries).where(eq(ledgerEntries.account, 'tax_payable'));
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    return {
      hold: subscription?.taxHold ?? null,
      invoices: issued.map(({ totalMinor, taxMinor, status }) => `${status} ${totalMinor} tax ${taxMinor}`),
      byEngine: issued.map(({ taxCalculationId }) => taxCalculationId !== null),
      lines: lines.map(({ amountMinor, taxRates }) => ({
        amountMinor,
        percents: taxRates.map(({ percent }) => percent),
      })),
      taxes: taxes.map(({ name, percent, jurisdiction, baseMinor, amountMinor }) =>
        [name, percent, jurisdiction, baseMinor, amountMinor].join(' '),
      ),
      calculations: (await tx.select().from(taxCalculations)).length,
      records: records.map(({ kind, status }) => `${kind} ${status}`),
      recordIds: records.map(({ id }) => id),
      taxPayableMinor: entries.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
      timeline: timeline.map((entry) => entry.kind),
    };
  });
}

/** The relay's way with every record that is owed. */
export async function tellAll(scene: Scene, due: DueSubscription, deps: TaxDeps = scene): Promise<void> {
  const { recordIds } = await stateOf(scene, due);
  const recordTax = createRecordTax({ db: deps.db, taxEngine: deps.taxEngine, log });
  for (const recordId of recordIds) await recordTax({ tenantId: due.tenantId, recordId });
}

/** What the engine has recorded in its own log: `sale 2900 tax 551`. */
export async function atEngine(scene: Scene, { tenantId }: DueSubscription): Promise<string[]> {
  const references = await withTenant(scene.db, tenantId, (tx) =>
    tx.select({ reference: taxRecords.reference }).from(taxRecords),
  );
  const own = new Set(references.map(({ reference }) => reference));
  return scene.sandbox
    .effects()
    .filter(({ op, outcome }) => op.startsWith('tax.transactions.') && outcome === 'effect')
    .filter(({ businessRef }) => own.has(businessRef ?? ''))
    .map(({ detail }) => detail ?? '');
}

/** How often the engine was ever asked for a calculation, answered or not. */
export function askedEver(scene: Scene): number {
  return scene.sandbox.effects().filter(({ op }) => op === 'tax.calculations.create').length;
}
