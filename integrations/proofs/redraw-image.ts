/**
 * Draws a picture anew: its pixels, upright, and nothing else of the file. Each needs memory for all of its pixels: have one drawn
 * at a time.
 */
import { Transformer } from '@napi-rs/image';
import type { ProofRefusal } from '../../domain/payments/bank-proof.ts';
import { imageSize } from './image-size.ts';

type ImageType = 'jpg' | 'png' | 'webp';

/** The largest pictures of telephones; decoded, one has 200 MB. */
const PIXELS_MAX = 50_000_000;
/** A side more than a decoder can address is a fault or an attack. */
const SIDE_MAX = 30_000;
const QUALITY = 88;

/** The bytes of the new picture, of the same type, or why there is none. */
export async function redrawImage(bytes: Uint8Array, type: ImageType): Promise<Uint8Array | ProofRefusal> {
  const size = imageSize(bytes, type);
  if (size === null || size.width === 0 || size.height === 0) return 'image_unreadable';
  const { width, height } = size;
  if (width * height > PIXELS_MAX || Math.max(width, height) > SIDE_MAX) return 'image_too_large';
  try {
    return new Uint8Array(await encode[type](new Transformer(bytes).rotate()));
  } catch {
    // The decoder says what was wrong with the bytes, which nobody could mend.
    return 'image_unreadable';
  }
}

const encode: Record<ImageType, (picture: Transformer) => Promise<Buffer>> = {
  jpg: (picture) => picture.jpeg(QUALITY),
  png: (picture) => picture.png(),
  webp: (picture) => picture.webp(QUALITY),
};
