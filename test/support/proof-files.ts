/** Files that customers may send as proofs, and such that they may not: made here, byte by byte. */
import { deflateSync } from 'node:zlib';
import { Transformer } from '@napi-rs/image';

/** A picture of so many pixels in a colour of its own for each `seed`. */
export function picture(
  type: 'png' | 'jpeg' | 'webp' = 'png',
  { width = 24, height = 16, seed = 0 }: { width?: number; height?: number; seed?: number } = {},
): Promise<Uint8Array> {
  const pixels = Uint8Array.from({ length: width * height * 4 }, (_, at) =>
    at % 4 === 3 ? 255 : (at * 5 + seed * 37) % 256,
  );
  return Transformer.fromRgbaPixels(pixels, width, height)[type]();
}

/** The head of a PNG that says it has so many pixels, and hardly any behind it. */
export async function pngBomb(width: number, height: number): Promise<Uint8Array> {
  const bytes = Buffer.from(await picture('png'));
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

/** A JPEG with the segment in which cameras write where they were. */
export async function jpegWithPlace(place: string): Promise<Uint8Array> {
  const plain = Buffer.from(await picture('jpeg'));
  const content = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), Buffer.from(place, 'latin1')]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(content.length + 2, 2);
  return Buffer.concat([plain.subarray(0, 2), head, content, plain.subarray(2)]);
}

/** A PDF of one page. `catalog` goes into its root, `objects` are others, `trailer` goes into the trailer. */
export function pdf({
  catalog = '',
  objects = [],
  trailer = '',
  after = '',
}: {
  catalog?: string;
  objects?: (string | Uint8Array)[];
  trailer?: string;
  after?: string;
} = {}): Uint8Array {
  const parts = [
    '%PDF-1.7\n',
    `1 0 obj\n<< /Type /Catalog /Pages 2 0 R ${catalog} >>\nendobj\n`,
    '2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n',
    '3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>\nendobj\n',
    ...pdfStream({ number: 4, content: 'BT (Transfer of USD 29.00) Tj ET' }),
    ...objects,
    `trailer\n<< /Root 1 0 R /Size 5 ${trailer} >>\nstartxref\n0\n%%EOF\n`,
    after,
  ];
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  );
}

/** An object with a stream, deflated. */
export function pdfStream({
  number,
  content,
  dictionary = '/Filter /FlateDecode',
  pack = deflateSync,
}: {
  number: number;
  content: string;
  dictionary?: string;
  pack?: (content: string) => Uint8Array;
}): (string | Uint8Array)[] {
  const packed = pack(content);
  return [
    `${number} 0 obj\n<< ${dictionary} /Length ${packed.length} >>\nstream\n`,
    packed,
    '\nendstream\nendobj\n',
  ];
}

/** What Windows starts. */
export function program(): Uint8Array {
  const bytes = Buffer.alloc(512);
  bytes.write('MZ', 0, 'latin1');
  bytes.writeUInt32LE(128, 0x3c);
  bytes.write('PE\0\0', 128, 'latin1');
  return bytes;
}

/** As telephones of Apple save pictures: the head is enough to be known. */
export function heic(): Uint8Array {
  return Buffer.concat([
    Buffer.from([0, 0, 0, 24]),
    Buffer.from('ftypheic\0\0\0\0mif1heic', 'latin1'),
    Buffer.alloc(64),
  ]);
}
