/**
 * A caller as the API's documentation asks for: every write carries an Idempotency-Key, and a request whose answer is
 * lost or is a 5xx is sent again under the same key, to whichever API process listens. What was answered 2xx is
 * remembered: at the end all of it must be there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../integrations/sandbox/random.ts';

export type Answer<Body = Record<string, unknown>> = { status: number; body: Body; headers: Headers };

/** A write that the API has confirmed. */
export type Acknowledged = {
  operation: string;
  key: string;
  at: Date;
  status: number;
  body: Record<string, unknown>;
};

export type ApiClient = {
  /** Sends until there is an answer that says more than "try again". Throws when there is none in time. */
  write(request: WriteRequest): Promise<Answer>;
  acknowledged(): readonly Acknowledged[];
  /** How often each status (or `no answer`) came back, over all tries. */
  statuses(): Readonly<Record<string, number>>;
  /** Answers that the API must never give: a 500, or a 503 that does not say when to come back. */
  misbehaviour(): readonly string[];
};

export type WriteRequest = { method: 'POST' | 'PUT'; path: string; key: string; body?: unknown };

/** `urls`: the API processes; a try that fails goes on with the next one. */
export function createApiClient({
  urls,
  apiKey,
  random,
  patienceMs = 240_000,
}: {
  urls: readonly string[];
  apiKey: string;
  random: Random;
  patienceMs?: number;
}): ApiClient {
  const acknowledged: Acknowledged[] = [];
  const statuses: Record<string, number> = {};
  const misbehaviour: string[] = [];
  let turn = 0;

  const attempt = async ({ method, path, key, body }: WriteRequest): Promise<Answer | null> => {
    turn += 1;
    const answer = await send(`${urls[turn % urls.length]}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body ?? {}),
    });
    const status = String(answer?.status ?? 'no answer');
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (answer === null) return null;
    const comesBack = answer.headers.has('retry-after');
    if (answer.status === 500 || (answer.status === 503 && !comesBack)) {
      misbehaviour.push(`${method} ${path}: ${status} ${JSON.stringify(answer.body)}`);
    }
    return answer.status >= 500 ? null : answer;
  };

  return {
    acknowledged: () => acknowledged,
    statuses: () => statuses,
    misbehaviour: () => misbehaviour,
    async write(request) {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const answer = await attempt(request);
        if (answer !== null) {
          const { status, body } = answer;
          const operation = `${request.method} ${request.path}`;
          if (status < 300) acknowledged.push({ operation, key: request.key, at: new Date(), status, body });
          return answer;
        }
        if (Date.now() > deadline) throw new Error(`No answer to ${request.method} ${request.path}`);
        await delay(200 + random() * 800);
      }
    },
  };
}

/** Longer than the API itself waits for a process. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Null: the connection broke, or nothing came. */
async function send(url: string, init: RequestInit): Promise<Answer | null> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    const text = await response.text();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, body, headers: response.headers };
  } catch {
    return null;
  }
}
