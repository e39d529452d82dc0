/**
 * Asks Razorpay for one subscription, and for the plan it needs, as often as somebody waits for it.
 *
 * Why it is safe to run twice: all who ask at the same time share one try, and the activity looks both up at Razorpay by our
 * ids before it asks for them again; see activities/payments/razorpay-subscription.ts.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { createRazorpaySubscriptionActivities } from '../../activities/payments/razorpay-subscription.ts';
import { orderWrite } from '../effect-classes.ts';
import { placeWhileAsked } from '../place-while-asked.ts';
import { placeSubscriptionUpdate, type RazorpaySubscriptionInput } from './razorpay-subscription.contract.ts';

const { placeRazorpaySubscription } =
  proxyActivities<ReturnType<typeof createRazorpaySubscriptionActivities>>(orderWrite);

export async function razorpaySubscription(input: RazorpaySubscriptionInput): Promise<void> {
  const words = {
    description: 'Somebody waits for the subscription.',
    details: 'Asking Razorpay for the subscription.',
  };
  await placeWhileAsked(placeSubscriptionUpdate, words, (at) => placeRazorpaySubscription({ ...input, at }));
}
