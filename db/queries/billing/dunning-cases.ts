/**
 * Dunning cases: one open case per customer, driven by the earliest unpaid invoice, with the policy pinned at the
 * opening. All under the customer's lock, so a payment, a step and a cancellation never decide at the same time.
 */
import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { type DunningPolicy, holdUntil, type LadderLevel, levelAt } from '../../../domain/billing/dunning.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { plannedFor } from '../../../domain/billing/planned-charge.ts';
import { type DunningCaseState, dunningChanged } from '../../../workflows/billing/dunning.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import {
  type DunningOutcome,
  dunningCases,
  dunningPolicies,
  invoices,
  subscriptions,
} from '../../schema/billing.ts';
import { chargeAttempts, disputes, payments } from '../../schema/payments.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { type InvoiceRow, unpaidInvoices } from './invoices.ts';
import { resumedPeriod } from './resumed-period.ts';
import {
  announceSubscription,
  changeSubscription,
  lockSubscription,
  notFound,
  type SubscriptionContext,
  type TenantRow,
  type TimelineEntry,
} from './subscriptions.ts';

export type DunningCaseRow = typeof dunningCases.$inferSelect;

export async function findOpenCase(tx: Tx, customerId: string): Promise<DunningCaseRow | null> {
  const [row] = await tx
    .select()
    .from(dunningCases)
    .where(and(eq(dunningCases.customerId, customerId), isNull(dunningCases.closedAt)));
  return row ?? null;
}

export async function readCase(tx: Tx, caseId: string): Promise<DunningCaseRow> {
  const [row] = await tx.select().from(dunningCases).where(eq(dunningCases.id, caseId));
  if (row === undefined) throw notFound('dunning case', caseId);
  return row;
}

/** Opens the customer's case for an invoice that has just failed and starts its workflow; joins the open one, if any. */
export async function openCase(
  tx: Tx,
  { tenant, customer, subscription }: SubscriptionContext,
  { invoice, firstFailedAt, at }: { invoice: InvoiceRow; firstFailedAt: Date; at: Date },
): Promise<DunningCaseRow> {
  const running = await findOpenCase(tx, customer.id);
  if (running !== null) return running;
  const policy = await latestPolicy(tx, subscription.policy.dunningPolicy);
  const [row] = await tx
    .insert(dunningCases)
    .values({
      id: newId('dcase'),
      tenantId: tenant.id,
      customerId: customer.id,
      invoiceId: invoice.id,
      policyId: policy.id,
      firstFailedAt,
      openedAt: at,
    })
    .returning();
  if (row === undefined) throw new Error('An inserted dunning case was not returned');
  await announceCase(tx, tenant, row);
  return row;
}

/** Changes the row, raises its version and returns it. */
export async function changeCase(
  tx: Tx,
  caseId: string,
  set: Partial<DunningCaseRow>,
): Promise<DunningCaseRow> {
  const [row] = await tx
    .update(dunningCases)
    .set({ ...set, version: sql`${dunningCases.version} + 1` })
    .where(eq(dunningCases.id, caseId))
    .returning();
  if (row === undefined) throw notFound('dunning case', caseId);
  return row;
}

/**
 * After an invoice of the case was settled or voided: closes the case when nothing is unpaid any more, or hands it to
 * the next earliest unpaid invoice, whose own first failure becomes the clock. Returns whether it closed. A case that
 * asked for the charge itself is not told: its process hears it as the answer, and may have ended by then.
 */
export async function moveOnCase(
  tx: Tx,
  tenant: TenantRow,
  dunningCase: DunningCaseRow,
  { at, outcome, askedBy }: { at: Date; outcome: DunningOutcome; askedBy?: string | undefined },
): Promise<boolean> {
  const tell = async (changed: DunningCaseRow) => {
    if (changed.id !== askedBy) await announceCase(tx, tenant, changed);
  };
  const [next] = await unpaidInvoices(tx, dunningCase.customerId);
  if (next?.id === dunningCase.invoiceId) return false;
  if (next === undefined || next.firstFailedAt === null) {
    await tell(await changeCase(tx, dunningCase.id, { closedAt: at, outcome }));
    return true;
  }
  const passedOn = await changeCase(tx, dunningCase.id, {
    invoiceId: next.id,
    firstFailedAt: next.firstFailedAt,
    nextStepIndex: 0,
    heldUntil: await holdOf(tx, tenant, next.id),
  });
  await easeAccess(tx, tenant, passedOn, at);
  await tell(passedOn);
  return false;
}

/** Holds the ladder while the bank works on a charge of its invoice, and lets it go on with the bank's answer. */
export async function holdCase(
  tx: Tx,
  { tenant, customer }: SubscriptionContext,
  invoiceId: string,
): Promise<void> {
  const row = await findOpenCase(tx, customer.id);
  if (row === null || row.invoiceId !== invoiceId) return;
  const heldUntil = await holdOf(tx, tenant, invoiceId);
  if (heldUntil?.getTime() === row.heldUntil?.getTime()) return;
  await announceCase(tx, tenant, await changeCase(tx, row.id, { heldUntil }));
}

/** Tells the dunning workflow of a hold that has begun or ended: a payment of the customer is disputed. */
export async function retellCase(
  tx: Tx,
  { tenant, customer }: Pick<SubscriptionContext, 'tenant' | 'customer'>,
): Promise<void> {
  const row = await findOpenCase(tx, customer.id);
  if (row !== null) await announceCase(tx, tenant, await changeCase(tx, row.id, {}));
}

/** While a bank wants a payment of the customer back, nobody knows what is owed: no step is taken. */
async function isDisputed(tx: Tx, customerId: string): Promise<boolean> {
  const open = await tx
    .select({ id: disputes.id })
    .from(disputes)
    .where(and(eq(disputes.customerId, customerId), eq(disputes.status, 'open')))
    .limit(1);
  return open.length > 0;
}

/**
 * Takes the access that the ladder should have taken by now; null where it has, or where there is nothing to take. The
 * step itself is still performed, and tells the customer.
 */
export async function suspendByClock(
  tx: Tx,
  context: SubscriptionContext,
  at: Date,
): Promise<SubscriptionContext | null> {
  const { subscription, tenant, customer } = context;
  const row = subscription.status === 'past_due' ? await findOpenCase(tx, customer.id) : null;
  if (row === null) return null;
  const state = await caseState(tx, tenant, row);
  if (state.disputed) return null;
  const { firstFailedAt } =
    (await unpaidInvoices(tx, customer.id)).find(
      ({ subscriptionId }) => subscriptionId === subscription.id,
    ) ?? row;
  if (levelAt(state, at.toISOString()) !== 'suspended' || isInGrace(state, firstFailedAt, at)) return null;
  const day = state.policy.steps.find(({ restrict }) => restrict === 'suspended')?.day ?? 0;
  const entry = accessTaken('suspended', day);
  return changeSubscription(tx, context, { set: { ladder: 'suspended' }, at, entry });
}

/** Whether a failure is so fresh that the policy takes no access for it yet. */
export function isInGrace(
  { policy, dayMs }: Pick<DunningCaseState, 'policy' | 'dayMs'>,
  firstFailedAt: Date | null,
  at: Date,
): boolean {
  return (firstFailedAt ?? at).getTime() + policy.graceDays * dayMs > at.getTime();
}

/** The timeline's line for access that the ladder takes. */
export function accessTaken(ladder: LadderLevel, day: number): TimelineEntry {
  return { kind: `access_${ladder}`, message: `Day ${day} of dunning: access is ${ladder}.` };
}

/** The customer's subscriptions that have an unpaid invoice. */
async function unpaidSubscriptions(tx: Tx, customerId: string): Promise<SubscriptionContext[]> {
  const ids = new Set((await unpaidInvoices(tx, customerId)).map((invoice) => invoice.subscriptionId));
  const contexts: SubscriptionContext[] = [];
  for (const id of ids) contexts.push(await lockSubscription(tx, id));
  return contexts;
}

/** The invoice that drives now failed later, so its clock may not have come to the level the earlier one took. */
async function easeAccess(tx: Tx, tenant: TenantRow, row: DunningCaseRow, at: Date): Promise<void> {
  const ladder = levelAt(await caseState(tx, tenant, row), at.toISOString());
  for (const context of await unpaidSubscriptions(tx, row.customerId)) {
    if (levels.indexOf(ladder) >= levels.indexOf(context.subscription.ladder ?? 'grace')) continue;
    // No clock took it, and none gives it back.
    if (await hasLostCoins(tx, context.subscription.id)) continue;
    const set = { ladder, ...resumedPeriod(context, at) };
    await announceSubscription(tx, await changeSubscription(tx, context, { set, at }));
  }
}

/** Coins had paid an unpaid invoice of the subscription and do not stand: its access was taken then, and the customer told. */
export async function hasLostCoins(tx: Tx, subscriptionId: string): Promise<boolean> {
  const lost = await tx
    .select({ id: payments.id })
    .from(payments)
    .innerJoin(invoices, eq(invoices.id, payments.invoiceId))
    .where(
      and(
        eq(invoices.subscriptionId, subscriptionId),
        eq(invoices.status, 'open'),
        isNotNull(invoices.reopenedAt),
        eq(payments.rail, 'crypto'),
        isNotNull(payments.returnedAt),
      ),
    )
    .limit(1);
  return lost.length > 0;
}

const levels: readonly LadderLevel[] = ['grace', 'restricted', 'suspended'];

async function holdOf(tx: Tx, tenant: TenantRow, invoiceId: string): Promise<Date | null> {
  const [charge] = await tx
    .select({ startedAt: chargeAttempts.startedAt })
    .from(chargeAttempts)
    .where(and(eq(chargeAttempts.invoiceId, invoiceId), eq(chargeAttempts.status, 'processing')));
  const since = charge?.startedAt.toISOString() ?? (await representmentOf(tx, invoiceId));
  return since === null ? null : new Date(holdUntil(since, dayLengthMs(tenant)));
}

/** When a returned debit of the invoice is presented again; until then the ladder waits as for the bank's answer. */
async function representmentOf(tx: Tx, invoiceId: string): Promise<string | null> {
  const [owner] = await tx
    .select({ plannedCharges: subscriptions.plannedCharges })
    .from(invoices)
    .innerJoin(subscriptions, eq(subscriptions.id, invoices.subscriptionId))
    .where(eq(invoices.id, invoiceId));
  const planned = plannedFor(owner?.plannedCharges ?? [], invoiceId);
  return planned?.origin === 'representment' ? planned.at : null;
}

/** Tells the dunning workflow, starting it where it does not run. */
async function announceCase(tx: Tx, tenant: TenantRow, row: DunningCaseRow): Promise<void> {
  const dunningCase = await caseState(tx, tenant, row);
  await appendOutbox(tx, tenant.id, [
    dunningChanged({ tenantId: tenant.id, customerId: row.customerId, dunningCase }),
  ]);
}

/** The case as the workflow holds it, with its policy as pinned. */
export async function caseState(tx: Tx, tenant: TenantRow, row: DunningCaseRow): Promise<DunningCaseState> {
  return {
    caseId: row.id,
    version: row.version,
    invoiceId: row.invoiceId,
    policy: await pinnedPolicy(tx, row.policyId),
    firstFailedAt: row.firstFailedAt.toISOString(),
    nextStepIndex: row.nextStepIndex,
    heldUntil: row.heldUntil?.toISOString() ?? null,
    ...((await isDisputed(tx, row.customerId)) && { disputed: true as const }),
    dayMs: dayLengthMs(tenant),
    closed: row.closedAt !== null,
  };
}

async function pinnedPolicy(tx: Tx, policyId: string): Promise<DunningPolicy> {
  const [row] = await tx.select().from(dunningPolicies).where(eq(dunningPolicies.id, policyId));
  if (row === undefined) throw notFound('dunning policy', policyId);
  const { name, version, graceDays, steps, technicalRetryMinutes } = row;
  return { name, version, graceDays, steps, technicalRetryMinutes };
}

/** Delays after a technical failure, in minutes: those of the running case, else those of the subscription. */
export async function technicalRetryMinutes(
  tx: Tx,
  { customer, subscription }: Pick<SubscriptionContext, 'customer' | 'subscription'>,
): Promise<number[]> {
  const running = await findOpenCase(tx, customer.id);
  if (running === null) return subscription.policy.technicalRetryMinutes;
  return (await pinnedPolicy(tx, running.policyId)).technicalRetryMinutes;
}

async function latestPolicy(tx: Tx, name: string): Promise<{ id: string }> {
  const [row] = await tx
    .select({ id: dunningPolicies.id })
    .from(dunningPolicies)
    .where(eq(dunningPolicies.name, name))
    .orderBy(desc(dunningPolicies.version))
    .limit(1);
  if (row === undefined) throw notFound('dunning policy', name);
  return row;
}
