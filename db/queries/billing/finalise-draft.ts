/**
 * A draft becomes an invoice: it gets its number and the tax of the day, what we hold for the customer pays first, and what
 * is left goes to the customer by mail and waits to be paid on any rail.
 *
 * Why it is safe to run twice: all of it is one transaction under the customer's lock, and the draft's row goes with it.
 * Whoever comes second finds no draft; a rollback leaves the draft and gives the number back. The invoice has the draft's
 * id, so the database itself refuses a second one.
 */
import { eq } from 'drizzle-orm';
import { dayInWords } from '../../../domain/billing/invoice-document.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { DomainError } from '../../../domain/errors.ts';
import { addDays } from '../../../domain/instant.ts';
import { formatMoney } from '../../../domain/money.ts';
import type { Tx } from '../../client.ts';
import { invoiceDrafts } from '../../schema/billing.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { payUrl } from '../payments/dunning-message.ts';
import { payFromCredit } from '../payments/pay-from-credit.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { lockDraft } from './invoice-drafts.ts';
import { dueOf, type InvoiceRow, readInvoice } from './invoices.ts';
import { issueOneOff } from './issue-invoice.ts';
import type { SubscriptionContext } from './subscriptions.ts';

/** Throws `not_found`, and `state_conflict` where the plan is in another currency by now. */
export async function finaliseDraft(
  tx: Tx,
  { draftId, actor, at }: { draftId: string; actor: string; at: Date },
): Promise<InvoiceRow> {
  const { context, draft } = await lockDraft(tx, draftId);
  if (draft.currency !== context.plan.currency) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'currency_mismatch',
      message: `The draft is in ${draft.currency} and the plan in ${context.plan.currency} by now; discard it and draft it anew.`,
    });
  }
  await tx.delete(invoiceDrafts).where(eq(invoiceDrafts.id, draftId));
  const dueAt = new Date(addDays(at.toISOString(), draft.daysUntilDue, dayLengthMs(context.tenant)));
  const issued = await issueOneOff(tx, context, { draft, dueAt, at });
  await writeAudit(tx, {
    tenantId: issued.tenantId,
    actor,
    action: 'invoice.finalised',
    entityType: 'invoice',
    entityId: issued.id,
    details: { number: issued.number },
    at,
  });
  await payFromCredit(tx, context, { invoice: issued, at });
  const invoice = await readInvoice(tx, issued.id);
  if (invoice.status === 'open') await sendInvoice(tx, context, { invoice, at });
  return invoice;
}

async function sendInvoice(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: Date },
): Promise<void> {
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      template: 'invoice_issued',
      variables: dueVariables(context, invoice),
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `invoice:${invoice.id}:issued`,
      attaches: { kind: 'invoice', invoiceId: invoice.id },
    },
  });
}

/** What every mail about an invoice that waits for the customer says. */
export function dueVariables({ plan, tenant }: SubscriptionContext, invoice: InvoiceRow) {
  return {
    planName: plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(dueOf(invoice)),
    dueOn: dayInWords(invoice.dueAt.toISOString(), tenant),
    payUrl: payUrl(tenant.portalUrl, invoice.id),
  };
}
