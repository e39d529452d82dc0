/**
 * Tables as CSV (RFC 4180): commas, CRLF, a field that holds a comma, a quote or a line end is quoted. A text that a
 * spreadsheet would take for a formula is led by an apostrophe; numbers stay numbers.
 */
export type CsvTable = { header: readonly string[]; rows: readonly (readonly (string | number | null)[])[] };

export function toCsv({ header, rows }: CsvTable): string {
  return [header, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = startsFormula.test(value) && !isNumber.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** As spreadsheets read a field; some take the full-width signs for the others. */
const startsFormula = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const isNumber = /^-?\d+(\.\d+)?$/;
