/**
 * What a subscription does on its own dates: trial messages, the end of the trial, renewals, its end and what follows.
 *
 * Why it is safe to run twice: each act locks the customer, asks the same pure function as the workflow whether the
 * act is still the next one, and otherwise changes nothing. Messages, invoices and timeline entries are written in
 * that transaction; nothing outside is changed here. An invoice is issued together with the plan to charge it, so
 * whoever looks at the row next, by whatever way, collects it.
 */

import { type Tx, withTenant } from '../../db/client.ts';
import { voidPendingChange } from '../../db/queries/billing/apply-change.ts';
import { findOpenCase, moveOnCase, suspendByClock } from '../../db/queries/billing/dunning-cases.ts';
import {
  closeUnpaidInvoice,
  type InvoiceRow,
  openInvoicesOf,
  readInvoice,
} from '../../db/queries/billing/invoices.ts';
import {
  beginFirstPeriod,
  canBegin,
  openFirstPeriod,
  openPeriod,
} from '../../db/queries/billing/open-period.ts';
import { planRetry } from '../../db/queries/billing/planned-charges.ts';
import {
  announceSubscription,
  changeSubscription,
  livingSubscriptions,
  lockSubscription,
  nothingPending,
  type SubscriptionContext,
  snapshotOf,
  statusChange,
  termsOf,
} from '../../db/queries/billing/subscriptions.ts';
import { priceInWords } from '../../db/queries/billing/tax-rules.ts';
import { billUnbilledChange } from '../../db/queries/billing/unbilled-change.ts';
import { offerWinBack } from '../../db/queries/billing/win-back.ts';
import { tellSubscriber } from '../../db/queries/messaging/tell-subscriber.ts';
import { unconfirmedInvoice } from '../../db/queries/payments/conversion.ts';
import { isUndecided } from '../../db/queries/payments/on-its-way.ts';
import type { WinBackTemplate } from '../../domain/billing/plan.ts';
import { termsInWords } from '../../domain/billing/plan-change.ts';
import { type SubscriptionSnapshot, undecidedUntil } from '../../domain/billing/subscription.ts';
import { addDays, inWords } from '../../domain/instant.ts';
import { type ActInput, type ActResult, act } from './act.ts';
import { type IssuingDeps, issuingAct } from './issuing.ts';

export function createSubscriptionActivities(deps: IssuingDeps) {
  const { db } = deps;
  return {
    /** Mails the trial message that is due; earlier ones that were missed are marked as superseded. */
    sendTrialMessage(input: ActInput): Promise<ActResult> {
      return act(db, input, 'send_trial_message', async (tx, context, due) => {
        const { subscription } = context;
        const terms = termsOf(context);
        await tellSubscriber(tx, context, new Date(input.at), {
          template: due.template,
          variables: {
            planName: termsInWords(terms),
            trialEndsAt: inWords(subscription.trialEndsAt?.toISOString() ?? input.at),
            price: await priceInWords(tx, context, { terms, at: new Date(input.at) }),
          },
        });
        const done = [...subscription.trialMessagesDone, ...due.superseded, due.template];
        const after = await changeSubscription(tx, context, {
          set: { trialMessagesDone: done },
          at: new Date(input.at),
          entry: { kind: 'trial_message', message: `The ${due.template} mail was sent.` },
        });
        return { after, invoice: null };
      });
    },

    /** With a payment method: issues the first invoice, to be collected now. Without: suspends, with notice. */
    endTrial(input: ActInput): Promise<ActResult> {
      return issuingAct(deps, input, 'end_trial', async (tx, context, due) => {
        // The trial's own end, however late we are.
        const at = context.subscription.trialEndsAt ?? new Date(due.at);
        // A conversion that nobody confirmed is called back first; then the trial's end comes up again.
        const unconfirmed = await unconfirmedInvoice(tx, context.subscription.id);
        if (unconfirmed !== null) return { after: context, invoice: unconfirmed };
        if (!canBegin(context)) {
          return { after: await suspendAfterTrial(tx, context, at), invoice: null };
        }
        return openFirstPeriod(tx, await beginFirstPeriod(tx, context, at), { due, at: input.at });
      });
    },

    /** Issues the first invoice of a subscription that starts with a payment. */
    issueFirstInvoice(input: ActInput): Promise<ActResult> {
      return issuingAct(deps, input, 'collect_first_invoice', async (tx, context, due) => {
        const begun = await beginFirstPeriod(tx, context, new Date(due.at));
        return openFirstPeriod(tx, begun, { due, at: input.at });
      });
    },

    /**
     * Opens the next period from the anchor and issues its invoice. After an outage the ladder may be late with taking
     * access; no period is billed that would not have been opened in time.
     */
    renew(input: ActInput): Promise<ActResult> {
      return issuingAct(deps, input, 'renew', async (tx, context, due) => {
        const suspended = await suspendByClock(tx, context, new Date(input.at));
        if (suspended !== null) return { after: suspended, invoice: null };
        return openPeriod(tx, context, { due, at: new Date(input.at) });
      });
    },

    /** Ends a subscription that was cancelled for the end of its period or trial, and bills a change that is not billed yet. */
    endSubscription(input: ActInput): Promise<ActResult> {
      return issuingAct(deps, input, 'end', async (tx, context, due) => {
        const { status, trialEndsAt, periodEndsAt } = context.subscription;
        // The day it was cancelled for, however long it was held.
        const at = (status === 'trialing' ? trialEndsAt : periodEndsAt) ?? new Date(due.at);
        await voidPendingChange(tx, context, at);
        // Nothing was given for it: a conversion that nobody confirmed ends with its trial.
        if (status === 'trialing') await voidOpenInvoices(tx, context, at);
        const billed = await billUnbilledChange(tx, context, at);
        const after = await changeSubscription(tx, billed, {
          set: { ...statusChange(context, 'cancelled', at), endedAt: at, ...nothingPending },
          at,
          entry: { kind: 'cancelled', message: 'The subscription ended as cancelled.' },
        });
        await stopDunning(tx, after, new Date(input.at));
        await tellSubscriber(tx, after, new Date(input.at), {
          template: 'subscription_ended',
          variables: { planName: context.plan.name },
        });
        return { after, invoice: null };
      });
    },

    /** Closes a first payment or a trial that nobody took up; not while the money may be on its way. */
    expireSubscription(input: ActInput): Promise<ActResult> {
      return act(db, input, 'expire', async (tx, context, due) => {
        const undecided = await undecidedInvoice(tx, context, new Date(input.at));
        if (undecided !== null) {
          const after = await putOffExpiry(tx, context, { invoice: undecided, at: input.at });
          return { after, invoice: null };
        }
        const at = new Date(due.at);
        await voidOpenInvoices(tx, context, at);
        const after = await changeSubscription(tx, context, {
          set: { ...statusChange(context, 'expired', at), endedAt: at, ...nothingPending },
          at,
          entry: { kind: 'expired', message: 'The subscription expired: it was not paid for in time.' },
        });
        await tellSubscriber(tx, after, new Date(input.at), {
          template: 'subscription_expired',
          variables: { planName: context.plan.name },
        });
        return { after, invoice: null };
      });
    },

    /** Mails the win-back message that is due, unless the customer has come back already. */
    sendWinBack(input: ActInput): Promise<ActResult> {
      return act(db, input, 'send_win_back', async (tx, context, due) => {
        const isBack = (await livingSubscriptions(tx, context.customer.id)).length > 0;
        if (!isBack) {
          await sendOffer(tx, context, due.template, new Date(input.at));
        }
        const after = await changeSubscription(tx, context, {
          set: { winBackDone: [...context.subscription.winBackDone, due.template] },
          at: new Date(input.at),
          entry: isBack
            ? {
                kind: 'win_back_skipped',
                message: `The ${due.template} mail was not sent: the customer is back.`,
              }
            : { kind: 'win_back', message: `The ${due.template} mail was sent.` },
        });
        return { after, invoice: null };
      });
    },

    /**
     * The card vendor could not be asked, or its answer was lost: look again later. The attempt stays as it is, so
     * the next run finds out what happened before it charges.
     */
    postponeCollection(input: ActInput & { invoiceId: string }): Promise<SubscriptionSnapshot> {
      return withTenant(db, input.tenantId, async (tx) => {
        // A new card is charged for what another subscription of the customer owes, too; that one looks again itself.
        const { subscriptionId: owner } = await readInvoice(tx, input.invoiceId);
        const postponed = await postpone(tx, await lockSubscription(tx, owner), input);
        if (owner === input.subscriptionId) return snapshotOf(postponed);
        await announceSubscription(tx, postponed);
        return snapshotOf(await lockSubscription(tx, input.subscriptionId));
      });
    },
  };
}

async function suspendAfterTrial(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext> {
  const after = await changeSubscription(tx, context, {
    set: statusChange(context, 'trial_ended_without_method', at),
    at,
    entry: { kind: 'suspended', message: 'Suspended: the trial ended without a payment method.' },
  });
  const { policy, dayMs } = snapshotOf(after);
  await tellSubscriber(tx, after, at, {
    template: 'trial_ended',
    variables: {
      planName: context.plan.name,
      takeUpUntil: inWords(addDays(at.toISOString(), policy.trialWindowDays, dayMs)),
    },
  });
  return after;
}

/** Of what the subscription has billed and is not paid, an invoice whose payment nobody knows the outcome of. */
async function undecidedInvoice(
  tx: Tx,
  { subscription }: SubscriptionContext,
  at: Date,
): Promise<InvoiceRow | null> {
  for (const invoice of await openInvoicesOf(tx, subscription.id)) {
    if (await isUndecided(tx, { invoiceId: invoice.id, at })) return invoice;
  }
  return null;
}

function putOffExpiry(
  tx: Tx,
  context: SubscriptionContext,
  { invoice, at }: { invoice: InvoiceRow; at: string },
): Promise<SubscriptionContext> {
  const until = undecidedUntil(at, snapshotOf(context).dayMs);
  return changeSubscription(tx, context, {
    set: { firstPaymentUntil: new Date(until) },
    at: new Date(at),
    entry: {
      kind: 'expiry_postponed',
      message: `Does not expire yet: the payment of invoice ${invoice.number} is not decided; unless it is, that is looked at again on ${inWords(until)}.`,
      details: { invoiceId: invoice.id },
    },
  });
}

/** The last mail carries a code; the one before it only asks. */
async function sendOffer(
  tx: Tx,
  context: SubscriptionContext,
  template: WinBackTemplate,
  at: Date,
): Promise<void> {
  const { name: planName } = context.plan;
  await tellSubscriber(
    tx,
    context,
    at,
    template === 'win_back_1'
      ? { template, variables: { planName } }
      : { template, variables: { planName, ...(await offerWinBack(tx, context, at)) } },
  );
}

/** Takes back what is still to be paid, because nothing is given for it. */
export async function voidOpenInvoices(
  tx: Tx,
  { subscription }: SubscriptionContext,
  at: Date,
): Promise<void> {
  for (const invoice of await openInvoicesOf(tx, subscription.id)) {
    await closeUnpaidInvoice(tx, invoice, { as: 'void', at });
  }
}

/** The customer left: nobody is chased any more for this subscription. */
export async function stopDunning(
  tx: Tx,
  { tenant, customer }: SubscriptionContext,
  at: Date,
): Promise<void> {
  const dunningCase = await findOpenCase(tx, customer.id);
  if (dunningCase !== null) await moveOnCase(tx, tenant, dunningCase, { at, outcome: 'cancelled' });
}

/** Plans the next look at a charge whose outcome is not known. */
export async function postpone(
  tx: Tx,
  context: SubscriptionContext,
  { invoiceId, at }: { invoiceId: string; at: string },
): Promise<SubscriptionContext> {
  const retry = await planRetry(tx, context, { invoiceId, at, forEver: true });
  if (retry === null) throw new Error('The policy has no delays for technical failures');
  return changeSubscription(tx, context, {
    set: retry.set,
    at: new Date(at),
    entry: {
      kind: 'collection_postponed',
      message: `The card vendor could not be asked; the charge is looked up and tried again on ${inWords(retry.retryAt)}.`,
      details: { invoiceId },
    },
  });
}
