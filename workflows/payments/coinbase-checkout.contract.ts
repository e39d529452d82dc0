/**
 * What a caller of the coinbase-checkout workflow needs. It asks Coinbase for a checkout while somebody waits for it, and
 * looks at it when something happened to it or should have.
 */
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { WorkflowSignalWithStart } from '../../domain/operations/outbox.ts';
import { taskQueues } from '../../domain/operations/task-queues.ts';
import type { KnownCheckoutStatus } from '../../domain/payments/coinbase-checkout.ts';

export const coinbaseCheckoutWorkflowType = 'coinbaseCheckout';

/** Our id of the checkout (`cbc_…`). */
export type CoinbaseCheckoutInput = { checkoutId: string };

/** Answers once Coinbase has made the checkout or refused it. Fails with a vendor's code when it cannot be asked now. */
export const placeCheckoutUpdate = defineUpdate<{ status: KnownCheckoutStatus }>('placeCheckout');

/** A stored inbox event about the checkout, or null for a look of our own; the checkout is read again at Coinbase. */
export const checkoutEventSignal = defineSignal<[{ inboxEventId: string | null }]>('checkoutEvent');

export function coinbaseCheckoutWorkflowId(checkoutId: string): string {
  return `coinbase-checkout/${checkoutId}`;
}

/** The envelope of one stored event. */
export function coinbaseCheckoutEvent(
  checkoutId: string,
  inboxEventId: string | null,
): WorkflowSignalWithStart {
  return {
    topic: 'workflow.signal_with_start',
    workflowType: coinbaseCheckoutWorkflowType,
    workflowId: coinbaseCheckoutWorkflowId(checkoutId),
    taskQueue: taskQueues.billing,
    args: [{ checkoutId } satisfies CoinbaseCheckoutInput],
    summary: 'Book what Coinbase says',
    searchAttributes: { EntityId: checkoutId },
    reuse: 'allow_duplicate',
    signal: checkoutEventSignal.name,
    signalArgs: [{ inboxEventId }],
  };
}
