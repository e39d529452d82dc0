/**
 * What a charge that did not collect means: the trial goes on, the first payment is still awaited, or the
 * subscription is past due and dunning begins. Runs in the transaction that records the vendor's answer; repeated
 * for the same invoice it changes nothing more (first failure, case and mail are all once per invoice).
 */
import { and, eq, isNull } from 'drizzle-orm';
import { stepAheadInWords } from '../../../domain/billing/dunning.ts';
import { termsInWords } from '../../../domain/billing/plan-change.ts';
import { firstPaymentAwaitedUntil } from '../../../domain/billing/subscription.ts';
import { inWords } from '../../../domain/instant.ts';
import { formatMoney, money } from '../../../domain/money.ts';
import {
  type DeclineClass,
  declineReasonForCustomer,
  isCancelIntent,
} from '../../../domain/payments/card-payment.ts';
import { endsMandate } from '../../../domain/payments/direct-debit.ts';
import type { ChargeOrigin } from '../../../domain/payments/payment.ts';
import type { Tx } from '../../client.ts';
import { customers, invoices } from '../../schema/billing.ts';
import { paymentMethods } from '../../schema/payments.ts';
import { caseState, openCase } from '../billing/dunning-cases.ts';
import { dueOf, type InvoiceRow } from '../billing/invoices.ts';
import { forgetPlan, planRetry } from '../billing/planned-charges.ts';
import {
  addTimelineEntry,
  announceSubscription,
  changeSubscription,
  livingSubscriptions,
  lockSubscription,
  type SubscriptionContext,
  snapshotOf,
  statusChange,
} from '../billing/subscriptions.ts';
import { enqueueNotification } from '../messaging/notifications.ts';
import { writeAudit } from '../tenants/audit-log.ts';
import { voidConversion } from './conversion.ts';
import { awaitAnotherMethod, endMandate, planRepresentment } from './direct-debits.ts';
import { dunningVariables } from './dunning-message.ts';
import { firstPeriod } from './settle-payment.ts';

export type FailedCharge = {
  invoice: InvoiceRow;
  origin: ChargeOrigin;
  code: string;
  declineClass: DeclineClass;
  /** The method that was refused; null when there was none to charge. */
  paymentMethodId: string | null;
  /** The try that failed; null when nobody was asked. */
  attemptId: string | null;
  /** The bank returned a direct debit: while it was under way, or after it had paid the invoice (`late`), as a chain may coins. */
  returned: 'in_flight' | 'late' | null;
  /** What was taken back, where no charge stands for it, and who took it. */
  takenBack?: { paymentId: string; by: 'chain' | 'bank' | 'cheque' } | undefined;
  /** Where the customer can still confirm this very charge. */
  actionUrl: string | null;
  at: Date;
};

/** Applies a charge that failed, or that waits for the customer. Returns the subscription as it is then. */
export async function applyFailedCharge(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
): Promise<SubscriptionContext> {
  const { invoice, code, declineClass, at } = failed;
  if (declineClass === 'hard' && failed.paymentMethodId !== null) {
    await refuseMethod(tx, context, failed.paymentMethodId, at);
    if (endsMandate(code)) await endMandate(tx, failed.paymentMethodId, at);
  }
  await addTimelineEntry(tx, context.subscription, at, {
    ...whatHappened(failed),
    details: { invoiceId: invoice.id, origin: failed.origin, code, declineClass },
  });
  if (invoice.status !== 'open') return context;
  // Nothing of the subscription hangs on it.
  if (invoice.kind === 'one_off') return context;

  // Nobody decided anything: the charge is tried again.
  const plan = { invoiceId: invoice.id, at: at.toISOString(), forEver: false };
  const retry = declineClass === 'technical' ? await planRetry(tx, context, plan) : null;
  if (retry !== null) return changeSubscription(tx, context, { set: retry.set, at });
  const represented = failed.returned === null ? null : await planRepresentment(tx, context, failed);
  if (represented !== null) {
    await notifyFailure(tx, represented.after, failed, represented.nextStep);
    return represented.after;
  }
  // What came unasked and is taken back decides nothing about a charge that is planned.
  const planned = failed.takenBack === undefined ? await forgetPlan(tx, context, failed) : context;
  const after = await consequence(tx, planned, failed);
  return isCancelIntent(code) ? leaveAtPeriodEnd(tx, after, failed) : after;
}

/** What becomes of an invoice whose payment is taken back. */
const standings: Record<InvoiceRow['status'], string> = {
  open: 'the invoice is open again',
  paid: "the customer's credit has paid it instead",
  void: 'the invoice stays void',
  uncollectible: 'the invoice is bad debt',
};

function whatHappened({
  invoice: { number, status },
  code,
  declineClass,
  actionUrl,
  returned,
  takenBack,
}: FailedCharge) {
  if (returned === 'late') {
    const who = takenBack?.by === 'chain' ? 'The chain' : 'The bank';
    const message = `${who} took the payment of invoice ${number} back (${code}): ${standings[status]}.`;
    return { kind: 'payment_returned', message };
  }
  if (returned === 'in_flight') {
    return {
      kind: 'debit_returned',
      message: `The bank returned the debit for invoice ${number} (${code}).`,
    };
  }
  if (actionUrl !== null) {
    const message = `The charge for invoice ${number} waits for the customer to confirm it.`;
    return { kind: 'charge_requires_action', message };
  }
  const message = `The charge for invoice ${number} failed (${code}, ${declineClass}).`;
  return { kind: 'charge_failed', message };
}

/**
 * A customer who revoked our authorisation at the bank means to leave: the subscription ends with its period, as if they
 * had told us. They are told, and can take it back as usual. What is unpaid stays unpaid.
 */
async function leaveAtPeriodEnd(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: FailedCharge,
): Promise<SubscriptionContext> {
  const { id, tenantId, customerId, status, cancelAtPeriodEnd, periodEndsAt } = context.subscription;
  if (status !== 'past_due' || cancelAtPeriodEnd || periodEndsAt === null) return context;
  const after = await changeSubscription(tx, context, {
    set: { cancelAtPeriodEnd: true, cancelReason: 'authorization_revoked', cancelRequestedAt: at },
    at,
    entry: {
      kind: 'cancellation_requested',
      message: 'Cancelled for the end of the period: the customer revoked the authorisation at their bank.',
      details: { invoiceId: invoice.id },
    },
  });
  await writeAudit(tx, {
    tenantId,
    actor: 'system',
    action: 'subscription.cancelled',
    entityType: 'subscription',
    entityId: id,
    reason: 'authorization_revoked',
    details: { mode: 'at_period_end' },
    at,
  });
  await enqueueNotification(tx, {
    tenantId,
    at,
    request: {
      template: 'cancellation_confirmed',
      variables: { planName: context.plan.name, accessUntil: inWords(periodEndsAt.toISOString()) },
      customerId,
      subscriptionId: id,
      dedupeKey: `invoice:${invoice.id}:authorization_revoked`,
    },
  });
  return after;
}

async function consequence(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
): Promise<SubscriptionContext> {
  const { subscription } = context;
  const { invoice, actionUrl } = failed;
  // One that had been paid has made its change already.
  if (invoice.kind === 'change' && invoice.reopenedAt === null) return keepOldTerms(tx, context, failed);
  switch (subscription.status) {
    case 'trialing': {
      // The trial is over once its first period is open; until then it goes on, whatever the clock says.
      if (subscription.periodEndsAt !== null) return fallPastDue(tx, context, failed);
      return giveUpActivation(tx, context, failed);
    }
    case 'suspended':
      return giveUpActivation(tx, context, failed);
    case 'incomplete': {
      // Without a card nothing was tried: the customer is only about to give one.
      if (failed.paymentMethodId === null) return context;
      const after = failed.returned === null ? context : await awaitAnotherMethod(tx, context, failed.at);
      const until = inWords(firstPaymentAwaitedUntil(snapshotOf(after)));
      await notifyFailure(tx, after, failed, `the subscription expires on ${until}`);
      return after;
    }
    case 'active':
      return fallPastDue(tx, context, failed);
    case 'past_due':
      if (actionUrl !== null && invoice.firstFailedAt !== null) await notifyAction(tx, context, failed);
      return invoice.firstFailedAt === null || failed.returned === 'late'
        ? fallPastDue(tx, context, failed)
        : context;
    case 'paused':
      // It owes nothing, unless a bank took back what had been paid; that waits until it goes on.
      if (failed.returned !== null)
        await notifyFailure(tx, context, failed, 'we charge it when your subscription goes on');
      return context;
    case 'cancelled':
    case 'expired':
      return context;
    default:
      return subscription.status satisfies never;
  }
}

/** An upgrade was not paid: the old terms stay, and it waits for another card until it lapses. Nobody is dunned. */
async function keepOldTerms(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
): Promise<SubscriptionContext> {
  const { pendingChange } = context.subscription;
  if (pendingChange?.invoiceId !== failed.invoice.id) return context;
  const nextStep = `the change to ${termsInWords(pendingChange)} lapses on ${inWords(pendingChange.at)}`;
  await notifyFailure(tx, context, failed, nextStep);
  return context;
}

/** An early conversion did not work: the trial (or the window to take it up) goes on as if it had not been tried. */
async function giveUpActivation(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
): Promise<SubscriptionContext> {
  if (failed.actionUrl !== null) {
    await notifyAction(tx, context, failed);
    return context;
  }
  await voidConversion(tx, failed.invoice, failed.at);
  return context;
}

async function fallPastDue(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
): Promise<SubscriptionContext> {
  const { subscription } = context;
  const { invoice, at } = failed;
  const firstFailedAt = invoice.firstFailedAt ?? at;
  await tx.update(invoices).set({ firstFailedAt }).where(eq(invoices.id, invoice.id));
  const opened = await openCase(tx, context, { invoice, firstFailedAt, at });
  const ladder = failed.takenBack?.by === 'chain' ? 'suspended' : 'grace';
  const after =
    subscription.status === 'past_due'
      ? await suspendedFor(tx, context, failed)
      : await changeSubscription(tx, context, {
          set: {
            ...statusChange(context, 'payment_failed', at),
            ...(subscription.status === 'trialing' && firstPeriod(invoice)),
            ladder,
          },
          at,
          entry: {
            kind: 'past_due',
            message: `Past due: invoice ${invoice.number} is unpaid; dunning has begun.`,
            details: { invoiceId: invoice.id, caseId: opened.id },
          },
        });
  // Where an earlier invoice drives the customer's ladder already, its dates are the ones that come.
  const state = await caseState(tx, context.tenant, opened);
  const nextTry = stepAheadInWords(state, state.nextStepIndex, {
    cardRefused: failed.declineClass === 'hard',
  });
  const nextStep = ladder === 'suspended' ? `access stays suspended, and ${nextTry}` : nextTry;
  await notifyFailure(tx, after, failed, nextStep);
  return after;
}

/** Coins that went elsewhere have bought nothing: there is no grace for what was had for them. */
async function suspendedFor(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, takenBack, at }: FailedCharge,
): Promise<SubscriptionContext> {
  if (takenBack?.by !== 'chain' || context.subscription.ladder === 'suspended') return context;
  const message = `Access is suspended: the coins that had paid invoice ${invoice.number} are gone.`;
  return changeSubscription(tx, context, {
    set: { ladder: 'suspended' },
    at,
    entry: { kind: 'access_suspended', message, details: { invoiceId: invoice.id } },
  });
}

/**
 * The notice of the first failure, once per invoice; with a link when the customer can still confirm. Of a return the customer
 * hears each time: it comes days later, or weeks.
 */
async function notifyFailure(
  tx: Tx,
  context: SubscriptionContext,
  failed: FailedCharge,
  nextStep: string,
): Promise<void> {
  if (failed.actionUrl !== null) return notifyAction(tx, context, failed);
  const { invoice, code, at } = failed;
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      ...noticeOf(failed),
      variables: dunningVariables(context, { invoice, reason: declineReasonForCustomer(code), nextStep }),
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      attaches: { kind: 'invoice', invoiceId: invoice.id },
    },
  });
}

/** Of a return the customer hears each time, of a first failure once per invoice. */
export function noticeOf({ invoice, attemptId, returned, takenBack }: FailedCharge) {
  if (returned === null) {
    return { template: 'payment_failed', dedupeKey: `invoice:${invoice.id}:payment_failed` } as const;
  }
  if (takenBack === undefined) {
    return { template: 'payment_returned', dedupeKey: `attempt:${attemptId}:returned` } as const;
  }
  const dedupeKey = `payment:${takenBack.paymentId}:returned`;
  return { template: takenBackTemplates[takenBack.by], dedupeKey };
}

const takenBackTemplates = {
  chain: 'crypto_payment_reversed',
  bank: 'bank_payment_returned',
  cheque: 'payment_bounced',
} as const;

/** The 3-D Secure mail, once per link. */
async function notifyAction(tx: Tx, { plan }: SubscriptionContext, failed: FailedCharge): Promise<void> {
  const { invoice, actionUrl, at } = failed;
  if (actionUrl === null) return;
  await enqueueNotification(tx, {
    tenantId: invoice.tenantId,
    at,
    request: {
      template: 'payment_action_required',
      variables: {
        planName: plan.name,
        invoiceNumber: invoice.number,
        amount: formatMoney(money(dueOf(invoice).amountMinor, invoice.currency)),
        actionUrl,
      },
      customerId: invoice.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `invoice:${invoice.id}:action:${actionUrl}`,
    },
  });
}

/** A card that was refused for good is no payment method any more, for none of the customer's subscriptions. */
async function refuseMethod(
  tx: Tx,
  { customer, subscription }: SubscriptionContext,
  paymentMethodId: string,
  at: Date,
): Promise<void> {
  await tx
    .update(paymentMethods)
    .set({ refusedAt: at })
    .where(and(eq(paymentMethods.id, paymentMethodId), isNull(paymentMethods.refusedAt)));
  await tx
    .update(customers)
    .set({ defaultPaymentMethodId: null })
    .where(eq(customers.defaultPaymentMethodId, paymentMethodId));
  for (const otherId of await livingSubscriptions(tx, customer.id)) {
    if (otherId !== subscription.id) await announceSubscription(tx, await lockSubscription(tx, otherId));
  }
}
