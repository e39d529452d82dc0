/**
 * The dunning of one customer: performs the ladder's steps on their dates until the earliest unpaid invoice is paid,
 * the customer leaves, or the ladder ends. The policy is pinned in the case; a later edit does not reach it.
 *
 * Why it is safe to run twice: a step looks again under the customer's lock before it charges and before it records,
 * and is unique per invoice, policy version and index. A payment closes the case in its own transaction, so it wins
 * over a step that comes due at the same moment. A step that is performed late never moves the later ones.
 */
import { ActivityFailure, log, proxyActivities, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { createDunningActivities } from '../../activities/billing/dunning.ts';
import { type DueStep, dunningWaitingFor, nextStep, stepInWords } from '../../domain/billing/dunning.ts';
import { createDeadline } from '../deadline.ts';
import { keyedWrite, read } from '../effect-classes.ts';
import { type DunningCaseState, type DunningInput, dunningChangedSignal } from './dunning.contract.ts';

type DunningActivities = ReturnType<typeof createDunningActivities>;
const charging = proxyActivities<DunningActivities>(keyedWrite);
const telling = proxyActivities<DunningActivities>(read);

export async function dunning({ tenantId, customerId, dunningCase }: DunningInput): Promise<void> {
  const deadline = createDeadline();
  let state = dunningCase;
  setCurrentDetails(dunningWaitingFor(state));

  /** The newer version of the case wins; a new case follows a closed one. Case ids are ordered by time. */
  function adopt(changed: DunningCaseState): void {
    const older =
      changed.caseId === state.caseId ? changed.version < state.version : changed.caseId < state.caseId;
    if (older) return;
    state = changed;
    setCurrentDetails(dunningWaitingFor(state));
  }
  setHandler(dunningChangedSignal, adopt, {
    description: 'The case changed: paid, closed, or driven by another invoice.',
  });

  while (!state.closed) {
    const considered = state;
    const due = nextStep(state, now());
    await deadline.until(due?.at ?? null, {
      summary: stepInWords(state, state.nextStepIndex),
      changed: () => state !== considered,
    });
    if (due !== null && state === considered) adopt(await perform(due));
  }

  async function perform({ index }: DueStep): Promise<DunningCaseState> {
    const { caseId } = state;
    const step = { tenantId, customerId, caseId, stepIndex: index, at: now() };
    try {
      return await charging.performDunningStep({ ...step, charge: true });
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // The vendor is away or its answer is lost: the step goes on, the charge is looked up by the subscription later.
      log.warn('the step goes on without its charge', { error });
      return telling.performDunningStep({ ...step, charge: false });
    }
  }
}

function now(): string {
  return new Date().toISOString();
}
