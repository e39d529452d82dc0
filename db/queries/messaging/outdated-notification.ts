/** Whether a message that waited for the mail vendor still says what is so: reminders are only for who must be reminded. */
import { eq } from 'drizzle-orm';
import type { NotificationTemplate } from '../../../domain/messaging/notification.ts';
import type { Tx } from '../../client.ts';
import { invoices, subscriptions } from '../../schema/billing.ts';
import type { notifications } from '../../schema/messaging.ts';

/** In words, why it must not be sent any more; null when it may be. */
export async function whyOutdated(
  tx: Tx,
  { template, subscriptionId, variables }: typeof notifications.$inferSelect,
): Promise<string | null> {
  if (aboutUnpaidInvoice.has(template)) {
    const { invoiceNumber } = variables as { invoiceNumber?: string };
    const [invoice] = await tx
      .select({ status: invoices.status })
      .from(invoices)
      .where(eq(invoices.number, invoiceNumber ?? ''));
    return invoice === undefined || invoice.status === 'open' ? null : `the invoice is ${invoice.status}`;
  }
  if (aboutTrial.has(template) && subscriptionId !== null) {
    const [subscription] = await tx
      .select({ status: subscriptions.status })
      .from(subscriptions)
      .where(eq(subscriptions.id, subscriptionId));
    const isOver = subscription !== undefined && subscription.status !== 'trialing';
    return isOver ? `the subscription is ${subscription.status}` : null;
  }
  return null;
}

const aboutUnpaidInvoice: ReadonlySet<NotificationTemplate> = new Set<NotificationTemplate>([
  'invoice_issued',
  'invoice_reminder',
  'payment_failed',
  'payment_returned',
  'payment_bounced',
  'bank_payment_returned',
  'payment_action_required',
  'payment_failed_1',
  'payment_failed_2',
  'payment_failed_final',
  'update_payment_method',
  'suspension_warning',
  'account_restricted',
  'account_suspended',
]);

const aboutTrial: ReadonlySet<NotificationTemplate> = new Set<NotificationTemplate>([
  'trial_halfway',
  'trial_ending',
  'trial_last_chance',
]);
