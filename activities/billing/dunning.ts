/**
 * The steps of a dunning ladder: look again, charge if the step says so, then tell the customer, take access or end
 * the subscription.
 *
 * Why it is safe to run twice: a step is unique per invoice, policy version and index, and is recorded in the
 * transaction that mails and takes access. Before it charges, and again before it records, it looks under the
 * customer's lock whether the case is still open: a payment that came first wins. The charge itself is safe as in
 * collect-invoice.ts.
 */

import { type Database, type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import {
  caseState,
  changeCase,
  type DunningCaseRow,
  readCase,
  unpaidSubscriptions,
} from '../../db/queries/billing/dunning-cases.ts';
import { freePlanOf, moveToFreePlan } from '../../db/queries/billing/free-plan.ts';
import {
  closeUnpaidInvoice,
  type InvoiceRow,
  readInvoice,
  unpaidInvoices,
} from '../../db/queries/billing/invoices.ts';
import {
  announceSubscription,
  changeSubscription,
  lockCustomer,
  lockSubscription,
  type SubscriptionContext,
  statusChange,
  type TenantRow,
} from '../../db/queries/billing/subscriptions.ts';
import { enqueueNotification } from '../../db/queries/messaging/notifications.ts';
import { dunningVariables } from '../../db/queries/payments/dunning-message.ts';
import { lastDecline } from '../../db/queries/payments/last-decline.ts';
import { dunningSteps } from '../../db/schema/billing.ts';
import { type DunningStep, levelAfter, nextStep, stepAheadInWords } from '../../domain/billing/dunning.ts';
import {
  type CardVendor,
  declineClassOf,
  declineReasonForCustomer,
} from '../../domain/payments/card-payment.ts';
import type { DunningCaseState } from '../../workflows/billing/dunning.contract.ts';
import { collectInvoice } from '../payments/collect-invoice.ts';
import { postpone } from './subscription.ts';

export type DunningStepInput = {
  tenantId: string;
  customerId: string;
  caseId: string;
  stepIndex: number;
  /** Workflow time. */
  at: string;
  /** False when the vendor could not be asked for too long: the customer is told all the same. */
  charge: boolean;
};

export function createDunningActivities({ db, cardVendor }: { db: Database; cardVendor: CardVendor }) {
  return {
    /** Performs the step that is due, unless the case moved on meanwhile. Returns the case as it is then. */
    async performDunningStep(input: DunningStepInput): Promise<DunningCaseState> {
      const { tenantId, stepIndex } = input;
      const before = await withTenant(db, tenantId, (tx) => dueStep(tx, input));
      if (before.step?.retry && input.charge) {
        await collectInvoice(
          { db, cardVendor },
          {
            tenantId,
            invoiceId: before.state.invoiceId,
            origin: 'dunning',
            originKey: `dunning:${before.state.caseId}:${stepIndex}`,
            at: input.at,
          },
        );
      }
      return withTenant(db, tenantId, (tx) => recordStep(tx, input));
    },
  };
}

/** The case under the customer's lock, and its step if that is still the one to perform. */
async function dueStep(
  tx: Tx,
  { customerId, caseId, stepIndex, at }: DunningStepInput,
): Promise<{ row: DunningCaseRow; tenant: TenantRow; state: DunningCaseState; step: DunningStep | null }> {
  await lockCustomer(tx, customerId);
  const row = await readCase(tx, caseId);
  const { subscriptionId } = await readInvoice(tx, row.invoiceId);
  const { tenant } = await lockSubscription(tx, subscriptionId);
  const state = await caseState(tx, tenant, row);
  const due = state.closed ? null : nextStep(state, at);
  const isDue = due !== null && due.index === stepIndex && Date.parse(due.at) <= Date.parse(at);
  return { row, tenant, state, step: isDue ? due.step : null };
}

async function recordStep(tx: Tx, input: DunningStepInput): Promise<DunningCaseState> {
  const { row, tenant, state, step } = await dueStep(tx, input);
  if (step === null) return state;
  const at = new Date(input.at);
  const invoice = await readInvoice(tx, row.invoiceId);
  if (step.retry && !input.charge) {
    const context = await lockSubscription(tx, invoice.subscriptionId);
    await announceSubscription(tx, await postpone(tx, context, { invoiceId: invoice.id, at: input.at }));
  }
  await insertSteps(tx, { row, state, upTo: input.stepIndex, at });
  const advanced = await changeCase(tx, row.id, { nextStepIndex: input.stepIndex + 1 });

  // The mail speaks of the plan as it was billed, so it is decided before anything changes.
  await tellCustomer(tx, { row, invoice, step, state, at });
  if (step.restrict !== undefined) await takeAccess(tx, row.customerId, step, at);
  const after = step.end === undefined ? advanced : await endLadder(tx, { row: advanced, step, at });
  return caseState(tx, tenant, after);
}

/** The step itself, and as superseded every earlier one that was missed. */
async function insertSteps(
  tx: Tx,
  { row, state, upTo, at }: { row: DunningCaseRow; state: DunningCaseState; upTo: number; at: Date },
): Promise<void> {
  const steps = state.policy.steps.slice(row.nextStepIndex, upTo + 1).map((step, offset) => {
    const stepIndex = row.nextStepIndex + offset;
    return {
      id: newId('dstep'),
      tenantId: row.tenantId,
      caseId: row.id,
      invoiceId: row.invoiceId,
      policyId: row.policyId,
      stepIndex,
      dueAt: new Date(row.firstFailedAt.getTime() + step.day * state.dayMs),
      performedAt: at,
      outcome: stepIndex === upTo ? ('performed' as const) : ('superseded' as const),
    };
  });
  await tx.insert(dunningSteps).values(steps).onConflictDoNothing();
}

async function tellCustomer(
  tx: Tx,
  {
    row,
    invoice,
    step,
    state,
    at,
  }: { row: DunningCaseRow; invoice: InvoiceRow; step: DunningStep; state: DunningCaseState; at: Date },
): Promise<void> {
  const context = await lockSubscription(tx, invoice.subscriptionId);
  const code = await lastDecline(tx, invoice.id);
  const nextStep = stepAheadInWords(state, state.policy.steps.indexOf(step) + 1, {
    cardRefused: declineClassOf(code) === 'hard',
  });
  // A family without a free plan has nothing to move to: the subscription is cancelled instead.
  const cancels = step.end === 'downgrade' && (await freePlanOf(tx, context.plan)) === null;
  const template = cancels ? 'subscription_cancelled_unpaid' : step.template;
  await enqueueNotification(tx, {
    tenantId: row.tenantId,
    at,
    request: {
      template,
      variables: dunningVariables(context, { invoice, reason: declineReasonForCustomer(code), nextStep }),
      customerId: row.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `dunning:${row.id}:${invoice.id}:${state.policy.steps.indexOf(step)}`,
    },
  });
}

/** Every subscription with an unpaid invoice loses access; one that is paid up keeps it. */
async function takeAccess(tx: Tx, customerId: string, step: DunningStep, at: Date): Promise<void> {
  for (const context of await unpaidSubscriptions(tx, customerId)) {
    const ladder = levelAfter(context.subscription.ladder ?? 'grace', step);
    const after = await changeSubscription(tx, context, {
      set: { ladder },
      at,
      entry: { kind: `access_${ladder}`, message: `Day ${step.day} of dunning: access is ${ladder}.` },
    });
    // Only a suspension changes what the subscription itself waits for: it opens no further period.
    if (ladder === 'suspended') await announceSubscription(tx, after);
  }
}

async function endLadder(
  tx: Tx,
  { row, step, at }: { row: DunningCaseRow; step: DunningStep; at: Date },
): Promise<DunningCaseRow> {
  const ended = await unpaidSubscriptions(tx, row.customerId);
  for (const invoice of await unpaidInvoices(tx, row.customerId)) {
    await closeUnpaidInvoice(tx, invoice, { as: 'uncollectible', at });
  }
  for (const context of ended) {
    const plan = step.end === 'downgrade' ? await freePlanOf(tx, context.plan) : null;
    const after =
      plan === null ? await cancelUnpaid(tx, context, at) : await moveToFreePlan(tx, context, { plan, at });
    await announceSubscription(tx, after);
  }
  // Nothing is unpaid any more, so the case is over; its workflow hears it as this step's answer.
  return changeCase(tx, row.id, {
    closedAt: at,
    outcome: step.end === 'downgrade' ? 'downgraded' : 'cancelled',
  });
}

function cancelUnpaid(tx: Tx, context: SubscriptionContext, at: Date): Promise<SubscriptionContext> {
  return changeSubscription(tx, context, {
    set: {
      ...statusChange(context, 'cancelled', at),
      endedAt: at,
      ladder: null,
      collection: null,
      cancelReason: 'unpaid',
    },
    at,
    entry: { kind: 'cancelled', message: 'Cancelled: the dunning ladder ended without payment.' },
  });
}
