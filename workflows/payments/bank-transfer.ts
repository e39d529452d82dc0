/**
 * The transfer that an invoice waits for, from its instructions until nothing waits for it: the customer is asked where the
 * money is and the operators are alerted when it does not come, and the instructions expire. What comes in is matched elsewhere
 * and says so here, as does whatever else happens to the invoice. It never polls: while nothing happens one timer runs.
 *
 * Why it is safe to run twice: what is due is decided and done under the customer's lock, in one transaction; a look that finds
 * nothing to do changes nothing. A run that has ended is followed by another one when something comes later.
 */
import { proxyLocalActivities, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { createBankTransferActivities } from '../../activities/payments/bank-transfer.ts';
import { transferInWords } from '../../domain/payments/transfer-standing.ts';
import { createDeadline } from '../deadline.ts';
import { record } from '../effect-classes.ts';
import { type BankTransferInput, lookSignal } from './bank-transfer.contract.ts';

const { lookAtBankTransfer } = proxyLocalActivities<ReturnType<typeof createBankTransferActivities>>(record);

export async function bankTransfer({ tenantId, bankTransferId, lookAt }: BankTransferInput): Promise<void> {
  let looks = 0;
  setHandler(
    lookSignal,
    () => {
      looks += 1;
    },
    { description: 'Something happened to the transfer or its invoice.' },
  );
  // With new instructions the customer is asked first.
  setCurrentDetails(transferInWords('awaiting', { kind: 'ask_customer', at: lookAt }));

  const deadline = createDeadline();
  let wakeAt: string | null = lookAt;
  let isOver = false;
  while (!isOver) {
    await deadline.until(wakeAt, { summary: 'What is due while no money comes', changed: () => looks > 0 });
    looks = 0;
    const state = await lookAtBankTransfer({ tenantId, bankTransferId, at: new Date().toISOString() });
    isOver = state.isOver && looks === 0;
    wakeAt = state.wakeAt;
    setCurrentDetails(state.waitingFor);
  }
}
