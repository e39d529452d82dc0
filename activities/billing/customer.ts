/**
 * The erasure of a customer's personal data, 30 days after the last subscription ended (seed 000 §3.1).
 *
 * Why it is safe to run twice: deleting the vendor's customer is repeatable, and it comes first: if we die after it,
 * the next run deletes nothing more there and erases our rows, all in one transaction. Once `erasedAt` is set nothing
 * is left to do.
 */

import { type Database, withTenant } from '../../db/client.ts';
import { eraseCustomer, hasOtherLife } from '../../db/queries/billing/erase-customer.ts';
import { changeSubscription, lockSubscription, snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import type { SubscriptionSnapshot } from '../../domain/billing/subscription.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import type { ActInput } from './subscription.ts';

export function createCustomerActivities({ db, cardVendor }: { db: Database; cardVendor: CardVendor }) {
  return {
    /** Closes an ended subscription; erases its customer unless another subscription still needs the data. */
    async closeSubscription({ tenantId, subscriptionId, at }: ActInput): Promise<SubscriptionSnapshot> {
      const look = await withTenant(db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        const { vendorCustomerId, erasedAt } = context.customer;
        return { vendorCustomerId, keep: erasedAt !== null || (await hasOtherLife(tx, context)) };
      });
      if (!look.keep && look.vendorCustomerId !== null)
        await cardVendor.deleteCustomer(look.vendorCustomerId);

      return withTenant(db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        if (context.subscription.closedAt !== null) return snapshotOf(context);
        const now = new Date(at);
        if (!look.keep)
          await eraseCustomer(tx, context.customer, {
            actor: `workflow:subscription/${subscriptionId}`,
            at: now,
          });
        const after = await changeSubscription(tx, context, {
          set: { closedAt: now, cancelComment: null },
          at: now,
          entry: look.keep
            ? {
                kind: 'data_kept',
                message:
                  'Personal data is kept: the customer has another subscription, or was erased before.',
              }
            : { kind: 'data_erased', message: "The customer's personal data was erased." },
        });
        return snapshotOf(after);
      });
    },
  };
}
