/**
 * Which tax an invoice bears, decided from who sells, who buys, and the tenant's own table of rates. Pure: the same facts
 * give the same tax. Without settings of the seller nothing is taxed.
 *
 * - The rates of the customer's country (and region) apply; where the tenant has none, there is no tax.
 * - A business in another country of the European Union is charged nothing by a seller in the Union and owes the tax
 *   itself (reverse charge, Article 196 of Directive 2006/112/EC); without a VAT id its country's rate applies.
 * - India (IGST Act): within the seller's state half of the GST goes to the Union (CGST) and half to the state (SGST, or
 *   UTGST); to another state all of it is IGST; to another country nothing is charged.
 * - An exempt customer is charged nothing.
 *
 * A credit takes tax back as its line bore it, whatever holds today.
 */
import { Temporal } from 'temporal-polyfill';
import { indianStates, isInEuropeanUnion, unionTerritories } from '../countries.ts';
import type { Address } from './address.ts';
import {
  type AppliedRate,
  type LineTax,
  type LineTaxation,
  type TaxedLine,
  taxLines,
} from './tax-amounts.ts';
import { isEuropeanVatId, type TaxIdKind } from './tax-id.ts';
import { halfOf, ratesAt, type TaxRate } from './tax-rate.ts';

/** Whether a price is without tax or contains it. */
export type PriceDisplay = 'exclusive' | 'inclusive';

export const priceDisplays: readonly PriceDisplay[] = ['exclusive', 'inclusive'];

/** The seller as far as tax depends on it. */
export type TaxSeller = { address: Pick<Address, 'country' | 'region'>; priceDisplay: PriceDisplay };

/** A registration of the seller. */
export type SellerTaxId = { kind: TaxIdKind; value: string };

export type TaxCustomer = {
  /** Null: not known, and then nothing is taxed. */
  address: Pick<Address, 'country' | 'region'> | null;
  /** Normalised. */
  taxId: string | null;
  /** Null: not exempt. */
  taxExemptReason: string | null;
};

/** Everything the tax of an invoice follows from, but its lines. `seller` is null without settings. */
export type TaxFacts = {
  seller: TaxSeller | null;
  customer: TaxCustomer;
  rates: readonly TaxRate[];
  /** When it is issued: the rates of that day where the seller is. */
  at: string;
  timeZone: string;
};

/**
 * - `taxed`: the rates of the place apply.
 * - `reverse_charge`: the customer owes the tax.
 * - `exempt`: the customer is.
 * - `export`: out of the country, without tax.
 * - `untaxed`: the tenant has no rate for the place, or the place is not known.
 */
export type TaxTreatment = 'taxed' | 'reverse_charge' | 'exempt' | 'export' | 'untaxed';

export type TaxDecision = {
  treatment: TaxTreatment;
  rates: readonly AppliedRate[];
  /** What the invoice must say of it, in whole sentences. */
  notes: readonly string[];
};

/** A line before tax. A credit names how the line it takes back was taxed. */
export type TaxableLine = { amountMinor: number; taxedAs?: LineTaxation };

export type InvoicedLine = TaxedLine & {
  /** As the invoice shows it: with the tax in it, or without. */
  amountMinor: number;
  /** By which rates, for whoever takes it back. */
  rates: readonly AppliedRate[];
};

export type TaxedLines = {
  /** Null without settings of the seller. */
  treatment: TaxTreatment | null;
  notes: readonly string[];
  isInclusive: boolean;
  lines: readonly InvoicedLine[];
  taxMinor: number;
  /** Everything together, tax included. */
  totalMinor: number;
};

/** The tax of the lines of one invoice. */
export function taxesFor(facts: TaxFacts, lines: readonly TaxableLine[]): TaxedLines {
  const { seller } = facts;
  const decision = seller === null ? null : decideTax({ ...facts, seller });
  const isInclusive = seller?.priceDisplay === 'inclusive';
  const taxations = lines.map(
    ({ taxedAs }): LineTaxation => taxedAs ?? { rates: decision?.rates ?? [], isInclusive },
  );
  const taxed = taxLines(
    lines.map(({ amountMinor }, index) => ({
      amountMinor,
      taxation: taxations[index] ?? { rates: [], isInclusive },
    })),
  );
  return taxedLinesOf(
    taxed.map((line, index) => ({ ...line, rates: taxations[index]?.rates ?? [] })),
    { treatment: decision?.treatment ?? null, notes: decision?.notes ?? [], isInclusive },
  );
}

/** Lines that are taxed, whoever has computed it, as an invoice shows them. */
export function taxedLinesOf(
  taxed: readonly (TaxedLine & Pick<InvoicedLine, 'rates'>)[],
  { isInclusive, ...words }: Pick<TaxedLines, 'treatment' | 'notes' | 'isInclusive'>,
): TaxedLines {
  const lines = taxed.map((line) => ({
    ...line,
    amountMinor: isInclusive ? line.netMinor + line.taxMinor : line.netMinor,
  }));
  const taxMinor = lines.reduce((sum, line) => sum + line.taxMinor, 0);
  return {
    ...words,
    isInclusive,
    lines,
    taxMinor,
    totalMinor: lines.reduce((sum, { netMinor }) => sum + netMinor, taxMinor),
  };
}

/** How what is sold today is taxed. */
function decideTax({ seller, customer, rates, at, timeZone }: TaxFacts & { seller: TaxSeller }): TaxDecision {
  const { address, taxId, taxExemptReason } = customer;
  if (taxExemptReason !== null) {
    return { treatment: 'exempt', rates: [], notes: [exemptNote(taxExemptReason)] };
  }
  if (address === null) return untaxed;
  const [from, to] = [seller.address.country, address.country];
  if (isEuropeanSale(from, to) && taxId !== null && isEuropeanVatId(taxId, to)) return reverseCharge(to);

  const day = Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).toPlainDate().toString();
  const held = ratesAt(rates, { ...address, day });
  if (held.length === 0) return from === 'IN' && to !== 'IN' ? exported : untaxed;
  return {
    treatment: 'taxed',
    rates: held.map((rate) => appliedRate(rate, seller.address, address)),
    notes: from === 'IN' && to === 'IN' ? indianNotes(address.region) : [],
  };
}

export function isEuropeanSale(from: string, to: string): boolean {
  return from !== to && isInEuropeanUnion(from) && isInEuropeanUnion(to);
}

const untaxed: TaxDecision = { treatment: 'untaxed', rates: [], notes: [] };

/** In the words of rule 46 of the CGST Rules. */
const exported: TaxDecision = {
  treatment: 'export',
  rates: [],
  notes: ['Supply meant for export under bond or letter of undertaking without payment of integrated tax.'],
};

/** Nothing is charged, but the base is shown: both sides report it. */
export function reverseCharge(country: string): TaxDecision {
  const component = {
    name: 'Reverse charge',
    kind: 'vat',
    percent: '0',
    jurisdiction: country,
  } as const;
  return {
    treatment: 'reverse_charge',
    rates: [{ percent: '0', components: [component] }],
    notes: [
      'Reverse charge: the recipient of the service owes the VAT (Article 196 of Council Directive 2006/112/EC).',
    ],
  };
}

/** Without the reason it is the note that is left of an erased customer. */
export function exemptNote(reason: string | null): string {
  return reason === null ? 'Exempt from tax.' : `Exempt from tax: ${reason}`;
}

export function indianNotes(region: string | null): string[] {
  const place = region === null ? [] : [`Place of supply: ${indianStates[region] ?? ''} (${region}).`];
  return [...place, 'Tax is not payable under reverse charge.'];
}

type Place = Pick<Address, 'country' | 'region'>;

function appliedRate(
  { kind, name, percent, country, region }: TaxRate,
  seller: Place,
  customer: Place,
): AppliedRate {
  if (country === 'IN' && kind === 'gst') return indianRate(percent, seller, customer);
  const jurisdiction = region === null ? country : `${country}-${region}`;
  return { percent, components: [{ name, kind, percent, jurisdiction }] };
}

function indianRate(percent: string, seller: Place, customer: Place): AppliedRate {
  const { region } = customer;
  if (seller.country !== 'IN' || seller.region !== region || region === null) {
    return { percent, components: [{ name: 'IGST', kind: 'gst', percent, jurisdiction: 'IN' }] };
  }
  const half = halfOf(percent);
  const own = unionTerritories.has(region) ? 'UTGST' : 'SGST';
  return {
    percent,
    components: [
      { name: 'CGST', kind: 'gst', percent: half, jurisdiction: 'IN' },
      { name: own, kind: 'gst', percent: half, jurisdiction: `IN-${region}` },
    ],
  };
}

/** `CGST 9 %` */
export function taxLabel({ name, percent }: { name: string; percent: string }): string {
  return `${name} ${percent} %`;
}

/** How a line is taxed, in a word or two: `GST 18 %`, whatever it is split into. */
export function ratesInWords(rates: readonly AppliedRate[]): string {
  return rates
    .map(({ percent, components: [first, second] }) => {
      const name = second === undefined ? (first?.name ?? '') : 'GST';
      return taxLabel({ name, percent });
    })
    .join(', ');
}

/** The tax of an invoice by component, as its foot shows it. */
export function taxSummary<T extends Omit<LineTax, 'kind'>>(taxes: readonly T[]): T[] {
  const found = new Map<string, T>();
  for (const tax of taxes) {
    const key = JSON.stringify([tax.name, tax.percent, tax.jurisdiction]);
    const known = found.get(key);
    found.set(key, {
      ...tax,
      baseMinor: tax.baseMinor + (known?.baseMinor ?? 0),
      amountMinor: tax.amountMinor + (known?.amountMinor ?? 0),
    });
  }
  return [...found.values()];
}
