/** What the card vendor has been asked of an invoice's money, and whether anybody knows the answer. */
import { and, eq, inArray } from 'drizzle-orm';
import type { Tx } from '../../client.ts';
import { chargeAttempts } from '../../schema/payments.ts';

export function hasUndecidedCharge(tx: Tx, invoiceId: string): Promise<boolean> {
  return hasCharge(tx, invoiceId, ['pending', 'processing']);
}

/** Also one that the customer has to confirm: nothing else is offered beside it. */
export function isBeingCharged(tx: Tx, invoiceId: string): Promise<boolean> {
  return hasCharge(tx, invoiceId, ['pending', 'processing', 'requires_action']);
}

async function hasCharge(
  tx: Tx,
  invoiceId: string,
  statuses: (typeof chargeAttempts.$inferSelect)['status'][],
): Promise<boolean> {
  const found = await tx
    .select({ id: chargeAttempts.id })
    .from(chargeAttempts)
    .where(and(eq(chargeAttempts.invoiceId, invoiceId), inArray(chargeAttempts.status, statuses)))
    .limit(1);
  return found.length > 0;
}

/**
 * What the card vendor was asked about an invoice. `isUnanswered`: its answer to a charge is missing. `isTried`: it has answered
 * this very try, or a charge is under way, beside which none is made.
 */
export async function askedOf(
  tx: Tx,
  { invoiceId, originKey }: { invoiceId: string; originKey: string },
): Promise<{ isUnanswered: boolean; isTried: boolean }> {
  const attempts = await tx
    .select({ status: chargeAttempts.status, originKey: chargeAttempts.originKey })
    .from(chargeAttempts)
    .where(eq(chargeAttempts.invoiceId, invoiceId));
  return {
    isUnanswered: attempts.some(({ status }) => status === 'pending'),
    isTried: attempts.some(
      (attempt) =>
        attempt.status === 'processing' ||
        attempt.status === 'requires_action' ||
        (attempt.originKey === originKey && attempt.status !== 'pending'),
    ),
  };
}
