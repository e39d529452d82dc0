/**
 * Books what Razorpay says about a subscription by which it collects one of ours, and tells Razorpay when that is to end:
 * started and signalled by stored events, by our own changes and by the reconciler, it reads the subscription again and
 * compares.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { createRazorpayCollectionActivities } from '../../activities/payments/razorpay-collection.ts';
import { orderRead } from '../effect-classes.ts';
import { lookOnHints } from '../look-on-hints.ts';
import { collectionEventSignal, type RazorpayCollectionInput } from './razorpay-collection.contract.ts';

const { syncRazorpaySubscription } =
  proxyActivities<ReturnType<typeof createRazorpayCollectionActivities>>(orderRead);

export async function razorpayCollection({ externalId }: RazorpayCollectionInput): Promise<void> {
  await lookOnHints(collectionEventSignal, 'Something happened to the subscription at Razorpay.', (hints) =>
    syncRazorpaySubscription({ externalId, ...hints }),
  );
}
