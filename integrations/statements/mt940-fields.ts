/** Fields of an MT940 that stand once on a page: the account (`:25:`) and the balances (`:60F:`, `:62F:`). */
import { isCurrency } from '../../domain/money.ts';
import { ibanMistake } from '../../domain/payments/bank-account-number.ts';
import { isIbanLike } from '../../domain/payments/statement-account.ts';
import { knownCurrency } from './amounts.ts';
import type { BookedBalance } from './balance-check.ts';
import { swiftDay, swiftMinor } from './mt940-statement-line.ts';
import { quoted, StatementError } from './statement-error.ts';
import type { StatementAccount } from './statement-part.ts';

/** `:25:` is the IBAN, or the bank and the number; some banks put slashes before it and the currency behind it. */
export function accountIn(
  lines: readonly string[],
  line: number,
  fallbackCurrency: string | undefined,
): StatementAccount {
  const written = (lines[0] ?? '').trim();
  const compact = written.replace(/\s/g, '').toUpperCase();
  const iban = ibanIn(compact);
  if (written === '') {
    throw new StatementError({
      reason: 'account_missing',
      line,
      message: 'The statement does not say which account it is of (:25:).',
    });
  }
  const [, number = written, suffix] = /^(.*\d)[\s/]*([A-Za-z]{3})$/.exec(written) ?? [];
  const own = suffix !== undefined && isCurrency(suffix.toUpperCase()) ? suffix : undefined;
  const currency = own ?? fallbackCurrency;
  return {
    id: iban ?? (own === undefined ? written : number).replace(/^\/+/, ''),
    iban,
    bankId: null,
    currency: currency ? knownCurrency(currency, line) : null,
  };
}

/** A currency may be written right behind it, and some IBANs end in letters: its length and check digits tell. */
function ibanIn(text: string): string | null {
  const written = text.replace(/\/[A-Z]{3}$/, '').replace(/^.*\//, '');
  if (!isIbanLike(written)) return null;
  const without = written.slice(0, -3);
  return !isCurrency(written.slice(-3)) || ibanMistake(written) === null ? written : without;
}

/** `C260305EUR1234,56`. Without a currency it is in that of its page; before a first statement its day is `000000`. */
export function balanceIn(
  text: string,
  line: number,
  pageCurrency: string | null,
): BookedBalance & { on: string | null } {
  const shape = pageCurrency === null ? balanceShape : balanceOfPage;
  const match = shape.exec(text);
  const { mark: written = '', day = '', currency: code, amount = '' } = match?.groups ?? {};
  if (!match) {
    throw new StatementError({
      reason: 'structure_unreadable',
      line,
      message: `${quoted(text)} cannot be read as a balance (as C260305EUR1234,56).`,
    });
  }
  const mark = written.toUpperCase();
  if (mark !== 'C' && mark !== 'D') {
    throw new StatementError({
      reason: mark === '' ? 'sign_missing' : 'sign_unreadable',
      line,
      message: `A balance must say C or D, not ${quoted(mark)}.`,
    });
  }
  const currency = knownCurrency(code ?? pageCurrency, line);
  const minor = swiftMinor(amount, { currency, line });
  return {
    line,
    amountMinor: mark === 'D' && minor !== 0 ? -minor : minor,
    currency,
    on: /^0+$/.test(day) ? null : swiftDay(day, line),
  };
}

const balanceShape = /^\s*(?<mark>[A-Z]*?)\s*(?<day>\d{6}|\d{8})\s*(?<currency>[A-Z]{3})\s*(?<amount>.*)$/i;
const balanceOfPage =
  /^\s*(?<mark>[A-Z]*?)\s*(?<day>\d{8}(?=\s*[A-Z])|\d{6})\s*(?<currency>[A-Z]{3})?\s*(?<amount>.*)$/i;
