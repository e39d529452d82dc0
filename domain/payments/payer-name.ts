/**
 * How far two names are the same, whoever wrote them: an exact fraction from 0 to 1 of the shorter one's letters that are found
 * in the other, word by word and in any order. Words that say only what kind of company it is count for nothing, and long
 * words may differ in one letter. A name within another is the same: `JANE DOE` in `ACH CREDIT DOE JANE M`.
 */

/** `matched` of `whole` letters; `whole` is 0 where a name has no words. */
export type NameLikeness = { matched: number; whole: number };

const legalForms = new Set(
  (
    'AB AG AS BV CO COMPANY CORP CORPORATION EURL GMBH INC INCORPORATED KFT KG LLC LLP LP LTD LIMITED MBH NV OY ' +
    'PLC PTY PVT SA SARL SAS SL SPA SRL UG THE AND'
  ).split(' '),
);

/** Nobody's name has more words; a text with more is read so far. */
const WORDS_MAX = 60;
/** From this length on one letter may differ: shorter words are too often each other's slip. */
const LOOSE_LENGTH = 5;

/** Words of a name in order, each once, without accents. */
export function nameWords(name: string): string[] {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase();
  const words = [...new Set(plain.match(/[\p{L}\p{N}]+/gu) ?? [])];
  const telling = words.filter((word) => !legalForms.has(word));
  return (telling.length > 0 ? telling : words).slice(0, WORDS_MAX);
}

/**
 * What a customer's name is looked up by: its words in order. Names that differ in a letter have different keys. Null for a
 * name without words.
 */
export function nameKey(name: string): string | null {
  return keyOf(nameWords(name));
}

/** So many words of a name that a bank wraps in others are taken together. */
const WINDOW_MAX = 4;
/** Of all that a bank says, the name is among the first words. */
const TEXT_WORDS_MAX = 30;

/** Keys of the names that may stand in a text: its words, up to four that follow one another, and all of them. */
export function nameKeysIn(text: string): string[] {
  const words = nameWords(text).slice(0, TEXT_WORDS_MAX);
  const keys = new Set([keyOf(words)]);
  for (let from = 0; from < words.length; from += 1) {
    for (let count = 1; count <= WINDOW_MAX && from + count <= words.length; count += 1) {
      keys.add(keyOf(words.slice(from, from + count)));
    }
  }
  return [...keys].filter((key) => key !== null);
}

function keyOf(words: readonly string[]): string | null {
  return words.length === 0 ? null : words.toSorted().join(' ');
}

export function nameLikeness(a: readonly string[], b: readonly string[]): NameLikeness {
  const [shorter, longer] = lettersIn(a) <= lettersIn(b) ? [a, b] : [b, a];
  const free = new Set(longer);
  let matched = 0;
  for (const word of shorter) {
    const found = free.has(word) ? word : [...free].find((other) => isSlipOf(word, other));
    if (found === undefined) continue;
    free.delete(found);
    matched += word.length;
  }
  return { matched, whole: lettersIn(shorter) };
}

function lettersIn(words: readonly string[]): number {
  return words.reduce((total, word) => total + word.length, 0);
}

/** One letter more, fewer, or another, or two neighbours that changed places. */
function isSlipOf(a: string, b: string): boolean {
  if (Math.min(a.length, b.length) < LOOSE_LENGTH || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [restA, restB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (restA.length <= 1 && restB.length <= 1) return true;
  return restA.length === 2 && restB.length === 2 && restA[0] === restB[1] && restA[1] === restB[0];
}
