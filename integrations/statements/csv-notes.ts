/**
 * Rows of a CSV that are no movement. Left out is only what cannot be one: a row that calls itself a balance and has no amount or
 * no other word, and behind the last movement what has no day and is a sum or a remark. Any other row that has a day and an
 * amount is read, whatever it calls itself.
 */

/**
 * `Opening balance`, `BALANCE BROUGHT FORWARD`, `Kontostand am 05.03.2026`: the balance stands in another column. Where it stands
 * among the amounts, a bank gives it no name, account or purpose; `Saldo` alone is what people write who pay the rest.
 */
export function isBalanceLine(
  cells: readonly string[],
  { hasAmount, hasPayer }: { hasAmount: boolean; hasPayer: boolean },
): boolean {
  if (!hasAmount) return cells.some((cell) => balanceWords.test(cell));
  if (hasPayer) return false;
  const [only = '', ...others] = cells.filter((cell) => /\p{L}{4}/u.test(cell));
  return others.length === 0 && balanceName.test(only.trim());
}

const balanceName =
  /^(?:(?:anfangs|begin|end|eind|schluss)saldo|(?:opening|beginning|closing|ending) balance)$/i;

const balanceWords =
  /^\W*(?:(?:opening|beginning|starting|previous|closing|ending|final|current|available|ledger|account) )?balance\b|^\W*[bc]\/f\W*$|^\W*(?:\w+ )?(?:saldo|kontostand|solde)\b|^\W*(?:anfangs|end|eind|begin)saldo\b/i;

/** `date` is what stands where the day should; that it cannot be read as one is for the caller to know. */
export function isFooter(
  cells: readonly string[],
  { date, hasAmount }: { date: string; hasAmount: boolean },
): boolean {
  if (/^\W*\d/.test(date)) return false;
  const isSum = cells.some((cell) => sumWords.test(cell) || balanceWords.test(cell));
  return isSum || (!hasAmount && date !== '');
}

/** The whole cell, so that a customer whose name begins with such a word is none. */
const sumWords =
  /^\W*(?:(?:grand|sub|page) ?)?(?:totals?|sum|(?:gesamt|zwischen)?summe|summa|gesamt|totaal|totale|suma|razem)(?: (?:credits?|debits?|amounts?|in|out|paid in|paid out|umsätze|gutschriften|belastungen|lastschriften|haben|soll))?\W*$/i;
