/**
 * A change that nobody must make: the workflow that books a card payment waits first. Runs that began before the
 * change have no such timer in their histories. The replay test uses it to show that it would notice.
 */
import { condition, proxyActivities, setHandler, sleep } from '@temporalio/workflow';
import type { createCardPaymentActivities } from '../../activities/payments/card-payment.ts';
import { read } from '../../workflows/effect-classes.ts';
import { type CardPaymentInput, paymentEventSignal } from '../../workflows/payments/card-payment.contract.ts';

const { syncCardPayment } = proxyActivities<ReturnType<typeof createCardPaymentActivities>>(read);

export async function cardPayment({ paymentId }: CardPaymentInput): Promise<void> {
  const waiting: (string | null)[] = [];
  setHandler(paymentEventSignal, ({ inboxEventId }) => {
    waiting.push(inboxEventId);
  });
  await condition(() => waiting.length > 0);
  await sleep('1 minute');
  await syncCardPayment({ paymentId, inboxEventIds: [], at: new Date().toISOString() });
}
