/** Texts of a movement: cleaned of what is only dress, each once, in the order in which they are searched. */

/** Control characters and line ends become spaces; `''` where nothing is left. */
function cleanText(text: string | null | undefined): string {
  return (text ?? '')
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

/** Without the empty ones and the names that banks write where they have none. */
export function textsOf(texts: readonly (string | null | undefined)[]): string[] {
  const cleaned = texts.map(cleanText).filter((text) => text !== '' && !isPlaceholder(text));
  return [...new Set(cleaned)];
}

/** What stands in a field that must be filled by a bank that has nothing to say: no name of anything. */
export function isPlaceholder(text: string): boolean {
  const plain = text
    .trim()
    .toUpperCase()
    .replace(/[\s./_-]/g, '');
  return /^(?:|0+|NONREF|NOREF|NONE|NOTPROVIDED|NOTAVAILABLE|NOTAPPLICABLE|NA|NULL|UNKNOWN)$/.test(plain);
}

/** The first that says something. */
export function firstText(...texts: readonly (string | null | undefined)[]): string | null {
  return textsOf(texts)[0] ?? null;
}

/** What a file says by a mark that a movement out takes money back, as the word by which that is found in a text. */
export const reversalWord = 'REVERSAL';
