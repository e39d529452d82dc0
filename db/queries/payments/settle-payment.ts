/**
 * The one act every rail ends in: money that arrived is booked, allocated to its invoice, and what follows from a
 * paid invoice (activation, recovery, receipts) happens in the same transaction.
 *
 * Why it is safe to run twice: a payment is unique on rail and external id, so the second run finds it and changes
 * nothing; all of it is one transaction under the customer's lock, so a crash leaves everything or nothing.
 */
import { and, eq, sql } from 'drizzle-orm';
import { termsInWords } from '../../../domain/billing/plan-change.ts';
import { dropCharge } from '../../../domain/billing/planned-charge.ts';
import { DomainError } from '../../../domain/errors.ts';
import { inWords } from '../../../domain/instant.ts';
import type { NotificationRequest } from '../../../domain/messaging/notification.ts';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import { roundingOf } from '../../../domain/payments/card-payment.ts';
import { allocate, type PaymentRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { applyPaidChange } from '../billing/apply-change.ts';
import { findOpenCase, moveOnCase } from '../billing/dunning-cases.ts';
import { dueOf, type InvoiceRow, readInvoice, unpaidInvoices } from '../billing/invoices.ts';
import { forgetPlan } from '../billing/planned-charges.ts';
import { resumedPeriod } from '../billing/resumed-period.ts';
import {
  addTimelineEntry,
  announceSubscription,
  changeSubscription,
  lockSubscription,
  type SubscriptionContext,
  statusChange,
  termsOf,
} from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { type LedgerAccount, postToLedger } from './ledger.ts';
import { releaseCharges } from './release-charges.ts';

export type SettlePaymentInput = {
  tenantId: string;
  invoiceId: string;
  rail: PaymentRail;
  /** The vendor's id, or the reference of a recorded payment. */
  externalId: string;
  amount: Money;
  /** Business time: what follows from the payment happens now. */
  at: Date;
  /** When the money came in, where that was earlier. */
  receivedAt?: Date;
  note?: string;
};

/**
 * - `settled`: the invoice is paid with it (an excess became credit).
 * - `partial`: it pays a part.
 * - `credited`: the invoice needed nothing any more; all of it is the customer's credit.
 * - `duplicate`: this payment was booked before; nothing changed.
 */
export type SettleOutcome = 'settled' | 'partial' | 'credited' | 'duplicate';

/** Books a payment. Throws `not_found`, or `state_conflict` for another currency or a reference used elsewhere. */
export async function settlePayment(
  tx: Tx,
  input: SettlePaymentInput,
): Promise<{ paymentId: string; outcome: SettleOutcome }> {
  const { tenantId, invoiceId, rail, externalId, amount, at } = input;
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  const invoice = await readInvoice(tx, invoiceId);
  if (amount.currency !== invoice.currency) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'currency_mismatch',
      message: `Invoice ${invoice.number} is in ${invoice.currency}; a payment in ${amount.currency} cannot settle it.`,
    });
  }

  const booked = await findPayment(tx, rail, externalId);
  if (booked !== null) return duplicateOf(booked, input);

  const dueMinor = invoice.status === 'void' ? 0 : dueOf(invoice).amountMinor;
  const { allocatedMinor, excessMinor } = allocate({ amountMinor: amount.amountMinor, dueMinor });
  const paymentId = newId('pay');
  await tx.insert(payments).values({
    id: paymentId,
    tenantId,
    customerId: invoice.customerId,
    invoiceId,
    rail,
    externalId,
    amountMinor: amount.amountMinor,
    allocatedMinor,
    currency: amount.currency,
    receivedAt: input.receivedAt ?? at,
    note: input.note ?? null,
  });
  // Cards do not take every amount exactly; the little that is left open for that is nobody's debt.
  const due = money(dueMinor, invoice.currency);
  const roundingMinor = rail === 'stripe' ? roundingOf({ due, paid: amount }) : 0;
  await postPayment(tx, { input, invoice, paymentId, allocatedMinor, roundingMinor, excessMinor });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'payment_received',
    message:
      rail === 'credit'
        ? `${formatMoney(amount)} of the customer's credit went to invoice ${invoice.number}.`
        : `${formatMoney(amount)} received for invoice ${invoice.number} (${rail}).`,
    details: { paymentId, invoiceId, allocatedMinor, excessMinor },
  });
  if (allocatedMinor === 0) return { paymentId, outcome: 'credited' };

  const paid = await payInvoice(tx, invoice, allocatedMinor + roundingMinor, at);
  if (paid.status !== 'paid') return { paymentId, outcome: 'partial' };
  const wasWrittenOff = invoice.status === 'uncollectible';
  const after = await afterInvoicePaid(tx, context, { invoice: paid, wasWrittenOff, at });
  // What a charge or the credit paid, the act that asked for it tells; a recorded payment comes unasked, beside a
  // charge perhaps.
  if (rail === 'manual') {
    if (after.subscription.version > context.subscription.version) await announceSubscription(tx, after);
    await releaseCharges(tx, { tenantId, invoiceId });
  }
  return { paymentId, outcome: 'settled' };
}

async function findPayment(tx: Tx, rail: PaymentRail, externalId: string) {
  const [payment] = await tx
    .select()
    .from(payments)
    .where(and(eq(payments.rail, rail), eq(payments.externalId, externalId)));
  return payment ?? null;
}

function duplicateOf(
  booked: typeof payments.$inferSelect,
  { invoiceId, amount, externalId }: SettlePaymentInput,
): { paymentId: string; outcome: SettleOutcome } {
  if (booked.invoiceId !== invoiceId || booked.amountMinor !== amount.amountMinor) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'reference_already_booked',
      message: `The reference ${externalId} already stands for another payment (${booked.id}); use a reference of its own.`,
    });
  }
  return { paymentId: booked.id, outcome: 'duplicate' };
}

async function postPayment(
  tx: Tx,
  {
    input,
    invoice,
    paymentId,
    allocatedMinor,
    roundingMinor,
    excessMinor,
  }: {
    input: SettlePaymentInput;
    invoice: InvoiceRow;
    paymentId: string;
    allocatedMinor: number;
    roundingMinor: number;
    excessMinor: number;
  },
): Promise<void> {
  const { tenantId, rail, amount, at } = input;
  // A written-off invoice that is paid after all takes its bad debt back.
  const claim: LedgerAccount = invoice.status === 'uncollectible' ? 'bad_debt' : 'receivable';
  const source: LedgerAccount = rail === 'credit' ? 'customer_credit' : `cash:${rail}`;
  const creditChangeMinor = excessMinor - (rail === 'credit' ? amount.amountMinor : 0);
  await postToLedger(tx, {
    tenantId,
    kind: 'payment',
    reference: paymentId,
    at,
    lines: [
      { account: source, amount },
      { account: 'rounding', amount: money(roundingMinor, amount.currency) },
      { account: claim, amount: money(-allocatedMinor - roundingMinor, amount.currency) },
      { account: 'customer_credit', amount: money(-excessMinor, amount.currency) },
    ],
  });
  if (creditChangeMinor !== 0) {
    await tx
      .update(customers)
      .set({ creditMinor: sql`${customers.creditMinor} + ${creditChangeMinor}` })
      .where(eq(customers.id, invoice.customerId));
  }
}

async function payInvoice(tx: Tx, invoice: InvoiceRow, settledMinor: number, at: Date): Promise<InvoiceRow> {
  const paidMinor = invoice.paidMinor + settledMinor;
  const complete = paidMinor === invoice.totalMinor ? ({ status: 'paid', paidAt: at } as const) : {};
  const [paid] = await tx
    .update(invoices)
    .set({ paidMinor, ...complete })
    .where(eq(invoices.id, invoice.id))
    .returning();
  if (paid === undefined) throw new Error(`Invoice ${invoice.id} disappeared`);
  return paid;
}

/** What a paid invoice means: the subscription becomes or stays active, the ladder ends, one mail tells of it. */
async function afterInvoicePaid(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, wasWrittenOff, at }: { invoice: InvoiceRow; wasWrittenOff: boolean; at: Date },
): Promise<SubscriptionContext> {
  const after = await applyToSubscription(tx, context, invoice, at);
  const dunningCase = await findOpenCase(tx, invoice.customerId);
  const recovered =
    dunningCase !== null && (await moveOnCase(tx, context.tenant, dunningCase, { at, outcome: 'recovered' }));
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: paidMessage({
      before: context,
      after,
      invoice,
      recoveredCaseId: recovered ? dunningCase.id : null,
      wasWrittenOff,
    }),
  });
  return after;
}

async function applyToSubscription(
  tx: Tx,
  context: SubscriptionContext,
  invoice: InvoiceRow,
  at: Date,
): Promise<SubscriptionContext> {
  const { subscription } = context;
  if (invoice.kind === 'change') {
    const changed = await applyPaidChange(tx, context, { invoice, at });
    return forgetPlan(tx, changed, { invoice, at });
  }
  const collected = { plannedCharges: dropCharge(subscription.plannedCharges, invoice.id) };
  switch (subscription.status) {
    case 'trialing':
    case 'incomplete':
    case 'suspended':
      return changeSubscription(tx, context, {
        set: { ...statusChange(context, 'paid', at), ...firstPeriod(invoice), ...collected, convertedAt: at },
        at,
        entry: { kind: 'activated', message: `Activated: invoice ${invoice.number} is paid.` },
      });
    case 'past_due': {
      const unpaid = await unpaidInvoices(tx, invoice.customerId);
      if (unpaid.some((other) => other.subscriptionId === subscription.id)) {
        return forgetPlan(tx, context, { invoice, at });
      }
      return changeSubscription(tx, context, {
        set: {
          ...statusChange(context, 'paid', at),
          ...resumedPeriod(context, at),
          ...collected,
          ladder: null,
          convertedAt: subscription.convertedAt ?? at,
        },
        at,
        entry: { kind: 'recovered', message: `Recovered: invoice ${invoice.number} is paid.` },
      });
    }
    case 'active':
    case 'paused':
      return forgetPlan(tx, context, { invoice, at });
    case 'cancelled':
    case 'expired':
      return context;
    default:
      return subscription.status satisfies never;
  }
}

/** The period an activation opens: the one its invoice bills. */
export function firstPeriod(invoice: InvoiceRow) {
  return {
    anchor: invoice.periodStartsAt,
    periodIndex: invoice.periodIndex,
    periodStartsAt: invoice.periodStartsAt,
    periodEndsAt: invoice.periodEndsAt,
  };
}

function paidMessage({
  before,
  after,
  invoice,
  recoveredCaseId,
  wasWrittenOff,
}: {
  before: SubscriptionContext;
  after: SubscriptionContext;
  invoice: InvoiceRow;
  recoveredCaseId: string | null;
  /** The invoice was given up; the subscription has moved on without it. */
  wasWrittenOff: boolean;
}): NotificationRequest {
  const variables = {
    planName: after.plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
  };
  const message = { customerId: invoice.customerId, subscriptionId: invoice.subscriptionId };
  const forInvoice = { ...message, dedupeKey: `invoice:${invoice.id}:paid` };
  if (recoveredCaseId !== null) {
    return {
      ...message,
      template: 'payment_recovered',
      variables,
      dedupeKey: `dunning:${recoveredCaseId}:recovered`,
    };
  }
  if (invoice.kind === 'change' && before.subscription.pendingChange?.invoiceId === invoice.id) {
    const [planName, previousPlanName] = [after, before].map((each) => termsInWords(termsOf(each))) as [
      string,
      string,
    ];
    return {
      ...forInvoice,
      template: 'plan_upgraded',
      variables: { ...variables, planName, previousPlanName },
    };
  }
  const wasPastDue = before.subscription.status === 'past_due';
  if (after.subscription.status !== 'active' || wasPastDue || wasWrittenOff) {
    return { ...forInvoice, template: 'payment_received', variables };
  }
  const withPeriod = { ...variables, periodEndsAt: inWords(invoice.periodEndsAt.toISOString()) };
  const template = before.subscription.status === 'active' ? 'payment_receipt' : 'subscription_confirmed';
  return { ...forInvoice, template, variables: withPeriod };
}
