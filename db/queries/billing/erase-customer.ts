/**
 * A real erasure: every column of ours that holds something personal of a customer is emptied. Invoices and payments
 * stay, with a pseudonym; the keyed hash in the ledger of granted trials stays, it cannot be turned back.
 */
import { and, eq, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import { exemptNote } from '../../../domain/billing/tax.ts';
import type { Tx } from '../../client.ts';
import { bankTransfers } from '../../schema/banking.ts';
import {
  customers,
  invoiceDrafts,
  invoices,
  subscriptionEvents,
  subscriptions,
} from '../../schema/billing.ts';
import { notifications } from '../../schema/messaging.ts';
import { paymentApprovals } from '../../schema/payment-approvals.ts';
import { chargeAttempts, paymentMethods, payments } from '../../schema/payments.ts';
import { taxCalculations } from '../../schema/tax.ts';
import { idempotencyKeys } from '../../schema/tenants.ts';
import { forgetProofTexts } from '../payments/bank-proofs.ts';
import { eraseMovements } from '../payments/erase-movements.ts';
import { lookAtTransferOf } from '../payments/follow-transfer.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import type { CustomerRow, SubscriptionContext } from './subscriptions.ts';

/** Whether another subscription of the customer still runs or waits for its own erasure. */
export async function hasOtherLife(
  tx: Tx,
  { customer, subscription }: SubscriptionContext,
): Promise<boolean> {
  const others = await tx
    .select({ status: subscriptions.status })
    .from(subscriptions)
    .where(
      and(
        eq(subscriptions.customerId, customer.id),
        ne(subscriptions.id, subscription.id),
        isNull(subscriptions.closedAt),
      ),
    );
  return others.length > 0;
}

/**
 * Empties the personal columns and writes the audit log. Call under the customer's lock. The vendor's id of the
 * customer stays until `forgetVendorCustomer`, for it is needed to delete the customer there.
 */
export async function eraseCustomer(
  tx: Tx,
  customer: CustomerRow,
  { actor, at }: { actor: string; at: Date },
): Promise<void> {
  const { id, tenantId, email } = customer;
  await tx
    .update(customers)
    .set({
      email: null,
      name: null,
      nameKey: null,
      externalRef: null,
      address: null,
      taxId: null,
      taxExemptReason: null,
      defaultPaymentMethodId: null,
      erasedAt: at,
    })
    .where(eq(customers.id, id));
  await tx
    .update(paymentMethods)
    .set({ brand: '', last4: '', expMonth: 0, expYear: 0 })
    .where(eq(paymentMethods.customerId, id));
  await tx
    .update(invoices)
    .set({
      billTo: { name: 'Erased customer', email: '' },
      // The note of an exemption gives its reason; a place of supply is a state.
      notes: sql`case when ${invoices.taxTreatment} = 'exempt' then array[${exemptNote(null)}] else ${invoices.notes} end`,
    })
    .where(eq(invoices.customerId, id));
  // A hash of the address, which who knows the rest could guess.
  await tx
    .update(taxCalculations)
    .set({ fingerprint: sql`${taxCalculations.id}` })
    .where(eq(taxCalculations.customerId, id));
  // Nobody is left to bill.
  await tx.delete(invoiceDrafts).where(eq(invoiceDrafts.customerId, id));
  await tx
    .update(payments)
    .set({ note: null, chequeNumber: null, externalId: withoutCheque(payments, payments.externalId) })
    .where(eq(payments.customerId, id));
  await tx
    .update(paymentApprovals)
    .set({
      note: null,
      chequeNumber: null,
      reference: withoutCheque(paymentApprovals, paymentApprovals.reference),
    })
    .where(eq(paymentApprovals.customerId, id));
  await tx
    .update(notifications)
    .set({ recipient: null, subject: null, variables: {}, attached: null, error: null })
    .where(eq(notifications.customerId, id));
  await tx.update(subscriptions).set({ cancelComment: null }).where(eq(subscriptions.customerId, id));
  const ownedSubscriptions = tx
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .where(eq(subscriptions.customerId, id));
  await tx
    .update(subscriptionEvents)
    .set({ message: 'The payment method was changed.' })
    .where(
      and(
        eq(subscriptionEvents.kind, 'payment_method_changed'),
        inArray(subscriptionEvents.subscriptionId, ownedSubscriptions),
      ),
    );
  const owned = tx.select({ id: invoices.id }).from(invoices).where(eq(invoices.customerId, id));
  await tx.update(chargeAttempts).set({ actionUrl: null }).where(inArray(chargeAttempts.invoiceId, owned));
  await endTransfers(tx, id, at);
  await eraseMovements(tx, { customerId: id, at });
  await forgetProofTexts(tx, id);
  // Stored answers of the API may repeat what was sent.
  if (email !== null) {
    await tx
      .delete(idempotencyKeys)
      .where(
        and(
          eq(idempotencyKeys.tenantId, tenantId),
          sql`strpos(${idempotencyKeys.responseBody}::text, ${JSON.stringify(email).slice(1, -1)}) > 0`,
        ),
      );
  }
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'customer.erased',
    entityType: 'customer',
    entityId: id,
    details: {
      fields: [
        'email',
        'name',
        'externalRef',
        'address',
        'taxId',
        'taxExemptReason',
        'paymentMethods',
        'invoices.billTo',
        'invoices.notes',
        'taxCalculations.fingerprint',
        'invoiceDrafts',
        'bankTransfers.confirmationNumber',
        'bankProofs',
        'payments.note',
        'payments.chequeNumber',
        'payments.externalId',
        'paymentApprovals.note',
        'paymentApprovals.chequeNumber',
        'paymentApprovals.reference',
        'notifications',
        'bankTransactions.texts',
        'bankTransactions.payer',
        'bankDecisions.act.reason',
      ],
    },
    at,
  });
}

/** What identifies the money, unless the number of its cheque is in it: then the row's own id does. */
function withoutCheque(
  { id, chequeNumber }: typeof payments | typeof paymentApprovals,
  reference: AnyPgColumn,
): SQL {
  return sql`case when strpos(${reference}, ${chequeNumber}) > 0 then ${id} else ${reference} end`;
}

/** Nobody is left to be asked for money; the numbers that the customer told are forgotten. */
async function endTransfers(tx: Tx, customerId: string, at: Date): Promise<void> {
  const owned = tx.select({ id: invoices.id }).from(invoices).where(eq(invoices.customerId, customerId));
  const rows = await tx
    .select({ invoiceId: bankTransfers.invoiceId })
    .from(bankTransfers)
    .where(inArray(bankTransfers.invoiceId, owned));
  for (const { invoiceId } of rows) await lookAtTransferOf(tx, invoiceId, at);
  await tx
    .update(bankTransfers)
    .set({ confirmationNumber: null })
    .where(inArray(bankTransfers.invoiceId, owned));
}

/** The vendor has deleted the customer too. */
export async function forgetVendorCustomer(tx: Tx, customerId: string): Promise<void> {
  await tx.update(customers).set({ vendorCustomerId: null }).where(eq(customers.id, customerId));
}
