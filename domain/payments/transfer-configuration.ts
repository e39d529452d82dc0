/**
 * The accounts on which a tenant is paid, as it configures them: one document with a version, which every invoice keeps
 * beside its instructions. A wrong digit in here sends customers' money to strangers, so whatever can be checked is, and all
 * mistakes are told at once.
 */
import { countries, countryName } from '../countries.ts';
import { isCurrency } from '../money.ts';
import {
  americanAccountMistake,
  bankingCountry,
  bicCountry,
  bicMistake,
  britishAccountMistake,
  britishPartsOf,
  clearingCountry,
  ibanCountry,
  ibanMistake,
  ifscMistake,
  indianAccountMistake,
  normalisedNumber,
  routingNumberMistake,
  sortCodeMistake,
} from './bank-account-number.ts';

/** How an account is addressed within its country; a BIC makes it reachable from elsewhere. */
export type AccountNumbers =
  | {
      scheme: 'us';
      /** Of ACH transfers; null where the bank takes wires only. */
      achRoutingNumber: string | null;
      /** Of domestic wires; many banks have another one for them. Null where there is only the other. */
      wireRoutingNumber: string | null;
      accountNumber: string;
    }
  | { scheme: 'iban'; iban: string }
  | { scheme: 'uk'; sortCode: string; accountNumber: string; iban: string | null }
  | { scheme: 'india'; ifsc: string; accountNumber: string }
  /** Whatever else a country's banks ask for, in the order in which a person types it. */
  | { scheme: 'local'; accountNumber: string; fields: readonly LocalField[] };

/** `{ label: 'Branch code', value: '068' }` */
export type LocalField = { label: string; value: string };

export type ReceivingAccount = {
  /** Ours, by which a feed's account is told apart: `usd-main`. */
  id: string;
  /** Where the account is: ISO 3166-1 alpha-2. */
  country: string;
  /** What it is held in: ISO 4217. */
  currency: string;
  /** As the bank knows the owner; at most 70 characters, as transfers carry no more. */
  holder: string;
  /** Wires from abroad ask for it. */
  holderAddress: string | null;
  bankName: string;
  bankAddress: string | null;
  bic: string | null;
  numbers: AccountNumbers;
};

export type TransferConfiguration = {
  /** Counts up; what an invoice was told is found by it. */
  version: number;
  accounts: readonly ReceivingAccount[];
  /** The account for whoever can pay into no other one; it takes wires in any currency, which the bank converts. */
  internationalWireAccountId: string | null;
};

/** `path` is the field, as in `accounts.0.iban`; `message` follows it. No value is repeated. */
export type ConfigurationMistake = { path: string; message: string };

export type ConfigurationReading =
  | { ok: true; configuration: TransferConfiguration }
  | { ok: false; mistakes: readonly ConfigurationMistake[] };

/** Reads a configuration as it was sent: JSON with the fields of the types above, the numbers of an account beside its name. */
export function readTransferConfiguration(json: unknown): ConfigurationReading {
  const mistakes: ConfigurationMistake[] = [];
  const root = fieldsOf(json, { path: '', mistakes });
  const version = root.wholeNumber('version');
  const accounts = root.list('accounts').map(readAccount);
  const internationalWireAccountId = root.optionalText('internationalWireAccountId', ID_MAX);
  root.nothingElse();
  if (accounts.length === 0 && !mistakes.some(({ path }) => ['', 'accounts'].includes(path))) {
    root.refuse('accounts', 'must have one account at least');
  }
  refuseTwins(accounts, root);
  const wireAccount = accounts.find(({ id }) => id === internationalWireAccountId);
  if (internationalWireAccountId !== null && wireAccount === undefined) {
    root.refuse('internationalWireAccountId', 'must be the id of one of the accounts');
  }
  if (wireAccount !== undefined && wireAccount.bic === null) {
    root.refuse(
      'internationalWireAccountId',
      'must be the id of an account with a BIC: wires from abroad need it',
    );
  }
  if (mistakes.length > 0) return { ok: false, mistakes };
  return { ok: true, configuration: { version, accounts, internationalWireAccountId } };
}

const ID_MAX = 60;
const NAME_MAX = 70;
const ADDRESS_MAX = 140;
const FIELDS_MAX = 10;

function readAccount(account: Fields): ReceivingAccount {
  const country = account.checked('country', (code) =>
    countries.includes(code) ? null : 'must be the code of a country with two letters, such as US',
  );
  const currency = account.checked('currency', (code) =>
    isCurrency(code) ? null : 'must be the code of a currency that is billed in, such as USD',
  );
  const read = {
    id: account.text('id', ID_MAX),
    country,
    currency,
    holder: account.text('holder', NAME_MAX),
    holderAddress: account.optionalText('holderAddress', ADDRESS_MAX),
    bankName: account.text('bankName', NAME_MAX),
    bankAddress: account.optionalText('bankAddress', ADDRESS_MAX),
    bic: account.optionalChecked('bic', bicMistake),
    numbers: readNumbers(account),
  };
  account.nothingElse();
  refuseContradictions(read, account);
  return read;
}

function readNumbers(account: Fields): AccountNumbers {
  const scheme = account.text('scheme', ID_MAX);
  switch (scheme) {
    case 'us': {
      const achRoutingNumber = account.optionalChecked('achRoutingNumber', routingNumberMistake);
      const wireRoutingNumber = account.optionalChecked('wireRoutingNumber', routingNumberMistake);
      if (!account.has('achRoutingNumber') && !account.has('wireRoutingNumber')) {
        account.refuse('achRoutingNumber', 'must be given, or wireRoutingNumber: without one nobody can pay');
      }
      const accountNumber = account.checked('accountNumber', americanAccountMistake);
      return { scheme, achRoutingNumber, wireRoutingNumber, accountNumber };
    }
    case 'iban':
      return { scheme, iban: account.checked('iban', ibanMistake) };
    case 'uk':
      return {
        scheme,
        sortCode: account.checked('sortCode', sortCodeMistake),
        accountNumber: account.checked('accountNumber', britishAccountMistake),
        iban: account.optionalChecked('iban', ibanMistake),
      };
    case 'india':
      return {
        scheme,
        ifsc: account.checked('ifsc', ifscMistake),
        accountNumber: account.checked('accountNumber', indianAccountMistake),
      };
    case 'local': {
      const fields = account.list('fields', { optional: true }).map(readLocalField);
      if (fields.length > FIELDS_MAX) account.refuse('fields', `must be ${FIELDS_MAX} at most`);
      return { scheme, accountNumber: account.text('accountNumber', NAME_MAX), fields };
    }
    default:
      // An absent one is told already.
      if (scheme !== '') account.refuse('scheme', 'must be us, iban, uk, india or local');
      account.takeAll();
      return { scheme: 'local', accountNumber: '', fields: [] };
  }
}

function readLocalField(field: Fields): LocalField {
  const read = { label: field.text('label', NAME_MAX), value: field.text('value', NAME_MAX) };
  field.nothingElse();
  return read;
}

/** Numbers that are right each by itself, but not together: one of them was copied from another account. */
function refuseContradictions({ country, bic, numbers }: ReceivingAccount, account: Fields): void {
  const home = schemeCountry[numbers.scheme];
  if (home !== undefined && country !== '' && clearingCountry(country) !== home) {
    account.refuse(
      'scheme',
      `must fit the country: ${numbers.scheme} is for accounts in ${countryName(home)}`,
    );
  }
  const iban = 'iban' in numbers ? (numbers.iban ?? '') : '';
  if (iban !== '' && country !== '' && ibanCountry(iban) !== bankingCountry(country)) {
    account.refuse(
      'iban',
      `must be of the account's country, ${country}; this one begins with ${ibanCountry(iban)}`,
    );
  }
  const bankHome = iban === '' ? country : ibanCountry(iban);
  if (
    bic !== null &&
    bic !== '' &&
    bankHome !== '' &&
    bankingCountry(bicCountry(bic)) !== bankingCountry(bankHome)
  ) {
    account.refuse(
      'bic',
      `must be of a bank in ${bankingCountry(bankHome)}, as the account is; this one is of ${bicCountry(bic)}`,
    );
  }
  if (numbers.scheme !== 'uk' || iban === '') return;
  const within = britishPartsOf(iban);
  const isSame = within?.sortCode === numbers.sortCode && within.accountNumber === numbers.accountNumber;
  if (within !== null && numbers.sortCode !== '' && numbers.accountNumber !== '' && !isSame) {
    account.refuse('iban', 'must hold the sort code and the account number that are given beside it');
  }
}

const schemeCountry: Readonly<Record<string, string>> = { us: 'US', uk: 'GB', india: 'IN' };

/** Of two accounts for the same payers the second would never be shown. */
function refuseTwins(accounts: readonly ReceivingAccount[], root: Fields): void {
  for (const [index, account] of accounts.entries()) {
    const before = accounts.slice(0, index);
    if (account.id !== '' && before.some(({ id }) => id === account.id)) {
      root.refuse(`accounts.${index}.id`, 'must be another one than that of an account before it');
    }
    const { country, currency } = account;
    const isKnown = country !== '' && currency !== '';
    if (isKnown && before.some((other) => other.country === country && other.currency === currency)) {
      root.refuse(
        `accounts.${index}`,
        `must be the only account for ${currency} in ${country}; there is one before it`,
      );
    }
  }
}

/** What is written in one object of the document. A field that is missing or wrong reads as empty and is told. */
type Fields = {
  has(name: string): boolean;
  text(name: string, max: number): string;
  optionalText(name: string, max: number): string | null;
  /** A number or code: read without the spaces and hyphens people write. */
  checked(name: string, mistakeIn: (value: string) => string | null): string;
  optionalChecked(name: string, mistakeIn: (value: string) => string | null): string | null;
  wholeNumber(name: string): number;
  list(name: string, options?: { optional: boolean }): Fields[];
  /** Tells of fields that nothing has asked for: a misspelt one would be ignored otherwise. */
  nothingElse(): void;
  takeAll(): void;
  refuse(name: string, message: string): void;
};

function fieldsOf(
  json: unknown,
  { path, mistakes }: { path: string; mistakes: ConfigurationMistake[] },
): Fields {
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  const values = new Map<string, unknown>(isObject ? Object.entries(json) : []);
  const asked = new Set<string>();
  const at = (name: string) => [path, name].filter((part) => part !== '').join('.');
  const refuse = (name: string, message: string) => void mistakes.push({ path: at(name), message });
  if (!isObject) refuse('', 'must be an object');

  const given = (name: string): unknown => {
    asked.add(name);
    return values.get(name) ?? undefined;
  };
  const textOf = (name: string, max: number, value: unknown): string => {
    if (!isObject) return '';
    const text = typeof value === 'string' ? value.trim().normalize('NFC') : '';
    if (text === '') refuse(name, 'must be given as a text');
    else if (text.length > max) refuse(name, `must have ${max} characters at most`);
    else if (/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text))
      refuse(name, 'must be one line without invisible characters');
    else return text;
    return '';
  };
  const checkedOf = (name: string, value: unknown, mistakeIn: (value: string) => string | null): string => {
    const text = normalisedNumber(
      textOf(name, ADDRESS_MAX, typeof value === 'string' ? visible(value) : value),
    );
    const mistake = text === '' ? null : mistakeIn(text);
    if (mistake === null) return text;
    refuse(name, mistake);
    return '';
  };

  return {
    has: (name) => given(name) !== undefined,
    text: (name, max) => textOf(name, max, given(name)),
    optionalText(name, max) {
      const value = given(name);
      return value === undefined ? null : textOf(name, max, value);
    },
    checked: (name, mistakeIn) => checkedOf(name, given(name), mistakeIn),
    optionalChecked(name, mistakeIn) {
      const value = given(name);
      return value === undefined ? null : checkedOf(name, value, mistakeIn);
    },
    wholeNumber(name) {
      const value = given(name);
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
      if (isObject) refuse(name, 'must be a whole number from 1 on');
      return 1;
    },
    list(name, { optional } = { optional: false }) {
      const value = given(name);
      if (optional && value === undefined) return [];
      if (Array.isArray(value)) {
        return value.map((item: unknown, index) =>
          fieldsOf(item, { path: at(`${name}.${index}`), mistakes }),
        );
      }
      if (isObject) refuse(name, 'must be a list');
      return [];
    },
    nothingElse() {
      for (const name of values.keys()) {
        if (!asked.has(name)) refuse(name, 'is no field here; leave it out, or mend its name');
      }
    },
    takeAll() {
      for (const name of values.keys()) asked.add(name);
    },
    refuse,
  };
}

/** A number that was copied from a page brings marks along that nobody sees. */
function visible(value: string): string {
  return value.replaceAll(/\p{Cf}/gu, '');
}
