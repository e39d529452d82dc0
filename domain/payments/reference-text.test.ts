import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  exactCodes,
  type FoundReferences,
  findReferences,
  nearCodes,
  readReferences,
  searchedText,
} from './reference-text.ts';

const ours = new Set(['ADV48213075', 'ADV10002001', 'ADV20261031', 'ADV55555555', 'ADV11111111']);
const isOurs = (code: string) => ours.has(code);

function found(...texts: string[]): FoundReferences {
  return findReferences(readReferences(texts), isOurs);
}

/** `E ADV48213075`, in the order of the text. */
function levels(...texts: string[]): string[] {
  return found(...texts).known.map(({ level, code }) => `${level} ${code}`);
}

describe('the text that is searched', () => {
  it.each([
    ['fields stay apart', ['ADV4821', '3075'], 'ADV4821 | 3075'],
    ['letters are large', ['adv straße'], 'ADV STRASSE'],
    ['full-width forms are plain', ['ＡＤＶ４８'], 'ADV48'],
    ['a space that does not break is a space', ['ADV\u00A048'], 'ADV 48'],
    ['every dash is one', ['1\u20102\u20113\u20124\u20135\u20146\u22127\uFF0D8'], '1-2-3-4-5-6-7-8'],
    ['every end of a line is one', ['a\r\nb\rc\nd'], 'A\nB\nC\nD'],
    ['of no text', [], ''],
  ])('%s', (_name, texts, text) => {
    expect(searchedText(texts)).toBe(text);
  });
});

describe('level E', () => {
  it.each([
    'ADV48213075',
    'adv48213075',
    'WIRE/ADV48213075/ACME',
    'RFB# ADV 48213075',
    'ADV-4821-3075',
    'ADV 4 8 2 1 3 0 7 5',
    'ADV: #48213075',
    'ADV ---- 48213075',
    'ADV_48.21.30.75',
    'ADV*4821*3075',
    'ADV4821\n3075',
    'ADV4821\r\n3075',
    'ADV4821–3075',
    'ADV−48213075',
    'ADV\u00A048213075',
    'ＡＤＶ４８２１３０７５',
    'ADV48213075ACME',
    'ADV48213075-1',
    'ADV48213075 05MAR26',
    'ADV48213075 20260305',
    'ADV48213075/20260305',
    '-ADV48213075',
    '¤ADV48213075',
    'REF*VV*ADV48213075\\',
  ])('%j is read', (text) => {
    expect(levels(text)).toEqual(['E ADV48213075']);
  });

  it.each([...' -_.:/#*'])('is read with %j before the digits, and between any two of them', (separator) => {
    expect(levels(`ADV${separator}48213075`)).toEqual(['E ADV48213075']);
    expect(levels(`ADV${separator.repeat(5)}48213075`)).toEqual(['E ADV48213075']);
    expect(levels(`ADV${[...'48213075'].join(separator)}${separator}`)).toEqual(['E ADV48213075']);
  });

  it.each([...',;=+|\\()&'])('is not read with %j in it, which is no separator', (other) => {
    expect(found(`ADV${other}4821${other}3075`)).toEqual({ known: [], foreign: [] });
  });

  it.each([
    ['a letter before it', 'XADV48213075'],
    ['a digit before it', '7ADV48213075'],
    ['a digit after it, however it goes on', 'ADV482130752026'],
    ['two separators between two digits', 'ADV4821--3075'],
    ['a separator and an end of line', 'ADV4821-\n3075'],
    ['something else between the digits', 'ADV4821X3075'],
    ['digits that another field ends', 'ADV4821 | 3075'],
    ['only seven digits', 'ADV4821'],
    ['no digits', 'ADV'],
    ['a cut prefix', 'AD 4821 3075'],
    ['another order', 'DAV4821 3075'],
  ])('%s is none', (_name, text) => {
    expect(levels(text)).toEqual([]);
  });

  it('never joins digits of two fields', () => {
    expect(levels('ADV4821', '3075')).toEqual([]);
    expect(levels('ADV', '4821', '3075')).toEqual([]);
  });

  it('holds for digits that read as a date', () => {
    expect(levels('ADV20261031')).toEqual(['E ADV20261031']);
  });

  it('names each reference once, at its surest, and says where it stands', () => {
    expect(found('RECHNUNG 48213075', 'ADV4821307S ADV 48213075, adv10002001').known).toEqual([
      { code: 'ADV48213075', level: 'E', written: 'ADV 48213075', field: 1 },
      { code: 'ADV10002001', level: 'E', written: 'ADV10002001', field: 1 },
    ]);
  });

  it('that is not ours is foreign, once', () => {
    expect(found('ADV99999999 adv-9999-9999 ADV48213075')).toEqual({
      known: [{ code: 'ADV48213075', level: 'E', written: 'ADV48213075', field: 0 }],
      foreign: ['ADV99999999'],
    });
  });
});

describe('level N', () => {
  it.each([
    ['ADV4821307S', 'ADV48213075'],
    ['ADV482I3O75', 'ADV48213075'],
    ['ADV482L3Q75', 'ADV48213075'],
    ['ADV48Z1307S', 'ADV48213075'],
    ['ADV4B213D75', 'ADV48213075'],
    ['ADV-4B21-3D75', 'ADV48213075'],
    ['A0V48213075', 'ADV48213075'],
    ['AOV48213075', 'ADV48213075'],
    ['ADU48213075', 'ADV48213075'],
    ['4DV48213075', 'ADV48213075'],
    ['A0V48213O75', 'ADV48213075'],
    ['ａｏｖ48213075', 'ADV48213075'],
  ])('%s is read', (text, code) => {
    expect(levels(`WIRE ${text} ACME`)).toEqual([`N ${code}`]);
  });

  it.each([
    ['O', '0'],
    ['Q', '0'],
    ['D', '0'],
    ['I', '1'],
    ['L', '1'],
    ['Z', '2'],
    ['S', '5'],
    ['G', '6'],
    ['B', '8'],
  ])('reads %s as %s', (letter, digit) => {
    const isKnown = (code: string) => code === `ADV4${digit}773399`;
    for (const written of [letter, letter.toLowerCase()]) {
      const readings = readReferences([`ADV4${written}773399`]);
      expect(findReferences(readings, isKnown).known).toMatchObject([{ level: 'N' }]);
    }
  });

  it.each([...'ACEFHJKMNPRTUVWXY'])('reads %s as no digit', (letter) => {
    expect(readReferences([`ADV4${letter}773399`]).exact).toEqual([]);
  });

  it.each([
    ['three look-alikes', 'ADV4B2I3O75'],
    ['two look-alikes and another prefix', 'A0V4B213O75'],
    ['a look-alike of nothing', 'ADV482E3075'],
    ['a reference that is not ours', 'ADV482G3075'],
    ['another prefix of no such word', 'AVD48213075'],
    ['a letter before it', 'BA0V48213075'],
    ['a digit after it', 'A0V482130759'],
    ['seven digits', 'A0V4821307'],
  ])('%s is none', (_name, text) => {
    expect(levels(text)).toEqual([]);
  });

  it('takes no letters that begin a word for digits', () => {
    expect(levels('ADV4821307 SMITH')).toEqual(['T ADV48213075']);
    expect(levels('ADV4821307\nSMITH')).toEqual(['T ADV48213075']);
    expect(levels('ADV4821307 S MITH')).toEqual(['N ADV48213075']);
    expect(levels('ADV4821307SMITH')).toEqual(['N ADV48213075']);
    expect(levels('ADV555555 SSL LTD')).toEqual([]);
    expect(levels('ADV111111-LIGHTING')).toEqual([]);
    expect(levels('ADV555555 SS LTD')).toEqual(['N ADV55555555']);
  });
});

describe('level D', () => {
  it.each([
    'ACH CREDIT ACME 48213075 PPD',
    '48213075',
    'ID:48213075',
    'REF/48213075/05MAR',
    '(48213075)',
    '_48213075_',
    '４８２１３０７５',
    'XADV 48213075',
    'ADV\n48213075',
  ])('%j is read', (text) => {
    expect(levels(text)).toEqual(['D ADV48213075']);
  });

  it.each([
    ['a letter before them', 'X48213075'],
    ['a letter of another script before them', 'Ж48213075'],
    ['a letter after them', '48213075X'],
    ['a ninth digit', '482130751'],
    ['a digit before them', '148213075'],
    ['seven', '4821307'],
    ['separators between them', '4821-3075'],
    ['an amount with decimals', '48213075.00'],
    ['the end of an amount', '1.48213075'],
    ['none of ours', '48213076'],
    ['look-alikes', '4821307S'],
  ])('%s: none', (_name, text) => {
    expect(levels(text)).toEqual([]);
  });

  it('of two fields are never joined', () => {
    expect(levels('4821', '3075')).toEqual([]);
  });
});

describe('level T', () => {
  it.each([
    ['a digit is wrong', 'ADV48213076'],
    ['two digits changed places', 'ADV48210375'],
    ['a digit is missing', 'ADV4821375'],
    ['the last digit is missing', 'ADV 4821-307'],
    ['the first digit is missing', 'ADV8213075'],
    ['a letter stands for the last digit', 'ADV4821307E'],
    ['a digit is doubled', 'ADV488213075'],
    ['a digit too many at the end', 'ADV482130757'],
  ])('%s', (_name, text) => {
    expect(levels(`WIRE ${text} ACME`)).toEqual(['T ADV48213075']);
  });

  it.each([
    ['two slips', 'ADV48213166'],
    ['two digits missing', 'ADV482130'],
    ['two digits too many', 'ADV4821307512'],
    ['digits that are apart changed places', 'ADV58213074'],
    ['a slip without the prefix', '48213076'],
    ['a slip after another prefix', 'A0V48213076'],
    ['a letter before it', 'XADV48213076'],
  ])('%s: none', (_name, text) => {
    expect(levels(text)).toEqual([]);
  });

  it('is none where the slip leads to two of ours', () => {
    const isKnown = (code: string) => code === 'ADV48213075' || code === 'ADV48213077';
    expect(findReferences(readReferences(['ADV48213076']), isKnown).known).toEqual([]);
    expect(findReferences(readReferences(['ADV48213076']), isOurs).known).toHaveLength(1);
  });

  it('is what digits alone are that read as a date', () => {
    expect(levels('VALUE 20261031 WIRE')).toEqual(['T ADV20261031']);
  });

  it('is not thought of where a surer one is named', () => {
    expect(levels('ADV48213076 ADV10002001')).toEqual(['E ADV10002001']);
  });
});

describe('what banks write beside references', () => {
  it.each([
    'WT FED#01234 TD BANK NA /ORG=ACME SRF# 000111 TRN#260305',
    'ORIG CO NAME:ACME DES:PAYMENT ID:000123456789 INDN:OUR FIRM CO ID:1234567890 WEB',
    'RMT*IV*0001234567**499.00\\REF*VV*PO-7788990\\',
    'ZELLE FROM JANE DOE REF # WFCT0ZXY12AB 03/05/2026',
    'SEPA GUTSCHRIFT IBAN DE89370400440532013000 BIC COBADEFFXXX',
    'ADVANCE PAYMENT 2026 03 05',
  ])('%s names nothing', (text) => {
    expect(found(text)).toEqual({ known: [], foreign: [] });
  });
});

describe('codes to look up', () => {
  it('are those that are read without a slip', () => {
    expect(exactCodes(readReferences(['ADV48213O75 10002001', 'adv 1234 5678']))).toEqual([
      'ADV48213075',
      'ADV10002001',
      'ADV12345678',
    ]);
  });

  it('with a slip are asked for where none without is known, and no others', () => {
    const eight = nearCodes(readReferences(['ADV48213075']), () => false);
    expect(eight).toHaveLength(8 * 9 + 7);
    expect(new Set(eight)).toContain('ADV48213057');
    expect(nearCodes(readReferences(['ADV4821307']), () => false)).toHaveLength(80 - 7);
    expect(nearCodes(readReferences(['ADV482130755']), () => false)).toHaveLength(8);
    expect(nearCodes(readReferences(['ADV48213075']), isOurs)).toEqual([]);
    expect(nearCodes(readReferences(['ACME 48213076']), () => false)).toEqual([]);
  });

  it('are never those of more than a few places, and every reading is linear in the text', () => {
    const noise = [
      'ADV48213076 '.repeat(9000),
      `ADV${'-'.repeat(100_000)}`,
      'ADV '.repeat(25_000),
      '4DVADV'.repeat(17_000),
      '1'.repeat(100_000),
      '12345678 '.repeat(11_000),
      'ADV1 2 3 4 5 6 '.repeat(7000),
    ];
    for (const text of noise) {
      const readings = readReferences([text]);
      expect(exactCodes(readings).length).toBeLessThanOrEqual(120);
      expect(nearCodes(readings, () => false).length).toBeLessThanOrEqual(10 * 3 * 80);
      expect(findReferences(readings, () => false).known).toEqual([]);
    }
    const numbers = Array.from({ length: 6000 }, (_, index) => `ADVANCE ${30_000_000 + index}`).join(' ');
    expect(levels(`${numbers} ADV48213075`)).toEqual(['E ADV48213075']);
  });

  it('hold every reference that is found', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'ADVUOS0123456789 -/|.,\nxé'),
      maxLength: 60,
    });
    const code = fc.nat({ max: 99_999_999 }).map((number) => `ADV${String(number).padStart(8, '0')}`);
    const garbled = fc
      .tuple(code, fc.nat({ max: 10 }), fc.constantFrom('', '-', 'O', '7', '77', ' '), text, text)
      .map(([each, at, put, before, after]) => ({
        code: each,
        text: `${before} ${each.slice(0, at)}${put}${each.slice(at + 1)} ${after}`,
      }));
    fc.assert(
      fc.property(garbled, ({ code: each, text: written }) => {
        const readings = readReferences([written]);
        const isKnown = (asked: string) => asked === each;
        const asked = new Set([...exactCodes(readings), ...nearCodes(readings, isKnown)]);
        for (const { code: known } of findReferences(readings, isKnown).known) {
          expect(asked.has(known)).toBe(true);
        }
      }),
    );
  });
});
