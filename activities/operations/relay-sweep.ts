/**
 * The sweep behind the relay: tells again of events that were stored but never worked on, removes what nobody needs any more,
 * and delivers what is due in the outbox even when no notification came.
 *
 * Why it is safe to run twice: see workers/relay.ts for what is delivered; the rest changes nothing a second time. What may take
 * longest comes last, and ends with the attempt that began it.
 */
import { Context } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import { retellWaitingEvents } from '../../db/queries/operations/inbox-sweep.ts';
import { removeOldRows } from '../../db/queries/operations/retention.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';

export type RelaySweepResult = { delivered: number; retold: number; removed: number };

export function createRelaySweepActivities({
  db,
  drainOutbox,
}: {
  db: Database;
  drainOutbox: (signal: AbortSignal) => Promise<number>;
}) {
  return {
    async sweepRelay({ at }: { at: string }): Promise<RelaySweepResult> {
      const { cancellationSignal, cancelled } = Context.current();
      const retold = await retellWaitingEvents(db);
      const removed = await removeOldRows(db);
      const delivered = await drainOutbox(cancellationSignal);
      if (cancellationSignal.aborted) await cancelled;
      const result = { delivered, retold, removed };
      await recordScheduleSuccess(db, { name: 'relay-sweep', at: new Date(at), result });
      return result;
    },
  };
}
