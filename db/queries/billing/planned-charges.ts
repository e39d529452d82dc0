/** What a subscription's row says is still to be charged: planned, planned anew, forgotten. Under the customer's lock. */
import { technicalRetryAt } from '../../../domain/billing/dunning.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import {
  dropCharge,
  planCharge,
  plannedFor,
  technicalRetry,
} from '../../../domain/billing/planned-charge.ts';
import type { ChargeOrigin } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { technicalRetryMinutes } from './dunning-cases.ts';
import type { InvoiceRow } from './invoices.ts';
import { changeSubscription, type SubscriptionContext } from './subscriptions.ts';

/** The column as it is after a plan was made. */
type Planned = Pick<SubscriptionContext['subscription'], 'plannedCharges'>;

/**
 * Plans the first try to collect an invoice. `at` is the day it is for, however late we are: what came due first is
 * collected before another period is opened.
 */
export function planFirstTry(
  { subscription }: Pick<SubscriptionContext, 'subscription'>,
  { id: invoiceId }: Pick<InvoiceRow, 'id'>,
  { origin, originKey = origin, at }: { origin: ChargeOrigin; originKey?: string; at: string },
): Planned {
  const first = { invoiceId, origin, originKey, at, failures: 0 };
  return { plannedCharges: planCharge(subscription.plannedCharges, first) };
}

/**
 * Plans the repeat of a try that nobody decided, in minutes to hours. Null when that has been tried often enough;
 * `forEver` goes on with the last delay instead.
 */
export async function planRetry(
  tx: Tx,
  context: SubscriptionContext,
  { invoiceId, at, forEver }: { invoiceId: string; at: string; forEver: boolean },
): Promise<{ set: Planned; retryAt: string } | null> {
  const { plannedCharges } = context.subscription;
  const failures = plannedFor(plannedCharges, invoiceId)?.failures ?? 0;
  const delays = await technicalRetryMinutes(tx, context);
  const index = forEver ? Math.min(failures, Math.max(0, delays.length - 1)) : failures;
  const retryAt = technicalRetryAt({ technicalRetryMinutes: delays }, index, at, dayLengthMs(context.tenant));
  if (retryAt === null) return null;
  const retry = technicalRetry(invoiceId, retryAt, failures + 1);
  return { set: { plannedCharges: planCharge(plannedCharges, retry) }, retryAt };
}

/** The invoice's charge is decided, or under way: it is not tried again on its own. */
export async function forgetPlan(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<SubscriptionContext> {
  const { plannedCharges } = context.subscription;
  if (plannedFor(plannedCharges, invoice.id) === undefined) return context;
  return changeSubscription(tx, context, {
    set: { plannedCharges: dropCharge(plannedCharges, invoice.id) },
    at,
  });
}
