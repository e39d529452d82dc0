/** One payment in coins as the chain shows it, and what it is called. What it counts for is decided in `crypto-invoice.ts`. */
import type { CryptoAsset } from './crypto-asset.ts';
import type { ChainName } from './crypto-chain.ts';

/** What is known of a transfer to one of our addresses. Instants are UTC, in ISO 8601. */
export type CryptoPayment = {
  /** `ChainTransfer.key`, with more behind an `@` where that was of other money of ours before; unique on its chain. */
  key: string;
  chain: ChainName;
  txid: string;
  /** Null for a token that is none of ours. */
  asset: CryptoAsset | null;
  token: string | null;
  units: bigint;
  /** The active chain's block it is in; null while it is in none. */
  block: { height: number; hash: string } | null;
  /** When it was first seen by us, or the block's own time where that is earlier; what pays again inherits it. */
  effectiveAt: string;
  /** When a poll last saw it in the mempool; null where none ever did. */
  seenAt: string | null;
  /** Since when it is out of the chain, after a block that had it was reorganised away; null while it is in. */
  orphanedAt: string | null;
  /** What uses up what this one needs. */
  rival: CryptoRival | null;
  /** A parent that is not mined either: its txid. */
  unconfirmedParent: string | null;
  /** What one whole coin was worth in US dollars at `effectiveAt`; null where that is not known. */
  usdRate: string | null;
};

export type CryptoRival = {
  txid: string;
  /** Where it is mined; else null. */
  height: number | null;
  /**
   * It pays another invoice of the same tenant: the payer has changed their mind about what they pay, and cheats nobody. Not kept
   * with the payment; whoever decides looks it up.
   */
  isOurs?: boolean;
};

export const cryptoPaymentStatuses = [
  'seen',
  'mined',
  'confirmed',
  'orphaned',
  'replaced',
  'double_spent',
  'dropped',
  'ignored_dust',
  'unexpected_asset',
] as const;

export type CryptoPaymentStatus = (typeof cryptoPaymentStatuses)[number];
