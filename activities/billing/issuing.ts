/**
 * Acts that issue an invoice. Where a tax engine says what it bears, the engine is asked before the transaction that
 * issues, by the same activity.
 *
 * Why it is safe to run twice: each is one transaction that asks the pure rules again; see db/queries/billing/tax-calculations.ts
 * for the engine. Where it gives no answer, nothing is issued: the act is held, which is one transaction too, and comes up
 * again on its new date. A worker that dies before that comes back to the act as it was.
 */
import type { Logger } from 'pino';
import type { Tx } from '../../db/client.ts';
import type { InvoiceRow } from '../../db/queries/billing/invoices.ts';
import type { SubscriptionContext } from '../../db/queries/billing/subscriptions.ts';
import { type TaxDeps, withTax } from '../../db/queries/billing/tax-calculations.ts';
import { endTaxHold, holdForTax } from '../../db/queries/billing/tax-hold.ts';
import type { SubscriptionAct } from '../../domain/billing/subscription.ts';
import { TaxWithheld } from '../../domain/billing/tax-engine.ts';
import { type ActInput, type ActResult, act, actWithin } from './act.ts';

export type IssuingDeps = TaxDeps & { log: Logger };

type IssuingAct = 'end_trial' | 'collect_first_invoice' | 'renew' | 'end';

/** Performs an act that may issue an invoice, or holds it until its tax can be had. */
export async function issuingAct<K extends IssuingAct>(
  deps: IssuingDeps,
  input: ActInput,
  kind: K,
  perform: (
    tx: Tx,
    context: SubscriptionContext,
    due: Extract<SubscriptionAct, { kind: K }>,
  ) => Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }>,
): Promise<ActResult> {
  try {
    return await withTax(deps, input, (tx) =>
      actWithin(tx, input, kind, async (...begun) => {
        const { after, invoice } = await perform(...begun);
        return { after: await endTaxHold(tx, after, new Date(input.at)), invoice };
      }),
    );
  } catch (error) {
    if (!(error instanceof TaxWithheld)) throw error;
    const { tenantId, subscriptionId } = input;
    deps.log.warn({ tenantId, subscriptionId, err: error.cause ?? error }, 'an invoice waits for its tax');
    return act(deps.db, input, kind, async (tx, context) => ({
      after: await holdForTax(tx, context, { reason: error.hold, at: input.at, holdsEnd: kind === 'end' }),
      invoice: null,
    }));
  }
}
