/** A small HTTP server on loopback with routes, whole bodies, and the freedom to hang up. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type HttpRequest = {
  method: string;
  path: string;
  /** Values of the `:name` segments of the route. */
  pathParams: Record<string, string>;
  /** Without the question mark. */
  query: string;
  headers: IncomingHttpHeaders;
  rawBody: Buffer;
};

/** `hang_up` closes the connection without an answer. */
export type HttpAnswer =
  | { status: number; headers: Record<string, string>; body: string | Buffer }
  | 'hang_up';

export type Route = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Segments that start with a colon match anything: `/v1/customers/:id`. */
  path: string;
  answer(request: HttpRequest): HttpAnswer | Promise<HttpAnswer>;
};

export type HttpServer = { url: string; close(): Promise<void> };

/** Listens on 127.0.0.1; port 0 takes a free one. The first route that matches answers. */
export async function serve({
  port,
  routes,
  fallback,
}: {
  port: number;
  routes: Route[];
  fallback: (request: HttpRequest) => HttpAnswer;
}): Promise<HttpServer> {
  const matchers = routes.map((route) => ({ route, match: pathMatcher(route.path) }));

  const answer = async (message: IncomingMessage): Promise<HttpAnswer> => {
    const { pathname, search } = new URL(message.url ?? '/', 'http://sandbox');
    const request: HttpRequest = {
      method: message.method ?? 'GET',
      path: pathname,
      pathParams: {},
      query: search.slice(1),
      headers: message.headers,
      rawBody: await readBody(message),
    };
    for (const { route, match } of matchers) {
      const pathParams = route.method === request.method ? match(pathname) : null;
      if (pathParams) return route.answer({ ...request, pathParams });
    }
    return fallback(request);
  };

  const server = createServer((message, response) => {
    answer(message)
      .catch((error: unknown) => jsonAnswer(500, { sandbox_error: String(error) }))
      .then((result) => send(response, result))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function jsonAnswer(status: number, body: unknown, headers: Record<string, string> = {}): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body, null, 2),
  };
}

export function textAnswer(status: number, body: string, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}

/** A page of the sandbox's own; no scripts, and frames only of itself. */
export function htmlAnswer(status: number, body: string): HttpAnswer {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; frame-src 'self'";
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
    body,
  };
}

export function redirectAnswer(location: string): HttpAnswer {
  return { status: 303, headers: { location }, body: '' };
}

const bodyBytesMax = 1024 * 1024;

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new RangeError(`Request body above ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: HttpAnswer): void {
  if (answer === 'hang_up') {
    response.socket?.destroy();
    return;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

function pathMatcher(pattern: string): (path: string) => Record<string, string> | null {
  const expected = pattern.split('/');
  return (path) => {
    const actual = path.split('/');
    if (actual.length !== expected.length) return null;
    const params: Record<string, string> = {};
    for (const [index, segment] of expected.entries()) {
      const value = actual[index] ?? '';
      if (segment.startsWith(':')) params[segment.slice(1)] = decodeURIComponent(value);
      else if (segment !== value) return null;
    }
    return params;
  };
}
