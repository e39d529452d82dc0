/**
 * Whether a PDF only shows something. One is refused that is encrypted (nobody can look into it), that runs or starts anything,
 * holds other files or goes on behind its end.
 *
 * It is read as the most generous reader would: a name counts wherever it stands, also inside of a stream and in a comment,
 * written plainly or with `#` codes, and every stream that can be inflated is, whatever its dictionary says of it. Objects that
 * are packed in a way that is not looked into are refused.
 */
import { promisify } from 'node:util';
import { constants, inflateRaw } from 'node:zlib';
import type { ProofRefusal } from '../../domain/payments/bank-proof.ts';

/** What all streams together may unpack to; pages that were scanned are packed otherwise, and not unpacked here. */
const UNPACKED_MAX_BYTES = 96 * 1024 * 1024;
const STREAMS_MAX = 20_000;

/** Why it is not taken; null where it is. */
export async function checkPdf(bytes: Uint8Array): Promise<ProofRefusal | null> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!wholeForm.test(text.slice(-TAIL))) return 'pdf_unreadable';
  return refusalFor(text) ?? (hasScript(outsideOfStreams(text)) ? 'pdf_active' : checkStreams(bytes, text));
}

/** Behind the end there may be blanks only: another file could follow it, which another program opens. */
const wholeForm = /%%EOF[\s\0]*$/;
const TAIL = 1_024;

async function checkStreams(bytes: Uint8Array, text: string): Promise<ProofRefusal | null> {
  let leftBytes = UNPACKED_MAX_BYTES;
  let streams = 0;
  let ofObjects = 0;
  for (const { index, 0: keyword } of text.matchAll(/stream[ \t]{0,8}(?:\r\n|\n|\r)/g)) {
    if (text.startsWith('end', index - 3)) continue;
    streams += 1;
    if (streams > STREAMS_MAX) return 'pdf_too_large';
    const before = text.slice(Math.max(0, index - DICTIONARY_MAX), index);
    const dictionary = new Set(namesOf(before.slice(before.lastIndexOf('obj') + 1)));
    const unpacked = await inflated(bytes.subarray(index + keyword.length), leftBytes);
    if (unpacked === 'too_large') return 'pdf_too_large';
    const holdsObjects = dictionary.has('ObjStm');
    if (holdsObjects && !isLookedInto(dictionary, unpacked !== null)) return 'pdf_unreadable';
    if (holdsObjects) ofObjects += 1;
    if (unpacked === null) continue;
    leftBytes -= unpacked.length;
    const content = unpacked.toString('latin1');
    const found = refusalFor(content) ?? (holdsObjects && hasScript(content) ? 'pdf_active' : null);
    if (found !== null) return found;
  }
  // One whose dictionary was not found is packed in a way that nobody has looked into.
  const named = namesOf(text).filter((name) => name === 'ObjStm').length;
  return named === ofObjects ? null : 'pdf_unreadable';
}

const DICTIONARY_MAX = 4_096;

/** Packed objects: plainly, or deflated and nothing else. */
function isLookedInto(dictionary: Set<string>, isInflated: boolean): boolean {
  const isPacked = otherPackings.some((name) => dictionary.has(name));
  return !isPacked && (isInflated || !(dictionary.has('FlateDecode') || dictionary.has('Fl')));
}

const otherPackings = [
  'LZWDecode',
  'LZW',
  'ASCII85Decode',
  'A85',
  'ASCIIHexDecode',
  'AHx',
  'RunLengthDecode',
  'RL',
  'Crypt',
  'Predictor',
];

const inflate = promisify(inflateRaw);

/**
 * Null for what is not deflated. The two bytes in front and the sum behind are not looked at, as there are readers that do not
 * either; what follows the end of the stream is no part of it.
 */
async function inflated(from: Uint8Array, maxBytes: number): Promise<Buffer | 'too_large' | null> {
  const first = from[0] ?? 0;
  if (first % 16 !== 8) return null;
  try {
    return await inflate(from.subarray(2), {
      maxOutputLength: Math.max(1, maxBytes),
      finishFlush: constants.Z_SYNC_FLUSH,
    });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : null;
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
  'XFA',
  'Rendition',
];

/** So short a name comes about by chance in what is packed, so it counts among objects only. */
function hasScript(text: string): boolean {
  return namesOf(text).includes('JS');
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

const interesting = new Set(['Encrypt', 'ObjStm', 'JS', 'FlateDecode', 'Fl', ...active, ...otherPackings]);
