/** Reads a QR code drawn as an SVG of dark bars, as a camera would: painted in pixels, then decoded. */
import jsqr from 'jsqr';

const PIXELS_PER_MODULE = 4;

/** The text of the code; null where none can be read. */
export function readQr(svg: string): string | null {
  const side = Number(/viewBox="0 0 (\d+) \d+"/.exec(svg)?.[1]) * PIXELS_PER_MODULE;
  const bars = /fill="#000" d="([^"]*)"/.exec(svg)?.[1] ?? '';
  const pixels = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, ...numbers] of bars.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    const [x = 0, y = 0, length = 0] = numbers.map((number) => Number(number) * PIXELS_PER_MODULE);
    for (let row = y; row < y + PIXELS_PER_MODULE; row += 1) {
      for (let column = x; column < x + length; column += 1) pixels.set([0, 0, 0], (row * side + column) * 4);
    }
  }
  return jsqr.default(pixels, side, side)?.data ?? null;
}
