/**
 * Coinbase Business as our provider of checkouts. It has no SDK for them, so these are plain requests.
 *
 * Why it is safe to run twice: nothing is repeated blindly. A checkout carries our id in its metadata, and the request a key
 * made of it. After an unknown outcome the caller asks `findCheckout` first; what the list does not show is asked for again
 * under the same key, for which Coinbase makes one checkout only.
 */
import { VendorError } from '../../domain/errors.ts';
import { decimalOf, type Money } from '../../domain/money.ts';
import {
  type CheckoutProvider,
  CheckoutRefused,
  type CheckoutRequest,
  checkoutKey,
  type ProviderCheckout,
} from '../../domain/payments/coinbase-checkout.ts';
import { type CoinbaseConnection, type Connection, connect } from './requests.ts';
import * as shapes from './shapes.ts';
import { COIN, COIN_CURRENCY, toProviderCheckout } from './transform.ts';

/** Connects to Coinbase Business, or to whatever listens at `apiBase`. Throws a `RangeError` on a key that is none. */
export function createCoinbaseCheckouts(connection: CoinbaseConnection): CheckoutProvider {
  const coinbase = connect(connection);
  return {
    createCheckout: (request) => createCheckout(coinbase, request),
    findCheckout: ({ checkoutId }) => findCheckout(coinbase, checkoutId),
    async fetchCheckout(externalId) {
      return readable(await coinbase.get(`/api/v1/checkouts/${externalId}`, shapes.checkout));
    },
  };
}

async function createCheckout(
  coinbase: Connection,
  { tenantId, invoiceId, checkoutId, amount, expiresAt }: CheckoutRequest,
): Promise<ProviderCheckout> {
  const body = {
    amount: decimalDollars(amount),
    currency: COIN,
    expiresAt,
    metadata: { tenantId, invoiceId, checkoutId },
  };
  const made = await coinbase.post('/api/v1/checkouts', shapes.checkout, {
    body,
    idempotencyKey: checkoutKey(checkoutId),
  });
  const checkout = readable(made, true);
  if (checkout?.owner.checkoutId !== checkoutId) throw unreadable(true);
  return checkout;
}

/** The list is in no promised order; what is not on its first pages is asked for again, and the key keeps it one. */
async function findCheckout(coinbase: Connection, checkoutId: string): Promise<ProviderCheckout | null> {
  let pageToken: string | null = null;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const query = new URLSearchParams({ pageSize: String(PAGE_SIZE) });
    if (pageToken !== null) query.set('pageToken', pageToken);
    const page: PageJson = await coinbase.get(`/api/v1/checkouts?${query}`, shapes.checkoutList);
    const own = page.checkouts.find(({ metadata }) => metadata?.['checkoutId'] === checkoutId);
    if (own !== undefined) return readable(own);
    pageToken = page.nextPageToken || null;
    if (pageToken === null) return null;
  }
  return null;
}

type PageJson = ReturnType<typeof shapes.checkoutList.parse>;

const PAGE_SIZE = 100;
const PAGES_MAX = 10;

/** `100.50`. Throws `CheckoutRefused`: a coin of another currency's is not taken. */
function decimalDollars(amount: Money): string {
  if (amount.currency === COIN_CURRENCY) return decimalOf(amount);
  throw new CheckoutRefused({
    reason: 'currency_not_supported',
    message: `Checkouts are paid in ${COIN}, which is for amounts in ${COIN_CURRENCY}; this one is in ${amount.currency}.`,
  });
}

function readable(checkout: shapes.CheckoutJson, mutates = false): ProviderCheckout | null {
  try {
    return toProviderCheckout(checkout);
  } catch (cause) {
    throw unreadable(mutates, cause);
  }
}

function unreadable(mutates: boolean, cause?: unknown): VendorError {
  return new VendorError({
    code: mutates ? 'outcome_unknown' : 'vendor_unavailable',
    message: 'Coinbase: the checkout cannot be understood',
    cause,
  });
}
