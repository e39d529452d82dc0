/**
 * Draws a PDF anew: its pages as pictures, one upon each page of a PDF of ours that holds nothing else. The same file is the same
 * bytes, whenever it is drawn. The pages are drawn by a thread of their own (`draw-pages.ts`), which is ended where it takes too
 * long or the sender has hung up. Pages need memory for all of their pixels: have one file drawn at a time.
 */
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { Transformer } from '@napi-rs/image';
import PDFDocument from 'pdfkit';
import { PROOF_PAGES_MAX, type ProofRefusal } from '../../domain/payments/bank-proof.ts';
import type { DrawnPage, DrawnPages, PagesToDraw } from './draw-pages.ts';

const PATIENCE_MS = 10_000;
const QUALITY = 88;
const POINTS_PER_DOT = 72 / 150;

/** The bytes of the new PDF, or why there is none. Throws the reason of `gone` once nobody waits for it any more. */
export async function redrawPdf(
  bytes: Uint8Array,
  gone: AbortSignal,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<Uint8Array | ProofRefusal> {
  const drawn = await drawInThread(bytes, AbortSignal.any([gone, AbortSignal.timeout(patienceMs)]));
  gone.throwIfAborted();
  return drawn.kind === 'drawn' ? bind(drawn.pages) : drawn.reason;
}

/** `over` says that it is enough. Throws where the thread cannot even begin. */
async function drawInThread(bytes: Uint8Array, over: AbortSignal): Promise<DrawnPages> {
  const own = new Uint8Array(bytes);
  const toDraw: PagesToDraw = { bytes: own, pagesMax: PROOF_PAGES_MAX };
  const thread = new Worker(new URL('./draw-pages.ts', import.meta.url), {
    workerData: toDraw,
    transferList: [own.buffer],
    // It needs to know nothing of this process, and what it complains of is told by its answer.
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
  });
  // Also one that comes while the thread is being ended.
  thread.on('error', () => {});
  try {
    const [drawn] = (await once(thread, 'message', { signal: over })) as [DrawnPages];
    return drawn;
  } catch (error) {
    if (over.aborted) return { kind: 'refused', reason: 'pdf_too_large' };
    throw error;
  } finally {
    await thread.terminate();
  }
}

async function bind(pages: readonly DrawnPage[]): Promise<Uint8Array> {
  const never = new Date(0);
  const pdf = new PDFDocument({
    autoFirstPage: false,
    margin: 0,
    info: { Producer: 'Perennial', Creator: 'Perennial', CreationDate: never, ModDate: never },
  });
  for (const { width, height, pixels } of pages) {
    const picture = await Transformer.fromRgbaPixels(pixels, width, height).jpeg(QUALITY);
    const size: [number, number] = [width * POINTS_PER_DOT, height * POINTS_PER_DOT];
    pdf.addPage({ size, margin: 0 }).image(picture, 0, 0, { fit: size });
  }
  pdf.end();
  return new Uint8Array(await buffer(pdf));
}
