import { describe, expect, it } from 'vitest';
import { readTransferConfiguration } from './transfer-configuration.ts';

const american = {
  id: 'usd',
  country: 'US',
  currency: 'USD',
  holder: 'Acme Inc.',
  bankName: 'JPMorgan Chase',
  bic: 'CHASUS33',
  scheme: 'us',
  achRoutingNumber: '021000021',
  accountNumber: '000123456789',
};
const british = {
  id: 'gbp',
  country: 'GB',
  currency: 'GBP',
  holder: 'Acme Ltd',
  bankName: 'NatWest',
  scheme: 'uk',
  sortCode: '60-16-13',
  accountNumber: '31926819',
  iban: 'GB29 NWBK 6016 1331 9268 19',
  bic: 'NWBKGB2L',
};
const german = {
  id: 'eur',
  country: 'DE',
  currency: 'EUR',
  holder: 'Acme GmbH',
  bankName: 'Commerzbank',
  scheme: 'iban',
  iban: 'de89 3704 0044 0532 0130 00',
};
const configuration = (...accounts: object[]) => ({ version: 1, accounts });
const mistakesOf = (json: unknown) => {
  const reading = readTransferConfiguration(json);
  return reading.ok ? [] : reading.mistakes.map(({ path, message }) => `${path}: ${message}`);
};
const pathsOf = (json: unknown) => mistakesOf(json).map((mistake) => mistake.split(':')[0]);

it('reads accounts as people write them, with numbers as banks do', () => {
  const kenyan = {
    ...{
      id: 'kes',
      country: 'KE',
      currency: 'KES',
      holder: 'Acme Kenya',
      bankName: 'KCB',
      bankAddress: 'Nairobi',
    },
    ...{ scheme: 'local', accountNumber: '1100 223344', fields: [{ label: 'Branch code', value: '068' }] },
  };
  const indian = {
    ...{ id: 'inr', country: 'IN', currency: 'INR', holder: 'Acme India', bankName: 'HDFC', scheme: 'india' },
    ...{ ifsc: 'hdfc0000001', accountNumber: '50100012345678' },
  };
  const json = {
    ...configuration(american, british, german, kenyan, indian),
    internationalWireAccountId: 'usd',
  };
  const absent = { holderAddress: null, bankAddress: null, bic: null };
  expect(readTransferConfiguration(JSON.parse(JSON.stringify(json)))).toEqual({
    ok: true,
    configuration: {
      version: 1,
      internationalWireAccountId: 'usd',
      accounts: [
        {
          ...absent,
          ...{ id: 'usd', country: 'US', currency: 'USD', holder: 'Acme Inc.', bankName: 'JPMorgan Chase' },
          bic: 'CHASUS33',
          numbers: {
            scheme: 'us',
            achRoutingNumber: '021000021',
            wireRoutingNumber: null,
            accountNumber: '000123456789',
          },
        },
        {
          ...absent,
          ...{ id: 'gbp', country: 'GB', currency: 'GBP', holder: 'Acme Ltd', bankName: 'NatWest' },
          bic: 'NWBKGB2L',
          numbers: {
            scheme: 'uk',
            sortCode: '601613',
            accountNumber: '31926819',
            iban: 'GB29NWBK60161331926819',
          },
        },
        {
          ...absent,
          ...{ id: 'eur', country: 'DE', currency: 'EUR', holder: 'Acme GmbH', bankName: 'Commerzbank' },
          numbers: { scheme: 'iban', iban: 'DE89370400440532013000' },
        },
        {
          ...absent,
          ...{ id: 'kes', country: 'KE', currency: 'KES', holder: 'Acme Kenya', bankName: 'KCB' },
          bankAddress: 'Nairobi',
          numbers: {
            scheme: 'local',
            accountNumber: '1100 223344',
            fields: [{ label: 'Branch code', value: '068' }],
          },
        },
        {
          ...absent,
          ...{ id: 'inr', country: 'IN', currency: 'INR', holder: 'Acme India', bankName: 'HDFC' },
          numbers: { scheme: 'india', ifsc: 'HDFC0000001', accountNumber: '50100012345678' },
        },
      ],
    },
  });
});

it('tells all mistakes at once, each with its field and without its value', () => {
  const json = {
    version: 0,
    accounts: [
      { ...american, achRoutingNumber: '021000022', accountNumber: 'xxxx1234', bic: 'CHASUS3', holder: '' },
      { ...german, iban: 'DE89370400440532013001', currency: 'EURO', curency: 'EUR' },
      { ...british, sortCode: 601613, iban: undefined },
    ],
    internationalWireAccountId: 'gone',
  };
  expect(mistakesOf(json)).toEqual([
    'version: must be a whole number from 1 on',
    'accounts.0.holder: must be given as a text',
    'accounts.0.bic: must be a BIC (SWIFT code) of eight or eleven characters, such as CHASUS33 or DEUTDEFF500',
    'accounts.0.achRoutingNumber: must be a routing number without a mistake: its check digit is wrong, so a digit is',
    'accounts.0.accountNumber: must be an account number of 4 to 17 digits',
    'accounts.1.currency: must be the code of a currency that is billed in, such as USD',
    'accounts.1.iban: must be an IBAN without a mistake: its check digits do not fit, so a character is wrong',
    'accounts.1.curency: is no field here; leave it out, or mend its name',
    'accounts.2.sortCode: must be given as a text',
    'internationalWireAccountId: must be the id of one of the accounts',
  ]);
  expect(JSON.stringify(readTransferConfiguration(json))).not.toMatch(
    /xxxx1234|021000022|DE89370400440532013001/,
  );
});

describe('numbers that do not fit together', () => {
  it.each([
    ['an IBAN of another country', { ...german, country: 'FR' }, ['accounts.0.iban']],
    ['a BIC of another country', { ...german, bic: 'CHASUS33' }, ['accounts.0.bic']],
    ['an IBAN of another account', { ...british, accountNumber: '31926818' }, ['accounts.0.iban']],
    ['an American scheme in Germany', { ...american, country: 'DE', bic: 'DEUTDEFF' }, ['accounts.0.scheme']],
  ])('are refused: %s', (_what, account, paths) => {
    expect(pathsOf(configuration(account))).toEqual(paths);
  });

  it.each([
    ['an account on Jersey', { ...british, country: 'JE' }],
    [
      'a French IBAN on Réunion',
      { ...german, country: 'RE', iban: 'FR1420041010050500013M02606', bic: 'BNPAFRPP' },
    ],
    ['an American account on Puerto Rico', { ...american, country: 'PR', bic: 'BPPRPRSX' }],
    ['a dollar account with an IBAN', { ...german, currency: 'USD' }],
  ])('are not: %s', (_what, account) => {
    expect(mistakesOf(configuration(account))).toEqual([]);
  });
});

it.each([
  ['no object', 'text', ['']],
  ['null', null, ['']],
  ['a list', [], ['']],
  ['nothing', {}, ['version', 'accounts']],
  ['no account', configuration(), ['accounts']],
  ['an account that is none', configuration('DE89370400440532013000' as never), ['accounts.0']],
  ['another scheme', configuration({ ...american, scheme: 'swift' }), ['accounts.0.scheme']],
  [
    'no routing number',
    configuration({ ...american, achRoutingNumber: null }),
    ['accounts.0.achRoutingNumber'],
  ],
  ['two accounts with one id', configuration(american, { ...german, id: 'usd' }), ['accounts.1.id']],
  ['two accounts for one payer', configuration(american, { ...american, id: 'usd2' }), ['accounts.1']],
  ['a name in two lines', configuration({ ...american, holder: 'Acme\nInc.' }), ['accounts.0.holder']],
  ['a name turned round', configuration({ ...american, holder: 'Acme\u202eInc.' }), ['accounts.0.holder']],
  ['a name too long', configuration({ ...american, holder: 'A'.repeat(71) }), ['accounts.0.holder']],
  [
    'wires into an account without BIC',
    { ...configuration(german), internationalWireAccountId: 'eur' },
    ['internationalWireAccountId'],
  ],
])('refuses %s', (_what, json, paths) => {
  expect(pathsOf(json)).toEqual(paths);
});
