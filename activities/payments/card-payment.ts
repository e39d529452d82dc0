/**
 * Card payments: collecting invoices, keeping payment methods, and booking what the vendor says about a payment.
 * Every function calls the vendor, so these run on the vendor's task queue.
 *
 * Why it is safe to run twice: charges as in collect-invoice.ts; attaching and creating the vendor's customer are
 * keyed or repeatable at the vendor and overwrite the same row; what the vendor says is compared with what is booked
 * and only moves forward.
 */
import type { Logger } from 'pino';
import { withSystem, withTenant } from '../../db/client.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { bookCharge } from '../../db/queries/payments/book-charge.ts';
import type { CollectOutcome } from '../../db/queries/payments/charge-attempts.ts';
import {
  type AdoptedMethod,
  adoptPaymentMethod,
  refuseRefusedMethod,
  rememberVendorCustomer,
} from '../../db/queries/payments/payment-methods.ts';
import { isTerminal } from '../../domain/billing/subscription.ts';
import { DomainError, VendorError } from '../../domain/errors.ts';
import type { CardVendor, OwnCharge } from '../../domain/payments/card-payment.ts';
import type { ActInput } from '../billing/act.ts';
import { type CollectDeps, type CollectInvoiceInput, collectInvoice } from './collect-invoice.ts';
import { bookDisputes } from './dispute.ts';

export type CardPaymentDeps = CollectDeps & { log: Logger };

export function createCardPaymentActivities({ log, ...deps }: CardPaymentDeps) {
  const { db, cardVendor } = deps;
  return {
    /** Charges an open invoice; see `CollectOutcome`. Fails with the vendor's error code when nothing is known. */
    collectInvoice(input: CollectInvoiceInput): Promise<CollectOutcome> {
      return collectInvoice(deps, input);
    },

    /** Attaches a payment method at the vendor and makes it the customer's default. Returns the invoices to charge with it. */
    async attachPaymentMethod(
      input: ActInput & { requestId: string; paymentMethodId: string; actor: string },
    ): Promise<AdoptedMethod> {
      const { tenantId, subscriptionId, paymentMethodId } = input;
      const { customer, subscription } = await withTenant(db, tenantId, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        await refuseRefusedMethod(tx, paymentMethodId);
        return context;
      });
      if (isTerminal(subscription.status) || customer.email === null || customer.name === null) {
        throw new DomainError({
          code: 'state_conflict',
          reason: `subscription_${subscription.status}`,
          message: `The subscription is ${subscription.status}; start a new one instead.`,
        });
      }
      const { id: customerId, email, name } = customer;
      const ensureCustomer = async (replaces?: string) => {
        const person = { tenantId, customerId, email, name };
        const id = await cardVendor.ensureCustomer({
          ...person,
          ...(replaces !== undefined && { replaces }),
        });
        await withTenant(db, tenantId, (tx) => rememberVendorCustomer(tx, customerId, id));
        return id;
      };
      const attach = (vendorCustomerId: string) =>
        cardVendor.attachPaymentMethod({ vendorCustomerId, paymentMethodId, currency: customer.currency });
      const known = customer.vendorCustomerId;
      const method =
        known === null
          ? await attach(await ensureCustomer())
          : await attach(known).catch(async (error: unknown) => {
              if (!(error instanceof VendorError) || error.code !== 'not_found') throw error;
              log.warn(
                { customerId, vendorCustomerId: known },
                'the customer is gone at the vendor: made anew',
              );
              return attach(await ensureCustomer(known));
            });
      return withTenant(db, tenantId, (tx) =>
        adoptPaymentMethod(tx, { ...input, method, at: new Date(input.at) }),
      );
    },

    /**
     * Reads a payment again at the vendor and books what it says: paid, failed, waiting, refunded, disputed. `null` event ids
     * are looks of our own. A payment that is none of ours is ignored.
     */
    async syncCardPayment({ paymentId, inboxEventIds, at }: SyncInput): Promise<void> {
      const charge = await fetchKnown(cardVendor, paymentId);
      if (charge === undefined) {
        // The sweep tells of the event again for some days, in case somebody corrects the key meanwhile.
        log.error(
          { paymentId },
          'the vendor does not know a payment it told us of; is the key of another account?',
        );
        return;
      }
      if (charge === null) {
        log.info({ paymentId }, 'a payment that is none of ours was ignored');
        await withSystem(db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId: null }));
        return;
      }
      const { tenantId, attemptId } = charge.metadata;
      const needless = await withTenant(db, tenantId, async (tx) => {
        const isNeedless = await bookCharge(tx, { attemptId, charge, at: new Date(at) });
        await bookDisputes(tx, { charge, at: new Date(at) });
        return isNeedless;
      });
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

/** `undefined` for a payment that the vendor does not have. */
async function fetchKnown(cardVendor: CardVendor, paymentId: string): Promise<OwnCharge | null | undefined> {
  try {
    return await cardVendor.fetchCharge(paymentId);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return undefined;
    throw error;
  }
}

type SyncInput = { paymentId: string; inboxEventIds: string[]; at: string };
