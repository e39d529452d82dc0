/**
 * Texts of older German software, which writes the letters of code pages 437, 850 and 852 and says so nowhere: they were
 * taken for Windows-1252. They are read as letters only where that reading makes no word; else it stands. All texts of one
 * movement are looked at together and nothing else is, so that a movement says the same in every file that has it.
 */

export function inOwnCodePage(texts: readonly string[]): string[] {
  const whole = texts.join('');
  if (!/\P{ASCII}/u.test(whole) || other.test(whole) || !noWord.test(whole)) return [...texts];
  return texts.map((text) => text.replace(misread, (character) => letters.get(character) ?? character));
}

/** These code pages have the same letters in these places. */
const letters: ReadonlyMap<string, string> = new Map([
  ['\u0081', 'ü'],
  ['„', 'ä'],
  ['”', 'ö'],
  ['Ž', 'Ä'],
  ['™', 'Ö'],
  ['š', 'Ü'],
  ['á', 'ß'],
  ['‚', 'é'],
]);

const misread = /[\u0081„”Ž™šá‚]/g;

/** What stands for no letter there, or is a quotation mark that closes. */
const other = /[^\p{ASCII}\u0081„”Ž™šá‚]|”(?![\p{L}\u0081])/u;

/** No character at all, a quotation mark within a word, a trade mark that begins one, a small letter within capitals. */
const noWord =
  /\u0081|\p{L}[„”](?=\p{Ll})|(?<![\p{L}\p{N}])™(?=\p{L})|\p{Lu}™(?=\p{Lu})|\p{Lu}[šá](?=\p{Lu})/u;
