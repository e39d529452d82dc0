/** What holds for statement files of every format: they are read alike however they arrive, and never halfway. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inChunks, movementsIn, partsOf, refusalOf } from '../../test/support/statement-files.ts';
import {
  camtSample,
  csvSample,
  csvSampleMapping,
  mt940Sample,
  ofxSample,
} from '../../test/support/statement-samples.ts';
import { readStatement } from './read-statement.ts';
import { StatementError } from './statement-error.ts';
import type { StatementOptions } from './statement-part.ts';

const samples: [string, string, StatementOptions][] = [
  ['camt', camtSample, {}],
  ['ofx', ofxSample, {}],
  ['mt940', mt940Sample, {}],
  ['csv', csvSample, { csv: csvSampleMapping }],
];

describe.each(samples)('%s', (_format, sample, options) => {
  it('gives the same parts however its bytes are cut', async () => {
    const whole = await partsOf(sample, options);
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(sizes, async (chunkBytes) => {
        expect(await partsOf(sample, options, chunkBytes)).toEqual(whole);
      }),
      { numRuns: 40 },
    );
    expect(await partsOf(sample, options, 1)).toEqual(whole);
  });

  it.each([
    ['carriage returns and line feeds', '\r\n'],
    ['carriage returns', '\r'],
  ])('gives the same parts with %s', async (_name, lineEnd) => {
    expect(await partsOf(sample.replaceAll('\n', lineEnd), options)).toEqual(await partsOf(sample, options));
  });

  it('gives the same parts behind a byte order mark, and in UTF-16', async () => {
    const whole = await partsOf(sample, options);
    const declared = sample.replace('encoding="UTF-8"', 'encoding="UTF-16"');
    expect(await partsOf(`\uFEFF${sample}`, options)).toEqual(whole);
    expect(await partsOf(Buffer.from(`\uFEFF${declared}`, 'utf16le'), options)).toEqual(whole);
  });

  it('gives the same parts where UTF-16 is declared and not used', async () => {
    const declared = sample.replace('encoding="UTF-8"', 'encoding="utf-16"');
    expect(await partsOf(declared, options)).toEqual(await partsOf(sample, options));
  });

  it('gives the same movements in Windows-1252', async () => {
    const latin = Buffer.from(sample, 'latin1');
    expect(await movementsIn(latin, options)).toEqual(await movementsIn(sample, options));
  });

  it.each([
    ['NULs at the end', (text: string) => text + '\0'.repeat(9000)],
    ['NULs and a line end at the end', (text: string) => `${text}\0\0\r\n\0\0`],
    ['the mark of an end, and spaces', (text: string) => `${text}\x1A   \n  `],
    ['the mark of an end on the last line', (text: string) => `${text.trimEnd()}\x1A\x1A`],
    ['lines that are filled up', (text: string) => text.replaceAll('\n', '  \0 \0\n\0\0')],
  ])('gives the same movements with %s, however it is cut', async (_name, pad) => {
    const whole = await movementsIn(sample, options);
    const padded = pad(sample);
    expect(await movementsIn(padded, options)).toEqual(whole);
    for (const chunkBytes of [1, 7, 4096])
      expect(await partsOf(padded, options, chunkBytes)).toEqual(await partsOf(padded, options));
  });

  it('is refused with a NUL within a line, wherever it stands', async () => {
    const at = sample.lastIndexOf('E');
    const line = sample.indexOf('\n', sample.indexOf('IBAN')) + 1;
    const late = `${sample.slice(0, line)}${' \n'.repeat(9000)}${sample.slice(line, at)}\0${sample.slice(at)}`;
    expect((await refusalOf(late, options)).reason).toBe('structure_unreadable');
    const early = `${sample.slice(0, at)}\0${sample.slice(at)}`;
    expect((await refusalOf(early, options)).reason).toBe('format_unknown');
  });

  it('names every movement, each by its own name, and the same ones when it is read again', async () => {
    const names = (await movementsIn(sample, options)).map(({ externalId }) => externalId);
    expect(names.length).toBeGreaterThan(1);
    expect(new Set(names).size).toBe(names.length);
    expect((await movementsIn(sample, options)).map(({ externalId }) => externalId)).toEqual(names);
  });

  it('is read or refused, whatever is changed in it', async () => {
    const position = fc.nat(sample.length - 1);
    const noise = fc.constantFrom(
      '',
      '0',
      '-',
      ',',
      '.',
      '<',
      '>',
      '&',
      '"',
      '\n',
      ':',
      '/',
      '\0',
      'é',
      'x'.repeat(99),
    );
    const change = fc.record({ at: position, drop: fc.nat(40), put: noise });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = changes.reduce(
          (text, { at, drop, put }) => text.slice(0, at) + put + text.slice(at + drop),
          sample,
        );
        const outcome = await partsOf(changed, options).catch((error: unknown) => error);
        expect(Array.isArray(outcome) || outcome instanceof StatementError).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('is refused when it is given as another format', async () => {
    for (const other of ['camt', 'ofx', 'mt940'] as const) {
      if (other === _format) continue;
      const outcome = await partsOf(sample, { ...options, format: other }).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(StatementError);
    }
  });
});

it.each([
  ['in envelopes', mt940Sample.trim(), '\0'.repeat(300)],
  ['in envelopes, with transmission characters', mt940Sample.trim(), '\x03\0\0\x01'],
  ['bare', `${mt940Sample.trim().split('{4:\n')[1]?.replace('-}', '-')}`, '\0\0'],
])('messages %s may be filled up to a block', async (_name, message, padding) => {
  const alone = await movementsIn(message);
  const two = await movementsIn(
    message + padding + message.replaceAll('499,00', '599,00').replace('387', '487'),
  );
  expect(two.map(({ amountMinor }) => amountMinor)).toEqual([49_900, -1150, 59_900, -1150]);
  expect(two.slice(0, 2)).toEqual(alone);
});

it('padding and control characters take no time, however many there are', async () => {
  const text = (between: string) => mt940Sample.replace('Entgelt', `Ent${between}gelt`);
  const begun = performance.now();
  expect(await movementsIn(text('\x01'.repeat(100_000)))).toHaveLength(2);
  expect((await refusalOf(text('\0 '.repeat(500_000)))).reason).toBe('structure_unreadable');
  expect(performance.now() - begun).toBeLessThan(5000);
});

describe('a file that ends too early', () => {
  it.each(samples.filter(([format]) => format !== 'csv'))(
    'is refused wherever it ends: %s',
    async (_format, sample) => {
      const begun =
        sample.indexOf('20:STARTUMS') > 0 ? sample.indexOf(':60F:') + 20 : sample.indexOf('<Stmt>') + 200;
      const last = sample.startsWith('{1:') ? sample.indexOf(':62F:') : sample.trimEnd().length - 1;
      for (let end = begun; end < last; end += 7) {
        const outcome = await partsOf(sample.slice(0, end)).catch((error: unknown) => error);
        expect(outcome, sample.slice(0, end).slice(-40)).toBeInstanceOf(StatementError);
      }
    },
  );
});

describe('what is no statement', () => {
  it.each([
    ['nothing', '', 'file_empty'],
    ['blank lines', '\n \r\n', 'file_empty'],
    ['a letter', 'Dear customer,\nplease find attached', 'format_unknown'],
    ['a table without a mapping', 'Date,Amount\n2026-03-05,1.00\n', 'format_unknown'],
    ['an archive', 'PK\u0003\u0004zzzz', 'format_unknown'],
    ['a document', '%PDF-1.7\n', 'format_unknown'],
    ['a web page', '<html><body>Session expired</body></html>', 'no_statement'],
    ['another message', '<Document><CstmrCdtTrfInitn/></Document>', 'no_statement'],
    ['zeros', '\0'.repeat(2000), 'format_unknown'],
  ])('%s is refused', async (_name, file, reason) => {
    expect((await refusalOf(file)).reason).toBe(reason);
  });
});

describe('a file without line ends', () => {
  const endless: [string, string, StatementOptions][] = [
    ['in an element', '<Document><BkToCstmrStmt><Stmt><Acct><Id>', {}],
    ['in a tag', '<Document a="', {}],
    ['in an entity', '<Document>&', {}],
    ['in a comment', '<Document><!-- ', {}],
    ['in a document type', '<!DOCTYPE a [', {}],
    ['in an OFX value', 'OFXHEADER:100\n\n<OFX><STMTRS><CURDEF>', {}],
    ['in an OFX tag', 'OFXHEADER:100\n\n<OFX', {}],
    ['in an MT940 line', ':20:A\n:25:B\n:86:', {}],
    ['in a row', 'Buchungstag;Betrag;Verwendungszweck;Name;IBAN\n', { csv: csvSampleMapping }],
    ['in a quoted cell', 'Buchungstag;Betrag;Verwendungszweck;Name;IBAN\n"', { csv: csvSampleMapping }],
  ];

  it.each(endless)('is refused before it fills the memory: %s', async (_name, begin, options) => {
    let given = 0;
    async function* bytes() {
      yield new TextEncoder().encode(begin);
      for (; given < 10_000; given += 1) yield new Uint8Array(8192).fill(0x41);
    }
    const read = async () => {
      for await (const _part of readStatement(bytes(), options));
    };
    await expect(read()).rejects.toBeInstanceOf(StatementError);
    expect(given).toBeLessThan(60);
  });
});

// The work is large, and a machine may be slow.
describe('a file of 100,000 movements', { timeout: 300_000 }, () => {
  const rows = 100_000;
  const files: [string, StatementOptions, () => Generator<string>][] = [
    ['camt', {}, camtOf],
    ['ofx', {}, ofxOf],
    ['mt940', {}, mt940Of],
    ['csv', { csv: { ...csvSampleMapping, hasHeader: true } }, csvOf],
  ];

  it.each(files)('is given out while it is read: %s', async (_format, options, write) => {
    let written = 0;
    let read = 0;
    let greatestLead = 0;
    async function* bytes() {
      for (const text of write()) {
        written += 1;
        yield new TextEncoder().encode(text);
      }
    }
    for await (const part of readStatement(bytes(), options)) {
      if (part.type === 'movement') read += 1;
      greatestLead = Math.max(greatestLead, written - read);
    }
    expect(read).toBe(rows);
    expect(greatestLead).toBeLessThan(2500);
  });

  function* camtOf(): Generator<string> {
    yield '<Document><BkToCstmrStmt><Stmt><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>';
    for (let row = 0; row < rows; row += 1) {
      yield `<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-03-05</Dt></BookgDt><AcctSvcrRef>REF-${row}-X</AcctSvcrRef></Ntry>`;
    }
    yield '</Stmt></BkToCstmrStmt></Document>';
  }

  function* ofxOf(): Generator<string> {
    yield 'OFXHEADER:100\n\n<OFX><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>1</BANKACCTFROM><BANKTRANLIST>';
    for (let row = 0; row < rows; row += 1) {
      yield `<STMTTRN><DTPOSTED>20260305<TRNAMT>1.00<FITID>REF-${row}-X<NAME>A</STMTTRN>`;
    }
    yield '</BANKTRANLIST></STMTRS></OFX>';
  }

  function* mt940Of(): Generator<string> {
    yield ':20:A\n:25:B\n:60F:C260304EUR0,\n';
    for (let row = 0; row < rows; row += 1) yield `:61:2603050305C1,00NTRFNONREF//REF-${row}-X\n:86:A\n`;
    yield `:62F:C260305EUR${rows},\n`;
  }

  function* csvOf(): Generator<string> {
    yield 'Buchungstag;Betrag;Verwendungszweck;Name;IBAN\n';
    for (let row = 0; row < rows; row += 1) yield `05.03.2026;1,00;Text ${row};A;B\n`;
  }
});

it('the source is let go of when the reader stops early', async () => {
  let isClosed = false;
  async function* bytes() {
    try {
      yield* inChunks(new TextEncoder().encode(ofxSample.repeat(50)), 100);
    } finally {
      isClosed = true;
    }
  }
  for await (const _part of readStatement(bytes())) break;
  expect(isClosed).toBe(true);
});
