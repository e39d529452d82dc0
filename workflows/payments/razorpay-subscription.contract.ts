/** What a caller of the razorpay-subscription workflow needs. It asks Razorpay for a subscription while somebody waits for it. */
import { defineUpdate } from '@temporalio/workflow';
import type { RazorpaySubscriptionStatus } from '../../domain/payments/razorpay-subscription.ts';

export const razorpaySubscriptionWorkflowType = 'razorpaySubscription';

export type RazorpaySubscriptionInput = { tenantId: string; razorpaySubscriptionId: string };

/** Answers once Razorpay has made the subscription or refused it. Fails with a vendor's code when it cannot be asked now. */
export const placeSubscriptionUpdate = defineUpdate<{ status: RazorpaySubscriptionStatus }>(
  'placeSubscription',
);

export function razorpaySubscriptionWorkflowId(razorpaySubscriptionId: string): string {
  return `razorpay-subscription/${razorpaySubscriptionId}`;
}
