import { describe, expect, it } from 'vitest';
import { epcQrOfTransfer, epcQrText } from './epc-qr.ts';
import { readTransferConfiguration } from './transfer-configuration.ts';
import { instructionsFor } from './transfer-instructions.ts';

const eur = (amountMinor: number) => ({ amountMinor, currency: 'EUR' });
const request = {
  holder: 'Red Cross of Belgium',
  iban: 'BE72000000001616',
  bic: 'BPOTBEB1',
  amount: eur(100),
  reference: 'ADV48213075',
};

describe('the code', () => {
  it.each([
    [
      'with a BIC',
      request,
      'BCD\n002\n1\nSCT\nBPOTBEB1\nRed Cross of Belgium\nBE72000000001616\nEUR1.00\n\n\nADV48213075',
    ],
    [
      'without a BIC, within the EEA',
      {
        ...request,
        bic: null,
        holder: 'Wikimedia Fördergesellschaft',
        iban: 'DE33100205000001194700',
        amount: eur(12_345),
      },
      'BCD\n002\n1\nSCT\n\nWikimedia Fördergesellschaft\nDE33100205000001194700\nEUR123.45\n\n\nADV48213075',
    ],
    [
      'of an account outside the EEA',
      { ...request, bic: 'UBSWCHZH80A', iban: 'CH9300762011623852957' },
      'BCD\n002\n1\nSCT\nUBSWCHZH80A\nRed Cross of Belgium\nCH9300762011623852957\nEUR1.00\n\n\nADV48213075',
    ],
    [
      'of the smallest amount',
      { ...request, amount: eur(1) },
      'BCD\n002\n1\nSCT\nBPOTBEB1\nRed Cross of Belgium\nBE72000000001616\nEUR0.01\n\n\nADV48213075',
    ],
    [
      'of the largest amount',
      { ...request, amount: eur(99_999_999_999) },
      'BCD\n002\n1\nSCT\nBPOTBEB1\nRed Cross of Belgium\nBE72000000001616\nEUR999999999.99\n\n\nADV48213075',
    ],
  ])('%s', (_what, given, text) => {
    expect(epcQrText(given)).toBe(text);
  });
});

it.each([
  ['dollars', { amount: { amountMinor: 100, currency: 'USD' } }, 'in EUR, not in USD'],
  ['nothing', { amount: eur(0) }, '0.01 to 999999999.99'],
  ['too much', { amount: eur(100_000_000_000) }, '0.01 to 999999999.99'],
  ['a name of 71 characters', { holder: 'A'.repeat(71) }, '1 to 70 characters'],
  ['a name in two lines', { holder: 'Red\nCross' }, 'one line'],
  ['no name', { holder: ' ' }, '1 to 70 characters'],
  ['a text of 141 characters', { reference: 'A'.repeat(141) }, '1 to 140 characters'],
  ['a mistyped IBAN', { iban: 'BE72000000001617' }, 'check digits do not fit'],
  ['an account outside SEPA', { iban: 'SA0380000000608010167519' }, 'in SA'],
  ['a Swiss account without BIC', { iban: 'CH9300762011623852957', bic: null }, 'needs its BIC'],
  ['a mistyped BIC', { bic: 'BPOTBEB' }, 'eight or eleven'],
  ['more bytes than fit', { holder: '汉'.repeat(70), reference: '汉'.repeat(60) }, 'more than 331 bytes'],
])('refuses %s', (_what, differs, message) => {
  const act = () => epcQrText({ ...request, ...differs });
  expect(act).toThrow(RangeError);
  expect(act).toThrow(message);
});

describe('the code of instructions', () => {
  const account = {
    ...{ id: 'eur', country: 'DE', currency: 'EUR', holder: 'Acme GmbH', bankName: 'Commerzbank' },
    ...{ bic: 'COBADEFF', scheme: 'iban', iban: 'DE89370400440532013000' },
  };
  const codeFor = (country: string, amountMinor: number, currency = 'EUR') => {
    const read = readTransferConfiguration({
      version: 1,
      accounts: [account],
      internationalWireAccountId: 'eur',
    });
    if (!read.ok) throw new Error('The account is wrong');
    const instructions = instructionsFor({ configuration: read.configuration, country, currency });
    if (instructions === null) throw new Error('There is no route');
    return epcQrOfTransfer({ instructions, amount: { amountMinor, currency }, reference: 'ADV48213075' });
  };

  it('is there for a transfer within SEPA', () => {
    expect(codeFor('FR', 45_000)).toBe(
      'BCD\n002\n1\nSCT\nCOBADEFF\nAcme GmbH\nDE89370400440532013000\nEUR450.00\n\n\nADV48213075',
    );
  });

  it.each([
    ['from abroad', 'US', 45_000, 'EUR'],
    ['of another currency', 'DE', 45_000, 'USD'],
    ['of nothing', 'DE', 0, 'EUR'],
    ['of more than a code can hold', 'DE', 100_000_000_000, 'EUR'],
  ])('is not there for one %s', (_title, country, amountMinor, currency) => {
    expect(codeFor(country, amountMinor, currency)).toBeNull();
  });
});
