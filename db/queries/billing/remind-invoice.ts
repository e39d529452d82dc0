/**
 * Reminders of invoices that wait for the customer and that nobody else speaks for: no dunning ladder, no charge that is
 * planned or under way, no change of plan that waits for the payment.
 *
 * Why it is safe to run twice: which reminder was sent last is in the invoice's row, changed with the mail in one
 * transaction under the customer's lock, and the mail's key is the invoice and its day. Whoever comes second, or comes
 * after the payment, finds nothing due.
 */
import { and, asc, eq, exists, gt, inArray, isNull, lt, not, or, type SQL, sql } from 'drizzle-orm';
import { dueReminder, remindedIfDueBefore, reminderDays } from '../../../domain/billing/invoice-reminder.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import type { SubscriptionStatus } from '../../../domain/billing/subscription.ts';
import type { Tx } from '../../client.ts';
import { customers, dunningCases, invoices, subscriptions } from '../../schema/billing.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { dueVariables } from './finalise-draft.ts';
import { readInvoice } from './invoices.ts';
import { addTimelineEntry, lockSubscription, type TenantRow } from './subscriptions.ts';

/** Ids of invoices that may have a reminder due, the first `limit` after the cursor. */
export async function remindableInvoices(
  tx: Tx,
  { tenant, now, after, limit }: { tenant: TenantRow; now: Date; after: string; limit: number },
): Promise<string[]> {
  const lastDay = Math.max(...reminderDays);
  const dueBefore = new Date(remindedIfDueBefore(now.toISOString(), dayLengthMs(tenant)));
  const rows = await selectSpokenForByNobody(
    tx,
    and(lt(invoices.dueAt, dueBefore), lt(invoices.remindedDays, lastDay), gt(invoices.id, after)),
  )
    .orderBy(asc(invoices.id))
    .limit(limit);
  return rows.map(({ invoice }) => invoice.id);
}

/** Decides the reminder that is due, if one is. Returns its days after the due date. */
export async function remindOfInvoice(
  tx: Tx,
  { invoiceId, now }: { invoiceId: string; now: Date },
): Promise<number | null> {
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  const [found] = await selectSpokenForByNobody(tx, eq(invoices.id, invoiceId));
  if (found === undefined) return null;
  const { invoice } = found;
  const { id, tenantId, customerId, remindedDays } = invoice;
  const dueAt = invoice.dueAt.toISOString();
  const dayMs = dayLengthMs(context.tenant);
  const days = dueReminder({ dueAt, remindedDays, now: now.toISOString(), dayMs });
  if (days === null) return null;

  await tx.update(invoices).set({ remindedDays: days }).where(eq(invoices.id, id));
  await addTimelineEntry(tx, context.subscription, now, {
    kind: 'invoice_reminder',
    message: `The customer is reminded of invoice ${invoice.number}: it has been due for ${days} days.`,
    details: { invoiceId: id, days },
  });
  await enqueueNotification(tx, {
    tenantId,
    at: now,
    request: {
      template: 'invoice_reminder',
      variables: { ...dueVariables(context, invoice), overdueFor: `${days} days` },
      customerId,
      subscriptionId,
      dedupeKey: `invoice:${id}:reminder:${days}`,
      attaches: { kind: 'invoice', invoiceId: id },
    },
  });
  return days;
}

/** Of what a subscription has billed, nobody is chased before it has begun or after it has ended. */
const running: SubscriptionStatus[] = ['active', 'past_due'];

function selectSpokenForByNobody(tx: Tx, which: SQL | undefined) {
  const ladder = tx
    .select({ id: dunningCases.id })
    .from(dunningCases)
    .where(and(eq(dunningCases.customerId, invoices.customerId), isNull(dunningCases.closedAt)));
  const charge = tx
    .select({ id: chargeAttempts.id })
    .from(chargeAttempts)
    .where(
      and(
        eq(chargeAttempts.invoiceId, invoices.id),
        inArray(chargeAttempts.status, ['pending', 'processing', 'requires_action']),
      ),
    );
  return tx
    .select({ invoice: invoices })
    .from(invoices)
    .innerJoin(subscriptions, eq(subscriptions.id, invoices.subscriptionId))
    .innerJoin(customers, eq(customers.id, invoices.customerId))
    .where(
      and(
        eq(invoices.status, 'open'),
        isNull(customers.erasedAt),
        or(eq(invoices.kind, 'one_off'), inArray(subscriptions.status, running)),
        not(exists(ladder)),
        not(exists(charge)),
        sql`${subscriptions.pendingChange} ->> 'invoiceId' is distinct from ${invoices.id}`,
        sql`not ${subscriptions.plannedCharges} @> jsonb_build_array(jsonb_build_object('invoiceId', ${invoices.id}))`,
        which,
      ),
    )
    .$dynamic();
}
