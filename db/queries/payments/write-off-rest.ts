/**
 * The small rest of a partly paid invoice is let go: a bank kept a few cents, or somebody mistyped an amount, and chasing it costs
 * more than it brings. The invoice is paid then, with everything that follows from a paid invoice; the rest is a cost.
 *
 * Why it is safe to run twice: one transaction under the customer's lock; an invoice whose rest was let go is paid, and asked for
 * again nothing happens. While money may be on its way it is refused, so that nobody lets go what is being paid.
 */
import { eq } from 'drizzle-orm';
import { type DomainError, stateConflict } from '../../../domain/errors.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import { bankPolicy } from '../../../domain/payments/bank-policy.ts';
import { writeOffMistake } from '../../../domain/payments/manual-payment.ts';
import { dayAt } from '../../../domain/reporting/report-days.ts';
import type { Tx } from '../../client.ts';
import { invoices } from '../../schema/billing.ts';
import { refuseWhilePaid } from '../billing/close-invoice.ts';
import { dueOf, type InvoiceRow, negative, readInvoice } from '../billing/invoices.ts';
import { addTimelineEntry, lockSubscription } from '../billing/subscriptions.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { readRate, usdWorth } from './exchange-rates.ts';
import { lookAtTransferOf } from './follow-transfer.ts';
import { postToLedger } from './ledger.ts';
import { lastPaymentOf } from './read-payments.ts';
import { completeInvoice } from './settle-payment.ts';

/**
 * Throws `not_found`, and `state_conflict` with the reasons `invoice_not_open`, `nothing_paid`, `write_off_above_limit`,
 * `second_person_required`, `exchange_rate_missing` and those of money that is on its way. Returns the invoice as it is then.
 */
export async function writeOffRest(
  tx: Tx,
  { invoiceId, reason, actor, at }: { invoiceId: string; reason: string; actor: string; at: Date },
): Promise<InvoiceRow> {
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  const invoice = await readInvoice(tx, invoiceId);
  if (invoice.status === 'paid' && invoice.writtenOffMinor > 0) return invoice;
  await refuseWhilePaid(tx, { invoice, at });
  const rest = dueOf(invoice);
  await refuseAboveLimit(tx, invoice, { day: dayAt(at.toISOString(), context.tenant.timeZone), actor });
  const last = await lastPaymentOf(tx, invoiceId);
  if (last === null) throw nothingPaid(invoice);

  const { amountMinor } = rest;
  const [paid] = await tx
    .update(invoices)
    .set({ paidMinor: invoice.totalMinor, writtenOffMinor: amountMinor, status: 'paid', paidAt: at })
    .where(eq(invoices.id, invoiceId))
    .returning();
  if (paid === undefined) throw new Error(`Invoice ${invoiceId} disappeared`);
  await lookAtTransferOf(tx, invoiceId, at);
  const { tenantId, reopenedAt } = invoice;
  await postToLedger(tx, {
    tenantId,
    kind: 'rest_written_off',
    // Let go once more, after the payments had been taken back and came again, is another fact.
    reference: reopenedAt === null ? invoiceId : `${invoiceId}:${reopenedAt.toISOString()}`,
    at,
    lines: [
      { account: 'write_off', amount: rest },
      { account: 'receivable', amount: negative(rest) },
    ],
  });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'rest_written_off',
    message: `The rest of invoice ${invoice.number}, ${formatMoney(rest)}, was written off.`,
    details: { invoiceId, amountMinor },
  });
  await writeAudit(tx, {
    tenantId,
    actor,
    action: 'invoice.rest_written_off',
    entityType: 'invoice',
    entityId: invoiceId,
    reason,
    details: { amountMinor, currency: rest.currency },
    at,
  });
  await completeInvoice(tx, context, {
    invoice: paid,
    paymentId: last.id,
    wasWrittenOff: false,
    at,
    isUnasked: true,
  });
  return readInvoice(tx, invoiceId);
}

async function refuseAboveLimit(
  tx: Tx,
  invoice: InvoiceRow,
  { day, actor }: { day: string; actor: string },
): Promise<void> {
  const rest = dueOf(invoice);
  const { writeOffLimitUsdMinor } = bankPolicy;
  const restUsdMinor = await usdWorth(tx, rest, { day, actor });
  if (restUsdMinor === null) {
    // It says how to enter one.
    await readRate(tx, { base: rest.currency, quote: 'USD', day });
    throw stateConflict(
      'second_person_required',
      `What ${formatMoney(rest)} are worth says only a rate that was entered with the API key that you use now; another one than that writes the rest off.`,
    );
  }
  const mistake = writeOffMistake({ restUsdMinor, paidMinor: invoice.paidMinor, writeOffLimitUsdMinor });
  if (mistake === null) return;
  if (mistake === 'nothing_paid') throw nothingPaid(invoice);
  throw stateConflict(
    mistake,
    `${formatMoney(rest)} of invoice ${invoice.number} are unpaid; up to ${formatMoney(money(writeOffLimitUsdMinor, 'USD'))} may be written off as a rest. Ask the customer for it, or ${GIVE_UP}.`,
  );
}

/** Nor is it where what it counts as paid is only what a vendor could not take exactly. */
function nothingPaid({ number }: InvoiceRow): DomainError {
  return stateConflict(
    'nothing_paid',
    `Nothing of invoice ${number} was paid, so there is no rest of it; ${GIVE_UP}.`,
  );
}

const GIVE_UP = 'give the invoice up with POST /v1/invoices/{invoiceId}/mark_uncollectible';
