/**
 * What became of the lines of a CSV now that the account has another mapping: the file is read with both. A name says what a mapping
 * made of a line, so that the line is the thread.
 */
import type { Renamed } from '../../db/queries/payments/rename-movements.ts';
import { readStatement } from '../../integrations/statements/read-statement.ts';
import { StatementError } from '../../integrations/statements/statement-error.ts';
import type { StatementOptions } from '../../integrations/statements/statement-part.ts';
import type { Upload } from '../body-file.ts';

/** Throws a `StatementError` where the file cannot be read as it is to be read now. */
export async function renamedLines(
  upload: Upload,
  { before, after }: { before: StatementOptions; after: StatementOptions },
): Promise<Renamed> {
  const lines = await linesOf(upload, after);
  const names = new Map<string, string | null>();
  const stay = new Set([...lines.values()].map(({ name }) => name));
  for (const [line, was] of await linesOf(upload, before).catch(noneWhereUnreadable)) {
    const is = lines.get(line);
    const isTakenBack = is === undefined ? !stay.has(was.name) : is.pending && !was.pending;
    if (isTakenBack) names.set(was.name, null);
    else if (is !== undefined && is.name !== was.name) names.set(was.name, is.name);
  }
  return { names, now: [...stay] };
}

type Line = { name: string; pending: boolean };

async function linesOf(upload: Upload, options: StatementOptions): Promise<Map<number, Line>> {
  const lines = new Map<number, Line>();
  for await (const part of readStatement(upload.read(), options)) {
    if (part.type !== 'movement') continue;
    const { externalId, pending } = part.transaction;
    lines.set(part.line, { name: externalId, pending });
  }
  return lines;
}

/** Nobody can read it so any more: what it told is compared with what it tells now. */
function noneWhereUnreadable(error: unknown): Map<number, Line> {
  if (error instanceof StatementError) return new Map();
  throw error;
}
