/**
 * The number by which a bank knows a movement: a customer finds it on the confirmation of a wire, and a return names the
 * credit by it (knowledge: bank reconciliation §2.4 g3 and §4). Banks and people write it with and without separators.
 */
import type { BankTransaction } from './bank-transaction.ts';
import { searchedText } from './reference-text.ts';

/** Such a number as a person types it: six letters and digits at least, and what separates them. */
export const bankNumberForm = /^(?:[ ./:#_-]*[A-Za-z0-9]){6,48}[ ./:#_-]*$/;

/** A shorter number stands in many texts by chance. */
const LENGTH_MIN = 6;

/**
 * Whether a movement has this number, or names it as a word of its own. Never for a number of fewer than six letters and
 * digits, nor for null.
 */
export function hasBankNumber(
  { texts, bankReference }: Pick<BankTransaction, 'texts' | 'bankReference'>,
  number: string | null,
): boolean {
  const wanted = lettersAndDigits(number ?? '');
  if (wanted.length < LENGTH_MIN) return false;
  return lettersAndDigits(bankReference ?? '') === wanted || wordsOf(texts).includes(wanted);
}

function lettersAndDigits(text: string): string {
  return searchedText([text]).replace(/[^A-Z0-9]/g, '');
}

function wordsOf(texts: readonly string[]): string[] {
  return searchedText(texts).match(/[A-Z0-9]+/g) ?? [];
}
