/** Disputes: a customer's bank wants a payment back, takes it, and decides. They are opened and closed from outside. */
import type Stripe from 'stripe';
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { vendorId } from '../../sandbox/random.ts';
import { noRequest, requireIntent, type StripeContext, type StripeObjects } from './context.ts';
import { noSuch } from './errors.ts';
import { emit } from './events.ts';
import { expanded } from './expand.ts';
import { listOf } from './lists.ts';
import { expand, operation, pagination, type StripeOperation, text } from './params.ts';

export function disputeOperations(context: StripeContext): StripeOperation[] {
  const { disputes } = context;
  return [
    operation({
      op: 'disputes.retrieve',
      method: 'GET',
      path: '/v1/disputes/:id',
      params: z.strictObject({ expand }),
      run: ({ params, pathParams: { id = '' } }) => {
        const dispute = disputes.get(id);
        if (!dispute) throw noSuch('dispute', id);
        return { body: expanded(context, dispute, params.expand) };
      },
    }),
    operation({
      op: 'disputes.list',
      method: 'GET',
      path: '/v1/disputes',
      params: z.strictObject({ ...pagination, payment_intent: text.optional(), charge: text.optional() }),
      run: ({ params }) => {
        const matching = disputes
          .values()
          .filter(
            (dispute) =>
              params.payment_intent === undefined || dispute.payment_intent === params.payment_intent,
          )
          .filter((dispute) => params.charge === undefined || dispute.charge === params.charge);
        return { body: listOf(matching, { url: '/v1/disputes', page: params }) };
      },
    }),
  ];
}

export type Disputed = { dispute: Stripe.Dispute; note: EffectNote };

/** The bank wants the payment back, or a part of it: the money leaves our account at once, unless it only enquires. */
export function openDispute(
  context: StripeContext,
  {
    paymentIntent,
    amount,
    reason = 'fraudulent',
    enquiry = false,
  }: {
    paymentIntent: string;
    amount?: number | undefined;
    reason?: string | undefined;
    enquiry?: boolean | undefined;
  },
): Disputed {
  const intent = requireIntent(context, paymentIntent);
  const charge = context.charges.get(String(intent.latest_charge));
  if (!charge?.paid) throw new RangeError(`Payment ${paymentIntent} has not been made`);
  const dispute = newDispute(charge, {
    amount: amount ?? charge.amount - charge.amount_refunded,
    reason,
    status: enquiry ? 'warning_needs_response' : 'needs_response',
    createdSeconds: context.clock.seconds(),
  });
  charge.disputed = true;
  context.charges.put(charge.id, charge);
  context.disputes.put(dispute.id, dispute);
  emit(context, 'charge.dispute.created', dispute, noRequest);
  if (enquiry) return { dispute, note: noteOf(charge, dispute, null) };
  move(context, dispute, -1);
  emit(context, 'charge.dispute.funds_withdrawn', dispute, noRequest);
  return { dispute, note: noteOf(charge, dispute, dispute.amount) };
}

/** The bank has decided: what was won comes back to our account. What was lost may be won after all. */
export function closeDispute(context: StripeContext, id: string, outcome: 'won' | 'lost'): Disputed {
  const dispute = context.disputes.get(id);
  const charge = context.charges.get(String(dispute?.charge));
  if (!dispute || !charge) throw new RangeError(`No dispute ${id}`);
  if (isClosed(dispute) && !(dispute.status === 'lost' && outcome === 'won'))
    throw new RangeError(`Dispute ${id} is ${dispute.status}`);
  const wasWithdrawn = dispute.balance_transactions.length > 0;
  dispute.status = outcome;
  context.disputes.put(id, dispute);
  emit(context, 'charge.dispute.closed', dispute, noRequest);
  if (outcome === 'lost' && !wasWithdrawn) move(context, dispute, -1);
  if (outcome === 'lost')
    return { dispute, note: noteOf(charge, dispute, wasWithdrawn ? null : dispute.amount) };
  if (!wasWithdrawn) return { dispute, note: noteOf(charge, dispute, null) };
  move(context, dispute, 1);
  emit(context, 'charge.dispute.funds_reinstated', dispute, noRequest);
  return { dispute, note: noteOf(charge, dispute, dispute.amount) };
}

/** What is disputed, or was lost, cannot be refunded beside that. */
export function hasOpenOrLostDispute({ disputes }: StripeObjects, chargeId: string): boolean {
  return disputes
    .values()
    .some((dispute) => dispute.charge === chargeId && (!isClosed(dispute) || dispute.status === 'lost'));
}

function isClosed({ status }: Stripe.Dispute): boolean {
  return status === 'won' || status === 'lost';
}

/** The money of a dispute leaves our account. */
export function withdraw(context: StripeContext, dispute: Stripe.Dispute): void {
  move(context, dispute, -1);
}

function move(context: StripeContext, dispute: Stripe.Dispute, sign: 1 | -1): void {
  dispute.balance_transactions.push({
    id: vendorId('txn'),
    object: 'balance_transaction',
    amount: sign * dispute.amount,
    available_on: context.clock.seconds(),
    created: context.clock.seconds(),
    currency: dispute.currency,
    description: `Chargeback of ${String(dispute.charge)}`,
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: sign * dispute.amount,
    reporting_category: sign < 0 ? 'dispute' : 'dispute_reversal',
    source: dispute.id,
    status: 'available',
    type: 'adjustment',
  } as unknown as Stripe.BalanceTransaction);
  context.disputes.put(dispute.id, dispute);
}

/** An amount means that money moved. */
export function noteOf(
  { metadata }: Stripe.Charge,
  { id, currency, status }: Stripe.Dispute,
  movedMinor: number | null,
): EffectNote {
  return {
    outcome: 'effect',
    objectId: id,
    detail: status,
    businessRef: metadata['invoiceId'],
    attemptRef: metadata['attemptId'],
    ...(movedMinor !== null && { amountMinor: movedMinor, currency }),
  };
}

export function newDispute(
  charge: Stripe.Charge,
  given: { amount: number; reason: string; status: Stripe.Dispute.Status; createdSeconds: number },
): Stripe.Dispute {
  return {
    id: vendorId('dp'),
    object: 'dispute',
    amount: given.amount,
    balance_transactions: [],
    charge: charge.id,
    created: given.createdSeconds,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: {},
    evidence_details: {
      due_by: given.createdSeconds + ANSWER_WITHIN_SECONDS,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
    },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: methodDetails(charge),
    reason: given.reason,
    status: given.status,
  } as unknown as Stripe.Dispute;
}

function methodDetails({ payment_method_details: details }: Stripe.Charge) {
  if (details?.type !== 'card') return { type: details?.type };
  const card = {
    brand: details.card?.brand ?? null,
    case_type: 'chargeback',
    network_reason_code: null,
  };
  return { type: 'card', card };
}

const ANSWER_WITHIN_SECONDS = 9 * 24 * 60 * 60;
