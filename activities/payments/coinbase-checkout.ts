/**
 * Asks Coinbase for a checkout and records the answer; reads it again and books what it says.
 *
 * Why it is safe to run twice: the row exists before Coinbase is called and says whether an earlier run may have asked. If one
 * may have, the checkout is first looked up by our own id; what is not shown is asked for again under the same idempotency
 * key, which Coinbase honours. The first checkout that is recorded stays; its address is all a customer is ever shown. What
 * is read is compared with what is booked and only moves forward; a payment settles once, by its id.
 */
import type { Logger } from 'pino';
import { type Database, withSystem, withTenant } from '../../db/client.ts';
import { markEventsProcessed } from '../../db/queries/operations/inbox.ts';
import { appendOutbox } from '../../db/queries/operations/outbox.ts';
import { bookCheckout, checkoutState } from '../../db/queries/payments/book-checkout.ts';
import {
  type BegunCheckout,
  beginCheckout,
  readCheckout,
  recordCheckout,
  refuseCheckout,
  tenantOfCheckout,
} from '../../db/queries/payments/coinbase-checkouts.ts';
import { VendorError } from '../../domain/errors.ts';
import {
  type CheckoutProvider,
  CheckoutRefused,
  type KnownCheckoutStatus,
  nextLookAt,
  type ProviderCheckout,
} from '../../domain/payments/coinbase-checkout.ts';
import { coinbaseCheckoutEvent } from '../../workflows/payments/coinbase-checkout.contract.ts';
import { askHourly } from '../ask-hourly.ts';

type Deps = { db: Database; checkoutProvider: CheckoutProvider };

export type PlaceCheckoutInput = { checkoutId: string; at: string };
export type SyncCheckoutInput = { checkoutId: string; inboxEventIds: string[]; at: string };

/** How the checkout stands, and when to look at it again if nobody tells of it. */
export type LookedAt = { status: KnownCheckoutStatus; lookAt: string | null };

export function createCoinbaseCheckoutActivities({ log, ...deps }: Deps & { log: Logger }) {
  const { db, checkoutProvider } = deps;
  return {
    /** Throws `VendorError` when Coinbase could not be asked or its answer was lost; run it again then. */
    async placeCoinbaseCheckout({ checkoutId, at: now }: PlaceCheckoutInput): Promise<LookedAt> {
      const at = new Date(now);
      const tenantId = await withSystem(db, (tx) => tenantOfCheckout(tx, checkoutId));
      if (tenantId === null) return unknown;
      const begun = await withTenant(db, tenantId, (tx) => beginCheckout(tx, { checkoutId, at }));
      if (begun.kind === 'ask') {
        const answer = await ask(checkoutProvider, begun);
        await withTenant(db, tenantId, (tx) =>
          answer instanceof CheckoutRefused
            ? refuseCheckout(tx, { checkoutId, reason: answer.reason, at })
            : recordCheckout(tx, { checkoutId, made: answer, at }),
        );
      }
      return stateOf(db, { tenantId, checkoutId, now });
    },

    /** Books what became of a checkout, however long Coinbase refuses our key. One that is none of ours is ignored. */
    async syncCoinbaseCheckout({ checkoutId, inboxEventIds, at: now }: SyncCheckoutInput): Promise<LookedAt> {
      const tenantId = await withSystem(db, (tx) => tenantOfCheckout(tx, checkoutId));
      if (tenantId === null) log.info({ checkoutId }, 'a checkout that is none of ours was ignored');
      else {
        const seen = await askHourly(() => fetchKnown(deps, { tenantId, checkoutId }));
        if (seen === null) {
          // The sweep tells of the event again for three days, in case somebody corrects the key meanwhile.
          log.error(
            { checkoutId },
            'Coinbase does not show a checkout of ours; is the key of another account?',
          );
          return stateOf(db, { tenantId, checkoutId, now });
        }
        await withTenant(db, tenantId, (tx) => bookCheckout(tx, { seen, at: new Date(now) }));
      }
      await withSystem(db, (tx) => markEventsProcessed(tx, { ids: inboxEventIds, tenantId }));
      return tenantId === null ? unknown : stateOf(db, { tenantId, checkoutId, now });
    },
  };
}

/**
 * Looks at a checkout of ours before something else is charged for its invoice. Where it has moved on, its process is told, and
 * looks again in its own time.
 */
export async function lookAtCheckout(
  deps: Deps,
  { tenantId, checkoutId, at }: { tenantId: string; checkoutId: string; at: Date },
): Promise<void> {
  const seen = await fetchKnown(deps, { tenantId, checkoutId });
  // One that Coinbase does not have any more (the key of another account?) is paid by nobody.
  if (seen === null) return;
  await withTenant(deps.db, tenantId, async (tx) => {
    const { status } = await readCheckout(tx, checkoutId);
    await bookCheckout(tx, { seen, at });
    const hasMoved = (await readCheckout(tx, checkoutId)).status !== status;
    if (hasMoved) await appendOutbox(tx, tenantId, [coinbaseCheckoutEvent(checkoutId, null)]);
  });
}

const unknown: LookedAt = { status: 'refused', lookAt: null };

async function stateOf(
  db: Database,
  { tenantId, checkoutId, now }: { tenantId: string; checkoutId: string; now: string },
): Promise<LookedAt> {
  const state = await withTenant(db, tenantId, (tx) => checkoutState(tx, checkoutId));
  return { status: state.status, lookAt: nextLookAt(state, now) };
}

async function ask(
  provider: CheckoutProvider,
  { request, resumed }: Extract<BegunCheckout, { kind: 'ask' }>,
): Promise<ProviderCheckout | CheckoutRefused> {
  if (resumed) {
    const known = await provider.findCheckout(request);
    if (known !== null) return known;
  }
  try {
    return await provider.createCheckout(request);
  } catch (error) {
    if (error instanceof CheckoutRefused) return error;
    throw error;
  }
}

/** By the provider's id, or by ours where that answer was lost. `null` for a checkout that the provider does not have. */
async function fetchKnown(
  { db, checkoutProvider }: Deps,
  { tenantId, checkoutId }: { tenantId: string; checkoutId: string },
): Promise<ProviderCheckout | null> {
  const { externalId } = await withTenant(db, tenantId, (tx) => readCheckout(tx, checkoutId));
  if (externalId === null) return checkoutProvider.findCheckout({ checkoutId });
  try {
    return await checkoutProvider.fetchCheckout(externalId);
  } catch (error) {
    if (error instanceof VendorError && error.code === 'not_found') return null;
    throw error;
  }
}
