/**
 * Reads a dispute again at Razorpay and books what it says; what follows from it is in dispute.ts.
 *
 * Why it is safe to run twice: what was read is compared with what is booked and only moves forward.
 */
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { findPaymentByReference } from '../../db/queries/payments/read-payments.ts';
import { VendorError } from '../../domain/errors.ts';
import type { DisputeVendor, FetchedDispute } from '../../domain/payments/razorpay-subscription.ts';
import { bookDisputes } from './dispute.ts';

export type SyncDisputeInput = { externalId: string; inboxEventIds: string[]; at: string };

const rail = 'razorpay';

export function createRazorpayDisputeActivities({
  db,
  orderVendor,
  log,
}: {
  db: Database;
  orderVendor: DisputeVendor;
  log: Logger;
}) {
  return {
    /** Books what became of a dispute. One of a payment that is none of ours is ignored. */
    async syncRazorpayDispute({ externalId, inboxEventIds, at }: SyncDisputeInput): Promise<void> {
      const fetched = await fetchKnown(orderVendor, externalId);
      if (fetched === undefined) {
        log.error(
          { externalId },
          'Razorpay does not know a dispute it told us of; is the key of another account?',
        );
        return;
      }
      if (fetched !== null && !(await book(db, fetched, new Date(at)))) {
        // Its own events book the payment; the sweep tells of the dispute again until then.
        log.warn({ externalId }, 'the payment of a dispute is not booked yet');
        return;
      }
      if (fetched === null) log.info({ externalId }, 'a dispute that is none of ours was ignored');
      const tenantId = fetched?.tenantId ?? null;
      await withSystem(db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId }));
    },
  };
}

/** False where the payment is not booked. */
function book(db: Database, { tenantId, paymentId, dispute }: FetchedDispute, at: Date): Promise<boolean> {
  return withTenant(db, tenantId, async (tx) => {
    if ((await findPaymentByReference(tx, { rail, externalId: paymentId })) === null) return false;
    await bookDisputes(tx, { rail, charge: { externalId: paymentId, disputes: [dispute] }, at });
    return true;
  });
}

/** `undefined` for one that Razorpay does not have. */
async function fetchKnown(
  vendor: DisputeVendor,
  externalId: string,
): Promise<FetchedDispute | null | undefined> {
  try {
    return await vendor.fetchDispute(externalId);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return undefined;
    throw error;
  }
}
