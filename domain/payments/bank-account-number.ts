/**
 * Numbers that money is sent by: ABA routing numbers, IBANs, BICs, British sort codes and account numbers, India's IFSC.
 * A check digit says that a number was not mistyped, not that the account exists: nobody is asked.
 *
 * Sources: the ABA's routing number policy; ISO 13616 and SWIFT's IBAN registry for the lengths and what stands where; ISO 9362;
 * Pay.UK; the Reserve Bank of India for the IFSC.
 */
import { countries, countryName } from '../countries.ts';

/** Without the spaces, hyphens and dots people write, in capitals; also what a text that was copied from a page brings along. */
export function normalisedNumber(value: string): string {
  return value
    .normalize('NFKC')
    .replaceAll(/[\s.\p{Pd}\p{Cf}]/gu, '')
    .toUpperCase();
}

/**
 * What is wrong with a normalised number, in words that follow the name of its field and say what is expected; null where
 * nothing is.
 */
type MistakeIn = (value: string) => string | null;

/** Nine digits weighted 3-7-1; their sum ends in 0. */
export const routingNumberMistake: MistakeIn = (value) => {
  if (!/^\d{9}$/.test(value)) return 'must be an ABA routing number: nine digits, such as 021000021';
  const sum = [...value].reduce(
    (total, digit, at) => total + Number(digit) * (routingWeights[at % 3] ?? 0),
    0,
  );
  if (sum % 10 !== 0)
    return 'must be a routing number without a mistake: its check digit is wrong, so a digit is';
  // Government, Federal Reserve districts, thrifts, electronic transactions, traveller's cheques: no others are handed out.
  if (!/^(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(value) || Number(value) === 0) {
    return 'must be a routing number that a bank can have: they begin with 00 to 12, 21 to 32, 61 to 72 or 80';
  }
  return null;
};

const routingWeights: readonly number[] = [3, 7, 1];

/** Country, two check digits by ISO 7064 mod 97-10, and as many characters as the country's banks use. */
export const ibanMistake: MistakeIn = (value) => {
  const form = /^([A-Z]{2})\d{2}[0-9A-Z]{10,30}$/.exec(value);
  if (form === null)
    return 'must be an IBAN: a country, two check digits and the account, such as DE89370400440532013000';
  const country = form[1] ?? '';
  const length = ibanLengths.get(country);
  if (length === undefined) return `must be an IBAN of a country that has them; ${country} has none`;
  if (value.length !== length) {
    return `must be an IBAN with ${length} characters, as all of ${countryName(country)} have; this one has ${value.length}`;
  }
  // 00, 01 and 99 leave the same remainders as 97, 98 and 02, which are the ones that are given.
  const given = /^..(?:0[2-9]|[1-8]\d|9[0-8])/.test(value);
  if (!given || remainderOf97(`${value.slice(4)}${value.slice(0, 4)}`) !== 1) {
    return 'must be an IBAN without a mistake: its check digits do not fit, so a character is wrong';
  }
  return null;
};

/** Letters count from A = 10. Digit by digit, as the whole is longer than a number can hold. */
function remainderOf97(characters: string): number {
  let remainder = 0;
  for (const character of characters) {
    for (const digit of String(Number.parseInt(character, 36)))
      remainder = (remainder * 10 + Number(digit)) % 97;
  }
  return remainder;
}

/** Bank, country, place, and a branch where eleven characters are given. All banks that are reached have letters only. */
export const bicMistake: MistakeIn = (value) => {
  const form = /^[A-Z]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/.exec(value);
  if (form === null)
    return 'must be a BIC (SWIFT code) of eight or eleven characters, such as CHASUS33 or DEUTDEFF500';
  const country = form[1] ?? '';
  if (!countries.includes(country) && country !== KOSOVO) {
    return `must be a BIC with a country as its fifth and sixth letter; ${country} is none`;
  }
  return null;
};

export const sortCodeMistake: MistakeIn = (value) =>
  /^\d{6}$/.test(value) ? null : 'must be a British sort code: six digits, such as 60-16-13';

export const britishAccountMistake: MistakeIn = (value) =>
  /^\d{8}$/.test(value)
    ? null
    : 'must be a British account number: eight digits, with zeros before a shorter one';

export const americanAccountMistake: MistakeIn = (value) =>
  /^\d{4,17}$/.test(value) && /[1-9]/.test(value) ? null : 'must be an account number of 4 to 17 digits';

/** The bank's four letters, a zero, and six characters of its branch. */
export const ifscMistake: MistakeIn = (value) =>
  /^[A-Z]{4}0[A-Z0-9]{6}$/.test(value)
    ? null
    : 'must be an IFSC: four letters, a zero and six characters, such as HDFC0000001';

export const indianAccountMistake: MistakeIn = (value) =>
  /^\d{9,18}$/.test(value) ? null : 'must be an Indian account number of 9 to 18 digits';

/** The country whose banks an IBAN or BIC of such a territory belongs to: French and British ones, and Åland. */
export function bankingCountry(country: string): string {
  return territories.get(country) ?? country;
}

/** The country on whose payment systems the banks of such a territory are: American ones have BICs of their own. */
export function clearingCountry(country: string): string {
  return americanTerritories.has(country) ? 'US' : bankingCountry(country);
}

const americanTerritories: ReadonlySet<string> = new Set(['AS', 'GU', 'MP', 'PR', 'VI']);

const territories: ReadonlyMap<string, string> = new Map([
  ...'BL GF GP MF MQ NC PF PM RE TF WF YT'.split(' ').map((code) => [code, 'FR'] as const),
  ...'GG IM JE'.split(' ').map((code) => [code, 'GB'] as const),
  ['AX', 'FI'],
]);

/** Country of a valid IBAN. */
export function ibanCountry(iban: string): string {
  return iban.slice(0, 2);
}

/** Country of a valid BIC. */
export function bicCountry(bic: string): string {
  return bic.slice(4, 6);
}

/** What a valid British IBAN holds; null for those of other countries. */
export function britishPartsOf(iban: string): { sortCode: string; accountNumber: string } | null {
  if (ibanCountry(iban) !== 'GB') return null;
  return { sortCode: iban.slice(8, 14), accountNumber: iban.slice(14) };
}

/** A valid IBAN up to the end of the account's number: in some countries check digits, an owner or a currency come behind it. */
export function untilAccountNumber(iban: string): string {
  return iban.slice(0, iban.length - (behindAccountNumber.get(ibanCountry(iban)) ?? 0));
}

/** For reading aloud: `DE89 3704 0044 0532 0130 00`. */
export function groupedIban(iban: string): string {
  return iban.replaceAll(/(.{4})(?=.)/g, '$1 ');
}

/** For reading aloud: `60-16-13`. */
export function hyphenatedSortCode(sortCode: string): string {
  return sortCode.replaceAll(/(\d{2})(?=\d)/g, '$1-');
}

/** Has IBANs and BICs, but no code of ISO 3166. */
const KOSOVO = 'XK';

/** Characters of a whole IBAN, by country. */
const ibanLengths = countsByCountry(
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 ' +
    'FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 ' +
    'LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 ' +
    'RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30',
);

/** Of those, how many stand behind the account's number. */
const behindAccountNumber = countsByCountry(
  'BA2 BE2 BI2 BR2 DJ2 DK1 EE1 FO1 FR2 GL1 HU1 IS10 MC2 ME2 MK2 MR2 MU6 NO1 PT2 RS2 SC3 SE1 SI2 ST2 TL2 TN2 XK2',
);

function countsByCountry(entries: string): ReadonlyMap<string, number> {
  return new Map(entries.split(' ').map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]));
}
