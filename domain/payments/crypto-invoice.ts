/**
 * What an invoice paid in coins is worth at this moment: its status and flags, computed anew from all its payments whenever
 * one of them changes, the chain grows, or time passes. Nothing is added up step by step, so that an event that comes twice,
 * late or out of order changes nothing (seed 002 §3.2, §8.1).
 */
import type { CryptoAsset } from './crypto-asset.ts';
import type { ChainName } from './crypto-chain.ts';
import type { CryptoPayment, CryptoPaymentStatus } from './crypto-payment.ts';
import type { CryptoPolicy } from './crypto-policy.ts';

export const cryptoInvoiceStatuses = [
  'awaiting',
  'processing',
  'settled',
  'final',
  'expired',
  'invalid',
  'cancelled',
] as const;

export type CryptoInvoiceStatus = (typeof cryptoInvoiceStatuses)[number];

export const cryptoInvoiceFlags = [
  'partial',
  'within_tolerance',
  'over',
  'late',
  'replaced',
  'reorged',
  'double_spent',
  'double_spend_attempt',
  'unconfirmed_parent',
  'wrong_asset',
  'wrong_chain',
  'dust',
  'review',
  'marked',
  'paused',
] as const;

export type CryptoInvoiceFlag = (typeof cryptoInvoiceFlags)[number];

/** What was agreed with the customer; an extension is a new quote with terms of its own. */
export type CryptoTerms = {
  chain: ChainName;
  asset: CryptoAsset;
  /** What is asked for, and what is enough, in the smallest unit. */
  dueUnits: bigint;
  minDueUnits: bigint;
  /** The invoice's value in US dollars, which the depth follows; cents. */
  usdMinor: number;
  expiresAt: string;
  policy: CryptoPolicy;
};

/** How far we have read a chain. */
export type ChainView = {
  chain: ChainName;
  tipHeight: number;
  /** Of the chain's own finality; null where it has none. */
  finalizedHeight: number | null;
  /** When the last poll that was read to its end had begun: what happened before it is known. Null before the first. */
  freshUntil: string | null;
  isPaused: boolean;
  /** Until then depths are doubled: the chain was paused a short while ago. */
  cautiousUntil: string | null;
};

/** What operators decided about an invoice, in the order in which they did. */
export type CryptoAct =
  | { kind: 'accept'; paymentKeys: string[]; at: string; rate: 'locked' | 'received' }
  | { kind: 'dismiss'; paymentKeys: string[]; at: string }
  | { kind: 'mark_settled' | 'mark_invalid'; at: string; txid: string | null }
  | { kind: 'cancel'; at: string };

/** What the row remembers of earlier decisions. */
export type CryptoHistory = {
  status: CryptoInvoiceStatus;
  settledAt: string | null;
};

export type CryptoDecision = {
  status: CryptoInvoiceStatus;
  flags: CryptoInvoiceFlag[];
  /** On time and alive, and of that what is deep enough. */
  creditedUnits: bigint;
  confirmedUnits: bigint;
  /** Alive but too late, not accepted by anybody. */
  lateUnits: bigint;
  excessUnits: bigint;
  /** Still missing of what is due; 0n where enough came. */
  missingUnits: bigint;
  requiredDepth: number | 'finalized';
  payments: { key: string; status: CryptoPaymentStatus; isLate: boolean; confirmations: number }[];
  /** When something changes although nothing happens: the expiry, the end of the watch; null where nothing does. */
  wakeAt: string | null;
  /** The height of the chain from which it has to be decided again; null where blocks change nothing. */
  wakeHeight: number | null;
};

export type DecideCryptoInvoice = (input: {
  terms: CryptoTerms;
  history: CryptoHistory;
  payments: readonly CryptoPayment[];
  acts: readonly CryptoAct[];
  view: ChainView;
  now: string;
}) => CryptoDecision;
