/**
 * Field `:86:` of an MT940. Every bank writes it its own way; three families are told apart: numbered sub-fields
 * (`166?00…?20…?32…`, in Bulgaria a line each that ends in a plus), words between slashes (`/EREF/…/REMI/…`) and free text.
 *
 * German banks without it write numbered lines in `:NS:`.
 *
 * Lines are cut at a fixed width, in the middle of words and numbers. Where a line is full, the next one is taken to
 * continue it; as a space may have been lost there, the text is given a second time with spaces.
 */
import { hasCheckDigit } from '../../domain/payments/transfer-reference.ts';
import { firstText, textsOf } from './texts.ts';

export type Information = {
  /** The purpose first. */
  texts: string[];
  /** The other side, as far as the bank says it. */
  name: string | null;
  account: string | null;
};

export function readInformation(lines: readonly string[]): Information {
  const whole = lines.join('');
  if (/^\s*\d{3}\+\d{2}\+?$/.test(lines[0] ?? '')) return numbered(plusEnded(lines), lineEnd);
  const match = /^\s*(?:\d{3}([^\w\s/+.,:-])|([?~]))\d{2}/.exec(whole);
  const separator = match?.[1] ?? match?.[2];
  if (separator !== undefined) return numbered(whole, separator);
  if (slashWord.test(` ${whole}`)) return slashed(lines);
  return { texts: textsOf(joinedLines(lines, lineWidth)), name: null, account: null };
}

/** `:NS:`: lines that begin with a number. 1 to 14 are the purpose, 15 and 16 the other side, 17 the bank's word for it. */
export function readOwnersLines(lines: readonly string[]): Pick<Information, 'texts' | 'name'> {
  const numbered = lines.map((line) => ({ number: Number(line.slice(0, 2)), text: line.slice(2) }));
  const within = (from: number, to: number) =>
    joinedLines(
      numbered.filter(({ number }) => number >= from && number <= to).map(({ text }) => text),
      subFieldWidth,
    );
  const [name] = within(15, 16);
  return { texts: textsOf([...within(1, 14), ...within(17, 17)]), name: firstText(name) };
}

/** A full line has 65 characters and a full sub-field 27; one that ended in spaces has lost them. */
const lineWidth = 62;
const subFieldWidth = 25;
const lastSubField = 69;

/** Only a plus at the end of a line separates; any other is text. */
function plusEnded(lines: readonly string[]): string {
  return lines
    .map((line) => line.replace(/\s*\+\s*$/, lineEnd))
    .join('')
    .replace('+', lineEnd);
}

const lineEnd = '\n';

function numbered(whole: string, separator: string): Information {
  const subFields = new Map<number, string>();
  const begin = whole.indexOf(separator);
  for (const part of whole.slice(begin + 1).split(separator)) {
    const match = /^(\d{2})(.*)$/s.exec(part);
    const number = match && Number(match[1]) <= lastSubField ? Number(match[1]) : null;
    const last = [...subFields.keys()].at(-1);
    // What follows the separator without a number is text that has the character in it.
    if (number !== null && !subFields.has(number)) subFields.set(number, match?.[2] ?? '');
    else if (last !== undefined) subFields.set(last, `${subFields.get(last) ?? ''}${separator}${part}`);
  }
  const within = (from: number, to: number) =>
    [...subFields].filter(([number]) => number >= from && number <= to).map(([, text]) => text);
  const purpose = joinedLines([...within(20, 29), ...within(60, 63)], subFieldWidth);
  const tagged = purpose.map(sepaParts);
  const [name] = joinedLines(within(32, 33), subFieldWidth);
  const [first] = tagged;
  return {
    texts: textsOf([
      ...tagged.flatMap(({ texts }) => texts),
      ...within(0, 9),
      ...within(11, 19),
      ...within(35, 59),
    ]),
    name: firstText(name, first?.name),
    account: firstText(...within(31, 31), ...within(38, 38), first?.account),
  };
}

/** SEPA's parts within a purpose: `EREF+…MREF+…SVWZ+…`. */
function sepaParts(purpose: string): { texts: string[]; name: string | null; account: string | null } {
  const pieces = purpose.split(sepaWord);
  const parts = new Map<string, string>();
  for (let index = 1; index < pieces.length; index += 2)
    parts.set(pieces[index] ?? '', pieces[index + 1] ?? '');
  const [before = ''] = pieces;
  const {
    SVWZ,
    ABWA,
    IBAN,
    BIC: _bank,
    ...others
  } = Object.fromEntries(parts) as Partial<Record<string, string>>;
  return {
    texts: textsOf([SVWZ, before, ...Object.values(others), ABWA]),
    name: firstText(ABWA),
    account: firstText(IBAN),
  };
}

const sepaWord = /(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|COAM|OAMT|IBAN|BIC|PURP|SQTP)\+/;

const slashWord =
  /(?<=[\s/])(TRTP|TRCD|TYPE|IBAN|BIC|NAME|REMI|EREF|ORDP|BENM|MARF|CSID|CNTP|PURP|ULTC|ULTD|ULTB|RTRN|PREF|IREF|KREF|MREF|CREF|PY|OCMT|CHGS|CHG|EXCH|ACCW|ADDR|ISDT|SVCL|BUSP|BO|BI|ID|NAM|INFO|ACC|IBK|OPRP)\//;

/** `/NAME/Acme/REMI/ADV…`; within `/ORDP/` and `/BENM/` the words are of that party. */
function slashed(lines: readonly string[]): Information {
  const variants = joinedLines(lines, lineWidth).map(slashParts);
  const [first] = variants;
  return {
    texts: textsOf(variants.flatMap(({ texts }) => texts)),
    name: first?.name ?? null,
    account: first?.account ?? null,
  };
}

function slashParts(text: string): Information {
  const pieces = ` ${text}`.split(slashWord);
  const parts: { word: string; value: string; party: string }[] = [];
  for (let index = 1; index < pieces.length; index += 2) {
    const word = pieces[index] ?? '';
    const party = /^(?:ORDP|BENM)$/.test(word) ? word : (parts.at(-1)?.party ?? '');
    parts.push({ word, value: (pieces[index + 1] ?? '').replace(/^\/+|\/+$/g, ''), party });
  }
  const valuesOf = (...words: string[]) =>
    words.flatMap((word) => parts.filter((part) => part.word === word).map(({ value }) => value));
  // Where both sides are told, who paid is the one that ordered.
  const ofParty = (...words: string[]) => {
    const told = parts.filter(({ word }) => words.includes(word));
    const ordering = told.filter(({ party }) => party === 'ORDP');
    return [...ordering, ...told].map(({ value }) => value);
  };
  // Account, bank, name and city of the other side, by position.
  const [account, , name] = (valuesOf('CNTP')[0] ?? '').split('/');
  const purpose = valuesOf('REMI').flatMap((value) => [value.replace(/^(?:USTD|STRD)\/+(?:CUR\/+)?/, '')]);
  const others = parts.filter(({ word }) => !named.has(word)).map(({ value }) => value);
  const [party] = valuesOf('ORDP', 'BENM', 'BO').filter((value) => value.trim() !== '');
  const split = numberedParty.exec(party ?? '')?.groups;
  return {
    texts: textsOf([...purpose, ...valuesOf('EREF'), ...others, pieces[0]]),
    name: firstText(name, ...ofParty('NAME'), split?.['name'] ?? party),
    account: firstText(account, ...ofParty('IBAN'), ...ofParty('ACC'), split?.['account']),
  };
}

/** A party's account stands before its name; what follows both is the purpose. */
const numberedParty = /^\s*(?<account>[A-Z]{0,2}\d[A-Z\d]{6,32})\s*\/+(?<name>[^/]+)/;

const named = new Set(['REMI', 'EREF', 'CNTP', 'NAME', 'IBAN', 'BIC']);

/** The lines as one text, and a second time with spaces where a full line may have lost one or a reference is cut. */
function joinedLines(lines: readonly string[], width: number): string[] {
  let tight = '';
  let spaced = '';
  let last = '';
  const longest = lines.reduce((most, { length }) => Math.max(most, length), 0);
  for (const line of lines) {
    const goesOn = last.length >= width || (last.length === longest && isCutReference(last, line));
    tight += tight === '' || goesOn ? line : ` ${line}`;
    spaced += spaced === '' ? line : ` ${line}`;
    last = line;
  }
  const same = tight.replace(/\s+/g, ' ') === spaced.replace(/\s+/g, ' ');
  return same ? [tight] : [tight, spaced];
}

/** Whatever the width, the letters before the digits of a reference are one word; the check digit tells it from two. */
function isCutReference(line: string, next: string): boolean {
  const [, letters = ''] = /(?:^|[^\p{L}\p{N}])(AD?)$/iu.exec(line) ?? [];
  const [cut] = /^D?V\d{8}(?!\d)/i.exec(next) ?? [];
  return cut !== undefined && hasCheckDigit((letters + cut).toUpperCase());
}
