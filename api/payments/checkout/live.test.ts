import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type EventStream, openEventStream } from '../../../test/support/event-stream.ts';
import { createLiveCheckouts, type LiveSource } from './live.ts';

/** What pages are about, in memory; every question is counted. */
function createSource() {
  const pages = new Map<string, { version: number; text: string }>();
  const source = {
    questions: 0,
    isDown: false,
    set(token: string, text: string) {
      pages.set(token, { version: (pages.get(token)?.version ?? 0) + 1, text });
    },
    async versions(tokens: readonly string[]) {
      source.questions += 1;
      if (source.isDown) throw new Error('no database');
      const known = tokens.filter((token) => pages.has(token));
      return new Map(known.map((token) => [token, `${pages.get(token)?.version}`]));
    },
    state: async (token: string) => pages.get(token)?.text ?? null,
  } satisfies LiveSource & Record<string, unknown>;
  return source;
}

let source: ReturnType<typeof createSource>;
let server: Server;
let url: string;
let streams: EventStream[];

async function serve(pace: { lookMs: number; aliveMs: number }): Promise<void> {
  const live = createLiveCheckouts(source, pino({ level: 'silent' }), pace);
  const app = express();
  app.get('/:token', (req, res) => {
    if (!live.open(req.params.token, req, res)) res.sendStatus(429);
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function open(token: string): Promise<EventStream> {
  const stream = await openEventStream(`${url}/${token}`);
  streams.push(stream);
  return stream;
}

beforeEach(() => {
  source = createSource();
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('an open page', () => {
  it('is sent its state at once, and again whenever it changes, and nothing in between', async () => {
    await serve({ lookMs: 10, aliveMs: 60_000 });
    source.set('a', 'waiting');
    const page = await open('a');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/event-stream');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(await page.next()).toBe('retry: 2000');
    expect(await page.next()).toBe('event: state\ndata: "waiting"');
    const asked = source.questions;
    await vi.waitFor(() => expect(source.questions).toBeGreaterThan(asked + 2));
    source.set('a', 'line\nbreak');
    expect(await page.next()).toBe('event: state\ndata: "line\\nbreak"');
  });

  it('hears that it is alive while nothing changes', async () => {
    await serve({ lookMs: 5, aliveMs: 20 });
    source.set('a', 'waiting');
    const page = await open('a');
    expect(await page.data()).toBe('"waiting"');
    expect(await page.next()).toBe(': alive');
    expect(await page.next()).toBe(': alive');
  });

  it('does not hear of other pages', async () => {
    await serve({ lookMs: 10, aliveMs: 60_000 });
    source.set('a', 'A');
    source.set('b', 'B');
    const [a, b] = [await open('a'), await open('b')];
    expect([await a.data(), await b.data()]).toEqual(['"A"', '"B"']);
    source.set('b', 'B2');
    expect(await b.data()).toBe('"B2"');
    source.set('a', 'A2');
    expect(await a.data()).toBe('"A2"');
  });

  it('lives through an outage, and is told what changed meanwhile', async () => {
    await serve({ lookMs: 10, aliveMs: 60_000 });
    source.set('a', 'waiting');
    const page = await open('a');
    expect(await page.data()).toBe('"waiting"');
    source.isDown = true;
    source.set('a', 'paid');
    const asked = source.questions;
    await vi.waitFor(() => expect(source.questions).toBeGreaterThan(asked + 2));
    source.isDown = false;
    expect(await page.data()).toBe('"paid"');
  });

  it('ends when the server stops, which waits for it no longer', async () => {
    await serve({ lookMs: 10, aliveMs: 60_000 });
    source.set('a', 'waiting');
    const page = await open('a');
    await page.data();
    const stopped = once(server, 'close');
    server.close();
    source.set('a', 'paid meanwhile');
    let last: string | null = '';
    while (last !== null) last = await page.next();
    await stopped;
  });
});

describe('many pages', () => {
  it('ask one question at a time together, and the first one after all were closed is served as well', async () => {
    await serve({ lookMs: 25, aliveMs: 60_000 });
    for (let i = 0; i < 100; i += 1) source.set(`page-${i}`, `state ${i}`);
    for (let i = 0; i < 100; i += 1) await open(`page-${i}`);
    for (const [i, stream] of streams.entries()) expect(await stream.data()).toBe(`"state ${i}"`);
    const before = { questions: source.questions, at: performance.now() };
    await vi.waitFor(() => expect(source.questions).toBeGreaterThan(before.questions + 4));
    const rounds = (performance.now() - before.at) / 25;
    expect(source.questions - before.questions).toBeLessThanOrEqual(Math.ceil(rounds) + 1);

    for (const stream of streams) stream.close();
    const left = () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
    await vi.waitFor(async () => expect(await left()).toBe(0));
    source.set('page-0', 'later');
    const again = await open('page-0');
    expect(await again.data()).toBe('"later"');
  });

  it('of one invoice are twenty, the next is refused, and one that closes makes room', async () => {
    await serve({ lookMs: 10, aliveMs: 60_000 });
    source.set('a', 'waiting');
    source.set('b', 'other');
    for (let i = 0; i < 20; i += 1) expect((await open('a')).status).toBe(200);
    expect((await open('a')).status).toBe(429);
    expect((await open('b')).status).toBe(200);
    streams[0]?.close();
    await vi.waitFor(async () => expect((await open('a')).status).toBe(200));
  });
});
