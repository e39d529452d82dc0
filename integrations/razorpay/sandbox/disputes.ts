/** Disputes: a bank wants a payment back. Some accounts lose the money at the onset, the others when they lose the dispute. */
import { z } from 'zod';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import { type Dispute, newObjectId, paymentNote, type RazorpayContext, requirePayment } from './context.ts';
import { unknownId } from './errors.ts';
import { emit } from './events.ts';
import { operation, type RazorpayOperation } from './params.ts';

export type NewDispute = {
  paymentId: string;
  /** All of the payment when absent. */
  amount?: number | undefined;
  reason?: string | undefined;
  /** Whether the money goes at the onset. */
  deduct?: boolean | undefined;
};

export const disputeOutcomes = ['under_review', 'action_required', 'won', 'lost', 'closed'] as const;
export type DisputeOutcome = (typeof disputeOutcomes)[number];

export function disputeOperations({ disputes }: RazorpayContext): RazorpayOperation[] {
  return [
    operation({
      op: 'disputes.retrieve',
      method: 'GET',
      path: '/v1/disputes/:id',
      params: z.strictObject({}),
      run: ({ pathParams: { id = '' } }) => {
        const dispute = disputes.get(id);
        if (!dispute) throw unknownId();
        return { body: dispute };
      },
    }),
  ];
}

/** An amount in the note means that money moved. */
export function openDispute(
  context: RazorpayContext,
  { paymentId, amount, reason = 'goods_or_services_not_received', deduct = false }: NewDispute,
): { dispute: Dispute; note: EffectNote } {
  const payment = requirePayment(context, paymentId);
  if (!payment.captured) throw new RangeError(`Payment ${paymentId} has not been made`);
  const dispute: Dispute = {
    id: newObjectId('disp'),
    entity: 'dispute',
    payment_id: paymentId,
    amount: amount ?? payment.amount - payment.amount_refunded,
    currency: payment.currency,
    amount_deducted: 0,
    reason_code: reason,
    respond_by: context.clock.seconds() + ANSWER_WITHIN_SECONDS,
    status: 'open',
    phase: 'chargeback',
    created_at: context.clock.seconds(),
  };
  if (deduct) dispute.amount_deducted = dispute.amount;
  context.disputes.put(dispute.id, dispute);
  emit(context, 'payment.dispute.created', { payment, dispute });
  return { dispute, note: noteOf(context, dispute, deduct ? dispute.amount : null) };
}

/** What was deducted and is won comes back, after a loss too; what is lost goes now, unless it went before. */
export function moveDispute(context: RazorpayContext, id: string, outcome: DisputeOutcome): EffectNote {
  const dispute = context.disputes.get(id);
  if (!dispute) throw new RangeError(`No dispute ${id}`);
  const isOpen = dispute.status === 'open' || dispute.status === 'under_review';
  if (!isOpen && !(dispute.status === 'lost' && outcome === 'won'))
    throw new RangeError(`Dispute ${id} is ${dispute.status}`);
  const before = dispute.amount_deducted;
  dispute.status = outcome === 'action_required' ? 'open' : outcome;
  if (outcome === 'won' || outcome === 'closed') dispute.amount_deducted = 0;
  if (outcome === 'lost') dispute.amount_deducted = dispute.amount;
  context.disputes.put(id, dispute);
  emit(context, `payment.dispute.${outcome}`, {
    payment: requirePayment(context, dispute.payment_id),
    dispute,
  });
  const movedMinor = Math.abs(dispute.amount_deducted - before);
  return noteOf(context, dispute, movedMinor === 0 ? null : movedMinor);
}

function noteOf(context: RazorpayContext, dispute: Dispute, movedMinor: number | null): EffectNote {
  const { id: objectId, payment_id, status, currency } = dispute;
  return paymentNote(context, requirePayment(context, payment_id), {
    outcome: 'effect',
    objectId,
    // A closed one counts as won.
    detail: status === 'closed' ? 'won' : status,
    ...(movedMinor !== null && { amountMinor: movedMinor, currency }),
  });
}

const ANSWER_WITHIN_SECONDS = 3 * 24 * 60 * 60;
