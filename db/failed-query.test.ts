import { DrizzleQueryError } from 'drizzle-orm/errors';
import pg from 'pg';
import { expect, it } from 'vitest';
import { withoutValues } from './failed-query.ts';

function refusedBy(message: string, fields: object): Error {
  const refusal = Object.assign(new pg.DatabaseError(message, 0, 'error'), fields);
  const query = 'insert into "customers" ("email", "name") values ($1, $2)';
  return new DrizzleQueryError(query, ['ada@example.com', 'Ada Lovelace'], refusal);
}

const everythingOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  return JSON.stringify([{ ...error }, error.message, error.stack, everythingOf(error.cause)]);
};

it.each([
  ['duplicate key value violates unique constraint "customers_email"', '23505'],
  ['null value in column "currency" violates not-null constraint', '23502'],
  ['invalid input syntax for type uuid: "Ada Lovelace"', '22P02'],
])('an error "%s" tells no value, wherever one looks', (message, code) => {
  const refused = refusedBy(message, {
    code,
    detail: 'Failing row contains (ada@example.com, Ada Lovelace).',
    where: "unnamed portal parameter $2 = 'Ada Lovelace'",
  });
  expect(everythingOf(refused)).toMatch(/Ada|ada/);
  expect(everythingOf(withoutValues(refused))).not.toMatch(/Ada|ada/);
});

it('the statement, the constraint and the code stay, and the error is the same one', () => {
  const refused = refusedBy('duplicate key', { code: '23505', constraint: 'customers_email' });
  const outer = new Error('not booked', { cause: refused });
  expect(withoutValues(outer)).toBe(outer);
  expect(refused.message).toBe('Failed query: insert into "customers" ("email", "name") values ($1, $2)');
  expect(refused.stack).toContain('failed-query.test.ts');
  expect(refused.cause).toMatchObject({
    message: 'duplicate key',
    code: '23505',
    constraint: 'customers_email',
  });
});

it('what is no error of the database is left as it is', () => {
  const error = new Error('detail: "Ada"', { cause: 'Ada' });
  expect(withoutValues(error)).toBe(error);
  expect(error.message).toBe('detail: "Ada"');
  expect(withoutValues('Ada')).toBe('Ada');
});
