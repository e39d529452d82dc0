import { describe, expect, it } from 'vitest';
import {
  americanAccountMistake,
  bicMistake,
  britishAccountMistake,
  britishPartsOf,
  groupedIban,
  hyphenatedSortCode,
  ibanMistake,
  ifscMistake,
  indianAccountMistake,
  normalisedNumber,
  routingNumberMistake,
  sortCodeMistake,
} from './bank-account-number.ts';

describe('a routing number', () => {
  it.each(['021000021', '011401533', '091000019', '110000000', '026009593', '322271627'])(
    '%s is one',
    (number) => {
      expect(routingNumberMistake(number)).toBeNull();
    },
  );

  it.each([
    ['021000022', 'check digit'],
    ['021000012', 'check digit'],
    ['201000021', 'check digit'],
    ['02100002', 'nine digits'],
    ['0210000210', 'nine digits'],
    ['02100O021', 'nine digits'],
    ['000000000', 'begin with'],
    ['500000005', 'begin with'],
    ['', 'nine digits'],
  ])('%s is none: %s', (number, why) => {
    expect(routingNumberMistake(number)).toContain(why);
  });

  it('with one digit changed is none, whichever it is', () => {
    const number = '021000021';
    for (let at = 0; at < number.length; at += 1) {
      for (const digit of '0123456789') {
        if (digit === number[at]) continue;
        const wrong = `${number.slice(0, at)}${digit}${number.slice(at + 1)}`;
        expect(routingNumberMistake(wrong), wrong).not.toBeNull();
      }
    }
  });
});

describe('an IBAN', () => {
  it.each([
    'GB29NWBK60161331926819',
    'DE89370400440532013000',
    'FR1420041010050500013M02606',
    'NL91ABNA0417164300',
    'BE68539007547034',
    'ES9121000418450200051332',
    'IT60X0542811101000000123456',
    'CH9300762011623852957',
    'NO9386011117947',
    'SE4550000000058398257466',
    'PL61109010140000071219812874',
    'MT84MALT011000012345MTLCAST001S',
    'SA0380000000608010167519',
    'AE070331234567890123456',
    'BR1800360305000010009795493C1',
    'LC55HEMM000100010012001200023015',
    'XK051212012345678906',
  ])('%s is one', (iban) => {
    expect(ibanMistake(iban)).toBeNull();
  });

  it.each([
    ['GB29NWBK60161331926818', 'check digits do not fit'],
    ['GB92NWBK60161331926819', 'check digits do not fit'],
    ['DE8937040044053201300', 'with 22 characters, as all of Germany have; this one has 21'],
    ['DE893704004405320130000', 'with 22 characters, as all of Germany have; this one has 23'],
    ['US64SVBKUS6S3300958879', 'US has none'],
    ['KE89370400440532013000', 'KE has none'],
    ['ZZ89370400440532013000', 'ZZ has none'],
    ['DEXX370400440532013000', 'must be an IBAN: a country'],
    ['89370400440532013000', 'must be an IBAN: a country'],
    ['', 'must be an IBAN: a country'],
  ])('%s is none: %s', (iban, why) => {
    expect(ibanMistake(iban)).toContain(why);
  });

  it('with two neighbours exchanged is none', () => {
    const iban = 'DE89370400440532013000';
    for (let at = 4; at + 1 < iban.length; at += 1) {
      if (iban[at] === iban[at + 1]) continue;
      const wrong = `${iban.slice(0, at)}${iban[at + 1]}${iban[at]}${iban.slice(at + 2)}`;
      expect(ibanMistake(wrong), wrong).not.toBeNull();
    }
  });

  it('is grouped for reading, and tells what a British one holds', () => {
    expect(groupedIban('DE89370400440532013000')).toBe('DE89 3704 0044 0532 0130 00');
    expect(groupedIban('NO9386011117947')).toBe('NO93 8601 1117 947');
    expect(groupedIban('BE68539007547034')).toBe('BE68 5390 0754 7034');
    expect(britishPartsOf('GB29NWBK60161331926819')).toEqual({
      sortCode: '601613',
      accountNumber: '31926819',
    });
    expect(britishPartsOf('DE89370400440532013000')).toBeNull();
  });
});

describe('a BIC', () => {
  it.each([
    'CHASUS33',
    'DEUTDEFF',
    'DEUTDEFF500',
    'NWBKGB2L',
    'BPOTBEB1',
    'REVOLT21',
    'TRWIBEB1XXX',
    'NCBVXKPR',
  ])('%s is one', (bic) => expect(bicMistake(bic)).toBeNull());

  it.each([
    ['CHASUS3', 'eight or eleven'],
    ['CHASUS333', 'eight or eleven'],
    ['CHASUS3333', 'eight or eleven'],
    ['CHA5US33', 'eight or eleven'],
    ['CHASU533', 'eight or eleven'],
    ['CHASZZ33', 'ZZ is none'],
    ['021000021', 'eight or eleven'],
    ['', 'eight or eleven'],
  ])('%s is none: %s', (bic, why) => expect(bicMistake(bic)).toContain(why));
});

it.each([
  ['601613', sortCodeMistake, true],
  ['60161', sortCodeMistake, false],
  ['6016134', sortCodeMistake, false],
  ['31926819', britishAccountMistake, true],
  ['1926819', britishAccountMistake, false],
  ['000123456789', americanAccountMistake, true],
  ['00000000', americanAccountMistake, false],
  ['XXXX1234', americanAccountMistake, false],
  ['123456789012345678', americanAccountMistake, false],
  ['HDFC0000001', ifscMistake, true],
  ['SBIN0005943', ifscMistake, true],
  ['HDFC1000001', ifscMistake, false],
  ['HDFC000001', ifscMistake, false],
  ['HDF00000001', ifscMistake, false],
  ['50100012345678', indianAccountMistake, true],
  ['12345678', indianAccountMistake, false],
])('%s is judged by its form', (value, mistakeIn, isGood) => {
  expect(mistakeIn(value) === null).toBe(isGood);
});

it.each([
  ['de89 3704 0044 0532 0130 00', 'DE89370400440532013000'],
  ['60-16-13', '601613'],
  ['60\u{2013}16\u{2013}13', '601613'],
  ['021\u{a0}000\u{200b}021', '021000021'],
  ['ＣＨＡＳＵＳ３３', 'CHASUS33'],
])('%s is read as %s', (written, number) => {
  expect(normalisedNumber(written)).toBe(number);
});

it('hyphenates a sort code', () => {
  expect(hyphenatedSortCode('601613')).toBe('60-16-13');
});
