/** Holds the act that issues an invoice while its tax cannot be had, and lets it go on. In the caller's transaction. */
import { and, eq, isNotNull } from 'drizzle-orm';
import { heldAgain, holdInWords, type TaxHoldReason } from '../../../domain/billing/tax-hold.ts';
import { inWords } from '../../../domain/instant.ts';
import type { Tx } from '../../client.ts';
import { subscriptions } from '../../schema/billing.ts';
import {
  announceSubscription,
  changeSubscription,
  lockSubscription,
  type SubscriptionContext,
} from './subscriptions.ts';

/** The timeline says so the first time, and whenever the reason is another one. */
export function holdForTax(
  tx: Tx,
  context: SubscriptionContext,
  { reason, at, holdsEnd }: { reason: TaxHoldReason; at: string; holdsEnd: boolean },
): Promise<SubscriptionContext> {
  const before = context.subscription.taxHold;
  const taxHold = heldAgain(before, { reason, at, holdsEnd });
  return changeSubscription(tx, context, {
    set: { taxHold },
    at: new Date(at),
    ...(before?.reason !== reason && {
      entry: {
        kind: 'invoice_held',
        message: `The next invoice is not issued yet: ${holdInWords(reason)}. Tried again on ${inWords(taxHold.until)}.`,
        details: { reason },
      },
    }),
  });
}

/** The invoice could be issued. */
export async function endTaxHold(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext> {
  if (context.subscription.taxHold === null) return context;
  return changeSubscription(tx, context, { set: { taxHold: null }, at });
}

/** What the engine is asked about a customer has changed: what was held for it is tried again at once. */
export async function releaseTaxHolds(tx: Tx, customerId: string, at: Date): Promise<void> {
  const held = await tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(and(eq(subscriptions.customerId, customerId), isNotNull(subscriptions.taxHold)));
  for (const { id } of held) {
    const context = await lockSubscription(tx, id);
    const { taxHold } = context.subscription;
    if (taxHold === null) continue;
    const set = { taxHold: { ...taxHold, until: at.toISOString() } };
    await announceSubscription(tx, await changeSubscription(tx, context, { set, at }));
  }
}
