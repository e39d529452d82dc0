/** What is known of a connection after it was read: the movements that could not be kept, and whether it will be ended. */
import { realDayMs } from '../instant.ts';
import {
  type BankConnectionStatus,
  bankConnectionPolicy,
  type UnreadableMovement,
} from './bank-connection.ts';
import type { FeedTransaction, RemovedTransaction, UnreadableTransaction } from './bank-feed.ts';
import { PLAID_DISCONNECT_EXPECTED, PLAID_LOGIN_REPAIRED } from './vendor-events.ts';

/** What was told of movements. */
export type ReadMovements = {
  told: readonly Pick<FeedTransaction, 'externalId' | 'accountExternalId' | 'currency' | 'bookedOn'>[];
  removed: readonly RemovedTransaction[];
  unreadable: readonly UnreadableTransaction[];
};

type AccountNames = Pick<ReadonlySet<string>, 'has'>;

/**
 * What could not be read stays listed until it can be, or is gone, and dismissed if it was. The newest are kept. `accounts`: those
 * whose movements are kept; `elsewhere`: those that another connection reads.
 */
export function unreadableAfter(
  known: readonly UnreadableMovement[],
  read: ReadMovements,
  { accounts, elsewhere }: { accounts: AccountNames; elsewhere: AccountNames },
): UnreadableMovement[] {
  const strays = read.told
    .filter(({ accountExternalId }) => !accounts.has(accountExternalId))
    .map(
      ({ externalId, accountExternalId, currency, bookedOn }): UnreadableMovement => ({
        externalId,
        accountExternalId,
        reason: 'account_unknown',
        currency,
        bookedOn,
      }),
    );
  const found = [...read.unreadable, ...strays].filter(
    ({ accountExternalId }) => !elsewhere.has(accountExternalId),
  );
  const over = new Set([...read.removed, ...read.told, ...found].map(({ externalId }) => externalId));
  const dismissed = new Set(
    known.filter(({ isDismissed }) => isDismissed).map(({ externalId }) => externalId),
  );
  const all = [
    ...known.filter(({ externalId }) => !over.has(externalId)),
    ...found.map((each) => (dismissed.has(each.externalId) ? { ...each, isDismissed: true } : each)),
  ];
  return all.slice(-bankConnectionPolicy.unreadableMax);
}

/**
 * Since when the connection is expected to be ended; null for no such thing. `types`: of the events that came since the last look.
 * It holds until the login was repaired, and not longer than such an announcement reaches.
 */
export function disconnectExpectedAfter(
  {
    status,
    disconnectExpectedSince: since,
  }: { status: BankConnectionStatus; disconnectExpectedSince: Date | null },
  types: ReadonlySet<string>,
  at: Date,
): Date | null {
  if (status !== 'active' || types.has(PLAID_LOGIN_REPAIRED)) return null;
  if (types.has(PLAID_DISCONNECT_EXPECTED)) return since ?? at;
  const withinMs = bankConnectionPolicy.disconnectWithinDays * realDayMs;
  return since !== null && at.getTime() - since.getTime() <= withinMs ? since : null;
}
