/** What the tax of an invoice follows from, read for one customer; and the two parties as an invoice keeps them. */
import { and, eq, isNull } from 'drizzle-orm';
import { addressInWords } from '../../../domain/billing/address.ts';
import { periodReduction } from '../../../domain/billing/coupon.ts';
import type { BillTo, Seller } from '../../../domain/billing/invoice-document.ts';
import type { PlanTerms } from '../../../domain/billing/plan-change.ts';
import { priceOf } from '../../../domain/billing/recurring-price.ts';
import { type TaxFacts, taxesFor } from '../../../domain/billing/tax.ts';
import { taxIdKindOf, taxIdLabel } from '../../../domain/billing/tax-id.ts';
import type { TaxRate } from '../../../domain/billing/tax-rate.ts';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { taxRates, taxSettings } from '../../schema/tax.ts';
import type { CustomerRow, SubscriptionContext } from './subscriptions.ts';

export type TaxRules = { settings: typeof taxSettings.$inferSelect | null; rates: TaxRate[] };

/** The tenant's settings and its rates for the customer's country, in one statement. */
export async function readTaxRules(
  tx: Tx,
  { customer }: Pick<SubscriptionContext, 'customer'>,
): Promise<TaxRules> {
  const rows = await tx
    .select({ settings: taxSettings, rate: taxRates })
    .from(taxSettings)
    .leftJoin(
      taxRates,
      and(
        eq(taxRates.tenantId, taxSettings.tenantId),
        eq(taxRates.country, customer.address?.country ?? ''),
        isNull(taxRates.archivedAt),
      ),
    );
  return {
    settings: rows[0]?.settings ?? null,
    rates: rows.flatMap(({ rate }) => (rate === null ? [] : [rate])),
  };
}

type Terms = Pick<PlanTerms, 'unitMinor' | 'quantity' | 'currency'>;
type Priced = Pick<SubscriptionContext, 'tenant' | 'customer' | 'subscription'>;

/** What a period of these terms costs the customer, tax of the tenant's own rates included. */
export async function priceWithTax(
  tx: Tx,
  context: Priced,
  { terms, at }: { terms: Terms; at: Date },
): Promise<Money> {
  const facts = taxFactsOf(context, await readTaxRules(tx, context), at);
  const { totalMinor } = taxesFor(facts, [{ amountMinor: reducedPrice(context, terms) }]);
  return money(totalMinor, terms.currency);
}

/**
 * The same as mails say it. A tax engine is not asked for a mail: where prices are without tax, the mail says that tax is
 * added.
 */
export async function priceInWords(
  tx: Tx,
  context: Priced,
  { terms, at }: { terms: Terms; at: Date },
): Promise<string> {
  const { settings } = await readTaxRules(tx, context);
  if (settings === null || settings.engine === 'own_rates') {
    return formatMoney(await priceWithTax(tx, context, { terms, at }));
  }
  const price = formatMoney(money(reducedPrice(context, terms), terms.currency));
  const addsTax = settings.priceDisplay === 'exclusive' && context.customer.taxExemptReason === null;
  return addsTax ? `${price} plus tax` : price;
}

function reducedPrice({ subscription }: Priced, terms: Terms): number {
  const priceMinor = priceOf(terms);
  return priceMinor - periodReduction(subscription.discount, priceMinor);
}

export function taxFactsOf(
  { tenant, customer }: Pick<SubscriptionContext, 'tenant' | 'customer'>,
  { settings, rates }: TaxRules,
  at: Date,
): TaxFacts {
  return { seller: settings, customer, rates, at: at.toISOString(), timeZone: tenant.timeZone };
}

/** Null where there are no settings: then it is the tenant by its name, as it is called when the invoice is read. */
export function sellerOf({ settings }: TaxRules): Seller | null {
  if (settings === null) return null;
  return {
    name: settings.legalName,
    addressLines: addressInWords(settings.address),
    taxIds: settings.taxIds.map(({ kind, value }) => ({ label: taxIdLabel(kind), value })),
  };
}

export function billedTo({ name, email, address, taxId }: CustomerRow): BillTo & { email: string } {
  return {
    name: name ?? '',
    email: email ?? '',
    ...(address !== null && { addressLines: addressInWords(address) }),
    ...(address !== null &&
      taxId !== null && { taxId: { label: taxIdLabel(taxIdKindOf(address.country)), value: taxId } }),
  };
}
