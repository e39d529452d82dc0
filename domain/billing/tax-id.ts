/**
 * Tax ids by their form: VAT ids of the European Union, Great Britain, Switzerland and Norway, and India's GSTIN with its
 * check character. The form says that an id can exist, not that it does: nobody is asked (VIES, the GST portal).
 *
 * Sources: the Commission's list of structures in the questions and answers of VIES; HMRC's for GB; the Swiss UID register;
 * the Norwegian register (organisation number and MVA); the GSTN's description of the GSTIN.
 */
import { countryName, indianStates, isInEuropeanUnion } from '../countries.ts';

/** `other`: taken as it is. */
export type TaxIdKind = 'vat' | 'gstin' | 'other';

export const taxIdKinds: readonly TaxIdKind[] = ['vat', 'gstin', 'other'];

type Form = { pattern: RegExp; example: string };

/** By country; Greece's ids begin with EL. */
const vatForms: Readonly<Record<string, Form>> = {
  AT: { pattern: /^ATU\d{8}$/, example: 'ATU12345678' },
  BE: { pattern: /^BE[01]\d{9}$/, example: 'BE0123456789' },
  BG: { pattern: /^BG\d{9,10}$/, example: 'BG123456789' },
  CY: { pattern: /^CY\d{8}[A-Z]$/, example: 'CY12345678X' },
  CZ: { pattern: /^CZ\d{8,10}$/, example: 'CZ12345678' },
  DE: { pattern: /^DE\d{9}$/, example: 'DE123456789' },
  DK: { pattern: /^DK\d{8}$/, example: 'DK12345678' },
  EE: { pattern: /^EE\d{9}$/, example: 'EE123456789' },
  ES: { pattern: /^ES(?:[A-Z]\d{7}[0-9A-Z]|\d{8}[A-Z])$/, example: 'ESX1234567X' },
  FI: { pattern: /^FI\d{8}$/, example: 'FI12345678' },
  FR: { pattern: /^FR[0-9A-HJ-NP-Z]{2}\d{9}$/, example: 'FR12345678901' },
  GR: { pattern: /^EL\d{9}$/, example: 'EL123456789' },
  HR: { pattern: /^HR\d{11}$/, example: 'HR12345678901' },
  HU: { pattern: /^HU\d{8}$/, example: 'HU12345678' },
  IE: { pattern: /^IE(?:\d{7}[A-W][A-I]?|\d[A-Z+*]\d{5}[A-W])$/, example: 'IE1234567WA' },
  IT: { pattern: /^IT\d{11}$/, example: 'IT12345678901' },
  LT: { pattern: /^LT(?:\d{9}|\d{12})$/, example: 'LT123456789' },
  LU: { pattern: /^LU\d{8}$/, example: 'LU12345678' },
  LV: { pattern: /^LV\d{11}$/, example: 'LV12345678901' },
  MT: { pattern: /^MT\d{8}$/, example: 'MT12345678' },
  NL: { pattern: /^NL\d{9}B\d{2}$/, example: 'NL123456789B12' },
  PL: { pattern: /^PL\d{10}$/, example: 'PL1234567890' },
  PT: { pattern: /^PT\d{9}$/, example: 'PT123456789' },
  RO: { pattern: /^RO\d{2,10}$/, example: 'RO1234567890' },
  SE: { pattern: /^SE\d{12}$/, example: 'SE123456789012' },
  SI: { pattern: /^SI\d{8}$/, example: 'SI12345678' },
  SK: { pattern: /^SK\d{10}$/, example: 'SK1234567890' },
  GB: { pattern: /^GB(?:\d{9}|\d{12}|(?:GD|HA)\d{3})$/, example: 'GB123456789' },
  CH: { pattern: /^CHE\d{9}(?:MWST|TVA|IVA)?$/, example: 'CHE123456789MWST' },
  NO: { pattern: /^NO\d{9}MVA$/, example: 'NO123456789MVA' },
};

/** Without the spaces, dots and hyphens people write, in capitals. */
export function normalisedTaxId(value: string): string {
  return value.replaceAll(/[\s.-]/g, '').toUpperCase();
}

/** What an id of this country is: its kind, by which it is checked and printed. */
export function taxIdKindOf(country: string): TaxIdKind {
  if (country === 'IN') return 'gstin';
  return Object.hasOwn(vatForms, country) ? 'vat' : 'other';
}

/** `VAT ID`, as it stands before the id. */
export function taxIdLabel(kind: TaxIdKind): string {
  return taxIdLabels[kind];
}

const taxIdLabels: Record<TaxIdKind, string> = { vat: 'VAT ID', gstin: 'GSTIN', other: 'Tax ID' };

/** A VAT id that another member state's business can be charged nothing with. */
export function isEuropeanVatId(value: string, country: string): boolean {
  return isInEuropeanUnion(country) && vatForms[country]?.pattern.test(value) === true;
}

/** What is wrong with a normalised id of somebody in this country, in words that say what is expected; or null. */
export function taxIdMistake(
  value: string,
  { country, region }: { country: string; region: string | null },
): string | null {
  switch (taxIdKindOf(country)) {
    case 'gstin':
      return gstinMistake(value, region);
    case 'vat':
      return vatIdMistake(value, country);
    case 'other':
      return null;
  }
}

/** The same for a seller, who may be registered in other countries than its own: the id itself says where. */
export function sellerTaxIdMistake(
  { kind, value }: { kind: TaxIdKind; value: string },
  { region }: { region: string | null },
): string | null {
  switch (kind) {
    case 'gstin':
      return gstinMistake(value, region);
    case 'vat': {
      const country = countryOfVatId(value);
      if (country !== null) return vatIdMistake(value, country);
      return 'must begin with the prefix of a country whose VAT ids are known, such as DE123456789';
    }
    case 'other':
      return null;
  }
}

function countryOfVatId(value: string): string | null {
  const prefix = value.slice(0, 2) === 'EL' ? 'GR' : value.slice(0, 2);
  return Object.hasOwn(vatForms, prefix) ? prefix : null;
}

function vatIdMistake(value: string, country: string): string | null {
  const form = vatForms[country];
  if (form === undefined || form.pattern.test(value)) return null;
  return `must have the form of a VAT id of ${countryName(country)}, such as ${form.example}`;
}

const gstinForm = /^\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]$/;

function gstinMistake(value: string, region: string | null): string | null {
  if (!gstinForm.test(value) || !Object.hasOwn(indianStates, value.slice(0, 2))) {
    return 'must be a GSTIN: the two digits of the state, the ten characters of the PAN, then entity, Z and check character';
  }
  if (value.slice(-1) !== gstinCheckCharacter(value.slice(0, -1))) {
    return 'must end in the right check character; a character is mistyped';
  }
  if (region !== null && value.slice(0, 2) !== region) {
    return `must begin with the code of the state of the address, ${region}`;
  }
  return null;
}

/** Base 36; every other digit counts twice, and what exceeds one digit is folded into it. */
export function gstinCheckCharacter(body: string): string {
  const sum = [...body].reduce((total, character, index) => {
    const product = Number.parseInt(character, 36) * (index % 2 === 0 ? 1 : 2);
    return total + Math.floor(product / 36) + (product % 36);
  }, 0);
  return ((36 - (sum % 36)) % 36).toString(36).toUpperCase();
}
