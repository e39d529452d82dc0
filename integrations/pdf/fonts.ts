/**
 * The typefaces of documents. Noto Sans has Latin, Greek, Cyrillic, Devanagari and the signs of currencies (₹ € ₿);
 * Hebrew and Arabic have files of their own in the same design. The PDF embeds only the glyphs it uses.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** What is shaped by rules of its own is a face of its own, also where it shares a file. */
export type Face = 'sans' | 'devanagari' | 'hebrew' | 'arabic';

export type Weight = 'regular' | 'semibold';

const require = createRequire(import.meta.url);

const notoSans = {
  regular: require.resolve('@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf'),
  semibold: require.resolve('@expo-google-fonts/noto-sans/600SemiBold/NotoSans_600SemiBold.ttf'),
};

const files: Record<Face, Record<Weight, string>> = {
  sans: notoSans,
  devanagari: notoSans,
  hebrew: {
    regular: require.resolve('@expo-google-fonts/noto-sans-hebrew/400Regular/NotoSansHebrew_400Regular.ttf'),
    semibold: require.resolve(
      '@expo-google-fonts/noto-sans-hebrew/600SemiBold/NotoSansHebrew_600SemiBold.ttf',
    ),
  },
  arabic: {
    regular: require.resolve('@expo-google-fonts/noto-sans-arabic/400Regular/NotoSansArabic_400Regular.ttf'),
    semibold: require.resolve(
      '@expo-google-fonts/noto-sans-arabic/600SemiBold/NotoSansArabic_600SemiBold.ttf',
    ),
  },
};

export type Font = { name: string; bytes: Buffer };

/** Every face in every weight, read once. */
export function loadFonts(): Promise<readonly Font[]> {
  loaded ??= readFonts().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

/** The name under which `loadFonts` knows it. */
export function fontName(face: Face, weight: Weight): string {
  return `${face}-${weight}`;
}

/** The face that has this character; marks and joiners take that of the character before them. */
export function faceOf(character: string, before: Face): Face {
  if (/[\p{Script=Inherited}\p{Cf}]/u.test(character)) return before;
  if (/\p{Script_Extensions=Hebrew}/u.test(character)) return 'hebrew';
  if (/\p{Script_Extensions=Arabic}/u.test(character)) return 'arabic';
  return /\p{Script=Devanagari}/u.test(character) ? 'devanagari' : 'sans';
}

let loaded: Promise<readonly Font[]> | undefined;

function readFonts(): Promise<readonly Font[]> {
  return Promise.all(
    Object.entries(files).flatMap(([face, weights]) =>
      Object.entries(weights).map(async ([weight, file]) => ({
        name: fontName(face as Face, weight as Weight),
        bytes: await readFile(file),
      })),
    ),
  );
}
