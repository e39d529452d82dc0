/** The control endpoints every sandbox has under `/_sandbox`: log, calls, faults, clock, keys, reset. */
import { z } from 'zod';
import type { SandboxClock } from './clock.ts';
import type { EffectLog } from './effect-log.ts';
import type { Faults } from './faults.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer, type Route } from './http.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import type { Store } from './store.ts';

export type ControlParts = {
  store: Store;
  clock: SandboxClock;
  log: EffectLog;
  faults: Faults;
  keys: IdempotencyKeys;
  calls: CallCounter;
};

/** How often each operation was called. */
export type CallCounter = { count(op: string): void; all(): Record<string, number>; clear(): void };

export function createCallCounter(): CallCounter {
  let calls: Record<string, number> = {};
  return {
    count: (op) => {
      calls[op] = (calls[op] ?? 0) + 1;
    },
    all: () => ({ ...calls }),
    clear: () => {
      calls = {};
    },
  };
}

/** Forgets objects, keys, log, calls and faults; the clock returns to the real one. */
export function resetSandbox({ store, log, faults, keys, calls }: ControlParts): void {
  keys.forget();
  store.clear();
  log.clear();
  calls.clear();
  faults.set({});
}

const clockChange = z.union([
  z.strictObject({ now: z.iso.datetime({ offset: true }) }),
  z.strictObject({ advanceSeconds: z.number().int() }),
]);

export function createControlRoutes(parts: ControlParts): Route[] {
  const { clock, log, faults, keys, calls } = parts;
  const clockAnswer = () => jsonAnswer(200, { now: clock.now().toISOString() });

  return [
    { method: 'GET', path: '/_sandbox/log', answer: () => jsonAnswer(200, { entries: log.entries() }) },
    { method: 'GET', path: '/_sandbox/calls', answer: () => jsonAnswer(200, { calls: calls.all() }) },
    { method: 'GET', path: '/_sandbox/faults', answer: () => jsonAnswer(200, faults.plan()) },
    control('POST', '/_sandbox/faults', (request) => jsonAnswer(200, faults.set(jsonBody(request)))),
    { method: 'GET', path: '/_sandbox/clock', answer: clockAnswer },
    control('POST', '/_sandbox/clock', (request) => {
      const change = clockChange.parse(jsonBody(request));
      if ('now' in change) clock.set(new Date(change.now));
      else clock.advance(change.advanceSeconds);
      return clockAnswer();
    }),
    control('POST', '/_sandbox/idempotency-keys/forget', () => {
      keys.forget();
      return jsonAnswer(200, { forgotten: true });
    }),
    control('POST', '/_sandbox/reset', () => {
      resetSandbox(parts);
      return jsonAnswer(200, { reset: true });
    }),
  ];
}

/** A control endpoint: a body that makes no sense is a 400 that says why. */
export function control(
  method: Route['method'],
  path: string,
  answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>,
): Route {
  return {
    method,
    path,
    answer: async (request) => {
      try {
        return await answer(request);
      } catch (error) {
        const problem = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
        return jsonAnswer(400, { error: problem });
      }
    },
  };
}

/** The body as JSON; an absent body is an empty object. */
export function jsonBody(request: HttpRequest): unknown {
  return request.rawBody.length === 0 ? {} : JSON.parse(request.rawBody.toString('utf8'));
}
