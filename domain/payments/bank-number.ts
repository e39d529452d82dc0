/**
 * The number by which a bank knows a movement: a customer finds it on the confirmation of a wire, and a return names the
 * credit by it (knowledge: bank reconciliation §2.4 g3 and §4). Banks and people write it with and without separators.
 */
import type { BankTransaction } from './bank-transaction.ts';
import { searchedText } from './reference-text.ts';
import { isDateShaped } from './transfer-reference.ts';

/**
 * Such a number as a person types it: six letters and digits at least, of which four are digits, and what separates them. A
 * word that banks write with every transfer is none.
 */
export const bankNumberForm = /^(?=(?:[ ./:#_A-Za-z-]*[0-9]){4})(?:[ ./:#_-]*[A-Za-z0-9]){6,48}[ ./:#_-]*$/;

/** Shorter ones, words and days stand in many texts by chance. */
function isTelling(number: string): boolean {
  return number.length >= LENGTH_MIN && digitsIn(number) >= DIGITS_MIN && !isDay(number);
}

const LENGTH_MIN = 6;
const DIGITS_MIN = 4;

function digitsIn(number: string): number {
  return number.match(/[0-9]/g)?.length ?? 0;
}

function isDay(number: string): boolean {
  return /^[0-9]{8}$/.test(number) && isDateShaped(number);
}

/**
 * Whether a movement has this number, or names it as a word of its own. Never for what tells no movement from others
 * (too short, a word, a day), nor for null.
 */
export function hasBankNumber(
  { texts, bankReference }: Pick<BankTransaction, 'texts' | 'bankReference'>,
  number: string | null,
): boolean {
  const wanted = lettersAndDigits(number ?? '');
  if (!isTelling(wanted)) return false;
  return lettersAndDigits(bankReference ?? '') === wanted || wordsOf(texts).includes(wanted);
}

/** What the numbers that a movement has, or names, are looked up by. What tells no movement from others is none. */
export function bankNumbersIn({
  texts,
  bankReference,
}: Pick<BankTransaction, 'texts' | 'bankReference'>): string[] {
  const numbers = [lettersAndDigits(bankReference ?? ''), ...wordsOf(texts)];
  return [...new Set(numbers.filter(isTelling))].slice(0, NUMBERS_MAX);
}

/** No bank writes more of them. */
const NUMBERS_MAX = 60;

function lettersAndDigits(text: string): string {
  return searchedText([text]).replace(/[^A-Z0-9]/g, '');
}

function wordsOf(texts: readonly string[]): string[] {
  return searchedText(texts).match(/[A-Z0-9]+/g) ?? [];
}
