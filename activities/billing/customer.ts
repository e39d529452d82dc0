/**
 * The erasure of a customer's personal data, 30 days after the last subscription ended (seed 000 §3.1).
 *
 * Why it is safe to run twice: our own rows are erased first, in one transaction that also decides, under the
 * customer's lock, whether another subscription still needs them; from then on no new one can begin, and no file is
 * taken any more. Only the keys of the customer's files and the vendor's id of the customer are kept, until the storage
 * and the vendor have deleted what they name, which is repeatable. If we die in between, the next run finds them and goes
 * on from there.
 */

import { type Database, withTenant } from '../../db/client.ts';
import {
  eraseCustomer,
  forgetVendorCustomer,
  hasOtherLife,
} from '../../db/queries/billing/erase-customer.ts';
import { changeSubscription, lockSubscription, snapshotOf } from '../../db/queries/billing/subscriptions.ts';
import { forgetProofFiles, proofFilesOf } from '../../db/queries/payments/bank-proofs.ts';
import type { SubscriptionSnapshot } from '../../domain/billing/subscription.ts';
import type { ObjectStorage } from '../../domain/operations/object-storage.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { askHourly } from '../ask-hourly.ts';
import type { ActInput } from './act.ts';

export function createCustomerActivities({
  db,
  cardVendor,
  storage,
}: {
  db: Database;
  cardVendor: CardVendor;
  storage?: ObjectStorage;
}) {
  return {
    /** Closes an ended subscription; erases its customer unless another subscription still needs the data. */
    async closeSubscription({ tenantId, subscriptionId, at }: ActInput): Promise<SubscriptionSnapshot> {
      const now = new Date(at);
      const { keep, vendorCustomerId, files } = await withTenant(db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        const { customer } = context;
        if (await hasOtherLife(tx, context)) return { keep: true, vendorCustomerId: null, files: [] };
        if (customer.erasedAt === null) {
          const actor = `workflow:subscription/${subscriptionId}`;
          await eraseCustomer(tx, customer, { actor, at: now });
        }
        const files = await proofFilesOf(tx, customer.id);
        return { keep: false, vendorCustomerId: customer.vendorCustomerId, files };
      });
      await deleteFiles(storage, files);
      // The erasure is owed.
      if (vendorCustomerId !== null) await askHourly(() => cardVendor.deleteCustomer(vendorCustomerId));

      return withTenant(db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        if (context.subscription.closedAt !== null) return snapshotOf(context);
        if (!keep) {
          await forgetProofFiles(tx, context.customer.id);
          await forgetVendorCustomer(tx, context.customer.id);
        }
        const after = await changeSubscription(tx, context, {
          set: { closedAt: now, cancelComment: null },
          at: now,
          entry: keep
            ? {
                kind: 'data_kept',
                message: 'Personal data is kept for now: the customer has another subscription.',
              }
            : { kind: 'data_erased', message: "The customer's personal data is erased." },
        });
        return snapshotOf(after);
      });
    },
  };
}

/** What is gone already is deleted once more without harm. */
async function deleteFiles(storage: ObjectStorage | undefined, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  if (storage === undefined)
    throw new Error('Files of an erased customer cannot be deleted: there is no storage');
  for (const key of keys) await storage.delete(key);
}
