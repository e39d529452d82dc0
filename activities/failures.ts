/** Turns our errors into Temporal failures: the type is the error code, so retry policies and callers can name it. */

import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';
import { DomainError, errorCodes, VendorError } from '../domain/errors.ts';

/** A refused act (`DomainError`) is never retried; a vendor's failure is, where its code allows, after the delay it asks for. */
function toApplicationFailure(error: unknown): unknown {
  if (error instanceof DomainError) {
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: true,
      details: [{ reason: error.reason }],
    });
  }
  if (error instanceof VendorError) {
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: !errorCodes[error.code].retryable,
      ...(error.retryAfterMs !== undefined && { nextRetryDelay: error.retryAfterMs }),
    });
  }
  return error;
}

/** Installed in every worker, so that activities throw our own errors and know nothing of Temporal. */
export const failureInterceptor: ActivityInboundCallsInterceptor = {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>) {
    try {
      return await next(input);
    } catch (error) {
      throw toApplicationFailure(error);
    }
  },
};
