/** MT940 and MT942 of any bank: envelopes, pages, marks, years, and the families of free text. */
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { findReferences, readReferences } from '../../domain/payments/reference-text.ts';
import { movementsIn, partsOf, refusalOf } from '../../test/support/statement-files.ts';
import { sampleAccount as account, mt940Sample } from '../../test/support/statement-samples.ts';
import { readMt940 } from './mt940.ts';

it('a file with `@@` for its line ends is read like any other, wherever it is cut', async () => {
  const message = mt940Sample.trim();
  const plain = await movementsIn(message);
  const dressed = message.replaceAll(/\r?\n/g, '@@');
  for (let at = 1; at < dressed.length; at += 1) {
    const pieces = [dressed.slice(0, at), dressed.slice(at)];
    const movements = [];
    for await (const part of readMt940(Readable.from(pieces), {}))
      if (part.type === 'movement') movements.push(part.transaction);
    expect(movements).toEqual(plain);
  }
  expect(await movementsIn(dressed)).toEqual(plain);
});

it('a message becomes its balances and its movements', async () => {
  expect(await partsOf(mt940Sample)).toEqual([
    { type: 'statement', line: 2, account, statementId: 'STARTUMS' },
    {
      type: 'balance',
      line: 5,
      account,
      kind: 'opening',
      amountMinor: -10_000,
      currency: 'EUR',
      on: '2026-03-04',
    },
    {
      type: 'movement',
      line: 6,
      account,
      transaction: {
        externalId: '2026030500017:2026-03-05:EUR:49900',
        amountMinor: 49_900,
        currency: 'EUR',
        bookedOn: '2026-03-05',
        authorisedOn: null,
        pending: false,
        pendingExternalId: null,
        texts: [
          'Rechnung ADV48213075 vielen Dank',
          'Rechnu ng ADV48213075 vielen Dank',
          'GUTSCHRIFT',
          '/OCMT/EUR499,00/',
          '2026030500017',
          'Mueller und Soehne',
        ],
        payer: { name: 'Mueller und Soehne', account: 'NL91ABNA0417164300' },
        bankReference: '2026030500017',
      },
    },
    {
      type: 'movement',
      line: 9,
      account,
      transaction: {
        externalId: '=cUErARToQootVk8xwMxQFw:2026-03-05:EUR:-1150',
        amountMinor: -1150,
        currency: 'EUR',
        bookedOn: '2026-03-05',
        authorisedOn: null,
        pending: false,
        pendingExternalId: null,
        texts: ['Entgelt'],
        payer: { name: null, account: null },
        bankReference: null,
      },
    },
    {
      type: 'balance',
      line: 11,
      account,
      kind: 'closing',
      amountMinor: 38_750,
      currency: 'EUR',
      on: '2026-03-05',
    },
  ]);
});

const bare = mt940Sample.replace(/^.*\{4:\n/, '').replace(/-\}\n/, '');

describe('dress', () => {
  it.each([
    ['no envelope', () => bare],
    ['a dash at the end', () => `${bare}-\n`],
    ['a dash and spaces', () => `${bare}- \n\n`],
    ['an envelope and its first field on one line', () => mt940Sample.replace('{4:\n', '{4:')],
    ['a trailer', () => mt940Sample.replace('-}', '-}{5:{CHK:123456789ABC}}')],
    ['a user header', () => mt940Sample.replace('}{4:', '}{3:{108:MT940}{119:X}}{4:')],
    ['transmission characters', () => `\u0001${mt940Sample.trimEnd()}\u0003`],
    ['blank lines', () => bare.replaceAll('\n', '\n\n')],
    ['leading spaces', () => bare.replace(/^/gm, '  ')],
    ['trailing spaces', () => bare.replaceAll('\n', '  \n')],
    ['lower-case tags', () => bare.replace(':60F:', ':60f:')],
    ['a tag that has no meaning here', () => bare.replace(':62F:', ':90C:1EUR1,\n:62F:')],
  ])('%s changes no movement', async (_name, change) => {
    expect(change()).not.toBe(mt940Sample);
    expect(await movementsIn(change())).toEqual(await movementsIn(mt940Sample));
  });
});

function message(
  lines: string,
  { account: id = '0815', opening = ':60F:C260304EUR0,\n', closing = '' } = {},
): string {
  return `:20:A\n:25:${id}\n:28C:1/1\n${opening}${lines}\n${closing || ':62F:C260305EUR0,'}\n`;
}

const unchecked = { checkBalances: false };

it('an indented dash within a text ends no message', async () => {
  const text = message(':61:260305C1,00NTRFX\n:86:INVOICE\n  -\n  ADV48213075');
  const [movement] = await movementsIn(text, unchecked);
  expect(movement?.texts.join(' ')).toContain('ADV48213075');
});

describe('a statement line', () => {
  it.each([
    ['2603050305C10,00NTRFREF//BANK01', { amountMinor: 1000, bookedOn: '2026-03-05' }],
    ['260305C10,00NTRFREF', { amountMinor: 1000, bookedOn: '2026-03-05' }],
    ['2603050305D10,NTRFREF', { amountMinor: -1000 }],
    ['2603050305CR10,5NTRFREF', { amountMinor: 1050 }],
    ['2603050305DR10,5NTRFREF', { amountMinor: -1050 }],
    ['2603050305RC10,00NTRFREF', { amountMinor: -1000 }],
    ['2603050305RD10,00NTRFREF', { amountMinor: 1000 }],
    ['2603050305RCR10,00NTRFREF', { amountMinor: -1000 }],
    ['2603050305RDR10,00NTRFREF', { amountMinor: 1000 }],
    ['2603050305EC10,00NTRFREF', { amountMinor: 1000, pending: true }],
    ['2603050305ED10,00NTRFREF', { amountMinor: -1000, pending: true }],
    ['2603050305C000000000010,00NTRFREF', { amountMinor: 1000 }],
    ['2603050305C10.00NTRFREF', { amountMinor: 1000 }],
    ['2603050305C10NTRFREF', { amountMinor: 1000 }],
    ['2603050305CR,50NTRFREF', { amountMinor: 50 }],
    ['2603050305C1.000,5NTRFREF', { amountMinor: 100_050 }],
    ['2603050305C1,000.50NTRFREF', { amountMinor: 100_050 }],
    ['2603050305CR\n10,00NTRFREF', { amountMinor: 1000 }],
    ['2603050305C10,00S103REF', { amountMinor: 1000 }],
    ['2603050305C10,00FCHGREF//B-0001', { amountMinor: 1000, bankReference: 'B-0001' }],
    ['260305 0305 C 10,00 NTRFREF', { amountMinor: 1000 }],
    ['260305    C10,00NTRFREF', { amountMinor: 1000, bookedOn: '2026-03-05' }],
    ['20260305C10,00NTRFREF', { bookedOn: '2026-03-05' }],
    ['202603040305C10,00NTRFREF', { bookedOn: '2026-03-05' }],
    ['260304260305C10,00NTRFREF', { bookedOn: '2026-03-05' }],
    ['2026030420260305C10,00NTRFREF', { bookedOn: '2026-03-05' }],
    ['2512310102C10,00NTRFREF', { bookedOn: '2026-01-02' }],
    ['2601021231C10,00NTRFREF', { bookedOn: '2025-12-31' }],
    ['2402290229C10,00NTRFREF', { bookedOn: '2024-02-29' }],
    ['2602300227D10,00NTRFREF', { bookedOn: '2026-02-27' }],
    ['9912311231C10,00NTRFREF', { bookedOn: '1999-12-31' }],
  ])('%s', async (line, expected) => {
    expect((await movementsIn(message(`:61:${line}`), unchecked))[0]).toMatchObject(expected);
  });

  it.each([
    ['2603050305X10,00NTRF', 'sign_unreadable'],
    ['2603050305-10,00NTRF', 'sign_unreadable'],
    ['260305030510,00NTRF', 'sign_unreadable'],
    ['2603050305C-10,00NTRF', 'amount_unreadable'],
    ['2603050305CNTRF', 'amount_unreadable'],
    ['2603050305C,NTRF', 'amount_unreadable'],
    ['2603050305C.50NTRF', 'amount_unreadable'],
    ['2603050305C1.000NTRF', 'amount_unreadable'],
    ['2603050305C1.00,00NTRF', 'amount_unreadable'],
    ['2603050305C1,000,00NTRF', 'amount_unreadable'],
    ['2603050305C10,001NTRF', 'amount_unreadable'],
    ['2603050305C1 000,00NTRF', 'amount_unreadable'],
    ["2603050305C1'000,00NTRF", 'amount_unreadable'],
    ['2603050305C10,00-NTRF', 'amount_unreadable'],
    ['2613050305C10,00NTRF', 'date_unreadable'],
    ['2602300230C10,00NTRF', 'date_unreadable'],
    ['260230C10,00NTRF', 'date_unreadable'],
    ['2603051305C10,00NTRF', 'date_unreadable'],
    ['260305030C10,00NTRF', 'date_unreadable'],
    ['201203201203C10,00NTRF', 'date_unreadable'],
    ['05.03.26C10,00NTRF', 'date_unreadable'],
    ['', 'date_unreadable'],
  ])('%s is refused', async (line, reason) => {
    expect(await refusalOf(message(`:61:2603050305C1,00NTRFX\n:61:${line}`), unchecked)).toEqual({
      reason,
      line: 6,
    });
  });

  it('keeps its references and what the bank adds as texts', async () => {
    const [read] = await movementsIn(
      message(':61:260305C1,00NTRFINV-7//B-0000001\nADDED BY BANK'),
      unchecked,
    );
    expect(read?.texts).toEqual(['ADDED BY BANK', 'INV-7', 'B-0000001']);
  });

  it.each([
    ['C1,00INV48213075//B-0000001', ['INV48213075', 'B-0000001']],
    ['C1,00NONREF//B-0000001', ['B-0000001']],
    ['C1,00//B-0000001', ['B-0000001']],
    ['C1,00 0815//B-0000001', ['0815', 'B-0000001']],
  ])('without a type keeps its references whole: %s', async (line, texts) => {
    const [read] = await movementsIn(message(`:61:260305${line}`), unchecked);
    expect(read?.texts).toEqual(texts);
  });

  it('that takes money back says so', async () => {
    const lines = ['RC1,00NTRFONE', 'D1,00NRTITWO', 'RD1,00NRTITHREE', 'D1,00NTRFFOUR'];
    const read = await movementsIn(message(lines.map((line) => `:61:260305${line}`).join('\n')), unchecked);
    expect(read.map(({ texts }) => texts)).toEqual([
      ['ONE', 'REVERSAL'],
      ['TWO', 'REVERSAL'],
      ['THREE'],
      ['FOUR'],
    ]);
  });

  it('has a name for each, also where the bank has one for all', async () => {
    const lines = [
      'C1,00NTRFX//SAME-REF',
      'C2,00NTRFX//SAME-REF',
      'C1,00NTRFX//SAME-REF',
      'C1,00NTRFNONREF//NONREF',
    ];
    const read = await movementsIn(message(lines.map((line) => `:61:260305${line}`).join('\n')), unchecked);
    expect(read.map(({ externalId }) => externalId)).toEqual([
      'SAME-REF:2026-03-05:EUR:100',
      'SAME-REF:2026-03-05:EUR:200',
      'SAME-REF:2026-03-05:EUR:100:2',
      expect.stringMatching(/^=[\w-]{22}:2026-03-05:EUR:100$/),
    ]);
  });
});

describe('information to the account owner', () => {
  const told = async (lines: string, mark = 'C') =>
    (await movementsIn(message(`:61:260305${mark}1,00NTRFNONREF\n:86:${lines}`), unchecked))[0];

  it.each([
    ['numbered', '166?00GUTSCHRIFT?20ADV48213075?21Danke?30BIC?31DE02?32Jane?33Doe'],
    ['numbered with another character', '166~00GUTSCHRIFT~20ADV48213075~21Danke~30BIC~31DE02~32Jane~33Doe'],
    ['numbered without a code', '?00GUTSCHRIFT?20ADV48213075?21Danke?30BIC?31DE02?32Jane?33Doe'],
    [
      'numbered without a code, with another character',
      '~00GUTSCHRIFT~20ADV48213075~21Danke~31DE02~32Jane~33Doe',
    ],
    [
      'in numbered lines that end in a plus',
      '020+14+\n00GUTSCHRIFT+\n20ADV48213075   +\n21Danke+\n31DE02+\n32Jane+\n33Doe',
    ],
    ['cut in the middle of a number', '166?00GUTSCHRIFT?2\n0ADV48213075?21Danke?30BIC?31DE02?3\n2Jane?33Doe'],
  ])('%s', async (_name, lines) => {
    expect(await told(lines)).toMatchObject({
      texts: ['ADV48213075 Danke', 'GUTSCHRIFT', 'Jane Doe'],
      payer: { name: 'Jane Doe', account: 'DE02' },
    });
  });

  it('in SEPA’s parts says the purpose first', async () => {
    expect(await told('166?00X?20EREF+E2E-1MREF+M-1CRED+DE9?21SVWZ+ADV48213075?32Jane')).toMatchObject({
      texts: ['ADV48213075', 'E2E-1', 'M-1', 'DE9', 'X', 'Jane'],
    });
  });

  it('keeps a separator within a text, and sub-fields we do not know', async () => {
    expect((await told('166?20Why? ADV1?99more?45other'))?.texts).toEqual(['Why? ADV1?99more', 'other']);
    expect((await told('020+14+\n20ADV48213075+31+\n21more'))?.texts).toEqual(['ADV48213075+31 more']);
    expect((await told('020+14 ADV1+2'))?.texts).toEqual(['020+14 ADV1+2']);
  });

  it.each([
    ['/TRTP/SEPA OVERBOEKING/IBAN/NL91ABNA0417164300/BIC/ABNANL2A/NAME/J Doe/REMI/ADV48213075/EREF/E2E-1'],
    ['/EREF/E2E-1//CNTP/NL91ABNA0417164300/ABNANL2A/J Doe/Amsterdam//REMI/USTD//ADV48213075/'],
    ['/EREF/E2E-1/ORDP/NAME/J Doe/IBAN/NL91ABNA0417164300/REMI/ADV48213075'],
  ])('between slashes: %s', async (lines) => {
    const read = await told(lines);
    expect(read?.payer).toEqual({ name: 'J Doe', account: 'NL91ABNA0417164300' });
    expect(read?.texts.slice(0, 2)).toEqual(['ADV48213075', 'E2E-1']);
  });

  it('between slashes names a party by its account, its name and what it wrote', async () => {
    const read = await told('/ORDP/300000000012345\n/JANE DOE\n/7//7\n/Uplata ADV48213075');
    expect(read?.payer).toEqual({ name: 'JANE DOE', account: '300000000012345' });
    expect(read?.texts[0]).toContain('Uplata ADV48213075');
    expect((await told('/ORDP/JANE DOE/REMI/ADV48213075'))?.payer.name).toBe('JANE DOE');
  });

  it('between slashes names who ordered, where the other side is told too', async () => {
    const read = await told('/BENM//NAME/Ourselves/IBAN/NL02/ORDP//NAME/J Doe/IBAN/NL91/REMI/ADV48213075');
    expect(read?.payer).toEqual({ name: 'J Doe', account: 'NL91' });
    expect((await told('/BENM//NAME/Ourselves/REMI/ADV48213075'))?.payer.name).toBe('Ourselves');
  });

  it('between slashes, cut within a word', async () => {
    const lines = `/NAME/J Doe/REMI/${'x'.repeat(43)} ADV4\n8213075 thanks/EREF/E2E-1`;
    expect((await told(lines))?.texts[0]).toBe(`${'x'.repeat(43)} ADV48213075 thanks`);
  });

  it.each([
    ['M\x81ller Stra\xE1e', 'Müller Straße'],
    ['B\x84cker, \x9Aberweisung', 'Bäcker, Überweisung'],
    ['sch\x94n, \x8Erzte', 'schön, Ärzte'],
    ['\x99sterreich, Caf\x82', 'Österreich, Café'],
    ['STRA\xE1E, M\x9ALLER, K\x99LN', 'STRAßE, MÜLLER, KÖLN'],
  ])('in the code page of older software is read in it: %j', async (written, read) => {
    const text = message(`:61:260305C1,00NTRFNONREF\n:86:166?20${written}?32Jane M\x81ller`);
    const [movement] = await movementsIn(Buffer.from(text, 'latin1'), unchecked);
    expect(movement?.texts).toEqual([read, 'Jane Müller']);
  });

  it.each([
    ['Stra\xE1e', 'Straáe'],
    ['\x9Aimi\xE6', 'šimiæ'],
    ['said \x84yes\x94', 'said „yes”'],
    ['Firma\x84Acme\x93', 'Firma„Acme“'],
    ['firma\x84acme\x94', 'firma„acme”'],
    ['M\xFCller \x84a\x84b', 'Müller „a„b'],
    ['Acme\x99 and more', 'Acme™ and more'],
    ['BO\x8EI\xC6', 'BOŽIÆ'],
  ])('in no code page that shows is read as Windows writes it: %j', async (written, read) => {
    const text = message(`:61:260305C1,00NTRFNONREF\n:86:${written}`);
    const [movement] = await movementsIn(Buffer.from(text, 'latin1'), unchecked);
    expect(movement?.texts).toEqual([read]);
  });

  it('says the same in every file that has the movement', async () => {
    const one = ':61:260305C1,00NTRFNONREF\n:86:Stra\xE1e\n';
    const two = `${one}:61:260305C2,00NTRFNONREF\n:86:M\x81ller\n`;
    const [alone] = await movementsIn(Buffer.from(message(one), 'latin1'), unchecked);
    const [first, second] = await movementsIn(Buffer.from(message(two), 'latin1'), unchecked);
    expect(first).toEqual(alone);
    expect(second?.texts).toEqual(['Müller']);
  });

  it('as free text is one text; a full line may go on in the next or end there', async () => {
    expect((await told('WIRE FROM ACME\nADV48213075'))?.texts).toEqual(['WIRE FROM ACME ADV48213075']);
    const full = `${'x'.repeat(60)} ADV4`;
    expect((await told(`${full}\n8213075`))?.texts).toEqual([`${full}8213075`, `${full} 8213075`]);
  });

  it.each([
    ['Rechnung vom Maerz, danke AD\nV00005724 und Gruss', 'Rechnung vom Maerz, danke ADV00005724 und Gruss'],
    ['Rechnung vom Maerz, dankend A\nDV00005724', 'Rechnung vom Maerz, dankend ADV00005724'],
    ['166?20Rechnung vom Maerz AD?21V00005724', 'Rechnung vom Maerz ADV00005724'],
    ['166?20SVWZ+a?21Rechnung vom Maerz A?22DV00005724', 'a Rechnung vom Maerz ADV00005724'],
    ['/NAME/J Doe/REMI/Rechnung vom Maerz AD\nV00005724', 'Rechnung vom Maerz ADV00005724'],
  ])('cut within a reference has it whole, at whatever width: %j', async (lines, text) => {
    const read = await told(lines);
    expect(read?.texts[0]).toBe(text);
    expect(findReferences(readReferences(read?.texts ?? []), () => true).known).toMatchObject([
      { code: 'ADV00005724', level: 'E', written: 'ADV00005724' },
    ]);
  });

  it.each([
    ['a wrong check digit', 'Rechnung vom Maerz AD\nV00005725'],
    ['a digit too many', 'Rechnung vom Maerz AD\nV000057240'],
    ['a word that only ends so', 'Rechnung vom MaerzAD\nV00005724'],
    ['a line that was not full', 'Rechnung A\nDV00005724 und vieles mehr'],
  ])('with %s is two words', async (_name, lines) => {
    const read = await told(lines);
    expect(read?.texts).toEqual([lines.replace('\n', ' ')]);
    expect(readReferences(read?.texts ?? []).exact).toEqual([]);
  });

  it('in the numbered lines of German banks is the purpose without their numbers', async () => {
    const text = message(
      ':61:260305C1,00S051\n:NS:01Rechnung\n02ADV48213075\n15Jane Doe\n17Gutschrift\n204711',
    );
    const [read] = await movementsIn(text, unchecked);
    expect(read?.texts).toEqual(['Rechnung ADV48213075', 'Gutschrift', 'Jane Doe']);
    expect(read?.payer.name).toBe('Jane Doe');
  });

  it('that only begins with a number is free text', async () => {
    expect((await told('#12345 ADV48213075'))?.texts).toEqual(['#12345 ADV48213075']);
    expect((await told('123/45 ADV48213075'))?.texts).toEqual(['123/45 ADV48213075']);
    expect((await told('1234567890'))?.texts).toEqual(['1234567890']);
  });

  it('keeps lines that begin with a colon or a dash', async () => {
    expect((await told('FIRST\n:NOTE: SECOND\n-THIRD'))?.texts).toEqual(['FIRST :NOTE: SECOND -THIRD']);
  });

  it('of the whole statement is of no movement', async () => {
    const text = `${message(':61:260305C1,00NTRFNONREF\n:86:MINE')}:86:ALL\n`;
    expect((await movementsIn(text, unchecked)).map(({ texts }) => texts)).toEqual([['MINE']]);
  });

  it('names no payer of what was paid out, and the customer of what was taken back', async () => {
    expect((await told('166?20A?32Landlord', 'D'))?.payer.name).toBe(null);
    expect((await told('166?20A?32Jane', 'RC'))?.payer.name).toBe('Jane');
  });
});

describe('a control character', () => {
  it('within a text is dress', async () => {
    const read = await movementsIn(message(':61:260305C1,00NTRFX\n:86:A\x1ADV48213075'), unchecked);
    expect(read.map(({ texts }) => texts)).toEqual([['ADV48213075', 'X']]);
  });

  it.each([
    [':61:260305C1\x1A0,00NTRFX', 5],
    [':61:260305C1,00NTRFX\n:61:260305C1\x010,00NTRFX', 6],
    [':61:260305CR\n1\x1A0,00NTRFX', 6],
  ])('within a movement is refused: %j', async (lines, line) => {
    expect(await refusalOf(message(lines), unchecked)).toEqual({ reason: 'structure_unreadable', line });
  });
});

describe('an account', () => {
  it.each([
    ['NL91ABNA0417164300', 'NL91ABNA0417164300', 'NL91ABNA0417164300'],
    ['NL91ABNA0417164300EUR', 'NL91ABNA0417164300', 'NL91ABNA0417164300'],
    // The check digits fit by chance with the currency, too.
    ['DE16370400440532013053EUR', 'DE16370400440532013053', 'DE16370400440532013053'],
    ['NL91 ABNA 0417 1643 00 EUR', 'NL91ABNA0417164300', 'NL91ABNA0417164300'],
    ['/NL91ABNA0417164300', 'NL91ABNA0417164300', 'NL91ABNA0417164300'],
    ['ABNANL2A/NL91ABNA0417164300', 'NL91ABNA0417164300', 'NL91ABNA0417164300'],
    ['37040044/0532013000', '37040044/0532013000', null],
    ['37040044/0532013000EUR', '37040044/0532013000', null],
    ['//AT39364/12345678912/EUR', 'AT39364/12345678912', null],
    ['0532013000-001 USD', '0532013000-001', null],
    ['0532013000', '0532013000', null],
  ])('%s', async (written, id, iban) => {
    const [statement] = await partsOf(message('', { account: written }));
    expect(statement?.account).toEqual({ id, iban, bankId: null, currency: 'EUR' });
  });

  it('must be given', async () => {
    expect((await refusalOf(message('', { account: '' }))).reason).toBe('account_missing');
    expect((await refusalOf(message('').replace(':25:0815\n', ''))).reason).toBe('account_missing');
  });

  it('may be named together with its bank', async () => {
    const [statement] = await partsOf(message('').replace(':25:0815', ':25P:0815\nCOBADEFF'));
    expect(statement?.account.id).toBe('0815');
  });
});

describe('pages and messages', () => {
  it('every page must join its own balances; what comes first and last is said', async () => {
    const first = message(':61:260305C1,00NTRFX', { closing: ':62M:C260305EUR1,' });
    const second = message(':61:260305C2,00NTRFX', {
      opening: ':60M:C260305EUR1,\n',
      closing: ':62F:C260305EUR3,',
    });
    const parts = await partsOf(first + second);
    expect(
      parts.map((part) => (part.type === 'balance' ? [part.kind, part.amountMinor] : part.type)),
    ).toEqual(['statement', ['opening', 0], 'movement', 'statement', 'movement', ['closing', 300]]);
    expect(await refusalOf(first + second.replace('EUR3,', 'EUR3,01'))).toEqual({
      reason: 'balance_differs',
      line: 12,
    });
  });

  it('a closing balance may leave out the currency, and either balance may write points', async () => {
    const lines = ':61:260305C1234.50NTRFX\n';
    const opening = ':60F:C20260304EUR1.000,50\n';
    const balances = (await partsOf(message(lines, { opening, closing: ':62F:C2603052235,00' }))).filter(
      ({ type }) => type === 'balance',
    );
    expect(balances).toMatchObject([
      { kind: 'opening', amountMinor: 100_050, on: '2026-03-04' },
      { kind: 'closing', amountMinor: 223_500, currency: 'EUR', on: '2026-03-05' },
    ]);
  });

  it('an opening balance from before the first statement has no day', async () => {
    const opening = ':60F:C000000EUR0,\n';
    const balances = (await partsOf(message('', { opening }))).filter(({ type }) => type === 'balance');
    expect(balances).toMatchObject([
      { kind: 'opening', amountMinor: 0, on: null },
      { kind: 'closing', on: '2026-03-05' },
    ]);
  });

  it('a page goes on behind the end of a message until its closing balance', async () => {
    const lines = '-\n:61:260305C1,00NTRFX\n:86:ADV48213075\n-\n:61:260305C2,00NTRFX\n-';
    const read = await movementsIn(message(lines, { closing: ':62F:C260305EUR3,' }));
    expect(read.map(({ amountMinor }) => amountMinor)).toEqual([100, 200]);
  });

  it('a sign that was turned round does not join the balances', async () => {
    expect((await refusalOf(mt940Sample.replace('0305DR', '0305CR'))).reason).toBe('balance_differs');
    expect(await movementsIn(mt940Sample.replace('0305DR', '0305CR'), unchecked)).toHaveLength(2);
  });

  it('accounts of several messages are kept apart, with and without envelopes', async () => {
    const two = message(':61:260305C1,00NTRFX', { closing: ':62F:C260305EUR1,' });
    const other = two.replace('0815', '0816').replaceAll('EUR', 'USD');
    for (const text of [
      two + other,
      `${two}-\n${other}-\n`,
      `{1:A}{2:B}{4:\n${two}-}{1:A}{2:B}{4:\n${other}-}`,
    ]) {
      const movements = (await partsOf(text)).filter((part) => part.type === 'movement');
      expect(movements.map(({ account: of, transaction }) => [of.id, transaction.currency])).toEqual([
        ['0815', 'EUR'],
        ['0816', 'USD'],
      ]);
    }
  });

  it('several statements may share one transfer number', async () => {
    const two = message('', {}) + message('', { account: '0816' }).replace(':20:A\n', '');
    expect(
      (await partsOf(two)).filter(({ type }) => type === 'statement').map((part) => part.account.id),
    ).toEqual(['0815', '0816']);
  });

  it('a report of a running day has no balances', async () => {
    const report =
      ':20:A\n:25:0815\n:28C:1/1\n:34F:EURD0,\n:34F:EURC0,\n:13D:2603051200+0100\n:61:260305C1,00NTRFX\n:90D:0EUR0,\n:90C:1EUR1,\n-\n';
    expect((await partsOf(report)).map(({ type }) => type)).toEqual(['statement', 'movement']);
  });
});

describe('what is refused', () => {
  it.each([
    [
      'no closing balance',
      message(':61:260305C1,00NTRFX').replace(':62F:C260305EUR0,\n', ''),
      'file_cut_off',
    ],
    ['no opening balance', message(':61:260305C1,00NTRFX', { opening: '' + '\n' }), 'currency_missing'],
    ['no statement', ':20:A\n:25:0815\n', 'no_statement'],
    ['a balance without a direction', message('', { opening: ':60F:260304EUR0,\n' }), 'sign_missing'],
    ['a balance of another direction', message('', { opening: ':60F:X260304EUR0,\n' }), 'sign_unreadable'],
    ['a balance without a currency', message('', { opening: ':60F:C2603040,\n' }), 'structure_unreadable'],
    ['a balance in an unknown currency', message('', { opening: ':60F:C260304XXX0,\n' }), 'currency_unknown'],
    ['a balance without an amount', message('', { opening: ':60F:C260304EUR\n' }), 'amount_missing'],
    ['a balance of no day', message('', { opening: ':60F:C260431EUR0,\n' }), 'date_unreadable'],
    ['a movement after the end', `${message('')}:61:260305C1,00NTRFX\n`, 'structure_unreadable'],
  ])('%s', async (_name, text, reason) => {
    expect((await refusalOf(text)).reason).toBe(reason);
  });
});
