/**
 * Collects an invoice by card: decide and record the attempt, ask the vendor, book the answer. Where the customer could be
 * paying an order or a checkout for it at this moment, or Razorpay could be charging it by itself, that is looked at first;
 * while it does, no card is charged.
 *
 * Why it is safe to run twice: if we die before the vendor is called, the next run finds the attempt `pending`, sees
 * that the vendor never heard of it and charges under the same idempotency key. If we die after the charge, or its
 * answer is lost, the next run finds the charge at the vendor by the attempt's id, also after the vendor has
 * forgotten the key. Booking is unique per vendor payment.
 */

import { type Database, withTenant } from '../../db/client.ts';
import {
  type BeginChargeInput,
  type BegunCharge,
  beginCharge,
  type CollectOutcome,
  finishCharge,
} from '../../db/queries/payments/charge-attempts.ts';
import { lapseConversion } from '../../db/queries/payments/conversion.ts';
import {
  type CardCharge,
  type CardVendor,
  ChargeRefused,
  type RefusedCharge,
} from '../../domain/payments/card-payment.ts';
import type { CheckoutProvider } from '../../domain/payments/coinbase-checkout.ts';
import type { RazorpayVendor } from '../../domain/payments/razorpay-subscription.ts';
import { lookAtCheckout } from './coinbase-checkout.ts';
import { lookAtRazorpaySubscription } from './razorpay-collection.ts';
import { lookAtOrder } from './razorpay-payment.ts';

type Looked = Pick<BeginChargeInput, 'lookedAtOrder' | 'lookedAtCheckout' | 'lookedAtRazorpay'>;

export type CollectInvoiceInput = Omit<BeginChargeInput, 'at' | keyof Looked> & {
  at: string;
};

export type CollectDeps = {
  db: Database;
  cardVendor: CardVendor;
  orderVendor: RazorpayVendor;
  checkoutProvider: CheckoutProvider;
};

/** Throws `VendorError` when the vendor could not be asked or its answer was lost; run it again then. */
export async function collectInvoice(
  { db, cardVendor, orderVendor, checkoutProvider }: CollectDeps,
  input: CollectInvoiceInput,
): Promise<CollectOutcome> {
  const { tenantId } = input;
  const at = new Date(input.at);
  const finish = (attemptId: string, charge: CardCharge | RefusedCharge) =>
    withTenant(db, tenantId, (tx) => finishCharge(tx, { attemptId, charge, at, askedBy: input.askedBy }));

  const looked: Looked = {};
  for (;;) {
    const begun = await withTenant(db, tenantId, (tx) => beginCharge(tx, { ...input, at, ...looked }));
    switch (begun.kind) {
      case 'done':
        return begun.result;
      case 'look_at_order':
        await lookAtOrder({ db, orderVendor }, { externalId: begun.externalId, at });
        looked.lookedAtOrder = begun.orderId;
        break;
      case 'look_at_checkout':
        await lookAtCheckout({ db, checkoutProvider }, { tenantId, checkoutId: begun.checkoutId, at });
        looked.lookedAtCheckout = begun.checkoutId;
        break;
      case 'look_at_razorpay':
        for (const externalId of begun.externalIds)
          await lookAtRazorpaySubscription({ db, orderVendor }, { externalId, at });
        looked.lookedAtRazorpay = true;
        break;
      case 'cancel_waiting': {
        const charge = await cardVendor.cancelCharge(begun.externalId);
        const { outcome, ...rest } = await withTenant(db, tenantId, async (tx) => {
          const result = await finishCharge(tx, {
            attemptId: begun.attemptId,
            charge,
            at,
            askedBy: input.askedBy,
          });
          if (charge.status === 'canceled' && input.origin === 'first_invoice')
            await lapseConversion(tx, input.invoiceId, at);
          return result;
        });
        // The customer was quicker than the cancellation, or the bank still works on it: no second charge beside it.
        if (outcome === 'paid' || outcome === 'processing' || outcome === 'requires_action')
          return { outcome, ...rest };
        break;
      }
      case 'charge': {
        const result = await finish(begun.request.attemptId, await ask(cardVendor, begun));
        // What was missing was the answer to a try with the card before: the new one is asked for now.
        const goesOn = !begun.ownTry && input.origin === 'new_payment_method';
        if (goesOn && (result.outcome === 'declined' || result.outcome === 'technical')) break;
        return result;
      }
      default:
        return begun satisfies never;
    }
  }
}

async function ask(
  cardVendor: CardVendor,
  begun: Extract<BegunCharge, { kind: 'charge' }>,
): Promise<CardCharge | RefusedCharge> {
  const { request, resumed, startedAt } = begun;
  if (resumed) {
    const { vendorCustomerId, attemptId } = request;
    const known = await cardVendor.findCharge({ vendorCustomerId, attemptId, createdAfter: startedAt });
    if (known !== null && !isAbandoned(known)) return known;
  }
  try {
    return await cardVendor.charge(request);
  } catch (error) {
    if (!(error instanceof ChargeRefused)) throw error;
    return { externalId: null, status: 'failed', decline: error.decline };
  }
}

/**
 * A payment that asks for authentication but has no link yet: we died between the bank's wish and ours for a link.
 * Repeating the keyed request continues from there.
 */
function isAbandoned(charge: CardCharge): boolean {
  return charge.status === 'failed' && charge.decline?.class === 'customer_action';
}
