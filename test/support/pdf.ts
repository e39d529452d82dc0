/** What a PDF shows, read from its bytes by pdf.js: every text with its place. */
import { getDocumentProxy, getResolvedPDFJS } from 'unpdf';

/** A text that is drawn at once; `x` and `y` are its left end and its baseline from the upper left corner. */
export type PdfText = { text: string; x: number; y: number; width: number; size: number };

export type PdfPage = {
  height: number;
  width: number;
  /** In the order of drawing. */
  texts: PdfText[];
  /** Each piece as it is painted, glyph by glyph from left to right; `□` is a character no font has. */
  painted: string[];
};

export type ReadPdf = { pages: PdfPage[]; info: Record<string, unknown>; id: string | null };

export async function readPdf(bytes: Uint8Array): Promise<ReadPdf> {
  const { OPS } = await getResolvedPDFJS();
  // pdf.js takes possession of what it is given.
  const file = await getDocumentProxy(Uint8Array.from(bytes));
  const pages: PdfPage[] = [];
  for (let number = 1; number <= file.numPages; number += 1) {
    const page = await file.getPage(number);
    const { width, height } = page.getViewport({ scale: 1 });
    const { items } = await page.getTextContent();
    const { fnArray, argsArray } = await page.getOperatorList();
    pages.push({
      width,
      height,
      texts: items.flatMap((item) =>
        'str' in item && isLegible(item.str)
          ? [
              {
                text: item.str,
                x: item.transform[4],
                y: height - item.transform[5],
                width: item.width,
                size: item.height,
              },
            ]
          : [],
      ),
      painted: fnArray.flatMap((operation, index) =>
        operation === OPS.showText ? [glyphsOf(argsArray[index][0])] : [],
      ),
    });
  }
  const { info } = await file.getMetadata();
  const read = { pages, info: { ...info }, id: file.fingerprints[0] ?? null };
  await file.loadingTask.destroy();
  return read;
}

/** The texts of all pages, one after the other. */
export function textsOf({ pages }: Pick<ReadPdf, 'pages'>): string[] {
  return pages.flatMap(({ texts }) => texts.map(({ text }) => text));
}

/** Pairs of texts of one page that cover each other, and texts that leave the page's margins. */
export function collisionsIn({ texts, width, height }: PdfPage, margin: number): string[] {
  const boxes = texts.map(({ text, x, y, width: wide, size }) => ({
    text,
    left: x,
    right: x + wide,
    top: y - 0.72 * size,
    bottom: y + 0.22 * size,
  }));
  // Two pieces of one line touch; kerning moves them by fractions of a point.
  const slack = 0.4;
  const covered = boxes.flatMap((a, index) =>
    boxes
      .slice(index + 1)
      .filter(
        (b) =>
          a.left + slack < b.right &&
          b.left + slack < a.right &&
          a.top + slack < b.bottom &&
          b.top + slack < a.bottom,
      )
      .map((b) => `"${a.text}" and "${b.text}"`),
  );
  const outside = boxes.filter(
    ({ left, right, top, bottom }) =>
      left < margin - slack ||
      right > width - margin + slack ||
      top < margin / 2 ||
      bottom > height - margin / 2,
  );
  return [...covered, ...outside.map(({ text }) => `"${text}" is outside`)];
}

/** A mark that belongs to a letter has no text of its own, and pdf.js gives it a control character. */
function isLegible(text: string): boolean {
  return /[^\s\p{Cc}]/u.test(text);
}

/** Numbers among the glyphs are distances. */
function glyphsOf(glyphs: readonly (number | { unicode: string; originalCharCode: number })[]): string {
  return glyphs
    .map((glyph) => {
      if (typeof glyph === 'number') return '';
      return glyph.originalCharCode === 0 ? '□' : glyph.unicode;
    })
    .join('');
}
