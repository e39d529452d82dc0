/**
 * One request to Coinbase: its bearer, its answer checked, its failure in our words. The question each failure answers: can
 * the request have had its effect?
 */
import { z } from 'zod';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';
import { CheckoutRefused } from '../../domain/payments/coinbase-checkout.ts';
import { interruptedCode, wasNeverSent } from '../lost-requests.ts';
import * as shapes from './shapes.ts';
import { readApiKey, signToken } from './token.ts';

export type CoinbaseConnection = {
  keyName: string;
  /** As Coinbase hands it out; see `readApiKey`. */
  privateKey: string;
  /** A sandbox; Coinbase itself when absent. */
  apiBase?: string | undefined;
  timeoutMs?: number;
};

export type Connection = {
  get<Shape extends z.ZodType>(path: string, shape: Shape): Promise<z.output<Shape>>;
  post<Shape extends z.ZodType>(
    path: string,
    shape: Shape,
    request: { body: object; idempotencyKey: string },
  ): Promise<z.output<Shape>>;
};

export function connect({
  keyName,
  privateKey,
  apiBase = 'https://business.coinbase.com',
  timeoutMs = 10_000,
}: CoinbaseConnection): Connection {
  const key = readApiKey({ name: keyName, privateKey });
  const base = new URL(apiBase);

  const send = async (method: 'GET' | 'POST', path: string, init: RequestInit): Promise<Response> => {
    const url = new URL(path, base);
    const token = await signToken(key, { uri: `${method} ${url.host}${url.pathname}`, now: new Date() });
    return fetch(url, {
      ...init,
      method,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
  };
  return {
    get: (path, shape) => answered(shape, { mutates: false }, () => send('GET', path, {})),
    post: (path, shape, { body, idempotencyKey }) =>
      answered(shape, { mutates: true }, () =>
        send('POST', path, {
          headers: { 'content-type': 'application/json', 'x-idempotency-key': idempotencyKey },
          body: JSON.stringify(body),
        }),
      ),
  };
}

async function answered<Shape extends z.ZodType>(
  shape: Shape,
  { mutates }: { mutates: boolean },
  request: () => Promise<Response>,
): Promise<z.output<Shape>> {
  let response: Response;
  try {
    response = await request();
  } catch (cause) {
    throw lost(mutates, cause);
  }
  if (!response.ok) throw await refused(response, mutates);
  try {
    return shape.parse(await response.json());
  } catch (cause) {
    // What was answered instead may hold personal data: only that it was not understood is told.
    const reason = cause instanceof z.ZodError ? new Error(cause.issues[0]?.path.join('.')) : undefined;
    throw new VendorError({
      code: interruptedCode(mutates),
      message: 'Coinbase: no readable answer',
      cause: reason,
    });
  }
}

function lost(mutates: boolean, failure: unknown): VendorError {
  const { cause } = failure as { cause?: { code?: unknown } };
  const code = wasNeverSent(cause?.code) ? 'vendor_unavailable' : interruptedCode(mutates);
  return new VendorError({ code, message: 'Coinbase: no answer', cause: failure });
}

async function refused(response: Response, mutates: boolean): Promise<VendorError> {
  const { status, headers } = response;
  const { errorType, errorMessage } = await failureOf(response);
  const message = `Coinbase: ${errorMessage ?? errorType ?? `status ${status}`}`;
  if (mutates && status === 400 && errorType !== undefined) {
    return new CheckoutRefused({ reason: errorType, message });
  }
  const retryAfterSeconds = Number(headers.get('retry-after') ?? Number.NaN);
  return new VendorError({
    code: codeOf(status, mutates),
    message,
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1000 }),
  });
}

function codeOf(status: number, mutates: boolean): ErrorCode {
  if (status === 404) return 'not_found';
  if (status === 422) return 'idempotency_key_reused';
  if (status === 429) return 'rate_limited';
  if (status === 400) return interruptedCode(mutates);
  if (status === 401 || status === 403) return 'vendor_rejected_request';
  // 5xx, and a 409 while the first request of a key still runs.
  return interruptedCode(mutates);
}

async function failureOf(response: Response): Promise<z.output<typeof shapes.failure>> {
  try {
    return shapes.failure.parse(await response.json());
  } catch {
    return {};
  }
}
