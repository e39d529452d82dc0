/**
 * Why a statement file is refused. It is refused whole: a file half of whose movements are known would look read, and
 * nobody would look for the other half.
 */

/** `reason` is for programs, `message` a sentence that says where and what to do; `line` counts from 1. */
export class StatementError extends Error {
  override name = 'StatementError';
  readonly line: number | null;
  readonly reason: StatementRefusal;

  constructor({ reason, line, message }: { reason: StatementRefusal; line: number | null; message: string }) {
    super(line === null ? message : `Line ${line}: ${message}`);
    this.line = line;
    this.reason = reason;
  }
}

export const statementRefusals = [
  'account_missing',
  'amount_ambiguous',
  'amount_missing',
  'amount_unreadable',
  'balance_differs',
  'column_missing',
  'currency_missing',
  'currency_unknown',
  'date_missing',
  'date_unreadable',
  'field_too_long',
  'file_cut_off',
  'file_empty',
  'format_unknown',
  'mapping_invalid',
  'mapping_missing',
  'no_statement',
  'sign_missing',
  'sign_unreadable',
  'status_unknown',
  'structure_unreadable',
  'xml_entities_refused',
] as const;

export type StatementRefusal = (typeof statementRefusals)[number];

/** What a file says, short enough and harmless to show in a sentence. */
export function quoted(text: string): string {
  const visible = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const characters = [...visible];
  return `“${characters.length > 60 ? `${characters.slice(0, 60).join('')}…` : visible}”`;
}
