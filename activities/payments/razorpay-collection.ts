/**
 * Reads a subscription again at Razorpay, books what it says, and ends it there where that is owed.
 *
 * Why it is safe to run twice: what was read is compared with what is booked; a payment settles once, by its id. Ending it is
 * owed until Razorpay's own state says that it has ended: whoever loses the answer, or is refused because it has ended
 * already, reads it again and finds how it stands.
 */
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import {
  bookedPayments,
  bookRazorpaySubscription,
} from '../../db/queries/payments/book-razorpay-subscription.ts';
import { VendorError } from '../../domain/errors.ts';
import type {
  CyclePayment,
  FetchedSubscription,
  SubscriptionVendor,
} from '../../domain/payments/razorpay-subscription.ts';

type Deps = { db: Database; orderVendor: SubscriptionVendor };

export type SyncSubscriptionInput = { externalId: string; inboxEventIds: string[]; at: string };

export function createRazorpayCollectionActivities({ log, ...deps }: Deps & { log: Logger }) {
  return {
    /**
     * Books what became of a subscription at Razorpay, named by its own id or by one of its invoices, and ends it where that
     * is owed. One that is none of ours is ignored.
     */
    async syncRazorpaySubscription({ externalId, inboxEventIds, at }: SyncSubscriptionInput): Promise<void> {
      const read = await readKnown(deps.orderVendor, externalId);
      if (read === undefined) {
        // The sweep tells of the event again for a day, in case somebody corrects the key meanwhile.
        log.error(
          { externalId },
          'Razorpay does not know a subscription it told us of; is the key of another account?',
        );
        return;
      }
      if (read === null) log.info({ externalId }, 'a subscription that is none of ours was ignored');
      else {
        const { waiting } = await bookWhole(deps, { read, externalId, at: new Date(at) });
        if (waiting.length > 0) {
          log.info({ externalId, waiting }, 'Razorpay has charged what is not invoiced yet');
        }
      }
      const tenantId = read?.seen.owner.tenantId ?? null;
      await withSystem(deps.db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId }));
    },
  };
}

/** Looks at a subscription of ours before something else is charged for its invoice. */
export async function lookAtRazorpaySubscription(
  deps: Deps,
  { externalId, at }: { externalId: string; at: Date },
): Promise<void> {
  const read = await readKnown(deps.orderVendor, externalId);
  // One that Razorpay does not have any more (the key of another account?) is charged by nobody.
  if (read != null) await bookWhole(deps, { read, externalId, at });
}

type Read = { seen: FetchedSubscription; readAt: Date };

async function bookWhole(
  deps: Deps,
  { read, externalId, at }: { read: Read; externalId: string; at: Date },
): Promise<{ waiting: string[] }> {
  const booked = await book(deps, read, at);
  if (!booked.mustEnd) return booked;
  const failure = await end(deps.orderVendor, read.seen.externalId);
  const after = await readKnown(deps.orderVendor, read.seen.externalId);
  if (after == null) throw failure ?? notEnded(externalId);
  const ended = await book(deps, after, at);
  if (ended.mustEnd) throw failure ?? notEnded(externalId);
  return ended;
}

async function book({ db, orderVendor }: Deps, { seen, readAt }: Read, at: Date) {
  const { tenantId } = seen.owner;
  const named = seen.cycles.flatMap(({ paymentId }) => (paymentId === null ? [] : [paymentId]));
  const booked = await withTenant(db, tenantId, (tx) => bookedPayments(tx, named));
  const paid: CyclePayment[] = [];
  for (const { startsAt: cycleStartsAt, paymentId, isAskedFor } of seen.cycles) {
    if (paymentId === null || (booked.has(paymentId) && !isAskedFor)) continue;
    paid.push({ cycleStartsAt, payment: await orderVendor.fetchPayment(paymentId) });
  }
  return withTenant(db, tenantId, (tx) => bookRazorpaySubscription(tx, { seen, paid, at, readAt }));
}

/** Returns why it may not have worked; how it stands is read right after. */
async function end(vendor: SubscriptionVendor, externalId: string): Promise<VendorError | null> {
  try {
    await vendor.cancelSubscription(externalId);
    return null;
  } catch (error) {
    const isDoubtful =
      error instanceof VendorError &&
      (error.code === 'vendor_rejected_request' || error.code === 'outcome_unknown');
    if (!isDoubtful) throw error;
    return error;
  }
}

function notEnded(externalId: string): VendorError {
  return new VendorError({
    code: 'vendor_unavailable',
    message: `Razorpay ended ${externalId} and does not show it yet`,
  });
}

/** `undefined` for what Razorpay does not have. */
async function readKnown(vendor: SubscriptionVendor, externalId: string): Promise<Read | null | undefined> {
  // Real time, also where business time is virtual: it orders the answers.
  const readAt = new Date();
  try {
    const seen = await vendor.fetchSubscription(externalId);
    return seen && { seen, readAt };
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return undefined;
    throw error;
  }
}
