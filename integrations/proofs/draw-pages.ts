/**
 * A thread that draws the pages of a PDF as pixels, and ends. PDFium runs in it as WebAssembly: it reaches no file, no network and
 * no other memory, runs no script, and has no more memory than is left to it here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PDFiumLibrary } from '@hyzyla/pdfium';

/** What the thread is given. */
export type PagesToDraw = { bytes: Uint8Array; pagesMax: number };

/** `pixels` are of four bytes each: red, green, blue, alpha. */
export type DrawnPage = { width: number; height: number; pixels: Uint8Array };

/** What the thread says, once. */
export type DrawnPages =
  | { kind: 'drawn'; pages: DrawnPage[] }
  | { kind: 'refused'; reason: 'pdf_unreadable' | 'pdf_too_large' };

const DOTS_PER_POINT = 150 / 72;
/** Of a page, nearly those of A3; a larger one is drawn with fewer dots. */
const PIXELS_MAX = 4_000_000;
const SIDE_MAX = 30_000;
const MEMORY_MAX_BYTES = 512 * 1024 * 1024;
const MEMORY_PAGE_BYTES = 64 * 1024;

// Known to TypeScript in browsers only.
declare const WebAssembly: { Memory: { prototype: Memory } };

limitMemory();
const library = await PDFiumLibrary.init();
// PDFium ends itself for want of memory.
const drawn = await drawPages(workerData as PagesToDraw).catch(() => refused('pdf_too_large'));
parentPort?.postMessage(drawn);

async function drawPages({ bytes, pagesMax }: PagesToDraw): Promise<DrawnPages> {
  const document = await library.loadDocument(bytes).catch(() => null);
  const count = document?.getPageCount() ?? 0;
  if (document === null || count === 0) return refused('pdf_unreadable');
  if (count > pagesMax) return refused('pdf_too_large');
  const pages: DrawnPage[] = [];
  for (const page of document.pages()) {
    const { originalWidth, originalHeight } = page.getOriginalSize();
    const scale = Math.min(DOTS_PER_POINT, Math.sqrt(PIXELS_MAX / (originalWidth * originalHeight)));
    const [width, height] = [Math.floor(originalWidth * scale), Math.floor(originalHeight * scale)];
    const isDrawable = width >= 1 && height >= 1 && Math.max(width, height) <= SIDE_MAX;
    if (!isDrawable) return refused('pdf_unreadable');
    // What was typed into a form is drawn as well.
    const { data: pixels } = await page.render({ scale: 1, width, height, renderFormFields: true });
    pages.push({ width, height, pixels });
  }
  return { kind: 'drawn', pages };
}

function refused(reason: 'pdf_unreadable' | 'pdf_too_large'): DrawnPages {
  return { kind: 'refused', reason };
}

type Memory = { buffer: ArrayBuffer; grow(this: Memory, pages: number): number };

/** Whoever asks for more is told that there is none. */
function limitMemory(): void {
  const memory = WebAssembly.Memory.prototype;
  const { grow } = memory;
  memory.grow = function (pages) {
    const bytes = this.buffer.byteLength + pages * MEMORY_PAGE_BYTES;
    if (bytes > MEMORY_MAX_BYTES) throw new RangeError('No more memory is left to a PDF.');
    return grow.call(this, pages);
  };
}
