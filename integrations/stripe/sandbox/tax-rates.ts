/**
 * The sandbox's own small table of tax: where its account is registered, and what is charged there. Its head office is in
 * Germany. Places it does not name it does not collect in.
 */
import { isInEuropeanUnion } from '../../../domain/countries.ts';

export type SandboxTax = {
  level: 'country' | 'state' | 'city';
  place: string;
  name: string;
  type: 'vat' | 'gst' | 'igst' | 'qst' | 'sales_tax';
  percent: string;
  /** Of what is taxable, where only a part of it is: the percent of the whole price. */
  charged?: string;
};

const headOffice = 'DE';

const vat = (place: string, percent: string): SandboxTax[] => [
  { level: 'country', place, name: 'VAT', type: 'vat', percent },
];
const salesTax = (level: 'state' | 'city', place: string, percent: string): SandboxTax => ({
  level,
  place,
  name: level === 'state' ? 'State Sales and Use Tax' : 'Local Sales and Use Tax',
  type: 'sales_tax',
  percent,
});
const gst: SandboxTax = { level: 'country', place: 'Canada', name: 'GST', type: 'gst', percent: '5.0' };

/** By country, or country and state. */
const table: Readonly<Record<string, SandboxTax[]>> = {
  DE: vat('Germany', '19.0'),
  FR: vat('France', '20.0'),
  AT: vat('Austria', '20.0'),
  GB: vat('United Kingdom', '20.0'),
  IN: [{ level: 'country', place: 'India', name: 'IGST', type: 'igst', percent: '18.0' }],
  'CA-QC': [
    gst,
    { level: 'state', place: 'Quebec', name: 'Quebec Sales Tax', type: 'qst', percent: '9.975' },
  ],
  CA: [gst],
  'US-NY': [salesTax('state', 'New York', '4.0'), salesTax('city', 'New York City', '4.875')],
  // Data processing: four fifths of the price are taxable.
  'US-TX': [{ ...salesTax('state', 'Texas', '6.25'), charged: '5' }],
};

/** Null where the account collects no tax. */
export function taxesAt(country: string, state: string | null): SandboxTax[] | null {
  return table[`${country}-${state}`] ?? table[country] ?? null;
}

/** A place that levies no such tax at all. */
export function isTaxFree(country: string, state: string | null): boolean {
  return country === 'US' && state === 'OR';
}

/** The customer owes the tax: it is a business of another member state. */
export function isReverseCharged(country: string, taxIdTypes: readonly string[]): boolean {
  return country !== headOffice && isInEuropeanUnion(country) && taxIdTypes.includes('eu_vat');
}

/** What Stripe needs to know where somebody is. `00000` is a postal code nobody finds. */
export function isFound({
  country,
  state,
  postal_code: code,
}: {
  country: string;
  state?: string | undefined;
  postal_code?: string | undefined;
}): boolean {
  if (code === '00000') return false;
  if (country === 'US') return code !== undefined;
  return country !== 'CA' || code !== undefined || state !== undefined;
}
