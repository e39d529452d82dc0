/** What every part of the Coinbase sandbox works on: checkouts as Coinbase shows them, events, and its clock. */
import { randomBytes } from 'node:crypto';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { EffectNote } from '../../sandbox/effect-log.ts';
import type { Collection, Store } from '../../sandbox/store.ts';
import { type VendorAnswer, VendorRefusal } from '../../sandbox/vendor.ts';

export type Refund = {
  id: string;
  checkoutId: string;
  amount: string;
  currency: 'USDC';
  status: 'PENDING' | 'COMPLETED' | 'FAILED';
  createdAt: string;
};

export type Checkout = {
  id: string;
  url: string;
  amount: string;
  currency: 'USDC';
  network: 'base';
  address: string;
  status:
    | 'ACTIVE'
    | 'PROCESSING'
    | 'COMPLETED'
    | 'DEACTIVATED'
    | 'EXPIRED'
    | 'FAILED'
    | 'REFUNDED'
    | 'PARTIALLY_REFUNDED';
  description?: string | undefined;
  expiresAt?: string | undefined;
  metadata: Record<string, string>;
  settlement?: { totalAmount: string; feeAmount: string; netAmount: string; currency: 'USDC' };
  transactionHash?: string;
  refunds?: Refund[];
  createdAt: string;
  updatedAt: string;
};

/** A webhook: its id goes into a header, the rest is the body. */
export type CoinbaseEvent = { id: string; type: string; checkout: Checkout };

export type CoinbaseContext = {
  checkouts: Collection<Checkout>;
  events: Collection<CoinbaseEvent>;
  clock: SandboxClock;
  /** Hands a new event to the webhook sender. */
  deliver(event: CoinbaseEvent): void;
};

export function openObjects(store: Store): Pick<CoinbaseContext, 'checkouts' | 'events'> {
  return { checkouts: store.collection('checkouts'), events: store.collection('events') };
}

/** `68f7a946db0529ea9b6d3a12` */
export function newObjectId(): string {
  return randomBytes(12).toString('hex');
}

export function requireCheckout({ checkouts }: CoinbaseContext, id: string): Checkout {
  const checkout = checkouts.get(id);
  if (!checkout) throw new VendorRefusal(errorAnswer(404, 'not_found', 'The checkout was not found.'));
  return checkout;
}

export function errorAnswer(status: number, errorType: string, errorMessage: string): VendorAnswer {
  return { status, body: { errorType, errorMessage, correlationId: randomBytes(8).toString('hex') } };
}

/** How the log speaks of what happened to a checkout; an amount on an `effect` means that money moved. */
export function checkoutNote(
  { id, metadata }: Checkout,
  more: Pick<EffectNote, 'outcome'> & Partial<EffectNote>,
): EffectNote {
  const { invoiceId: businessRef, checkoutId: attemptRef } = metadata;
  return { objectId: id, businessRef, attemptRef, ...more };
}
