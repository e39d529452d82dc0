/**
 * Finds references in what a bank says of a movement (knowledge: bank reconciliation §2.2 and §2.3). Banks cut, wrap, respell
 * and decorate the text, and fill it with digits that are no reference; how surely a reading is one of ours is its level:
 *
 * - `E`: `ADV` and eight digits, written as people and banks write them. `N`: the same with at most two look-alikes.
 * - `D`: eight digits alone. `T`: one slip of the keyboard away from exactly one of ours, or digits that read as a date.
 *
 * All but the shape of `E` depends on which references are ours. That is asked by code, one by one: what it costs depends on
 * the length of the text and never on how many invoices are open. Every place is read once, whatever stands there.
 */
import { isDateShaped } from './transfer-reference.ts';

/** From sure to unsure. */
export type ReferenceLevel = 'E' | 'N' | 'D' | 'T';

/** A reference of ours in a text. */
export type FoundReference = {
  code: string;
  level: ReferenceLevel;
  /** As it stands in the searched text. */
  written: string;
  /** Which of the texts it stands in; the first is 0. */
  field: number;
};

export type FoundReferences = {
  /** Each of ours once, at its surest level, in the order of the text. */
  known: FoundReference[];
  /** Well-formed and not ours. */
  foreign: string[];
};

const BETWEEN_FIELDS = ' | ';
/** Digits of a reference. */
const LENGTH = 8;

/** Compatible forms are one, letters are large, every dash is `-`, every end of a line `\n`. */
function normalised(text: string): string {
  // What most banks write has no other forms.
  if (isPlain.test(text)) return text.toUpperCase();
  return text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/\p{Dash}/gu, '-')
    .replace(/\r\n?/g, '\n');
}

const isPlain = /^[ -~\n]*$/;

/** The text that is searched. Fields are kept apart, so that digits never join across them. */
export function searchedText(texts: readonly string[]): string {
  return texts.map(normalised).join(BETWEEN_FIELDS);
}

/** Codes that a text may name, before anybody knows which are ours. */
export type ReferenceReadings = {
  /** Read without a slip, in the order of the text. */
  exact: FoundReference[];
  /** Places where a reference with a slip may stand. */
  near: NearReading[];
};

type NearReading = { written: string; field: number; digits: string[] };

/** Nobody pays more invoices at once by name; a text of any length asks for no more codes than this. */
const EXACT_MAX = 60;
const NEAR_MAX = 10;

/** Everything in the texts that may be a reference. */
export function readReferences(texts: readonly string[]): ReferenceReadings {
  const readings: ReferenceReadings = { exact: [], near: [] };
  texts.forEach((text, field) => {
    readField(normalised(text), field, readings);
  });
  return {
    exact: firstCodes(readings.exact, EXACT_MAX),
    near: readings.near.slice(0, NEAR_MAX),
  };
}

/** The readings of so many different codes with the prefix, and of so many without: digits alone crowd no reference out. */
function firstCodes(readings: FoundReference[], count: number): FoundReference[] {
  const [prefixed, bare] = [new Set<string>(), new Set<string>()];
  return readings.filter(({ code, level }) => {
    const codes = level === 'E' || level === 'N' ? prefixed : bare;
    if (codes.size < count) codes.add(code);
    return codes.has(code);
  });
}

/** Codes to be looked up first. */
export function exactCodes({ exact }: ReferenceReadings): string[] {
  return [...new Set(exact.map(({ code }) => code))];
}

/**
 * Codes one slip away from what stands in the text: at most 80 for a place of eight digits. They are worth looking up only
 * where no exact code is known, since a surer level goes before; so they are none where one is.
 */
export function nearCodes(readings: ReferenceReadings, isKnown: (code: string) => boolean): string[] {
  if (readings.exact.some(({ code }) => isKnown(code))) return [];
  return [...new Set(readings.near.flatMap(({ digits }) => digits.flatMap(neighbours)))];
}

/** What of the readings is ours. `isKnown`: whether a code was ever given for an invoice. */
export function findReferences(
  readings: ReferenceReadings,
  isKnown: (code: string) => boolean,
): FoundReferences {
  const surest = new Map<string, FoundReference>();
  for (const reading of readings.exact) {
    const before = surest.get(reading.code);
    if (before !== undefined) {
      if (isSurer(reading.level, before.level)) surest.set(reading.code, reading);
    } else if (isKnown(reading.code)) surest.set(reading.code, reading);
  }
  const foreign = readings.exact.filter(({ code, level }) => level === 'E' && !surest.has(code));
  // One that is ours explains the text: only where there is none, slips are thought of.
  const slips = surest.size === 0 ? readings.near.flatMap((place) => slipAt(place, isKnown)) : [];
  for (const slip of slips) if (!surest.has(slip.code)) surest.set(slip.code, slip);
  return { known: [...surest.values()], foreign: [...new Set(foreign.map(({ code }) => code))] };
}

const levels: readonly ReferenceLevel[] = ['E', 'N', 'D', 'T'];

function isSurer(a: ReferenceLevel, b: ReferenceLevel): boolean {
  return levels.indexOf(a) < levels.indexOf(b);
}

/** A slip that leads to two of ours leads to none. */
function slipAt(
  { written, field, digits }: NearReading,
  isKnown: (code: string) => boolean,
): FoundReference[] {
  const known = [...new Set(digits.flatMap(neighbours))].filter(isKnown);
  const [code] = known;
  return code === undefined || known.length > 1 ? [] : [{ code, level: 'T', written, field }];
}

const DIGITS = '0123456789';

/** Every reference whose digits are one substitution, insertion, deletion or change of neighbours away (Damerau). */
function neighbours(digits: string): string[] {
  const found: string[] = [];
  for (let at = 0; at <= digits.length; at += 1) {
    const [before, after] = [digits.slice(0, at), digits.slice(at)];
    const [first = '', second = ''] = after;
    if (digits.length === LENGTH + 1 && first !== '') found.push(before + after.slice(1));
    if (digits.length === LENGTH - 1) for (const digit of DIGITS) found.push(before + digit + after);
    if (digits.length !== LENGTH || first === '') continue;
    for (const digit of DIGITS) if (digit !== first) found.push(before + digit + after.slice(1));
    if (second !== '' && second !== first) found.push(before + second + first + after.slice(2));
  }
  return found.map((each) => `ADV${each}`);
}

/** `ADV` and what it is misread as, where a word begins. */
const prefix = /(?<![A-Z0-9])(?:ADV|A0V|AOV|ADU|4DV)/g;

/** Runs of digits of which some are eight long; looked at one by one, since a text is full of shorter ones. */
const digitRuns = /\d{8,}/g;
const touching = /[\p{L}\p{N}]/u;

/** Eight digits that touch neither a letter nor a digit, and are no part of a number with a decimal point. */
function isBare(text: string, at: number): boolean {
  const [before, after] = [text.slice(Math.max(0, at - 2), at), text.slice(at + LENGTH, at + LENGTH + 2)];
  return (
    !touching.test(before.slice(-1) + after.slice(0, 1)) && !/\d[.,]$/.test(before) && !/^[.,]\d/.test(after)
  );
}

function readField(text: string, field: number, readings: ReferenceReadings): void {
  const places: { at: number; reading: FoundReference }[] = [];
  for (const { 0: word, index: at } of text.matchAll(prefix)) {
    const reading = readAfter(text, at, word, field);
    if (reading !== null) places.push({ at, reading });
    const near = word === 'ADV' ? nearAfter(text, at, field) : null;
    if (near !== null) readings.near.push(near);
  }
  for (const { 0: digits, index: at } of text.matchAll(digitRuns)) {
    if (digits.length > LENGTH || !isBare(text, at)) continue;
    const level = isDateShaped(digits) ? 'T' : 'D';
    places.push({ at, reading: { code: `ADV${digits}`, level, written: digits, field } });
  }
  readings.exact.push(...places.toSorted((a, b) => a.at - b.at).map(({ reading }) => reading));
}

const PREFIX_LENGTH = 'ADV'.length;
const LOOK_ALIKES_MAX = 2;

/** At level E or N. */
function readAfter(text: string, at: number, word: string, field: number): FoundReference | null {
  const characters = charactersAfter(text, at + PREFIX_LENGTH, { count: LENGTH, withLookAlikes: true });
  const last = characters.at(-1);
  if (last === undefined || characters.length < LENGTH) return null;
  const next = text[last.end] ?? '';
  const written = text.slice(at, last.end);
  // Letters that begin a word are these letters: `ADV4821307 SMITH` has seven digits, `ADV482130 SOLAR` six.
  const beginsWord = /[^A-Z0-9][A-Z]+$/.test(written) && isLetter(next);
  if (isDigit(next) || beginsWord) return null;
  const lookAlikes = characters.filter(({ isLookAlike }) => isLookAlike).length + (word === 'ADV' ? 0 : 1);
  if (lookAlikes > LOOK_ALIKES_MAX) return null;
  return {
    code: `ADV${characters.map(({ digit }) => digit).join('')}`,
    level: lookAlikes === 0 ? 'E' : 'N',
    written,
    field,
  };
}

/** Seven to nine digits, wherever a number of so many may end. */
function nearAfter(text: string, at: number, field: number): NearReading | null {
  const characters = charactersAfter(text, at + PREFIX_LENGTH, { count: LENGTH + 1, withLookAlikes: false });
  const ends = characters.map(({ end }, index) => ({ end, count: index + 1 }));
  const possible = ends.filter(({ end, count }) => count >= LENGTH - 1 && !isDigit(text[end] ?? ''));
  const last = possible.at(-1);
  if (last === undefined) return null;
  const digits = characters.map(({ digit }) => digit).join('');
  return {
    written: text.slice(at, last.end),
    field,
    digits: possible.map(({ count }) => digits.slice(0, count)),
  };
}

type ReadCharacter = { digit: string; isLookAlike: boolean; end: number };

const separators = ' -_.:/#*';
const lookAlikes: ReadonlyMap<string, string> = new Map([
  ['O', '0'],
  ['Q', '0'],
  ['D', '0'],
  ['I', '1'],
  ['L', '1'],
  ['Z', '2'],
  ['S', '5'],
  ['G', '6'],
  ['B', '8'],
]);

/** Up to so many digits after any run of separators, with one separator or end of line between two of them. */
function charactersAfter(
  text: string,
  from: number,
  { count, withLookAlikes }: { count: number; withLookAlikes: boolean },
): ReadCharacter[] {
  let at = from;
  while (at < text.length && separators.includes(text[at] ?? '')) at += 1;
  const characters: ReadCharacter[] = [];
  while (characters.length < count) {
    const character = text[at] ?? '';
    const digit = isDigit(character) ? character : withLookAlikes ? lookAlikes.get(character) : undefined;
    if (digit === undefined) break;
    at += 1;
    characters.push({ digit, isLookAlike: digit !== character, end: at });
    const next = text[at] ?? '';
    if (isSeparator(next)) at += 1;
  }
  return characters;
}

/** What may stand behind a digit. */
function isSeparator(character: string): boolean {
  return character === '\n' || (character !== '' && separators.includes(character));
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9' && character.length === 1;
}

function isLetter(character: string): boolean {
  return /^\p{L}$/u.test(character);
}
