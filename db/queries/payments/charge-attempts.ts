/**
 * Charge attempts: what we asked the card vendor, what it answered, and what follows.
 *
 * Why it is safe to run twice: the attempt's row is committed before the vendor is called and holds the ordinal that
 * makes the idempotency key. If we die before the call, after it, or lose the answer, the next run finds the row
 * still `pending`, looks the charge up at the vendor and otherwise repeats the request under the same key. An answer
 * is booked once: a finished attempt is left alone, and a payment is unique.
 */
import { eq } from 'drizzle-orm';
import type { SubscriptionSnapshot } from '../../../domain/billing/subscription.ts';
import {
  type CardCharge,
  type CardChargeRequest,
  type CardDecline,
  chargeIdempotencyKey,
} from '../../../domain/payments/card-payment.ts';
import { type ChargeOrigin, technicalRetryKey } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { chargeAttempts, paymentMethods } from '../../schema/payments.ts';
import { holdCase } from '../billing/dunning-cases.ts';
import { dueOf, type InvoiceRow, readInvoice } from '../billing/invoices.ts';
import {
  announceSubscription,
  lockSubscription,
  notFound,
  type SubscriptionContext,
  snapshotOf,
} from '../billing/subscriptions.ts';
import { applyFailedCharge, forgetRetry } from './failed-charge.ts';
import { settlePayment } from './settle-payment.ts';

export type ChargeAttemptRow = typeof chargeAttempts.$inferSelect;

export type BeginChargeInput = {
  tenantId: string;
  invoiceId: string;
  origin: ChargeOrigin;
  /** Business identity of this try: the same key is never a second attempt. */
  originKey: string;
  at: Date;
  /** The subscription whose process asks: it hears the outcome as the answer, any other is told by a signal. */
  askedBy?: string | undefined;
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
  const { collection } = context.subscription;
  const isPlanned =
    collection?.invoiceId === invoice.id && input.originKey === technicalRetryKey(collection.retryAt);
  const done = async (outcome: ChargeOutcome): Promise<BegunCharge> => {
    const after = isPlanned ? await forgetRetry(tx, context, { invoice, at: input.at }) : context;
    return { kind: 'done', result: { ...outcome, ...subjectOf(after) } };
  };
  if (invoice.status === 'paid') return done({ outcome: 'paid' });
  if (invoice.status !== 'open') return done({ outcome: 'nothing_due' });

  const attempts = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.invoiceId, invoice.id));
  const inFlight = attempts.find(({ status }) => status !== 'succeeded' && status !== 'failed');
  const sameTry = attempts.find(({ originKey }) => originKey === input.originKey);
  if (sameTry !== undefined && sameTry.status !== 'pending') return done(outcomeOf(sameTry));
  if (input.origin === 'technical_retry' && !isPlanned) return done({ outcome: 'nothing_due' });
  if (inFlight?.status === 'pending') {
    const ownTry = inFlight.id === sameTry?.id;
    return { kind: 'charge', resumed: true, ownTry, ...requestOf(inFlight, invoice, context) };
  }
  if (inFlight?.status === 'processing') return done({ outcome: 'processing' });
  if (inFlight?.status === 'requires_action' && inFlight.externalId !== null) {
    // The bank wants the customer: asking it again would only spoil the link the customer has.
    if (input.origin === 'dunning') return done(outcomeOf(inFlight));
    return { kind: 'cancel_waiting', attemptId: inFlight.id, externalId: inFlight.externalId };
  }

  const method = await chargeableMethod(tx, context);
  if (method === null)
    return { kind: 'done', result: await declineWithoutMethod(tx, context, invoice, input) };
  const attempt = await insertAttempt(tx, { input, invoice, method, ordinal: attempts.length + 1 });
  return { kind: 'charge', resumed: false, ownTry: true, ...requestOf(attempt, invoice, context) };
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
  }: { attemptId: string; charge: CardCharge; at: Date; askedBy?: string | undefined },
): Promise<CollectOutcome> {
  const { invoiceId } = await readAttempt(tx, attemptId);
  const { context, invoice } = await lockInvoice(tx, invoiceId);
  const attempt = await readAttempt(tx, attemptId);
  if (!movesForward(attempt, charge)) return { ...outcomeOf(attempt), ...subjectOf(context) };

  const answered = await recordAnswer(tx, attempt, charge, at);
  if (charge.status !== 'succeeded') await holdCase(tx, context, invoiceId);
  if (charge.status === 'succeeded') {
    const { tenantId } = attempt;
    const { externalId, amount } = charge;
    await settlePayment(tx, { tenantId, invoiceId, rail: 'stripe', externalId, amount, at });
  }
  if (charge.status === 'processing') await forgetRetry(tx, context, { invoice, at });
  if (charge.status === 'failed' || charge.status === 'requires_action') {
    await applyFailedCharge(tx, context, {
      invoice,
      origin: attempt.origin,
      code: (charge.decline ?? awaitsCustomer).code,
      declineClass: (charge.decline ?? awaitsCustomer).class,
      paymentMethodId: attempt.paymentMethodId,
      actionUrl: charge.status === 'requires_action' ? (charge.actionUrl ?? null) : null,
      at,
    });
  }
  const after = await lockSubscription(tx, context.subscription.id);
  await tellOthers(tx, context, after, askedBy);
  return { ...outcomeOf(answered), ...subjectOf(after) };
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

async function lockInvoice(
  tx: Tx,
  invoiceId: string,
): Promise<{ context: SubscriptionContext; invoice: InvoiceRow }> {
  const { subscriptionId } = await readInvoice(tx, invoiceId);
  const context = await lockSubscription(tx, subscriptionId);
  return { context, invoice: await readInvoice(tx, invoiceId) };
}

const rank = { pending: 0, requires_action: 1, processing: 1, canceled: 2, failed: 2, succeeded: 3 } as const;

function movesForward(attempt: ChargeAttemptRow, charge: CardCharge): boolean {
  // While the charging call is under way, the bank's wish for authentication is answered by that call, with its link.
  const awaitsLink = charge.status === 'failed' && charge.decline?.class === 'customer_action';
  if (attempt.status === 'pending' && awaitsLink) return false;
  return (
    rank[charge.status] > rank[attempt.status] ||
    (rank[attempt.status] === 1 && charge.status !== attempt.status)
  );
}

const awaitsCustomer: CardDecline = { code: 'authentication_required', class: 'customer_action' };

async function recordAnswer(
  tx: Tx,
  attempt: ChargeAttemptRow,
  charge: CardCharge,
  at: Date,
): Promise<ChargeAttemptRow> {
  const status = charge.status === 'canceled' ? 'failed' : charge.status;
  const decline = status === 'requires_action' ? awaitsCustomer : charge.decline;
  const [row] = await tx
    .update(chargeAttempts)
    .set({
      status,
      externalId: charge.externalId,
      actionUrl: status === 'requires_action' ? (charge.actionUrl ?? null) : null,
      declineCode: decline?.code ?? null,
      declineClass: decline?.class ?? null,
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

async function chargeableMethod(tx: Tx, { customer }: SubscriptionContext): Promise<ChargeableMethod | null> {
  const { defaultPaymentMethodId, vendorCustomerId } = customer;
  if (defaultPaymentMethodId === null || vendorCustomerId === null) return null;
  const [method] = await tx
    .select()
    .from(paymentMethods)
    .where(eq(paymentMethods.id, defaultPaymentMethodId));
  if (method === undefined || method.refusedAt !== null) return null;
  return { paymentMethodId: method.id, vendorCustomerId };
}

type ChargeableMethod = { paymentMethodId: string; vendorCustomerId: string };

/** Nothing can be charged: no method, or the one there was refused for good. Same consequences as a hard decline. */
async function declineWithoutMethod(
  tx: Tx,
  context: SubscriptionContext,
  invoice: InvoiceRow,
  { origin, at, askedBy }: BeginChargeInput,
): Promise<CollectOutcome> {
  const code = 'payment_method_missing';
  const after = await applyFailedCharge(tx, context, {
    invoice,
    origin,
    code,
    declineClass: 'hard',
    paymentMethodId: null,
    actionUrl: null,
    at,
  });
  await tellOthers(tx, context, after, askedBy);
  return { outcome: 'declined', code, ...subjectOf(after) };
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
  const due = dueOf(invoice);
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

function requestOf(
  attempt: ChargeAttemptRow,
  invoice: InvoiceRow,
  { customer, plan }: SubscriptionContext,
): { request: CardChargeRequest; startedAt: string } {
  const { amountMinor, currency, ordinal } = attempt;
  return {
    startedAt: attempt.startedAt.toISOString(),
    request: {
      tenantId: attempt.tenantId,
      customerId: customer.id,
      invoiceId: invoice.id,
      attemptId: attempt.id,
      vendorCustomerId: attempt.vendorCustomerId,
      paymentMethodId: attempt.paymentMethodId,
      amount: { amountMinor, currency },
      description: `${plan.name}, invoice ${invoice.number}`,
      idempotencyKey: chargeIdempotencyKey({ invoiceId: invoice.id, ordinal }),
    },
  };
}
