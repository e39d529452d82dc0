/**
 * Turns whatever was thrown into a problem. What our rules refuse keeps its code and sentence; an outage of the
 * database or of Temporal is 503 and may be tried again; what nobody foresaw is 500 and tells nothing about our inside.
 */
import {
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from '../config/logger.ts';
import { isOutage } from '../db/outage.ts';
import { DomainError, VendorError } from '../domain/errors.ts';
import { isProblemCode, Problem, type ProblemCode, retryAfterOf } from './problem.ts';

/** The last handler of the chain: answers every error as a problem and logs those that are ours. */
export function answerProblems(log: Logger): ErrorRequestHandler {
  return (error, req, res, next) => {
    const problem = toProblem(error);
    const foreseenOutage = retryAfterOf(problem.code) !== undefined;
    if (foreseenOutage) foreseen.add(res);
    else if (problem.status >= 500)
      (req.log ?? log).error({ err: error, code: problem.code }, problem.message);
    if (res.headersSent) return void next(error);
    res
      .status(problem.status)
      .set({ ...problem.headers, 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' })
      .send(JSON.stringify(problem.body));
  };
}

/** Answers that tell of an outage of the world outside, which is no error of ours. */
const foreseen = new WeakSet<object>();

export function isForeseen(res: object): boolean {
  return foreseen.has(res);
}

/** Never throws; an error nobody foresaw becomes `internal_error`. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof DomainError) return refusal(error);
  if (error instanceof VendorError)
    return new Problem({ code: error.code, detail: error.message, cause: error });
  return (
    fromUpdate(error) ??
    fromBodyParser(error) ??
    fromTemporal(error) ??
    fromDatabase(error) ??
    new Problem({
      code: 'internal_error',
      detail: 'The request was not carried out. The log has more, under the X-Request-Id of this answer.',
      cause: error,
    })
  );
}

/** A reason that has an entry of its own in the table says more than the code it came with. */
function refusal({
  code,
  reason = '',
  message,
}: {
  code: ProblemCode;
  reason?: string | undefined;
  message: string;
}): Problem {
  const finer = reason in endedReasons ? 'subscription_ended' : reason;
  return new Problem({
    code: isProblemCode(finer) ? finer : code,
    detail: message,
    reason: reason === '' ? undefined : reason,
  });
}

const endedReasons = { subscription_cancelled: true, subscription_expired: true };

/** An update that ran and failed: its failure's type is one of our codes. */
function fromUpdate(error: unknown): Problem | undefined {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
    return new Problem({
      code: 'outcome_unknown',
      detail:
        'The process did not answer in time; it may still carry the request out. Send it again with the same Idempotency-Key to learn the outcome.',
      cause: error,
    });
  }
  if (!(error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)) return undefined;
  const failure = rootFailure(error.cause);
  if (failure?.type == null || !isProblemCode(failure.type)) return undefined;
  const [detail] = (failure.details ?? []) as { reason?: string }[];
  return refusal({ code: failure.type, reason: detail?.reason, message: failure.message });
}

/** The failure of an activity is wrapped by the activity's; the innermost of our own is the reason. */
function rootFailure(error: unknown): ApplicationFailure | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return cause;
  }
  return undefined;
}

/** Errors of Express and its body parser carry a `type` and the status they want. */
function fromBodyParser(error: unknown): Problem | undefined {
  const { type, status, expose } = (error ?? {}) as { type?: unknown; status?: unknown; expose?: unknown };
  if (
    error instanceof URIError ||
    (status === 400 && error instanceof Error && /decode param/.test(error.message))
  ) {
    return new Problem({
      code: 'invalid_request',
      detail: 'The path is not a valid URL path.',
      cause: error,
    });
  }
  if (typeof type !== 'string') {
    // What cannot be decompressed comes as the decoder's own error, which has no type.
    return status === 400 && expose === true ? unreadable(error) : undefined;
  }
  switch (type) {
    case 'entity.too.large':
      return new Problem({
        code: 'payload_too_large',
        detail: 'The body may have 1 MiB at most.',
        cause: error,
      });
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem({
        code: 'unsupported_media_type',
        detail: 'Send UTF-8, uncompressed or compressed with gzip, deflate or br.',
        cause: error,
      });
    case 'entity.parse.failed':
      return new Problem({
        code: 'malformed_json',
        detail: 'The body cannot be parsed as JSON.',
        cause: error,
      });
    case 'request.aborted':
    case 'request.size.invalid':
    case 'entity.verify.failed':
      return new Problem({
        code: 'invalid_request',
        detail: 'The body did not arrive as announced.',
        cause: error,
      });
    default:
      return status === 400 ? unreadable(error) : undefined;
  }
}

function unreadable(cause: unknown): Problem {
  return new Problem({ code: 'invalid_request', detail: 'The body cannot be read.', cause });
}

function fromTemporal(error: unknown): Problem | undefined {
  const cause = error instanceof ServiceError ? error.cause : error;
  if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) return undefined;
  const { code } = cause as { code?: number };
  if (!transientGrpcCodes.includes(code ?? 0)) return undefined;
  return new Problem({
    code: 'temporal_unavailable',
    detail: 'Nothing was lost; send the request again with the same Idempotency-Key.',
    cause: error,
  });
}

/**
 * CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, INTERNAL, UNAVAILABLE. The server
 * answers FAILED_PRECONDITION for a process whose tasks have failed three times in a row (its workers died, or its code has
 * a fault), until one of them succeeds.
 */
const transientGrpcCodes = [1, 2, 4, 8, 9, 10, 13, 14];

/** The driver names lost connections by system codes, the server by SQLSTATE classes; some have only a text. */
function fromDatabase(error: unknown): Problem | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code = '' } = cause as { code?: unknown };
    if (code === UNIQUE_VIOLATION) return alreadyExists(error);
    if (typeof code !== 'string') continue;
    if (unusableValueCode.test(code)) return valueUnusable(error);
    if (isOutage(cause)) {
      return new Problem({
        code: 'database_unavailable',
        detail:
          'The request was not carried out, or its answer was lost; send it again with the same Idempotency-Key.',
        cause: error,
      });
    }
  }
  return undefined;
}

/** Two requests that want the same unique value at the same moment: the second one loses. */
const UNIQUE_VIOLATION = '23505';

function alreadyExists(cause: unknown): Problem {
  return new Problem({
    code: 'already_exists',
    detail: 'Another request has just taken the same value.',
    cause,
  });
}

/** Of the data exceptions (22) those that a value of the request causes; others, as a division by zero, are our own. */
const unusableValueCode = /^22(001|003|007|008|009|021|P02|P05)$/;

function valueUnusable(cause: unknown): Problem {
  return new Problem({
    code: 'value_unusable',
    detail:
      'A number or a date of the request is out of the range the database knows, or a text cannot be kept. Nothing was written.',
    cause,
  });
}
