/** Payment methods as we show and choose them. The card itself stays at the vendor. */
import { eq } from 'drizzle-orm';
import type { SubscriptionSnapshot } from '../../../domain/billing/subscription.ts';
import { DomainError } from '../../../domain/errors.ts';
import type { CardPaymentMethod } from '../../../domain/payments/card-payment.ts';
import { takeUpSubscription } from '../../../workflows/billing/subscription.contract.ts';
import type { Tx } from '../../client.ts';
import { customers } from '../../schema/billing.ts';
import { paymentMethods } from '../../schema/payments.ts';
import { collectableInvoices } from '../billing/invoices.ts';
import { keepRequest } from '../billing/subscription-requests.ts';
import {
  announceSubscription,
  type CustomerRow,
  changeSubscription,
  livingSubscriptions,
  lockCustomer,
  lockSubscription,
  snapshotOf,
} from '../billing/subscriptions.ts';
import { appendOutbox } from '../operations/outbox.ts';
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

/** Throws `payment_method_invalid` for a card that an issuer has refused for good: it is never charged again. */
export async function refuseRefusedMethod(tx: Tx, paymentMethodId: string): Promise<void> {
  const [known] = await tx
    .select({ refusedAt: paymentMethods.refusedAt, last4: paymentMethods.last4, type: paymentMethods.type })
    .from(paymentMethods)
    .where(eq(paymentMethods.id, paymentMethodId));
  if (known === undefined || known.refusedAt === null) return;
  throw new DomainError({
    code: 'payment_method_invalid',
    reason: 'payment_method_refused',
    message: `The ${known.type === 'card' ? 'card' : 'bank account'} ending in ${known.last4} was refused for good and is not charged again; send another one.`,
  });
}

/**
 * Makes an attached method the customer's default, for all their subscriptions; the other workflows are told. Returns
 * the open invoices of what has not ended: each is charged with the new method at once. A repeat of the request changes nothing more.
 */
export async function adoptPaymentMethod(
  tx: Tx,
  {
    tenantId,
    subscriptionId,
    requestId,
    method,
    actor,
    at,
  }: {
    tenantId: string;
    subscriptionId: string;
    requestId: string;
    method: CardPaymentMethod;
    actor: string;
    at: Date;
  },
): Promise<AdoptedMethod> {
  const { customer } = await lockSubscription(tx, subscriptionId);
  const isFirst = await keepRequest(tx, { tenantId, subscriptionId, requestId: `${requestId}:method` }, at);
  if (isFirst) await useMethod(tx, { tenantId, customer, subscriptionId, requestId, method, actor, at });
  const open = await collectableInvoices(tx, customer.id);
  const snapshot = snapshotOf(await lockSubscription(tx, subscriptionId));
  return { snapshot, openInvoiceIds: open.map((invoice) => invoice.id) };
}

async function useMethod(
  tx: Tx,
  {
    tenantId,
    customer,
    subscriptionId,
    requestId,
    method,
    actor,
    at,
  }: {
    tenantId: string;
    customer: CustomerRow;
    subscriptionId: string;
    requestId: string;
    method: CardPaymentMethod;
    actor: string;
    at: Date;
  },
): Promise<void> {
  const { externalId: id, type, brand, last4, expMonth, expYear, mandateId = null } = method;
  const shown = { type, brand, last4, expMonth, expYear, mandateId, attachedAt: at };
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

  for (const ownedId of await livingSubscriptions(tx, customer.id)) {
    const after = await changeSubscription(tx, await lockSubscription(tx, ownedId), {
      set: {},
      at,
      entry: {
        kind: 'payment_method_changed',
        message: `The payment method is now ${brand} ending in ${last4}.`,
      },
    });
    if (ownedId === subscriptionId) continue;
    await announceSubscription(tx, after);
    if (after.subscription.status === 'suspended') {
      await appendOutbox(tx, tenantId, [takeUpSubscription(ownedId, { actor, requestId })]);
    }
  }
}
