/**
 * Disputes of a payment, as the card vendor tells them: booked, and what follows from them. While one is open, the
 * customer's ladder stands still; the subscription runs on. A lost one ends the subscription at once: who takes the money
 * back through the bank has left. That of a one-off changes nothing of it.
 *
 * Why it is safe to run twice: a dispute's changes are booked once, and what follows from a change is in the transaction
 * that books it.
 */
import type { Tx } from '../../db/client.ts';
import { retellCase } from '../../db/queries/billing/dunning-cases.ts';
import { announceSubscription, lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { bookDispute } from '../../db/queries/payments/disputes.ts';
import type { DisputeRow } from '../../db/queries/payments/read-disputes.ts';
import { findPaymentByReference } from '../../db/queries/payments/read-payments.ts';
import type { RefundContext } from '../../db/queries/payments/refunds.ts';
import { isTerminal } from '../../domain/billing/subscription.ts';
import { formatMoney, money } from '../../domain/money.ts';
import type { CardCharge } from '../../domain/payments/card-payment.ts';
import type { VendorRail } from '../../domain/payments/payment.ts';
import { voidOpenInvoices } from '../billing/subscription.ts';
import { cancelNow } from '../billing/subscription-requests.ts';

/** Compares the disputes of a charge with those booked. A charge that is no payment of ours has none. */
export async function bookDisputes(
  tx: Tx,
  {
    rail = 'stripe',
    charge,
    at,
  }: { rail?: VendorRail; charge: Pick<CardCharge, 'externalId' | 'disputes'>; at: Date },
): Promise<void> {
  if (charge.disputes.length === 0) return;
  const payment = await findPaymentByReference(tx, { rail, externalId: charge.externalId });
  if (payment === null) return;
  for (const seen of charge.disputes) {
    const { changes, dispute, subject } = await bookDispute(tx, { paymentId: payment.id, dispute: seen, at });
    const endsIt = changes.includes('lost') && subject.invoice.kind !== 'one_off';
    if (endsIt) await endSubscription(tx, subject, dispute, at);
    if (changes.some((change) => holds.has(change))) await retellCase(tx, subject.context);
  }
}

/** After these the ladder may have begun or ceased to stand still. */
const holds: ReadonlySet<string> = new Set(['opened', 'won', 'lost']);

/** Nothing more is owed, given or chased: the bank has taken back what was paid. */
async function endSubscription(
  tx: Tx,
  { invoice, context: { subscription } }: RefundContext,
  dispute: DisputeRow,
  at: Date,
): Promise<void> {
  if (isTerminal(subscription.status)) return;
  const context = await lockSubscription(tx, subscription.id);
  await voidOpenInvoices(tx, context, at);
  const amount = formatMoney(money(dispute.amountMinor, dispute.currency));
  const after = await cancelNow(
    tx,
    context,
    { cancelReason: 'dispute_lost', cancelComment: null, cancelRequestedAt: at },
    at,
    `Cancelled: the customer's bank took ${amount} of invoice ${invoice.number} back.`,
  );
  await announceSubscription(tx, after);
}
