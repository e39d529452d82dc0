/** Our operators' chat against the Slack sandbox, and against servers that mean no good: what becomes of a post is known. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { VendorError } from '../../domain/errors.ts';
import type { OperatorChat } from '../../domain/messaging/operator-chat.ts';
import { createSlackChat } from '../../integrations/slack/client.ts';
import { type SlackSandbox, startSlackSandbox } from '../../integrations/slack/sandbox.ts';

let sandbox: SlackSandbox;
let chat: OperatorChat;
const notice = { subject: 'Bitcoin is not watched', text: 'Start a worker that has a node of it.' };
const SECRET = 'operatorsSENTINEL';

beforeAll(async () => {
  sandbox = await startSlackSandbox({ port: 0 });
  chat = createSlackChat({ hosts: [new URL(sandbox.url).host] });
});
beforeEach(() => sandbox.reset());
afterAll(() => sandbox.close());

const post = (overrides: Partial<typeof notice> = {}, timeoutMs?: number) => {
  const through =
    timeoutMs === undefined ? chat : createSlackChat({ hosts: [new URL(sandbox.url).host], timeoutMs });
  return through.post({ url: sandbox.webhookUrl(SECRET), ...notice, ...overrides });
};
const texts = () => sandbox.posts().map(({ text }) => text);

describe('a notice', () => {
  it('is shown as it was written', async () => {
    await post();
    expect(texts()).toEqual(['*Bitcoin is not watched*\nStart a worker that has a node of it.']);
    expect(sandbox.effects()).toMatchObject([
      { vendor: 'slack', op: 'webhooks.post', outcome: 'effect', idempotencyKey: null },
    ]);
    expect(await (await fetch(sandbox.url)).text()).toContain('<b>Bitcoin is not watched</b>');
  });

  it('rings nobody and is no markup, whatever it says', async () => {
    await post({ text: '<!channel> <@U1> @here <https://evil.example|bank> <script>alert(1)</script>' });
    expect(sandbox.posts()).toMatchObject([{ mentions: [] }]);
    const page = await (await fetch(sandbox.url)).text();
    expect(page).not.toContain('<script>');
  });

  it('posted twice is there twice: a webhook knows no keys', async () => {
    await post();
    await post();
    expect(texts()).toHaveLength(2);
  });
});

describe('what the chat refuses for good', () => {
  it.each([
    ['revoked', 'status 404, no_service'],
    ['archived', 'status 410, channel_is_archived'],
    ['forbidden', 'status 403, action_prohibited'],
  ] as const)('a webhook that was %s', async (state, message) => {
    sandbox.setHook(sandbox.webhookUrl(SECRET), state);
    await expect(post()).rejects.toMatchObject({
      code: 'vendor_rejected_request',
      message: expect.stringContaining(message),
    });
    expect(texts()).toEqual([]);
    sandbox.setHook(sandbox.webhookUrl(SECRET), 'active');
    await post();
    expect(texts()).toHaveLength(1);
  });

  it('a notice without words', async () => {
    await expect(post({ subject: ' ', text: '' })).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });

  it('a payload that is none (the sandbox answers as Slack does)', async () => {
    const answer = await fetch(sandbox.webhookUrl(), { method: 'POST', body: '{"text": 7}' });
    expect([answer.status, await answer.text()]).toEqual([400, 'invalid_payload']);
  });
});

describe('a chat that fails', () => {
  it.each([
    ['rate_limit', 'rate_limited', 0],
    ['error_before', 'vendor_unavailable', 0],
    ['refuse', 'outcome_unknown', 0],
    ['error_after', 'outcome_unknown', 1],
    ['drop_answer', 'outcome_unknown', 1],
  ] as const)('%s is %s, and is worth another try', async (fault, code, shown) => {
    sandbox.setFaults({ next: [{ fault }], retryAfterSeconds: 30 });
    await expect(post()).rejects.toMatchObject({
      code,
      retryAfterMs: code === 'rate_limited' ? 30_000 : undefined,
    });
    expect(texts()).toHaveLength(shown);
    await post();
    expect(texts()).toHaveLength(shown + 1);
  });

  it('an answer that is cut says yes all the same', async () => {
    sandbox.setFaults({ next: [{ fault: 'malformed' }] });
    await post();
    expect(texts()).toHaveLength(1);
  });

  it('that is too slow is not waited for, and may have shown it', async () => {
    sandbox.setFaults({ next: [{ fault: 'delay' }], delayMs: 5_000 });
    await expect(post({}, 200)).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(texts()).toHaveLength(1);
  });

  it('that is not there has certainly shown nothing', async () => {
    const url = await closedUrl();
    const away = createSlackChat({ hosts: [new URL(url).host] });
    await expect(away.post({ url: `${url}/services/T/B/x`, ...notice })).rejects.toMatchObject({
      code: 'vendor_unavailable',
    });
  });
});

describe('a server that is none of ours', () => {
  it('is not spoken to, though its address was kept when it was allowed', async () => {
    const { url, requests } = await serverThat((_request, response) => void response.end('ok'));
    const elsewhere = createSlackChat({ hosts: ['hooks.slack.com'] });
    await expect(elsewhere.post({ url: `${url}/hooks/${SECRET}`, ...notice })).rejects.toMatchObject({
      code: 'vendor_rejected_request',
      message: expect.stringContaining('not allowed'),
    });
    expect(requests).toEqual([]);
  });

  it('is not reached by a redirect from an allowed one', async () => {
    const inside = await serverThat((_request, response) => void response.end('ok'));
    const outside = await serverThat((_request, response) => {
      response.writeHead(307, { location: `${inside.url}/admin` }).end();
    });
    await expect(outside.post()).rejects.toMatchObject({
      code: 'vendor_rejected_request',
      message: expect.stringContaining('status 307'),
    });
    expect(inside.requests).toEqual([]);
  });

  it('that greets with a page has posted nothing', async () => {
    const { post: postThere } = await serverThat((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('\n<!doctype html><title>Welcome</title>');
    });
    await expect(postThere()).rejects.toMatchObject({ code: 'vendor_rejected_request' });
  });

  it('that answers without end is not listened to, and what it says is not repeated', async () => {
    const { post: postThere } = await serverThat((_request, response) => {
      response.writeHead(400);
      const more = () => {
        while (response.write('secrets of the inside '.repeat(1_000)));
        response.once('drain', more);
      };
      more();
    });
    await expect(postThere()).rejects.toMatchObject({
      code: 'vendor_rejected_request',
      message: expect.stringMatching(/status 400, no reason$/),
    });
  });

  it('that takes JSON as Rocket.Chat does is a chat', async () => {
    const { post: postThere, requests } = await serverThat((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end('{"success":true}');
    });
    await postThere();
    expect(requests).toEqual([
      JSON.stringify({ text: '*Bitcoin is not watched*\nStart a worker that has a node of it.' }),
    ]);
  });
});

it('the address is in no error, neither in its message nor in its cause', async () => {
  const closed = await closedUrl();
  const faults = ['refuse', 'drop_answer', 'error_before', 'rate_limit'] as const;
  sandbox.setFaults({ next: faults.map((fault) => ({ fault })) });
  const failures = await Promise.all([
    failureOf(createSlackChat({ hosts: [] }).post({ url: `${closed}/services/T/B/${SECRET}`, ...notice })),
    failureOf(
      createSlackChat({ hosts: [new URL(closed).host] }).post({
        url: `${closed}/services/T/B/${SECRET}`,
        ...notice,
      }),
    ),
    ...faults.map(() => failureOf(post())),
  ]);
  expect(failures.every((failure) => failure instanceof VendorError)).toBe(true);
  expect(inspect(failures, { depth: 10, showHidden: true })).not.toContain(SECRET);
});

/** Where nobody listens any more. */
async function closedUrl(): Promise<string> {
  const gone = await startSlackSandbox({ port: 0 });
  await gone.close();
  return gone.url;
}

async function failureOf(posting: Promise<void>): Promise<unknown> {
  return posting.then(
    () => null,
    (error: unknown) => error,
  );
}

/** A server on this machine that is allowed, with the bodies it was sent. */
async function serverThat(answer: RequestListener) {
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      requests.push(Buffer.concat(chunks).toString('utf8'));
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const there = createSlackChat({ hosts: [new URL(url).host] });
  return { url, requests, post: () => there.post({ url: `${url}/hooks/${SECRET}`, ...notice }) };
}
