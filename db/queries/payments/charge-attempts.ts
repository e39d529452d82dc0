/**
 * Charge attempts: what we asked the card vendor, what it answered, and what follows.
 *
 * Why it is safe to run twice: the attempt's row is committed before the vendor is called and holds the ordinal that
 * makes the idempotency key. If we die before the call, after it, or lose the answer, the next run finds the row
 * still `pending`, looks the charge up at the vendor and otherwise repeats the request under the same key. An answer
 * is booked once: a finished attempt is left alone, and a payment is unique.
 */
import { and, eq, gt, isNotNull, sql } from 'drizzle-orm';
import { plannedFor } from '../../../domain/billing/planned-charge.ts';
import { isTerminal, type SubscriptionSnapshot } from '../../../domain/billing/subscription.ts';
import { addDays, inWords, realDayMs } from '../../../domain/instant.ts';
import {
  type CardCharge,
  type CardChargeRequest,
  type CardDecline,
  cardAmount,
  chargeIdempotencyKey,
  declineClassOf,
  type RefusedCharge,
  softTriesMax,
} from '../../../domain/payments/card-payment.ts';
import { DEBIT_CURRENCY, isReturnCode } from '../../../domain/payments/direct-debit.ts';
import type { ChargeOrigin } from '../../../domain/payments/payment.ts';
import { isUnderWay } from '../../../domain/payments/razorpay-order.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { chargeAttempts, paymentMethods } from '../../schema/payments.ts';
import { holdCase } from '../billing/dunning-cases.ts';
import { dueOf, type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import { forgetPlan, planRetry } from '../billing/planned-charges.ts';
import {
  announceSubscription,
  changeSubscription,
  lockSubscription,
  notFound,
  type SubscriptionContext,
  snapshotOf,
} from '../billing/subscriptions.ts';
import { leaveToRazorpay, razorpaysPart } from './collected-by-razorpay.ts';
import { areCoinsUnderWay } from './crypto-offer.ts';
import { currentCheckout, isUnderWay as isCheckoutUnderWay } from './current-checkout.ts';
import { currentOrder, knownPayment } from './current-order.ts';
import { awaitBank, isAskedTooOften } from './direct-debits.ts';
import { replaceExcessiveCharge } from './excessive-charge.ts';
import { applyFailedCharge, type FailedCharge } from './failed-charge.ts';
import { whyNoCard } from './last-decline.ts';
import { settlePayment } from './settle-payment.ts';

export type ChargeAttemptRow = typeof chargeAttempts.$inferSelect;

export type BeginChargeInput = {
  tenantId: string;
  invoiceId: string;
  origin: ChargeOrigin;
  /** Business identity of this try: the same key is never a second attempt. */
  originKey: string;
  at: Date;
  /** The subscription or dunning case whose process asks: it hears the outcome as the answer, others by a signal. */
  askedBy?: string | undefined;
  /** The order of the invoice that was looked at just now, and no payment of it is under way. */
  lookedAtOrder?: string | undefined;
  /** The checkout of the invoice that was looked at just now, and no payment of it is under way. */
  lookedAtCheckout?: string | undefined;
  /** What Razorpay has of the subscription was looked at just now. */
  lookedAtRazorpay?: boolean | undefined;
};

/** How a collection ended, with the subscription as it is now. */
export type CollectOutcome = {
  outcome: 'paid' | 'processing' | 'requires_action' | 'declined' | 'technical' | 'nothing_due';
  /** Where the customer confirms, when `requires_action`. */
  actionUrl?: string;
  /** The decline code, when `declined`. */
  code?: string;
  /** Whose invoice it is; not always the subscription that asked. */
  subscriptionId: string;
  snapshot: SubscriptionSnapshot;
};

export type BegunCharge =
  | { kind: 'done'; result: CollectOutcome }
  /** The customer may be paying an order at this moment: look at it, book that, begin again. */
  | { kind: 'look_at_order'; orderId: string; externalId: string }
  /** The same of a checkout at Coinbase. */
  | { kind: 'look_at_checkout'; checkoutId: string }
  /** Razorpay may be collecting the invoice by itself: look at its subscriptions, book that, begin again. */
  | { kind: 'look_at_razorpay'; externalIds: string[] }
  /** An earlier charge waits for the customer: cancel it at the vendor, book that, begin again. */
  | { kind: 'cancel_waiting'; attemptId: string; externalId: string }
  /**
   * `resumed`: an earlier run may have reached the vendor; look the charge up first. `ownTry`: it is the try that was
   * asked for, not an earlier one whose answer is still missing.
   */
  | { kind: 'charge'; request: CardChargeRequest; resumed: boolean; ownTry: boolean; startedAt: string };

/** Decides whether and what to charge. Commit before calling the vendor. */
export async function beginCharge(tx: Tx, input: BeginChargeInput): Promise<BegunCharge> {
  const { context, invoice } = await lockInvoice(tx, input.invoiceId);
  const planned = plannedFor(context.subscription.plannedCharges, invoice.id);
  const isPlanned = planned?.originKey === input.originKey;
  const done = async (outcome: ChargeOutcome): Promise<BegunCharge> => {
    const after = isPlanned ? await forgetPlan(tx, context, { invoice, at: input.at }) : context;
    return { kind: 'done', result: { ...outcome, ...subjectOf(after) } };
  };
  if (invoice.status === 'paid') return done({ outcome: 'paid' });

  const attempts = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.invoiceId, invoice.id));
  const inFlight = attempts.find((attempt) => !isFinished(attempt));
  const sameTry = attempts.find(({ originKey }) => originKey === input.originKey);
  // A declined conversion voids its invoice; who asks again under the same key hears of the decline.
  if (sameTry !== undefined && isFinished(sameTry)) return done(outcomeOf(sameTry));
  if (invoice.status !== 'open') return done({ outcome: 'nothing_due' });
  if (sameTry !== undefined && sameTry.status !== 'pending') return done(outcomeOf(sameTry));
  const lapses = input.origin === 'technical_retry' || input.origin === 'representment';
  if (lapses && !isPlanned) return done({ outcome: 'nothing_due' });
  // A returned debit is presented again on its own day; a step of the ladder does not come before it.
  if (input.origin === 'dunning' && planned?.origin === 'representment')
    return done({ outcome: 'processing' });
  if (inFlight?.status === 'pending') {
    const ownTry = inFlight.id === sameTry?.id;
    const request = await requestOf(tx, inFlight, invoice, context);
    return { kind: 'charge', resumed: true, ownTry, ...request };
  }
  // Nobody is charged for what has ended; only a charge that may have been made already is still looked up.
  if (isTerminal(context.subscription.status)) return done({ outcome: 'nothing_due' });
  if (inFlight?.status === 'processing') return done({ outcome: 'processing' });
  if (inFlight?.status === 'requires_action' && inFlight.externalId !== null) {
    // The bank wants the customer: asking it again would only spoil the link the customer has.
    if (input.origin === 'dunning') return done(outcomeOf(inFlight));
    await callBack(tx, inFlight.id, input.at);
    return { kind: 'cancel_waiting', attemptId: inFlight.id, externalId: inFlight.externalId };
  }

  const razorpay = await razorpaysPart(tx, context, invoice);
  if (razorpay.kind === 'collects') {
    const after = await leaveToRazorpay(tx, context, { invoice, by: razorpay.by, at: input.at });
    await tellOthers(tx, context, after, input.askedBy);
    return { kind: 'done', result: { outcome: 'processing', ...subjectOf(after) } };
  }
  if (razorpay.kind === 'look' && input.lookedAtRazorpay !== true) {
    return { kind: 'look_at_razorpay', externalIds: razorpay.externalIds };
  }
  if (await areCoinsUnderWay(tx, invoice.id)) {
    return {
      kind: 'done',
      result: await waitForCustomer(tx, context, { ...input, invoice, where: 'in coins' }),
    };
  }
  const checkout = await currentCheckout(tx, invoice.id);
  if (checkout !== null) {
    if (isCheckoutUnderWay(checkout, input.at)) {
      return {
        kind: 'done',
        result: await waitForCustomer(tx, context, { ...input, invoice, where: 'at Coinbase' }),
      };
    }
    const { id: checkoutId, externalId } = checkout;
    if (externalId !== null && input.lookedAtCheckout !== checkoutId) {
      return { kind: 'look_at_checkout', checkoutId };
    }
  }
  const order = await currentOrder(tx, invoice.id);
  if (order !== null) {
    if (isUnderWay(knownPayment(order), input.at.toISOString())) {
      return {
        kind: 'done',
        result: await waitForCustomer(tx, context, { ...input, invoice, where: 'at Razorpay' }),
      };
    }
    const { id: orderId, externalId } = order;
    if (externalId !== null && input.lookedAtOrder !== orderId) {
      return { kind: 'look_at_order', orderId, externalId };
    }
  }

  const method = await chargeableMethod(tx, context, { invoice, ...input });
  if ('code' in method)
    return { kind: 'done', result: await declineUnasked(tx, context, { invoice, ...input, ...method }) };
  const attempt = await insertAttempt(tx, { input, invoice, method, ordinal: attempts.length + 1 });
  const request = await requestOf(tx, attempt, invoice, context);
  return { kind: 'charge', resumed: false, ownTry: true, ...request };
}

/**
 * Books what the vendor says about an attempt, from the call's own answer or from a later look. Answers only move
 * forward: a success is final, and what is known already changes nothing.
 */
export async function finishCharge(
  tx: Tx,
  {
    attemptId,
    charge,
    at,
    askedBy,
  }: {
    attemptId: string;
    charge: CardCharge | RefusedCharge;
    at: Date;
    askedBy?: string | undefined;
  },
): Promise<CollectOutcome> {
  const { invoiceId } = await readAttempt(tx, attemptId);
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  const attempt = await readAttempt(tx, attemptId);
  if (!movesForward(attempt, charge)) return { ...outcomeOf(attempt), ...subjectOf(context) };

  // We have cancelled it ourselves where it was called back: that it ends is no news then, whoever brings it.
  const failedAtVendor = charge.status === 'canceled' && attempt.calledBackAt === null;
  const decline = failedAtVendor ? canceledAtVendor : charge.decline;
  const answered = await recordAnswer(tx, attempt, { charge, decline, at });
  if (charge.status === 'succeeded') {
    const { tenantId } = attempt;
    const { externalId, amount } = charge;
    await settlePayment(tx, { tenantId, invoiceId, rail: 'stripe', externalId, amount, at, askedBy });
  }
  if (charge.status === 'processing') {
    const waiting = await forgetPlan(tx, context, { invoice, at });
    const startedAt = attempt.startedAt.toISOString();
    if (charge.directDebit) await awaitBank(tx, waiting, { invoice, startedAt, at });
  }
  if (charge.status === 'failed' || charge.status === 'requires_action' || failedAtVendor) {
    const { code, class: declineClass } = decline ?? awaitsCustomer;
    await applyFailedCharge(tx, context, {
      invoice,
      origin: attempt.origin,
      code,
      declineClass,
      paymentMethodId: attempt.paymentMethodId,
      attemptId,
      returned: returnOf(attempt, charge),
      actionUrl: charge.status === 'requires_action' ? (charge.actionUrl ?? null) : null,
      at,
    });
  }
  // A part may have been paid while the vendor was being asked.
  if (charge.status === 'requires_action')
    await replaceExcessiveCharge(tx, await lockSubscription(tx, context.subscription.id), { invoice, at });
  if (charge.status !== 'succeeded') await holdCase(tx, context, invoiceId);
  const after = await lockSubscription(tx, context.subscription.id);
  await tellOthers(tx, context, after, askedBy);
  return { ...outcomeOf(answered), ...subjectOf(after) };
}

/** A direct debit that the bank had taken on, or has a code for, was returned; any other was not even begun. */
function returnOf(
  { status }: ChargeAttemptRow,
  charge: CardCharge | RefusedCharge,
): FailedCharge['returned'] {
  if (charge.externalId === null || !charge.directDebit || charge.status !== 'failed') return null;
  return status === 'processing' || isReturnCode(charge.decline?.code ?? '') ? 'in_flight' : null;
}

/** To be committed before the vendor is asked to cancel it: its webhook may be quicker than the answer. */
export async function callBack(tx: Tx, attemptId: string, at: Date): Promise<void> {
  await tx.update(chargeAttempts).set({ calledBackAt: at }).where(eq(chargeAttempts.id, attemptId));
}

/** The attempt a vendor's payment belongs to; null when it is none of this tenant's. */
export async function findAttempt(tx: Tx, attemptId: string): Promise<ChargeAttemptRow | null> {
  const [row] = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.id, attemptId));
  return row ?? null;
}

async function readAttempt(tx: Tx, attemptId: string): Promise<ChargeAttemptRow> {
  const attempt = await findAttempt(tx, attemptId);
  if (attempt === null) throw notFound('charge attempt', attemptId);
  return attempt;
}

function isFinished({ status }: ChargeAttemptRow): boolean {
  return status === 'succeeded' || status === 'failed';
}

/** The invoice and its subscription under the customer's lock. */
export async function lockInvoice(
  tx: Tx,
  invoiceId: string,
): Promise<{ context: SubscriptionContext; invoice: InvoiceRow }> {
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  return { context, invoice: await readInvoice(tx, invoiceId) };
}

const rank = { pending: 0, requires_action: 1, processing: 1, canceled: 2, failed: 2, succeeded: 3 } as const;

function movesForward(attempt: ChargeAttemptRow, charge: CardCharge | RefusedCharge): boolean {
  if (charge.externalId === null) return attempt.status === 'pending';
  // While the charging call is under way, the bank's wish for authentication is answered by that call, with its link.
  const awaitsLink = charge.status === 'failed' && charge.decline?.class === 'customer_action';
  if (attempt.status === 'pending' && awaitsLink) return false;
  return (
    rank[charge.status] > rank[attempt.status] ||
    (rank[attempt.status] === 1 && charge.status !== attempt.status)
  );
}

/** Somebody has cancelled the payment in the vendor's dashboard. */
const canceledAtVendor: CardDecline = { code: 'canceled_at_vendor', class: 'soft' };

const awaitsCustomer: CardDecline = { code: 'authentication_required', class: 'customer_action' };

async function recordAnswer(
  tx: Tx,
  attempt: ChargeAttemptRow,
  { charge, decline, at }: { charge: CardCharge | RefusedCharge; decline: CardDecline | undefined; at: Date },
): Promise<ChargeAttemptRow> {
  const status = charge.status === 'canceled' ? 'failed' : charge.status;
  const why = status === 'requires_action' ? awaitsCustomer : decline;
  const [row] = await tx
    .update(chargeAttempts)
    .set({
      status,
      externalId: charge.externalId,
      actionUrl: charge.status === 'requires_action' ? (charge.actionUrl ?? null) : null,
      declineCode: why?.code ?? null,
      declineClass: why?.class ?? null,
      finishedAt: status === 'succeeded' || status === 'failed' ? at : null,
    })
    .where(eq(chargeAttempts.id, attempt.id))
    .returning();
  if (row === undefined) throw notFound('charge attempt', attempt.id);
  return row;
}

type ChargeOutcome = Omit<CollectOutcome, 'subscriptionId' | 'snapshot'>;

function subjectOf(context: SubscriptionContext): Pick<CollectOutcome, 'subscriptionId' | 'snapshot'> {
  return { subscriptionId: context.subscription.id, snapshot: snapshotOf(context) };
}

/** A change that its own process did not ask for is told to it. */
async function tellOthers(
  tx: Tx,
  before: SubscriptionContext,
  after: SubscriptionContext,
  askedBy: string | undefined,
): Promise<void> {
  const { id, version } = after.subscription;
  if (version > before.subscription.version && id !== askedBy) await announceSubscription(tx, after);
}

function outcomeOf(attempt: ChargeAttemptRow): ChargeOutcome {
  switch (attempt.status) {
    case 'succeeded':
      return { outcome: 'paid' };
    case 'pending':
    case 'processing':
      return { outcome: 'processing' };
    case 'requires_action':
      return {
        outcome: 'requires_action',
        ...(attempt.actionUrl !== null && { actionUrl: attempt.actionUrl }),
      };
    case 'failed':
      if (attempt.declineClass === 'technical') return { outcome: 'technical' };
      return { outcome: 'declined', code: attempt.declineCode ?? 'generic_decline' };
    default:
      return attempt.status satisfies never;
  }
}

/** The card to charge or the account to debit, or why none may be asked. */
async function chargeableMethod(
  tx: Tx,
  { customer }: SubscriptionContext,
  { invoice, origin, at }: { invoice: InvoiceRow; origin: ChargeOrigin; at: Date },
): Promise<ChargeableMethod | { code: string }> {
  const { defaultPaymentMethodId, vendorCustomerId } = customer;
  if (defaultPaymentMethodId === null || vendorCustomerId === null) {
    return { code: await whyNoCard(tx, customer.id) };
  }
  const [method] = await tx
    .select({ id: paymentMethods.id, type: paymentMethods.type, softTries: softTriesOf(tx, at) })
    .from(paymentMethods)
    .where(eq(paymentMethods.id, defaultPaymentMethodId));
  if (method === undefined) return { code: 'payment_method_missing' };
  if (method.softTries >= softTriesMax.tries) return { code: 'try_limit_reached' };
  if (method.type === 'us_bank_account') {
    if (invoice.currency !== DEBIT_CURRENCY) return { code: 'currency_not_supported' };
    // Who names the account anew authorises the debit anew.
    const isAnew = origin === 'new_payment_method';
    const debit = { invoiceId: invoice.id, paymentMethodId: method.id, at };
    if (!isAnew && (await isAskedTooOften(tx, debit))) return { code: 'representment_limit_reached' };
  }
  return { paymentMethodId: method.id, vendorCustomerId };
}

type ChargeableMethod = { paymentMethodId: string; vendorCustomerId: string };

/** How often the card's issuer has said "not now" lately; counts within the query on payment methods. */
function softTriesOf(tx: Tx, at: Date) {
  const since = new Date(addDays(at.toISOString(), -softTriesMax.days, realDayMs));
  const tries = tx
    .select({ count: sql<number>`count(*)::int` })
    .from(chargeAttempts)
    .where(
      and(
        eq(chargeAttempts.paymentMethodId, paymentMethods.id),
        eq(chargeAttempts.declineClass, 'soft'),
        isNotNull(chargeAttempts.externalId),
        gt(chargeAttempts.startedAt, since),
      ),
    );
  return sql<number>`(${tries})`;
}

/** Nothing may be charged, so nobody is asked. Same consequences as the issuer's own refusal. */
async function declineUnasked(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, origin, at, askedBy, code }: BeginChargeInput & { invoice: InvoiceRow; code: string },
): Promise<CollectOutcome> {
  const after = await applyFailedCharge(tx, context, {
    invoice,
    origin,
    code,
    declineClass: declineClassOf(code),
    paymentMethodId: null,
    attemptId: null,
    returned: null,
    actionUrl: null,
    at,
  });
  await tellOthers(tx, context, after, askedBy);
  return { outcome: 'declined', code, ...subjectOf(after) };
}

/**
 * The customer pays the invoice at another vendor just now, so no card is asked. The ladder's next step comes on its date anyway;
 * any other try is put off, because the customer's payment may fail and nobody else would collect the invoice then.
 */
async function waitForCustomer(
  tx: Tx,
  context: SubscriptionContext,
  {
    invoice,
    where,
    at,
    askedBy,
  }: BeginChargeInput & { invoice: InvoiceRow; where: 'at Razorpay' | 'at Coinbase' | 'in coins' },
): Promise<CollectOutcome> {
  const plan = { invoiceId: invoice.id, at: at.toISOString(), forEver: true };
  const retry = invoice.firstFailedAt === null ? await planRetry(tx, context, plan) : null;
  if (retry === null) {
    const after = await forgetPlan(tx, context, { invoice, at });
    await tellOthers(tx, context, after, askedBy);
    return { outcome: 'processing', ...subjectOf(after) };
  }
  const after = await changeSubscription(tx, context, {
    set: retry.set,
    at,
    entry: {
      kind: 'collection_postponed',
      message: `The customer is paying invoice ${invoice.number} ${where}; unless it is paid, the card is charged on ${inWords(retry.retryAt)}.`,
      details: { invoiceId: invoice.id },
    },
  });
  await tellOthers(tx, context, after, askedBy);
  return { outcome: 'technical', ...subjectOf(after) };
}

async function insertAttempt(
  tx: Tx,
  {
    input,
    invoice,
    method,
    ordinal,
  }: { input: BeginChargeInput; invoice: InvoiceRow; method: ChargeableMethod; ordinal: number },
): Promise<ChargeAttemptRow> {
  const due = cardAmount(dueOf(invoice));
  const [attempt] = await tx
    .insert(chargeAttempts)
    .values({
      id: newId('att'),
      tenantId: input.tenantId,
      invoiceId: invoice.id,
      ordinal,
      origin: input.origin,
      originKey: input.originKey,
      ...method,
      status: 'pending',
      amountMinor: due.amountMinor,
      currency: due.currency,
      startedAt: input.at,
    })
    .returning();
  if (attempt === undefined) throw new Error('An inserted charge attempt was not returned');
  return attempt;
}

async function requestOf(
  tx: Tx,
  attempt: ChargeAttemptRow,
  invoice: InvoiceRow,
  { customer, plan }: SubscriptionContext,
): Promise<{ request: CardChargeRequest; startedAt: string }> {
  const { amountMinor, currency, ordinal } = attempt;
  const [method] = await tx
    .select({ mandateId: paymentMethods.mandateId })
    .from(paymentMethods)
    .where(eq(paymentMethods.id, attempt.paymentMethodId));
  return {
    startedAt: attempt.startedAt.toISOString(),
    request: {
      tenantId: attempt.tenantId,
      customerId: customer.id,
      invoiceId: invoice.id,
      attemptId: attempt.id,
      vendorCustomerId: attempt.vendorCustomerId,
      paymentMethodId: attempt.paymentMethodId,
      ...(method?.mandateId != null && { mandateId: method.mandateId }),
      amount: { amountMinor, currency },
      description: `${plan.name}, invoice ${invoice.number}`,
      idempotencyKey: chargeIdempotencyKey({ invoiceId: invoice.id, ordinal }),
    },
  };
}
