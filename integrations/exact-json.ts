/** JSON whose numbers are kept as the text they were written in: a price that becomes a float on the way is another price. */

/** Throws a `SyntaxError` where the text is no JSON. Every number in the result is a string, as it stands in the text. */
export function parseExactJson(text: string): unknown {
  const keep: ExactReviver = (_key, value, { source }) => (typeof value === 'number' ? source : value);
  return JSON.parse(text, keep as Parameters<typeof JSON.parse>[1]);
}

/** The third argument is newer than TypeScript's declaration. */
type ExactReviver = (key: string, value: unknown, context: { source?: string }) => unknown;
