/**
 * The one act every rail ends in: money that arrived is booked, allocated to its invoice, and what follows from a
 * paid invoice (activation, recovery, receipts) happens in the same transaction.
 *
 * Why it is safe to run twice: a payment is unique on rail and external id, so the second run finds it and changes
 * nothing; all of it is one transaction under the customer's lock, so a crash leaves everything or nothing.
 */
import { eq } from 'drizzle-orm';
import { termsInWords } from '../../../domain/billing/plan-change.ts';
import { dropCharge } from '../../../domain/billing/planned-charge.ts';
import { isTerminal } from '../../../domain/billing/subscription.ts';
import { DomainError, stateConflict } from '../../../domain/errors.ts';
import { inWords } from '../../../domain/instant.ts';
import type { CustomerNotification } from '../../../domain/messaging/notification.ts';
import { formatMoney, type Money, money } from '../../../domain/money.ts';
import { roundingOf } from '../../../domain/payments/card-payment.ts';
import type { AppliedRate } from '../../../domain/payments/exchange-rate.ts';
import { exchanged, type ForeignMoney, foreignInWords } from '../../../domain/payments/foreign-payment.ts';
import { allocate, comesUnasked, isVendorRail, type PaymentRail } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoices } from '../../schema/billing.ts';
import { payments } from '../../schema/payments.ts';
import { applyPaidChange } from '../billing/apply-change.ts';
import { addCredit } from '../billing/customers.ts';
import { findOpenCase, moveOnCase } from '../billing/dunning-cases.ts';
import { dueOf, type InvoiceRow, readInvoice, taxOwedAgain, unpaidInvoices } from '../billing/invoices.ts';
import { forgetPlan } from '../billing/planned-charges.ts';
import { rewardReferral } from '../billing/referrals.ts';
import { resumedPeriod } from '../billing/resumed-period.ts';
import {
  addTimelineEntry,
  announceSubscription,
  changeSubscription,
  livingSubscriptions,
  lockSubscription,
  type SubscriptionContext,
  statusChange,
  termsOf,
} from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { tellSubscriber } from '../messaging/tell-subscriber.ts';
import { withdrawCurrentOffer } from './crypto-offer.ts';
import { replaceExcessiveCharge } from './excessive-charge.ts';
import { lookAtTransferOf } from './follow-transfer.ts';
import { exchangeColumns, inflowLines } from './inflow.ts';
import { fundsOf, type LedgerAccount, postToLedger } from './ledger.ts';
import { findPaymentByReference, type PaymentRow } from './read-payments.ts';
import { releaseCharges } from './release-charges.ts';

export type SettlePaymentInput = {
  tenantId: string;
  invoiceId: string;
  rail: PaymentRail;
  /** The vendor's id, or the reference of a recorded payment. */
  externalId: string;
  /** In the invoice's currency, unless there is a rate to exchange it at. */
  amount: Money;
  exchange?: {
    rate: AppliedRate;
    /** What the money may have been meant to pay; as usual what the invoice is due. */
    duesMinor?: readonly number[];
  };
  /** Of the amount: what banks kept. The customer has paid it all the same. */
  bankFeeMinor?: number;
  /** What of the invoice may stay unpaid and is nobody's debt, as the tolerance of a payment in coins; more is owed whole. */
  forgiveMinor?: number;
  /** What was forgiven in that way before: what comes beyond the invoice pays it first, and only the rest is credit. */
  forgivenMinor?: number;
  /** The payment whose excess this is, on the rail `credit`. */
  sourcePaymentId?: string;
  /** Business time: what follows from the payment happens now. */
  at: Date;
  /** When the money came in, where that was earlier. */
  receivedAt?: Date;
  note?: string;
  /** Of money that a person recorded. */
  hand?: RecordedByHand;
  /** The subscription or dunning case whose process asked for the charge: it hears the outcome as the answer. */
  askedBy?: string | undefined;
};

/** How the money came, why it is recorded, who has done it, and what it is worth; see the columns of `payments`. */
export type RecordedByHand = Pick<PaymentRow, 'chequeNumber' | 'usdMinor' | 'approvalId'> &
  Required<{
    [K in 'method' | 'reason' | 'recordedBy' | 'recordedAt']: NonNullable<PaymentRow[K]>;
  }>;

/**
 * - `settled`: the invoice is paid with it (an excess became credit).
 * - `partial`: it pays a part.
 * - `credited`: the invoice needed nothing any more; all of it is the customer's credit.
 * - `duplicate`: this payment was booked before; nothing changed.
 */
export type SettleOutcome = 'settled' | 'partial' | 'credited' | 'duplicate';

export type Settled = {
  paymentId: string;
  outcome: SettleOutcome;
  /** What became the customer's credit just now. */
  excessMinor: number;
};

/**
 * Books a payment. Throws `not_found`, or `state_conflict` for another currency without a rate, a reference used elsewhere, or
 * that of a record that was taken back.
 */
export async function settlePayment(tx: Tx, input: SettlePaymentInput): Promise<Settled> {
  const { tenantId, invoiceId, rail, externalId, at } = input;
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  const invoice = await readInvoice(tx, invoiceId);
  const booked = await findPaymentByReference(tx, { rail, externalId });
  if (booked !== null) return duplicateOf(booked, input);

  const dueMinor = invoice.status === 'void' ? 0 : dueOf(invoice).amountMinor;
  const foreign = foreignMoney(input, invoice, dueMinor);
  const amount = foreign?.settled ?? input.amount;
  const { allocatedMinor, excessMinor: beyondMinor } = allocate({
    amountMinor: amount.amountMinor,
    dueMinor,
  });
  const paidAfterAllMinor = Math.min(beyondMinor, input.forgivenMinor ?? 0);
  const excessMinor = beyondMinor - paidAfterAllMinor;
  const paymentId = newId('pay');
  await tx.insert(payments).values({
    id: paymentId,
    tenantId,
    customerId: invoice.customerId,
    invoiceId,
    rail,
    externalId,
    amountMinor: amount.amountMinor,
    allocatedMinor: allocatedMinor + paidAfterAllMinor,
    currency: amount.currency,
    sourcePaymentId: input.sourcePaymentId ?? null,
    bankFeeMinor: input.bankFeeMinor ?? 0,
    ...exchangeColumns(foreign),
    receivedAt: input.receivedAt ?? at,
    note: input.note ?? null,
    ...input.hand,
  });
  // Vendors do not take every amount exactly; the little that is left open for that is nobody's debt.
  const due = money(dueMinor, invoice.currency);
  const roundingMinor = isVendorRail(rail) ? roundingOf({ due, paid: amount }) : 0;
  const openMinor = dueMinor - allocatedMinor - roundingMinor;
  const isForgiven = allocatedMinor > 0 && openMinor > 0 && openMinor <= (input.forgiveMinor ?? 0);
  const forgivenMinor = isForgiven ? openMinor : 0;
  await postPayment(tx, {
    input,
    amount,
    foreign,
    invoice,
    paymentId,
    allocatedMinor,
    roundingMinor,
    forgivenMinor,
    paidAfterAllMinor,
    excessMinor,
  });
  await addTimelineEntry(tx, context.subscription, at, {
    kind: 'payment_received',
    message:
      rail === 'credit'
        ? `${formatMoney(amount)} of the customer's credit went to invoice ${invoice.number}.`
        : `${foreign === null ? formatMoney(amount) : foreignInWords(foreign)} received for invoice ${invoice.number} (${input.hand?.method.replace('_', ' ') ?? rail}).`,
    details: {
      paymentId,
      invoiceId,
      allocatedMinor: allocatedMinor + paidAfterAllMinor,
      excessMinor,
      ...(forgivenMinor > 0 && { forgivenMinor }),
    },
  });
  if (allocatedMinor === 0) {
    if (excessMinor === 0) return { paymentId, outcome: 'partial', excessMinor };
    await tellOfUnused(tx, context, { invoice, amount, paymentId, at });
    return { paymentId, outcome: 'credited', excessMinor };
  }

  const paid = await payInvoice(tx, invoice, allocatedMinor + roundingMinor + forgivenMinor, at);
  await lookAtTransferOf(tx, invoiceId, at);
  if (paid.status !== 'paid') {
    const replaced = await replaceExcessiveCharge(tx, context, { invoice: paid, at });
    if (replaced !== context) await announceSubscription(tx, replaced);
    return { paymentId, outcome: 'partial', excessMinor };
  }
  const wasWrittenOff = invoice.status === 'uncollectible';
  await completeInvoice(tx, context, {
    invoice: paid,
    paymentId,
    wasWrittenOff,
    at,
    askedBy: input.askedBy,
    // What a charge or the credit paid, the act that asked for it tells; other money comes unasked, beside a charge perhaps,
    // and so does what is left over of it.
    isUnasked: comesUnasked(rail) || input.sourcePaymentId !== undefined,
  });
  return { paymentId, outcome: 'settled', excessMinor };
}

/** Everything that follows from an invoice that is paid now, with `paymentId` as the last payment of it. */
export async function completeInvoice(
  tx: Tx,
  context: SubscriptionContext,
  {
    isUnasked,
    ...paid
  }: {
    invoice: InvoiceRow;
    paymentId: string;
    /** The invoice was given up; the subscription has moved on without it. */
    wasWrittenOff: boolean;
    at: Date;
    askedBy?: string | undefined;
    /** No act of ours waits for it, and a charge may be under way beside it. */
    isUnasked: boolean;
  },
): Promise<void> {
  const { tenantId, id: invoiceId } = paid.invoice;
  await withdrawCurrentOffer(tx, { invoiceId, at: paid.at });
  const after = await afterInvoicePaid(tx, context, paid);
  if (!isUnasked) return;
  if (after.subscription.version > context.subscription.version) await announceSubscription(tx, after);
  await releaseCharges(tx, { tenantId, invoiceId });
}

/** What another currency comes to in the invoice's; null for money in the invoice's own. */
function foreignMoney(
  { amount, exchange }: SettlePaymentInput,
  { number, currency }: InvoiceRow,
  dueMinor: number,
): ForeignMoney | null {
  if (amount.currency === currency) return null;
  if (exchange !== undefined) {
    const { rate, duesMinor = [dueMinor] } = exchange;
    return exchanged(amount, { rate, duesMinor });
  }
  throw new DomainError({
    code: 'state_conflict',
    reason: 'currency_mismatch',
    message: `Invoice ${number} is in ${currency}; a payment in ${amount.currency} cannot settle it.`,
  });
}

function duplicateOf(booked: PaymentRow, { invoiceId, amount, externalId }: SettlePaymentInput): Settled {
  const paidMinor = booked.receivedMinor ?? booked.amountMinor;
  const paidCurrency = booked.receivedCurrency ?? booked.currency;
  if (
    booked.invoiceId !== invoiceId ||
    paidMinor !== amount.amountMinor ||
    paidCurrency !== amount.currency
  ) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'reference_already_booked',
      message: `The reference ${externalId} already stands for another payment (${booked.id}); use a reference of its own.`,
    });
  }
  // Vendors tell of a payment again whatever has become of it; a person does so of money that came after all.
  if (booked.rail === 'manual' && booked.returnedAt !== null) {
    throw stateConflict(
      'payment_returned',
      `The payment under the reference ${externalId} (${booked.id}) was taken back; where its money has come after all, record it under a reference of its own.`,
    );
  }
  return { paymentId: booked.id, outcome: 'duplicate', excessMinor: 0 };
}

async function postPayment(
  tx: Tx,
  {
    input,
    amount,
    foreign,
    invoice,
    paymentId,
    allocatedMinor,
    roundingMinor,
    forgivenMinor,
    paidAfterAllMinor,
    excessMinor,
  }: {
    input: SettlePaymentInput;
    /** In the invoice's currency. */
    amount: Money;
    foreign: ForeignMoney | null;
    invoice: InvoiceRow;
    paymentId: string;
    allocatedMinor: number;
    roundingMinor: number;
    forgivenMinor: number;
    paidAfterAllMinor: number;
    excessMinor: number;
  },
): Promise<void> {
  const { tenantId, rail, bankFeeMinor = 0, at } = input;
  // A written-off invoice that is paid after all takes its bad debt back, and the tax is owed again.
  const wasWrittenOff = invoice.status === 'uncollectible';
  const claim: LedgerAccount = wasWrittenOff ? 'bad_debt' : 'receivable';
  const settledMinor = allocatedMinor + roundingMinor + forgivenMinor;
  const paidMinor = invoice.paidMinor + settledMinor;
  const taxMinor = wasWrittenOff ? await taxOwedAgain(tx, invoice, { ...invoice, paidMinor }) : 0;
  const creditChangeMinor = excessMinor - (rail === 'credit' ? amount.amountMinor : 0);
  await postToLedger(tx, {
    tenantId,
    kind: 'payment',
    reference: paymentId,
    at,
    lines: [
      ...inflowLines(fundsOf(rail), { amount, foreign, bankFeeMinor }),
      { account: 'rounding', amount: money(roundingMinor, amount.currency) },
      { account: 'crypto_tolerance', amount: money(forgivenMinor - paidAfterAllMinor, amount.currency) },
      { account: claim, amount: money(taxMinor - settledMinor, amount.currency) },
      { account: 'tax_payable', amount: money(-taxMinor, amount.currency) },
      { account: 'customer_credit', amount: money(-excessMinor, amount.currency) },
    ],
  });
  await addCredit(tx, invoice.customerId, creditChangeMinor);
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
  {
    invoice,
    paymentId,
    wasWrittenOff,
    at,
    askedBy,
  }: {
    invoice: InvoiceRow;
    paymentId: string;
    wasWrittenOff: boolean;
    at: Date;
    askedBy?: string | undefined;
  },
): Promise<SubscriptionContext> {
  const after = await applyToSubscription(tx, context, invoice, at);
  await rewardReferral(tx, context, { invoice, at });
  const dunningCase = await findOpenCase(tx, invoice.customerId);
  const recovered =
    dunningCase !== null &&
    (await moveOnCase(tx, context.tenant, dunningCase, { at, outcome: 'recovered', askedBy }));
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      ...paidMessage({
        before: context,
        after,
        invoice,
        recoveredCaseId: recovered ? dunningCase.id : null,
        wasWrittenOff,
      }),
      attaches: { kind: 'receipt', paymentId },
    },
  });
  return after;
}

/** Money that comes after the end pays nothing any more: whoever sees the subscription is to know, and who has paid it. */
async function tellOfUnused(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, amount, paymentId, at }: { invoice: InvoiceRow; amount: Money; paymentId: string; at: Date },
): Promise<void> {
  const { subscription, customer, plan } = context;
  if (!isTerminal(subscription.status)) return;
  // Another subscription's next invoice is paid with it.
  if ((await livingSubscriptions(tx, customer.id)).length > 0) return;
  await addTimelineEntry(tx, subscription, at, {
    kind: 'payment_unused',
    message: `${formatMoney(amount)} came after the subscription had ended: it is the customer's credit, and nothing uses it unless they come back or it is refunded.`,
    details: { paymentId, invoiceId: invoice.id },
  });
  await tellSubscriber(tx, context, at, {
    template: 'payment_unused',
    variables: { planName: plan.name, invoiceNumber: invoice.number, amount: formatMoney(amount) },
    occasion: paymentId,
  });
}

async function applyToSubscription(
  tx: Tx,
  context: SubscriptionContext,
  invoice: InvoiceRow,
  at: Date,
): Promise<SubscriptionContext> {
  const { subscription } = context;
  // Nothing of the subscription waits for it.
  if (invoice.kind === 'one_off') return context;
  if (invoice.kind === 'change' && invoice.reopenedAt === null) {
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
      const isPresentedAgain = collected.plannedCharges.some(({ origin }) => origin === 'representment');
      if (isPresentedAgain || unpaid.some((other) => other.subscriptionId === subscription.id)) {
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
}): CustomerNotification {
  const variables = {
    planName: after.plan.name,
    invoiceNumber: invoice.number,
    amount: formatMoney(money(invoice.totalMinor, invoice.currency)),
  };
  const message = { customerId: invoice.customerId, subscriptionId: invoice.subscriptionId };
  // Paid once more, after the bank had taken the first payment back, is news again.
  const again = invoice.reopenedAt === null ? '' : `:${invoice.reopenedAt.toISOString()}`;
  const forInvoice = { ...message, dedupeKey: `invoice:${invoice.id}:paid${again}` };
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
  const isOneOff = invoice.kind === 'one_off';
  if (isOneOff || after.subscription.status !== 'active' || wasPastDue || wasWrittenOff) {
    return { ...forInvoice, template: 'payment_received', variables };
  }
  const withPeriod = { ...variables, periodEndsAt: inWords(invoice.periodEndsAt.toISOString()) };
  const template = before.subscription.status === 'active' ? 'payment_receipt' : 'subscription_confirmed';
  return { ...forInvoice, template, variables: withPeriod };
}
