/**
 * JSON-RPC to an Ethereum node over HTTP. A node is only read: whatever goes wrong, nothing has happened, and it may be asked
 * again. Providers put their keys into the address: it never appears in a name, a message or a cause.
 * https://ethereum.github.io/execution-apis/
 */
import { z } from 'zod';
import { type ErrorCode, VendorError } from '../../domain/errors.ts';

export type RpcCall = { method: string; params: readonly unknown[] };

export type EvmRequests = {
  /** Host and port. */
  name: string;
  /** Throws a `NodeRefusal` for an error of the node, any other `VendorError` where there was no answer. */
  ask<Shape extends z.ZodType>(shape: Shape, method: string, ...params: unknown[]): Promise<z.output<Shape>>;
  /** The same request for each, in as few posts as providers take; answers in their order. */
  askAll<Shape extends z.ZodType>(shape: Shape, calls: readonly RpcCall[]): Promise<z.output<Shape>[]>;
};

/** The node answered with an error. */
export class NodeRefusal extends VendorError {
  /** JSON-RPC's own, or the HTTP status where the body held none. */
  readonly rpcCode: number;
  readonly rpcMessage: string;
  readonly data: unknown;

  constructor({ name, rpcCode, rpcMessage, data }: Refusal & { name: string }) {
    super({ code: codeOf(rpcCode, rpcMessage), message: `${name}: ${rpcMessage}` });
    this.rpcCode = rpcCode;
    this.rpcMessage = rpcMessage;
    this.data = data;
  }

  /** It does not have the method, or not for this customer. */
  get isNotOffered(): boolean {
    return this.code === 'vendor_rejected_request' && isNotOffered(this.rpcCode, this.rpcMessage);
  }
}

/** Providers refuse larger batches. */
const BATCH_MAX = 100;

/** `url` may hold a user and a password, which become Basic authentication. Throws a `RangeError` for one that is no HTTP. */
export function createEvmRequests({ url, timeoutMs }: { url: string; timeoutMs: number }): EvmRequests {
  const { target, name, headers, secrets } = connectionOf(url);
  let lastId = 0;

  const post = async (calls: readonly RpcCall[]): Promise<unknown[]> => {
    const firstId = lastId + 1;
    lastId += calls.length;
    const requests = calls.map((call, index) => ({ jsonrpc: '2.0', id: firstId + index, ...call }));
    const { status, text } = await send(requests.length === 1 ? requests[0] : requests);
    const answers = answersIn(text);
    if (answers === null) throw unreadable(status, text);
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    return requests.map(({ id }) => {
      // A batch that is refused as a whole is answered by one error without an id.
      const answer = byId.get(id) ?? answers.find((each) => each.error !== undefined);
      if (answer?.error) throw refusal(answer.error.code, answer.error.message, answer.error.data);
      if (answer?.result === undefined) throw unavailable('an answer is missing');
      return answer.result;
    });
  };

  const send = async (body: unknown): Promise<{ status: number; text: string }> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(target, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch (failure) {
      throw unavailable(describeFailure(failure, timeoutMs));
    }
    if (response.status === 429) {
      throw new VendorError({
        code: 'rate_limited',
        message: `${name}: too many requests`,
        ...retryAfter(response.headers.get('retry-after')),
      });
    }
    if (response.status === 401 || response.status === 403) {
      const said = answersIn(text)?.find(({ error }) => error)?.error;
      throw refusal(response.status, said?.message ?? `status ${response.status}: check the key`, undefined);
    }
    return { status: response.status, text };
  };

  const unavailable = (what: string) =>
    new VendorError({ code: 'vendor_unavailable', message: `${name}: ${what}` });
  const unreadable = (status: number, text: string) =>
    status >= 400 && status < 500 && status !== 408
      ? refusal(status, `status ${status}`, undefined)
      : unavailable(status === 200 ? `no readable answer (${text.length} characters)` : `status ${status}`);
  const refusal = (rpcCode: number, message: string, data: unknown) =>
    new NodeRefusal({ name, rpcCode, rpcMessage: withoutSecrets(message, secrets), data });

  const parse = <Shape extends z.ZodType>(shape: Shape, method: string, answer: unknown) => {
    const parsed = shape.safeParse(answer);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    throw unavailable(`the answer to ${method} is not what it should be${where && ` at ${where}`}`);
  };

  return {
    name,

    async ask(shape, method, ...params) {
      const [answer] = await post([{ method, params }]);
      return parse(shape, method, answer);
    },

    async askAll(shape, calls) {
      const answers: unknown[] = [];
      for (let from = 0; from < calls.length; from += BATCH_MAX) {
        answers.push(...(await post(calls.slice(from, from + BATCH_MAX))));
      }
      return answers.map((answer, index) => parse(shape, calls[index]?.method ?? '', answer));
    },
  };
}

type Refusal = { rpcCode: number; rpcMessage: string; data: unknown };

const answerShape = z.object({
  id: z.union([z.number(), z.string(), z.null()]).optional(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }).nullish(),
});

function answersIn(text: string): z.output<typeof answerShape>[] | null {
  try {
    const json: unknown = JSON.parse(text);
    const parsed = z.array(answerShape).safeParse(Array.isArray(json) ? json : [json]);
    const answers = parsed.success ? parsed.data : [];
    return answers.some(({ result, error }) => result !== undefined || error) ? answers : null;
  } catch {
    return null;
  }
}

function connectionOf(url: string) {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new RangeError("An Ethereum node's address begins with http:// or https://.");
  }
  const { username, password, pathname, searchParams, host } = parsed;
  const login = [username, password].map(decoded);
  const parts = [...pathname.split('/'), ...searchParams.values()];
  parsed.username = '';
  parsed.password = '';
  return {
    target: parsed,
    name: host,
    headers: {
      'content-type': 'application/json',
      ...(username !== '' && { authorization: `Basic ${Buffer.from(login.join(':')).toString('base64')}` }),
    },
    // Short parts of a path are words, like `v2` or `rpc`.
    secrets: [...login.filter(({ length }) => length > 2), ...parts.filter(({ length }) => length > 5)],
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RangeError("In an Ethereum node's address, write a % of the user or the password as %25.");
  }
}

/** Providers repeat a key they do not know. */
function withoutSecrets(message: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '…'), message).slice(0, 300);
}

function describeFailure(failure: unknown, timeoutMs: number): string {
  if (failure instanceof Error && failure.name === 'TimeoutError') {
    return `no answer within ${timeoutMs / 1000} s`;
  }
  const reason = networkFailure.safeParse(failure);
  return reason.success ? `no answer (${reason.data.cause.code})` : 'no answer';
}

const networkFailure = z.object({ cause: z.object({ code: z.string() }) });

/** Seconds, or a date. */
function retryAfter(header: string | null): { retryAfterMs?: number } {
  if (header === null) return {};
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, Math.round(ms)) } : {};
}

/**
 * What JSON-RPC leaves to the server (-32000 to -32099) and internal errors pass; what was asked wrongly, or is not offered,
 * does not. -32005 is the limit of EIP-1474, of requests as of results: the latter stays.
 */
function codeOf(rpcCode: number, message: string): ErrorCode {
  if (/too many results|more than \d+ results|response size/i.test(message)) return 'vendor_rejected_request';
  if (/rate limit|too many requests|compute units|capacity exceeded/i.test(message)) return 'rate_limited';
  if (isNotOffered(rpcCode, message)) return 'vendor_rejected_request';
  if (rpcCode === -32005 || rpcCode === 429) return 'rate_limited';
  const isTheirs = (rpcCode <= -32000 && rpcCode >= -32099) || [-32603, UNKNOWN_BLOCK].includes(rpcCode);
  return isTheirs ? 'vendor_unavailable' : 'vendor_rejected_request';
}

/** The node is behind another one that told us of the block. */
const UNKNOWN_BLOCK = -39001;

function isNotOffered(rpcCode: number, message: string): boolean {
  if ([-32601, -32004, 401, 403, 404, 405].includes(rpcCode)) return true;
  return /method\b.*\b(not|unsupported|disabled|unavailable)\b|not available on|not whitelisted|upgrade/i.test(
    message,
  );
}
