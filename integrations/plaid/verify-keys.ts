/**
 * The keys by which Plaid's webhooks are verified, asked of Plaid and kept. Who sends a webhook names the key, and anybody may
 * send one: so a name is asked for once at a time, what Plaid does not know is remembered for a while, and all names that we
 * have not seen are asked for a few times a minute at most, however many come.
 */

import { VendorError } from '../../domain/errors.ts';
import type { VerificationKey } from '../../domain/payments/bank-feed.ts';
import { createPlaidBankFeed } from './client.ts';
import type { PlaidConnection } from './connection.ts';

export type VerificationKeys = {
  /**
   * Null for a key that Plaid does not know. Throws a `VendorError` where Plaid cannot be asked, `rate_limited` where it was
   * asked too often lately: then nobody knows, and the webhook must be answered so that it is sent again.
   */
  find(keyId: string): Promise<VerificationKey | null>;
};

/** The keys as Plaid, or whatever listens at `apiBase`, tells them. */
export function plaidVerificationKeys(connection: PlaidConnection): VerificationKeys {
  const feed = createPlaidBankFeed(connection);
  return keepVerificationKeys({ fetchKey: (keyId) => feed.verificationKey(keyId), now: () => new Date() });
}

/** Keeps what `fetchKey` answers. */
export function keepVerificationKeys({
  fetchKey,
  now,
}: {
  fetchKey: (keyId: string) => Promise<VerificationKey | null>;
  now: () => Date;
}): VerificationKeys {
  const known = new Map<string, { key: VerificationKey; fetchedAt: number }>();
  const unknown = new Map<string, number>();
  const asked = new Map<string, Promise<VerificationKey | null>>();
  let lookups: number[] = [];

  const ask = async (keyId: string): Promise<VerificationKey | null> => {
    const key = await fetchKey(keyId);
    const at = now().getTime();
    if (key?.keyId === keyId) {
      known.set(keyId, { key, fetchedAt: at });
      return key;
    }
    known.delete(keyId);
    forgetOldest(unknown);
    unknown.set(keyId, at);
    return null;
  };

  const askOnce = (keyId: string): Promise<VerificationKey | null> => {
    const running = asked.get(keyId);
    if (running) return running;
    const asking = ask(keyId).finally(() => asked.delete(keyId));
    asked.set(keyId, asking);
    return asking;
  };

  const takeLookup = (): boolean => {
    const at = now().getTime();
    lookups = lookups.filter((each) => at - each < MINUTE_MS);
    if (lookups.length >= LOOKUPS_A_MINUTE) return false;
    lookups.push(at);
    return true;
  };

  return {
    async find(keyId) {
      const at = now().getTime();
      const kept = known.get(keyId);
      if (kept && at - kept.fetchedAt < KEPT_MS) return kept.key;
      if (at - (unknown.get(keyId) ?? Number.NEGATIVE_INFINITY) < MINUTE_MS) return null;
      // A key that Plaid has told us is no stranger's invention: strangers must not keep it from being asked for again.
      if (!kept && !asked.has(keyId) && !takeLookup()) {
        throw new VendorError({
          code: 'rate_limited',
          message: `Plaid: more than ${LOOKUPS_A_MINUTE} unknown keys of webhooks in a minute`,
          retryAfterMs: MINUTE_MS,
        });
      }
      return askOnce(keyId);
    },
  };
}

const MINUTE_MS = 60_000;
const LOOKUPS_A_MINUTE = 10;
/** Within it we learn that a key has expired. */
const KEPT_MS = 60 * MINUTE_MS;
const UNKNOWN_MAX = 100;

function forgetOldest(unknown: Map<string, number>): void {
  for (const keyId of unknown.keys()) {
    if (unknown.size < UNKNOWN_MAX) return;
    unknown.delete(keyId);
  }
}
