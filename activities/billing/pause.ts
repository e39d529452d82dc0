/**
 * Pausing a paid subscription: access ends, the remaining time of the period is kept, and the clock goes on from there.
 *
 * Why it is safe to run twice: each request is one transaction under the customer's lock, and its id is kept with it; a
 * pause is written down when it ends, once per beginning. Nothing outside is touched, and nothing is billed.
 */
import type { Database, Tx } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { openInvoicesOf } from '../../db/queries/billing/invoices.ts';
import { keepPause } from '../../db/queries/billing/pauses.ts';
import {
  changeSubscription,
  type SubscriptionContext,
  statusChange,
} from '../../db/queries/billing/subscriptions.ts';
import { tellSubscriber } from '../../db/queries/messaging/tell-subscriber.ts';
import { planReturned } from '../../db/queries/payments/direct-debits.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import { inWords } from '../../domain/instant.ts';
import type { PauseInput, RequestInput } from '../../workflows/billing/subscription.contract.ts';
import { type ActInput, type ActResult, act } from './act.ts';
import { auditOf, conflict, request } from './request.ts';

export function createPauseActivities({ db }: { db: Database }) {
  return {
    /** Throws `state_conflict`: only an active subscription that owes nothing can be paused. */
    pauseSubscription(input: ActInput & PauseInput): Promise<ActResult> {
      return request(db, input, async (tx, context, at) => {
        const resumesAt = input.resumesAt === undefined ? null : new Date(input.resumesAt);
        await refusePause(tx, context, { at, resumesAt });
        const until = resumesAt === null ? null : inWords(resumesAt.toISOString());
        const after = await changeSubscription(tx, context, {
          set: { ...statusChange(context, 'paused', at), resumesAt },
          at,
          entry: { kind: 'paused', message: `Paused until ${until ?? 'it is resumed'}.` },
        });
        await tellSubscriber(tx, after, at, {
          template: 'subscription_paused',
          variables: { planName: context.plan.name, resumesAt: until ?? 'when you resume it' },
          occasion: at.toISOString(),
        });
        await writeAudit(tx, { ...auditOf(input, at), action: 'subscription.paused' });
        return after;
      });
    },

    /** Throws `state_conflict` for a subscription that is not paused. */
    resumeSubscription(input: ActInput & RequestInput): Promise<ActResult> {
      return request(db, input, async (tx, context, at) => {
        const { status } = context.subscription;
        if (status !== 'paused') {
          throw conflict(
            `subscription_${status}`,
            `The subscription is ${status}; there is no pause to end.`,
          );
        }
        await writeAudit(tx, { ...auditOf(input, at), action: 'subscription.resumed' });
        return resume(tx, context, at);
      });
    },

    /** The day on which the pause ends by itself. A late worker takes none of the time that was left. */
    resumeDue(input: ActInput): Promise<ActResult> {
      return act(db, input, 'resume', async (tx, context) => {
        return { after: await resume(tx, context, new Date(input.at)), invoice: null };
      });
    },
  };
}

/** The period ends later by as long as the pause was, and all further ones follow from its new end. */
async function resume(tx: Tx, context: SubscriptionContext, at: Date): Promise<SubscriptionContext> {
  const {
    tenantId,
    id: subscriptionId,
    statusSince: pausedAt,
    periodIndex,
    periodEndsAt,
  } = context.subscription;
  if (periodIndex === null || periodEndsAt === null) throw new Error('A paused subscription has a period');
  const endsAt = new Date(periodEndsAt.getTime() + at.getTime() - pausedAt.getTime());
  await keepPause(tx, { id: newId('pau'), tenantId, subscriptionId, pausedAt, resumedAt: at });
  const { pendingChange } = context.subscription;
  const after = await changeSubscription(tx, context, {
    set: {
      ...statusChange(context, 'resumed', at),
      resumesAt: null,
      periodEndsAt: endsAt,
      anchor: endsAt,
      anchorIndex: periodIndex + 1,
      plannedCharges: await planReturned(tx, context, at),
      // A downgrade waits for the end of the period, wherever that is now.
      ...(pendingChange !== null && { pendingChange: { ...pendingChange, at: endsAt.toISOString() } }),
    },
    at,
    entry: {
      kind: 'resumed',
      message: `Resumed: the period ends on ${inWords(endsAt.toISOString())}.`,
      details: { pausedAt: pausedAt.toISOString() },
    },
  });
  await tellSubscriber(tx, after, at, {
    template: 'subscription_resumed',
    variables: { planName: context.plan.name, periodEndsAt: inWords(endsAt.toISOString()) },
    occasion: at.toISOString(),
  });
  return after;
}

async function refusePause(
  tx: Tx,
  { subscription }: SubscriptionContext,
  { at, resumesAt }: { at: Date; resumesAt: Date | null },
): Promise<void> {
  const { status, cancelAtPeriodEnd, pendingChange, periodEndsAt } = subscription;
  if (status !== 'active' || periodEndsAt === null) {
    throw conflict(
      `subscription_${status}`,
      `The subscription is ${status}; only an active one can be paused.`,
    );
  }
  if (cancelAtPeriodEnd) {
    throw conflict(
      'cancellation_pending',
      'The subscription is cancelled; take the cancellation back first.',
    );
  }
  if (pendingChange?.kind === 'upgrade') {
    throw conflict('change_under_way', 'An upgrade waits for its payment; pay it or take it back first.');
  }
  if (periodEndsAt <= at) {
    throw conflict('renewal_due', 'The next period is about to begin; ask again in a moment.');
  }
  const open = await openInvoicesOf(tx, subscription.id);
  if (open.length > 0) {
    throw conflict(
      'charge_under_way',
      'The charge of the running period is under way; pause when it is decided.',
    );
  }
  if (resumesAt !== null && resumesAt <= at) {
    throw conflict('resumes_in_the_past', 'resumesAt is not in the future; choose a later day.');
  }
}
