import { describe, expect, it } from 'vitest';
import { toProblem } from './failures.ts';

describe('a failure of the database', () => {
  it.each([
    ['a number out of range', '22003', 422, 'value_unusable'],
    ['a date that cannot be read', '22007', 422, 'value_unusable'],
    ['a date out of range', '22008', 422, 'value_unusable'],
    ['a date beyond the year 9999', '22009', 422, 'value_unusable'],
    ['a text that is no text', '22021', 422, 'value_unusable'],
    ['a division by zero', '22012', 500, 'internal_error'],
    ['a value that was taken meanwhile', '23505', 409, 'already_exists'],
    ['a deadlock', '40P01', 503, 'database_unavailable'],
    ['a mistake of ours', '42601', 500, 'internal_error'],
  ])('%s is told as what it is', (_what, code, status, problem) => {
    const failure = new Error('Failed query', { cause: Object.assign(new Error('refused'), { code }) });
    const { status: answered, code: named, body } = toProblem(failure);
    expect([answered, named]).toEqual([status, problem]);
    expect(body.detail).not.toContain('refused');
  });
});
