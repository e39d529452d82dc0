/**
 * When an invoice no longer needs a card charge (paid by other means, voided, written off), or not all of it, a charge that still
 * waits for the customer is called back, so that a late confirmation cannot take the money a second time.
 */
import { and, eq, inArray, isNotNull } from 'drizzle-orm';
import { cardPaymentEvent } from '../../../workflows/payments/card-payment.contract.ts';
import type { Tx } from '../../client.ts';
import { chargeAttempts } from '../../schema/payments.ts';
import { appendOutbox } from '../operations/outbox.ts';

/** Asks the card-payment process to look at every unfinished charge of the invoice and to cancel it at the vendor. */
export async function releaseCharges(
  tx: Tx,
  { tenantId, invoiceId }: { tenantId: string; invoiceId: string },
): Promise<void> {
  const waiting = await tx
    .select({ externalId: chargeAttempts.externalId })
    .from(chargeAttempts)
    .where(
      and(
        eq(chargeAttempts.invoiceId, invoiceId),
        inArray(chargeAttempts.status, ['requires_action', 'processing']),
        isNotNull(chargeAttempts.externalId),
      ),
    );
  const envelopes = waiting.flatMap(({ externalId }) =>
    externalId === null ? [] : [cardPaymentEvent(externalId, null)],
  );
  await appendOutbox(tx, tenantId, envelopes);
}
