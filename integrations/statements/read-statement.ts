/**
 * Bank statement files of any bank: CAMT, OFX and QFX, MT940, and CSV with a mapping. Strict about what money depends
 * on (amounts, signs, days, currencies), lenient about how a file is dressed.
 *
 * Parts come as the file is read, so a caller writes them in one transaction and drops it when a `StatementError`
 * comes: a file is taken whole or not at all. Why it is safe to read a file twice is in `movement-names.ts`.
 */
import { Readable } from 'node:stream';
import { readCamt } from './camt.ts';
import { readCsv } from './csv.ts';
import { decodeText } from './decode-text.ts';
import { readMt940 } from './mt940.ts';
import { readOfx } from './ofx.ts';
import { quoted, StatementError } from './statement-error.ts';
import type { StatementFormat, StatementOptions, StatementPart } from './statement-part.ts';
import { withoutPadding } from './without-padding.ts';

/** A file whose format is known, to be read once. */
export type OpenStatement = { format: StatementFormat; parts: AsyncGenerator<StatementPart> };

/** Throws a `StatementError`, and what the source of the bytes throws. */
export async function* readStatement(
  bytes: AsyncIterable<Uint8Array>,
  options: StatementOptions = {},
): AsyncGenerator<StatementPart> {
  yield* (await openStatement(bytes, options)).parts;
}

/** The same for who wants to know the format first. */
export async function openStatement(
  bytes: AsyncIterable<Uint8Array>,
  options: StatementOptions = {},
): Promise<OpenStatement> {
  const file = await decodeText(bytes, options.csv?.encoding);
  if (file.head.trim() === '') {
    throw new StatementError({ reason: 'file_empty', line: null, message: 'The file is empty.' });
  }
  const format = options.format ?? formatOf(await plainHead(file.head), options);
  return { format, parts: readers[format](withoutPadding(file.text()), options) };
}

async function plainHead(head: string): Promise<string> {
  let plain = '';
  for await (const piece of withoutPadding(Readable.from([head]))) plain += piece;
  return plain;
}

const readers = { camt: readCamt, ofx: readOfx, mt940: readMt940, csv: readCsv } as const satisfies Record<
  StatementFormat,
  (text: AsyncIterable<string>, options: StatementOptions) => AsyncGenerator<StatementPart>
>;

/** By what the file begins with. Throws `format_unknown`. */
function formatOf(head: string, { csv }: StatementOptions): StatementFormat {
  if (/^(?:PK\p{Cc}|%PDF|Rar!)/u.test(head) || head.startsWith('\x1F') || head.includes('\0')) {
    throw unknown('It is an archive or a document. Give the statement file that is in it.');
  }
  if (/^[^<]*OFXHEADER\s*[:=]|<\?OFX\b|<OFX\s*>/i.test(head)) return 'ofx';
  if (/^\s*</.test(head)) return 'camt';
  if (/^[\s\p{Cc}]*\{1:|(?:^|[\r\n]|@@|\{4:)\s*:(?:20|25P?|28C?|60[FM]|61):/iu.test(head)) return 'mt940';
  if (csv) return 'csv';
  throw unknown(`It begins with ${quoted(head.slice(0, 200))}.`);
}

function unknown(what: string): StatementError {
  return new StatementError({
    reason: 'format_unknown',
    line: null,
    message: `The file is no statement that we can read. ${what} CAMT, OFX, QFX and MT940 can be read, CSV with a mapping.`,
  });
}
