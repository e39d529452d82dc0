/** Statement files over the API: read whole or refused whole, once, and without holding them in memory. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Json, startTestApi, type TestAnswer, type TestApi, type TestTenant } from '../support/api.ts';
import {
  camtSample,
  csvSample,
  csvSampleMapping,
  mt940Sample,
  ofxSample,
  sampleAccount,
} from '../support/statement-samples.ts';

let api: TestApi;
let tenant: TestTenant;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());
beforeEach(async () => {
  tenant = await api.tenant();
});

const { currency: _euro, account: _iban, ...csvMapping } = csvSampleMapping;

async function ok(method: string, path: string, body?: unknown): Promise<Json> {
  const answer = await api.request(method, path, {
    token: tenant.token,
    ...(body !== undefined && { body }),
  });
  expect(answer, `${method} ${path}`).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
  return answer.body;
}

async function addAccount(fields: object = {}): Promise<string> {
  const account = { name: 'Current', currency: 'EUR', statementAccount: sampleAccount.iban, csvMapping };
  return (await ok('POST', '/v1/bank_accounts', { ...account, ...fields })).id;
}

type Sent = {
  format?: string;
  balances?: string;
  type?: string;
  key?: string;
  headers?: Record<string, string>;
};

function send(
  accountId: string,
  file: string | Uint8Array,
  { format, balances, type = 'application/octet-stream', key = randomUUID(), headers = {} }: Sent = {},
): Promise<TestAnswer> {
  const query = new URLSearchParams({ ...(format && { format }), ...(balances && { balances }) });
  return api.request('POST', `/v1/bank_accounts/${accountId}/statements?${query}`, {
    token: tenant.token,
    body: file,
    key,
    headers: { 'content-type': type, ...headers },
  });
}

const transactions = async (query = ''): Promise<Json[]> =>
  (await ok('GET', `/v1/bank_transactions?limit=100${query}`)).data;

describe('a statement file', () => {
  it.each([
    ['camt', camtSample, {}, 2],
    ['ofx', ofxSample, { currency: 'USD', statementAccount: '123456789' }, 2],
    ['mt940', mt940Sample, {}, 2],
    ['csv', csvSample, {}, 3],
  ])('is read, whatever its format: %s', async (format, file, fields, count) => {
    const accountId = await addAccount(fields);
    const { status, body } = await send(accountId, file);
    expect({ status, body }).toMatchObject({
      status: 201,
      body: { accountId, format, movements: count, added: count, suspectedCopies: 0 },
    });
    expect(await ok('GET', `/v1/bank_statements/${body.id}`)).toEqual(body);
    const kept = await transactions(`&statementId=${body.id}`);
    expect(kept).toHaveLength(count);
    expect(kept).toMatchObject(
      kept.map(() => ({ accountId, source: format, status: 'new', allocatedMinor: 0 })),
    );
    const [signals] = await api.sql(
      "SELECT count(*)::int AS count FROM outbox WHERE tenant_id = $1 AND envelope ->> 'workflowType' = 'bankMatching'",
      [tenant.tenantId],
    );
    expect(signals.count).toBe(1);
  });

  it('gives its movements as the bank tells them', async () => {
    await send(await addAccount(), camtSample);
    const [out, moneyIn] = await transactions();
    expect(moneyIn).toMatchObject({
      amountMinor: 49_900,
      currency: 'EUR',
      bookedOn: '2026-03-05',
      authorisedOn: '2026-03-04',
      payer: { name: 'Müller & Söhne', account: 'NL91ABNA0417164300' },
      texts: expect.arrayContaining(['Rechnung ADV48213075']),
    });
    expect(out).toMatchObject({ amountMinor: -1150 });
  });

  it('that was read before changes nothing, also under another key', async () => {
    const accountId = await addAccount();
    const key = randomUUID();
    const first = await send(accountId, camtSample, { key });
    const before = await api.rowCounts();
    const same = await send(accountId, camtSample, { key });
    expect(same).toMatchObject({ status: 201, body: first.body });
    expect(same.headers.get('idempotency-replayed')).toBe('true');
    expect(await api.rowCounts()).toEqual(before);
    expect(await send(accountId, camtSample)).toMatchObject({ status: 200, body: first.body });
    const after = await api.rowCounts();
    expect({ ...after, idempotency_keys: 0 }).toEqual({ ...before, idempotency_keys: 0 });
    expect(await send(accountId, mt940Sample, { key })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_key_reused' },
    });
  });

  it('that comes twice at once is read once', async () => {
    const accountId = await addAccount();
    const answers = await Promise.all([send(accountId, camtSample), send(accountId, camtSample)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    expect(await transactions()).toHaveLength(2);
  });

  it('whose balances do not add up is read where somebody says so, and the audit log has it', async () => {
    const accountId = await addAccount();
    const file = mt940Sample.replace(':62F:C260305EUR387,50', ':62F:C260305EUR388,50');
    const refused = await send(accountId, file);
    expect(refused).toMatchObject({ status: 422, body: { reason: 'balance_differs' } });
    expect(refused.body.detail).toContain('balances=ignore');
    expect(await transactions()).toEqual([]);
    const { status, body } = await send(accountId, file, { balances: 'ignore' });
    expect([status, body.added]).toEqual([201, 2]);
    const [entry] = await api.sql('SELECT details FROM audit_log WHERE entity_id = $1', [body.id]);
    expect(entry.details).toMatchObject({ balances: 'ignore' });
    expect((await send(accountId, file, { balances: 'perhaps' })).status).toBe(400);
  });

  it('with all debits below zero in a column of their own is read where the mapping says so', async () => {
    const file = 'Date;In;Out;Text\n2026-03-05;499.00;;ADV48213075\n2026-03-05;;-11.50;Fee\n';
    const amount = { kind: 'two_columns', credit: 'In', debit: 'Out' };
    const mapping = { columns: { date: 'Date', amount, texts: ['Text'] }, dateFormat: 'YYYY-MM-DD' };
    const accountId = await addAccount({ csvMapping: mapping });
    expect((await send(accountId, file)).body.code).toBe('statement_refused');
    const columns = { ...mapping.columns, amount: { ...amount, debitSign: 'minus' } };
    await ok('PATCH', `/v1/bank_accounts/${accountId}`, { csvMapping: { ...mapping, columns } });
    expect((await send(accountId, file)).body.added).toBe(2);
    expect((await transactions()).map(({ amountMinor }) => amountMinor)).toEqual([-1150, 49_900]);
  });

  it('that overlaps one of its format adds only what is new', async () => {
    const accountId = await addAccount();
    await send(accountId, csvSample);
    const longer = `${csvSample}06.03.2026;20,00;ADV48213075;Müller;\n`;
    expect((await send(accountId, longer)).body).toMatchObject({
      movements: 4,
      added: 1,
      suspectedCopies: 0,
    });
    expect(await transactions()).toHaveLength(4);
  });

  it('that overlaps one of another format is suspected, and a person says what it is', async () => {
    const accountId = await addAccount();
    const camt = await send(accountId, camtSample);
    const mt940 = await send(accountId, mt940Sample);
    expect(mt940.body).toMatchObject({ movements: 2, added: 2, suspectedCopies: 2 });
    const copies = await transactions('&status=copy_suspected');
    const originals = await transactions(`&statementId=${camt.body.id}`);
    expect(copies.map(({ copyOfId }) => copyOfId).sort()).toEqual(originals.map(({ id }) => id).sort());
    const [one, two] = copies as [Json, Json];
    const judge = (id: string, isCopy: boolean) =>
      api.request('POST', `/v1/bank_transactions/${id}/copy`, { token: tenant.token, body: { isCopy } });
    const judged = await judge(one.id, true);
    expect(judged).toMatchObject({ status: 200, body: { status: 'copy', copyJudgedAt: expect.any(String) } });
    expect(await judge(one.id, true)).toMatchObject({ status: 200, body: judged.body });
    expect(await judge(one.id, false)).toMatchObject({ status: 409, body: { reason: 'copy_judged' } });
    await api.sql('DELETE FROM outbox');
    expect(await judge(two.id, false)).toMatchObject({ status: 200, body: { status: 'new' } });
    expect(await judge(two.id, true)).toMatchObject({ status: 409, body: { reason: 'copy_judged' } });
    expect(await api.sql("SELECT envelope ->> 'workflowType' AS type FROM outbox")).toEqual([
      { type: 'bankMatching' },
    ]);
    expect(await judge(copies[0]?.copyOfId, true)).toMatchObject({
      status: 409,
      body: { reason: 'copy_not_suspected' },
    });
  });

  describe('in CSV whose mapping was corrected', () => {
    const header = 'Day;Amount;Text;Note\n';
    const payment = '2026-03-05;499.00;WIRE;first\n';
    const mapped = (texts: string[], more: object = {}) => ({
      columns: { date: 'Day', amount: { kind: 'signed', column: 'Amount' }, texts },
      dateFormat: 'YYYY-MM-DD',
      ...more,
    });
    const counts = async (answer: Promise<TestAnswer>) => {
      const { status, body } = await answer;
      return [status, body.movements, body.added, body.suspectedCopies];
    };
    const correct = (accountId: string, mapping: object = mapped(['Text', 'Note'])) =>
      ok('PATCH', `/v1/bank_accounts/${accountId}`, { csvMapping: mapping });

    const told = async () =>
      (await transactions())
        .map(({ bookedOn, amountMinor, texts, status, statementId }) => ({
          day: bookedOn,
          amountMinor,
          texts,
          status,
          statementId,
        }))
        .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

    it('is read again: each line is the movement that it was, as it is read now', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text']) });
      const file = `${header}${payment}${payment.replace('first', 'second')}`;
      const first = await send(accountId, file);
      expect(first).toMatchObject({ status: 201, body: { movements: 2, added: 2, suspectedCopies: 0 } });
      const ids = async () => (await transactions()).map(({ id }) => id).toSorted();
      const before = await ids();
      await correct(accountId);
      const again = await send(accountId, file);
      expect(again).toMatchObject({ status: 200, body: { ...first.body, movements: 2, added: 2 } });
      expect(await ids()).toEqual(before);
      expect((await told()).map(({ texts }) => texts)).toEqual([
        ['WIRE', 'first'],
        ['WIRE', 'second'],
      ]);
      const rows = await api.rowCounts();
      expect(await counts(send(accountId, file))).toEqual([200, 2, 2, 0]);
      expect({ ...(await api.rowCounts()), idempotency_keys: 0 }).toEqual({ ...rows, idempotency_keys: 0 });
      await correct(accountId, mapped(['Note']));
      expect(await counts(send(accountId, file))).toEqual([200, 2, 2, 0]);
      expect(await ids()).toEqual(before);
      expect((await told()).map(({ texts }) => texts)).toEqual([['first'], ['second']]);
    });

    it('has its days and amounts corrected in place, also where two of them change places', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text'], { dateFormat: 'MM/DD/YYYY' }) });
      const file = `${header}03/04/2026;499.00;WIRE;a\n04/03/2026;499.00;WIRE;b\n05/05/2026;7.00;FEE;c\n`;
      const { body } = await send(accountId, file);
      const before = await transactions();
      await correct(accountId, mapped(['Text'], { dateFormat: 'DD/MM/YYYY' }));
      expect(await counts(send(accountId, file))).toEqual([200, 3, 3, 0]);
      const after = await transactions();
      const dayOf = (rows: { id: string; bookedOn: string }[]) =>
        new Map(rows.map((row) => [row.id, row.bookedOn]));
      const swapped = [...dayOf(before)].map(([id, day]) => [
        id,
        day.replace(/^(\d+)-(\d+)-(\d+)$/, '$1-$3-$2'),
      ]);
      expect([...dayOf(after)]).toEqual(swapped);
      expect(new Set(after.map(({ statementId }) => statementId))).toEqual(new Set([body.id]));
    });

    it('has days corrected that change places between two files', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text'], { dateFormat: 'MM/DD/YYYY' }) });
      const [march, april] = ['04/03/2026', '03/04/2026'].map((day) => `${header}${day};499.00;WIRE;a\n`);
      await send(accountId, march ?? '');
      await send(accountId, april ?? '');
      const ids = async () => (await transactions()).map(({ id }) => id).toSorted();
      const before = await ids();
      await correct(accountId, mapped(['Text'], { dateFormat: 'DD/MM/YYYY' }));
      // Until April's is read again, its day is March's.
      expect(await counts(send(accountId, march ?? ''))).toEqual([200, 1, 1, 1]);
      expect(await counts(send(accountId, april ?? ''))).toEqual([200, 1, 1, 0]);
      expect((await told()).map(({ day, status }) => [day, status])).toEqual([
        ['2026-03-04', 'new'],
        ['2026-04-03', 'new'],
      ]);
      expect(await ids()).toEqual(before);
    });

    it('has what nobody finds by its name any more compared with what is told now', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text']) });
      const file = `${header}${payment}`;
      await send(accountId, file);
      await api.sql('UPDATE bank_statements SET csv_mapping = $1 WHERE account_id = $2', [
        mapped(['Note']),
        accountId,
      ]);
      await correct(accountId);
      expect(await counts(send(accountId, file))).toEqual([200, 1, 2, 1]);
      expect((await told()).map(({ status }) => status).toSorted()).toEqual(['copy_suspected', 'new']);
    });

    it('that says now what is not booked yet has it wait, and be there once when it is booked', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text']) });
      const file = `${header}${payment.replace('first', 'waits')}`;
      await send(accountId, file);
      const { columns, ...rest } = mapped(['Text']);
      const status = { column: 'Note', booked: ['ok'], pending: ['waits'] };
      await correct(accountId, { ...rest, columns: { ...columns, status } });
      await send(accountId, file);
      await send(accountId, `${header}${payment.replace('first', 'ok')}`);
      expect((await told()).map(({ status: is }) => is).toSorted()).toEqual(['new', 'pending', 'removed']);
    });

    it('takes away what is no movement any more, and tells what was none before', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text']) });
      const file = `${header}${payment}2026-03-06;20.00;WIRE;Failed\n`;
      await send(accountId, file);
      const status = { column: 'Note', booked: ['first'], leftOut: ['Failed'] };
      const { columns, ...rest } = mapped(['Text']);
      await correct(accountId, { ...rest, columns: { ...columns, status } });
      expect(await counts(send(accountId, file))).toEqual([200, 1, 2, 0]);
      expect((await told()).map(({ day, status: is }) => [day, is])).toEqual([
        ['2026-03-05', 'new'],
        ['2026-03-06', 'removed'],
      ]);
      await correct(accountId);
      expect(await counts(send(accountId, file))).toEqual([200, 2, 3, 0]);
      expect((await told()).filter(({ status: is }) => is === 'new')).toHaveLength(2);
    });

    it('gives way to what another file has told under the same name', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text'], { dateFormat: 'MM/DD/YYYY' }) });
      const file = `${header}03/04/2026;499.00;WIRE;a\n`;
      await send(accountId, file);
      await correct(accountId, mapped(['Text'], { dateFormat: 'DD/MM/YYYY' }));
      await send(accountId, `${file}05/05/2026;7.00;FEE;c\n`);
      expect(await counts(send(accountId, file))).toEqual([200, 1, 1, 0]);
      expect((await told()).map(({ day, status }) => [day, status])).toEqual([
        ['2026-03-04', 'removed'],
        ['2026-04-03', 'new'],
        ['2026-05-05', 'new'],
      ]);
    });

    it('that is left out later by the name that the bank gives is taken away', async () => {
      const { columns, ...rest } = mapped(['Text']);
      const status = { column: 'Note', booked: ['ok'], pending: ['waits'], leftOut: ['failed'] };
      const own = { ...columns, id: 'Text', status };
      const accountId = await addAccount({ csvMapping: { ...rest, columns: own } });
      const row = (name: string, is: string) => `2026-03-05;499.00;${name};${is}\n`;
      await send(accountId, `${header}${row('20260305-1', 'ok')}${row('20260305-2', 'waits')}`);
      const later = `${row('20260305-1', 'failed')}${row('20260305-2', 'failed')}${row('20260305-2', 'ok')}`;
      expect(await counts(send(accountId, `${header}${later}`))).toEqual([201, 1, 0, 0]);
      expect((await told()).map(({ texts: [name], status: is }) => [name, is])).toEqual([
        ['20260305-1', 'removed'],
        ['20260305-2', 'new'],
      ]);
    });

    it('doubles nothing where another file overlaps it, and what is new is new', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text']) });
      await send(accountId, `${header}${payment}`);
      await correct(accountId);
      const longer = `${header}${payment}2026-03-06;20.00;WIRE;x\n`;
      expect(await counts(send(accountId, longer))).toEqual([201, 2, 2, 1]);
      const another = `${header}2026-03-06;499.00;WIRE;second\n`;
      expect(await counts(send(accountId, another))).toEqual([201, 1, 1, 0]);
    });

    it('so that its names stay has no payment beside a known one suspected', async () => {
      const accountId = await addAccount({ csvMapping: mapped(['Text', 'Note']) });
      await send(accountId, `${header}${payment}`);
      await correct(accountId, mapped(['Text', 'Note'], { decimalMark: '.' }));
      const both = `${header}${payment}${payment.replace('first', 'second')}`;
      expect(await counts(send(accountId, both))).toEqual([201, 2, 1, 0]);
    });
  });

  it('that tells what an earlier version of the readers may have named otherwise has a person judge it', async () => {
    const accountId = await addAccount();
    await send(accountId, csvSample);
    await api.sql('UPDATE bank_statements SET reader = 1 WHERE account_id = $1', [accountId]);
    const other = csvSample.replaceAll('Entgelt', 'Porto');
    expect((await send(accountId, other)).body).toMatchObject({ added: 2, suspectedCopies: 2 });
  });

  it('of equal payments in two files read with one mapping has two payments', async () => {
    const accountId = await addAccount();
    await send(accountId, csvSample);
    const other = csvSample.replaceAll('Entgelt', 'Porto');
    expect((await send(accountId, other)).body).toMatchObject({ added: 2, suspectedCopies: 0 });
  });

  it('of several accounts gives each its own', async () => {
    const card = await addAccount({ currency: 'USD', statementAccount: '4111 0000 1111 2222' });
    const checking = await addAccount({ currency: 'USD', statementAccount: '123456789' });
    expect((await send(card, ofxSample)).body).toMatchObject({ movements: 1 });
    expect((await send(checking, ofxSample)).body).toMatchObject({ movements: 2 });
  });

  it('that names its account says whose files are taken from then on', async () => {
    const accountId = await addAccount({ statementAccount: undefined });
    await send(accountId, camtSample);
    expect(await ok('GET', `/v1/bank_accounts/${accountId}`)).toMatchObject({
      statementAccount: sampleAccount.iban,
      mask: '…3000',
    });
    const other = await addAccount({ statementAccount: undefined });
    expect(await send(other, camtSample)).toMatchObject({ status: 409, body: { code: 'already_exists' } });
  });
});

describe('an account of which the end of the number is known', () => {
  it('takes the first file only where its number ends so, or where somebody says the whole number', async () => {
    const accountId = await addAccount({ statementAccount: undefined, mask: '2051' });
    const before = await api.rowCounts();
    const refused = await send(accountId, camtSample);
    expect(refused).toMatchObject({ status: 422, body: { reason: 'account_other', line: 5 } });
    expect(refused.body.detail).toMatch(/…3000.*…2051.*statementAccount/);
    expect(await api.rowCounts()).toEqual(before);
    await ok('PATCH', `/v1/bank_accounts/${accountId}`, { statementAccount: sampleAccount.iban });
    expect(await send(accountId, camtSample)).toMatchObject({ status: 201 });
    await ok('PATCH', `/v1/bank_accounts/${accountId}`, { isClosed: true });
    const alike = await addAccount({ statementAccount: undefined, mask: '…3000' });
    expect(await send(alike, camtSample)).toMatchObject({ status: 201 });
  });

  it('takes its own of a file with several, and says where the currency is another', async () => {
    const card = await addAccount({ currency: 'USD', statementAccount: undefined, mask: '2222' });
    expect((await send(card, ofxSample)).body).toMatchObject({ movements: 1 });
    const euro = await addAccount({ statementAccount: undefined, mask: '6789' });
    expect(await send(euro, ofxSample)).toMatchObject({ status: 422, body: { reason: 'currency_other' } });
  });
});

describe('a file that is refused', () => {
  const other = 'DE02120300000000202051';
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${camtSample}`;
  const cases: [string, string | Uint8Array, object, object][] = [
    [
      'with an amount of too many digits',
      camtSample.replace('>11.50<', '>11.505<'),
      {},
      { reason: 'amount_unreadable', line: expect.any(Number) },
    ],
    [
      'broken in its last line',
      `${csvSample}32.03.2026;1,00;x;;\n`,
      {},
      { reason: 'date_unreadable', line: 9 },
    ],
    ['cut off', camtSample.slice(0, -60), {}, { reason: 'file_cut_off' }],
    ['of nothing', '', {}, { reason: 'file_empty' }],
    ['with entities', bomb, {}, { reason: 'xml_entities_refused' }],
    ['that is an archive', Buffer.from('PK\x03\x04rest'), {}, { reason: 'format_unknown' }],
    ['that is compressed', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2]), {}, { reason: 'format_unknown' }],
    ['in CSV without a mapping', csvSample, { csvMapping: undefined }, { reason: 'format_unknown' }],
    ['of another account', camtSample, { statementAccount: other }, { reason: 'account_other', line: 5 }],
    ['in another currency', camtSample, { currency: 'USD' }, { reason: 'currency_other' }],
    [
      'of several accounts for one that nobody has named',
      ofxSample,
      { currency: 'USD', statementAccount: undefined },
      { reason: 'account_unclear' },
    ],
  ];

  it.each(cases)('%s leaves nothing', async (_name, file, fields, problem) => {
    const accountId = await addAccount(fields);
    const before = await api.rowCounts();
    const answer = await send(accountId, file);
    expect(answer).toMatchObject({ status: 422, body: { code: 'statement_refused', ...problem } });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('says both accounts by their last digits alone', async () => {
    const { body } = await send(await addAccount({ statementAccount: other }), camtSample);
    expect(body.detail).toContain('…3000');
    expect(body.detail).toContain('…2051');
    expect(body.detail).not.toContain('440532');
  });

  it('after a thousand movements leaves none of them', async () => {
    const accountId = await addAccount();
    const rows = Array.from({ length: 2500 }, (_, n) => `05.03.2026;${n},00;payment ${n};;\n`).join('');
    const answer = await send(accountId, `${csvSample}${rows}05.03.2026;1,0,0;x;;\n`);
    expect(answer).toMatchObject({ status: 422, body: { line: 2509 } });
    expect(await transactions()).toEqual([]);
    expect((await ok('GET', '/v1/bank_statements')).data).toEqual([]);
  });

  it('for its dress is 415, and for its account 404 or 409', async () => {
    const accountId = await addAccount();
    const gzip = { 'content-encoding': 'gzip' };
    expect(await send(accountId, camtSample, { type: 'application/json' })).toMatchObject({ status: 415 });
    expect(await send(accountId, camtSample, { type: 'multipart/form-data; boundary=x' })).toMatchObject({
      status: 415,
    });
    expect(await send(accountId, camtSample, { headers: gzip })).toMatchObject({ status: 415 });
    expect(await send(accountId, camtSample, { format: 'xlsx' })).toMatchObject({ status: 400 });
    expect(await send(`bac_${'0'.repeat(32)}`, camtSample)).toMatchObject({ status: 404 });
    await ok('PATCH', `/v1/bank_accounts/${accountId}`, { isClosed: true });
    expect(await send(accountId, camtSample)).toMatchObject({
      status: 409,
      body: { reason: 'bank_account_closed' },
    });
    await ok('PATCH', `/v1/bank_accounts/${accountId}`, { isClosed: false });
    expect(await send(accountId, camtSample)).toMatchObject({ status: 201 });
  });

  it('for its size is 413, whether it says so or not', async () => {
    const accountId = await addAccount();
    const path = `${api.url}/v1/bank_accounts/${accountId}/statements`;
    const piece = new Uint8Array(1024 * 1024);
    let pieces = 0;
    const body = new ReadableStream({
      pull(controller) {
        pieces += 1;
        if (pieces > 201) controller.close();
        else controller.enqueue(piece);
      },
    });
    const answer = await fetch(path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tenant.token}`,
        'idempotency-key': randomUUID(),
        'content-type': 'text/plain',
      },
      body,
      duplex: 'half',
    } as RequestInit);
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({
      code: 'payload_too_large',
      detail: expect.stringContaining('200'),
    });
  });
});

it('a request after a refused one is answered, on whatever connection', async () => {
  const accountId = await addAccount();
  expect(await send(accountId, new Uint8Array(201 * 1024 * 1024))).toMatchObject({ status: 413 });
  expect(await send(accountId, `${csvSample}32.03.2026;1,00;x;;\n`)).toMatchObject({ status: 422 });
  expect(await send(accountId, camtSample)).toMatchObject({ status: 201 });
});

it('a file of 100,000 movements is read', { timeout: 300_000 }, async () => {
  const accountId = await addAccount();
  function* lines() {
    yield 'Buchungstag;Betrag;Verwendungszweck;Name;IBAN\n';
    for (let n = 0; n < 100_000; n += 1) yield `0${1 + (n % 9)}.03.2026;${n},00;payment ${n};Ada;\n`;
  }
  const file = [...lines()].join('');
  const first = await send(accountId, file);
  expect(first).toMatchObject({ status: 201, body: { movements: 100_000, added: 100_000 } });
  expect(await send(accountId, file)).toMatchObject({ status: 200, body: first.body });
});

describe('an account', () => {
  it('is named, listed and changed, with its number as statements name it', async () => {
    const made = await ok('POST', '/v1/bank_accounts', {
      name: 'Current',
      currency: 'EUR',
      statementAccount: 'de89 3704 0044 0532 0130 00',
    });
    expect(made).toMatchObject({
      isReceiving: true,
      mask: '…3000',
      statementAccount: sampleAccount.iban,
      csvMapping: null,
      connectionId: null,
      closedAt: null,
    });
    const path = `/v1/bank_accounts/${made.id}`;
    const changed = await ok('PATCH', path, { name: 'Savings', isReceiving: false, csvMapping });
    expect(changed).toEqual({ ...made, name: 'Savings', isReceiving: false, csvMapping });
    expect(await ok('GET', path)).toEqual(changed);
    expect((await ok('GET', '/v1/bank_accounts')).data).toEqual([changed]);
    expect(await ok('PATCH', path, { csvMapping: null, isClosed: true })).toMatchObject({
      csvMapping: null,
      closedAt: expect.any(String),
    });
  });

  it('that is in use has a number of its own', async () => {
    const id = await addAccount();
    const again = { name: 'Again', currency: 'EUR', statementAccount: sampleAccount.iban };
    const twice = () => api.request('POST', '/v1/bank_accounts', { token: tenant.token, body: again });
    expect(await twice()).toMatchObject({ status: 409, body: { code: 'already_exists' } });
    await ok('PATCH', `/v1/bank_accounts/${id}`, { isClosed: true });
    expect(await twice()).toMatchObject({ status: 201 });
    const reopened = { token: tenant.token, body: { isClosed: false } };
    expect(await api.request('PATCH', `/v1/bank_accounts/${id}`, reopened)).toMatchObject({ status: 409 });
  });

  it.each([
    ['an IBAN with a mistake', { statementAccount: 'DE88370400440532013000' }, 'statement_account_invalid'],
    ['a number of signs alone', { statementAccount: '---' }, 'statement_account_invalid'],
    [
      'a date format without a year',
      { csvMapping: { ...csvMapping, dateFormat: 'DD.MM.' } },
      'csv_mapping_invalid',
    ],
    [
      'an encoding that nobody knows',
      { csvMapping: { ...csvMapping, encoding: 'klingon' } },
      'csv_mapping_invalid',
    ],
    [
      'names of columns that no row has',
      { csvMapping: { ...csvMapping, hasHeader: false } },
      'csv_mapping_invalid',
    ],
  ])('with %s is refused', async (_name, fields, reason) => {
    const body = { name: 'Current', currency: 'EUR', ...fields };
    const before = await api.rowCounts();
    expect(await api.request('POST', '/v1/bank_accounts', { token: tenant.token, body })).toMatchObject({
      status: 422,
      body: { code: 'bank_account_unusable', reason },
    });
    expect(await api.rowCounts()).toEqual(before);
  });
});

describe('movements are found', () => {
  beforeEach(async () => {
    await send(await addAccount(), camtSample);
    const dollars = await addAccount({ currency: 'USD', statementAccount: '123456789' });
    await send(dollars, ofxSample);
  });
  const amounts = async (query: string) => (await transactions(query)).map(({ amountMinor }) => amountMinor);

  it.each([
    ['amount', '&amountMinor=49900', [49_900, 49_900]],
    ['amount and currency', '&amountMinor=49900&currency=EUR', [49_900]],
    ['amounts', '&minAmountMinor=-1200&maxAmountMinor=0', [-1150]],
    ['money out', '&maxAmountMinor=-1', [-123_450, -1150]],
    ['an amount outside of a range', '&amountMinor=49900&maxAmountMinor=0', []],
    ['day', '&from=2026-03-05&to=2026-03-05', [-123_450, 49_900, -1150, 49_900]],
    ['days without any', '&from=2026-03-06', []],
    ['amount and day', '&amountMinor=-1150&from=2026-03-01&to=2026-03-31', [-1150]],
    ['text', '&q=adv48213075', [49_900, 49_900]],
    ['the name of who paid', '&q=M%C3%BCller', [49_900]],
    ['text with signs of a pattern', '&q=%25', []],
  ])('by %s', async (_name, query, found) => {
    expect(await amounts(query)).toEqual(found);
  });

  it('page by page', async () => {
    const first = await ok('GET', '/v1/bank_transactions?limit=3');
    const second = await ok('GET', `/v1/bank_transactions?limit=3&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data]).toEqual(await transactions());
    expect(second.nextCursor).toBeNull();
  });

  it('one by one, with what was decided in sentences', async () => {
    const [one] = await transactions('&amountMinor=-1150');
    const decision = {
      kind: 'ignore_outflow',
      rule: 'g3',
      evidence: {
        received: { amountMinor: -1150, currency: 'EUR' },
        day: '2026-03-05',
        references: [],
        foreignReferences: [],
        invoices: [],
        rate: null,
        converted: null,
        carried: null,
      },
      suspectedCredits: [],
    };
    await api.sql(
      `INSERT INTO bank_decisions (id, tenant_id, transaction_id, ordinal, kind, rule, decision, decided_by, decided_at)
       VALUES ($1, $2, $3, 1, 'ignore_outflow', 'g3', $4, 'matching', now())`,
      [`bdc_${randomUUID().replaceAll('-', '')}`, tenant.tenantId, one.id, JSON.stringify(decision)],
    );
    expect(await ok('GET', `/v1/bank_transactions/${one.id}`)).toMatchObject({
      ...one,
      decisions: [
        {
          rule: 'g3',
          sentence: expect.stringMatching(/11[.]50.*money out and pays no invoice/),
          undoneAt: null,
        },
      ],
      allocations: [],
    });
  });

  it('as a table in which no text is a formula', async () => {
    const accountId = await addAccount({ name: 'Other', statementAccount: '998877665' });
    const row = '06.03.2026;-7,00;"=HYPERLINK(""http://x"")";@SUM(A1);+49\n';
    await send(accountId, `Buchungstag;Betrag;Verwendungszweck;Name;IBAN\n${row}${row.replace('-7', '7')}`);
    const answer = await api.request('GET', `/v1/bank_transactions?format=csv&accountId=${accountId}`, {
      token: tenant.token,
    });
    expect(answer.headers.get('content-type')).toContain('text/csv');
    const [, moneyIn, out] = answer.body.split('\r\n');
    expect(moneyIn).toContain(`7.00,EUR,new,'@SUM(A1),'+49,"'=HYPERLINK(""http://x"")`);
    expect(out).toContain(',-7.00,EUR,');
  });
});
