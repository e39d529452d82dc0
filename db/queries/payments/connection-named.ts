/** Whose a connection is that the feed names: all that a webhook, or a process that was started by one, knows. */
import { eq } from 'drizzle-orm';
import type { SystemTx } from '../../client.ts';
import { bankConnections } from '../../schema/bank-connections.ts';

/** Null for one that is none of ours. */
export async function connectionNamed(
  tx: SystemTx,
  externalId: string,
): Promise<{ id: string; tenantId: string } | null> {
  const [row] = await tx
    .select({ id: bankConnections.id, tenantId: bankConnections.tenantId })
    .from(bankConnections)
    .where(eq(bankConnections.externalId, externalId));
  return row ?? null;
}
