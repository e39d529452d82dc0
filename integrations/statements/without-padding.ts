/**
 * NUL and Ctrl-Z as dress: what fills up a block or marks the end of a file stands where a line begins or ends, or between
 * two messages. Anywhere else it is left to the readers.
 */

export async function* withoutPadding(text: AsyncIterable<string>): AsyncGenerator<string> {
  let held = '';
  // Of what was given out, as much as tells a message's end.
  let given = '\n';
  for await (const piece of text) {
    const whole = given + held + piece;
    const end = unfinishedAt(whole);
    held = shortened(whole.slice(end));
    const plain = whole
      .slice(0, end)
      .replace(run, (padding, at: number, all: string) => (isPadding(padding, at, all) ? '' : padding));
    if (plain.length > given.length) yield plain.slice(given.length);
    given = plain.slice(-'\n-'.length);
  }
}

const fillers = '\0\x1A';
const filler = new RegExp(`[${fillers}]`);
const run = new RegExp(`[${fillers}][${fillers} \\t]*`, 'g');

/** Where a run begins of which nobody knows yet what follows; at the end of the file nothing does. */
function unfinishedAt(text: string): number {
  let end = text.length;
  while (end > 0 && `${fillers} \t`.includes(text[end - 1] ?? '')) end -= 1;
  const begin = text.slice(end).search(filler);
  return begin < 0 ? text.length : end + begin;
}

function isPadding(padding: string, at: number, all: string): boolean {
  const [before = '', after = ''] = [all[at - 1], all[at + padding.length]];
  const isLineEnd = (character: string) => character === '\n' || character === '\r';
  if (isLineEnd(before) || isLineEnd(after)) return true;
  if (before === '-' && isLineEnd(all[at - 2] ?? '')) return after === ':';
  return '}\x03'.includes(before) && '{\x01'.includes(after);
}

/** Padding of any length takes no memory. */
function shortened(padding: string): string {
  if (padding.length < longestHeld) return padding;
  return padding.includes('\0') ? '\0' : '\x1A';
}

const longestHeld = 4096;
