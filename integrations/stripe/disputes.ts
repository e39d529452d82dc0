/** Disputes at Stripe: what a customer's bank wants back. Only read; what is answered to the bank is for people. */
import type Stripe from 'stripe';
import { read } from './requests.ts';

/** All disputes of a payment. */
export function listDisputes(stripe: Stripe, paymentId: string): Promise<Stripe.Dispute[]> {
  return read(() =>
    stripe.disputes.list({ payment_intent: paymentId, limit: 100 }).autoPagingToArray({ limit: 1_000 }),
  );
}
