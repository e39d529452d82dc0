/**
 * Drafts of invoices. They live in a table of their own, so that nothing that looks at invoices (the books, a card, the
 * ladder, a report) can take one for a debt. All of it under the customer's lock.
 */
import { and, asc, desc, eq, gt, lt, lte } from 'drizzle-orm';
import type { DraftLine } from '../../../domain/billing/invoice-draft.ts';
import { DomainError } from '../../../domain/errors.ts';
import type { Tx } from '../../client.ts';
import { newId } from '../../ids.ts';
import { invoiceDrafts } from '../../schema/billing.ts';
import { lockSubscription, notFound, type SubscriptionContext } from './subscriptions.ts';

export type DraftRow = typeof invoiceDrafts.$inferSelect;

export type NewDraftLine = Omit<DraftLine, 'id'>;

/** What can be changed of a draft; what is left out stays. */
export type DraftChange = {
  lines?: readonly NewDraftLine[];
  daysUntilDue?: number;
  finalisesAt?: Date | null;
};

/** Throws `not_found`, and `state_conflict` where the customer was erased. */
export async function createDraft(
  tx: Tx,
  {
    subscriptionId,
    lines,
    daysUntilDue,
    finalisesAt,
    at,
  }: Required<DraftChange> & { subscriptionId: string; at: Date },
): Promise<DraftRow> {
  const { customer, plan, subscription } = await lockSubscription(tx, subscriptionId);
  if (customer.erasedAt !== null) {
    throw new DomainError({
      code: 'state_conflict',
      reason: 'customer_erased',
      message: 'The data of the customer was erased; an invoice would have nobody to bill.',
    });
  }
  const [draft] = await tx
    .insert(invoiceDrafts)
    .values({
      id: newId('inv'),
      tenantId: subscription.tenantId,
      customerId: customer.id,
      subscriptionId,
      currency: plan.currency,
      lines: withIds(lines),
      daysUntilDue,
      finalisesAt,
      draftedAt: at,
    })
    .returning();
  if (draft === undefined) throw new Error('An inserted draft was not returned');
  return draft;
}

/** `change` is not empty. Throws `not_found`. */
export async function changeDraft(
  tx: Tx,
  draftId: string,
  { lines, ...change }: DraftChange,
): Promise<DraftRow> {
  await lockDraft(tx, draftId);
  const set = { ...change, ...(lines !== undefined && { lines: withIds(lines) }) };
  const [draft] = await tx.update(invoiceDrafts).set(set).where(eq(invoiceDrafts.id, draftId)).returning();
  if (draft === undefined) throw notFound('draft', draftId);
  return draft;
}

/** Throws the draft away, and returns it as it was. Throws `not_found`. */
export async function discardDraft(tx: Tx, draftId: string): Promise<DraftRow> {
  const { draft } = await lockDraft(tx, draftId);
  await tx.delete(invoiceDrafts).where(eq(invoiceDrafts.id, draftId));
  return draft;
}

/** The draft, under the lock of its customer. Throws `not_found`. */
export async function lockDraft(
  tx: Tx,
  draftId: string,
): Promise<{ context: SubscriptionContext; draft: DraftRow }> {
  const seen = await findDraft(tx, draftId);
  if (seen === null) throw notFound('draft', draftId);
  const context = await lockSubscription(tx, seen.subscriptionId);
  const draft = await findDraft(tx, draftId);
  if (draft === null) throw notFound('draft', draftId);
  return { context, draft };
}

export async function findDraft(tx: Tx, draftId: string): Promise<DraftRow | null> {
  const [draft] = await tx.select().from(invoiceDrafts).where(eq(invoiceDrafts.id, draftId));
  return draft ?? null;
}

/** Newest first. */
export function listDrafts(
  tx: Tx,
  {
    customerId,
    subscriptionId,
    cursor,
    limit,
  }: {
    customerId: string | undefined;
    subscriptionId: string | undefined;
    cursor: string | undefined;
    limit: number;
  },
): Promise<DraftRow[]> {
  return tx
    .select()
    .from(invoiceDrafts)
    .where(
      and(
        customerId === undefined ? undefined : eq(invoiceDrafts.customerId, customerId),
        subscriptionId === undefined ? undefined : eq(invoiceDrafts.subscriptionId, subscriptionId),
        cursor === undefined ? undefined : lt(invoiceDrafts.id, cursor),
      ),
    )
    .orderBy(desc(invoiceDrafts.id))
    .limit(limit);
}

/** Ids of drafts whose day has come, the first `limit` after the cursor. */
export async function dueDrafts(
  tx: Tx,
  { now, after, limit }: { now: Date; after: string; limit: number },
): Promise<string[]> {
  const rows = await tx
    .select({ id: invoiceDrafts.id })
    .from(invoiceDrafts)
    .where(and(lte(invoiceDrafts.finalisesAt, now), gt(invoiceDrafts.id, after)))
    .orderBy(asc(invoiceDrafts.id))
    .limit(limit);
  return rows.map(({ id }) => id);
}

function withIds(lines: readonly NewDraftLine[]): DraftLine[] {
  return lines.map((line) => ({ id: newId('line'), ...line }));
}
