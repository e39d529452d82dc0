/** Payment methods as we show and choose them. The card itself stays at the vendor. */
import { eq } from 'drizzle-orm';
import { isTerminal, type SubscriptionSnapshot } from '../../../domain/billing/subscription.ts';
import type { CardPaymentMethod } from '../../../domain/payments/card-payment.ts';
import type { Tx } from '../../client.ts';
import { customers, subscriptions } from '../../schema/billing.ts';
import { paymentMethods } from '../../schema/payments.ts';
import { openInvoices } from '../billing/invoices.ts';
import {
  announceSubscription,
  changeSubscription,
  lockCustomer,
  lockSubscription,
  snapshotOf,
} from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';

export type AdoptedMethod = { snapshot: SubscriptionSnapshot; openInvoiceIds: string[] };

export async function rememberVendorCustomer(
  tx: Tx,
  customerId: string,
  vendorCustomerId: string,
): Promise<void> {
  await lockCustomer(tx, customerId);
  await tx.update(customers).set({ vendorCustomerId }).where(eq(customers.id, customerId));
}

/**
 * Makes an attached method the customer's default, for all their subscriptions; the other workflows are told. Returns
 * the customer's open invoices: each is charged with the new method at once.
 */
export async function adoptPaymentMethod(
  tx: Tx,
  {
    tenantId,
    subscriptionId,
    method,
    actor,
    at,
  }: { tenantId: string; subscriptionId: string; method: CardPaymentMethod; actor: string; at: Date },
): Promise<AdoptedMethod> {
  const { customer } = await lockSubscription(tx, subscriptionId);
  const { externalId: id, brand, last4, expMonth, expYear } = method;
  const shown = { brand, last4, expMonth, expYear, attachedAt: at, refusedAt: null };
  await tx
    .insert(paymentMethods)
    .values({ id, tenantId, customerId: customer.id, ...shown })
    .onConflictDoUpdate({ target: paymentMethods.id, set: shown });
  await tx.update(customers).set({ defaultPaymentMethodId: id }).where(eq(customers.id, customer.id));
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'customer.payment_method_changed',
    entityType: 'customer',
    entityId: customer.id,
    details: { paymentMethodId: id },
    at,
  });

  const owned = await tx
    .select({ id: subscriptions.id, status: subscriptions.status })
    .from(subscriptions)
    .where(eq(subscriptions.customerId, customer.id));
  for (const { id: ownedId, status } of owned) {
    if (isTerminal(status)) continue;
    const after = await changeSubscription(tx, await lockSubscription(tx, ownedId), {
      set: {},
      at,
      entry: {
        kind: 'payment_method_changed',
        message: `The payment method is now ${brand} ending in ${last4}.`,
      },
    });
    if (ownedId !== subscriptionId) await announceSubscription(tx, after);
  }
  const open = await openInvoices(tx, { customerId: customer.id });
  const snapshot = snapshotOf(await lockSubscription(tx, subscriptionId));
  return { snapshot, openInvoiceIds: open.map((invoice) => invoice.id) };
}
