/**
 * One login at a bank, for as long as it is connected: its accounts are read hourly, and soon after the feed tells of
 * something. While the bank wants a new login it is looked at once a day and whenever somebody tells that it was repaired;
 * then it goes on where it stopped. It ends when the connection is unlinked.
 *
 * Why it is safe to run twice: a look asks what has changed since the cursor that is kept with the movements, in the same
 * transaction; what was kept already is found kept. See activities/payments/bank-connection.ts.
 */
import {
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { createBankConnectionActivities } from '../../activities/payments/bank-connection.ts';
import { inWords } from '../../domain/instant.ts';
import {
  type BankConnectionStatus,
  bankConnectionPolicy,
  nextHintedLookAt,
} from '../../domain/payments/bank-connection.ts';
import { createDeadline } from '../deadline.ts';
import { feedRead } from '../effect-classes.ts';
import { toSearchAttributePairs } from '../search-attributes.ts';
import { type BankConnectionInput, bankConnectionEventSignal } from './bank-connection.contract.ts';

const { syncBankConnection } = proxyActivities<ReturnType<typeof createBankConnectionActivities>>(feedRead);

export async function bankConnection(input: BankConnectionInput): Promise<void> {
  const { connectionExternalId } = input;
  let hints = input.hints ?? [];
  let lookAt: string | null = input.lookAt === undefined ? now() : input.lookAt;
  let lookedAt = input.lookedAt ?? null;
  let shownStatus: BankConnectionStatus | null = null;
  let hasEnded = false;
  setHandler(
    bankConnectionEventSignal,
    ({ inboxEventId }) => {
      hints.push(inboxEventId);
    },
    { description: 'Something happened at the bank, or somebody wants it to be looked at.' },
  );

  const deadline = createDeadline();
  for (let looks = 0; !hasEnded || hints.length > 0; ) {
    const dueAt = nextDueAt();
    if (dueAt !== null && Date.parse(dueAt) <= Date.now()) {
      await look();
      looks += 1;
    } else if (looks >= bankConnectionPolicy.looksPerRun || workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof bankConnection>({
        connectionExternalId,
        lookAt,
        hints,
        ...(lookedAt !== null && { lookedAt }),
      });
    } else {
      await deadline.until(dueAt, { summary: 'Read the accounts', changed: () => nextDueAt() !== dueAt });
    }
  }

  function nextDueAt(): string | null {
    if (hints.length === 0) return lookAt;
    // Somebody here waits for it.
    if (lookedAt === null || hints.includes(null)) return EARLIEST;
    const hinted = nextHintedLookAt(lookedAt);
    return lookAt !== null && lookAt < hinted ? lookAt : hinted;
  }

  /** One look for everything that was told so far; what is told meanwhile is one more. */
  async function look(): Promise<void> {
    setCurrentDetails('Reading the accounts.');
    const at = now();
    lookedAt = at;
    const inboxEventIds = hints.filter((id) => id !== null);
    hints = [];
    const { status, lookAt: next } = await syncBankConnection({ connectionExternalId, inboxEventIds, at });
    lookAt = next;
    hasEnded = status === null || status === 'unlinked';
    if (status !== null && status !== shownStatus) {
      shownStatus = status;
      upsertSearchAttributes(toSearchAttributePairs({ Status: status }));
    }
    setCurrentDetails(status === null ? 'It is not connected.' : `${statusInWords[status]}${nextInWords()}`);
  }

  function nextInWords(): string {
    return lookAt === null ? '' : ` Looked at next at ${inWords(lookAt)}.`;
  }
}

/** The same each time it is asked for, unlike now. */
const EARLIEST = new Date(0).toISOString();

const statusInWords: Record<BankConnectionStatus, string> = {
  active: 'Everything that the bank has told is read.',
  needs_reauth: 'The bank wants somebody to sign in again.',
  revoked: 'Access was taken back: the bank must be connected anew.',
  unlinked: 'It was unlinked.',
};

function now(): string {
  return new Date().toISOString();
}
