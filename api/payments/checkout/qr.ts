/** A QR code as a drawing that stands in a page as it is: no script, no picture to fetch, sharp at any size. */
import { create } from 'qrcode';
import { escapeHtml } from '../../../domain/html.ts';

/** Light around a code that readers need, in modules (ISO/IEC 18004). */
const QUIET_ZONE = 4;

/**
 * An `<svg>` of the text, dark on light whatever the page's colours are, 1 unit a module. `title` is what is read out
 * instead. The text is encoded in the shortest way: capitals and digits take fewer dots. Throws for more than about 2 kB.
 */
export function qrSvg(text: string, title: string): string {
  const { modules } = create(text, { errorCorrectionLevel: 'M' });
  const { size } = modules;
  const lines = Array.from({ length: size }, (_, row) =>
    runs(modules.data.subarray(row * size, (row + 1) * size))
      .map(({ start, length }) => `M${start + QUIET_ZONE} ${row + QUIET_ZONE}h${length}v1h-${length}z`)
      .join(''),
  );
  const side = size + 2 * QUIET_ZONE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side}" role="img" shape-rendering="crispEdges">`,
    `<title>${escapeHtml(title)}</title>`,
    `<path fill="#fff" d="M0 0h${side}v${side}h-${side}z"/>`,
    `<path fill="#000" d="${lines.join('')}"/>`,
    '</svg>',
  ].join('');
}

/** Where a row is dark. */
function runs(row: Uint8Array): { start: number; length: number }[] {
  const drawn = Array.from(row, (module) => (module === 0 ? ' ' : '#')).join('');
  return [...drawn.matchAll(/#+/g)].map(({ index, 0: dark }) => ({ start: index, length: dark.length }));
}
