/**
 * CSV of any bank, with a mapping that says what the columns mean. No column is guessed: where the file does not have
 * what the mapping names, the line is named and the file refused.
 */
import { pipeline, Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import { type DecimalMark, knownCurrency } from './amounts.ts';
import { amountColumns, amountReader, markShownBy } from './csv-amounts.ts';
import {
  type CsvColumn,
  type CsvMapping,
  type CsvStatusColumn,
  columnsOf,
  dayReader,
  isOneOf,
  plainName,
} from './csv-mapping.ts';
import { isBalanceLine, isFooter } from './csv-notes.ts';
import { assertBooked, type UnmappedStatus, unmappedStatuses } from './csv-unmapped-status.ts';
import { isBankName, type MovementNames, movementNames } from './movement-names.ts';
import { quoted, StatementError } from './statement-error.ts';
import type { StatementAccount, StatementOptions, StatementPart } from './statement-part.ts';
import { type TextLine, textLines } from './text-lines.ts';
import { firstText, textsOf } from './texts.ts';

/** In the order of the file, and what it leaves out at the end. Throws a `StatementError` for what cannot be read. */
export async function* readCsv(
  text: AsyncIterable<string>,
  options: StatementOptions,
): AsyncGenerator<StatementPart> {
  const mapping = options.csv ?? refuseWithoutMapping();
  const lines = textLines(text);
  const sample = await sampleOf(lines, mapping.skipLines ?? 0);
  const delimiter = mapping.delimiter ?? delimiterOf(sample, mapping);
  const fixedCurrency = mapping.currency ?? options.currency;
  const account: StatementAccount = {
    id: mapping.account ?? '',
    iban: null,
    bankId: null,
    currency: fixedCurrency === undefined ? null : knownCurrency(fixedCurrency, 1),
  };
  const readRow = rowReader(
    mapping,
    account,
    mapping.decimalMark ?? (await markIn(sample, { delimiter, mapping, currency: account.currency })),
  );
  const noteIn = noteReader(mapping);
  const names = movementNames({ reading: readingOf(mapping) });
  const withdrawn = withdrawnReader(mapping);
  let table: CsvTable | null = hasHeader(mapping) ? null : { ...withoutHeader };
  let hasBegun = false;
  let footer: CsvRow | null = null;
  for await (const { cells, line } of rowsOf(sample, lines, delimiter)) {
    if (!table) {
      table = headerIn(cells, line, mapping);
      if (!table && line - (sample[0]?.line ?? 1) >= searchedLines) refuseWithoutHeader(sample, mapping);
      continue;
    }
    if (isHeaderAgain(cells, table)) continue;
    const note = noteIn(cells, table);
    if (note === 'footer') footer ??= { cells, line };
    if (note !== null) continue;
    // What stands between movements is one that cannot be read.
    if (footer) readRow(footer.cells, footer.line, table).read(names);
    table.width ??= cells.length;
    if (!hasBegun) yield { type: 'statement', line, account, statementId: null };
    hasBegun = true;
    const row = readRow(cells, line, table);
    if (row.status === 'leftOut') {
      withdrawn.add(row, line);
      continue;
    }
    const transaction = row.read(names);
    withdrawn.told(transaction);
    yield { type: 'movement', line, account, transaction };
  }
  if (!table) refuseWithoutHeader(sample, mapping);
  // A table that is nothing but remarks is read with the wrong mapping.
  if (footer && !hasBegun) readRow(footer.cells, footer.line, table).read(names);
  if (!hasBegun) yield { type: 'statement', line: sample[0]?.line ?? 1, account, statementId: null };
  for (const [externalId, line] of withdrawn.all()) yield { type: 'left_out', line, account, externalId };
}

/** What the columns mean, in the order of the database. */
function readingOf({ columns, dateFormat }: CsvMapping): string {
  return JSON.stringify([dateFormat, columns]);
}

/**
 * Movements that the file leaves out, under the names they would have: only of what the bank names, for without that name
 * another movement may be alike. What cannot be read has never been told.
 */
function withdrawnReader({ columns: { id, status } }: CsvMapping) {
  const isWanted = id !== undefined && status?.leftOut !== undefined;
  const names = movementNames();
  const told = new Set<string>();
  const found = new Map<string, number>();
  return {
    told({ externalId }: BankTransaction): void {
      if (isWanted) told.add(externalId);
    },
    add({ isNamed, read }: CsvMovement, line: number): void {
      if (!isWanted || !isNamed) return;
      try {
        found.set(read(names).externalId, line);
      } catch (error) {
        if (!(error instanceof StatementError)) throw error;
      }
    },
    all: () => [...found].filter(([externalId]) => !told.has(externalId)),
  };
}

/** The decimal mark, as far as the first rows show it. */
async function markIn(
  sample: readonly TextLine[],
  { delimiter, mapping, currency }: { delimiter: string; mapping: CsvMapping; currency: string | null },
): Promise<DecimalMark | null> {
  let table: CsvTable | null = hasHeader(mapping) ? null : withoutHeader;
  const amounts: string[] = [];
  try {
    for await (const { cells, line } of rowsOf(sample, null, delimiter)) {
      const found: CsvTable | null = table;
      if (found) amounts.push(...amountColumns(mapping).map((column) => cellIn(cells, found, column) ?? ''));
      else table = headerIn(cells, line, mapping);
    }
  } catch (error) {
    // The last row may be cut off here. What is wrong with the file itself is said when it is read.
    if (!(error instanceof StatementError)) throw error;
  }
  return markShownBy(amounts, currency);
}

/** Tells rows that are no movement: a line with a balance, and what stands below the last movement. */
function noteReader(mapping: CsvMapping) {
  const readDay = dayReader(mapping.dateFormat);
  const hasDay = (text: string): boolean => {
    try {
      return readDay(text, 1) !== '';
    } catch {
      return false;
    }
  };
  return (cells: readonly string[], table: CsvTable): 'balance' | 'footer' | null => {
    const date = cellIn(cells, table, mapping.columns.date)?.trim() ?? '';
    const isFilled = (column: CsvColumn | undefined) =>
      column !== undefined && (cellIn(cells, table, column)?.trim() ?? '') !== '';
    const hasAmount = amountColumns(mapping).some(isFilled);
    const { payerName, payerAccount } = mapping.columns;
    const hasPayer = isFilled(payerName) || isFilled(payerAccount);
    if (isBalanceLine(cells, { hasAmount, hasPayer })) return 'balance';
    return isFooter(cells, { date, hasAmount }) && !hasDay(date) ? 'footer' : null;
  };
}

type CsvRow = { cells: string[]; line: number };

/** Where the mapped columns stand; without a header a column is its position. */
type CsvTable = {
  width: number | null;
  positions: ReadonlyMap<CsvColumn, number> | null;
  unmapped: readonly UnmappedStatus[];
};

const withoutHeader: CsvTable = { width: null, positions: null, unmapped: [] };

/** Enough to tell the delimiter and to find a header behind a bank's letterhead. */
const searchedLines = 60;

async function sampleOf(lines: AsyncIterator<TextLine>, skipLines: number): Promise<TextLine[]> {
  const sample: TextLine[] = [];
  while (sample.length < searchedLines) {
    const next = await lines.next();
    if (next.done) break;
    if (next.value.line > skipLines) sample.push(next.value);
  }
  return sample;
}

/** Line ends are made alike first, so that the number of a line is right whichever a file has. */
async function* rowsOf(
  sample: readonly TextLine[],
  lines: AsyncGenerator<TextLine> | null,
  delimiter: string,
): AsyncGenerator<CsvRow> {
  const firstLine = sample[0]?.line ?? 1;
  async function* texts() {
    for (const { text } of sample) yield `${text}\n`;
    for await (const { text } of lines ?? []) yield `${text}\n`;
  }
  const parser = parse({
    delimiter,
    info: true,
    raw: true,
    record_delimiter: '\n',
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: longestRecord,
  });
  // The parser passes on what the source throws; nobody waits for the end itself.
  pipeline(Readable.from(texts()), parser, () => {});
  try {
    for await (const { record, raw, info } of parser as AsyncIterable<{
      record: string[];
      raw: string;
      info: { lines: number };
    }>) {
      const within = record.reduce((count, cell) => count + cell.split('\n').length - 1, 0);
      if (record.every((cell) => cell.trim() === '')) continue;
      // A quotation mark that is not closed has swallowed what follows.
      if (record.some((cell) => isLeftOpen(cell, raw)))
        throw quoteNotClosed(firstLine + info.lines - 1 - within);
      yield { cells: record.map(withoutFormula), line: firstLine + info.lines - 1 - within };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error['lines'] === 'number' ? firstLine + error['lines'] - 1 : null;
    if (error.code !== 'CSV_MAX_RECORD_SIZE') throw quoteNotClosed(line);
    const message = 'The row is longer than any bank writes.';
    throw new StatementError({ reason: 'field_too_long', line, message });
  }
}

/** A quotation mark that begins a cell of several lines and is not one of the cell's own, which would be doubled. */
function isLeftOpen(cell: string, raw: string): boolean {
  if (!cell.startsWith('"') || !cell.includes('\n')) return false;
  return !raw.includes(`"${cell.replaceAll('"', '""')}"`);
}

function quoteNotClosed(line: number | null): StatementError {
  const message = 'The row cannot be read: a quotation mark is not closed.';
  return new StatementError({ reason: 'structure_unreadable', line, message });
}

const longestRecord = 131_072;

/** `="0815"` is how banks keep a spreadsheet from taking a number for one. */
function withoutFormula(cell: string): string {
  return /^\s*="(.*)"\s*$/s.exec(cell)?.[1] ?? cell;
}

function hasHeader(mapping: CsvMapping): boolean {
  return mapping.hasHeader ?? columnsOf(mapping).some((column) => typeof column === 'string');
}

/** `null` for a row that is not it. Throws where a name stands twice. */
function headerIn(cells: readonly string[], line: number, mapping: CsvMapping): CsvTable | null {
  const names = cells.map(plainName);
  const positions = new Map<CsvColumn, number>();
  for (const column of columnsOf(mapping)) {
    if (typeof column === 'number') continue;
    const position = names.indexOf(plainName(column));
    if (position < 0) return null;
    if (names.indexOf(plainName(column), position + 1) >= 0) {
      throw new StatementError({
        reason: 'mapping_invalid',
        line,
        message: `Two columns are called ${quoted(column)}. Give its position in the mapping instead.`,
      });
    }
    positions.set(column, position);
  }
  return { width: cells.length, positions, unmapped: unmappedStatuses(mapping, cells) };
}

/** Months that were put one below the other, each with its header. */
function isHeaderAgain(cells: readonly string[], { positions }: CsvTable): boolean {
  if (positions === null || positions.size === 0) return false;
  return [...positions].every(([column, at]) => plainName(cells[at] ?? '') === plainName(String(column)));
}

const delimiters = [',', ';', '\t', '|'] as const;

/** The one by which a line has all the names; without names, the one that cuts the lines into the most alike rows. */
function delimiterOf(sample: readonly TextLine[], mapping: CsvMapping): string {
  const columns = columnsOf(mapping);
  const names = columns.filter((column) => typeof column === 'string').map(plainName);
  if (names.length > 0) {
    const found = delimiters.find((delimiter) =>
      sample.some(({ text }) => {
        const cells = new Set(roughCells(text, delimiter));
        return names.every((name) => cells.has(name));
      }),
    );
    return found ?? refuseWithoutHeader(sample, mapping);
  }
  const needed = Math.max(...columns.map(Number)) + 1;
  const scores = delimiters.map((delimiter) => {
    const widths = sample
      .map(({ text }) => roughCells(text, delimiter).length)
      .filter((width) => width >= needed);
    const alike = Math.max(0, ...widths.map((width) => widths.filter((other) => other === width).length));
    return { delimiter, alike };
  });
  const best = scores.reduce((a, b) => (b.alike > a.alike ? b : a));
  if (best.alike > 0) return best.delimiter;
  throw new StatementError({
    reason: 'column_missing',
    line: sample[0]?.line ?? null,
    message: `No line has the ${needed} columns that the mapping needs. Say what stands between the columns.`,
  });
}

function roughCells(text: string, delimiter: string): string[] {
  const unquoted = text.replace(/"[^"]*"/g, (cell) => cell.slice(1, -1).replaceAll(delimiter, ' '));
  return unquoted.split(delimiter).map(plainName);
}

function refuseWithoutHeader(sample: readonly TextLine[], mapping: CsvMapping): never {
  const names = columnsOf(mapping).filter((column) => typeof column === 'string');
  const all = plainName(sample.map(({ text }) => text).join(' '));
  const missing = names.filter((name) => !all.includes(plainName(name)));
  throw new StatementError({
    reason: 'column_missing',
    line: sample[0]?.line ?? null,
    message: `No line has all the columns ${names.map(quoted).join(', ')}${
      missing.length === 0 ? '' : `; the file does not have ${missing.map(quoted).join(', ')}`
    }. Correct the mapping.`,
  });
}

function rowReader(mapping: CsvMapping, account: StatementAccount, mark: DecimalMark | null) {
  const { columns } = mapping;
  const readDay = dayReader(mapping.dateFormat);
  const readAmount = amountReader(mapping, mark);
  return (cells: readonly string[], line: number, table: CsvTable): CsvMovement => {
    if (cells.slice(table.width ?? cells.length).some((cell) => cell.trim() !== '')) {
      throw new StatementError({
        reason: 'structure_unreadable',
        line,
        message:
          'The row has more columns than the table. A text with a delimiter in it must stand in quotation marks.',
      });
    }
    assertBooked(table.unmapped, cells, line);
    const cell = (column: CsvColumn): string =>
      cellIn(cells, table, column) ?? refuseWithoutColumn(column, line);
    const optional = (column: CsvColumn | undefined) => (column === undefined ? null : cell(column));
    const status =
      columns.status === undefined ? 'booked' : statusOf(cell(columns.status.column), columns.status, line);
    const read = (names: MovementNames): BankTransaction => {
      const currency = knownCurrency(firstText(optional(columns.currency)) ?? account.currency, line);
      const amountMinor = readAmount(cell, currency, line);
      const reference = firstText(optional(columns.reference));
      const payerName = firstText(optional(columns.payerName));
      const isIn = amountMinor > 0;
      return names({
        accountId: account.id,
        names: [optional(columns.id)],
        transaction: {
          amountMinor,
          currency,
          bookedOn: readDay(cell(columns.date), line),
          authorisedOn: null,
          pending: status === 'pending',
          pendingExternalId: null,
          texts: textsOf([...columns.texts.map(cell), reference, payerName]),
          payer: {
            name: isIn ? payerName : null,
            account: isIn ? firstText(optional(columns.payerAccount)) : null,
          },
          bankReference: reference,
        },
      });
    };
    return { status, isNamed: isBankName(optional(columns.id)), read };
  };
}

/** `read` throws where day or amount cannot be read. */
type CsvMovement = {
  status: CsvStatus;
  isNamed: boolean;
  read: (names: MovementNames) => BankTransaction;
};

function statusOf(word: string, { column: _, ...words }: CsvStatusColumn, line: number): CsvStatus {
  const [status, ...others] = csvStatuses.filter((each) => isOneOf(word, words[each]));
  if (status !== undefined && others.length === 0) return status;
  throw new StatementError({
    reason: 'status_unknown',
    line,
    message: `${quoted(word)} is not one of the words for booked, pending or left out. Add it to the mapping.`,
  });
}

const csvStatuses = ['booked', 'pending', 'leftOut'] as const;
type CsvStatus = (typeof csvStatuses)[number];

function cellIn(cells: readonly string[], { positions }: CsvTable, column: CsvColumn): string | undefined {
  return cells[positions?.get(column) ?? Number(column)];
}

function refuseWithoutColumn(column: CsvColumn, line: number): never {
  throw new StatementError({
    reason: 'column_missing',
    line,
    message: `The row has no column ${typeof column === 'string' ? quoted(column) : column}.`,
  });
}

function refuseWithoutMapping(): never {
  throw new StatementError({
    reason: 'mapping_missing',
    line: null,
    message:
      'A CSV can only be read with a mapping that says what its columns mean. Set one for this account.',
  });
}
