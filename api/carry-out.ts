/**
 * Carries a validated request out, at most once per Idempotency-Key.
 *
 * Why it is safe to run twice: a write claims its key, does its work and keeps its answer in one transaction, so after
 * a kill at any moment all of it is there or nothing. An act of a process commits its key first; a retry repeats the act
 * under the same update id, which Temporal and the process's own list of requests know, and gets the first outcome. Only
 * an act that is known to have failed gets another update id, so that the retry acts again.
 * What a committed write still owes Temporal is in the outbox; it is delivered here ahead of the relay, and a delivery
 * that fails or is cut off is the relay's.
 */
import { createHmac } from 'node:crypto';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { type Tx, withTenant } from '../db/client.ts';
import { withTax } from '../db/queries/billing/tax-calculations.ts';
import { markOwnDelivered } from '../db/queries/operations/outbox.ts';
import {
  claimKey,
  type KeyClaim,
  releaseKey,
  renewAct,
  type StoredAnswer,
  storeAnswer,
  storeStatus,
} from '../db/queries/tenants/idempotency-keys.ts';
import { together } from '../db/together.ts';
import { deliverToTemporal } from '../temporal/deliver.ts';
import type { ApiDependencies } from './dependencies.ts';
import { toProblem } from './failures.ts';
import { Problem, type ProblemCode } from './problem.ts';
import type { Caller, Delivery, ReadContext, ResponseSpec, Route } from './route.ts';

/** A request after authentication and validation. `key` is absent where none is needed. */
export type ValidRequest = {
  route: Route;
  caller: Caller;
  /** Method and path, as sent. */
  operation: string;
  key: string | undefined;
  input: { params: unknown; query: unknown; body: unknown };
};

/** `afterwards` is done once the answer is on its way; it may be lost without harm. */
export type Outcome = { answer: StoredAnswer; replayed: boolean; afterwards?: () => Promise<void> };

/** Throws a `Problem`, or an error that `toProblem` understands. */
export function carryOut(deps: ApiDependencies, request: ValidRequest): Promise<Outcome> {
  switch (request.route.effect) {
    case 'read':
      return read(deps, request, request.route.handler);
    case 'write':
      return write(deps, request, request.route.handler);
    case 'act':
      return act(deps, request, request.route.handler);
    default:
      return request.route satisfies never;
  }
}

type HandlerOf<E extends Route['effect']> = Extract<Route, { effect: E }>['handler'];

async function read(
  deps: ApiDependencies,
  { caller, input }: ValidRequest,
  handler: HandlerOf<'read'>,
): Promise<Outcome> {
  // A read may show what an invoice would bear, which a tax engine is asked about outside of the transaction.
  const asking = { tenantId: caller.tenantId, at: deps.clock().toISOString() };
  const answer = await withTax(deps, asking, (tx) => handler({ ...contextOf(deps, caller, tx), ...input }));
  return { answer, replayed: false };
}

async function write(
  deps: ApiDependencies,
  request: ValidRequest,
  handler: HandlerOf<'write'>,
): Promise<Outcome> {
  const { caller, input, key } = request;
  const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(deps.db, caller.tenantId, work);
  // What issues an invoice may have to ask a tax engine first, outside of the transaction, and begins again.
  const asking = { tenantId: caller.tenantId, at: deps.clock().toISOString() };
  const inTaxed = <T>(work: (tx: Tx) => Promise<T>) => withTax(deps, asking, work);
  try {
    const { answer, delivery } = await commitWith(inTaxed, async (tx) => {
      // The claim and the work fly together; where the key was answered before, the work is rolled back.
      const [claim, work] = await Promise.allSettled([
        claimFor(tx, deps, request),
        handler({ ...contextOf(deps, caller, tx), ...input }),
      ]);
      if (claim.status === 'rejected') throw claim.reason;
      if (claim.value.kind === 'answered') throw new Answered(claim.value.answer);
      if (work.status === 'rejected') throw work.reason;
      const { delivery, ...answer } = work.value;
      const last = key === undefined ? undefined : storeAnswer(tx, key, kept(request, answer));
      return { result: { answer, delivery }, last };
    });
    return delivery === undefined
      ? { answer, replayed: false }
      : await deliver(deps, request, answer, delivery);
  } catch (error) {
    if (!(error instanceof Answered)) throw error;
    const { stored } = error;
    const answer = await inTenant((tx) =>
      restored({ ...contextOf(deps, caller, tx), ...input }, request, stored),
    );
    return { answer, replayed: true };
  }
}

/** Sends the commit right behind the last statement. Where that fails the commit rolls back, and its failure is told. */
async function commitWith<Context, Result>(
  inTenant: <R>(work: (context: Context) => Promise<R>) => Promise<R>,
  work: (context: Context) => Promise<{ result: Result; last: Promise<void> | undefined }>,
): Promise<Result> {
  const sent: Promise<void>[] = [];
  try {
    return await inTenant(async (context) => {
      const { result, last } = await work(context);
      last?.catch(() => {});
      if (last !== undefined) sent.push(last);
      return result;
    });
  } catch (error) {
    await Promise.all(sent);
    throw error;
  }
}

/** Ends the transaction of a request that was answered before. */
class Answered extends Error {
  readonly stored: StoredAnswer;

  constructor(stored: StoredAnswer) {
    super('The request was answered before');
    this.stored = stored;
  }
}

async function act(deps: ApiDependencies, request: ValidRequest, steps: HandlerOf<'act'>): Promise<Outcome> {
  const { caller, input, key } = request;
  if (key === undefined) throw new Error(`An act needs an Idempotency-Key: ${request.operation}`);
  const inTenant = <T>(work: (context: ReadContext & typeof input) => Promise<T>) =>
    withTenant(deps.db, caller.tenantId, (tx) => work({ ...contextOf(deps, caller, tx), ...input }));

  const begun = await inTenant(async (context) => {
    const [claim, seen] = await together([claimFor(context.tx, deps, request), steps.look(context)]);
    if (claim.kind !== 'answered') return { seen, actId: claim.actId };
    return { replay: await restored(context, request, claim.answer) };
  });
  if (begun.replay !== undefined) return { answer: begun.replay, replayed: true };

  try {
    const context = { deps, caller, now: deps.clock(), updateId: begun.actId, requestId: key, ...input };
    const done = await steps.act(context, begun.seen);
    const answer = await commitWith(inTenant, async (context) => {
      const result = { status: successOf(request.route), body: await steps.answer(context, done) };
      return { result, last: storeAnswer(context.tx, key, kept(request, result)) };
    });
    return { answer, replayed: false };
  } catch (error) {
    const problem = toProblem(error);
    if (problem.status >= 500) {
      // Where nobody knows whether it happened, the key stays claimed, and the next request under it repeats the act.
      if (error instanceof WorkflowUpdateFailedError) await inTenant(({ tx }) => renewAct(tx, key));
      throw error;
    }
    const { status, body } = problem;
    await inTenant(({ tx }) =>
      leavesTraces.has(problem.code) ? storeAnswer(tx, key, { status, body }) : releaseKey(tx, key),
    );
    throw error;
  }
}

function successOf({ responses }: Route): number {
  return Number(Object.keys(responses)[0]);
}

/** Refusals after something happened (a charge was tried): a repeated request hears of them, not of a second try. */
const leavesTraces: ReadonlySet<ProblemCode> = new Set(['card_declined', 'authentication_required']);

/** Long enough for a process engine that is up; then the caller gets 202 and the relay goes on. */
const DELIVERY_TIMEOUT_MS = 2_000;

async function deliver(
  deps: ApiDependencies,
  { caller, key }: ValidRequest,
  accepted: StoredAnswer,
  { outboxId, envelope, delivered }: Delivery<Record<number, ResponseSpec>>,
): Promise<Outcome> {
  try {
    await deliverToTemporal(deps.temporal, envelope, { timeoutMs: DELIVERY_TIMEOUT_MS });
  } catch (err) {
    deps.log.warn({ err, outboxId }, 'Temporal did not take the start; the relay will deliver it');
    return { answer: accepted, replayed: false };
  }
  return {
    answer: delivered,
    replayed: false,
    afterwards: async () => {
      await withTenant(deps.db, caller.tenantId, (tx) =>
        together([
          markOwnDelivered(tx, outboxId),
          key === undefined ? undefined : storeStatus(tx, key, delivered.status),
        ]),
      );
    },
  };
}

function contextOf(deps: ApiDependencies, caller: Caller, tx: Tx): ReadContext {
  return { deps, caller, now: deps.clock(), tx };
}

type UsableClaim = Exclude<KeyClaim, { kind: 'reused' }>;

async function claimFor(tx: Tx, deps: ApiDependencies, request: ValidRequest): Promise<UsableClaim> {
  const { key, operation, caller, input } = request;
  // What needs no key sets values, and no process acts for it.
  if (key === undefined) return { kind: 'claimed', actId: '' };
  const requestHash = hashOf(deps.config.personKeySecret, input.body);
  const claim = await claimKey(tx, { tenantId: caller.tenantId, key, operation, requestHash });
  if (claim.kind === 'reused') {
    throw new Problem({
      code: 'idempotency_key_reused',
      detail: 'This Idempotency-Key was sent with another request before; take a new key for a new request.',
    });
  }
  return claim;
}

/** Keyed, because a plain hash of a short body would let one guess an e-mail address. */
function hashOf(secret: string, body: unknown): string {
  return createHmac('sha256', secret).update(canonicalJson(body)).digest('hex');
}

/** The same for bodies that differ in the order of their fields only. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, child: unknown) =>
      typeof child === 'object' && child !== null && !Array.isArray(child)
        ? Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1)))
        : child,
    ) ?? 'null'
  );
}

function kept({ route }: ValidRequest, { status, body }: StoredAnswer): StoredAnswer {
  return { status, body: route.replay === undefined ? body : route.replay.keep(body as never) };
}

async function restored(
  context: Parameters<NonNullable<Route['replay']>['restore']>[0],
  { route }: ValidRequest,
  { status, body }: StoredAnswer,
): Promise<StoredAnswer> {
  if (route.replay === undefined || status >= 400) return { status, body };
  return { status, body: await route.replay.restore(context, body as never) };
}
