/**
 * The SDK's connection, with the faults of its version 2.9.8 contained: it takes neither address nor timeout (it waits for
 * ever), where no answer came it throws a TypeError that says nothing of the cause, and it sends no header of one request.
 * All four go by the HTTP client it keeps to itself; where a newer version keeps it elsewhere, this fails at the start and
 * not in the middle.
 */
import Razorpay from 'razorpay';
import { z } from 'zod';

export type RazorpayConnection = {
  keyId: string;
  keySecret: string;
  /** A sandbox; Razorpay itself when absent. */
  apiBase?: string | undefined;
  timeoutMs?: number;
};

/** What a failed request leaves: the status (0 without an answer), the vendor's own error, and what the SDK would hide. */
export type FailedRequest = {
  statusCode: number;
  error: { vendor?: unknown; networkCode?: string; retryAfterMs?: number };
};

export function createRazorpay({
  keyId,
  keySecret,
  apiBase,
  timeoutMs = 10_000,
}: RazorpayConnection): Razorpay {
  const razorpay = new Razorpay({ key_id: keyId, key_secret: keySecret });
  const http = httpClientOf(razorpay);
  Object.assign(http.defaults, {
    timeout: timeoutMs,
    maxRedirects: 0,
    // A sandbox is on this machine, where no proxy leads.
    ...(apiBase !== undefined && { baseURL: apiBase, proxy: false }),
  });
  http.interceptors.response.use(undefined, (failure) => {
    throw withCause(failure);
  });
  return razorpay;
}

/** Sends what the SDK has no way to send: a request with headers of its own. Fails as the SDK's requests do. */
export async function postWithHeaders(
  razorpay: Razorpay,
  { path, body, headers }: { path: string; body: object; headers: Record<string, string> },
): Promise<unknown> {
  try {
    const { data } = await httpClientOf(razorpay).post(path, body, { headers });
    return data;
  } catch (failure) {
    throw asTheSdkThrows(failure);
  }
}

function asTheSdkThrows(failure: unknown): unknown {
  const parsed = wrapped.safeParse(failure);
  if (!parsed.success) return failure;
  const { status, data } = parsed.data.response;
  return { statusCode: status, error: data.error };
}

/** What `withCause` leaves. */
const wrapped = z.object({
  response: z.object({ status: z.number(), data: z.object({ error: z.unknown() }) }),
});

/** As much of the HTTP client as is used. */
type HttpClient = {
  defaults: object;
  interceptors: { response: { use(ok: undefined, failed: (failure: unknown) => never): void } };
  post(path: string, body: object, options: { headers: Record<string, string> }): Promise<{ data: unknown }>;
};

function httpClientOf(razorpay: Razorpay): HttpClient {
  const { api } = razorpay as unknown as { api?: { rq?: Partial<HttpClient> } };
  const http = api?.rq;
  if (typeof http?.defaults !== 'object' || !http.interceptors || typeof http.post !== 'function') {
    throw new Error('This version of the Razorpay SDK keeps its HTTP client elsewhere; see connection.ts');
  }
  return http as HttpClient;
}

/** The SDK throws on `response.status` and `response.data.error`, whatever is there. */
function withCause(failure: unknown): object {
  const { code, response } = failed.parse(failure);
  const retryAfterSeconds = Number(response?.headers?.['retry-after'] ?? Number.NaN);
  const error: FailedRequest['error'] = {
    ...(response?.data !== undefined && { vendor: response.data }),
    ...(response === undefined && { networkCode: code ?? 'UNKNOWN' }),
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1000 }),
  };
  return { response: { status: response?.status ?? 0, data: { error } } };
}

const failed = z.object({
  code: z.string().optional().catch(undefined),
  response: z
    .object({
      status: z.number(),
      headers: z.object({ 'retry-after': z.unknown() }).optional().catch(undefined),
      // An answer that is no JSON is text: it says nothing to us.
      data: z
        .object({ error: z.unknown() })
        .transform(({ error }) => error)
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});
