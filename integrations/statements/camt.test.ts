/** CAMT of any version and any bank: what each field becomes, and what is refused. */
import { describe, expect, it } from 'vitest';
import { movementsIn, partsOf, refusalOf } from '../../test/support/statement-files.ts';
import { sampleAccount as account, camtSample } from '../../test/support/statement-samples.ts';

it('a statement becomes its balances and its movements, in order', async () => {
  expect(await partsOf(camtSample)).toEqual([
    { type: 'statement', line: 5, account, statementId: 'S-2026-44' },
    {
      type: 'balance',
      line: 9,
      account,
      kind: 'opening',
      amountMinor: -10_000,
      currency: 'EUR',
      on: '2026-03-04',
    },
    {
      type: 'movement',
      line: 12,
      account,
      transaction: {
        externalId: '2026030500017:2026-03-05:EUR:49900',
        amountMinor: 49_900,
        currency: 'EUR',
        bookedOn: '2026-03-05',
        authorisedOn: '2026-03-04',
        pending: false,
        pendingExternalId: null,
        texts: [
          'RF18539007547034',
          'Rechnung ADV48213075',
          'vielen Dank',
          'TX-77',
          'SEPA GUTSCHRIFT',
          '2026030500017',
          'Müller & Söhne',
        ],
        payer: { name: 'Müller & Söhne', account: 'NL91ABNA0417164300' },
        bankReference: '2026030500017',
      },
    },
    {
      type: 'movement',
      line: 32,
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
      line: 10,
      account,
      kind: 'closing',
      amountMinor: 38_750,
      currency: 'EUR',
      on: '2026-03-05',
    },
  ]);
});

describe('dress', () => {
  it.each([
    ['another version', (file: string) => file.replace('camt.053.001.08', 'camt.053.001.14')],
    [
      'prefixes',
      (file: string) => file.replace(/<(\/?)(?=[A-Z])/g, '<$1ns2:').replace('xmlns=', 'xmlns:ns2='),
    ],
    ['a prefix that is not declared', (file: string) => file.replace(/<(\/?)(?=[A-Z])/g, '<$1a:')],
    ['no namespace', (file: string) => file.replace(/ xmlns="[^"]*"/, '')],
    ['no declaration', (file: string) => file.replace(/<\?xml.*\?>/, '')],
    [
      'elements that we do not know',
      (file: string) => file.replace('<Ntry>', '<Ntry><Xtra><Amt Ccy="XXX">z</Amt></Xtra>'),
    ],
    [
      'an envelope around it',
      (file: string) =>
        file
          .replace('<Document', '<Envelope><Body><Document')
          .replace('</Document>', '</Document></Body></Envelope>'),
    ],
    ['comments and instructions', (file: string) => file.replace('<Ntry>', '<!-- <Ntry> --><?x y?><Ntry>')],
    ['all on one line', (file: string) => file.replace(/\n\s*/g, '')],
    [
      'a status without a code',
      (file: string) => file.replaceAll('<Sts><Cd>BOOK</Cd></Sts>', '<Sts>BOOK</Sts>'),
    ],
    ['a statement without statuses', (file: string) => file.replaceAll('<Sts><Cd>BOOK</Cd></Sts>', '')],
    [
      'a name as older versions have it',
      (file: string) => file.replace('<Pty><Nm>', '<Nm>').replace('</Nm></Pty>', '</Nm>'),
    ],
    [
      'character data sections',
      (file: string) => file.replace('Rechnung ADV48213075', '<![CDATA[Rechnung ADV48213075]]>'),
    ],
    ['the previous closing balance as the opening one', (file: string) => file.replace('OPBD', 'PRCD')],
  ])('%s changes nothing', async (_name, change) => {
    expect(change(camtSample)).not.toBe(camtSample);
    expect(await movementsIn(change(camtSample))).toEqual(await movementsIn(camtSample));
  });

  it('blank lines before the declaration change only the lines', async () => {
    const lines = (await partsOf(camtSample)).map(({ line }) => line);
    expect((await partsOf(`\r\n \n${camtSample}`)).map(({ line }) => line)).toEqual(
      lines.map((line) => line + 2),
    );
  });

  it('what the declaration says of the encoding is followed', async () => {
    const file = camtSample.replace('UTF-8', 'ISO-8859-15').replace('vielen Dank', 'zwei ¤');
    const [first] = await movementsIn(Buffer.from(file, 'latin1'));
    expect(first?.texts).toContain('zwei €');
    expect(first?.payer.name).toBe('Müller & Söhne');
  });
});

type Entry = {
  amount?: string;
  currency?: string;
  sign?: string;
  status?: string;
  day?: string;
  rest?: string;
};

function entry(given: Entry = {}): string {
  const {
    amount = '10.00',
    currency = 'EUR',
    sign = 'CRDT',
    status = 'BOOK',
    day = '2026-03-05',
    rest = '',
  } = given;
  return (
    `<Ntry><Amt Ccy="${currency}">${amount}</Amt>` +
    (sign === '' ? '' : `<CdtDbtInd>${sign}</CdtDbtInd>`) +
    (status === '' ? '' : `<Sts>${status}</Sts>`) +
    (day === '' ? '' : `<BookgDt><Dt>${day}</Dt></BookgDt>`) +
    `${rest}</Ntry>`
  );
}

function file(entries: string, { root = 'BkToCstmrStmt', part = 'Stmt', head = '' } = {}): string {
  return (
    `<Document><${root}><${part}><Id>1</Id>${head || '<Acct><Id><Othr><Id>0815</Id></Othr></Id></Acct>'}\n` +
    `${entries}</${part}></${root}></Document>`
  );
}

describe('one entry', () => {
  it.each([
    ['a credit', {}, 1000],
    ['a debit', { sign: 'DBIT' }, -1000],
    ['a reversed credit is money out', { sign: 'DBIT', rest: '<RvslInd>true</RvslInd>' }, -1000],
    ['a reversed debit is money in', { sign: 'CRDT', rest: '<RvslInd>true</RvslInd>' }, 1000],
    ['zero', { amount: '0', sign: 'DBIT' }, 0],
    ['more zeros than the currency has decimals', { amount: '10.00000' }, 1000],
    ['no whole part', { amount: '.5' }, 50],
    ['a currency without decimals', { amount: '500.00', currency: 'JPY' }, 500],
    ['a currency with three', { amount: '1.234', currency: 'KWD' }, 1234],
  ])('%s', async (_name, given: Entry, amountMinor) => {
    expect((await movementsIn(file(entry(given)))).map((movement) => movement.amountMinor)).toEqual([
      amountMinor,
    ]);
  });

  it.each([
    ['no amount', { amount: '' }, 'amount_missing'],
    ['a negative amount', { amount: '-10.00' }, 'amount_unreadable'],
    ['a comma', { amount: '10,00' }, 'amount_unreadable'],
    ['groups', { amount: '1,000.00' }, 'amount_unreadable'],
    ['letters', { amount: '10.00 EUR' }, 'amount_unreadable'],
    ['three decimals of euros', { amount: '10.001' }, 'amount_unreadable'],
    ['decimals of yen', { amount: '10.5', currency: 'JPY' }, 'amount_unreadable'],
    ['no direction', { sign: '' }, 'sign_missing'],
    ['another direction', { sign: 'CREDIT' }, 'sign_unreadable'],
    ['no day', { day: '' }, 'date_missing'],
    ['a day that is not', { day: '2026-02-30' }, 'date_unreadable'],
    ['a day of another format', { day: '05.03.2026' }, 'date_unreadable'],
    ['an unknown currency', { currency: 'XXX' }, 'currency_unknown'],
    ['no currency', { currency: '' }, 'currency_missing'],
    ['an unknown status', { status: 'RJCT' }, 'status_unknown'],
  ])('%s is refused', async (_name, given: Entry, reason) => {
    expect(await refusalOf(file(`${entry()}\n${entry(given)}`))).toEqual({ reason, line: 3 });
  });

  it.each([
    ['2026-03-05', '<BookgDt><Dt>2026-03-05</Dt></BookgDt><ValDt><Dt>2026-03-09</Dt></ValDt>'],
    ['2026-03-05', '<BookgDt><Dt>2026-03-05+01:00</Dt></BookgDt>'],
    ['2026-03-05', '<BookgDt><DtTm>2026-03-05T00:30:00+02:00</DtTm></BookgDt>'],
    ['2026-03-05', '<BookgDt><DtTm>2026-03-05T23:30:00.123Z</DtTm></BookgDt>'],
    ['2026-03-09', '<ValDt><Dt>2026-03-09</Dt></ValDt>'],
  ])('its day is %s', async (day, rest) => {
    const [movement] = await movementsIn(file(entry({ day: '', rest })));
    expect(movement?.bookedOn).toBe(day);
  });

  it('is pending when it is not booked yet, and none when it is for information', async () => {
    const read = await movementsIn(
      file(['BOOK', 'PDNG', 'INFO', 'FUTR', '<Cd>PDNG</Cd>'].map((status) => entry({ status })).join('')),
    );
    expect(read.map(({ pending }) => pending)).toEqual([false, true, true, true]);
  });

  it('of a report must say whether it is booked', async () => {
    const report = { root: 'BkToCstmrAcctRpt', part: 'Rpt' };
    expect(await movementsIn(file(entry(), report))).toHaveLength(1);
    expect((await refusalOf(file(entry({ status: '' }), report))).reason).toBe('status_unknown');
  });

  it('is read of a notification', async () => {
    const notification = { root: 'BkToCstmrDbtCdtNtfctn', part: 'Ntfctn' };
    expect(await movementsIn(file(entry(), notification))).toHaveLength(1);
  });

  it('that is returned says so, and one that is paid back to us does not', async () => {
    const rest =
      '<NtryDtls><TxDtls><RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>' +
      '<RmtInf><Ustrd>ADV48213075</Ustrd></RmtInf></TxDtls></NtryDtls>';
    const read = await movementsIn(file(entry({ rest, sign: 'DBIT' }) + entry({ rest })));
    expect(read.map(({ texts }) => texts)).toEqual([
      ['ADV48213075', 'AC04', 'REVERSAL'],
      ['ADV48213075', 'AC04'],
    ]);
  });

  it('whose text is cut at the width of a line has it whole as well', async () => {
    const textsOf = async (...lines: string[]) => {
      const remittance = lines.map((line) => `<Ustrd>${line}</Ustrd>`).join('');
      const rest = `<NtryDtls><TxDtls><RmtInf>${remittance}</RmtInf></TxDtls></NtryDtls>`;
      return (await movementsIn(file(entry({ rest }))))[0]?.texts;
    };
    for (const width of [35, 140]) {
      const cut = [`${'x'.repeat(width - 8)} ADV4821`, '3075 thanks', 'Jane'];
      expect(await textsOf(...cut)).toEqual([...cut, `${cut[0]}${cut[1]}`]);
    }
    const [first, second] = [`${'x'.repeat(30)} ADV4`, `8213075 ${'x'.repeat(26)}`];
    expect(await textsOf(first, second, '00')).toEqual([first, second, `${first}${second}00`]);
    expect(await textsOf('Invoice ADV4821', '3075')).toEqual(['Invoice ADV4821', '3075']);
  });

  it('of the first version has its details and their references in its own places', async () => {
    const remittance =
      '<RmtInf><Strd><RfrdDocInf><RfrdDocNb>ADV48213075</RfrdDocNb></RfrdDocInf>' +
      '<CdtrRefInf><CdtrRef>RF18</CdtrRef></CdtrRefInf></Strd></RmtInf>';
    const rest = `<TxDtls><RltdPties><Dbtr><Nm>Jane</Nm></Dbtr></RltdPties>${remittance}</TxDtls>`;
    const [read] = await movementsIn(file(entry({ rest }), { root: 'BkToCstmrStmtV01' }));
    expect(read).toMatchObject({ texts: ['RF18', 'ADV48213075', 'Jane'], payer: { name: 'Jane' } });
  });

  it('names who was paid as a text only: the payer is the account itself', async () => {
    const rest =
      '<NtryDtls><TxDtls><RltdPties><Dbtr><Nm>We Ltd</Nm></Dbtr><Cdtr><Nm>Landlord</Nm></Cdtr></RltdPties></TxDtls></NtryDtls>';
    const [out, back] = await movementsIn(
      file(entry({ sign: 'DBIT', rest }) + entry({ sign: 'DBIT', rest: `<RvslInd>true</RvslInd>${rest}` })),
    );
    expect(out).toMatchObject({ payer: { name: null, account: null }, texts: ['Landlord'] });
    expect(back).toMatchObject({ payer: { name: 'We Ltd', account: null }, texts: ['REVERSAL', 'We Ltd'] });
  });
});

describe('an account', () => {
  it.each([
    ['<Id><IBAN>de89 3704 0044 0532 0130 00</IBAN></Id>', account.id],
    ['<Id><Othr><Id>0815</Id></Othr></Id>', '0815'],
    ['<Id><BBAN>4711</BBAN></Id>', '4711'],
    ['<Id><UPIC>0815</UPIC></Id>', '0815'],
    ['<Id><PrtryAcct><Id>12-3</Id></PrtryAcct></Id>', '12-3'],
  ])('%s', async (id, expected) => {
    const [statement] = await partsOf(file(entry(), { head: `<Acct>${id}</Acct>` }));
    expect(statement?.account.id).toBe(expected);
  });

  it('must be given', async () => {
    expect((await refusalOf(file(entry(), { head: ' ' }))).reason).toBe('account_missing');
    expect((await refusalOf(file('', { head: ' ' }))).reason).toBe('account_missing');
    expect((await refusalOf(file(entry(), { head: '<Acct><Id/></Acct>' }))).reason).toBe('account_missing');
  });
});

describe('a batch', () => {
  const detail = (amount: string, refs: string, more = '') =>
    `<TxDtls><Refs>${refs}</Refs>${amount === '' ? '' : `<Amt Ccy="EUR">${amount}</Amt>`}${more}<RmtInf><Ustrd>${refs.replace(/<[^>]*>/g, '')} text</Ustrd></RmtInf></TxDtls>`;
  const batch = (...details: string[]) =>
    file(
      entry({
        amount: '30.00',
        rest: `<AcctSvcrRef>BATCH-1</AcctSvcrRef><NtryDtls>${details.join('')}</NtryDtls>`,
      }),
    );

  it('is as many movements as it has amounts that make the whole, each with its own name', async () => {
    const read = await movementsIn(
      batch(
        detail('10.00', '<AcctSvcrRef>OWN-0001</AcctSvcrRef>'),
        detail('10.00', '<EndToEndId>E2E-2</EndToEndId>'),
        detail('10.00', '<EndToEndId>NOTPROVIDED</EndToEndId>'),
      ),
    );
    expect(read.map(({ externalId, amountMinor }) => [externalId, amountMinor])).toEqual([
      ['OWN-0001:2026-03-05:EUR:1000', 1000],
      ['BATCH-1/E2E-2:2026-03-05:EUR:1000', 1000],
      ['BATCH-1/#3:2026-03-05:EUR:1000', 1000],
    ]);
  });

  it('counts a detail of the other direction against the whole', async () => {
    const back = detail('5.00', '<EndToEndId>B</EndToEndId>', '<CdtDbtInd>DBIT</CdtDbtInd>');
    const read = await movementsIn(batch(detail('35.00', '<EndToEndId>A</EndToEndId>'), back));
    expect(read.map(({ amountMinor }) => amountMinor)).toEqual([3500, -500]);
  });

  it.each(['TxAmt', 'CntrValAmt'])(
    'takes the amount of the account, as %s, where money was exchanged',
    async (name) => {
      const exchanged = (amount: string) =>
        `<TxDtls><Amt Ccy="USD">11</Amt><AmtDtls><InstdAmt><Amt Ccy="USD">11</Amt></InstdAmt><${name}><Amt Ccy="EUR">${amount}</Amt></${name}></AmtDtls></TxDtls>`;
      const read = await movementsIn(batch(exchanged('10'), exchanged('20')));
      expect(read.map(({ amountMinor }) => amountMinor)).toEqual([1000, 2000]);
    },
  );

  it('takes the amounts of older versions', async () => {
    const old = (amount: string) =>
      `<TxDtls><AmtDtls><TxAmt><Amt Ccy="EUR">${amount}</Amt></TxAmt></AmtDtls></TxDtls>`;
    const read = await movementsIn(batch(old('10'), old('20')));
    expect(read.map(({ amountMinor }) => amountMinor)).toEqual([1000, 2000]);
  });

  it.each([
    [
      'an amount is missing',
      [detail('10.00', '<EndToEndId>A</EndToEndId>'), detail('', '<EndToEndId>B</EndToEndId>')],
    ],
    [
      'they do not make the whole',
      [detail('10.00', '<EndToEndId>A</EndToEndId>'), detail('10.00', '<EndToEndId>B</EndToEndId>')],
    ],
    [
      'one is in another currency',
      [
        detail('10.00', '<EndToEndId>A</EndToEndId>'),
        detail('20.00', '<EndToEndId>B</EndToEndId>').replace('EUR', 'USD'),
      ],
    ],
  ])('stays one movement with all texts where %s', async (_name, details) => {
    const read = await movementsIn(batch(...details));
    expect(read).toMatchObject([{ amountMinor: 3000, externalId: 'BATCH-1:2026-03-05:EUR:3000' }]);
    expect(read[0]?.texts).toEqual(['A text', 'B text', 'A', 'B', 'BATCH-1']);
  });
});

describe('names', () => {
  const named = (reference: string, more: Entry = {}) =>
    entry({ ...more, rest: `<AcctSvcrRef>${reference}</AcctSvcrRef>${more.rest ?? ''}` });
  const names = async (entries: string) =>
    (await movementsIn(file(entries))).map(({ externalId }) => externalId);

  it('are told apart by amount and day where a bank uses one twice, and counted where these are equal', async () => {
    expect(
      await names(named('SAME-REF') + named('SAME-REF', { amount: '20.00' }) + named('SAME-REF')),
    ).toEqual([
      'SAME-REF:2026-03-05:EUR:1000',
      'SAME-REF:2026-03-05:EUR:2000',
      'SAME-REF:2026-03-05:EUR:1000:2',
    ]);
  });

  it.each(['NONREF', '0', '000000000', 'NOTPROVIDED', 'n/a', '17'])('%s is none', async (reference) => {
    const [given] = await names(named(reference));
    expect(given).toMatch(/^=[\w-]{22}:2026-03-05:EUR:1000$/);
  });

  it('are the same wherever in a file a movement stands', async () => {
    const [first, second] = await names(named('REF-0001') + entry({ amount: '7.00' }));
    expect(await names(entry({ amount: '7.00' }) + entry({ amount: '8.00' }) + named('REF-0001'))).toEqual(
      expect.arrayContaining([first, second]),
    );
  });
});

describe('balances', () => {
  const changed = camtSample.replace('387.50', '387.51');

  it('that the movements do not join are refused', async () => {
    expect(await refusalOf(changed)).toEqual({ reason: 'balance_differs', line: 10 });
    expect(
      (await refusalOf(camtSample.replace('<CdtDbtInd>DBIT</CdtDbtInd>\n', '<CdtDbtInd>CRDT</CdtDbtInd>\n')))
        .reason,
    ).toBe('balance_differs');
  });

  it.each([
    ['something is pending', (text: string) => text.replace('<Cd>BOOK</Cd>', '<Cd>PDNG</Cd>')],
    [
      'it is a page of several',
      (text: string) =>
        text.replace(
          '<CreDtTm>2026-03-06T01:00:00+01:00</CreDtTm>\n      <Acct>',
          '<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn><Acct>',
        ),
    ],
    [
      'the balance is of a page',
      (text: string) =>
        text.replace('<Cd>CLBD</Cd></CdOrPrtry>', '<Cd>CLBD</Cd></CdOrPrtry><SubTp><Cd>INTM</Cd></SubTp>'),
    ],
    ['there is no opening one', (text: string) => text.replace('OPBD', 'OPAV')],
  ])('are not compared where %s', async (_name, change) => {
    expect(change(changed)).not.toBe(changed);
    expect(await movementsIn(change(changed))).toHaveLength(2);
  });

  it('are not compared when the caller does not want it', async () => {
    expect(await movementsIn(changed, { checkBalances: false })).toHaveLength(2);
  });
});

describe('entities', () => {
  it.each([
    ['a document type', '<!DOCTYPE Document [<!ENTITY a "b">]>'],
    ['one of the outside', '<!DOCTYPE Document SYSTEM "file:///etc/passwd">'],
  ])('%s is refused', async (_name, type) => {
    const text = camtSample.replace('<Document', `${type}\n<Document`);
    expect((await refusalOf(text)).reason).toBe('xml_entities_refused');
  });

  it('a bomb is refused before it is expanded', async () => {
    const levels = Array.from({ length: 20 }, (_, n) => `<!ENTITY a${n + 1} "${`&a${n};`.repeat(10)}">`).join(
      '',
    );
    const bomb = camtSample
      .replace('<Document', `<!DOCTYPE d [<!ENTITY a0 "x">${levels}]><Document`)
      .replace('vielen Dank', '&a20;');
    expect((await refusalOf(bomb)).reason).toBe('xml_entities_refused');
  });

  it('one that is not declared is refused', async () => {
    expect((await refusalOf(camtSample.replace('vielen Dank', '&nbsp;'))).reason).toBe(
      'xml_entities_refused',
    );
  });

  it('those of XML itself are read', async () => {
    const [first] = await movementsIn(camtSample.replace('vielen Dank', '&lt;&#65;&#x42;&gt;&quot;'));
    expect(first?.texts).toContain('<AB>"');
  });
});

it('elements nested beyond all reason are refused', async () => {
  const text = file(`<Ntry>${'<a>'.repeat(200)}${'</a>'.repeat(200)}</Ntry>`);
  expect((await refusalOf(text)).reason).toBe('structure_unreadable');
});

it('a name of an object is an element like any other', async () => {
  const rest = '<constructor>1</constructor><__proto__>2</__proto__>';
  expect(await movementsIn(file(entry({ rest })))).toHaveLength(1);
});
