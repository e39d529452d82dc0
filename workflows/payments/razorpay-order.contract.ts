/** What a caller of the razorpay-order workflow needs. It asks Razorpay for an order while somebody waits for it. */
import { defineUpdate } from '@temporalio/workflow';
import type { OrderStatus } from '../../domain/payments/razorpay-order.ts';

export const razorpayOrderWorkflowType = 'razorpayOrder';

export type RazorpayOrderInput = { tenantId: string; orderId: string };

/** Answers once Razorpay has made the order or refused it. Fails with a vendor's code when it cannot be asked now. */
export const placeOrderUpdate = defineUpdate<{ status: OrderStatus }>('placeOrder');

export function razorpayOrderWorkflowId(orderId: string): string {
  return `razorpay-order/${orderId}`;
}
