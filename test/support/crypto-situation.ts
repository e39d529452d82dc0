/** An invoice in coins, its payments and its chain, with little said: T is the quote, the expiry fifteen minutes later. */
import type { ChainName } from '../../domain/payments/crypto-chain.ts';
import {
  type ChainView,
  type CryptoDecision,
  type CryptoHistory,
  type CryptoInvoiceInput,
  type CryptoTerms,
  decideCryptoInvoice,
} from '../../domain/payments/crypto-invoice.ts';
import type { CryptoPayment } from '../../domain/payments/crypto-payment.ts';
import { cryptoPolicyOn } from '../../domain/payments/crypto-policy.ts';

export const quotedAt = '2026-03-02T10:00:00.000Z';

/** `14:59`, `15:00.001`, `26h`, `-5m`: an instant counted from the quote, in minutes and seconds. */
export function at(text: string): string {
  const [, minutes = '', seconds = ''] = /^(\d+):(\d+(?:[.]\d+)?)$/.exec(text) ?? [];
  const [, count = '', unit = ''] = /^(-?\d+)([smhd])$/.exec(text) ?? [];
  if (minutes === '' && count === '') throw new RangeError(`Not a moment: ${text}`);
  const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
  const afterSeconds =
    minutes === '' ? Number(count) * (unitSeconds[unit] ?? 1) : Number(minutes) * 60 + Number(seconds);
  return new Date(Date.parse(quotedAt) + Math.round(afterSeconds * 1000)).toISOString();
}

/** 0.001 BTC for 100 dollars: a dollar is a thousand satoshi. */
export function termsOf(changes: Partial<CryptoTerms> = {}): CryptoTerms {
  return {
    chain: 'bitcoin',
    asset: 'BTC',
    dueUnits: 100_000n,
    minDueUnits: 98_000n,
    usdMinor: 10_000,
    expiresAt: at('15:00'),
    policy: cryptoPolicyOn('mainnet'),
    ...changes,
  };
}

/** 0.05 ETH for 100 dollars: a dollar is 0.0005 ETH. */
export function etherTermsOf(changes: Partial<CryptoTerms> = {}): CryptoTerms {
  return termsOf({
    chain: 'ethereum',
    asset: 'ETH',
    dueUnits: 50_000_000_000_000_000n,
    minDueUnits: 49_000_000_000_000_000n,
    ...changes,
  });
}

export function paymentOf(changes: Partial<CryptoPayment> = {}): CryptoPayment {
  const txid = changes.txid ?? 'a'.repeat(64);
  return {
    key: `${txid}:0`,
    chain: 'bitcoin',
    txid,
    asset: 'BTC',
    token: null,
    units: 100_000n,
    block: null,
    effectiveAt: at('10:00'),
    seenAt: at('10:00'),
    orphanedAt: null,
    rival: null,
    unconfirmedParent: null,
    usdRate: null,
    ...changes,
  };
}

/** In the block at this height. */
export function minedAt(height: number): CryptoPayment['block'] {
  return { height, hash: `block-${height}` };
}

export function viewOf(changes: Partial<ChainView> = {}): ChainView {
  const chain: ChainName = changes.chain ?? 'bitcoin';
  return {
    chain,
    tipHeight: 100,
    finalizedHeight: chain === 'bitcoin' ? null : 50,
    freshUntil: null,
    isPaused: false,
    cautiousUntil: null,
    ...changes,
  };
}

type Given = {
  terms?: CryptoTerms;
  history?: Partial<CryptoHistory>;
  payments?: readonly CryptoPayment[];
  acts?: CryptoInvoiceInput['acts'];
  /** Of the invoice's own chain; it is fresh up to `now` where nothing else is said. */
  view?: Partial<ChainView>;
  others?: readonly ChainView[];
  /** As `at` reads it. */
  now?: string;
};

export function inputOf(given: Given = {}): CryptoInvoiceInput {
  const terms = given.terms ?? termsOf();
  const now = at(given.now ?? '11:00');
  return {
    terms,
    history: { status: 'awaiting', settledAt: null, flags: [], ...given.history },
    payments: given.payments ?? [],
    acts: given.acts ?? [],
    views: [viewOf({ chain: terms.chain, freshUntil: now, ...given.view }), ...(given.others ?? [])],
    now,
  };
}

export function decided(given: Given = {}): CryptoDecision {
  return decideCryptoInvoice(inputOf(given));
}

/** What an invoice remembers of a decision when it is decided again. */
export function historyOf(decision: CryptoDecision, before: CryptoHistory, now: string): CryptoHistory {
  const isNew = decision.status === 'settled' || decision.status === 'final';
  const wasPaid = before.status === 'settled' || before.status === 'final';
  return {
    status: decision.status,
    settledAt: isNew && !wasPaid ? now : before.settledAt,
    flags: decision.flags,
  };
}
