/** The pauses of subscriptions: time by which the service of what was billed moves on. */
import { and, eq, gte } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { subscriptionPauses } from '../../schema/billing.ts';

export type Pause = { pausedAt: Date; resumedAt: Date };

/** Writes a pause down when it ends; the same one is never a second row. */
export async function keepPause(tx: Tx, pause: typeof subscriptionPauses.$inferInsert): Promise<void> {
  await tx.insert(subscriptionPauses).values(pause).onConflictDoNothing();
}

/** Pauses that began at `from` or later and are over. */
export function pausesSince(tx: Tx, subscriptionId: string, from: Date): Promise<Pause[]> {
  return tx
    .select({ pausedAt: subscriptionPauses.pausedAt, resumedAt: subscriptionPauses.resumedAt })
    .from(subscriptionPauses)
    .where(
      and(eq(subscriptionPauses.subscriptionId, subscriptionId), gte(subscriptionPauses.pausedAt, from)),
    );
}

/** How long all pauses took that began at `from` or later, in milliseconds. */
export function pausedMsSince(pauses: readonly Pause[], from: Date): number {
  return pauses
    .filter(({ pausedAt }) => pausedAt >= from)
    .reduce((sum, { pausedAt, resumedAt }) => sum + resumedAt.getTime() - pausedAt.getTime(), 0);
}
