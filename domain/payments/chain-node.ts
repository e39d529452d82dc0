/**
 * What a node of a chain can be asked, in one shape for Bitcoin and for the EVM chains. A node is asked for whole blocks and
 * never for our addresses: what it costs does not depend on how many invoices are open, and no provider learns them.
 */
import type { CryptoAsset } from './crypto-asset.ts';

export type BlockRef = { height: number; hash: string };

/** Coins that moved to somebody: an output, a token's transfer, or a native coin's, by a contract as well. */
export type ChainTransfer = {
  /**
   * Identity on its chain, the same wherever the transaction is mined: Bitcoin `<txid>:<vout>`; a token's transfer
   * `<txid>:log:<n>`, n-th log of the transaction's own; a native coin's `<txid>`; one made by a contract `<txid>:call:<n>`.
   */
  key: string;
  /** Who gets it: Bitcoin's output script as hex, an EVM address in lower case. */
  to: string;
  /** Null for a token that is none of ours. */
  asset: CryptoAsset | null;
  /** The contract of a token, in lower case; null for a chain's own coin. */
  token: string | null;
  /** In the smallest unit. */
  units: bigint;
};

export type ChainTransaction = {
  /** Lower-case hex; with `0x` on EVM chains. */
  txid: string;
  /**
   * What only one transaction of a chain can use up: Bitcoin's outpoints `<txid>:<vout>`, an EVM sender's
   * `<address>:<nonce>`. Two that share one are rivals: at most one of them is ever mined.
   */
  spends: readonly string[];
  /** Empty for a transaction that failed. */
  transfers: readonly ChainTransfer[];
  /** What a mined one that failed had meant to move, as far as it says so itself. */
  attempts?: readonly FailedTransfer[];
};

/** Coins that did not move; of assets of ours only. */
export type FailedTransfer = Pick<ChainTransfer, 'to' | 'units'> & {
  asset: CryptoAsset;
  /** As far as its receipt tells. */
  failure: 'out of gas' | 'reverted';
};

export type ChainBlock = BlockRef & {
  parentHash: string;
  /** UTC instant the block claims. */
  time: string;
  transactions: readonly ChainTransaction[];
};

/** One transaction as the node knows it. */
export type FoundTransaction = ChainTransaction & {
  /** Null: in the mempool only. */
  block: BlockRef | null;
  /** Why a mined transaction moved nothing (`out of gas`, or the contract's own reason); null where it succeeded. */
  failure: string | null;
};

/** Every method throws a `VendorError`: `vendor_unavailable` for a node that does not answer, `rate_limited`, `vendor_rejected_request`. */
export type ChainNode = {
  /** Host and port, for people; never a password. */
  name: string;
  /**
   * Whether it tells of coins that contracts send on: without, such payments are not seen. Null until that is known, and absent
   * or null where nobody pays so.
   */
  readonly tracesCalls?: boolean | null;
  /** Throws `vendor_rejected_request` where the node is on another chain or network than it should be. Asked before anything is read. */
  checkNetwork(): Promise<void>;
  /** The end of the longest chain the node knows. */
  tip(): Promise<BlockRef>;
  /** The last block that cannot be reorganised away by the chain's own rules; null where a chain has none (Bitcoin). */
  finalized(): Promise<BlockRef | null>;
  /** The hash of the active chain's block at this height; null above the tip. */
  hashAt(height: number): Promise<string | null>;
  /** A block with everything in it, on the active chain or not; null where the node does not have it. */
  block(hash: string): Promise<ChainBlock | null>;
  /** Ids of what waits to be mined. Empty where the node does not tell. */
  mempool(): Promise<readonly string[]>;
  /** Those of the transactions the node (still) knows, unmined ones. Transfers made by contracts are unknown before they are mined. */
  pending(txids: readonly string[]): Promise<readonly ChainTransaction[]>;
  /** Those of these spends that a transaction of the active chain has used up: whatever else spends them is dead. */
  used(spends: readonly string[]): Promise<readonly string[]>;
  /** Null where the node does not know it. */
  find(txid: string): Promise<FoundTransaction | null>;
  /** What a transaction costs now: Bitcoin satoshi per vbyte, EVM wei per gas; null where the node has no estimate. */
  feeRate(): Promise<bigint | null>;
};
