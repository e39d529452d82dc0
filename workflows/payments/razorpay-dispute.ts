/** Books what Razorpay says about one dispute: started and signalled by stored events, it reads the dispute again and compares. */
import { proxyActivities } from '@temporalio/workflow';
import type { createRazorpayDisputeActivities } from '../../activities/payments/razorpay-dispute.ts';
import { orderRead } from '../effect-classes.ts';
import { lookOnHints } from '../look-on-hints.ts';
import { disputeEventSignal, type RazorpayDisputeInput } from './razorpay-dispute.contract.ts';

const { syncRazorpayDispute } =
  proxyActivities<ReturnType<typeof createRazorpayDisputeActivities>>(orderRead);

export async function razorpayDispute({ externalId }: RazorpayDisputeInput): Promise<void> {
  await lookOnHints(disputeEventSignal, 'Something happened to the dispute at Razorpay.', (hints) =>
    syncRazorpayDispute({ externalId, ...hints }),
  );
}
