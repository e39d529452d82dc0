/**
 * The sweep behind the relay: delivers what is due in the outbox even when no notification came, tells again of
 * events that were stored but never worked on, and removes what nobody needs any more.
 */
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
  drainOutbox: () => Promise<number>;
}) {
  return {
    async sweepRelay({ at }: { at: string }): Promise<RelaySweepResult> {
      const retold = await retellWaitingEvents(db);
      const delivered = await drainOutbox();
      const removed = await removeOldRows(db);
      const result = { delivered, retold, removed };
      await recordScheduleSuccess(db, { name: 'relay-sweep', at: new Date(at), result });
      return result;
    },
  };
}
