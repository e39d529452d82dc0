/**
 * Most events of the card vendor tell what the charging call has answered a moment before. Such an event is stored,
 * but starts no process: on the quiet path a renewal costs nothing for its webhooks.
 */
import { eq } from 'drizzle-orm';
import type { CardVendorEvent } from '../../../domain/payments/card-payment.ts';
import { type Database, withTenant } from '../../client.ts';
import { type ChargeAttemptStatus, chargeAttempts } from '../../schema/payments.ts';

/**
 * Whether the attempt the event names has already reached what the event says. The event's own word on whose attempt
 * it is suffices: it is signed, and the worst it could do is to leave a payment to the reconciler.
 */
export async function isBooked(
  db: Database,
  { type, paymentId, attempt }: Pick<CardVendorEvent, 'type' | 'paymentId' | 'attempt'>,
): Promise<boolean> {
  const told = toldBy[type];
  if (told === undefined || attempt === undefined) return false;
  const [row] = await withTenant(db, attempt.tenantId, (tx) =>
    tx
      .select({ status: chargeAttempts.status, externalId: chargeAttempts.externalId })
      .from(chargeAttempts)
      .where(eq(chargeAttempts.id, attempt.attemptId)),
  );
  return (
    row !== undefined && row.externalId === paymentId && (row.status === told || row.status === 'succeeded')
  );
}

const toldBy: Partial<Record<string, ChargeAttemptStatus>> = {
  'payment_intent.succeeded': 'succeeded',
  'payment_intent.payment_failed': 'failed',
  'payment_intent.requires_action': 'requires_action',
  'payment_intent.processing': 'processing',
};
