/**
 * Decides about the movements that wait, a part of them at a time, and has what waits for people looked at again once an hour:
 * movements, and payments on proofs whose money does not come.
 *
 * Why it is safe to run twice: see `db/queries/payments/match-movements.ts`; a second run finds nothing left to do.
 */
import type { Logger } from '../../config/logger.ts';
import type { Database } from '../../db/client.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { matchMovements } from '../../db/queries/payments/match-movements.ts';
import { reconsideredSince, reconsiderMovements } from '../../db/queries/payments/reconsider-movements.ts';
import { tellOfUnseenProofs } from '../../db/queries/payments/unseen-proofs.ts';
import { lookForMatches } from '../../workflows/payments/bank-matching.contract.ts';
import { forEachTenant } from '../each-tenant.ts';

export function createBankMatchingActivities({ db }: { db: Database }) {
  return {
    /** `isOver`: nothing waits any more that could be decided. */
    async matchBankMovements({ tenantId, at }: { tenantId: string; at: string }) {
      return matchMovements(db, { tenantId, at: new Date(at) });
    },
  };
}

export function createBankReconciliationActivities(deps: { db: Database; log: Logger }) {
  return {
    /** Wakes the matching of every tenant for which something waits, and tells operators of money that was proved and is not seen. */
    async reconcileBanks({ at }: { at: string }): Promise<{ tenants: number }> {
      const now = new Date(at);
      const since = reconsideredSince(now);
      const result = { tenants: 0 };
      const failure = await forEachTenant(deps, async (tx, tenantId) => {
        const waiting = await reconsiderMovements(tx, { since });
        if (waiting > 0) {
          await appendOutbox(tx, tenantId, [lookForMatches({ tenantId })]);
          result.tenants += 1;
        }
        await tellOfUnseenProofs(tx, { tenantId, since: new Date(since), at: now });
      });
      if (failure !== null) throw failure;
      await recordScheduleSuccess(deps.db, { name: 'bank-reconciliation', at: now, result });
      return result;
    },
  };
}
