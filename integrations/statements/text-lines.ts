/**
 * A text as lines, whichever line end it uses. A line has a limit, so that a file without line ends fills no memory, and no
 * NUL in it: where one stands, what was there is lost.
 */
import { StatementError } from './statement-error.ts';

export type TextLine = { text: string; line: number };

export async function* textLines(text: AsyncIterable<string>): AsyncGenerator<TextLine> {
  let rest = '';
  let line = 0;
  for await (const piece of text) {
    const whole = rest + piece;
    // A return at the end may be half of a line end.
    const held = whole.endsWith('\r') ? '\r' : '';
    const lines = whole.slice(0, whole.length - held.length).split(/\r\n|\r|\n/);
    rest = (lines.pop() ?? '') + held;
    for (const each of lines) {
      line += 1;
      yield { text: bounded(each, line), line };
    }
    bounded(rest, line + 1);
  }
  if (rest.endsWith('\r')) rest = rest.slice(0, -1);
  if (rest !== '') yield { text: bounded(rest, line + 1), line: line + 1 };
}

const longestLine = 131_072;

function bounded(text: string, line: number): string {
  if (text.includes('\0')) {
    throw new StatementError({
      reason: 'structure_unreadable',
      line,
      message: 'The line has a NUL in it: something of it is lost. Fetch the file again from the bank.',
    });
  }
  if (text.length <= longestLine) return text;
  throw new StatementError({
    reason: 'field_too_long',
    line,
    message: 'The line is longer than any bank writes.',
  });
}
