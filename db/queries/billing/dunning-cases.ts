/**
 * Dunning cases: one open case per customer, driven by the earliest unpaid invoice, with the policy pinned at the
 * opening. All under the customer's lock, so a payment, a step and a cancellation never decide at the same time.
 */
import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import type { DunningPolicy } from '../../../domain/billing/dunning.ts';
import { dayLengthMs } from '../../../domain/billing/plan.ts';
import { type DunningCaseState, dunningChanged } from '../../../workflows/billing/dunning.contract.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { type DunningOutcome, dunningCases, dunningPolicies } from '../../schema/billing.ts';
import { appendOutbox } from '../operations/outbox.ts';
import { type InvoiceRow, unpaidInvoices } from './invoices.ts';
import { notFound, type SubscriptionContext, type TenantRow } from './subscriptions.ts';

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
 * the next earliest unpaid invoice, whose own first failure becomes the clock. Returns whether it closed.
 */
export async function moveOnCase(
  tx: Tx,
  tenant: TenantRow,
  dunningCase: DunningCaseRow,
  { at, outcome }: { at: Date; outcome: DunningOutcome },
): Promise<boolean> {
  const [next] = await unpaidInvoices(tx, dunningCase.customerId);
  if (next?.id === dunningCase.invoiceId) return false;
  const changed =
    next === undefined || next.firstFailedAt === null
      ? await changeCase(tx, dunningCase.id, { closedAt: at, outcome })
      : await changeCase(tx, dunningCase.id, {
          invoiceId: next.id,
          firstFailedAt: next.firstFailedAt,
          nextStepIndex: 0,
        });
  await announceCase(tx, tenant, changed);
  return changed.closedAt !== null;
}

/** Tells the dunning workflow, starting it where it does not run. */
export async function announceCase(tx: Tx, tenant: TenantRow, row: DunningCaseRow): Promise<void> {
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
