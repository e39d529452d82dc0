/** What is read from right to left stands in that order, and what is read from left to right within it too. */
import { describe, expect, it } from 'vitest';
import { bidiText } from './bidi-text.ts';

/** Pieces from left to right, each in the order of its own script, as fonts want it. */
function piecesOf(text: string, start = 0, end = text.length): string[] {
  return bidiText(text)
    .runs(start, end)
    .map((run) => run.text);
}

const facesOf = (text: string) =>
  bidiText(text)
    .runs(0, text.length)
    .map(({ face }) => face);

describe('pieces', () => {
  it('of Latin, Greek and Cyrillic are one', () => {
    expect(piecesOf('Größe, Ελλάδα, Київ: 3 × €')).toEqual(['Größe, Ελλάδα, Київ: 3 × €']);
  });

  it('of Hebrew come last word first, numbers stay as they are', () => {
    expect(piecesOf('רחוב הרצל 12')).toEqual(['12', ' ', 'הרצל', ' ', 'רחוב']);
  });

  it('of Arabic after Latin go on to the right, in themselves from the right', () => {
    expect(piecesOf('Abo für محمد سلمان now')).toEqual(['Abo für ', 'سلمان', ' ', 'محمد', ' now']);
  });

  it('in brackets from right to left have them turned round', () => {
    expect(piecesOf('דוד (כהן)')).toEqual(['(', 'כהן', ') ', 'דוד']);
  });

  it('of digits of Arabic and Persian are given to the font the other way round, which turns them again', () => {
    expect(piecesOf('عدد ١٢٣')).toEqual(['٣٢١', ' ', 'عدد']);
    expect(piecesOf('عدد ۱۲۳')).toEqual(['۳۲۱', ' ', 'عدد']);
  });

  it('of one line of several are ordered within that line', () => {
    const text = 'אחת שתיים שלוש';
    expect(piecesOf(text, 0, 9)).toEqual(['שתיים', ' ', 'אחת']);
    expect(piecesOf(text, 10, text.length)).toEqual(['שלוש']);
  });

  it('hold no marks that only tell a direction, but the joiners that shape letters', () => {
    expect(piecesOf('a\u200eb\u202a\u202c\ufeff')).toEqual(['ab']);
    expect(piecesOf('می\u200cخواهم')).toEqual(['می\u200cخواهم']);
  });

  it('are none of an empty text', () => {
    expect(piecesOf('')).toEqual([]);
  });
});

describe('faces', () => {
  it('are those of the scripts, marks keep that of their letter', () => {
    expect(facesOf('é שׁ')).toEqual(['sans', 'hebrew']);
    expect(facesOf('हिन्दी')).toEqual(['devanagari']);
    expect(facesOf('عَمّان')).toEqual(['arabic']);
  });
});
