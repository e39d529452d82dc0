/** Codes people type: made by chance, and told apart without regard to case. */
import { randomInt } from 'node:crypto';

/** Without characters that are taken for one another: Crockford's base 32. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Ten characters that nobody guesses: 50 bits. */
export function randomCode(): string {
  return Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join('');
}

export function normalisedCode(code: string): string {
  return code.trim().toUpperCase();
}
