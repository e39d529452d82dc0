/**
 * The steps of a dunning ladder: look again, charge if the step says so, then tell the customer, take access or end
 * the subscription.
 *
 * Why it is safe to run twice: a step is unique per invoice, policy version and index, and is recorded in the
 * transaction that mails and takes access. Before it charges, and again before it records, it looks under the
 * customer's lock whether the case is still open: a payment that came first wins. The charge itself is safe as in
 * collect-invoice.ts.
 */

import { type Tx, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import {
  accessTaken,
  caseState,
  changeCase,
  type DunningCaseRow,
  hasLostCoins,
  isInGrace,
  moveOnCase,
  readCase,
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
  nothingPending,
  type PlanRow,
  type SubscriptionContext,
  statusChange,
  type TenantRow,
} from '../../db/queries/billing/subscriptions.ts';
import { enqueueNotification } from '../../db/queries/messaging/notifications.ts';
import { isAskedTooOften } from '../../db/queries/payments/direct-debits.ts';
import { dunningVariables } from '../../db/queries/payments/dunning-message.ts';
import { lastDecline } from '../../db/queries/payments/last-decline.ts';
import { askedOf } from '../../db/queries/payments/undecided-charge.ts';
import { dunningSteps } from '../../db/schema/billing.ts';
import { type DunningStep, levelAfter, nextStep, stepAheadInWords } from '../../domain/billing/dunning.ts';
import { declineClassOf, declineReasonForCustomer } from '../../domain/payments/card-payment.ts';
import type { DunningCaseState } from '../../workflows/billing/dunning.contract.ts';
import { type CollectDeps, collectInvoice } from '../payments/collect-invoice.ts';
import { postpone } from './subscription.ts';

export type DunningStepInput = {
  tenantId: string;
  customerId: string;
  caseId: string;
  stepIndex: number;
  /** Workflow time. */
  at: string;
  /** False when the vendor could not be asked for too long: the customer is told all the same, and the charge looked up later. */
  charge: boolean;
};

export function createDunningActivities(deps: CollectDeps) {
  const { db } = deps;
  return {
    /** Performs the step that is due, unless the case moved on meanwhile. Returns the case as it is then. */
    async performDunningStep(input: DunningStepInput): Promise<DunningCaseState> {
      const { tenantId, caseId, stepIndex, at } = input;
      const toCharge = await withTenant(db, tenantId, async (tx) => {
        const { step, row } = await dueStep(tx, input);
        if (!step?.retry || !input.charge) return [];
        // The earliest one sets the dates, but a card that has money again pays all of them.
        const originKey = tryKey(row, stepIndex);
        return (await unpaidInvoices(tx, input.customerId)).map(({ id }) => ({ invoiceId: id, originKey }));
      });
      for (const charge of toCharge) {
        await collectInvoice(deps, { ...charge, tenantId, askedBy: caseId, origin: 'dunning', at });
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
  if (step.retry && !input.charge) await lookLater(tx, { row, ...input });
  await insertSteps(tx, { row, state, upTo: input.stepIndex, at });
  const advanced = await changeCase(tx, row.id, { nextStepIndex: input.stepIndex + 1 });

  const takesAccess = step.restrict !== undefined || step.end !== undefined;
  const affected = takesAccess ? await beyondGrace(tx, { row, state, at }) : [];
  // Mails speak of the plan as it was billed, so they are decided before anything changes.
  const owed = takesAccess ? affected.map((each) => each.invoice) : [invoice];
  for (const each of owed) {
    if (await isToldAlready(tx, each, step)) continue;
    await tellCustomer(tx, { row, invoice: each, step, state, at });
  }
  if (step.restrict !== undefined) await takeAccess(tx, affected, step, at);
  const after =
    step.end === undefined ? advanced : await endLadder(tx, { row: advanced, tenant, affected, step, at });
  return caseState(tx, tenant, after);
}

/** With the coins that had paid for it the access went at once, and the customer knows: no step takes it a second time. */
async function isToldAlready(tx: Tx, invoice: InvoiceRow, step: DunningStep): Promise<boolean> {
  if (step.restrict === undefined) return false;
  const { subscription } = await lockSubscription(tx, invoice.subscriptionId);
  return subscription.ladder === 'suspended' && (await hasLostCoins(tx, subscription.id));
}

/** Business identity of what a step charges; of each invoice it is one try. */
function tryKey({ id, invoiceId }: DunningCaseRow, stepIndex: number): string {
  return `dunning:${id}:${invoiceId}:${stepIndex}`;
}

/**
 * The vendor was away for too long: the subscriptions look again. Every charge whose answer is missing is looked up; the
 * invoice that drives the ladder is also charged then, unless this step has heard of its charge already.
 */
async function lookLater(
  tx: Tx,
  { row, stepIndex, at }: { row: DunningCaseRow } & Pick<DunningStepInput, 'stepIndex' | 'at'>,
): Promise<void> {
  for (const { id: invoiceId, subscriptionId } of await unpaidInvoices(tx, row.customerId)) {
    const { isUnanswered, isTried } = await askedOf(tx, { invoiceId, originKey: tryKey(row, stepIndex) });
    const isMissed = invoiceId === row.invoiceId && !isTried;
    if (!isUnanswered && !isMissed) continue;
    const context = await lockSubscription(tx, subscriptionId);
    await announceSubscription(tx, await postpone(tx, context, { invoiceId, at }));
  }
}

/** A subscription with the earliest of its unpaid invoices. */
type Unpaid = { context: SubscriptionContext; invoice: InvoiceRow };

/** The ladder takes access from every subscription that owes, except one whose own failure is still in the grace. */
async function beyondGrace(
  tx: Tx,
  { row, state, at }: { row: DunningCaseRow; state: DunningCaseState; at: Date },
): Promise<Unpaid[]> {
  const earliest = new Map<string, InvoiceRow>();
  for (const invoice of await unpaidInvoices(tx, row.customerId)) {
    if (!earliest.has(invoice.subscriptionId)) earliest.set(invoice.subscriptionId, invoice);
  }
  const unpaid: Unpaid[] = [];
  for (const [subscriptionId, invoice] of earliest) {
    if (isInGrace(state, invoice.firstFailedAt, at)) continue;
    unpaid.push({ context: await lockSubscription(tx, subscriptionId), invoice });
  }
  return unpaid;
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
  const code = await lastDecline(tx, invoice);
  const paymentMethodId = context.customer.defaultPaymentMethodId;
  const nextStep = stepAheadInWords(state, state.policy.steps.indexOf(step) + 1, {
    cardRefused:
      declineClassOf(code) === 'hard' ||
      (paymentMethodId !== null &&
        (await isAskedTooOften(tx, { invoiceId: invoice.id, paymentMethodId, at }))),
  });
  const cancels = step.end === 'downgrade' && (await planAfter(tx, context, step)) === null;
  const template = cancels ? 'subscription_cancelled_unpaid' : step.template;
  await enqueueNotification(tx, {
    tenantId: row.tenantId,
    at,
    request: {
      template,
      variables: dunningVariables(context, { invoice, reason: declineReasonForCustomer(code), nextStep }),
      customerId: row.customerId,
      subscriptionId: invoice.subscriptionId,
      dedupeKey: `dunning:${row.id}:${row.invoiceId}:${state.policy.steps.indexOf(step)}:${invoice.id}`,
    },
  });
}

async function takeAccess(tx: Tx, affected: Unpaid[], step: DunningStep, at: Date): Promise<void> {
  for (const { context } of affected) {
    const ladder = levelAfter(context.subscription.ladder ?? 'grace', step);
    if (ladder === context.subscription.ladder) continue;
    const entry = accessTaken(ladder, step.day);
    const after = await changeSubscription(tx, context, { set: { ladder }, at, entry });
    // Only a suspension changes what the subscription itself waits for: it opens no further period.
    if (ladder === 'suspended') await announceSubscription(tx, after);
  }
}

/**
 * The plan an unpaid subscription moves to at the ladder's end; null when it is cancelled: the policy says so, its family
 * has no free plan, or the customer was leaving anyway.
 */
function planAfter(
  tx: Tx,
  { plan, subscription }: SubscriptionContext,
  step: DunningStep,
): Promise<PlanRow | null> {
  if (step.end !== 'downgrade' || subscription.cancelAtPeriodEnd) return Promise.resolve(null);
  return freePlanOf(tx, plan);
}

async function endLadder(
  tx: Tx,
  {
    row,
    tenant,
    affected,
    step,
    at,
  }: { row: DunningCaseRow; tenant: TenantRow; affected: Unpaid[]; step: DunningStep; at: Date },
): Promise<DunningCaseRow> {
  const ended = new Set(affected.map(({ context }) => context.subscription.id));
  for (const invoice of await unpaidInvoices(tx, row.customerId)) {
    if (ended.has(invoice.subscriptionId)) await closeUnpaidInvoice(tx, invoice, { as: 'uncollectible', at });
  }
  for (const { context } of affected) {
    const plan = await planAfter(tx, context, step);
    const after =
      plan === null ? await cancelUnpaid(tx, context, at) : await moveToFreePlan(tx, context, { plan, at });
    await announceSubscription(tx, after);
  }
  const outcome = step.end === 'downgrade' ? 'downgraded' : 'cancelled';
  const isOver = (await unpaidInvoices(tx, row.customerId)).length === 0;
  // The workflow hears it as this step's answer. What is still in its grace goes on with its own clock.
  if (isOver) return changeCase(tx, row.id, { closedAt: at, outcome });
  await moveOnCase(tx, tenant, row, { at, outcome });
  return readCase(tx, row.id);
}

function cancelUnpaid(tx: Tx, context: SubscriptionContext, at: Date): Promise<SubscriptionContext> {
  return changeSubscription(tx, context, {
    set: {
      ...statusChange(context, 'cancelled', at),
      endedAt: at,
      ...nothingPending,
      cancelReason: 'unpaid',
    },
    at,
    entry: { kind: 'cancelled', message: 'Cancelled: the dunning ladder ended without payment.' },
  });
}
