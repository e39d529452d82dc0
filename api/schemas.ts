/**
 * Shapes that all resources share: ids, texts, money, instants. Requests refuse unknown fields (`z.strictObject`);
 * responses may gain fields.
 */
import { z } from 'zod';
import type { IdPrefix } from '../db/ids.ts';
import { currencies } from '../domain/money.ts';
import { type ProblemCode, problemKinds } from './problem.ts';

/** `cus_` and 32 hex digits. */
export function idPattern(prefix: IdPrefix): RegExp {
  return new RegExp(`^${prefix}_[0-9a-f]{32}$`);
}

/** An id of ours, in a request or an answer. */
export function id(prefix: IdPrefix, noun: string) {
  return z
    .string()
    .regex(idPattern(prefix))
    .meta({ description: `Id of a ${noun}.`, example: `${prefix}_0198f1c07b2a7c6e9d3b5a4f2e1d0c9b` });
}

/** One line of text. */
export function text(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(oneLine, 'must not contain control characters')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode');
}

/** Text of several lines. */
export function longText(maxLength: number) {
  return z
    .string()
    .min(1)
    .max(maxLength)
    .regex(severalLines, 'must not contain control characters')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode');
}

// Neither mails nor logs nor the database want control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const oneLine = /^[^\u0000-\u001f\u007f-\u009f]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused, but for tabs and line ends.
const severalLines = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$/;

/** A name that appears in URLs and in code: `pro-monthly`, `standard_30`. */
export const codeName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be lower-case letters, digits, - and _')
  .meta({ example: 'pro-monthly' });

/** The form HTML's e-mail fields accept, in ASCII. */
export const email = z
  .string()
  .max(254)
  .regex(
    /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/,
    'must be an e-mail address',
  )
  .meta({ example: 'ada@example.com' });

export const currency = z
  .enum(currencies as [string, ...string[]])
  .meta({ id: 'Currency', description: 'ISO 4217 code, upper case.', example: 'USD' });

/** The most that one price or payment may be: sums of thousands of them are still exact. */
export const AMOUNT_MAX = 999_999_999_999;

export const positiveAmount = z
  .int('must be a whole number of minor units')
  .min(1)
  .max(AMOUNT_MAX, `must not be more than ${AMOUNT_MAX}`)
  .meta({ description: 'Minor units (cents, yen, fils): a whole number above 0.', example: 2900 });

export const amount = z.int().min(0).max(Number.MAX_SAFE_INTEGER).meta({ example: 2900 });

/** A line of an invoice may take something back. */
export const signedAmount = z.int().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

/** How many of one currency's units one unit of another is. Above 0, which the form alone does not say. */
export const exchangeRate = z
  .string()
  .regex(
    /^\d{1,12}(?:\.\d{1,20})?$/,
    'must be a decimal above 0 in quotes, with at most 12 digits before the point and 20 behind it, such as "1.0866"',
  )
  .meta({ description: 'An exact decimal above 0, as a string.', example: '1.0866' });

/** An instant we answer: UTC. */
export const instant = z.iso.datetime().meta({ example: '2026-11-21T09:00:00.000Z' });

const SINCE_1900 = [/^(?:19|[2-9]\d)\d\d-/, 'must not be before 1900'] as const;

/** An instant we accept: with any offset, and of a year that the database knows. */
export const instantInput = z.iso
  .datetime({ offset: true })
  .regex(...SINCE_1900)
  .meta({ format: 'date-time', example: '2026-11-21T09:00:00Z' });

/** A day we accept, of a year that the database knows. */
export const dayInput = z.iso
  .date()
  .regex(...SINCE_1900)
  .meta({ format: 'date', example: '2026-11-21' });

/** Where a person looks at the running process. */
export const links = z.object({
  temporal: z.url().meta({ description: 'The process in the Temporal Web UI.' }),
});

/** A request without fields. */
export const emptyBody = z.strictObject({});

/** The schema of every problem, for the document. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(problemKinds) as [ProblemCode, ...ProblemCode[]]),
    reason: z.string().optional().meta({ description: 'A finer, stable name of the cause.' }),
    line: z
      .int()
      .optional()
      .meta({ description: 'Of a file that was sent: where it cannot be read. The first is 1.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Every mistake of the request, or everything that fails, with its place.' }),
  })
  .meta({ id: 'Problem', description: 'A problem as in RFC 9457. Programs branch on `code`.' });
