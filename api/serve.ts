/** Makes Express serve declared operations: authentication first, then the key, then the input, then the deed. */
import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { authenticate } from './authentication.ts';
import { withUpload } from './body-file.ts';
import { carryOut, type Outcome } from './carry-out.ts';
import { toCsv } from './csv.ts';
import type { ApiDependencies } from './dependencies.ts';
import { receiveFile } from './form-file.ts';
import { Problem, type RequestMistake } from './problem.ts';
import {
  type Caller,
  type CsvSpec,
  type FileBody,
  type FileSpec,
  needsKey,
  type OpenRoute,
  type Route,
} from './route.ts';

/** A router of these operations; every other method on their paths is 405. */
export function serveRoutes(
  deps: ApiDependencies,
  routes: readonly Route[],
  openRoutes: readonly OpenRoute[],
): Router {
  const router = Router({ caseSensitive: true, strict: true });
  for (const route of routes) router[route.method](expressPath(route.path), ...handlersOf(deps, route));
  for (const { method, path, handlers } of openRoutes) router[method](expressPath(path), ...handlers);
  for (const [path, methods] of methodsByPath([...routes, ...openRoutes])) {
    router.all(expressPath(path), refuseMethod(methods));
  }
  return router;
}

const BODY_MAX_BYTES = 1024 * 1024;

const parseJson = express.json({ limit: BODY_MAX_BYTES, type: () => true });

function handlersOf(deps: ApiDependencies, route: Route): RequestHandler[] {
  const identify: RequestHandler = async (req, res, next) => {
    res.locals['caller'] = await authenticate(deps.db, req, route.scope);
    res.locals['key'] = needsKey(route) ? idempotencyKey(req) : undefined;
    next();
  };
  const carriedOut = (req: Request, res: Response, input: ReturnType<typeof validInput>) =>
    carryOut(deps, {
      route,
      caller: res.locals['caller'] as Caller,
      operation: `${req.method} ${req.path}`,
      key: res.locals['key'] as string | undefined,
      input,
    });
  const handle: RequestHandler = async (req, res) => {
    const input = validInput(route, req);
    const outcome =
      route.upload === undefined
        ? await carriedOut(req, res, input)
        : await withUpload(req, route.upload, (body) => carriedOut(req, res, { ...input, body }));
    await send(req, res, route, outcome);
    await outcome.afterwards?.().catch((err: unknown) => {
      req.log.warn({ err }, 'a note about a delivered start was lost; the relay will deliver it again');
    });
  };
  if (route.takesFile) return [identify, ...receiveFile('file'), handle];
  return route.body === undefined ? [identify, handle] : [identify, requireJson, parseJson, handle];
}

async function send(req: Request, res: Response, route: Route, { answer, replayed }: Outcome): Promise<void> {
  const { status, body } = answer;
  const spec = route.responses[status];
  if (spec !== undefined && 'mediaType' in spec) return sendFile(res, status, spec, body as FileBody);
  if (spec?.csv !== undefined && wantsCsv(req)) return sendCsv(req, res, { status, csv: spec.csv, body });
  const isProblem = status >= 400;
  res
    .status(status)
    .set({
      'Content-Type': isProblem ? 'application/problem+json' : 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      ...(replayed && { 'Idempotency-Replayed': 'true' }),
    })
    .send(JSON.stringify(body));
}

async function sendFile(
  res: Response,
  status: number,
  { mediaType }: FileSpec,
  { fileName, content }: FileBody,
): Promise<void> {
  const bytes = await content();
  const isOurs = mediaType === 'application/pdf';
  res
    .status(status)
    .set({
      'Content-Type': mediaType,
      'Content-Disposition': `${isOurs ? 'inline' : 'attachment'}; filename="${fileName}"`,
      'Cache-Control': 'no-store',
      // Whatever opens it all the same runs nothing of it.
      ...(!isOurs && { 'Content-Security-Policy': "default-src 'none'; sandbox" }),
    })
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** The query decides where both say something. */
function wantsCsv(req: Request): boolean {
  const { format } = req.query;
  return format === undefined ? req.accepts(['json', 'csv']) === 'csv' : format === 'csv';
}

function sendCsv(
  req: Request,
  res: Response,
  { status, csv: { fileName, tableOf }, body }: { status: number; csv: CsvSpec; body: unknown },
): void {
  const next = nextPage(req, body);
  res
    .status(status)
    .set({
      'Content-Type': 'text/csv; charset=utf-8',
      'Content-Disposition': `attachment; filename="${fileName}"`,
      'Cache-Control': 'no-store',
      ...(next !== null && { Link: `<${next}>; rel="next"` }),
    })
    .send(toCsv(tableOf(body as never)));
}

/** A table has no place for the cursor (RFC 8288). */
function nextPage({ originalUrl }: Request, body: unknown): string | null {
  const { nextCursor } = (body ?? {}) as { nextCursor?: string | null };
  if (nextCursor == null) return null;
  const [path = '', query = ''] = originalUrl.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('cursor', nextCursor);
  return `${path}?${parameters}`;
}

const keyPattern = /^[\x21-\x7e]{1,255}$/;

function idempotencyKey(req: Request): string {
  const key = req.get('idempotency-key');
  if (key === undefined || key === '') {
    throw new Problem({
      code: 'idempotency_key_required',
      detail:
        'Send the header Idempotency-Key with a value of your own (a UUID, say), and the same value again when you repeat the request.',
    });
  }
  if (!keyPattern.test(key)) {
    throw invalidRequest([
      { path: 'header.Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters without spaces' },
    ]);
  }
  return key;
}

const requireJson: RequestHandler = (req, _res, next) => {
  // Many clients announce the body they do not send: a length of 0 is no body, and needs no type.
  if (req.headers['content-length'] === '0' || req.is('application/json') !== false) return next();
  throw new Problem({ code: 'unsupported_media_type', detail: 'Send the body as application/json.' });
};

/** Every mistake of query and body at once. A path parameter that cannot be an id names nothing: 404. */
function validInput(route: Route, req: Request): { params: unknown; query: unknown; body: unknown } {
  const params = (route.params ?? z.unknown()).safeParse({ ...req.params });
  if (!params.success) throw nothingAt(req.path);

  const query = (route.query ?? z.strictObject({})).safeParse({ ...req.query });
  const body = (route.body ?? z.unknown()).safeParse(route.body === undefined ? undefined : (req.body ?? {}));
  if (query.success && body.success) return { params: params.data, query: query.data, body: body.data };
  throw invalidRequest([...mistakesOf('query', query.error), ...mistakesOf('body', body.error)]);
}

function mistakesOf(place: 'query' | 'body', error: z.ZodError | undefined): RequestMistake[] {
  return (error?.issues ?? []).flatMap((issue) => {
    const path = [place, ...issue.path.map(String)].join('.');
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: `${path}.${key}`, message: 'is not a known field' }));
  });
}

function invalidRequest(errors: RequestMistake[]): Problem {
  const count = errors.length === 1 ? 'one mistake' : `${errors.length} mistakes`;
  return new Problem({ code: 'invalid_request', detail: `The request has ${count}; see errors.`, errors });
}

/** The answer for a path that names no operation and no object. */
export function nothingAt(path: string): Problem {
  return new Problem({ code: 'not_found', detail: `There is nothing at ${path}.` });
}

function refuseMethod(methods: readonly string[]): RequestHandler {
  const allow = methods.map((method) => method.toUpperCase()).join(', ');
  return (req) => {
    throw new Problem({
      code: 'method_not_allowed',
      detail: `${req.path} has ${allow} only.`,
      headers: { Allow: allow },
    });
  };
}

function methodsByPath(routes: readonly { path: string; method: string }[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) methods.set(path, [...(methods.get(path) ?? []), method]);
  return methods;
}

/** `/v1/customers/{customerId}` → `/v1/customers/:customerId` */
function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}
