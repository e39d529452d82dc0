/**
 * Reads an order again at Razorpay and books what it says.
 *
 * Why it is safe to run twice: what was read is compared with what is booked and only moves forward; a captured payment
 * settles once, by its id. A payment is captured at most once, because Razorpay refuses the second time; whoever meets that
 * refusal, or loses the answer, reads the order again and finds how it stands.
 */
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { bookOrder } from '../../db/queries/payments/book-order.ts';
import { VendorError } from '../../domain/errors.ts';
import type { FetchedOrder, OrderPayment, OrderVendor } from '../../domain/payments/razorpay-order.ts';

type Deps = { db: Database; orderVendor: OrderVendor };

export type SyncOrderInput = { externalId: string; inboxEventIds: string[]; at: string };

export function createRazorpayPaymentActivities({ log, ...deps }: Deps & { log: Logger }) {
  return {
    /** Books what became of an order's payments. `null` event ids are looks of our own. An order that is none of ours is ignored. */
    async syncRazorpayOrder({ externalId, inboxEventIds, at }: SyncOrderInput): Promise<void> {
      const order = await fetchKnown(deps.orderVendor, externalId);
      if (order === undefined) {
        // The sweep tells of the event again for a day, in case somebody corrects the key meanwhile.
        log.error(
          { externalId },
          'Razorpay does not know an order it told us of; is the key of another account?',
        );
        return;
      }
      if (order === null) log.info({ externalId }, 'an order that is none of ours was ignored');
      else await bookWhole(deps, { order, at: new Date(at) });
      const tenantId = order?.owner.tenantId ?? null;
      await withSystem(deps.db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId }));
    },
  };
}

/** Looks at an order of ours before something else is charged for its invoice. */
export async function lookAtOrder(
  deps: Deps,
  { externalId, at }: { externalId: string; at: Date },
): Promise<void> {
  const order = await fetchKnown(deps.orderVendor, externalId);
  // One that Razorpay does not have any more (the key of another account?) is paid by nobody.
  if (order != null) await bookWhole(deps, { order, at });
}

/** Each round captures one payment, until none is left that the invoice needs. */
async function bookWhole(deps: Deps, { order: read, at }: { order: FetchedOrder; at: Date }): Promise<void> {
  const { tenantId } = read.owner;
  for (let order: FetchedOrder | null = read; order !== null; ) {
    const seen: FetchedOrder = order;
    const toCapture: OrderPayment | null = await withTenant(deps.db, tenantId, (tx) =>
      bookOrder(tx, { order: seen, at }),
    );
    order = toCapture === null ? null : await captured(deps.orderVendor, seen.externalId, toCapture);
  }
}

/** The order after the capture. Throws where the payment could not be captured, and nobody else has done it. */
async function captured(
  orderVendor: OrderVendor,
  orderId: string,
  { externalId: paymentId, amount }: OrderPayment,
): Promise<FetchedOrder | null> {
  let failure: unknown;
  try {
    await orderVendor.capture({ paymentId, amount });
  } catch (error) {
    const isDoubtful =
      error instanceof VendorError &&
      (error.code === 'vendor_rejected_request' || error.code === 'outcome_unknown');
    if (!isDoubtful) throw error;
    failure = error;
  }
  const order = await orderVendor.fetchOrder(orderId);
  const isWaiting = order?.payments.some(
    ({ externalId, status }) => externalId === paymentId && status === 'authorized',
  );
  if (isWaiting) throw failure ?? stillUncaptured(paymentId);
  return order;
}

function stillUncaptured(paymentId: string): VendorError {
  return new VendorError({
    code: 'vendor_unavailable',
    message: `Razorpay captured ${paymentId} and does not show it yet`,
  });
}

/** `undefined` for an order that Razorpay does not have. */
async function fetchKnown(
  orderVendor: OrderVendor,
  externalId: string,
): Promise<FetchedOrder | null | undefined> {
  try {
    return await orderVendor.fetchOrder(externalId);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return undefined;
    throw error;
  }
}
