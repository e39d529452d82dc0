/** CSV of any bank, read by its mapping alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { movementsIn, partsOf, refusalOf } from '../../test/support/statement-files.ts';
import { csvSample, csvSampleMapping } from '../../test/support/statement-samples.ts';
import type { CsvMapping } from './csv-mapping.ts';

const account = { id: 'DE89370400440532013000', iban: null, bankId: null, currency: 'EUR' };

it('a table becomes its movements, each with the line on which it begins', async () => {
  const parts = await partsOf(csvSample, { csv: csvSampleMapping });
  expect(parts.map(({ type, line, account: of }) => [type, line, of])).toEqual([
    ['statement', 5, account],
    ['movement', 5, account],
    ['movement', 7, account],
    ['movement', 8, account],
  ]);
  expect(await movementsIn(csvSample, { csv: csvSampleMapping })).toEqual([
    {
      externalId: '=02oAEnU75pmJdbm29zPnz2:2026-03-05:EUR:149900',
      amountMinor: 149_900,
      currency: 'EUR',
      bookedOn: '2026-03-05',
      authorisedOn: null,
      pending: false,
      pendingExternalId: null,
      texts: ['Rechnung ADV48213075 vielen Dank', 'Müller'],
      payer: { name: 'Müller', account: 'NL91ABNA0417164300' },
      bankReference: null,
    },
    expect.objectContaining({
      externalId: '=X5LaBgA2rA3t4kweIuQuzt:2026-03-05:EUR:-1150',
      amountMinor: -1150,
    }),
    expect.objectContaining({
      externalId: '=X5LaBgA2rA3t4kweIuQuzt:2026-03-05:EUR:-1150:2',
      amountMinor: -1150,
    }),
  ]);
});

const simple: CsvMapping = {
  columns: { date: 'Date', amount: { kind: 'signed', column: 'Amount' }, texts: ['Text'] },
  dateFormat: 'YYYY-MM-DD',
  currency: 'USD',
};

const table = 'Date,Amount,Text\n2026-03-05,1.50,A\n';

const direction = { kind: 'indicator', credit: ['H'], debit: ['S'] } as const;

const read = async (text: string, mapping: Partial<CsvMapping> = {}) =>
  (await movementsIn(text, { format: 'csv', csv: { ...simple, ...mapping } })).map(
    ({ amountMinor, texts }) => [amountMinor, ...texts],
  );
const refused = (text: string, mapping: Partial<CsvMapping> = {}) =>
  refusalOf(text, { format: 'csv', csv: { ...simple, ...mapping } });

describe('a table', () => {
  it.each([',', ';', '\t', '|'])('with %s between its columns', async (delimiter) => {
    expect(
      await read(['Date,Amount,Text', '2026-03-05,1.50,A'].join('\n').replaceAll(',', delimiter)),
    ).toEqual([[150, 'A']]);
  });

  it.each([
    ['columns in another order and case', 'TEXT,x, amount ,date\nA,,1.50,2026-03-05\n'],
    ['quotes', '"Date","Amount","Text"\n"2026-03-05","1.50","A"\n'],
    ['a delimiter at the end of each line', 'Date,Amount,Text,\n2026-03-05,1.50,A,\n'],
    ['one more delimiter in the rows', 'Date,Amount,Text\n2026-03-05,1.50,A,\n'],
    ['blank rows', 'Date,Amount,Text\n\n,,\n2026-03-05,1.50,A\n\n'],
    ['a letterhead', 'Bank of A, London\nAccount;12\n\nDate,Amount,Text\n2026-03-05,1.50,A'],
    ['no line end', 'Date,Amount,Text\n2026-03-05,1.50,A'],
    ['cells written as formulas', 'Date,Amount,Text\n="2026-03-05",="1.50",="A"\n'],
    ['a sum below the rows', `${table}Total,1.50,\n`],
    ['a sum that stands with the texts', `${table},1.50,Totals\n`],
    ['sums below the rows', `${table}Gesamtsumme,1.50,\nSumme Gutschriften,1.50,\nTotal paid in,1.50,\n`],
    ['remarks below the rows', `${table}\nClosing balance,,12.00\n*** End ***\nMade on 2026-03-06\n`],
    ['balances among the rows', `${table}2026-03-05,,Balance carried forward\n2026-03-05,,Endsaldo\n`],
  ])('with %s', async (_name, text) => {
    expect(await read(text)).toEqual([[150, 'A']]);
  });

  it('with its header again between the rows is read without it', async () => {
    const months = `${table}date,AMOUNT, Text \n2026-04-05,2.50,B\n`;
    expect(await read(months)).toEqual([
      [150, 'A'],
      [250, 'B'],
    ]);
    expect((await refused(`${table}Date,Text,Amount\n2026-04-05,B,2.50\n`)).reason).toBe('amount_unreadable');
  });

  it('with balances among its amounts is read without them, where nothing else is said of them', async () => {
    const amount = { ...direction, column: 'Amount', indicator: 'S/H' };
    const columns = { ...simple.columns, amount, payerName: 'Name' };
    const file = (...rows: string[]) => `Date,Name,Text,Ref,Currency,Amount,S/H\n${rows.join('\n')}\n`;
    const booked = '2026-03-05,Jane,A,,USD,1.50,H';
    const balances = ['2026-03-01,,,Anfangssaldo,USD,9.00,H', '2026-03-05,, ,Endsaldo,USD,10.50,H'];
    expect(await read(file(booked, ...balances), { columns })).toEqual([[150, 'A', 'Jane']]);
    const movements = [
      '2026-03-05,Jane,Endsaldo,,USD,2.50,H',
      '2026-03-05,Bo Li,Endsaldo,,USD,2.75,H',
      '2026-03-05,,Saldo,,USD,3.50,H',
      '2026-03-05,,Endsaldo Rechnung 7,,USD,4.50,S',
    ];
    expect(await read(file(booked, ...movements), { columns })).toEqual([
      [150, 'A', 'Jane'],
      [250, 'Endsaldo', 'Jane'],
      [275, 'Endsaldo', 'Bo Li'],
      [350, 'Saldo'],
      [-450, 'Endsaldo Rechnung 7'],
    ]);
  });

  it('without a header is read by positions', async () => {
    const columns = { date: 0, amount: { kind: 'signed', column: 2 }, texts: [1] } as const;
    expect(await read('2026-03-05;A;1,50\n2026-03-06;B, C;2,50\n', { columns })).toEqual([
      [150, 'A'],
      [250, 'B, C'],
    ]);
    expect(await read('x;y;z\n2026-03-05;A;1,50\n', { columns, hasHeader: true })).toEqual([[150, 'A']]);
    expect(await read('x\ny\n2026-03-05;A;1,50\n', { columns, skipLines: 2 })).toEqual([[150, 'A']]);
  });

  it('with no rows is a statement without movements', async () => {
    const parts = await partsOf('Date,Amount,Text\n', { csv: simple });
    expect(parts.map(({ type }) => type)).toEqual(['statement']);
  });

  it.each([
    ['no header', '2026-03-05,1.50,A\n', 'column_missing', 1],
    ['a header without a name', 'Date,Sum,Text\n2026-03-05,1.50,A\n', 'column_missing', 1],
    ['a name that stands twice', 'Date,Amount,Text,Text\n2026-03-05,1.50,A,B\n', 'mapping_invalid', 1],
    [
      'a row that is too short',
      'Date,Amount,Text\n2026-03-05,1.50,A\n2026-03-05,1.50\n',
      'column_missing',
      3,
    ],
    ['a row that is too long', 'Date,Amount,Text\n2026-03-05,1.50,A,B\n', 'structure_unreadable', 2],
    [
      'a quotation mark that is not closed',
      'Date,Amount,Text\n2026-03-05,1.50,"A\n',
      'structure_unreadable',
      2,
    ],
    [
      'a quotation mark that the next row closes',
      'Date,Amount,Text\n2026-03-05,1.00,"Hello\n2026-03-06,2.00,"World"\n',
      'structure_unreadable',
      2,
    ],
    ['a row without a day', 'Date,Amount,Text\n,1.50,A\n', 'date_missing', 2],
    ['a sum between the rows', `${table}Total,1.50,\n2026-03-06,1.50,B\n`, 'date_unreadable', 3],
    ['another name below the rows', `${table}Total Energies,1.50,\n`, 'date_unreadable', 3],
    ['a wrong day in the last row', `${table}2026-02-30,1.50,B\n`, 'date_unreadable', 3],
    ['nothing but remarks', 'Date,Amount,Text\nno movements,,\n', 'amount_missing', 2],
    ['a row without an amount', `${table}2026-03-06,,B\n`, 'amount_missing', 3],
  ])('with %s is refused', async (_name, text, reason, line) => {
    expect(await refused(text)).toEqual({ reason, line });
  });

  it('without a mapping is refused', async () => {
    expect((await refusalOf('Date,Amount,Text\n', { format: 'csv' })).reason).toBe('mapping_missing');
  });
});

const oneAmount = (amount: string) => `Date;Amount;Text\n2026-03-05;${amount};A\n`;

describe('an amount', () => {
  it.each([
    ['1.50', 150],
    ['1,50', 150],
    ['-1,50', -150],
    ['1,50-', -150],
    ['(1.50)', -150],
    ['1.234,50', 123_450],
    ['1 234,50', 123_450],
    ['USD 1.50', 150],
    ['-1.50 USD', -150],
    ['-$1.50', -150],
    ['$ -1.50', -150],
    ['0', 0],
  ])('%s', async (amount, minor) => {
    expect(await read(oneAmount(amount))).toEqual([[minor, 'A']]);
  });

  it.each([
    ['', 'amount_missing'],
    ['1.234', 'amount_ambiguous'],
    ['1.50 EUR', 'amount_unreadable'],
    ['1.50 CR', 'amount_unreadable'],
    ['-1.50-', 'sign_unreadable'],
    ['1.505', 'amount_ambiguous'],
    ['abc', 'amount_unreadable'],
    [`1${' '.repeat(100_000)}x`, 'amount_unreadable'],
  ])('%s is refused', async (amount, reason) => {
    expect(await refused(oneAmount(amount))).toEqual({ reason, line: 2 });
  });

  it.each([
    ['CAD', '-$1.50'],
    ['BRL', 'R$ -1,50'],
    ['PLN', '-1,50 zł'],
    ['NGN', '-₦1.50'],
    ['SEK', '-1,50 kr'],
    ['USD', '-US$1.50'],
    ['CAD', 'CA$ -1.50'],
    ['CAD', '-C$1.50'],
    ['AUD', '-A$1.50'],
    ['DKK', '-1,50 kr.'],
    ['TRY', '-1,50 TL'],
    ['INR', 'Rs. -1.50'],
    ['CHF', '-Fr. 1.50'],
    ['RUB', '-1,50 руб.'],
  ])('of %s with its symbol: %s', async (currency, amount) => {
    expect(await read(oneAmount(amount), { currency })).toEqual([[-150, 'A']]);
  });

  it.each([
    ['CAD', 'US$1.50'],
    ['EUR', '$1.50'],
    ['USD', 'R$1.50'],
    ['SGD', 'US$1.50'],
    ['SGD', '1.50 US$'],
    ['AUD', 'CA$1.50'],
    ['NOK', '1,50 k.'],
  ])('of %s with the symbol of another currency is refused: %s', async (currency, amount) => {
    expect((await refused(oneAmount(amount), { currency })).reason).toBe('amount_unreadable');
  });

  it('that could be two is told by the mapping, or by the rows before it', async () => {
    expect(await read(oneAmount('1.234'), { decimalMark: ',' })).toEqual([[123_400, 'A']]);
    expect((await refused(oneAmount('1.234'), { decimalMark: '.' })).reason).toBe('amount_unreadable');
    const behind = (first: string) => `Date;Amount;Text\n2026-03-05;${first};A\n2026-03-05;1.234;B\n`;
    expect(await read(behind('1,50'))).toEqual([
      [150, 'A'],
      [123_400, 'B'],
    ]);
    expect(await refused(behind('1.50'))).toEqual({ reason: 'amount_unreadable', line: 3 });
  });

  it('that could be two is told by the rows behind it, if they all tell the same', async () => {
    const followedBy = (rest: string) => `Date;Amount;Text\n2026-03-05;1.234;A\n2026-03-05;${rest};B\n`;
    expect(await read(followedBy('2,50'))).toEqual([
      [123_400, 'A'],
      [250, 'B'],
    ]);
    expect(await read(followedBy('1.234.567'))).toEqual([
      [123_400, 'A'],
      [123_456_700, 'B'],
    ]);
    expect(await read(followedBy('1234.567'), { currency: 'KWD' })).toEqual([
      [1234, 'A'],
      [1_234_567, 'B'],
    ]);
    for (const rest of ['2.345', '2,50;C\n2026-03-05;2.50']) {
      expect(await refused(followedBy(rest))).toEqual({ reason: 'amount_ambiguous', line: 2 });
    }
  });

  it('of a currency without decimals has its digits grouped, where they are not all zeros', async () => {
    const yen = { currency: 'JPY' };
    expect(await read(oneAmount('¥1,499'), yen)).toEqual([[1499, 'A']]);
    expect(await read(oneAmount('-1.499'), yen)).toEqual([[-1499, 'A']]);
    const file = 'Date;Amount;Text\n2026-03-05;5,000;A\n2026-03-05;1,499;B\n';
    expect(await read(file, yen)).toEqual([
      [5000, 'A'],
      [1499, 'B'],
    ]);
    expect((await refused(oneAmount('5,000'), yen)).reason).toBe('amount_ambiguous');
  });

  it('with another mark than the rows before is refused', async () => {
    expect(await refused('Date;Amount;Text\n2026-03-05;1,50;A\n2026-03-05;1.50;B\n')).toEqual({
      reason: 'amount_unreadable',
      line: 3,
    });
  });
});

describe('two columns', () => {
  const columns = { ...simple.columns, amount: { kind: 'two_columns', credit: 'In', debit: 'Out' } } as const;
  const row = (credit: string, debit: string) => `Date,In,Out,Text\n2026-03-05,${credit},${debit},A\n`;

  it.each([
    ['1.50', '', 150],
    ['', '1.50', -150],
    ['1.50', '0.00', 150],
    ['0.00', '1.50', -150],
    ['0', '', 0],
    ['1.50', '-', 150],
    [' – ', '1.50', -150],
  ])('%s and %s', async (credit, debit, minor) => {
    expect(await read(row(credit, debit), { columns })).toEqual([[minor, 'A']]);
  });

  it.each([
    ['1.50', '2.50', 'sign_unreadable'],
    ['', '', 'amount_missing'],
    ['', '-1.50', 'sign_unreadable'],
    ['-1.50', '', 'sign_unreadable'],
    ['-', '–', 'amount_missing'],
  ])('%s and %s are refused', async (credit, debit, reason) => {
    expect(await refused(row(credit, debit), { columns })).toEqual({ reason, line: 2 });
  });
});

describe('a column for debits with a minus', () => {
  const columns = {
    ...simple.columns,
    amount: { kind: 'two_columns', credit: 'In', debit: 'Out', debitSign: 'minus' },
  } as const;
  const rows = (credit: string, debit: string) => `Date;In;Out;Text\n2026-03-05;${credit};${debit};A\n`;

  it('is read where the mapping says so', async () => {
    expect(await read(rows('', '-1.50'), { columns })).toEqual([[-150, 'A']]);
    expect(await read(rows('1.50', '0.00'), { columns })).toEqual([[150, 'A']]);
  });

  it.each([
    ['', '1.50', 'sign_missing'],
    ['-1.50', '', 'sign_unreadable'],
  ])('%s / %s is refused', async (credit, debit, reason) => {
    expect((await refused(rows(credit, debit), { columns })).reason).toBe(reason);
  });
});

describe('a column for the direction', () => {
  const amount = {
    kind: 'indicator',
    column: 'Amount',
    indicator: 'CD',
    credit: ['C', 'Haben'],
    debit: ['D', 'Soll'],
  } as const;
  const columns = { ...simple.columns, amount };
  const row = (sum: string, word: string) => `Date,Amount,CD,Text\n2026-03-05,${sum},${word},A\n`;

  it('says whether money comes or goes', async () => {
    expect(await read(row('1.50', 'haben'), { columns })).toEqual([[150, 'A']]);
    expect(await read(row('1.50', ' D '), { columns })).toEqual([[-150, 'A']]);
  });

  it.each([
    ['1.50', '', 'sign_missing'],
    ['1.50', 'X', 'sign_unreadable'],
    ['-1.50', 'D', 'sign_unreadable'],
    ['', 'D', 'amount_missing'],
  ])('%s with %s is refused', async (sum, word, reason) => {
    expect(await refused(row(sum, word), { columns })).toEqual({ reason, line: 2 });
  });
});

describe('a word for the direction beside the amount', () => {
  const amount = {
    kind: 'indicator',
    column: 'Amount',
    indicator: 'Amount',
    credit: ['Cr'],
    debit: ['Dr'],
  } as const;
  const columns = { ...simple.columns, amount };
  const row = (written: string) => `Date;Amount;Text\n2026-03-05;${written};A\n`;

  it.each([
    ['1,200.00 Cr', 120_000],
    ['1,200.00DR', -120_000],
    ['CR. 5.00', 500],
    ['USD 5.00 Dr.', -500],
    ['.50 Cr', 50],
    ['0.00 Dr', 0],
    ['Cr 5.00 USD', 500],
  ])('%s is read', async (written, minor) => {
    expect(await read(row(written), { columns })).toEqual([[minor, 'A']]);
  });

  it('is no part of a currency', async () => {
    expect(await read(row('1,200.00 CR'), { columns, currency: 'ZAR' })).toEqual([[120_000, 'A']]);
    expect(await read(row('R 1,200.00 DR'), { columns, currency: 'ZAR' })).toEqual([[-120_000, 'A']]);
  });

  it.each([
    ['1.50', 'sign_missing'],
    ['1.50 X', 'sign_unreadable'],
    ['Cr 1.50 Dr', 'amount_unreadable'],
    ['-1.50 Dr', 'sign_unreadable'],
    ['Cr', 'amount_missing'],
    ['1.5x0 Cr', 'amount_unreadable'],
  ])('%s is refused', async (written, reason) => {
    expect(await refused(row(written), { columns })).toEqual({ reason, line: 2 });
  });
});

describe('a column for the status', () => {
  const status = {
    column: 'State',
    booked: ['Completed'],
    pending: ['Pending'],
    leftOut: ['Failed'],
  } as const;
  const columns = { ...simple.columns, status };
  const file = (...states: string[]) =>
    `Date,Amount,Text,State\n${states.map((state, n) => `2026-03-05,${n + 1}.00,A,${state}\n`).join('')}`;

  it('says what is booked, what is not yet, and what is no movement', async () => {
    const movements = await movementsIn(file('completed', 'PENDING', 'Failed', 'Completed'), {
      csv: { ...simple, columns },
    });
    expect(movements.map(({ amountMinor, pending }) => [amountMinor, pending])).toEqual([
      [100, false],
      [200, true],
      [400, false],
    ]);
  });

  it('has every word known, and each with one meaning', async () => {
    expect(await refused(file('Completed', 'Reverted'), { columns })).toEqual({
      reason: 'status_unknown',
      line: 3,
    });
    expect(await refused(file(''), { columns })).toEqual({ reason: 'status_unknown', line: 2 });
    const twice = { ...status, leftOut: ['Completed'] };
    expect((await refused(file('Completed'), { columns: { ...columns, status: twice } })).reason).toBe(
      'status_unknown',
    );
    expect((await refused('Date,Amount,Text\n', { columns })).reason).toBe('column_missing');
  });

  it.each(['REVERTED', 'Declined', ' failed ', 'Pending', 'Abgelehnt', 'Annulé'])(
    'that is not mapped is passed over while all is booked, and refused at %s',
    async (word) => {
      const booked = file('Completed', 'Booked', '');
      expect(await movementsIn(booked, { csv: simple })).toHaveLength(3);
      const text = `${booked}2026-03-05,9.00,A,${word}\n`;
      expect(await refused(text, {})).toEqual({ reason: 'status_unknown', line: 5 });
      const [header = '', ...rows] = text.split('\n');
      const columns = { date: 0, amount: { kind: 'signed', column: 1 }, texts: [2] } as const;
      for (const name of ['Transaction status', 'STATE', 'Statut'])
        expect((await refused([header.replace('State', name), ...rows].join('\n'), {})).line).toBe(5);
      expect((await refused(text, { columns, hasHeader: true })).line).toBe(5);
      expect(await movementsIn(text.replace('State', 'Category'), { csv: simple })).toHaveLength(4);
    },
  );

  it('has a movement that the bank names keep its name when it is booked', async () => {
    const named = { ...columns, id: 'Id' };
    const nameOf = async (state: string) => {
      const text = `Date,Amount,Text,State,Id\n2026-03-05,1.00,A,${state},20260305-1\n`;
      const movements = await movementsIn(text, { csv: { ...simple, columns: named } });
      return movements.map(({ externalId }) => externalId);
    };
    expect(await nameOf('Pending')).toEqual(await nameOf('Completed'));
  });
});

describe('a day', () => {
  it.each([
    ['DD.MM.YYYY', '05.03.2026'],
    ['DD.MM.YY', '05.03.26'],
    ['MM/DD/YYYY', '03/05/2026'],
    ['M/D/YYYY', '3/5/2026'],
    ['YYYYMMDD', '20260305'],
    ['DD-MMM-YYYY', '05-Mar-2026'],
    ['D MMM YYYY', '5 MAR 2026'],
    ['D MMMM YYYY', '5 March 2026'],
    ['MMMM D, YYYY', 'mar 5, 2026'],
    ['YYYY-MM-DD', '2026-03-05T10:11:12Z'],
    ['DD.MM.YYYY', '05.03.2026 10:11'],
  ])('%s: %s', async (dateFormat, day) => {
    const [movement] = await movementsIn(`Date;Amount;Text\n${day};1.50;A\n`, {
      csv: { ...simple, dateFormat },
    });
    expect(movement?.bookedOn).toBe('2026-03-05');
  });

  it.each([
    ['DD.MM.YYYY', '03/05/2026'],
    ['DD.MM.YYYY', '5.3.2026'],
    ['DD.MM.YYYY', '31.02.2026'],
    ['MM/DD/YYYY', '13/05/2026'],
    ['DD-MMM-YYYY', '05-Mai-2026'],
    ['DD-MMM-YYYY', '05-March-2026'],
    ['D MMMM YYYY', '5 Marc 2026'],
    ['YYYYMMDD', '202603051'],
  ])('%s: %s is refused', async (dateFormat, day) => {
    expect(await refused(`Date;Amount;Text\n${day};1.50;A\n`, { dateFormat })).toEqual({
      reason: 'date_unreadable',
      line: 2,
    });
  });

  it.each(['DD.MM', 'YYYY', 'MM.MM.YYYY', 'Y-MM-DD', ''])('the format %s is refused', async (dateFormat) => {
    expect((await refused('Date;Amount;Text\n', { dateFormat })).reason).toBe('mapping_invalid');
  });
});

it('currency, payer, reference and name are read from their columns', async () => {
  const csv: CsvMapping = {
    ...simple,
    columns: {
      ...simple.columns,
      currency: 'Cur',
      payerName: 'Who',
      payerAccount: 'From',
      reference: 'Ref',
      id: 'No',
    },
  };
  const table = 'Date;Amount;Cur;Text;Who;From;Ref;No\n';
  const row = '2026-03-05;500;jpy;ADV48213075;Jane;DE02;W-1;BANK-0001\n2026-03-05;-5;;out;Shop;;;\n';
  expect(await movementsIn(table + row, { csv })).toMatchObject([
    {
      externalId: 'BANK-0001:2026-03-05:JPY:500',
      amountMinor: 500,
      currency: 'JPY',
      texts: ['ADV48213075', 'W-1', 'Jane'],
      payer: { name: 'Jane', account: 'DE02' },
      bankReference: 'W-1',
    },
    { amountMinor: -500, currency: 'USD', texts: ['out', 'Shop'], payer: { name: null, account: null } },
  ]);
  const { currency: _none, ...without } = csv;
  expect(await refusalOf(table + row, { csv: without })).toEqual({ reason: 'currency_missing', line: 3 });
});

it('every table that we write is read as itself', async () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', ' ', '"', ';', ',', '\n', "'", '7'),
    maxLength: 12,
  });
  const row = fc.record({ amountMinor: fc.integer({ min: -1e9, max: 1e9 }), text });
  const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(',', ';', '\t'),
      async (rows, delimiter) => {
        const lines = rows.map(({ amountMinor, text: cell }) => {
          const digits = String(Math.abs(amountMinor)).padStart(3, '0');
          const amount = `${amountMinor < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
          return [quote('2026-03-05'), quote(amount), quote(cell)].join(delimiter);
        });
        const table = [['Date', 'Amount', 'Text'].join(delimiter), ...lines].join('\n');
        const clean = (cell: string) => cell.replace(/\s+/g, ' ').trim();
        expect(await read(table)).toEqual(
          rows.map(({ amountMinor, text: cell }) => {
            const words = clean(cell);
            return words === '' ? [amountMinor] : [amountMinor, words];
          }),
        );
      },
    ),
    { numRuns: 60 },
  );
});
