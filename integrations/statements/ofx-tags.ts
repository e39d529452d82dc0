/**
 * The tags of an OFX file, of both kinds: SGML, where a value ends at the next tag and few tags are closed, and XML.
 * Knows nothing of what the tags mean. Entities stand for one character each and are never declared.
 */
import { StatementError } from './statement-error.ts';

export type OfxToken =
  | { kind: 'open'; name: string; line: number }
  | { kind: 'close'; name: string; line: number }
  | { kind: 'text'; text: string; line: number };

export type OfxTokenizer = { write: (text: string) => Generator<OfxToken>; end: () => Generator<OfxToken> };

export function ofxTokenizer(): OfxTokenizer {
  let buffer = '';
  let line = 1;
  let isAfterReturn = false;
  let hasTag = false;

  const take = (length: number): string => {
    const taken = buffer.slice(0, length);
    buffer = buffer.slice(length);
    for (const character of taken) {
      if (character === '\r' || (character === '\n' && !isAfterReturn)) line += 1;
      isAfterReturn = character === '\r';
    }
    return taken;
  };

  function* tokens(isLast: boolean): Generator<OfxToken> {
    for (;;) {
      const next = nextToken(buffer, isLast);
      if (next === null) break;
      const begunAt = line;
      const written = take(next.length);
      if (hasTag && written.includes('\0')) throw lost(begunAt);
      if (next.kind === 'text') {
        if (hasTag && written.trim() !== '') yield { kind: 'text', text: decoded(written), line: begunAt };
      } else if (next.kind === 'cdata') {
        yield { kind: 'text', text: written.slice('<![CDATA['.length, -']]>'.length), line: begunAt };
      } else if (next.kind === 'declaration') {
        throw new StatementError({
          reason: 'xml_entities_refused',
          line: begunAt,
          message:
            'The file declares a document type, which no bank needs and which can hide anything. It is not read.',
        });
      } else if (next.kind !== 'skipped') {
        hasTag = true;
        const name = /^<\/?(?:[\w.-]+:)?([\w.-]+)/.exec(written)?.[1]?.toUpperCase() ?? '';
        yield { kind: next.kind, name, line: begunAt };
        if (/\/\s*>$/.test(written) && next.kind === 'open') yield { kind: 'close', name, line: begunAt };
      }
    }
    if (buffer.length > longestToken) {
      throw new StatementError({
        reason: 'field_too_long',
        line,
        message: 'One field of the file is too long.',
      });
    }
  }

  return {
    *write(text) {
      buffer += text;
      yield* tokens(false);
    },
    end: () => tokens(true),
  };
}

function lost(line: number): StatementError {
  return new StatementError({
    reason: 'structure_unreadable',
    line,
    message: 'The field has a NUL in it: something of it is lost. Fetch the file again from the bank.',
  });
}

type Extent = { kind: 'open' | 'close' | 'text' | 'cdata' | 'declaration' | 'skipped'; length: number };

/** `null` where the buffer does not hold the whole of it yet. */
function nextToken(buffer: string, isLast: boolean): Extent | null {
  if (buffer === '') return null;
  if (buffer[0] !== '<') return textExtent(buffer, 0, isLast);
  if (!isLast && buffer.length < '<![CDATA['.length && !buffer.includes('>')) return null;
  for (const { begin, end, kind } of sections) {
    if (!buffer.startsWith(begin)) continue;
    const found = buffer.indexOf(end, begin.length);
    if (found >= 0) return { kind, length: found + end.length };
    return isLast ? { kind: 'skipped', length: buffer.length } : null;
  }
  if (/^<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST)/i.test(buffer)) return { kind: 'declaration', length: 2 };
  // A bank that writes `A < B` in a memo means the character.
  if (!/^<\/?[A-Za-z]/.test(buffer)) return textExtent(buffer, 1, isLast);
  const end = endOfTag(buffer);
  if (end < 0) return isLast ? { kind: 'skipped', length: buffer.length } : null;
  if (buffer[end] === '<' || !tagShape.test(buffer.slice(0, end + 1))) return textExtent(buffer, 1, isLast);
  return { kind: buffer.startsWith('</') ? 'close' : 'open', length: end + 1 };
}

/** Not `<jane@example.com>`. */
const tagShape = /^<\/?[\w.:-]+\s*(?:\s[^<>]*)?\/?>$/;

/** Of a tag or of what only looks like one; -1 where neither is there yet. */
function endOfTag(buffer: string): number {
  for (let index = 1; index < buffer.length; index += 1) {
    if (buffer[index] === '>' || buffer[index] === '<') return index;
  }
  return -1;
}

const sections = [
  { begin: '<![CDATA[', end: ']]>', kind: 'cdata' },
  { begin: '<!--', end: '-->', kind: 'skipped' },
  { begin: '<?', end: '?>', kind: 'skipped' },
] as const;

/** A text is given whole: its entities must not be cut. */
function textExtent(buffer: string, from: number, isLast: boolean): Extent | null {
  const end = buffer.indexOf('<', from);
  if (end >= 0) return { kind: 'text', length: end };
  return isLast ? { kind: 'text', length: buffer.length } : null;
}

const longestToken = 131_072;

/** Only what stands for one character; an ampersand that begins no entity is one. */
function decoded(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi,
    (all, decimal, hex, name) => {
      if (name !== undefined) return characters.get(String(name).toLowerCase()) ?? all;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}

const characters: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);
