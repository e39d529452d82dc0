/**
 * Card payments: collecting invoices, keeping payment methods, and booking what the vendor says about a payment.
 * Every function calls the vendor, so these run on the vendor's task queue.
 *
 * Why it is safe to run twice: charges as in collect-invoice.ts; attaching and creating the vendor's customer are
 * keyed or repeatable at the vendor and overwrite the same row; what the vendor says is compared with what is booked
 * and only moves forward.
 */
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { bookCharge } from '../../db/queries/payments/book-charge.ts';
import type { CollectOutcome } from '../../db/queries/payments/charge-attempts.ts';
import {
  type AdoptedMethod,
  adoptPaymentMethod,
  rememberVendorCustomer,
} from '../../db/queries/payments/payment-methods.ts';
import { isTerminal } from '../../domain/billing/subscription.ts';
import { DomainError } from '../../domain/errors.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import type { ActInput } from '../billing/subscription.ts';
import { type CollectInvoiceInput, collectInvoice } from './collect-invoice.ts';

export type CardPaymentDeps = { db: Database; cardVendor: CardVendor; log: Logger };

export function createCardPaymentActivities({ db, cardVendor, log }: CardPaymentDeps) {
  return {
    /** Charges an open invoice; see `CollectOutcome`. Fails with the vendor's error code when nothing is known. */
    collectInvoice(input: CollectInvoiceInput): Promise<CollectOutcome> {
      return collectInvoice({ db, cardVendor }, input);
    },

    /** Attaches a payment method at the vendor and makes it the customer's default. Returns the invoices to charge with it. */
    async attachPaymentMethod(
      input: ActInput & { paymentMethodId: string; actor: string },
    ): Promise<AdoptedMethod> {
      const { tenantId, subscriptionId } = input;
      const { customer, subscription } = await withTenant(db, tenantId, (tx) =>
        lockSubscription(tx, subscriptionId),
      );
      if (isTerminal(subscription.status) || customer.email === null || customer.name === null) {
        throw new DomainError({
          code: 'state_conflict',
          reason: `subscription_${subscription.status}`,
          message: `The subscription is ${subscription.status}; start a new one instead.`,
        });
      }
      const vendorCustomerId =
        customer.vendorCustomerId ??
        (await cardVendor.ensureCustomer({
          tenantId,
          customerId: customer.id,
          email: customer.email,
          name: customer.name,
        }));
      await withTenant(db, tenantId, (tx) => rememberVendorCustomer(tx, customer.id, vendorCustomerId));
      const { paymentMethodId } = input;
      const method = await cardVendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId });
      return withTenant(db, tenantId, (tx) =>
        adoptPaymentMethod(tx, { ...input, method, at: new Date(input.at) }),
      );
    },

    /**
     * Reads a payment again at the vendor and books what it says: paid, failed, waiting, refunded. `null` event ids
     * are looks of our own. A payment that is none of ours is ignored.
     */
    async syncCardPayment({ paymentId, inboxEventIds, at }: SyncInput): Promise<void> {
      const charge = await cardVendor.fetchCharge(paymentId);
      const { tenantId, attemptId } = charge.metadata;
      if (tenantId === undefined || attemptId === undefined) {
        log.info({ paymentId }, 'a payment that is none of ours was ignored');
        await withSystem(db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId: null }));
        return;
      }
      const needless = await withTenant(db, tenantId, (tx) =>
        bookCharge(tx, { attemptId, charge, at: new Date(at) }),
      );
      if (needless) {
        const released = await cardVendor.cancelCharge(paymentId);
        await withTenant(db, tenantId, (tx) =>
          bookCharge(tx, { attemptId, charge: released, at: new Date(at) }),
        );
      }
      await withSystem(db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId }));
    },
  };
}

type SyncInput = { paymentId: string; inboxEventIds: string[]; at: string };
