/** Breaks text into lines that fit a width. What has no place to break is broken within, so that nothing overlaps. */
import { type BidiText, bidiText, graphemes, type Run } from './bidi-text.ts';

/** A line in the order in which it is drawn. */
export type Line = {
  runs: readonly Run[];
  width: number;
  /** How far it stands from the left edge of its text: lines that are read from the right end below each other. */
  indent: number;
};

/** How wide a piece is drawn. */
export type Measure = (run: Run) => number;

/** Line breaks of the text are kept. An empty text has no lines. */
export function wrapText(text: string, width: number, measure: Measure): Line[] {
  const paragraphs = printable(text).split('\n');
  return paragraphs.flatMap((paragraph) => wrapParagraph(bidiText(paragraph.trim()), width, measure));
}

/** All of it on one line, however wide. */
export function unwrappedText(text: string, measure: Measure): Line {
  const paragraph = bidiText(printable(text).replaceAll('\n', ' ').trim());
  return lineOf(paragraph, 0, paragraph.text.length, measure);
}

function wrapParagraph(paragraph: BidiText, width: number, measure: Measure): Line[] {
  const { text } = paragraph;
  // A line is taken to be as wide as its words: measuring each possible line would cost the square of its length.
  const widthOf = (start: number, end: number) => sumOf(paragraph.runs(start, end), measure);
  const whole = lineOf(paragraph, 0, text.length, measure);
  if (whole.width <= width) return text === '' ? [] : [whole];
  const lines: Line[] = [];
  let line = { start: 0, end: 0, width: 0 };
  const breakBefore = (start: number) => {
    if (line.end > line.start) lines.push(lineOf(paragraph, line.start, line.end, measure));
    line = { start, end: start, width: 0 };
  };
  const add = ({ start, end }: Range) => {
    const added = widthOf(line.end, start) + widthOf(start, end);
    if (line.width + added > width) breakBefore(start);
    line = { ...line, end, width: line.width + widthOf(line.end, start) + widthOf(start, end) };
  };
  for (const word of wordsOf(text)) {
    if (widthOf(word.start, word.end) <= width) add(word);
    else {
      breakBefore(word.start);
      for (const part of partsOf(text, word)) add(part);
    }
  }
  breakBefore(text.length);
  if (!paragraph.isRightToLeft) return lines;
  const longest = Math.max(...lines.map((each) => each.width));
  return lines.map((each) => ({ ...each, indent: longest - each.width }));
}

type Range = { start: number; end: number };

/** Between spaces, and after a hyphen or slash within. `end` is without the space that follows. */
function wordsOf(text: string): Range[] {
  return [...text.matchAll(/[^\s/-]*[/-]+|[^\s/-]+/g)].map(({ index, 0: word }) => ({
    start: index,
    end: index + word.length,
  }));
}

function partsOf(text: string, { start, end }: Range): Range[] {
  let at = start;
  return graphemes(text.slice(start, end)).map((part) => {
    const range = { start: at, end: at + part.length };
    at = range.end;
    return range;
  });
}

function lineOf(paragraph: BidiText, start: number, end: number, measure: Measure): Line {
  const runs = paragraph.runs(start, end);
  return { runs, width: sumOf(runs, measure), indent: 0 };
}

function sumOf(runs: readonly Run[], measure: Measure): number {
  return runs.reduce((sum, run) => sum + measure(run), 0);
}

/** Composed characters, well-formed, with no control but the line break. */
function printable(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, '\n')
    .replace(/(?!\n)\p{Cc}/gu, ' ');
}
