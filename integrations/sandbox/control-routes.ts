/** The control endpoints every sandbox has under `/_sandbox`: log, calls, faults, clock, keys, reset. */
import { z } from 'zod';
import type { SandboxControl, SandboxCore } from './core.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer, type Route } from './http.ts';

const clockChange = z.union([
  z.strictObject({ now: z.iso.datetime({ offset: true }) }),
  z.strictObject({ advanceSeconds: z.number().int() }),
]);

export function createControlRoutes({ clock, faults }: SandboxCore, actions: SandboxControl): Route[] {
  const clockAnswer = () => jsonAnswer(200, { now: clock.now().toISOString() });

  return [
    control('GET', '/_sandbox/log', () => jsonAnswer(200, { entries: actions.effects() })),
    control('GET', '/_sandbox/calls', () => jsonAnswer(200, { calls: actions.calls() })),
    control('GET', '/_sandbox/faults', () => jsonAnswer(200, faults.plan())),
    control('POST', '/_sandbox/faults', (request) => jsonAnswer(200, faults.set(jsonBody(request)))),
    control('GET', '/_sandbox/clock', clockAnswer),
    control('POST', '/_sandbox/clock', (request) => {
      const change = clockChange.parse(jsonBody(request));
      if ('now' in change) clock.set(new Date(change.now));
      else clock.advance(change.advanceSeconds);
      return clockAnswer();
    }),
    control('POST', '/_sandbox/idempotency-keys/forget', () => {
      actions.forgetIdempotencyKeys();
      return jsonAnswer(200, { forgotten: true });
    }),
    control('POST', '/_sandbox/reset', () => {
      actions.reset();
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
