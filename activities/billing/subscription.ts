/**
 * What a subscription does on its own dates: trial messages, the end of the trial, renewals, its end and what follows.
 *
 * Why it is safe to run twice: each act locks the customer, asks the same pure function as the workflow whether the
 * act is still the next one, and otherwise changes nothing. Messages, invoices and timeline entries are written in
 * that transaction; nothing outside is touched here. An invoice is issued together with the plan to charge it, so
 * whoever looks at the row next, by whatever way, collects it.
 */

import { type Database, type Tx, withTenant } from '../../db/client.ts';
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
import { enqueueNotification } from '../../db/queries/messaging/notifications.ts';
import { unconfirmedInvoice } from '../../db/queries/payments/conversion.ts';
import { termsInWords } from '../../domain/billing/plan-change.ts';
import { priceOf } from '../../domain/billing/recurring-price.ts';
import {
  nextAct,
  type SubscriptionAct,
  type SubscriptionSnapshot,
} from '../../domain/billing/subscription.ts';
import { addDays, inWords } from '../../domain/instant.ts';
import { formatMoney, money } from '../../domain/money.ts';

export type SubscriptionRef = { tenantId: string; subscriptionId: string };

/** `at` is workflow time: the act's date, or later when a worker was down. */
export type ActInput = SubscriptionRef & { at: string };

/** The subscription after an act, and the invoice it issued, to be collected at once. */
export type ActResult = { snapshot: SubscriptionSnapshot; invoiceId: string | null };

export function createSubscriptionActivities({ db }: { db: Database }) {
  return {
    /** Mails the trial message that is due; earlier ones that were missed are marked as superseded. */
    sendTrialMessage(input: ActInput): Promise<ActResult> {
      return act(db, input, 'send_trial_message', async (tx, context, due) => {
        const { subscription, plan } = context;
        await notify(tx, context, input.at, {
          template: due.template,
          variables: {
            planName: termsInWords(termsOf(context)),
            trialEndsAt: inWords(subscription.trialEndsAt?.toISOString() ?? input.at),
            price: formatMoney(money(priceOf(termsOf(context)), plan.currency)),
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
      return act(db, input, 'end_trial', async (tx, context, due) => {
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
      return act(db, input, 'collect_first_invoice', async (tx, context, due) => {
        const begun = await beginFirstPeriod(tx, context, new Date(due.at));
        return openFirstPeriod(tx, begun, { due, at: input.at });
      });
    },

    /**
     * Opens the next period from the anchor and issues its invoice. After an outage the ladder may be late with taking
     * access; no period is billed that would not have been opened in time.
     */
    renew(input: ActInput): Promise<ActResult> {
      return act(db, input, 'renew', async (tx, context, due) => {
        const suspended = await suspendByClock(tx, context, new Date(input.at));
        if (suspended !== null) return { after: suspended, invoice: null };
        return openPeriod(tx, context, { due, at: new Date(input.at) });
      });
    },

    /** Ends a subscription that was cancelled for the end of its period or trial. */
    endSubscription(input: ActInput): Promise<ActResult> {
      return act(db, input, 'end', async (tx, context, due) => {
        const at = new Date(due.at);
        // Nothing was given for it: a conversion that nobody confirmed ends with its trial.
        if (context.subscription.status === 'trialing') await voidOpenInvoices(tx, context, at);
        await voidPendingChange(tx, context, at);
        const after = await changeSubscription(tx, context, {
          set: { ...statusChange(context, 'cancelled', at), endedAt: at, ...nothingPending },
          at,
          entry: { kind: 'cancelled', message: 'The subscription ended as cancelled.' },
        });
        await stopDunning(tx, after, new Date(input.at));
        await notify(tx, after, input.at, {
          template: 'subscription_ended',
          variables: { planName: context.plan.name },
        });
        return { after, invoice: null };
      });
    },

    /** Closes a first payment or a trial that nobody took up. */
    expireSubscription(input: ActInput): Promise<ActResult> {
      return act(db, input, 'expire', async (tx, context, due) => {
        const at = new Date(due.at);
        await voidOpenInvoices(tx, context, at);
        const after = await changeSubscription(tx, context, {
          set: { ...statusChange(context, 'expired', at), endedAt: at, ...nothingPending },
          at,
          entry: { kind: 'expired', message: 'The subscription expired: it was not paid for in time.' },
        });
        await notify(tx, after, input.at, {
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
          await notify(tx, context, input.at, {
            template: due.template,
            variables: { planName: context.plan.name },
          });
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

/** Performs an act when the pure rules, asked again under the lock, still call for it. */
export function act<K extends SubscriptionAct['kind']>(
  db: Database,
  { tenantId, subscriptionId, at }: ActInput,
  kind: K,
  perform: (
    tx: Tx,
    context: SubscriptionContext,
    due: Extract<SubscriptionAct, { kind: K }>,
  ) => Promise<{ after: SubscriptionContext; invoice: InvoiceRow | null }>,
): Promise<ActResult> {
  return withTenant(db, tenantId, async (tx) => {
    const context = await lockSubscription(tx, subscriptionId);
    const due = nextAct(snapshotOf(context), at);
    if (due === null || due.kind !== kind || Date.parse(due.at) > Date.parse(at)) {
      return { snapshot: snapshotOf(context), invoiceId: null };
    }
    const { after, invoice } = await perform(tx, context, due as Extract<SubscriptionAct, { kind: K }>);
    return { snapshot: snapshotOf(after), invoiceId: invoice?.id ?? null };
  });
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
  await notify(tx, after, at.toISOString(), {
    template: 'trial_ended',
    variables: {
      planName: context.plan.name,
      takeUpUntil: inWords(addDays(at.toISOString(), policy.trialWindowDays, dayMs)),
    },
  });
  return after;
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

type SubscriptionMessage = Omit<
  Parameters<typeof enqueueNotification>[1]['request'],
  'customerId' | 'dedupeKey'
>;

/** One message of each kind per subscription: none of these can occur twice in its life. */
function notify(
  tx: Tx,
  { subscription }: SubscriptionContext,
  at: string,
  message: SubscriptionMessage,
): Promise<void> {
  return enqueueNotification(tx, {
    tenantId: subscription.tenantId,
    at: new Date(at),
    request: {
      ...message,
      customerId: subscription.customerId,
      subscriptionId: subscription.id,
      dedupeKey: `subscription:${subscription.id}:${message.template}`,
    } as Parameters<typeof enqueueNotification>[1]['request'],
  });
}
