/**
 * Text in the order in which it is read from left to right on paper: the Unicode bidirectional algorithm (UAX #9),
 * per line, split where the typeface changes. Its base direction is that of its first letter.
 */
import bidiFactory, { type Bidi } from 'bidi-js';
import { type Face, faceOf } from './fonts.ts';

/** A piece that is drawn at once. */
export type Run = { text: string; face: Face };

/** One paragraph, to be broken into lines. */
export type BidiText = {
  text: string;
  /** Its lines begin at the right. */
  isRightToLeft: boolean;
  /** The pieces of `[start, end)` from left to right, `end` being the end of a line. */
  runs(start: number, end: number): Run[];
};

/** A text of one paragraph: without line breaks. */
export function bidiText(text: string): BidiText {
  const embedding = bidi.getEmbeddingLevels(text, 'auto');
  const faces = facesOf(text);
  return {
    text,
    isRightToLeft: isOdd(embedding.paragraphs[0]?.level ?? 0),
    runs(start, end) {
      if (start >= end) return [];
      const visual = visualOrder(start, end, bidi.getReorderSegments(text, embedding, start, end - 1));
      const levelAt = (index: number) => embedding.levels[index] ?? 0;
      return groupNeighbours(visual, (index, before) => {
        const step = isOdd(levelAt(index)) ? -1 : 1;
        return (
          index === before + step && levelAt(index) === levelAt(before) && faces[index] === faces[before]
        );
      }).map((indices) => {
        const first = Math.min(...indices);
        const piece = text.slice(first, first + indices.length);
        return { text: shapeable(piece, isOdd(levelAt(first))), face: faces[first] ?? 'sans' };
      });
    },
  };
}

// The package is CommonJS whose export is the function itself; its types describe a default export beside it.
const bidi = (bidiFactory as unknown as () => Bidi)();

/** The indices of `[start, end)` after each of the segments, which have both their ends in them, was turned round. */
function visualOrder(start: number, end: number, segments: readonly (readonly number[])[]): number[] {
  const order = Array.from({ length: end - start }, (_, offset) => start + offset);
  for (const [first = 0, last = -1] of segments) {
    const turned = order.slice(first - start, last + 1 - start).reverse();
    order.splice(first - start, turned.length, ...turned);
  }
  return order;
}

/** One for each code unit. */
function facesOf(text: string): Face[] {
  const faces: Face[] = [];
  for (const character of text) {
    const face = faceOf(character, faces.at(-1) ?? 'sans');
    for (let unit = 0; unit < character.length; unit += 1) faces.push(face);
  }
  return faces;
}

/**
 * The font shapes a piece in the direction of its first letter's script, and turns it round by itself. What has no such
 * letter (a bracket between Hebrew words) or has one against its direction (Persian digits) is turned round here.
 */
function shapeable(piece: string, isRightToLeft: boolean): string {
  const visible = piece.replace(invisible, '');
  const mirrored = isRightToLeft
    ? visible.replace(/./gsu, (character) => bidi.getMirroredCharacter(character) ?? character)
    : visible;
  return isRightToLeft === startsRightToLeft.test(visible)
    ? mirrored
    : graphemes(mirrored).reverse().join('');
}

const startsRightToLeft = /^[\p{Script=Common}\p{Script=Inherited}]*[\p{Script=Hebrew}\p{Script=Arabic}]/u;

/** They have told the direction and have no shape of their own; joiners have an effect on their neighbours. */
const invisible = /(?![\u200c\u200d])\p{Default_Ignorable_Code_Point}/gu;

/** What a reader takes for one character. */
export function graphemes(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

function groupNeighbours<T>(items: readonly T[], belongs: (item: T, before: T) => boolean): T[][] {
  const groups: T[][] = [];
  for (const item of items) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    if (group !== undefined && before !== undefined && belongs(item, before)) group.push(item);
    else groups.push([item]);
  }
  return groups;
}

function isOdd(level: number): boolean {
  return level % 2 === 1;
}
