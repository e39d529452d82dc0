/** Whether operators have something to look at before anything else happens to a transfer. */
import { and, eq } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { bankProofs } from '../../schema/banking.ts';

export async function isProofWaiting(tx: Tx, bankTransferId: string): Promise<boolean> {
  const [row] = await tx
    .select({ id: bankProofs.id })
    .from(bankProofs)
    .where(and(eq(bankProofs.bankTransferId, bankTransferId), eq(bankProofs.status, 'waiting')))
    .limit(1);
  return row !== undefined;
}
