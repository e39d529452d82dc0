/**
 * One conversation with a Bitcoin node: JSON-RPC over HTTP, as btcd and Bitcoin Core speak it. It is only asked and never
 * told: whatever goes wrong, nothing has happened, and it is asked again.
 * https://developer.bitcoin.org/reference/rpc/
 */
import { z } from 'zod';
import { VendorError } from '../../domain/errors.ts';

export type RpcCall = { method: string; params: readonly (string | number | boolean)[] };

export type RpcError = { code: number; message: string };

/** What one call was answered with. */
export type RpcAnswer = { result: unknown; error: null } | { result: null; error: RpcError };

export type BitcoinRpc = {
  /** Host and port. */
  name: string;
  /** All calls in one request, answered in their order. What a call itself was refused with is in its answer. */
  ask(calls: readonly RpcCall[]): Promise<RpcAnswer[]>;
};

/** Speaks to the node at an address such as `http://user:password@host:8332`. Throws a `RangeError` for another one. */
export function createBitcoinRpc({ url, timeoutMs }: { url: string; timeoutMs: number }): BitcoinRpc {
  const { name, endpoint, authorization } = readUrl(url);
  const fail = failures(name);

  return {
    name,
    async ask(calls) {
      const requests = calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call }));
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
        body: JSON.stringify(requests.length === 1 ? requests[0] : requests),
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'error',
      }).catch((cause: unknown) => {
        throw fail('vendor_unavailable', 'no answer', { cause });
      });
      return readAnswers(response, calls, fail);
    },
  };
}

/** What a call was refused with, in our words. */
export function toVendorError(name: string, method: string, { code, message }: RpcError): VendorError {
  const fail = failures(name);
  if (code === WARMING_UP) return fail('vendor_unavailable', `is still starting (${message})`);
  if (/pruned/i.test(message)) {
    return fail(
      'vendor_rejected_request',
      'has thrown this block away; use a node that keeps all blocks (prune=0)',
    );
  }
  const isTheirs = theirFaults.has(code) || /not fully downloaded/i.test(message);
  return fail(isTheirs ? 'vendor_unavailable' : 'vendor_rejected_request', `${method}: ${message} (${code})`);
}

/** An answer that was not understood; what it held is not repeated. */
export function unreadable(name: string, cause: unknown): VendorError {
  return failures(name)('vendor_unavailable', 'no readable answer', { cause });
}

export const METHOD_NOT_FOUND = -32_601;
export const METHOD_DEPRECATED = -32;
export const INTERNAL_ERROR = -32_603;
const WARMING_UP = -28;

/** Out of memory, not connected, downloading the chain, database, internal error. */
const theirFaults = new Set([-7, -9, -10, -20, INTERNAL_ERROR]);

type Fail = (
  code: 'vendor_unavailable' | 'vendor_rejected_request' | 'rate_limited',
  what: string,
  more?: { cause?: unknown; retryAfterMs?: number },
) => VendorError;

function failures(name: string): Fail {
  return (code, what, more = {}) =>
    new VendorError({ code, message: `Bitcoin node ${name}: ${what}`, ...more });
}

/** The password stays out of every message. */
function readUrl(url: string): { name: string; endpoint: string; authorization: string | null } {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const login = parsed && loginIn(parsed);
  if (!parsed || login === null || !['http:', 'https:'].includes(parsed.protocol)) {
    throw new RangeError(
      'The address of a Bitcoin node must look like http://user:password@host:8332, other signs than letters and ' +
        'digits in the password written as in every URL (%40 for @).',
    );
  }
  const { host } = parsed;
  parsed.username = '';
  parsed.password = '';
  return {
    name: host,
    endpoint: parsed.href,
    authorization: login === ':' ? null : `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

/** `user:password` as they are meant; null where they are written wrongly. */
function loginIn({ username, password }: URL): string | null {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  } catch {
    return null;
  }
}

const answer = z.object({
  id: z.number().nullish(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

const answers = z.union([answer.transform((one) => [one]), z.array(answer)]);

/** Core answers a refused call with a status of its own, and the reason in the body: that is read first. */
async function readAnswers(response: Response, calls: readonly RpcCall[], fail: Fail): Promise<RpcAnswer[]> {
  const { status } = response;
  if (status === 401 || status === 403) {
    throw fail('vendor_rejected_request', `refuses the user or the password (status ${status})`);
  }
  if (status === 429) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const retryAfter = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
    throw fail('rate_limited', 'asks us to slow down', retryAfter);
  }
  const text = await response.text().catch((cause: unknown) => {
    throw fail('vendor_unavailable', 'an answer that broke off', { cause });
  });
  const parsed = answers.safeParse(jsonOf(text));
  const saysWhy = parsed.success && parsed.data.some(({ error }) => error);
  if (!response.ok && !saysWhy) {
    throw fail(status < 500 ? 'vendor_rejected_request' : 'vendor_unavailable', `status ${status}`);
  }
  if (!parsed.success) throw fail('vendor_unavailable', 'no readable answer');
  return inOrder(parsed.data, calls, fail);
}

/** A node may answer a batch in any order; one that takes no batches answers with a single error. */
function inOrder(found: z.output<typeof answers>, calls: readonly RpcCall[], fail: Fail): RpcAnswer[] {
  const [first] = found;
  if (found.length === 1 && (calls.length === 1 || first?.error)) {
    return calls.map(() => toAnswer(first));
  }
  const byId = new Map(found.map((each) => [each.id, each]));
  if (byId.size !== calls.length) throw fail('vendor_unavailable', 'answers that are missing');
  return calls.map((_call, id) => toAnswer(byId.get(id)));
}

function toAnswer(found: z.output<typeof answer> | undefined): RpcAnswer {
  const error = found ? found.error : { code: INTERNAL_ERROR, message: 'no answer to this call' };
  return error ? { result: null, error } : { result: found?.result, error: null };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
