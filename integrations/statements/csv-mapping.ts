/** What the columns of a bank's CSV mean, as an operator sets it once for an account. */
import type { DecimalMark } from './amounts.ts';
import { dayOf, refuseDate } from './dates.ts';
import { quoted, StatementError } from './statement-error.ts';

/** The name in the header line, in any case, or the position, the first being 0. */
export type CsvColumn = string | number;

export type CsvMapping = {
  /** Found among `,` `;` tab and `|` when not given. */
  delimiter?: string | undefined;
  /** A label as `windows-1252`; when not given, UTF-8 or what is not UTF-8. */
  encoding?: string | undefined;
  /** Lines before the table. Lines before a header that has all names are passed over by themselves. */
  skipLines?: number | undefined;
  /** Whether the first row names the columns; `true` when any column is given by name. */
  hasHeader?: boolean | undefined;
  columns: {
    date: CsvColumn;
    amount: CsvAmountColumns;
    texts: readonly CsvColumn[];
    currency?: CsvColumn | undefined;
    payerName?: CsvColumn | undefined;
    payerAccount?: CsvColumn | undefined;
    /** What the customer finds on the confirmation. */
    reference?: CsvColumn | undefined;
    /** The bank's own name of the movement. */
    id?: CsvColumn | undefined;
    /** Whether the movement is booked, where a file also has what is not. */
    status?: CsvStatusColumn | undefined;
  };
  /** `DD.MM.YYYY`: of `YYYY` or `YY`, `MM`, `M`, `MMM` or `MMMM` (English), `DD` or `D`, and what stands between. */
  dateFormat: string;
  /** Only where the amounts of a file may be read in two ways. */
  decimalMark?: DecimalMark | undefined;
  /** The currency of every row; a column goes first. */
  currency?: string | undefined;
  /** The account whose file it is. */
  account?: string | undefined;
};

export type CsvAmountColumns =
  /** Below zero is money out. */
  | { kind: 'signed'; column: CsvColumn }
  /** A column for each, one of them filled. Both without signs, or, where the bank does so, every debit with a minus. */
  | { kind: 'two_columns'; credit: CsvColumn; debit: CsvColumn; debitSign?: 'minus' | undefined }
  /**
   * An amount without a sign, and a column that says the direction in one of these words; where it is the amount's own, the word
   * stands beside the amount.
   */
  | {
      kind: 'indicator';
      column: CsvColumn;
      indicator: CsvColumn;
      credit: readonly string[];
      debit: readonly string[];
    };

/**
 * In these words: a movement; one that is not booked yet; one that never was, or is no more, so that it is taken away where the bank
 * names it. A word that is none of them is refused.
 */
export type CsvStatusColumn = {
  column: CsvColumn;
  booked: readonly string[];
  pending?: readonly string[] | undefined;
  leftOut?: readonly string[] | undefined;
};

/** The columns that every row must have. */
export function columnsOf({ columns }: CsvMapping): CsvColumn[] {
  const { amount, texts, date, currency, payerName, payerAccount, reference, id, status } = columns;
  const amounts = {
    signed: () => (amount.kind === 'signed' ? [amount.column] : []),
    two_columns: () => (amount.kind === 'two_columns' ? [amount.credit, amount.debit] : []),
    indicator: () => (amount.kind === 'indicator' ? [amount.column, amount.indicator] : []),
  }[amount.kind]();
  const others = [currency, payerName, payerAccount, reference, id, status?.column];
  return [date, ...amounts, ...texts, ...others].filter((column) => column !== undefined);
}

/** Names are the same in any case, and whatever spaces they are written with. */
export function plainName(name: string): string {
  return name.replace(/\s+/g, ' ').trim().toLowerCase();
}

/** Whether it is one of the words, in any case. */
export function isOneOf(word: string, words: readonly string[] = []): boolean {
  return words.some((each) => plainName(each) === plainName(word));
}

/**
 * What is wrong with a mapping as such, in words that follow its name; null where nothing is. Whether a file has the columns is
 * seen when one is read.
 */
export function mappingMistake(mapping: CsvMapping): string | null {
  try {
    dayReader(mapping.dateFormat);
    if (mapping.encoding !== undefined) new TextDecoder(mapping.encoding);
  } catch (error) {
    if (error instanceof StatementError) return `cannot be used: ${error.message.replace(/[.]$/, '')}`;
    if (error instanceof RangeError)
      return `has an encoding that nobody knows: ${quoted(mapping.encoding ?? '')}`;
    throw error;
  }
  const isNamed = columnsOf(mapping).some((column) => typeof column === 'string');
  if (isNamed && mapping.hasHeader === false) return 'names columns, and says that no row names them';
  const { amount, status } = mapping.columns;
  const meanings = [
    amount.kind === 'indicator' ? [amount.credit, amount.debit] : [],
    [status?.booked ?? [], status?.pending ?? [], status?.leftOut ?? []],
  ];
  const ambiguous = meanings.map(wordOfTwo).find((word) => word !== undefined);
  return ambiguous === undefined ? null : `gives ${quoted(ambiguous)} two meanings`;
}

function wordOfTwo(lists: readonly (readonly string[])[]): string | undefined {
  return lists.flat().find((word) => lists.filter((words) => isOneOf(word, words)).length > 1);
}

/** Reads days of one format. Throws `mapping_invalid` where the format does not name a whole day. */
export function dayReader(format: string): (text: string, line: number) => string {
  const tokens = format.match(/YYYY|YY|MMMM|MMM|MM|M|DD|D|[^YMD]+|./g) ?? [];
  const kinds = tokens.map((token) => token[0] ?? '').filter((kind) => 'YMD'.includes(kind));
  if (kinds.length !== 3 || new Set(kinds).size !== 3 || tokens.some((token) => token === 'Y')) {
    throw new StatementError({
      reason: 'mapping_invalid',
      line: null,
      message: `The date format ${quoted(format)} must have a year, a month and a day once each, as DD.MM.YYYY.`,
    });
  }
  const pattern = tokens.map((token) => patterns[token] ?? token.replace(/[^\w\s]/g, '\\$&')).join('');
  const shape = new RegExp(`^${pattern}(?:[T ,]+\\d{1,2}[:.]\\d{2}.*)?$`, 'i');
  return (text, line) => {
    const { year = '', month = '', day = '' } = shape.exec(text.trim().slice(0, longestDate))?.groups ?? {};
    if (year === '') return refuseDate(text, line);
    const century = year.length === 4 ? 0 : Number(year) >= 80 ? 1900 : 2000;
    const number = /\d/.test(month) ? Number(month) : monthNamed(month);
    return dayOf(century + Number(year), number, Number(day)) ?? refuseDate(text, line);
  };
}

const longestDate = 64;

const patterns: Readonly<Record<string, string>> = {
  YYYY: '(?<year>\\d{4})',
  YY: '(?<year>\\d{2})',
  MMMM: '(?<month>[a-z]{3,9})',
  MMM: '(?<month>[a-z]{3})',
  MM: '(?<month>\\d{2})',
  M: '(?<month>\\d{1,2})',
  DD: '(?<day>\\d{2})',
  D: '(?<day>\\d{1,2})',
};

/** 0 for none. */
function monthNamed(name: string): number {
  const isNamed = (month: string) => month === name.toLowerCase() || month.slice(0, 3) === name.toLowerCase();
  return months.findIndex(isNamed) + 1;
}

const months = 'january february march april may june july august september october november december'.split(
  ' ',
);
