/**
 * The daily invoice run (seed 002: every day at 10:00): drafts whose day has come are issued and mailed, and customers are
 * reminded of what they have not paid.
 *
 * Why it is safe to run twice, late, or to be killed in the middle: each draft and each invoice is one transaction that asks
 * again under the customer's lock whether it is due, and a tax engine is asked before it; what is done is not due any more, so the next run goes on where this
 * one stopped. One that cannot be issued is logged, counted, and holds up no other; where the tax engine or the database was
 * away, the run is tried again after all others had their turn.
 */
import type { Logger } from '../../config/logger.ts';
import { type Tx, withSystem, withTenant } from '../../db/client.ts';
import { isOutage } from '../../db/outage.ts';
import { finaliseDraft } from '../../db/queries/billing/finalise-draft.ts';
import { dueDrafts } from '../../db/queries/billing/invoice-drafts.ts';
import { remindableInvoices, remindOfInvoice } from '../../db/queries/billing/remind-invoice.ts';
import { type TaxDeps, withTax } from '../../db/queries/billing/tax-calculations.ts';
import { recordScheduleSuccess } from '../../db/queries/operations/schedule-runs.ts';
import { currentTenant, listTenantIds } from '../../db/queries/tenants/tenants.ts';
import { TaxWithheld } from '../../domain/billing/tax-engine.ts';
import { errorCodes, VendorError } from '../../domain/errors.ts';

export type DailyInvoiceRunResult = { finalised: number; reminded: number; failed: number };

/** Ids that are read at once. */
const batchSize = 100;

export function createDailyInvoiceRunActivities(deps: TaxDeps & { log: Logger }) {
  const { db, log } = deps;
  return {
    async runDailyInvoices({ at }: { at: string }): Promise<DailyInvoiceRunResult> {
      const now = new Date(at);
      const result = { finalised: 0, reminded: 0, failed: 0 };
      let outage: unknown;
      for (const tenantId of await withSystem(db, listTenantIds)) {
        const inTenant = <T>(work: (tx: Tx) => Promise<T>) => withTenant(db, tenantId, work);
        const attempt = async (id: string, work: (tx: Tx) => Promise<boolean>): Promise<number> => {
          try {
            return (await withTax(deps, { tenantId, at }, work)) ? 1 : 0;
          } catch (err) {
            result.failed += 1;
            if (isMendedByRetry(err)) outage ??= err;
            log.error({ err, tenantId, id }, 'the daily invoice run could not do its work for an invoice');
            return 0;
          }
        };
        await eachOf(
          (page) => inTenant((tx) => dueDrafts(tx, { now, ...page })),
          async (draftId) => {
            result.finalised += await attempt(draftId, async (tx) => {
              await finaliseDraft(tx, { draftId, actor: 'system', at: now });
              return true;
            });
          },
        );
        await eachOf(
          (page) =>
            inTenant(async (tx) => remindableInvoices(tx, { tenant: await currentTenant(tx), now, ...page })),
          async (invoiceId) => {
            result.reminded += await attempt(
              invoiceId,
              async (tx) => (await remindOfInvoice(tx, { invoiceId, now })) !== null,
            );
          },
        );
      }
      if (outage !== undefined) throw new Error('Not every invoice could be done now', { cause: outage });
      await recordScheduleSuccess(db, { name: 'daily-invoice-run', at: now, result });
      return result;
    },
  };
}

/** What is wrong with one invoice is not: it must not keep the run from succeeding. */
function isMendedByRetry(error: unknown): boolean {
  if (error instanceof TaxWithheld) return error.hold === 'engine_unavailable';
  return (error instanceof VendorError && errorCodes[error.code].retryable) || isOutage(error);
}

/** One after the other, page by page; whatever becomes of one, the next page begins after it. */
async function eachOf(
  read: (page: { after: string; limit: number }) => Promise<string[]>,
  work: (id: string) => Promise<void>,
): Promise<void> {
  let after = '';
  for (;;) {
    const ids = await read({ after, limit: batchSize });
    for (const id of ids) await work(id);
    const last = ids.at(-1);
    if (last === undefined || ids.length < batchSize) return;
    after = last;
  }
}
