/** The amount of a CSV's row, in whichever columns the mapping says that it stands. */
import { currencies } from '../../domain/money.ts';
import { cannotBeDecimals, type DecimalMark, decimalMarkOf, splitSign, unsignedMinor } from './amounts.ts';
import { type CsvColumn, type CsvMapping, isOneOf } from './csv-mapping.ts';
import { quoted, StatementError } from './statement-error.ts';

/**
 * One for a file. `mark`: the decimal mark as far as it is known before; what one amount shows about it holds for all that
 * follow.
 */
export function amountReader({ columns }: CsvMapping, known: DecimalMark | null) {
  let mark = known;
  const minorOf = (digits: string, currency: string, line: number): number => {
    const plain = withoutCurrency(digits, currency);
    mark ??= decimalMarkOf(plain.replace(/[\s'’]/g, ''), { currency, line });
    return unsignedMinor(plain, { currency, line, mark, grouped: true });
  };
  const unsigned = (text: string, currency: string, line: number): number => {
    const { isNegative, digits } = splitSign(withoutCurrency(text, currency), line);
    if (isNegative) throw signTwice(text, line);
    return minorOf(digits, currency, line);
  };
  const debitOf = (text: string, currency: string, line: number): number => {
    const { isNegative, digits } = splitSign(withoutCurrency(text, currency), line);
    const minor = minorOf(digits, currency, line);
    const isWanted = columns.amount.kind === 'two_columns' && columns.amount.debitSign === 'minus';
    if (isNegative !== isWanted && minor !== 0)
      throw isNegative ? signTwice(text, line) : signWanted(text, line);
    return minor;
  };
  return (cell: (column: CsvColumn) => string, currency: string, line: number): number => {
    const { amount } = columns;
    if (amount.kind === 'signed') {
      const { isNegative, digits } = splitSign(withoutCurrency(cell(amount.column), currency), line);
      const minor = minorOf(digits, currency, line);
      return isNegative && minor !== 0 ? -minor : minor;
    }
    if (amount.kind === 'indicator') {
      const written = cell(amount.column);
      const { word, digits } =
        amount.indicator === amount.column
          ? besideDigits(written, [...amount.credit, ...amount.debit])
          : { word: cell(amount.indicator), digits: written };
      const minor = unsigned(digits, currency, line);
      const isOut = isOneOf(word, amount.debit);
      if (isOneOf(word, amount.credit) === isOut) throw unknownIndicator(word, line);
      return isOut && minor !== 0 ? -minor : minor;
    }
    const [creditText, debitText] = [filled(cell(amount.credit)), filled(cell(amount.debit))];
    const credit = creditText === '' ? null : unsigned(creditText, currency, line);
    const debit = debitText === '' ? null : debitOf(debitText, currency, line);
    if (credit && debit) {
      throw new StatementError({
        reason: 'sign_unreadable',
        line,
        message: `The row has both a credit (${quoted(creditText)}) and a debit (${quoted(debitText)}).`,
      });
    }
    if (credit === null && debit === null) {
      throw new StatementError({ reason: 'amount_missing', line, message: 'The row has no amount.' });
    }
    return credit || (debit ? -debit : 0);
  };
}

/** A dash alone stands for nothing where the other column has the amount. */
function filled(text: string): string {
  const written = text.trim();
  return /^[-\u2012-\u2014]$/.test(written) ? '' : written;
}

/** `1,200.00 Cr`, `DR. 5.00`. A word of the mapping is taken whole; what else stands there may be a currency. */
function besideDigits(text: string, words: readonly string[]): { word: string; digits: string } {
  const written = text.trim();
  if (written.length > longestAmount) return { word: '', digits: written };
  const match = /^(?:(?<before>\p{L}+)\.?)?\s*(?<digits>.*?)\s*(?:(?<after>\p{L}+)\.?)?$/su.exec(written);
  const { before = '', digits = text, after = '' } = match?.groups ?? {};
  if (after === '' || (before !== '' && isOneOf(before, words) && !isOneOf(after, words)))
    return { word: before, digits: `${digits} ${after}` };
  return { word: after, digits: `${before} ${digits}` };
}

/** What banks write beside those that the language has. */
const customary: Readonly<Partial<Record<string, readonly string[]>>> = {
  CAD: ['C$'],
  CHF: ['Fr.', 'SFr.'],
  CNY: ['元'],
  DKK: ['kr.'],
  INR: ['Rs', 'Rs.'],
  JPY: ['円', '￥'],
  KRW: ['원'],
  NOK: ['kr.'],
  RUB: ['руб', 'руб.'],
  SEK: ['kr.'],
  SGD: ['S$'],
  TRY: ['TL'],
  UAH: ['грн', 'грн.'],
  USD: ['US$'],
};

/** In capitals, the longest first: `€`, `R$`, `ZŁ`, `CA$`, and `$` of every dollar. */
const symbols: ReadonlyMap<string, readonly string[]> = new Map(
  currencies.map((currency) => {
    const all = [
      symbolOf(currency, 'narrowSymbol'),
      symbolOf(currency, 'symbol'),
      ...(customary[currency] ?? []),
    ];
    return [
      currency,
      [currency, ...all.map((symbol) => symbol.toUpperCase())].toSorted((x, y) => y.length - x.length),
    ];
  }),
);

function symbolOf(currency: string, currencyDisplay: 'narrowSymbol' | 'symbol'): string {
  const format = new Intl.NumberFormat('en', {
    style: 'currency',
    currency,
    currencyDisplay,
  });
  return format.formatToParts(0).find(({ type }) => type === 'currency')?.value ?? currency;
}

/** The row's own currency beside the amount is only dress; another one is left and refused. */
function withoutCurrency(text: string, currency: string): string {
  let rest = text.trim();
  for (const name of symbols.get(currency) ?? [currency]) {
    if (rest.toUpperCase().startsWith(name)) rest = rest.slice(name.length).trim();
    if (rest.toUpperCase().endsWith(name)) rest = rest.slice(0, -name.length).trim();
    rest = rest.replace(/^([-+(])\s*(.*)$/, (_all, sign: string, after: string) => {
      return sign + (after.toUpperCase().startsWith(name) ? after.slice(name.length).trim() : after);
    });
  }
  return rest;
}

/** The columns in which a movement has its amount: all are empty where a row is none. */
export function amountColumns({ columns: { amount } }: CsvMapping): CsvColumn[] {
  return amount.kind === 'two_columns' ? [amount.credit, amount.debit] : [amount.column];
}

/**
 * What amounts show of the decimal mark: `null` where all of them can be read in two ways, and where they contradict each
 * other, so that the one that does is refused when it is read.
 */
export function markShownBy(amounts: readonly string[], currency: string | null): DecimalMark | null {
  const shown = new Set(amounts.map((amount) => markIn(amount, currency)).filter((mark) => mark !== null));
  const [only = null] = shown;
  return shown.size === 1 ? only : null;
}

/** A mark that stands twice groups, and then the other one stands before decimals. */
function markIn(amount: string, currency: string | null): DecimalMark | null {
  const digits = amount.replace(/\p{L}+\.?/gu, '').replace(/[^\d.,]/g, '');
  const last = /[.,](?=\d*$)/.exec(digits)?.[0] as DecimalMark | undefined;
  if (last === undefined || digits.length > longestAmount) return null;
  const other = last === ',' ? '.' : ',';
  if (digits.split(last).length > 2) return digits.includes(other) ? null : other;
  const canGroup = !digits.includes(other) && /^[1-9]\d{0,2}[.,]\d{3}$/.test(digits);
  if (!canGroup) return last;
  return currency !== null && cannotBeDecimals(digits.slice(-3), currency) ? other : null;
}

const longestAmount = 64;

function signWanted(text: string, line: number): StatementError {
  return new StatementError({
    reason: 'sign_missing',
    line,
    message: `${quoted(text)} has no minus, which the mapping says all debits have. Correct the mapping.`,
  });
}

function signTwice(text: string, line: number): StatementError {
  return new StatementError({
    reason: 'sign_unreadable',
    line,
    message: `${quoted(text)} has a sign, and its column says the direction too. Correct the mapping.`,
  });
}

function unknownIndicator(word: string, line: number): StatementError {
  return new StatementError({
    reason: word.trim() === '' ? 'sign_missing' : 'sign_unreadable',
    line,
    message: `${quoted(word)} is not one of the words for money in or out. Add it to the mapping.`,
  });
}
