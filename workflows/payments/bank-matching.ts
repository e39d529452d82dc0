/**
 * Movements on a tenant's bank accounts find their invoices. It runs while there is something to decide, and ends: whoever keeps
 * a movement, or changes what one may be for, wakes it.
 *
 * Why it is safe to run twice: what waits is a row, decided once under the locks of whose money it is; a look that finds nothing
 * changes nothing. A storm of hints is one run, and one more for those that came during it or in the moment after.
 */
import {
  continueAsNew,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { createBankMatchingActivities } from '../../activities/payments/bank-matching.ts';
import { record } from '../effect-classes.ts';
import { type BankMatchingInput, lookForMatchesSignal } from './bank-matching.contract.ts';

const { matchBankMovements } = proxyLocalActivities<ReturnType<typeof createBankMatchingActivities>>({
  ...record,
  startToCloseTimeout: '60 seconds',
});

/** Hints of one cause come within this time. */
const STORM = '5 seconds';

export async function bankMatching(input: BankMatchingInput): Promise<void> {
  let hints = 0;
  setHandler(
    lookForMatchesSignal,
    () => {
      hints += 1;
    },
    { description: 'There are movements to decide about.' },
  );
  do {
    hints = 0;
    await decideAll(input);
    setCurrentDetails('Everything that waited is decided; it ends unless more comes in the next seconds.');
    await sleep(STORM, { summary: 'More may come' });
  } while (hints > 0);
}

async function decideAll(input: BankMatchingInput): Promise<void> {
  let decided = 0;
  for (let isOver = false; !isOver; ) {
    setCurrentDetails(`Deciding about movements; ${decided} are done.`);
    const part = await matchBankMovements({ ...input, at: new Date().toISOString() });
    decided += part.decided;
    isOver = part.isOver;
    // The next run begins where this one stopped, and looks for itself whether anything waits.
    if (!isOver && workflowInfo().continueAsNewSuggested) await continueAsNew<typeof bankMatching>(input);
  }
}
