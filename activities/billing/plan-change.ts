/**
 * Changes of plan, seats and interval: asked for, taken back, lapsed.
 *
 * Why it is safe to run twice: each request is one transaction under the customer's lock, and its id is kept with it; the
 * invoice of a change is keyed by that id, so a repeat finds the invoice of the first run and charges nothing new. The
 * old terms stay until the invoice is paid, and the new ones are put in place by the transaction that books the payment:
 * nobody pays without getting them or gets them without paying.
 */
import type { Tx } from '../../db/client.ts';
import { applyChange, voidPendingChange } from '../../db/queries/billing/apply-change.ts';
import type { InvoiceRow } from '../../db/queries/billing/invoices.ts';
import { describedLines, issueChangeInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { changeInvoiceId, type WeighedChange, weighChange } from '../../db/queries/billing/plan-change.ts';
import { planFirstTry } from '../../db/queries/billing/planned-charges.ts';
import { keepRequest, wasCarriedOut } from '../../db/queries/billing/subscription-requests.ts';
import {
  changeSubscription,
  lockSubscription,
  type SubscriptionContext,
  snapshotOf,
  termsOf,
} from '../../db/queries/billing/subscriptions.ts';
import { type TaxDeps, withTax } from '../../db/queries/billing/tax-calculations.ts';
import { tellSubscriber } from '../../db/queries/messaging/tell-subscriber.ts';
import { isUndecided } from '../../db/queries/payments/on-its-way.ts';
import { payFromCredit } from '../../db/queries/payments/pay-from-credit.ts';
import { writeAudit } from '../../db/queries/tenants/audit-log.ts';
import {
  type ChangeDecision,
  type PendingChange,
  termsInWords,
  type UnbilledChange,
} from '../../domain/billing/plan-change.ts';
import { dropCharge } from '../../domain/billing/planned-charge.ts';
import { undecidedUntil } from '../../domain/billing/subscription.ts';
import { inWords } from '../../domain/instant.ts';
import { planChangeKey } from '../../domain/payments/payment.ts';
import type { ChangePlanInput, RequestInput } from '../../workflows/billing/subscription.contract.ts';
import { type ActInput, type ActResult, act } from './act.ts';
import { auditOf, conflict, paymentMethodMissing, request } from './request.ts';

type Request<Input extends RequestInput> = ActInput & Input;

export function createPlanChangeActivities(deps: TaxDeps) {
  const { db } = deps;
  return {
    /**
     * Carries a change out, schedules it, or issues the invoice it waits for; returns that invoice, to be collected now.
     * Throws `state_conflict` with a `ChangeRefusal`, `payment_method_missing`, `not_found` for the plan, or `TaxWithheld`.
     */
    changePlan(input: Request<ChangePlanInput>): Promise<ActResult> {
      const { subscriptionId, requestId } = input;
      return withTax(deps, input, async (tx) => {
        const context = await lockSubscription(tx, subscriptionId);
        if (await wasCarriedOut(tx, input)) {
          const invoiceId = await changeInvoiceId(tx, subscriptionId, requestId);
          return { snapshot: snapshotOf(context), invoiceId };
        }
        const at = new Date(input.at);
        const weighed = await weighChange(tx, context, { request: input, at });
        await keepRequest(tx, input, at);
        const { after, invoice } = await carryOut(tx, context, weighed, input);
        await writeAudit(tx, {
          ...auditOf(input, at),
          action: 'subscription.plan_change_requested',
          details: { planId: weighed.target.planId, quantity: weighed.target.quantity },
        });
        return { snapshot: snapshotOf(after), invoiceId: invoice?.id ?? null };
      });
    },

    /**
     * Takes back a change that waits for its day or its payment. Throws `state_conflict` where there is none, or while its
     * payment may be on its way.
     */
    undoChange(input: Request<RequestInput>): Promise<ActResult> {
      return request(db, input, async (tx, context, at) => {
        const { pendingChange } = context.subscription;
        if (pendingChange === null) throw conflict('no_change_pending', 'There is no change to take back.');
        if (await isBeingPaid(tx, pendingChange, at)) {
          const message = 'The payment of the change is not decided yet; ask again when it is.';
          throw conflict('change_under_way', message);
        }
        await writeAudit(tx, { ...auditOf(input, at), action: 'subscription.plan_change_undone' });
        return dropChange(tx, context, pendingChange, {
          at,
          kind: 'change_undone',
          message: `The change to ${termsInWords(pendingChange)} was taken back.`,
        });
      });
    },

    /**
     * An upgrade nobody has paid for: its invoice is voided, the old terms stay, the customer is told. While the money may
     * be on its way that waits, at most until the period ends.
     */
    lapseChange(input: ActInput): Promise<ActResult> {
      return act(db, input, 'lapse_change', async (tx, context, due) => {
        const { pendingChange } = context.subscription;
        if (pendingChange === null) throw new Error('A change that lapses is pending');
        if (await isBeingPaid(tx, pendingChange, new Date(input.at))) {
          const later = await putOffLapse(tx, context, { pendingChange, at: input.at });
          if (later !== null) return { after: later, invoice: null };
        }
        const after = await dropChange(tx, context, pendingChange, {
          at: new Date(input.at),
          kind: 'change_lapsed',
          message: `The change to ${due.to} lapsed: it was not paid for in time.`,
        });
        await tellSubscriber(tx, context, new Date(input.at), {
          template: 'plan_change_lapsed',
          variables: { planName: wordsOf(context), requestedPlanName: due.to },
          occasion: pendingChange.changeId,
        });
        return { after, invoice: null };
      });
    },
  };
}

type CarriedOut = { after: SubscriptionContext; invoice: InvoiceRow | null };

async function carryOut(
  tx: Tx,
  before: SubscriptionContext,
  { decision, target, targetPlan }: WeighedChange,
  input: Request<ChangePlanInput>,
): Promise<CarriedOut> {
  if (decision.kind === 'refused') throw conflict(decision.reason, decision.message);
  const at = new Date(input.at);
  const context = await replacePending(tx, before, at);
  const names = { planName: termsInWords(target), previousPlanName: wordsOf(context) };
  const occasion = input.requestId;
  const tellChanged = () =>
    tellSubscriber(tx, context, at, { template: 'plan_changed', variables: names, occasion });
  const { planId, planName, quantity } = target;
  const change: NewChange = { changeId: input.requestId, planId, planName, quantity };
  const terms = { plan: targetPlan, quantity };
  switch (decision.kind) {
    case 'in_trial': {
      const after = await applyChange(tx, context, { ...terms, newPeriod: null, at });
      await tellChanged();
      return { after, invoice: null };
    }
    case 'downgrade': {
      const after = await schedule(tx, context, { change, decision, at });
      await tellSubscriber(tx, context, at, {
        template: 'plan_change_scheduled',
        variables: { ...names, changesAt: inWords(decision.at) },
        occasion,
      });
      return { after, invoice: null };
    }
    case 'upgrade': {
      if (decision.lines.length === 0 || decision.billedLater) {
        const changed = await applyChange(tx, context, { ...terms, newPeriod: null, at });
        const lines = describedLines(context, { target, lines: decision.lines });
        const after = lines.length === 0 ? changed : await billLater(tx, changed, { change, lines, at });
        await tellChanged();
        return { after, invoice: null };
      }
      const invoice = await issueFor(tx, context, { decision, target, input });
      if (invoice.status === 'paid') {
        const newPeriod = decision.reanchors ? invoice : null;
        const after = await applyChange(tx, context, { ...terms, newPeriod, at });
        await tellChanged();
        return { after, invoice: null };
      }
      return awaitPayment(tx, context, { decision, invoice, change, at });
    }
    default:
      return decision satisfies never;
  }
}

/** The new terms wait for the invoice; what we hold for the customer goes into it first. */
async function awaitPayment(
  tx: Tx,
  context: SubscriptionContext,
  {
    decision,
    invoice,
    change,
    at,
  }: {
    decision: Extract<ChangeDecision, { kind: 'upgrade' }>;
    invoice: InvoiceRow;
    change: NewChange;
    at: Date;
  },
): Promise<CarriedOut> {
  const { subscription, customer } = context;
  if (customer.defaultPaymentMethodId === null && customer.creditMinor < invoice.totalMinor) {
    throw paymentMethodMissing();
  }
  const pendingChange: PendingChange = {
    ...change,
    kind: 'upgrade',
    at: decision.lapsesAt,
    invoiceId: invoice.id,
    reanchors: decision.reanchors,
  };
  const waiting = await changeSubscription(tx, context, {
    set: {
      pendingChange,
      ...planFirstTry({ subscription }, invoice, {
        origin: 'plan_change',
        originKey: planChangeKey(change.changeId),
        at: at.toISOString(),
      }),
    },
    at,
    entry: {
      kind: 'change_requested',
      message: `The change to ${termsInWords(change)} takes effect when invoice ${invoice.number} is paid; it lapses on ${inWords(decision.lapsesAt)}.`,
      details: { invoiceId: invoice.id },
    },
  });
  return { after: await payFromCredit(tx, waiting, { invoice, at }), invoice };
}

function issueFor(
  tx: Tx,
  context: SubscriptionContext,
  {
    decision,
    target,
    input,
  }: {
    decision: Extract<ChangeDecision, { kind: 'upgrade' }>;
    target: WeighedChange['target'];
    input: Request<ChangePlanInput>;
  },
): Promise<InvoiceRow> {
  const { periodIndex } = context.subscription;
  if (periodIndex === null) throw new Error('A paying subscription has a period');
  return issueChangeInvoice(tx, context, {
    changeId: input.requestId,
    target,
    lines: decision.lines,
    period: { startsAt: input.at, endsAt: decision.period.endsAt },
    periodIndex: decision.reanchors ? periodIndex + 1 : periodIndex,
    at: new Date(input.at),
  });
}

/** The new terms count already; the next invoice bills them. */
function billLater(
  tx: Tx,
  context: SubscriptionContext,
  { change, lines, at }: { change: NewChange; lines: UnbilledChange['lines']; at: Date },
): Promise<SubscriptionContext> {
  return changeSubscription(tx, context, {
    set: { unbilledChange: { changeId: change.changeId, lines } },
    at,
    entry: {
      kind: 'change_unbilled',
      message: `The change to ${termsInWords(change)} is billed with the next invoice.`,
    },
  });
}

function schedule(
  tx: Tx,
  context: SubscriptionContext,
  {
    change,
    decision,
    at,
  }: { change: NewChange; decision: Extract<ChangeDecision, { kind: 'downgrade' }>; at: Date },
): Promise<SubscriptionContext> {
  return changeSubscription(tx, context, {
    set: { pendingChange: { ...change, ...decision, invoiceId: null } },
    at,
    entry: {
      kind: 'change_scheduled',
      message: `Changes from ${wordsOf(context)} to ${termsInWords(change)} on ${inWords(decision.at)}.`,
    },
  });
}

type NewChange = Pick<PendingChange, 'changeId' | 'planId' | 'planName' | 'quantity'>;

/** The newer change takes the place of the one that waits. */
async function replacePending(tx: Tx, context: SubscriptionContext, at: Date): Promise<SubscriptionContext> {
  const { pendingChange } = context.subscription;
  if (pendingChange === null) return context;
  return dropChange(tx, context, pendingChange, {
    at,
    kind: 'change_replaced',
    message: `The change to ${termsInWords(pendingChange)} gave way to another one.`,
  });
}

async function isBeingPaid(tx: Tx, { invoiceId }: PendingChange, at: Date): Promise<boolean> {
  return invoiceId !== null && (await isUndecided(tx, { invoiceId, at }));
}

/** Null where the period it was for is over. */
async function putOffLapse(
  tx: Tx,
  context: SubscriptionContext,
  { pendingChange, at }: { pendingChange: PendingChange; at: string },
): Promise<SubscriptionContext | null> {
  const { dayMs, periodEndsAt } = snapshotOf(context);
  const usual = undecidedUntil(at, dayMs);
  const until = periodEndsAt !== null && periodEndsAt < usual ? periodEndsAt : usual;
  if (until <= at) return null;
  return changeSubscription(tx, context, {
    set: { pendingChange: { ...pendingChange, at: until } },
    at: new Date(at),
    entry: {
      kind: 'lapse_postponed',
      message: `The change to ${termsInWords(pendingChange)} does not lapse yet: its payment is not decided; unless it is, that is looked at again on ${inWords(until)}.`,
      details: { invoiceId: pendingChange.invoiceId },
    },
  });
}

/** Clears what waits. Read anew, because the payments of a voided invoice are the customer's credit again. */
async function dropChange(
  tx: Tx,
  context: SubscriptionContext,
  { invoiceId }: PendingChange,
  { at, kind, message }: { at: Date; kind: string; message: string },
): Promise<SubscriptionContext> {
  const { plannedCharges } = context.subscription;
  await voidPendingChange(tx, context, at);
  const after = await changeSubscription(tx, context, {
    set: {
      pendingChange: null,
      ...(invoiceId !== null && { plannedCharges: dropCharge(plannedCharges, invoiceId) }),
    },
    at,
    entry: { kind, message, ...(invoiceId !== null && { details: { invoiceId } }) },
  });
  return invoiceId === null ? after : lockSubscription(tx, after.subscription.id);
}

function wordsOf(context: SubscriptionContext): string {
  return termsInWords(termsOf(context));
}
