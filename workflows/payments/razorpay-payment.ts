/**
 * Books what Razorpay says about the payments of one order: started and signalled by stored events, by the checkout and by
 * the reconciler, it reads the order again and compares.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { createRazorpayPaymentActivities } from '../../activities/payments/razorpay-payment.ts';
import { orderRead } from '../effect-classes.ts';
import { lookOnHints } from '../look-on-hints.ts';
import { orderEventSignal, type RazorpayPaymentInput } from './razorpay-payment.contract.ts';

const { syncRazorpayOrder } = proxyActivities<ReturnType<typeof createRazorpayPaymentActivities>>(orderRead);

export async function razorpayPayment({ externalId }: RazorpayPaymentInput): Promise<void> {
  await lookOnHints(orderEventSignal, 'Something happened to the order at Razorpay.', (hints) =>
    syncRazorpayOrder({ externalId, ...hints }),
  );
}
