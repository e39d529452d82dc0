/**
 * Live state of open checkout pages over server-sent events. One question a second to the database serves all of them,
 * however many there are; a page is sent its state at the start and whenever it changes. A page that loses its connection
 * asks again by itself, and is sent the state there is then: nothing is kept for it.
 */
import type { Server } from 'node:http';
import type { Request, Response } from 'express';
import type { Logger } from '../../../config/logger.ts';

/** Where pages come from: their states as text, and what tells that one has changed. */
export type LiveSource = {
  versions(tokens: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Null where there is nothing (any more). */
  state(token: string): Promise<string | null>;
};

export type LiveCheckouts = {
  /** Keeps the answer open. Refuses with `false` where too many are open already. */
  open(token: string, req: Request, res: Response): boolean;
};

/** Of all pages, and of one: a page that is open in many tabs is no reason to serve nobody else. */
const OPEN_MAX = 2_000;
const OPEN_PER_PAGE_MAX = 20;
/** How often the database is asked, and what a page hears that has heard nothing for so long: proxies close after half a minute. */
const usualPace = { lookMs: 1_000, aliveMs: 15_000 };

type Listener = {
  token: string;
  res: Response;
  server: Server | undefined;
  seen: string | null;
  toldAt: number;
};

export function createLiveCheckouts(source: LiveSource, log: Logger, pace = usualPace): LiveCheckouts {
  const listeners = new Set<Listener>();
  let isLooking = false;

  const look = async () => {
    try {
      const tokens = [...new Set([...listeners].map(({ token }) => token))];
      const versions = await source.versions(tokens);
      await Promise.all(tokens.map((token) => tell(token, versions.get(token))));
    } catch (err) {
      // The pages show what they have; the next look tells them.
      log.warn({ err }, 'open checkout pages could not be brought up to date');
    }
    for (const listener of listeners) keepOrEnd(listener);
    isLooking = listeners.size > 0;
    if (isLooking) setTimeout(() => void look(), pace.lookMs);
  };

  const tell = async (token: string, version: string | undefined) => {
    const behind = [...listeners].filter((each) => each.token === token && each.seen !== version);
    if (behind.length === 0 || version === undefined) return;
    const state = await source.state(token);
    for (const listener of behind) {
      listener.seen = version;
      listener.toldAt = Date.now();
      listener.res.write(`event: state\ndata: ${JSON.stringify(state)}\n\n`);
    }
  };

  /** A server that stops does not wait for its pages: they ask the next one. */
  const keepOrEnd = (listener: Listener) => {
    if (listener.server?.listening === false) {
      // Nothing more is written to it, however long its reader takes to close it.
      listeners.delete(listener);
      listener.res.end();
    } else if (Date.now() - listener.toldAt >= pace.aliveMs) {
      listener.toldAt = Date.now();
      listener.res.write(': alive\n\n');
    }
  };

  return {
    open(token, req, res) {
      const ofPage = [...listeners].filter((each) => each.token === token).length;
      if (listeners.size >= OPEN_MAX || ofPage >= OPEN_PER_PAGE_MAX) return false;
      const { server } = req.socket as typeof req.socket & { server?: Server };
      const listener: Listener = { token, res, server, seen: null, toldAt: Date.now() };
      res.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      res.write('retry: 2000\n\n');
      listeners.add(listener);
      res.on('close', () => listeners.delete(listener));
      if (!isLooking) void look();
      isLooking = true;
      return true;
    },
  };
}
