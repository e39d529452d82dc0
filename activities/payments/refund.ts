/**
 * Asks the vendor that took a payment to give money back, and books the answer.
 *
 * Why it is safe to run twice: the row exists before the vendor is called, and says whether an earlier run may have
 * asked. If one may have, the refund is first looked up at the vendor by our own id, which does not depend on the vendor
 * remembering our key; only what it never heard of is asked for, under a key made of that id. An answer is booked once,
 * whether the call or the vendor's event brings it first. A refusal fails the row and books nothing.
 */
import { type Database, withTenant } from '../../db/client.ts';
import {
  type BegunRefund,
  beginRefund,
  bookRefund,
  refuseRefund,
} from '../../db/queries/payments/refunds.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { isVendorRail, type VendorRail } from '../../domain/payments/payment.ts';
import type { OrderVendor } from '../../domain/payments/razorpay-order.ts';
import { type CardRefund, RefundRefused, type RefundStatus } from '../../domain/payments/refund.ts';

export type GiveBackInput = { tenantId: string; refundId: string; at: string };

type RefundVendor = Pick<CardVendor, 'refund' | 'findRefund'>;

export function createRefundActivities({
  db,
  cardVendor,
  orderVendor,
}: {
  db: Database;
  cardVendor: CardVendor;
  orderVendor: OrderVendor;
}) {
  const vendors: Record<VendorRail, RefundVendor> = { stripe: cardVendor, razorpay: orderVendor };
  return {
    /** Throws `VendorError` when the vendor could not be asked or its answer was lost; run it again then. */
    async giveBack({ tenantId, refundId, at: now }: GiveBackInput): Promise<{ status: RefundStatus }> {
      const at = new Date(now);
      const begun = await withTenant(db, tenantId, (tx) => beginRefund(tx, { refundId, at }));
      if (begun.kind === 'done') return { status: begun.status };
      if (!isVendorRail(begun.rail)) throw new Error(`No vendor gives back what came by ${begun.rail}`);
      const answer = await ask(vendors[begun.rail], begun);
      return withTenant(db, tenantId, (tx) =>
        answer instanceof RefundRefused
          ? refuseRefund(tx, { refundId, reason: answer.reason, at })
          : bookRefund(tx, { paymentId: begun.paymentId, refund: answer, at }),
      );
    },
  };
}

async function ask(
  vendor: RefundVendor,
  { request, resumed }: Extract<BegunRefund, { kind: 'ask' }>,
): Promise<CardRefund | RefundRefused> {
  if (resumed) {
    const known = await vendor.findRefund(request);
    if (known !== null) return known;
  }
  try {
    return await vendor.refund(request);
  } catch (error) {
    if (error instanceof RefundRefused) return error;
    throw error;
  }
}
