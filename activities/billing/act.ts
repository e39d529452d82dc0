/** One act of a subscription: a transaction under the customer's lock that first asks whether it is still the next one. */
import { type Database, type Tx, withTenant } from '../../db/client.ts';
import type { InvoiceRow } from '../../db/queries/billing/invoices.ts';
import {
  lockSubscription,
  type SubscriptionContext,
  snapshotOf,
} from '../../db/queries/billing/subscriptions.ts';
import {
  nextAct,
  type SubscriptionAct,
  type SubscriptionSnapshot,
} from '../../domain/billing/subscription.ts';

export type SubscriptionRef = { tenantId: string; subscriptionId: string };

/** `at` is workflow time: the act's date, or later when a worker was down. */
export type ActInput = SubscriptionRef & { at: string };

/** The subscription after an act, and the invoice it issued, to be collected at once. */
export type ActResult = { snapshot: SubscriptionSnapshot; invoiceId: string | null };

type Perform<K extends SubscriptionAct['kind']> = (
  tx: Tx,
  context: SubscriptionContext,
  due: Extract<SubscriptionAct, { kind: K }>,
) => Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }>;

/** Performs an act when the pure rules, asked again under the lock, still call for it. */
export function act<K extends SubscriptionAct['kind']>(
  db: Database,
  input: ActInput,
  kind: K,
  perform: Perform<K>,
): Promise<ActResult> {
  return withTenant(db, input.tenantId, (tx) => actWithin(tx, input, kind, perform));
}

/** The same in the caller's transaction. */
export async function actWithin<K extends SubscriptionAct['kind']>(
  tx: Tx,
  { subscriptionId, at }: ActInput,
  kind: K,
  perform: Perform<K>,
): Promise<ActResult> {
  const context = await lockSubscription(tx, subscriptionId);
  const due = nextAct(snapshotOf(context), at);
  if (due === null || due.kind !== kind || Date.parse(due.at) > Date.parse(at)) {
    return { snapshot: snapshotOf(context), invoiceId: null };
  }
  const { after, invoice } = await perform(tx, context, due as Extract<SubscriptionAct, { kind: K }>);
  return { snapshot: snapshotOf(after), invoiceId: invoice?.id ?? null };
}
