/**
 * Books what the card vendor says about one payment: started and signalled by stored events, it reads the payment
 * again and compares. Events are hints, so duplicates and any order are harmless; a burst is one look, or two.
 */
import { condition, proxyActivities, setHandler } from '@temporalio/workflow';
import type { createCardPaymentActivities } from '../../activities/payments/card-payment.ts';
import { read } from '../effect-classes.ts';
import { type CardPaymentInput, paymentEventSignal } from './card-payment.contract.ts';

const { syncCardPayment } = proxyActivities<ReturnType<typeof createCardPaymentActivities>>(read);

export async function cardPayment({ paymentId }: CardPaymentInput): Promise<void> {
  let waiting: (string | null)[] = [];
  setHandler(
    paymentEventSignal,
    ({ inboxEventId }) => {
      waiting.push(inboxEventId);
    },
    { description: 'Something happened to the payment at the vendor.' },
  );

  await condition(() => waiting.length > 0);
  while (waiting.length > 0) {
    const inboxEventIds = waiting.filter((id) => id !== null);
    waiting = [];
    await syncCardPayment({ paymentId, inboxEventIds, at: new Date().toISOString() });
  }
}
