/**
 * What people ask of a subscription: cancel, take the cancellation back, extend the trial, convert now.
 *
 * Why it is safe to run twice: each request is one transaction under the customer's lock that first asks whether it
 * still applies. The id of a request that was carried out is kept, so its repeat changes nothing; a request that does not
 * apply is refused with `state_conflict` and writes nothing.
 */

import type { Tx } from '../../db/client.ts';
import { voidPendingChange } from '../../db/queries/billing/apply-change.ts';
import { findOpenCase } from '../../db/queries/billing/dunning-cases.ts';
import { beginFirstPeriod, canBegin } from '../../db/queries/billing/open-period.ts';
import { planFirstTry } from '../../db/queries/billing/planned-charges.ts';
import { keepRequest, wasCarriedOut } from '../../db/queries/billing/subscription-requests.ts';
import {
  changeSubscription,
  lockSubscription,
  nothingPending,
  type SubscriptionContext,
  snapshotOf,
  statusChange,
} from '../../db/queries/billing/subscriptions.ts';
import { type TaxDeps, withTax } from '../../db/queries/billing/tax-calculations.ts';
import { billUnbilledChange } from '../../db/queries/billing/unbilled-change.ts';
import { tellSubscriber } from '../../db/queries/messaging/tell-subscriber.ts';
import { conversionInvoice, unconfirmedInvoice } from '../../db/queries/payments/conversion.ts';
import { payFromCredit } from '../../db/queries/payments/pay-from-credit.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { together } from '../../db/together.ts';
import { isTerminal, type SubscriptionStatus } from '../../domain/billing/subscription.ts';
import type { DomainError } from '../../domain/errors.ts';
import { addDays, inWords } from '../../domain/instant.ts';
import { conversionKey } from '../../domain/payments/payment.ts';
import type { CancelInput, ExtendTrialInput } from '../../workflows/billing/subscription.contract.ts';
import type { ActResult } from './act.ts';
import { auditOf, conflict, issuingRequest, paymentMethodMissing, type Request, request } from './request.ts';
import { stopDunning, voidOpenInvoices } from './subscription.ts';

export function createSubscriptionRequestActivities(deps: TaxDeps) {
  const { db } = deps;
  return {
    /** Throws `state_conflict`, or `TaxWithheld` where it bills a change at once. */
    cancelSubscription(input: Request & CancelInput): Promise<ActResult> {
      return issuingRequest(deps, input, async (tx, context, at) => {
        refuseEnded(context);
        const { subscription } = context;
        if (input.mode === 'at_period_end' && subscription.cancelAtPeriodEnd) {
          throw conflict(
            'already_cancelled',
            'The subscription is already cancelled for the end of its period.',
          );
        }
        const reasons = {
          cancelReason: input.reason,
          cancelComment: input.comment ?? null,
          cancelRequestedAt: at,
        };
        const endsLater = input.mode === 'at_period_end' && accessUntil(context) !== null;
        const after = endsLater
          ? await changeSubscription(tx, context, {
              set: { ...reasons, cancelAtPeriodEnd: true },
              at,
              entry: { kind: 'cancellation_requested', message: 'Cancelled for the end of the period.' },
            })
          : await cancelNow(tx, await billedBefore(tx, context, at), reasons, at);
        await writeAudit(tx, {
          ...auditOf(input, at),
          action: 'subscription.cancelled',
          details: { mode: input.mode },
        });
        const { name: planName } = context.plan;
        const until = accessUntil(context);
        await tellSubscriber(tx, context, at, {
          ...(endsLater && until !== null
            ? {
                template: 'cancellation_confirmed' as const,
                variables: { planName, accessUntil: inWords(until.toISOString()) },
              }
            : { template: 'subscription_ended' as const, variables: { planName } }),
          occasion: input.requestId,
        });
        return after;
      });
    },

    undoCancelSubscription(input: Request & { actor: string }): Promise<ActResult> {
      return request(db, input, async (tx, context, at) => {
        refuseEnded(context);
        const { subscription } = context;
        const until = accessUntil(context);
        if (!subscription.cancelAtPeriodEnd || until === null) {
          throw conflict('not_cancelled', 'There is no cancellation to take back.');
        }
        if (until <= at)
          throw conflict('period_over', 'The period is over; start a new subscription instead.');
        const after = await changeSubscription(tx, context, {
          set: { cancelAtPeriodEnd: false, cancelReason: null, cancelComment: null, cancelRequestedAt: null },
          at,
          entry: { kind: 'cancellation_undone', message: 'The cancellation was taken back.' },
        });
        await writeAudit(tx, { ...auditOf(input, at), action: 'subscription.cancellation_undone' });
        await tellSubscriber(tx, context, at, {
          template: 'cancellation_undone',
          variables: {
            planName: context.plan.name,
            // No period is opened while access is suspended for an unpaid invoice.
            renewsAt:
              subscription.ladder === 'suspended'
                ? 'as soon as the open invoice is paid'
                : inWords(until.toISOString()),
          },
          occasion: input.requestId,
        });
        return after;
      });
    },

    extendTrial(input: Request & ExtendTrialInput): Promise<ActResult> {
      return request(db, input, async (tx, context, at) => {
        const { subscription } = context;
        const { status, periodEndsAt } = subscription;
        if (status !== 'trialing' || subscription.trialEndsAt === null || periodEndsAt !== null) {
          throw conflict('not_trialing', 'Only a running trial can be extended.');
        }
        if (subscription.cancelAtPeriodEnd) throw cancellationPending();
        const before = subscription.trialEndsAt.toISOString();
        const trialEndsAt = addDays(before, input.days, snapshotOf(context).dayMs);
        const [after] = await together([
          changeSubscription(tx, context, {
            set: { trialEndsAt: new Date(trialEndsAt) },
            at,
            entry: {
              kind: 'trial_extended',
              message: `The trial was extended by ${input.days} days, to ${inWords(trialEndsAt)}.`,
              details: { from: before, to: trialEndsAt },
            },
          }),
          writeAudit(tx, {
            ...auditOf(input, at),
            action: 'subscription.trial_extended',
            details: { days: input.days, from: before, to: trialEndsAt },
          }),
        ]);
        return after;
      });
    },

    /** Issues the first invoice now, for a trial that converts early or one that had ended and is taken up. */
    beginConversion(input: Request & { actor: string }): Promise<BegunConversion> {
      const { subscriptionId, requestId } = input;
      return withTax(deps, input, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        if (await wasCarriedOut(tx, input)) {
          const invoiceId = await conversionInvoice(tx, context, requestId);
          return { snapshot: snapshotOf(context), invoiceId, isEarlier: false };
        }
        refuseConversion(context);
        const unconfirmed = await unconfirmedInvoice(tx, subscriptionId);
        if (unconfirmed !== null) {
          return { snapshot: snapshotOf(context), invoiceId: unconfirmed.id, isEarlier: true };
        }
        const at = new Date(input.at);
        await keepRequest(tx, input, at);
        const { after, invoice } = await beginFirstPeriod(tx, context, at);
        if (invoice === null) return { snapshot: snapshotOf(after), invoiceId: null, isEarlier: false };
        const set = planFirstTry(after, invoice, {
          origin: 'first_invoice',
          originKey: conversionKey(requestId),
          at: input.at,
        });
        const planned = await changeSubscription(tx, after, { set, at });
        const settled = await payFromCredit(tx, planned, { invoice, at });
        return { snapshot: snapshotOf(settled), invoiceId: invoice.id, isEarlier: false };
      });
    },
  };
}

/**
 * `isEarlier`: the invoice is of a conversion that nobody confirmed. It is called back first, and then this one is begun
 * anew.
 */
export type BegunConversion = ActResult & { isEarlier: boolean };

/** Throws `state_conflict` or `payment_method_missing`. */
function refuseConversion(context: SubscriptionContext): void {
  const { status, cancelAtPeriodEnd } = context.subscription;
  if (status !== 'trialing' && status !== 'suspended') {
    throw conflict(`subscription_${status}`, `The subscription is ${status}; only a trial can be converted.`);
  }
  if (cancelAtPeriodEnd) throw cancellationPending();
  if (!canBegin(context)) {
    throw paymentMethodMissing();
  }
}

/** Where open invoices are voided with a cancellation, what was not billed yet is not billed either. */
async function billedBefore(tx: Tx, context: SubscriptionContext, at: Date): Promise<SubscriptionContext> {
  const isKept = context.subscription.policy.openInvoiceOnCancel === 'keep';
  return isKept ? billUnbilledChange(tx, context, at) : context;
}

/** Ends it now; nobody is charged or chased any more. */
export async function cancelNow(
  tx: Tx,
  context: SubscriptionContext,
  reasons: Pick<SubscriptionContext['subscription'], 'cancelReason' | 'cancelComment' | 'cancelRequestedAt'>,
  at: Date,
  message = 'The subscription was cancelled at once.',
): Promise<SubscriptionContext> {
  const { subscription } = context;
  // Changes are given up before the invoices that they credit are voided: what is never credited is not taken over.
  await voidPendingChange(tx, context, at);
  const after = await changeSubscription(tx, context, {
    set: {
      ...reasons,
      ...statusChange(context, 'cancelled', at),
      endedAt: at,
      ...nothingPending,
    },
    at,
    entry: { kind: 'cancelled', message },
  });
  if (subscription.policy.openInvoiceOnCancel === 'void' || !wasGiven.has(subscription.status))
    await voidOpenInvoices(tx, context, at);
  if ((await findOpenCase(tx, subscription.customerId)) !== null) await stopDunning(tx, after, at);
  return after;
}

/** Before the first period is paid for, nothing was given that an invoice could be kept for. */
const wasGiven: ReadonlySet<SubscriptionStatus> = new Set(['active', 'past_due', 'paused']);

/** The end of what is paid for or granted; null when nothing runs (an unpaid start, an ended trial). */
function accessUntil({ subscription }: SubscriptionContext): Date | null {
  switch (subscription.status) {
    case 'trialing':
      return subscription.trialEndsAt;
    case 'active':
    case 'past_due':
      return subscription.periodEndsAt;
    default:
      return null;
  }
}

function refuseEnded({ subscription: { status } }: SubscriptionContext): void {
  if (isTerminal(status)) throw conflict(`subscription_${status}`, `The subscription is already ${status}.`);
}

/** It ends as the customer was told, until they take that back. */
function cancellationPending(): DomainError {
  return conflict(
    'cancellation_pending',
    'The subscription is cancelled for the end of its trial; take that back first (POST /v1/subscriptions/{subscriptionId}/undo_cancel).',
  );
}
