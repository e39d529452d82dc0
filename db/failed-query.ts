/**
 * An error of the database repeats values: the query's error those it was sent with, the server's those it refused.
 * They may be anybody's name or address, and errors go to logs and to columns that no erasure reaches. So an error
 * leaves a unit of work without them; the statement, the constraint and the code of the error are enough to go by.
 */
import { DrizzleQueryError } from 'drizzle-orm/errors';
import pg from 'pg';

/** The error itself, and those that caused it, without the values. */
export function withoutValues(error: unknown): unknown {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof DrizzleQueryError) {
      each.params = [];
      reword(each, `Failed query: ${each.query}`);
    }
    if (each instanceof pg.DatabaseError) {
      for (const field of ['detail', 'where', 'internalQuery'] as const) delete each[field];
      if (each.code?.startsWith(DATA_EXCEPTION)) reword(each, withoutQuoted(each.message));
    }
  }
  return error;
}

/** Values that are no number, no date, too long: their errors quote them. */
const DATA_EXCEPTION = '22';

/** `invalid input syntax for type uuid: "Ada"` → `invalid input syntax for type uuid` */
function withoutQuoted(message: string): string {
  return message.replace(/: .*$/s, '');
}

/** The stack begins with the message. */
function reword(error: Error, message: string): void {
  const before = error.message;
  error.message = message;
  if (error.stack !== undefined) error.stack = error.stack.replace(before, () => message);
}
