/**
 * The codec endpoint: the Web UI's browser page and the CLI send it encrypted payloads and get them back in plain
 * text, so that operators can read histories while Temporal never holds the key.
 * It answers pages of the Web UI only (any other page's request is refused, also one that reaches us by DNS
 * rebinding), binds to the loopback interface unless told otherwise, and asks for a bearer token where one is set.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Payload, PayloadCodec } from '@temporalio/common';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { PayloadDecryptionError } from './codec.ts';

/** A running codec endpoint. */
export type CodecServer = { port: number; close(): Promise<void> };

/** Serves POST /decode and /encode until closed. `allowedOrigins` are the origins of the Web UI. */
export async function startCodecServer({
  codec,
  allowedOrigins,
  port,
  host = '127.0.0.1',
  token,
}: {
  codec: PayloadCodec;
  allowedOrigins: readonly string[];
  port: number;
  host?: string | undefined;
  token?: string | undefined;
}): Promise<CodecServer> {
  const app = express().disable('x-powered-by').disable('etag');
  app.use(allowOnly(allowedOrigins));
  if (token !== undefined) app.use(requireToken(token));
  app.use(express.json({ limit: BODY_MAX, type: () => true }));
  // The protocol looks at the end of the path only: clients may put the namespace before it.
  app.post(['/decode', '/*path/decode'], convertWith(codec.decode.bind(codec)));
  app.post(['/encode', '/*path/encode'], convertWith(codec.encode.bind(codec)));
  app.use((_req, res) => void res.status(404).json({ message: 'POST /decode or POST /encode.' }));
  app.use(answerError);

  const server = createServer(app);
  await listen({ server, port, host });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

/** The origins under which a browser may show the Web UI: `localhost` and `127.0.0.1` are the same machine. */
export function webUiOrigins(uiUrl: string): string[] {
  const url = new URL(uiUrl);
  const twins: Record<string, string> = { localhost: '127.0.0.1', '127.0.0.1': 'localhost' };
  const twin = twins[url.hostname];
  return twin ? [url.origin, url.origin.replace(url.hostname, twin)] : [url.origin];
}

/** Room for a whole page of history in base64; a single payload has at most 2 MiB. */
const BODY_MAX = '32mb';

/** A payload in the JSON form of protocol buffers: bytes are base64. */
type JsonPayload = { metadata?: Record<string, string>; data?: string };

function convertWith(convert: (payloads: Payload[]) => Promise<Payload[]>): RequestHandler {
  return async (req, res) => {
    const payloads = payloadsOf(req.body);
    if (payloads === undefined) {
      res.status(400).json({ message: 'The body must be {"payloads": [{"metadata": {…}, "data": "…"}]}.' });
      return;
    }
    const converted = await convert(payloads.map(fromJson));
    res.set('Cache-Control', 'no-store').json({ payloads: converted.map(toJson) });
  };
}

/** Tools without a page (the CLI) send no origin; every page does with a POST. */
function allowOnly(allowedOrigins: readonly string[]): RequestHandler {
  return (req, res, next) => {
    const origin = req.get('origin');
    res.vary('Origin');
    if (origin !== undefined && !allowedOrigins.includes(origin)) {
      res.status(403).json({ message: 'This origin may not use the codec endpoint.' });
      return;
    }
    if (origin !== undefined) {
      res.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Methods': 'POST',
        'Access-Control-Allow-Headers': 'Content-Type, X-Namespace, Authorization, Authorization-Extras',
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Max-Age': '600',
      });
    }
    if (req.method === 'OPTIONS') res.sendStatus(204);
    else next();
  };
}

function requireToken(token: string): RequestHandler {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return (req, res, next) => {
    if (timingSafeEqual(digest(req.get('authorization') ?? ''), expected)) next();
    else res.status(401).set('WWW-Authenticate', 'Bearer').json({ message: 'A bearer token is required.' });
  };
}

/** What we could not decrypt is the configuration's fault or the payload's, and both are told to the operator. */
const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
  if (error instanceof PayloadDecryptionError) res.status(400).json({ message: error.message });
  else if (error.status >= 400 && error.status < 500)
    res.status(error.status).json({ message: error.message });
  else res.status(500).json({ message: 'The codec failed.' });
};

/** The JSON form leaves an empty list out, so the CLI sends `{}` where there is nothing to decode. */
function payloadsOf(body: unknown): JsonPayload[] | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const { payloads = [] } = body as { payloads?: unknown };
  return Array.isArray(payloads) && payloads.every(isJsonPayload) ? payloads : undefined;
}

function isJsonPayload(value: unknown): value is JsonPayload {
  if (typeof value !== 'object' || value === null) return false;
  const { metadata = {}, data = '' } = value as Record<string, unknown>;
  return (
    typeof data === 'string' &&
    typeof metadata === 'object' &&
    metadata !== null &&
    Object.values(metadata).every((entry) => typeof entry === 'string')
  );
}

function fromJson({ metadata, data }: JsonPayload): Payload {
  return {
    ...(metadata
      ? {
          metadata: Object.fromEntries(
            Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
          ),
        }
      : {}),
    ...(data === undefined ? {} : { data: Buffer.from(data, 'base64') }),
  };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return {
    ...(metadata
      ? {
          metadata: Object.fromEntries(
            Object.entries(metadata).map(([name, bytes]) => [name, base64(bytes)]),
          ),
        }
      : {}),
    ...(data ? { data: base64(data) } : {}),
  };
}

function listen({ server, port, host }: { server: Server; port: number; host: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
}
