/**
 * Asks Razorpay for one order, as often as somebody waits for it.
 *
 * Why it is safe to run twice: all who ask at the same time share one try, and the activity looks the order up at Razorpay by
 * our id before it asks for it again; see activities/payments/razorpay-order.ts.
 */
import { proxyActivities } from '@temporalio/workflow';
import type { createRazorpayOrderActivities } from '../../activities/payments/razorpay-order.ts';
import { orderWrite } from '../effect-classes.ts';
import { placeWhileAsked } from '../place-while-asked.ts';
import { placeOrderUpdate, type RazorpayOrderInput } from './razorpay-order.contract.ts';

const { placeRazorpayOrder } = proxyActivities<ReturnType<typeof createRazorpayOrderActivities>>(orderWrite);

export async function razorpayOrder(input: RazorpayOrderInput): Promise<void> {
  const words = { description: 'Somebody waits for the order.', details: 'Asking Razorpay for the order.' };
  await placeWhileAsked(placeOrderUpdate, words, (at) => placeRazorpayOrder({ ...input, at }));
}
