/**
 * Whether a statement file is of an account. Files name accounts in more ways than one: by the IBAN or by the number in it,
 * with the bank's own number before it, with spaces or hyphens, with a currency behind it.
 */
import { ibanMistake, untilAccountNumber } from './bank-account-number.ts';

/** As an account is kept and compared: letters and digits alone, in capitals. */
export function plainAccount(text: string): string {
  return text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '');
}

/** What is wrong with a plain account that looks like an IBAN and is none; null for others. */
export function statementAccountMistake(plain: string): string | null {
  return isIbanLike(plain) ? ibanMistake(plain) : null;
}

/** Whether it can only be an IBAN, with or without a mistake in it. Without spaces, in capitals. */
export function isIbanLike(account: string): boolean {
  return /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(account);
}

/** How a file names the account it is of. */
export type NamedAccount = { id: string; iban: string | null; bankId: string | null };

/** `plain` as it is kept. */
export function isAccountOf(plain: string, file: NamedAccount): boolean {
  return namesOf(file).some((name) => isSame(plain, name));
}

/** Of an account that is known by the end of its number alone. An end that says too little excludes no file. */
export function mayBeAccountOf(mask: string | null, file: NamedAccount): boolean {
  return tellingEnd(mask) === null || namesOf(file).some((name) => hasEnd(name, mask));
}

/** Whether a number ends like this, as a feed tells it or people write it (`…3000`). */
export function hasEnd(number: string, mask: string | null): boolean {
  const end = tellingEnd(mask);
  if (end === null) return false;
  const plain = plainAccount(number);
  const numbers = [plain, withoutCurrency(plain)];
  const ibans = numbers.filter((each) => ibanMistake(each) === null);
  return [...numbers, ...ibans.map(untilAccountNumber)].some((each) => each.endsWith(end));
}

/** Null for one so short that it fits by chance. */
export function tellingEnd(mask: string | null): string | null {
  const end = plainAccount(mask ?? '').replace(/^X+/, '');
  return end.length < SHOWN ? null : end;
}

function namesOf({ id, iban, bankId }: NamedAccount): string[] {
  const last = /[^/]*$/.exec(id)?.[0] ?? '';
  return [id, last, iban ?? '', `${bankId ?? ''}${id}`].map(plainAccount).filter((name) => name !== '');
}

function isSame(one: string, other: string): boolean {
  if (withoutZeros(one) === withoutZeros(other)) return true;
  const ibans = [one, other].filter((each) => ibanMistake(each) === null);
  const [iban] = ibans;
  if (iban === undefined || ibans.length === 2) return false;
  const number = iban === one ? other : one;
  return withoutCurrency(number) === iban || (number.length >= SHORTEST_NUMBER && iban.endsWith(number));
}

function withoutZeros(plain: string): string {
  return plain.replace(/^0+(?=.)/, '');
}

function withoutCurrency(plain: string): string {
  return plain.replace(/[A-Z]{3}$/, '');
}

/** Fewer digits than this say too little of an IBAN. */
const SHORTEST_NUMBER = 6;

/** The end of an account's number, which tells it from others without telling it. */
export function endOf(plain: string): string {
  return `…${plain.slice(-SHOWN)}`;
}

const SHOWN = 4;
