import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEncryptionCodec } from './codec.ts';
import { type CodecServer, startCodecServer, webUiOrigins } from './codec-server.ts';

const webUi = 'http://127.0.0.1:8233';
const codec = createEncryptionCodec({ activeKeyId: 'k', keys: new Map([['k', new Uint8Array(32).fill(7)]]) });
const otherCodec = createEncryptionCodec({ activeKeyId: 'o', keys: new Map([['o', new Uint8Array(32)]]) });

let open: CodecServer;
let guarded: CodecServer;
beforeAll(async () => {
  open = await startCodecServer({ codec, allowedOrigins: webUiOrigins(webUi), port: 0 });
  guarded = await startCodecServer({ codec, allowedOrigins: [webUi], port: 0, token: 'operators-only' });
});
afterAll(() => Promise.all([open.close(), guarded.close()]));

function send(
  path: string,
  body: unknown,
  { headers = {}, server = open, method = 'POST' } = {},
): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
  });
}

/** As the Web UI writes payloads: the JSON form of protocol buffers. */
function json({ metadata, data }: Payload) {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(entries), data: base64(data ?? new Uint8Array()) };
}

const plain = defaultPayloadConverter.toPayload({ customer: 'Ada' }) as Payload;

describe('the codec endpoint', () => {
  it('decodes what the codec encrypted and encodes what an operator types', async () => {
    const [secret] = await codec.encode([plain]);
    const decoded = await send('/decode', { payloads: [json(secret as Payload), json(plain)] });
    expect(decoded.status).toBe(200);
    expect(decoded.headers.get('cache-control')).toBe('no-store');
    expect(await decoded.json()).toEqual({ payloads: [json(plain), json(plain)] });

    const encoded = (await (await send('/encode', { payloads: [json(plain)] })).json()) as {
      payloads: unknown[];
    };
    expect(JSON.stringify(encoded)).not.toContain(json(plain).data);
    const again = await send('/some/namespace/decode', encoded);
    expect(await again.json()).toEqual({ payloads: [json(plain)] });
  });

  it('tells which key is missing instead of failing without a word', async () => {
    const [foreign] = await otherCodec.encode([plain]);
    const response = await send('/decode', { payloads: [json(foreign as Payload)] });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      message: expect.stringContaining('key "o", which is not configured'),
    });
  });

  it('takes an empty body for an empty list, which is how the CLI writes one', async () => {
    for (const body of [{}, { payloads: [] }]) {
      const response = await send('/decode', body);
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ payloads: [] });
    }
  });

  it('refuses bodies that hold no payloads, and other paths and methods', async () => {
    for (const body of [{ payloads: 'x' }, { payloads: [1] }, { payloads: [{ data: 7 }] }, '{', '[]']) {
      expect((await send('/decode', body)).status).toBe(400);
    }
    expect((await send('/other', {})).status).toBe(404);
    expect((await send('/decode', {}, { method: 'GET' })).status).toBe(404);
  });

  it('answers pages of the Web UI and tools without a page, and no other page', async () => {
    const body = { payloads: [] };
    const fromUi = await send('/decode', body, { headers: { origin: webUi } });
    expect(fromUi.status).toBe(200);
    expect(fromUi.headers.get('access-control-allow-origin')).toBe(webUi);
    expect(fromUi.headers.get('vary')).toContain('Origin');

    for (const origin of ['http://evil.example', 'http://127.0.0.1:8234', 'null']) {
      const refused = await send('/decode', body, { headers: { origin } });
      expect(refused.status).toBe(403);
      expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    }
    expect((await send('/decode', body)).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('allows what the Web UI asks for before it sends a request', async () => {
    const preflight = await send('/decode', undefined, { method: 'OPTIONS', headers: { origin: webUi } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST');
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-namespace');
  });

  it('asks for its bearer token where one is set, but not before it answers a preflight', async () => {
    const body = { payloads: [] };
    const withToken = (authorization: string) =>
      send('/decode', body, { server: guarded, headers: { authorization } });
    expect((await send('/decode', body, { server: guarded })).status).toBe(401);
    expect((await withToken('Bearer wrong')).status).toBe(401);
    expect((await withToken('Bearer operators-only')).status).toBe(200);
    const preflight = { server: guarded, method: 'OPTIONS', headers: { origin: webUi } };
    expect((await send('/decode', undefined, preflight)).status).toBe(204);
  });
});

it('knows both names under which a browser shows a Web UI of this machine', () => {
  expect(webUiOrigins('http://127.0.0.1:8233/some/path')).toEqual([
    'http://127.0.0.1:8233',
    'http://localhost:8233',
  ]);
  expect(webUiOrigins('http://localhost:8080')).toEqual(['http://localhost:8080', 'http://127.0.0.1:8080']);
  expect(webUiOrigins('https://temporal.example.com')).toEqual(['https://temporal.example.com']);
});
