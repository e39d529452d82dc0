/** Requests that were carried out: whoever repeats one, under the same id, changes nothing a second time. */
import { and, eq } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { subscriptionRequests } from '../../schema/billing.ts';

/** `requestId` is the caller's idempotency key, or made of it where one request has two parts. */
export type SubscriptionRequest = { tenantId: string; subscriptionId: string; requestId: string };

/** Remembers a request as carried out; false when it was before. Call under the customer's lock. */
export async function keepRequest(
  tx: Tx,
  { tenantId, subscriptionId, requestId }: SubscriptionRequest,
  at: Date,
): Promise<boolean> {
  const kept = await tx
    .insert(subscriptionRequests)
    .values({ tenantId, subscriptionId, requestId, at })
    .onConflictDoNothing()
    .returning({ requestId: subscriptionRequests.requestId });
  return kept.length > 0;
}

export async function wasCarriedOut(
  tx: Tx,
  { subscriptionId, requestId }: SubscriptionRequest,
): Promise<boolean> {
  const found = await tx
    .select({ requestId: subscriptionRequests.requestId })
    .from(subscriptionRequests)
    .where(
      and(
        eq(subscriptionRequests.subscriptionId, subscriptionId),
        eq(subscriptionRequests.requestId, requestId),
      ),
    );
  return found.length > 0;
}
