/**
 * A file's bytes as text, in pieces of bounded size. A byte order mark goes first, then what the file declares; what
 * declares nothing is UTF-8, and bytes that are not are taken for Windows-1252, which older banking software writes
 * whatever it declares.
 */
import { StatementError } from './statement-error.ts';

export type DecodedFile = {
  /** The beginning of the file, for telling its format. */
  head: string;
  text: () => AsyncGenerator<string>;
};

/** Reads the head at once and the rest as it is asked for. `encoding`: a label, as `windows-1250`. */
export async function decodeText(bytes: AsyncIterable<Uint8Array>, encoding?: string): Promise<DecodedFile> {
  const source = bytes[Symbol.asyncIterator]();
  const start = await readHead(source);
  const head = start.subarray(0, headBytes);
  const label = encoding ?? encodingOf(head);
  return {
    head: decoderFor(label)(head, true),
    async *text() {
      const decode = decoderFor(label);
      try {
        yield* piecesOf(start, decode);
        for (let next = await source.next(); !next.done; next = await source.next()) {
          yield* piecesOf(next.value, decode);
        }
        yield decode(new Uint8Array(), true);
      } finally {
        await source.return?.();
      }
    },
  };
}

/** Without a byte order mark. `isLast` gives out what was kept back of an unfinished character. */
type Decoder = (bytes: Uint8Array, isLast: boolean) => string;

const headBytes = 8192;
const pieceBytes = 16_384;

async function readHead(source: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < headBytes) {
    const next = await source.next();
    if (next.done) break;
    chunks.push(next.value);
    length += next.value.length;
  }
  return Buffer.concat(chunks);
}

function* piecesOf(bytes: Uint8Array, decode: Decoder): Generator<string> {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    const text = decode(bytes.subarray(start, start + pieceBytes), false);
    if (text !== '') yield text;
  }
}

/** `null` where the file does not say, or says what is no encoding. */
function encodingOf(head: Uint8Array): string | null {
  const [first, second] = head;
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0x3c && second === 0) return 'utf-16le';
  if (first === 0 && second === 0x3c) return 'utf-16be';
  if (first === 0xef && second === 0xbb && head[2] === 0xbf) return null;
  const ascii = Buffer.from(head.subarray(0, 1024)).toString('latin1');
  const declared =
    /^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]+)["']/i.exec(ascii)?.[1] ??
    (/OFXHEADER/i.test(ascii) ? /CHARSET\s*:\s*([\w-]+)/i.exec(ascii)?.[1] : undefined);
  // Software declares UTF-16 for what it holds and writes another; a declaration that was read here is not in it.
  if (declared === undefined || /^(?:utf-?16|ucs-?2|iso-10646|(?:cs)?unicode)/i.test(declared)) return null;
  return labels.get(declared.toLowerCase()) ?? declared;
}

/** What OFX calls its code pages. */
const labels: ReadonlyMap<string, string> = new Map(
  ['1250', '1251', '1253', '1254', '1255', '1256', '1257', '1258'].map((page) => [page, `windows-${page}`]),
);

function decoderFor(encoding: string | null): Decoder {
  // Declared as these and written in UTF-8 is common; a text of theirs that reads as UTF-8 is not.
  if (
    encoding === null ||
    /^(?:utf-?8|us-?ascii|ascii|none|1252|windows-1252|cp1252|iso-?8859-1|latin1)$/i.test(encoding)
  ) {
    return withoutMark(utf8OrWindows());
  }
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { ignoreBOM: true });
  } catch {
    return decoderFor(null);
  }
  return withoutMark((bytes, isLast) => decoder.decode(bytes, { stream: !isLast }));
}

function withoutMark(decoder: Decoder): Decoder {
  let hasBegun = false;
  return (bytes, isLast) => {
    const text = decoder(bytes, isLast);
    if (hasBegun || text === '') return text;
    hasBegun = true;
    return text.startsWith('\uFEFF') ? text.slice(1) : text;
  };
}

/** Each run of bytes above ASCII is decided alone, so that how a file is cut into chunks changes nothing. */
function utf8OrWindows(): Decoder {
  let kept: Uint8Array = new Uint8Array();
  return (bytes, isLast) => {
    const all = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    let end = all.length;
    if (!isLast) while (end > 0 && (all[end - 1] ?? 0) >= 0x80) end -= 1;
    kept = all.slice(end);
    if (kept.length > longestRunBytes) {
      throw new StatementError({
        reason: 'format_unknown',
        line: null,
        message: 'This is not a text file. Give the statement file itself, as the bank gave it.',
      });
    }
    const ready = all.subarray(0, end);
    return decodeUtf8(ready) ?? decodeRuns(ready);
  };
}

const longestRunBytes = 65_536;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const windows1252 = new TextDecoder('windows-1252');

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

function decodeRuns(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; ) {
    const isHigh = (bytes[start] ?? 0) >= 0x80;
    let end = start + 1;
    while (end < bytes.length && (bytes[end] ?? 0) >= 0x80 === isHigh) end += 1;
    const run = bytes.subarray(start, end);
    text += decodeUtf8(run) ?? windows1252.decode(run);
    start = end;
  }
  return text;
}
