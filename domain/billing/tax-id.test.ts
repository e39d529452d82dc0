import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInEuropeanUnion } from '../countries.ts';
import {
  gstinCheckCharacter,
  isEuropeanVatId,
  normalisedTaxId,
  sellerTaxIdMistake,
  taxIdKindOf,
  taxIdMistake,
} from './tax-id.ts';

const valid: [country: string, ...ids: string[]][] = [
  ['AT', 'ATU12345678'],
  ['BE', 'BE0123456789', 'BE1123456789'],
  ['BG', 'BG123456789', 'BG1234567890'],
  ['CY', 'CY12345678X'],
  ['CZ', 'CZ12345678', 'CZ123456789', 'CZ1234567890'],
  ['DE', 'DE123456789'],
  ['DK', 'DK12345678'],
  ['EE', 'EE123456789'],
  ['ES', 'ESX12345678', 'ES12345678X', 'ESX1234567X'],
  ['FI', 'FI12345678'],
  ['FR', 'FR12345678901', 'FRX1123456789', 'FR1X123456789', 'FRXX123456789'],
  ['GR', 'EL123456789'],
  ['HR', 'HR12345678901'],
  ['HU', 'HU12345678'],
  ['IE', 'IE1234567A', 'IE1X23456A', 'IE1+23456A', 'IE1234567WI'],
  ['IT', 'IT12345678901'],
  ['LT', 'LT123456789', 'LT123456789012'],
  ['LU', 'LU12345678'],
  ['LV', 'LV12345678901'],
  ['MT', 'MT12345678'],
  ['NL', 'NL123456789B12'],
  ['PL', 'PL1234567890'],
  ['PT', 'PT123456789'],
  ['RO', 'RO12', 'RO1234567890'],
  ['SE', 'SE123456789012'],
  ['SI', 'SI12345678'],
  ['SK', 'SK1234567890'],
  ['GB', 'GB123456789', 'GB123456789012', 'GBGD123', 'GBHA123'],
  ['CH', 'CHE123456789', 'CHE-123.456.789 MWST', 'CHE123456789TVA'],
  ['NO', 'NO 123 456 789 MVA'],
];

describe('a VAT id', () => {
  it.each(valid)('of %s is known by its form', (country, ...ids) => {
    const place = { country, region: null };
    for (const written of ids) {
      const id = normalisedTaxId(written);
      expect(taxIdMistake(id, place)).toBeNull();
      expect(sellerTaxIdMistake({ kind: 'vat', value: id }, { region: null })).toBeNull();
      expect(isEuropeanVatId(id, country)).toBe(isInEuropeanUnion(country));
      for (const wrong of [
        `${id}12345678901`,
        id.slice(0, 3),
        id.slice(2),
        `XX${id.slice(2)}`,
        `${id} `,
        `\n${id}`,
      ]) {
        expect(taxIdMistake(wrong, place)).toMatch(/^must have the form of a VAT id of .+, such as [A-Z]{2}/);
        expect(isEuropeanVatId(wrong, country)).toBe(false);
      }
    }
  });

  it('is known for every member state of the European Union', () => {
    const known = valid.map(([country]) => country).filter(isInEuropeanUnion);
    expect(known).toHaveLength(27);
    for (const country of known) expect(taxIdKindOf(country)).toBe('vat');
  });

  it('of one country is none of another', () => {
    expect(taxIdMistake('DE123456789', { country: 'FR', region: null })).toContain('France');
    expect(isEuropeanVatId('DE123456789', 'FR')).toBe(false);
  });

  it('of a seller names its country by its prefix', () => {
    const mistake = (value: string) => sellerTaxIdMistake({ kind: 'vat', value }, { region: null });
    expect(mistake('US123')).toContain('prefix');
    expect(mistake('FR1')).toContain('France');
    expect(mistake('GR123456789')).toContain('EL123456789');
  });
});

describe('a GSTIN', () => {
  const karnataka = { country: 'IN', region: '29' };

  it('has a check character', () => {
    expect(gstinCheckCharacter('27AAPFU0939F1Z')).toBe('V');
    expect(taxIdMistake('27AAPFU0939F1ZV', { country: 'IN', region: '27' })).toBeNull();
    expect(taxIdMistake('29AAPFU0939F1ZR', karnataka)).toBeNull();
    expect(taxIdMistake('29AAPFU0939F1ZV', karnataka)).toContain('mistyped');
  });

  it.each(['', '29AAPFU0939F1Z', '29AAPFU0939F0ZR', '29AAPFU0939F1YR', '2AAAPFU0939F1ZR', '00AAPFU0939F1ZR'])(
    '%j is none',
    (value) => {
      expect(taxIdMistake(value, karnataka)).toContain('must be a GSTIN');
    },
  );

  it('belongs to the state of the address', () => {
    expect(taxIdMistake('27AAPFU0939F1ZV', karnataka)).toContain('29');
    const own = { kind: 'gstin' as const, value: '27AAPFU0939F1ZV' };
    expect(sellerTaxIdMistake(own, { region: '27' })).toBeNull();
    expect(sellerTaxIdMistake(own, { region: '29' })).toContain('29');
  });

  it('with one character mistyped is refused', () => {
    const body = fc.tuple(
      fc.stringMatching(/^[A-Z]{5}$/),
      fc.stringMatching(/^[0-9]{4}$/),
      fc.stringMatching(/^[A-Z][1-9A-Z]$/),
    );
    fc.assert(
      fc.property(body, fc.nat(13), fc.nat(34), ([name, digits, end], place, step) => {
        const right = `29${name}${digits}${end}Z`;
        const wrong = [...right];
        wrong[place] = ((Number.parseInt(right[place] ?? '0', 36) + 1 + step) % 36)
          .toString(36)
          .toUpperCase();
        expect(gstinCheckCharacter(wrong.join(''))).not.toBe(gstinCheckCharacter(right));
      }),
    );
  });
});

describe('an id of a country whose form is not known', () => {
  it('is taken as it is', () => {
    expect(taxIdKindOf('US')).toBe('other');
    expect(taxIdMistake('12-3456789', { country: 'US', region: 'CA' })).toBeNull();
    expect(sellerTaxIdMistake({ kind: 'other', value: '123' }, { region: null })).toBeNull();
  });
});
