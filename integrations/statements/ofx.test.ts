/** OFX and QFX of any bank: closed and unclosed tags, several accounts, and amounts as banks write them. */
import { describe, expect, it } from 'vitest';
import { movementsIn, partsOf, refusalOf } from '../../test/support/statement-files.ts';
import { ofxSample } from '../../test/support/statement-samples.ts';

const checking = { id: '123456789', iban: null, bankId: '021000021', currency: 'USD' };
const card = { id: '4111000011112222', iban: null, bankId: null, currency: 'USD' };

it('every account of a file becomes a statement with its movements and its balance', async () => {
  const parts = await partsOf(ofxSample);
  expect(parts.map(({ type, line, account }) => [type, line, account])).toEqual([
    ['statement', 14, checking],
    ['movement', 19, checking],
    ['movement', 28, checking],
    ['balance', 37, checking],
    ['statement', 41, card],
    ['movement', 45, card],
  ]);
  expect(await movementsIn(ofxSample)).toEqual([
    {
      externalId: '202603050001:2026-03-05:USD:49900',
      amountMinor: 49_900,
      currency: 'USD',
      bookedOn: '2026-03-05',
      authorisedOn: '2026-03-04',
      pending: false,
      pendingExternalId: null,
      texts: ['WIRE ADV48213075 A&B', 'ACME CORP'],
      payer: { name: 'ACME CORP', account: null },
      bankReference: null,
    },
    {
      externalId: '202603050002:2026-03-05:USD:-123450',
      amountMinor: -123_450,
      currency: 'USD',
      bookedOn: '2026-03-05',
      authorisedOn: null,
      pending: false,
      pendingExternalId: null,
      texts: ['RENT', '1044'],
      payer: { name: null, account: null },
      bankReference: null,
    },
    {
      externalId: 'CC-0000001:2026-03-02:USD:-399',
      amountMinor: -399,
      currency: 'USD',
      bookedOn: '2026-03-02',
      authorisedOn: null,
      pending: false,
      pendingExternalId: null,
      texts: ['COFFEE'],
      payer: { name: null, account: null },
      bankReference: null,
    },
  ]);
  expect(parts[3]).toMatchObject({ kind: 'closing', amountMinor: -1234, currency: 'USD', on: '2026-03-06' });
});

/** Closes every tag that has a value. */
const closed = (file: string) => file.replace(/<([A-Z]+)>([^<\n]+)/g, '<$1>$2</$1>');
const body = (file: string) => file.slice(file.indexOf('<OFX>'));

describe('dress', () => {
  it.each([
    ['closed tags', closed],
    [
      'XML',
      (file: string) =>
        `<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211"?>\n${body(closed(file))}`,
    ],
    ['no header', body],
    ['lower-case tags', (file: string) => file.replace(/<[^>]+>/g, (tag) => tag.toLowerCase())],
    [
      'all on one line',
      (file: string) => file.replace(/\n/g, (end, at: number) => (at > file.indexOf('<OFX>') ? '' : end)),
    ],
    ['a header on one line', (file: string) => file.replace(/\n(?=[A-Z]+:)/g, ' ')],
    ['indented lines', (file: string) => file.replace(/\n</g, '\n\t  <')],
    ['spaces around values', (file: string) => file.replace(/<(TRNAMT|DTPOSTED|FITID)>(\S+)/g, '<$1>  $2  ')],
    ['empty elements', (file: string) => file.replaceAll('<FITID>', '<SIC></SIC><MEMO2></MEMO2><FITID>')],
    ['an empty element that is not closed', (file: string) => file.replaceAll('<FITID>', '<SIC>\n<FITID>')],
    ['an element closed in itself', (file: string) => file.replaceAll('<FITID>', '<SIC/><FITID>')],
    [
      'extensions of a bank',
      (file: string) => file.replaceAll('<FITID>', '<INTU.BID>3000<X.Y><Z>1</X.Y><FITID>'),
    ],
    [
      'prefixes',
      (file: string) => file.replace(/<(\/?)(?=[A-Z])/g, '<$1ofx:').replaceAll('<ofx:OFX>', '<OFX>'),
    ],
    ['transactions that are not closed', (file: string) => file.replaceAll('</STMTTRN>', '')],
    [
      'lists that are not closed',
      (file: string) => file.replaceAll('</BANKTRANLIST>', '').replaceAll('</STMTTRN>', ''),
    ],
    ['accounts that are not closed', (file: string) => file.replaceAll(/<\/(BANK|CC)ACCTFROM>/g, '')],
    ['statements that are not closed', (file: string) => file.replaceAll(/<\/(CC)?STMT(TRN)?RS>/g, '')],
    ['comments', (file: string) => file.replaceAll('<FITID>', '<!-- <TRNAMT>1 --><FITID>')],
    ['another type', (file: string) => file.replaceAll('<TRNTYPE>CREDIT', '<TRNTYPE>DEBIT')],
  ])('%s: nothing changes', async (_name, change) => {
    expect(change(ofxSample)).not.toBe(ofxSample);
    expect(await movementsIn(change(ofxSample))).toEqual(await movementsIn(ofxSample));
  });

  it('a text keeps what only looks like a tag or an entity', async () => {
    const texts = async (memo: string) => (await movementsIn(file({ MEMO: memo })))[0]?.texts;
    expect(await texts('AT&T &amp; A &lt; B &#65;')).toEqual(['AT&T & A < B A']);
    expect(await texts('1 < 2 <3 A&B; &unknown;')).toEqual(['1 < 2 <3 A&B; &unknown;']);
    expect(await texts('<![CDATA[A & <B>]]>')).toEqual(['A & <B>']);
    expect(await texts('by <jane@example.com> for <https://a.example/b> 7')).toEqual([
      'by <jane@example.com> for <https://a.example/b> 7',
    ]);
  });

  it('a file in UTF-8 is read in it where its header says Unicode', async () => {
    const file = ofxSample.replace('USASCII', 'UTF-8').replace('CHARSET:1252', 'CHARSET:CSUNICODE');
    expect((await movementsIn(file.replace('ACME CORP', 'アクメ')))[0]?.payer.name).toBe('アクメ');
  });

  it('a file in a code page of its header is read in it', async () => {
    const file = ofxSample.replace('CHARSET:1252', 'CHARSET:1250').replace('ACME CORP', 'Ł');
    const bytes = Buffer.from(file.replace('Ł', '\u00A3'), 'latin1');
    expect((await movementsIn(bytes))[0]?.payer.name).toBe('Ł');
  });
});

function transaction(fields: Record<string, string>): string {
  const all = { TRNTYPE: 'OTHER', DTPOSTED: '20260305', TRNAMT: '10.00', FITID: 'FIT-00001', ...fields };
  return `<STMTTRN>${Object.entries(all)
    .map(([name, value]) => (value === '-' ? '' : `<${name}>${value}</${name}>`))
    .join('')}</STMTTRN>`;
}

function fileOf(
  transactions: string,
  { currency = '<CURDEF>USD', account = '<ACCTID>1', after = '' } = {},
): string {
  return `OFXHEADER:100\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS>${currency}<BANKACCTFROM>${account}</BANKACCTFROM><BANKTRANLIST>\n${transactions}</BANKTRANLIST>${after}</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>`;
}

function file(fields: Record<string, string>): string {
  return fileOf(transaction(fields));
}

describe('an amount', () => {
  it.each([
    ['10', 1000],
    ['+10.00', 1000],
    ['-10.00', -1000],
    ['10,00', 1000],
    ['-1,234.56', -123_456],
    ['1.234,56', 123_456],
    ['10.0000', 1000],
    ['0.000', 0],
    ['-.5', -50],
    ['          .  ', 0],
  ])('%s', async (amount, amountMinor) => {
    expect((await movementsIn(file({ TRNAMT: amount })))[0]?.amountMinor).toBe(amountMinor);
  });

  it.each([
    ['-', 'amount_missing'],
    ['', 'amount_missing'],
    ['-.', 'amount_unreadable'],
    ['ten', 'amount_unreadable'],
    ['10.001', 'amount_ambiguous'],
    ['1,000', 'amount_ambiguous'],
    ['10.0001', 'amount_unreadable'],
    ['1.2.3', 'amount_unreadable'],
    ['--10', 'sign_unreadable'],
    ['1E2', 'amount_unreadable'],
    ['$10.00', 'amount_unreadable'],
  ])('%s is refused', async (amount, reason) => {
    expect(await refusalOf(file({ TRNAMT: amount }))).toEqual({ reason, line: 4 });
  });

  it.each([
    ['5.124', 5124],
    ['-12,345', -12_345],
    ['1,234.567', 1_234_567],
    ['1234', 1_234_000],
  ])('%s of a currency with three decimals', async (amount, amountMinor) => {
    const text = file({ TRNAMT: amount }).replace('<CURDEF>USD', '<CURDEF>KWD');
    expect((await movementsIn(text))[0]).toMatchObject({ amountMinor, currency: 'KWD' });
  });

  it('twice in a transaction is refused: one of the two would be lost', async () => {
    const text = fileOf(
      '<STMTTRN><DTPOSTED>20260305<TRNAMT>1.00<FITID>A<DTPOSTED>20260305<TRNAMT>2.00<FITID>B</STMTTRN>',
    );
    expect((await refusalOf(text)).reason).toBe('structure_unreadable');
  });
});

describe('a day', () => {
  it.each([
    '20260305',
    '202603050130',
    '20260305235959',
    '20260305235959.999',
    '20260305000000[-8:PST]',
    '20260305120000.000[+5.30:IST]',
    '20260305000000[0]',
    '20260305 120000',
    '2026-03-05',
    '2026/03/05',
    '20260305120000-0500',
    '20260305120000.000+05:30',
  ])('%s is the day that is written', async (text) => {
    expect((await movementsIn(file({ DTPOSTED: text })))[0]?.bookedOn).toBe('2026-03-05');
  });

  it.each([
    ['-', 'date_missing'],
    ['20260230', 'date_unreadable'],
    ['00000000', 'date_unreadable'],
    ['05032026', 'date_unreadable'],
    ['2026035', 'date_unreadable'],
    ['soon', 'date_unreadable'],
  ])('%s is refused', async (text, reason) => {
    expect(await refusalOf(file({ DTPOSTED: text }))).toEqual({ reason, line: 4 });
  });

  it('on which a customer paid may be left empty, but not wrong', async () => {
    expect((await movementsIn(file({ DTUSER: '00000000' })))[0]?.authorisedOn).toBe(null);
    expect((await refusalOf(file({ DTUSER: '20261301' }))).reason).toBe('date_unreadable');
  });
});

describe('a currency', () => {
  it('of a transaction goes before that of the account; what was converted is in the account’s', async () => {
    const own = transaction({ CURRENCY: '<CURRATE>1.1</CURRATE><CURSYM>EUR</CURSYM>' });
    const converted = transaction({ FITID: 'FIT-00002', ORIGCURRENCY: '<CURRATE>1.1<CURSYM>EUR' });
    const unclosed =
      '<STMTTRN><DTPOSTED>20260305<TRNAMT>1.00<CURRENCY><CURRATE>1.1<CURSYM>GBP<MEMO>text</STMTTRN>';
    const read = await movementsIn(fileOf(own + converted + unclosed));
    expect(read.map(({ currency, texts }) => [currency, texts])).toEqual([
      ['EUR', []],
      ['USD', []],
      ['GBP', ['text']],
    ]);
  });

  it('must be given, by the file or by the caller', async () => {
    const text = fileOf(transaction({}), { currency: '' });
    expect((await refusalOf(text)).reason).toBe('currency_missing');
    expect((await movementsIn(text, { currency: 'KES' }))[0]?.currency).toBe('KES');
    expect((await refusalOf(fileOf(transaction({}), { currency: '<CURDEF>XXX' }))).reason).toBe(
      'currency_unknown',
    );
  });
});

it('an account must be given', async () => {
  expect((await refusalOf(fileOf(transaction({}), { account: '' }))).reason).toBe('account_missing');
});

it('names and references of a payee are read', async () => {
  const [read] = await movementsIn(
    file({
      PAYEE: '<NAME>Jane</NAME><ADDR1>Road 1</ADDR1><CITY>X</CITY>',
      REFNUM: 'REF-77',
      MEMO: 'ADV48213075',
    }),
  );
  expect(read).toMatchObject({
    texts: ['ADV48213075', 'Jane', 'REF-77'],
    payer: { name: 'Jane', account: null },
    bankReference: 'REF-77',
  });
});

it('a name that fills its field and goes on in the memo is whole as well', async () => {
  const textsOf = async (NAME: string, MEMO: string) => (await movementsIn(file({ NAME, MEMO })))[0]?.texts;
  const name = 'WT FED#01234 ORG=ACME RFB#ADV482';
  expect(await textsOf(name, '13075 TD BANK')).toEqual(['13075 TD BANK', name, `${name}13075 TD BANK`]);
  expect(await textsOf(name, `${name}13075`)).toEqual([`${name}13075`, name]);
  expect(await textsOf('ORG=ACME RFB#ADV482', '13075')).toEqual(['13075', 'ORG=ACME RFB#ADV482']);
});

it('the account of a transfer’s other side is not that of the statement', async () => {
  const transfer = '<BANKACCTTO><BANKID>9<ACCTID>999<ACCTTYPE>SAVINGS</BANKACCTTO>';
  const parts = await partsOf(
    fileOf(`<STMTTRN><DTPOSTED>20260305<TRNAMT>1<FITID>A${transfer}<MEMO>m</STMTTRN>`),
  );
  expect(parts.map(({ account }) => account.id)).toEqual(['1', '1']);
  expect(parts[1]).toMatchObject({ transaction: { texts: ['m'] } });
});

it('what is not booked yet is pending', async () => {
  const pending =
    '<BANKTRANLISTP><DTASOF>20260305<STMTTRNP><TRNTYPE>DEBIT<DTTRAN>20260304<TRNAMT>-5.00<NAME>SHOP</STMTTRNP></BANKTRANLISTP>';
  const read = await movementsIn(fileOf(transaction({}), { after: pending }));
  expect(read.map((movement) => [movement.pending, movement.bookedOn, movement.amountMinor])).toEqual([
    [false, '2026-03-05', 1000],
    [true, '2026-03-04', -500],
  ]);
});

it('names that a bank gives twice, or that are none, still name each movement', async () => {
  const read = await movementsIn(
    fileOf(
      ['SAME01', 'SAME01', '0', 'NONREF', '-']
        .map((FITID, n) => transaction({ FITID, MEMO: `m${n}` }))
        .join(''),
    ),
  );
  const names = read.map(({ externalId }) => externalId);
  expect(names.slice(0, 2)).toEqual(['SAME01:2026-03-05:USD:1000', 'SAME01:2026-03-05:USD:1000:2']);
  expect(new Set(names).size).toBe(5);
});

it('a balance without an amount is passed over, one that cannot be read is refused', async () => {
  const balance = (amount: string) =>
    fileOf(transaction({}), { after: `<LEDGERBAL><BALAMT>${amount}</BALAMT><DTASOF>20260306</LEDGERBAL>` });
  expect((await partsOf(balance(''))).map(({ type }) => type)).toEqual(['statement', 'movement']);
  expect((await refusalOf(balance('n/a'))).reason).toBe('amount_unreadable');
});

describe('the cash of an investment account', () => {
  const investment = (list: string) =>
    `OFXHEADER:100\n\n<OFX><INVSTMTMSGSRSV1><INVSTMTTRNRS><INVSTMTRS><DTASOF>20260305<CURDEF>USD<INVACCTFROM><BROKERID>b<ACCTID>77</INVACCTFROM><INVTRANLIST>${list}</INVTRANLIST></INVSTMTRS></INVSTMTTRNRS></INVSTMTMSGSRSV1></OFX>`;

  it('is read', async () => {
    const read = await movementsIn(
      investment(`<INVBANKTRAN>${transaction({})}<SUBACCTFUND>CASH</INVBANKTRAN>`),
    );
    expect(read.map(({ amountMinor }) => amountMinor)).toEqual([1000]);
  });

  it('is no statement where there is none', async () => {
    expect((await refusalOf(investment('<BUYSTOCK><INVBUY><TOTAL>-5</INVBUY></BUYSTOCK>'))).reason).toBe(
      'no_statement',
    );
  });
});

it('an answer without a statement is refused', async () => {
  const text =
    '<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>15500<SEVERITY>ERROR</STATUS></SONRS></SIGNONMSGSRSV1></OFX>';
  expect((await refusalOf(text)).reason).toBe('no_statement');
});

describe('files one behind the other', () => {
  it('are read as one', async () => {
    const other = ofxSample.replaceAll('123456789', '987654321');
    expect(await movementsIn(ofxSample + other)).toHaveLength(6);
  });

  it('are refused wherever the last one is cut off', async () => {
    const last = ofxSample.trimEnd().length - 1;
    for (let end = ofxSample.indexOf('<SIGNON') + 20; end < last; end += 13)
      expect((await refusalOf(ofxSample + ofxSample.slice(0, end))).reason).toBe('file_cut_off');
  });
});

it('declarations are refused', async () => {
  const text = `<?xml version="1.0"?><!DOCTYPE OFX [<!ENTITY a "b">]>${body(closed(ofxSample))}`;
  expect((await refusalOf(text)).reason).toBe('xml_entities_refused');
});
