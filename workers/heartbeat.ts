/**
 * Tells Temporal every few seconds that an activity is alive, so that one whose worker died is tried again within
 * seconds instead of when its whole time is over. An activity that is done before the first beat costs nothing.
 */
import { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';

/** Beats for every activity that has a heartbeat timeout. */
export const heartbeatInterceptor: ActivityInboundCallsInterceptor = {
  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>) {
    const context = Context.current();
    const { heartbeatTimeoutMs } = context.info;
    if (heartbeatTimeoutMs === undefined) return next(input);

    const beats = setInterval(() => context.heartbeat(), heartbeatTimeoutMs / BEATS_PER_TIMEOUT);
    try {
      return await next(input);
    } finally {
      clearInterval(beats);
    }
  },
};

/** One that is late, or lost, is not yet a dead worker. */
const BEATS_PER_TIMEOUT = 3;
