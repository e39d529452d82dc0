/**
 * A status that the mapping passes over. No column is guessed; but where one that is called a status says of a row that it
 * failed or waits, the row is no booked money, and only the mapping can say what it is.
 */
import { type CsvMapping, plainName } from './csv-mapping.ts';
import { quoted, StatementError } from './statement-error.ts';

export type UnmappedStatus = { name: string; position: number };

/** None where the mapping names a status. */
export function unmappedStatuses({ columns }: CsvMapping, header: readonly string[]): UnmappedStatus[] {
  if (columns.status !== undefined) return [];
  return header
    .map((name, position) => ({ name, position }))
    .filter(({ name }) => columnNames.test(plainName(name)));
}

/** Throws `status_unknown` for a row that failed or waits. */
export function assertBooked(
  statuses: readonly UnmappedStatus[],
  cells: readonly string[],
  line: number,
): void {
  for (const { name, position } of statuses) {
    const word = cells[position] ?? '';
    if (!notBooked.test(plainName(word))) continue;
    throw new StatementError({
      reason: 'status_unknown',
      line,
      message: `The column ${quoted(name)} says ${quoted(word)}, and the mapping does not say what is booked. Give it the column and its words.`,
    });
  }
}

const columnNames =
  /^(?:(?:transaction|payment|booking|current) )?(?:state|status)$|^(?:buchungs|umsatz)status$|^(?:statut|état|etat|estado|stato|situação|situacao)$/;

const notBooked =
  /^(?:failed|declined|denied|reverted|cancell?ed|rejected|refused|voided|expired|aborted|error|pending|processing|in progress|scheduled|abgelehnt|storniert|fehlgeschlagen|vorgemerkt|ausstehend|refusée?|annulée?|échouée?|en attente|rechazad[oa]|cancelad[oa]|fallid[oa]|pendiente|rifiutat[oa]|annullat[oa]|fallit[oa]|in attesa|geweigerd|geannuleerd|mislukt|recusad[oa]|pendente)$/;
