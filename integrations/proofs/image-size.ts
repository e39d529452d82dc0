/**
 * How large a picture says it is, read from its head without decoding it: a small file may unpack to more than a machine has.
 */

export type ImageSize = { width: number; height: number };

/** Null where the head is not that of such a picture. */
export function imageSize(bytes: Uint8Array, type: 'jpg' | 'png' | 'webp'): ImageSize | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return readers[type](view);
  } catch (error) {
    // A read behind the end.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const readers: Record<'jpg' | 'png' | 'webp', (view: DataView) => ImageSize | null> = {
  png: (view) => {
    const isHeader = view.getUint32(8) === 13 && textAt(view, 12) === 'IHDR';
    return isHeader ? { width: view.getUint32(16), height: view.getUint32(20) } : null;
  },
  jpg: (view) => {
    let size: ImageSize | null = null;
    // Segments: a marker, and a length that counts itself; until the picture itself begins.
    for (let at = 2; ; ) {
      if (view.getUint8(at) !== 0xff) return null;
      const marker = view.getUint8(at + 1);
      if (marker === 0xff) {
        at += 1;
        continue;
      }
      if (marker === START_OF_SCAN || marker === END_OF_IMAGE) return size;
      if (isFrame(marker)) {
        const frame = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
        // Whichever a decoder takes, it is no larger.
        if (size === null || frame.width * frame.height > size.width * size.height) size = frame;
      }
      at += 2 + (hasNoLength(marker) ? 0 : view.getUint16(at + 2));
    }
  },
  webp: (view) => {
    switch (textAt(view, 12)) {
      case 'VP8X':
        return { width: uint24(view, 24) + 1, height: uint24(view, 27) + 1 };
      case 'VP8L': {
        const bits = view.getUint32(21, true);
        return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
      }
      case 'VP8 ':
        return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
      default:
        return null;
    }
  },
};

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;

/** SOF0 to SOF15; three numbers in between mean something else. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function hasNoLength(marker: number): boolean {
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

function textAt(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((offset) => view.getUint8(at + offset)));
}

function uint24(view: DataView, at: number): number {
  return view.getUint8(at) + view.getUint8(at + 1) * 2 ** 8 + view.getUint8(at + 2) * 2 ** 16;
}
