/**
 * Gives money back that somebody asked us to: the card vendor is asked, and its answer is booked. It ends once the vendor
 * has taken the refund or refused it; what the bank makes of it later is told by the payment's own events.
 *
 * Why it is safe to run twice: the one activity looks the refund up at the vendor before it asks for it again; see
 * activities/payments/refund.ts. While the vendor is away the row stays `pending` and keeps its share of the payment.
 */
import { ActivityFailure, log, proxyActivities, setCurrentDetails, sleep } from '@temporalio/workflow';
import type { createRefundActivities } from '../../activities/payments/refund.ts';
import { addHours, inWords, realDayMs } from '../../domain/instant.ts';
import { refundPauses } from '../../domain/payments/refund.ts';
import { keyedWrite } from '../effect-classes.ts';
import type { RefundInput } from './refund.contract.ts';

const { giveBack } = proxyActivities<ReturnType<typeof createRefundActivities>>(keyedWrite);

export async function refund({ tenantId, refundId }: RefundInput): Promise<void> {
  const { firstHours, longestHours } = refundPauses;
  for (let hours: number = firstHours; ; hours = Math.min(2 * hours, longestHours)) {
    setCurrentDetails('Asking the card vendor to give the money back.');
    try {
      const { status } = await giveBack({ tenantId, refundId, at: new Date().toISOString() });
      setCurrentDetails(detailsOf[status]);
      return;
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      log.warn('the card vendor could not be asked; the refund is looked up and asked for again', { error });
    }
    const next = inWords(addHours(new Date().toISOString(), hours, realDayMs));
    setCurrentDetails(`The card vendor gave no answer; it is asked again on ${next}.`);
    await sleep(`${hours} hours`, { summary: 'ask the card vendor again' });
  }
}

const detailsOf = {
  pending: 'The card vendor works on it; its own message tells how it ends.',
  succeeded: 'Given back.',
  failed: 'Refused; nothing was given back.',
};
