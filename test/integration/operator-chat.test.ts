/**
 * The operators' chat from the API to the channel: what is set is kept as a secret, each notice is a mail and a post, and
 * whatever becomes of the post, the mail is sent once. Posts and mails are counted at the vendors, never in our table.
 */
import { inspect } from 'node:util';
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSendNotification } from '../../activities/messaging/notification.ts';
import { createPostNotice } from '../../activities/messaging/operator-notice.ts';
import { withTenant } from '../../db/client.ts';
import {
  enqueueOperatorNotice,
  type OperatorNoticeRequest,
} from '../../db/queries/messaging/operator-notices.ts';
import { VendorError } from '../../domain/errors.ts';
import type { OperatorChat } from '../../domain/messaging/operator-chat.ts';
import { renderInvoicePdf } from '../../integrations/pdf/invoice-pdf.ts';
import { createResendMailer } from '../../integrations/resend/client.ts';
import { type ResendSandbox, startResendSandbox } from '../../integrations/resend/sandbox.ts';
import { createSlackChat } from '../../integrations/slack/client.ts';
import { type SlackSandbox, startSlackSandbox } from '../../integrations/slack/sandbox.ts';
import { createRelay } from '../../workers/relay.ts';
import { type Json, startTestApi, type TestApi, type TestTenant, testConfig } from '../support/api.ts';

const SECRET = 'operatorsSENTINEL';
const recipient = 'desk@acme.example';
const at = new Date('2026-11-21T09:00:00Z');

let api: TestApi;
let slack: SlackSandbox;
let resend: ResendSandbox;
let tenant: TestTenant;
let chatUrl: string;
let chat: OperatorChat;
const logged: string[] = [];
const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });

beforeAll(async () => {
  slack = await startSlackSandbox({ port: 0 });
  resend = await startResendSandbox({ port: 0 });
  const { host } = new URL(slack.url);
  const operatorChat = { ...testConfig.operatorChat, hosts: ['hooks.slack.com', host] };
  chat = createSlackChat({ hosts: operatorChat.hosts, timeoutMs: 2_000 });
  api = await startTestApi({ config: { ...testConfig, operatorChat }, log });
});
beforeEach(async () => {
  slack.reset();
  resend.reset();
  logged.length = 0;
  // What another test has left undelivered.
  await api.sql('DELETE FROM outbox');
  tenant = await api.tenant();
  chatUrl = slack.webhookUrl(SECRET);
});
afterAll(async () => {
  await api.close();
  await Promise.all([slack.close(), resend.close()]);
});

describe('the setting', () => {
  it('is answered by its host alone, and kept so that nobody reads it', async () => {
    const answers = [await put({ recipient, chatUrl }), await read()];
    const host = new URL(chatUrl).host;
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body).toEqual({ recipient, sendAt: '08:00', clock: 'utc', chat: { host } });
    }
    const audit = await api.request('GET', '/v1/audit_log', { token: tenant.token });
    expect(audit.body.data[0]).toMatchObject({ details: { chatHost: host } });
    expect(JSON.stringify([answers, audit.body, await everyRow()])).not.toContain(SECRET);
    expect(logged.join()).not.toContain(SECRET);
    const [row] = await settingsRow();
    expect(row).toMatchObject({ chat_host: host, chat_url: expect.stringMatching(/^development:[\w+/=]+$/) });
  });

  it('stays where a request leaves it out, is replaced by another, and cleared by null', async () => {
    await put({ recipient: null, chatUrl });
    expect((await put({ recipient })).body.chat).toEqual({ host: new URL(chatUrl).host });
    const other = 'https://hooks.slack.com/services/T0/B0/other';
    expect((await put({ recipient, chatUrl: other })).body.chat).toEqual({ host: 'hooks.slack.com' });
    expect((await put({ recipient, chatUrl: null })).body.chat).toBeNull();
    expect((await read()).body).toMatchObject({ recipient, chat: null });
    expect((await put({ recipient })).body.chat).toBeNull();
  });

  it.each([
    ['https://evil.example/services/T0/B0/', 'host_not_allowed'],
    ['https://169.254.169.254/latest/', 'host_not_allowed'],
    ['http://127.0.0.1:5433/services/T0/B0/', 'host_not_allowed'],
    ['http://hooks.slack.com/services/T0/B0/', 'not_https'],
    ['https://a:b@hooks.slack.com/services/T0/B0/', 'with_credentials'],
    ['https://hooks.slack.com/triggers/', 'no_webhook'],
    ['hooks ', 'not_a_url'],
  ])('%s is refused without being repeated, and nothing is written', async (beginning, reason) => {
    await put({ recipient, chatUrl });
    const [before] = await settingsRow();
    const answer = await put({ recipient: 'other@acme.example', chatUrl: `${beginning}${SECRET}` });
    expect(answer).toMatchObject({ status: 422, body: { code: 'chat_address_unusable', reason } });
    expect(JSON.stringify(answer.body)).not.toContain(SECRET);
    expect(logged.join()).not.toContain(SECRET);
    expect(await settingsRow()).toEqual([before]);
  });

  it.each([
    ['empty', ''],
    ['too long', `https://hooks.slack.com/services/T0/B0/${SECRET.repeat(40)}`],
    ['no text', 7],
  ])('an address that is %s is refused by its form', async (_, wrong) => {
    const answer = await put({ recipient, chatUrl: wrong });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(JSON.stringify(answer.body)).not.toContain(SECRET);
  });

  it('of one tenant opens for no other: a row that is moved posts nothing', async () => {
    await put({ recipient: null, chatUrl });
    const other = await api.tenant();
    await api.sql(
      `INSERT INTO report_settings (tenant_id, send_at, clock, chat_url, chat_host, since, updated_at)
       SELECT $1, send_at, clock, chat_url, chat_host, since, updated_at FROM report_settings WHERE tenant_id = $2`,
      [other.tenantId, tenant.tenantId],
    );
    await decide({ tenantId: other.tenantId });
    await deliver();
    expect(slack.posts()).toEqual([]);
    expect(await notices(other.token)).toMatchObject([
      { status: 'failed', error: expect.stringContaining('Set the address of the chat again.') },
    ]);
  });
});

describe('a notice', () => {
  it('is mailed and posted once, however often it is decided', async () => {
    await put({ recipient, chatUrl });
    await Promise.all([decide(), decide()]);
    await decide();
    await deliver();
    await deliver();
    expect(subjects()).toEqual(['Bitcoin is not watched']);
    expect(slack.posts().map(({ text }) => text)).toEqual([
      '*Bitcoin is not watched*\nStart a worker &amp; wait.\nOpen the portal:\nhttps://portal.example',
    ]);
    expect(await notices()).toMatchObject([
      { channel: 'chat', status: 'sent', recipient: new URL(chatUrl).host, customerId: null, attempts: 1 },
      { channel: 'mail', status: 'sent', recipient },
    ]);
  });

  it.each([
    ['a chat alone', { recipient: null, chat: true }, { mails: 0, posts: 1 }],
    ['an address alone', { recipient, chat: false }, { mails: 1, posts: 0 }],
    ['neither', { recipient: null, chat: false }, { mails: 0, posts: 0 }],
  ])('goes where the tenant wants it: %s', async (_, wanted, expected) => {
    await put({ recipient: wanted.recipient, ...(wanted.chat && { chatUrl }) });
    await decide();
    await deliver();
    expect({ mails: subjects().length, posts: slack.posts().length }).toEqual(expected);
  });

  it('of a tenant that has set nothing writes nothing', async () => {
    await decide();
    expect(await notices()).toEqual([]);
  });

  it('of a transaction that is rolled back is neither mailed nor posted', async () => {
    await put({ recipient, chatUrl });
    const failing = withTenant(api.db, tenant.tenantId, async (tx) => {
      await enqueueOperatorNotice(tx, noticeOf());
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    await deliver();
    expect([subjects(), slack.posts()]).toEqual([[], []]);
  });

  it('in words of its template says in the chat what the mail says', async () => {
    await put({ recipient, chatUrl });
    await decide({
      template: 'crypto_operator_alert',
      variables: { invoiceNumber: 'INV-000042', what: 'It is <!channel> late.' },
    });
    await deliver();
    expect(subjects()).toEqual(['Invoice INV-000042 in coins needs a look']);
    expect(slack.posts()).toMatchObject([
      {
        text: expect.stringContaining(
          '*Invoice INV-000042 in coins needs a look*\nIt is &lt;!channel&gt; late.',
        ),
        mentions: [],
      },
    ]);
  });

  it('is listed by its channel', async () => {
    await put({ recipient, chatUrl });
    await decide();
    const list = async (channel: string) =>
      (await api.request('GET', `/v1/notifications?channel=${channel}`, { token: tenant.token })).body.data;
    expect((await list('chat')).map((each: Json) => each.channel)).toEqual(['chat']);
    expect((await list('mail')).map((each: Json) => each.channel)).toEqual(['mail']);
  });
});

describe('when something dies or is lost', () => {
  beforeEach(() => put({ recipient, chatUrl }));

  it('right before the post: the next run posts it', async () => {
    await decide();
    await deliver({ post: () => Promise.reject(new Error('the process died')) });
    expect(slack.posts()).toEqual([]);
    expect(await notices()).toMatchObject([{ status: 'sending' }, { status: 'sent' }]);
    await deliver();
    expect(slack.posts()).toHaveLength(1);
    expect(subjects()).toHaveLength(1);
  });

  it('right after the post: it comes twice, and the mail once', async () => {
    await decide();
    await deliver({
      post: async (notice) => {
        await chat.post(notice);
        throw new Error('the process died');
      },
    });
    await deliver();
    expect(slack.posts()).toHaveLength(2);
    expect(subjects()).toHaveLength(1);
    expect(await notices()).toMatchObject([{ status: 'sent', attempts: 2 }, { status: 'sent' }]);
  });

  it('an answer that is lost: it is posted again, and in the end the row says so', async () => {
    await decide();
    slack.setFaults({ next: [{ fault: 'drop_answer' }] });
    await deliver();
    expect(await notices()).toMatchObject([
      { status: 'sending', error: expect.stringContaining('outcome_unknown') },
      { status: 'sent' },
    ]);
    await deliver();
    expect(slack.posts()).toHaveLength(2);
    expect(await notices()).toMatchObject([{ status: 'sent', error: null }, { status: 'sent' }]);
  });

  it('a chat that asks to wait is waited for, and nothing is in doubt', async () => {
    await decide();
    slack.setFaults({ next: [{ fault: 'rate_limit' }], retryAfterSeconds: 1_800 });
    await deliver();
    expect(await notices()).toMatchObject([{ status: 'queued' }, { status: 'sent' }]);
    const [owed] = await owedPosts();
    expect(owed?.waits_seconds).toBeGreaterThan(1_700);
    await deliver();
    expect(slack.posts()).toHaveLength(1);
  });

  it('a chat that refuses for good is told in the row, and the mail was sent all the same', async () => {
    await decide();
    slack.setHook(chatUrl, 'revoked');
    await deliver();
    expect(await notices()).toMatchObject([
      { status: 'failed', error: expect.stringMatching(/^vendor_rejected_request: .*404, no_service$/) },
      { status: 'sent' },
    ]);
    expect(await owedPosts()).toEqual([]);
    expect(subjects()).toHaveLength(1);
  });

  it.each([
    ['that certainly shows nothing', 'error_before', 'failed'],
    ['whose answers are lost', 'drop_answer', 'unknown'],
  ] as const)('a chat %s is given up after 16 tries, where people see it', async (_, fault, status) => {
    await decide();
    slack.setFaults({ next: [{ fault, times: 99 }] });
    for (let run = 0; run < 20; run += 1) await deliver();
    expect(slack.calls()).toEqual({ 'webhooks.post': 16 });
    expect(await notices()).toMatchObject([
      { status, attempts: 16 },
      { status: 'sent', attempts: 1 },
    ]);
    const given = await api.request('GET', `/v1/notifications?status=${status}`, { token: tenant.token });
    expect(given.body.data).toMatchObject([{ channel: 'chat' }]);
    expect(
      await api.sql(
        'SELECT count(*)::int AS count FROM outbox WHERE failed_at IS NOT NULL AND tenant_id = $1',
        [tenant.tenantId],
      ),
    ).toEqual([{ count: 1 }]);
  });

  it('a chat that was cleared meanwhile gets nothing any more', async () => {
    await decide();
    await put({ recipient, chatUrl: null });
    await deliver();
    expect(slack.posts()).toEqual([]);
    expect(await notices()).toMatchObject([
      { status: 'skipped', error: 'no chat is set any more' },
      { status: 'sent' },
    ]);
  });

  it('a chat that was changed meanwhile gets it instead', async () => {
    await decide();
    await put({ recipient, chatUrl: slack.webhookUrl('another') });
    await deliver();
    const [post] = slack.posts();
    await decide({ key: 'alert_2' });
    await deliver();
    expect(slack.posts().map(({ hook }) => hook)).toEqual([post?.hook, post?.hook]);
  });

  it('a key of the encryption that is gone is told in the row, with what to do', async () => {
    await decide();
    const encryption = { activeKeyId: 'next', keys: new Map([['next', new Uint8Array(32).fill(7)]]) };
    await deliver(chat, encryption);
    expect(await notices()).toMatchObject([
      {
        status: 'failed',
        error: expect.stringMatching(/key "development".*Set the address of the chat again\.$/),
      },
      { status: 'sent' },
    ]);
  });

  it('nothing of it names the address: neither rows nor answers nor the log', async () => {
    await decide();
    slack.setFaults({ next: [{ fault: 'drop_answer' }, { fault: 'error_after' }, { fault: 'rate_limit' }] });
    for (let run = 0; run < 4; run += 1) await deliver();
    await deliver({ post: () => Promise.reject(new VendorError({ code: 'rate_limited', message: 'no' })) });
    expect(slack.posts().length).toBeGreaterThan(0);
    expect(logged.length).toBeGreaterThan(5);
    expect(inspect([logged, await everyRow(), await notices()], { depth: 10 })).not.toContain(SECRET);
  });
});

const put = (body: unknown) => api.request('PUT', '/v1/report_settings', { token: tenant.token, body });
const read = () => api.request('GET', '/v1/report_settings', { token: tenant.token });

function noticeOf(differs: Partial<OperatorNoticeRequest> = {}): OperatorNoticeRequest {
  const words =
    'template' in differs ? {} : { subject: 'Bitcoin is not watched', text: 'Start a worker & wait.' };
  return { tenantId: tenant.tenantId, key: 'alert_1', at, ...words, ...differs } as OperatorNoticeRequest;
}

function decide(differs: Partial<OperatorNoticeRequest> = {}): Promise<void> {
  const notice = noticeOf(differs);
  return withTenant(api.db, notice.tenantId, (tx) => enqueueOperatorNotice(tx, notice));
}

/** What is owed to vendors is due now; one run of the relay delivers it. */
async function deliver(through = chat, encryption = testConfig.encryption): Promise<void> {
  await api.sql('UPDATE outbox SET due_at = now() WHERE delivered_at IS NULL AND failed_at IS NULL');
  const { apiKey, mailFrom: from } = testConfig.resend;
  const mailer = createResendMailer({ apiKey, baseUrl: resend.url, from });
  const relay = createRelay({
    db: api.db,
    client: {} as Client,
    listen: async () => ({ close: async () => {} }),
    sendNotification: createSendNotification({ db: api.db, mailer, drawDocument: renderInvoicePdf, log }),
    postNotice: createPostNotice({ db: api.db, chat: through, encryption, log }),
    recordTax: async () => {},
    log,
  });
  await relay.drainOnce();
}

function subjects(): string[] {
  return resend.mails().map(({ subject }) => subject);
}

/** The chat's first. */
async function notices(token = tenant.token): Promise<Json[]> {
  const { body } = await api.request('GET', '/v1/notifications', { token });
  return body.data.toSorted((a: Json, b: Json) => a.channel.localeCompare(b.channel));
}

function settingsRow(): Promise<Json[]> {
  return api.sql('SELECT * FROM report_settings WHERE tenant_id = $1', [tenant.tenantId]);
}

function owedPosts(): Promise<Json[]> {
  return api.sql(
    `SELECT extract(epoch FROM due_at - now())::float AS waits_seconds FROM outbox
     WHERE topic = 'chat.send' AND tenant_id = $1 AND delivered_at IS NULL AND failed_at IS NULL`,
    [tenant.tenantId],
  );
}

/** All that is stored, wherever it could have come to. */
async function everyRow(): Promise<Json[]> {
  const tables = ['report_settings', 'notifications', 'outbox', 'audit_log', 'idempotency_keys'];
  return Promise.all(tables.map((table) => api.sql(`SELECT ${table}::text AS row FROM ${table}`)));
}
