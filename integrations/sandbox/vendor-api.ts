/**
 * One request to a sandboxed vendor from arrival to answer: fault, authentication, parameters, idempotency key,
 * the act itself, the log. The order is the vendor's: what is refused before the act began is not remembered
 * under the key, what the act answered is, errors included.
 */
import type { SandboxCore } from './core.ts';
import type { EffectNote } from './effect-log.ts';
import type { FaultKind } from './faults.ts';
import { type HttpAnswer, type HttpRequest, jsonAnswer, type Route } from './http.ts';
import { hashRequest, type KeyState, type StoredAnswer } from './idempotency.ts';
import {
  type Operation,
  type VendorAnswer,
  VendorRefusal,
  type VendorRequest,
  type VendorRules,
} from './vendor.ts';

export type VendorApiParts<Params> = Omit<SandboxCore, 'clock'> & {
  rules: VendorRules<Params>;
  requestLog?: RequestLog | undefined;
};

/** Takes what pino's loggers offer. */
export type RequestLog = { debug(fields: object, message: string): void };

/** Makes the routes of a vendor's operations. */
export function createVendorRoutes<Params>(
  operations: Operation<Params>[],
  parts: VendorApiParts<Params>,
): Route[] {
  return operations.map((operation) => ({
    method: operation.method,
    path: operation.path,
    answer: (request) => answerOperation(operation, request, parts),
  }));
}

async function answerOperation<Params>(
  operation: Operation<Params>,
  request: HttpRequest,
  parts: VendorApiParts<Params>,
): Promise<HttpAnswer> {
  const { rules, faults } = parts;
  const { op } = operation;
  parts.calls.count(op);
  parts.requestLog?.debug({ op }, 'sandbox was called');
  const requestId = rules.newRequestId();
  const fault = faults.draw(op);
  const reply = (answer: VendorAnswer) => {
    const headers = { ...rules.headers(requestId), ...answer.headers };
    return rules.toHttp?.(answer, headers) ?? jsonAnswer(answer.status, answer.body, headers);
  };

  const begun = begin(operation, request, parts, { requestId, fault });
  if (fault === 'slow' && 'act' in begun) await sleep(faults.plan().delayMs);
  const outcome = 'act' in begun ? begun.act() : begun;
  if (fault === 'refuse') return 'hang_up';
  if (!outcome.acted) return reply(outcome.answer);

  if (fault === 'delay') await sleep(faults.plan().delayMs);
  outcome.release?.();
  if (fault === 'drop_answer') return 'hang_up';
  if (fault === 'malformed') return cutInHalf(reply(outcome.answer));
  return reply(fault === 'error_after' ? rules.failures.serverError() : outcome.answer);
}

type Outcome = {
  answer: VendorAnswer;
  /** The act ran, now or when its answer was stored, so faults that follow an effect apply. */
  acted: boolean;
  /** Ends the time in which a repeat of the key is a conflict. */
  release?: () => void;
};

/** Nothing was done yet; the key counts as running. Acts in one synchronous step: no two requests interleave. */
type Begun = { act(): Outcome };

/** Everything up to the act, in one synchronous step. */
function begin<Params>(
  operation: Operation<Params>,
  request: HttpRequest,
  parts: VendorApiParts<Params>,
  { requestId, fault }: { requestId: string; fault: FaultKind | null },
): Outcome | Begun {
  const { rules, store, log, keys } = parts;
  const key = operation.mutates ? idempotencyKeyOf(request, rules.keyHeader(operation.op)) : null;
  const bodyHash = hashRequest(request.method, request.path, request.rawBody.toString('utf8'));
  const record = (note: EffectNote) => {
    store.commit();
    if (!operation.mutates) return;
    log.append({ op: operation.op, idempotencyKey: key, bodyHash, faultInjected: fault }, note);
  };

  const admitted = admit(operation, request, rules, fault);
  if ('refusal' in admitted) {
    record({ outcome: 'refused' });
    return { answer: admitted.refusal, acted: false };
  }

  const { params } = admitted;
  const requestHash = hashRequest(request.method, request.path, params);
  const known: KeyState = key === null ? { state: 'new' } : keys.begin(key, requestHash);
  switch (known.state) {
    case 'replay':
      record({ ...known.answer.note, outcome: 'replay' });
      return { answer: replayed(known.answer, rules), acted: true };
    case 'other_request':
      record({ outcome: 'conflict' });
      return { answer: rules.failures.otherRequestUnderKey(key ?? ''), acted: false };
    case 'in_flight':
      record({ outcome: 'conflict' });
      return { answer: rules.failures.keyInFlight(key ?? ''), acted: false };
    case 'new':
      break;
  }

  const act = () => {
    const done = run(operation, { params, pathParams: request.pathParams, idempotencyKey: key, requestId });
    if (key !== null) {
      const isRememberedAsError = fault === 'error_after' && rules.remembersServerErrors;
      const { status, body } = isRememberedAsError ? rules.failures.serverError() : done.answer;
      keys.keep(key, requestHash, { status, body, note: done.note });
    }
    record(done.note);
    return { answer: done.answer, acted: true, release: () => key !== null && keys.release(key) };
  };
  return { act };
}

/** What the vendor checks before it looks at the key: nothing of it is remembered. */
function admit<Params>(
  { op }: Operation<Params>,
  request: HttpRequest,
  rules: VendorRules<Params>,
  fault: FaultKind | null,
): { params: Params } | { refusal: VendorAnswer } {
  const early = earlyFailure(rules, fault);
  if (early) return { refusal: early };
  try {
    rules.authenticate(request);
    return { params: rules.readParams(op, request) };
  } catch (error) {
    if (error instanceof VendorRefusal) return { refusal: error.answer };
    throw error;
  }
}

function run<Params>(
  operation: Operation<Params>,
  request: VendorRequest<Params>,
): { answer: VendorAnswer; note: EffectNote } {
  try {
    const { body, note = { outcome: 'effect' } } = operation.run(request);
    // A copy: the objects inside go on changing after this answer.
    return { answer: { status: 200, body: structuredClone(body) }, note };
  } catch (error) {
    if (!(error instanceof VendorRefusal)) throw error;
    return { answer: structuredClone(error.answer), note: error.note };
  }
}

function earlyFailure<Params>(rules: VendorRules<Params>, fault: FaultKind | null): VendorAnswer | null {
  switch (fault) {
    case 'refuse':
    case 'error_before':
      return rules.failures.unavailable();
    case 'rate_limit':
      return rules.failures.rateLimited();
    default:
      return null;
  }
}

function replayed<Params>({ status, body }: StoredAnswer, rules: VendorRules<Params>): VendorAnswer {
  return { status, body, headers: rules.replayHeaders };
}

function idempotencyKeyOf(request: HttpRequest, name: string | null): string | null {
  const header = name === null ? null : request.headers[name];
  return typeof header === 'string' && header !== '' ? header : null;
}

function cutInHalf(answer: HttpAnswer): HttpAnswer {
  if (answer === 'hang_up') return answer;
  return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length / 2)) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
