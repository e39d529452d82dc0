/**
 * Whether a PDF only shows something. One is refused that is encrypted (nobody can look into it), that runs or starts anything,
 * holds other files or goes on behind its end.
 *
 * It is read as the most generous reader would: a name counts wherever it stands, also inside of a stream and in a comment,
 * written plainly or with `#` codes, and every stream that can be inflated is, whatever its dictionary says of it. Objects that
 * are packed in a way that is not looked into are refused.
 */
import { constants, createInflateRaw } from 'node:zlib';
import type { ProofRefusal } from '../../domain/payments/bank-proof.ts';

/** What all streams together may unpack to; pages that were scanned are packed otherwise, and not unpacked here. */
const UNPACKED_MAX_BYTES = 96 * 1024 * 1024;
const STREAMS_MAX = 20_000;

/** Why it is not taken; null where it is. Throws the reason of `gone` once nobody waits for it any more. */
export async function checkPdf(bytes: Uint8Array, gone: AbortSignal): Promise<ProofRefusal | null> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!wholeForm.test(text.slice(-TAIL))) return 'pdf_unreadable';
  return (
    refusalFor(text) ?? (hasScript(outsideOfStreams(text)) ? 'pdf_active' : checkStreams(bytes, text, gone))
  );
}

/** Behind the end there may be blanks only: another file could follow it, which another program opens. */
const wholeForm = /%%EOF[\s\0]*$/;
const TAIL = 1_024;

async function checkStreams(
  bytes: Uint8Array,
  text: string,
  gone: AbortSignal,
): Promise<ProofRefusal | null> {
  let leftBytes = UNPACKED_MAX_BYTES;
  let streams = 0;
  let ofObjects = 0;
  for (const { index, 0: keyword } of text.matchAll(/stream[ \t]{0,8}(?:\r\n|\n|\r)/g)) {
    if (text.startsWith('end', index - 3)) continue;
    gone.throwIfAborted();
    streams += 1;
    if (streams > STREAMS_MAX) return 'pdf_too_large';
    const before = text.slice(Math.max(0, index - DICTIONARY_MAX), index);
    const holdsObjects = namesOf(before.slice(before.lastIndexOf('obj') + 1)).includes('ObjStm');
    const { unpacked, tookBytes, isTooLarge } = await inflated(
      bytes.subarray(index + keyword.length),
      leftBytes,
    );
    if (isTooLarge) return 'pdf_too_large';
    leftBytes -= tookBytes;
    if (holdsObjects && !isLookedInto(before, unpacked)) return 'pdf_unreadable';
    if (holdsObjects) ofObjects += 1;
    if (unpacked === null) continue;
    const content = unpacked.toString('latin1');
    const found = refusalFor(content) ?? (holdsObjects && hasScript(content) ? 'pdf_active' : null);
    if (found !== null) return found;
  }
  // One whose dictionary was not found is packed in a way that nobody has looked into.
  const named = namesOf(text).filter((name) => name === 'ObjStm').length;
  return named === ofObjects ? null : 'pdf_unreadable';
}

const DICTIONARY_MAX = 4_096;

/**
 * Packed objects as every writer packs them: in an object whose dictionary was seen from its beginning, deflated once and nothing
 * else, and what was unpacked begins with the numbers of the objects. Anything else could hide another filter, or one more.
 */
function isLookedInto(before: string, unpacked: Buffer | null): boolean {
  if (unpacked === null || !/^\s*\d+\s+\d+\s/.test(unpacked.subarray(0, 64).toString('latin1'))) return false;
  const at = before.lastIndexOf('obj');
  const line = /[^\r\n]*$/.exec(before.slice(Math.max(0, at - LINE_MAX), Math.max(0, at)))?.[0] ?? '';
  const dictionary = before.slice(at + 'obj'.length);
  if (line.includes('%') || !/(?:^|[\s\0])\d{1,10}[\s\0]+\d{1,5}[\s\0]+$/.test(line)) return false;
  if (!/^[\s\0]*<</.test(dictionary) || /[%#()]|DecodeParms|\/DP(?![A-Za-z])/.test(dictionary)) return false;
  const filters = dictionary.match(/\/F(?:ilter)?(?![A-Za-z])/g) ?? [];
  return filters.length === 1 && deflatedOnce.test(dictionary);
}

const LINE_MAX = 256;
const deflatedOnce = /\/Filter[\s\0]*(?:\/FlateDecode(?![A-Za-z])|\[[\s\0]*\/FlateDecode[\s\0]*\])/;

type Inflated = { unpacked: Buffer | null; tookBytes: number; isTooLarge: boolean };

/**
 * Nothing is unpacked of what is not deflated; what it has cost counts all the same. The two bytes in front and the sum behind are
 * not looked at, as there are readers that do not either; what follows the end of the stream is no part of it.
 */
async function inflated(from: Uint8Array, maxBytes: number): Promise<Inflated> {
  const none = { unpacked: null, tookBytes: 0, isTooLarge: false };
  if ((from[0] ?? 0) % 16 !== 8) return none;
  const parts: Buffer[] = [];
  let tookBytes = 0;
  const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  try {
    inflate.end(from.subarray(2));
    for await (const part of inflate as AsyncIterable<Buffer>) {
      tookBytes += part.length;
      if (tookBytes > maxBytes) return { ...none, tookBytes, isTooLarge: true };
      parts.push(part);
    }
    return { unpacked: Buffer.concat(parts), tookBytes, isTooLarge: false };
  } catch {
    return { ...none, tookBytes };
  } finally {
    inflate.destroy();
  }
}

function refusalFor(text: string): ProofRefusal | null {
  const names = new Set(namesOf(text));
  if (names.has('Encrypt')) return 'pdf_encrypted';
  return active.some((name) => names.has(name)) ? 'pdf_active' : null;
}

/** Scripts, what starts by itself, what is started elsewhere, and files within. */
const active = [
  'JavaScript',
  'OpenAction',
  'Launch',
  'EmbeddedFile',
  'EmbeddedFiles',
  'RichMedia',
  'SubmitForm',
  'ImportData',
  'GoToE',
  'GoToR',
  'XFA',
  'Rendition',
];

/** So short names, of scripts and of what acts by itself, come about by chance in what is packed: they count among objects only. */
function hasScript(text: string): boolean {
  const names = namesOf(text);
  return names.includes('JS') || names.includes('AA');
}

function outsideOfStreams(text: string): string {
  const parts: string[] = [];
  for (let from = 0; ; ) {
    const begin = text.indexOf('stream', from);
    parts.push(text.slice(from, begin === -1 ? undefined : begin));
    const end = begin === -1 ? -1 : text.indexOf('endstream', begin);
    if (end === -1) return parts.join(' ');
    from = end + 'endstream'.length;
  }
}

/** `/Open#41ction` is `OpenAction`. Names of no interest are left out: a large file has very many. */
function namesOf(text: string): string[] {
  const names: string[] = [];
  for (const [, name = ''] of text.matchAll(nameForm)) {
    const plain = name.includes('#') ? name.replaceAll(/#([0-9a-fA-F]{2})/g, decoded) : name;
    if (interesting.has(plain)) names.push(plain);
  }
  return names;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: blanks of PDF, which end a name, are control characters.
const nameForm = /\/([^\u0000-\u0020()<>[\]{}/%]{2,60})/g;

function decoded(_whole: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16));
}

const interesting = new Set(['Encrypt', 'ObjStm', 'JS', 'AA', ...active]);
