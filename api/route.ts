/**
 * How an operation is declared: once, with the schemas that validate it and document it. `serveRoutes` makes Express
 * serve it, `openApiDocument` describes it; neither knows anything the declaration does not say.
 *
 * Three kinds by effect:
 * - `read`: one transaction that sees the caller's tenant.
 * - `write`: one such transaction; the Idempotency-Key is claimed and answered in it.
 * - `act`: an act of a process (a Temporal Update); the key is committed first and names the act.
 */
import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { Tx } from '../db/client.ts';
import type { TemporalEnvelope } from '../domain/operations/outbox.ts';
import type { UploadSpec } from './body-file.ts';
import type { CsvTable } from './csv.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { ProblemCode } from './problem.ts';
import type { Scope } from './scopes.ts';

export type Method = 'get' | 'post' | 'put' | 'patch';

/** One response that is not a problem: JSON, or a file. */
export type ResponseSpec = JsonSpec | FileSpec;

export type JsonSpec = {
  description: string;
  schema: z.ZodType;
  example?: unknown;
  /** What can be done next with this answer: name → operation and where its parameters come from. */
  links?: Record<string, LinkSpec>;
  /** The same as a table, for who asks for `text/csv`: by the header `Accept`, or by `format=csv` in the query. */
  csv?: CsvSpec;
};

/** `tableOf` takes the body of the answer, so that a table cannot say anything else. */
export type CsvSpec = { fileName: string; tableOf: (body: never) => CsvTable };

/**
 * Bytes of a media type. Only a `read` may answer with them: an answer kept with an Idempotency-Key is JSON. What somebody else
 * has made is `application/octet-stream`: no browser shows it, it can only be saved.
 */
export type FileSpec = { description: string; mediaType: 'application/pdf' | 'application/octet-stream' };

/** The body of such an answer. */
export type FileBody = {
  /** As the caller may save it: letters, digits, and `.`, `_` or `-`. */
  fileName: string;
  /** Called after the transaction of the read, which need not wait for it. */
  content: () => Promise<Uint8Array>;
};

export type LinkSpec = {
  operationId: string;
  parameters?: Record<string, string>;
  requestBody?: Record<string, string>;
  description?: string;
};

type Responses = Record<number, ResponseSpec>;

/** An answer of one of the declared statuses, with its body. */
export type Answer<R extends Responses = Responses> = {
  [Status in keyof R & number]: { status: Status; body: BodyOf<R[Status]> };
}[keyof R & number];

type BodyOf<Spec extends ResponseSpec | undefined> = Spec extends JsonSpec
  ? z.input<Spec['schema']>
  : FileBody;

/** Who asks, and when. */
export type Caller = {
  tenantId: string;
  /** `api_key:<id>`, as the audit log names it. */
  actor: string;
  scopes: readonly string[];
};

type Input<P, Q, B> = { params: P; query: Q; body: B };

/** What a handler gets beside the validated input. */
export type ReadContext = { deps: ApiDependencies; caller: Caller; now: Date; tx: Tx };
export type WriteContext = ReadContext;
export type ActContext = {
  deps: ApiDependencies;
  caller: Caller;
  now: Date;
  /** Under which the act is known to Temporal. */
  updateId: string;
  /** The caller's Idempotency-Key, under which the process knows what it has carried out. */
  requestId: string;
};

/** A start left in the outbox that the API delivers itself right after the commit. */
export type Delivery<R extends Responses> = {
  outboxId: number;
  envelope: TemporalEnvelope;
  /** The answer once it is delivered; until then (Temporal is down) the relay owns it. */
  delivered: Answer<R>;
};

export type WriteAnswer<R extends Responses> = Answer<R> & { delivery?: Delivery<R> };

type Handlers<P, Q, B, R extends Responses, Seen, Done> = {
  read: (context: ReadContext & Input<P, Q, B>) => Promise<Answer<R>>;
  write: (context: WriteContext & Input<P, Q, B>) => Promise<WriteAnswer<R>>;
  act: ActSteps<P, Q, B, R, Seen, Done>;
};

/** An act happens between two transactions: nothing is locked while a process decides. */
export type ActSteps<P, Q, B, R extends Responses, Seen, Done> = {
  /** In the transaction that claims the key: what the act is about. What it refuses leaves no trace. */
  look: (context: ReadContext & Input<P, Q, B>) => Promise<Seen>;
  /** Repeated under the same key it must have the effect of once. */
  act: (context: ActContext & Input<P, Q, B>, seen: Seen) => Promise<Done>;
  /** In the transaction that keeps the answer: its body. An act has one status for success. */
  answer: (context: WriteContext & Input<P, Q, B>, done: Done) => Promise<Answer<R>['body']>;
};

export type Reasons = Partial<Record<ProblemCode, readonly string[]>>;

export type Effect = 'read' | 'write' | 'act';

type Definition<P, Q, B, R extends Responses> = {
  method: Method;
  /** `/v1/customers/{customerId}` */
  path: string;
  operationId: string;
  tag: string;
  scope: Scope;
  summary: string;
  description?: string;
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  /** Instead of a body in JSON: a file as it is, which the handler gets as `Upload`. */
  upload?: UploadSpec;
  /** The body is a form (`multipart/form-data`) with one file, the field `file`; see `form-file.ts`. */
  takesFile?: true;
  /** An example request, for the document. */
  example?: B | Record<string, unknown>;
  responses: R;
  /** Codes beyond those every operation can answer. */
  problems?: readonly ProblemCode[];
  /** The finer causes that come in `reason` with these codes; a cause that has a code of its own is among the problems. */
  reasons?: Reasons;
  /**
   * Where an answer holds a secret or personal data: what of it is kept with the Idempotency-Key, and how the answer
   * is made whole again for a repeated request.
   */
  replay?: {
    keep: (body: never) => unknown;
    restore: (context: ReadContext & Input<P, Q, B>, kept: never) => Promise<unknown>;
  };
};

/** Declares an operation. */
export function route<
  R extends Responses,
  P = unknown,
  Q = unknown,
  B = unknown,
  Seen = unknown,
  Done = unknown,
>(definition: Definition<P, Q, B, R> & { effect: 'act'; handler: ActSteps<P, Q, B, R, Seen, Done> }): Route;
export function route<E extends 'read' | 'write', R extends Responses, P = unknown, Q = unknown, B = unknown>(
  definition: Definition<P, Q, B, R> & { effect: E; handler: Handlers<P, Q, B, R, unknown, unknown>[E] },
): Route;
export function route(definition: unknown): Route {
  return definition as Route;
}

/** An operation with its types forgotten, as the server and the document take it. */
export type Route = Definition<unknown, unknown, unknown, Responses> &
  {
    [E in Effect]: {
      effect: E;
      handler: Handlers<unknown, unknown, unknown, Responses, unknown, unknown>[E];
    };
  }[Effect];

/** An operation without a key: health, and what vendors call. It handles its request itself. */
export type OpenRoute = {
  method: 'get' | 'post';
  path: string;
  operationId: string;
  tag: string;
  summary: string;
  description?: string;
  /** Raw bodies and headers are described as they are. */
  request?: {
    mediaType: string;
    schema: z.ZodType;
    headers?: Record<string, { description: string; example: string }>;
  };
  responses: Responses;
  problems?: readonly ProblemCode[];
  handlers: RequestHandler[];
};

/** Whether a caller must send an Idempotency-Key: for everything that creates or acts. PATCH sets values and needs none. */
export function needsKey({ effect, method }: Pick<Route, 'effect' | 'method'>): boolean {
  return effect !== 'read' && method !== 'patch';
}
