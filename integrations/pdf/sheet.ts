/**
 * A4 pages to write on: text by lines, rules and boxes, a cursor that goes down, and new pages with what they repeat.
 * Positions are points from the upper left corner.
 *
 * Nothing of the file comes from the clock or from chance: its dates and its id are given, so the same content is the
 * same bytes.
 */
import PDFDocument from 'pdfkit';
import type { Run } from './bidi-text.ts';
import { fontName, loadFonts, type Weight } from './fonts.ts';
import { type Line, unwrappedText, wrapText } from './wrapped-text.ts';

export type TextStyle = { weight: Weight; size: number; colour: string };

export type Sheet = {
  /** Where the next thing goes. */
  y: number;
  /** Goes to a new page where this much does not fit on the running one but on a whole one; tells whether it did. */
  ensure(height: number): boolean;
  addPage(): void;
  /** What is left above the foot of the page. */
  room(): number;
  wrap(text: string, style: TextStyle, width: number): Line[];
  widthOf(text: string, style: TextStyle): number;
  /** One line with its upper edge at `y`. */
  drawLine(line: Line, style: TextStyle, at: { x: number; y: number }): void;
  /** A text that is known to fit; `right` is where it ends. */
  drawText(text: string, style: TextStyle, at: { x: number; y: number } | { right: number; y: number }): void;
  /** A horizontal line at the cursor. */
  rule(colour: string, from?: number, to?: number): void;
  box(colour: string, at: { x: number; y: number; width: number; height: number }): void;
  finish(): Promise<Buffer>;
};

export type SheetOptions = {
  title: string;
  author: string;
  /** The file's date of creation and change. */
  at: Date;
  /** Drawn at the top of every page but the first. */
  runningHead: string;
  footStyle: TextStyle;
};

const page = { width: 595.28, height: 841.89 };
const marginTop = 52;
const marginBottom = 66;

/** The column that is written on. */
export const edges = { left: 52, right: page.width - 52 };

export async function createSheet({
  title,
  author,
  at,
  runningHead,
  footStyle,
}: SheetOptions): Promise<Sheet> {
  const pdf = new PDFDocument({
    size: 'A4',
    margin: 0,
    autoFirstPage: false,
    bufferPages: true,
    pdfVersion: '1.7',
    lang: 'en',
    displayTitle: true,
    info: {
      Title: title,
      Author: author,
      Producer: 'Perennial',
      Creator: 'Perennial',
      CreationDate: at,
      ModDate: at,
    },
  });
  // Each document parses the typefaces anew: a parsed one remembers what it has drawn, and would tell it to the next.
  for (const { name, bytes } of await loadFonts()) pdf.registerFont(name, bytes);

  const use = (run: Run, { weight, size, colour }: TextStyle) =>
    pdf.font(fontName(run.face, weight)).fontSize(size).fillColor(colour);
  // Most words and figures of a document come more than once, and shaping is what takes the time.
  const widths = new Map<string, number>();
  const measure = (style: TextStyle) => (run: Run) => {
    const key = `${fontName(run.face, style.weight)} ${style.size} ${run.text}`;
    const width = widths.get(key) ?? use(run, style).widthOfString(run.text, { features: [] });
    widths.set(key, width);
    return width;
  };

  const sheet: Sheet = {
    y: marginTop,
    room: () => page.height - marginBottom - sheet.y,
    ensure(height) {
      const goesOver = height > sheet.room() && height <= page.height - marginBottom - contentTop;
      if (goesOver) sheet.addPage();
      return goesOver;
    },
    addPage() {
      pdf.addPage();
      sheet.y = marginTop;
      if (pdf.bufferedPageRange().count === 1) return;
      const head = sheet.wrap(runningHead, footStyle, edges.right - edges.left)[0];
      if (head !== undefined) sheet.drawLine(head, footStyle, { x: edges.left, y: marginTop - 16 });
      sheet.y = contentTop;
    },
    wrap: (text, style, width) => wrapText(text, width, measure(style)),
    widthOf: (text, style) => unwrappedText(text, measure(style)).width,
    drawLine({ runs }, style, { x, y }) {
      const baseline = y + style.size * ascent;
      let left = x;
      for (const run of runs) {
        // With a list of features, though empty, the font shapes the piece as a whole and not word by word.
        use(run, style).text(run.text, left, baseline, {
          lineBreak: false,
          baseline: 'alphabetic',
          features: [],
        });
        left += measure(style)(run);
      }
    },
    drawText(text, style, place) {
      const line = unwrappedText(text, measure(style));
      const x = 'right' in place ? place.right - line.width : place.x;
      sheet.drawLine(line, style, { x, y: place.y });
    },
    rule(colour, from = edges.left, to = edges.right) {
      pdf.moveTo(from, sheet.y).lineTo(to, sheet.y).lineWidth(0.6).strokeColor(colour).stroke();
    },
    box(colour, { x, y, width, height }) {
      pdf.roundedRect(x, y, width, height, 3).lineWidth(0.9).strokeColor(colour).stroke();
    },
    async finish() {
      const { count } = pdf.bufferedPageRange();
      for (let index = 0; index < count; index += 1) {
        pdf.switchToPage(index);
        const y = page.height - marginBottom + 24;
        sheet.drawText(`Page ${index + 1} of ${count}`, footStyle, { right: edges.right, y });
      }
      const written = collect(pdf);
      pdf.end();
      return written;
    },
  };
  sheet.addPage();
  return sheet;
}

/** Of a font size: Noto's height above the baseline, and a line with its distance to the next. */
const ascent = 1.06;
const leading = 1.42;

export function lineHeight({ size }: TextStyle): number {
  return size * leading;
}

/** Below the running head. */
const contentTop = marginTop + 8;

function collect(pdf: PDFKit.PDFDocument): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    pdf.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    pdf.once('end', () => resolve(Buffer.concat(chunks)));
    pdf.once('error', reject);
  });
}
