/**
 * The numbers of payments in coins (seed 002 §3.2 and §8.1; the depths, limits and delays that it does not give are our
 * proposals). An invoice pins the policy it was quoted with. Those that an installation may want otherwise are settings
 * (`config/crypto-settings.ts`); these are the usual ones.
 */
import type { ChainFamily, CryptoNetwork } from './crypto-chain.ts';

export type CryptoPolicy = {
  /** How long a rate is held (seed 002: 15 minutes). */
  quoteMinutes: number;
  /** How much less than due still pays, in hundredths of a percent (seed 002: 2 %). */
  toleranceBps: number;
  /** Confirmations for less than `largeUsdMinor`, and for that and more. `finalized` waits for the chain's own finality. */
  depth: Record<ChainFamily, { small: number; large: number | 'finalized' }>;
  largeUsdMinor: number;
  /** Depth from which a payment is never looked at again; EVM chains say it themselves. */
  finalDepth: number;
  /** How long after the expiry an unmined payment is waited for. */
  monitorMinutes: Record<ChainFamily, number>;
  /** Unseen for so long, a transaction that was never mined is given up. */
  droppedHours: number;
  /** Out of the chain for so long, a payment that had settled is lost. */
  orphanedHours: number;
  /** Below this value, and below what is due, a payment is dust. */
  dustUsdMinor: number;
  /** An excess from this value on is worth a refund. */
  excessUsdMinor: number;
  /**
   * Money that came after the expiry waits for a person, or is accepted by itself where it is still worth what is enough. Offers
   * that were made before this was known pin nothing, and wait.
   */
  late?: 'review' | 'auto';
  /** Nothing mined further for so long: the customer is told; and the operator, at the second. */
  slowMinutes: number;
  confirmationTimeoutMinutes: number;
  /** Rates: at least so many sources, none older, none further apart. */
  rateSources: number;
  rateMaxAgeSeconds: number;
  rateSpreadBps: number;
  /** A reorganisation of so many blocks pauses the chain. */
  pauseReorgDepth: Record<ChainFamily, number>;
  /** Nodes that disagree for so long, and a tip that is so old, pause it too. */
  pauseDisagreementMinutes: number;
  tipMaxAgeMinutes: Record<ChainFamily, number>;
  /** After a pause the depth is doubled for so long, and the nodes must have agreed for so many blocks. */
  cautionHours: number;
  resumeBlocks: number;
  /** A token transfer whose fee is more than this part of what is due: another way is offered. */
  highFeeBps: number;
};

/** What an installation may have set; what it has not is as usual. */
export type CryptoPolicySettings = Readonly<
  Partial<
    Pick<
      CryptoPolicy,
      | 'quoteMinutes'
      | 'toleranceBps'
      | 'depth'
      | 'largeUsdMinor'
      | 'finalDepth'
      | 'late'
      | 'slowMinutes'
      | 'confirmationTimeoutMinutes'
      | 'rateSources'
      | 'rateMaxAgeSeconds'
      | 'rateSpreadBps'
      | 'pauseReorgDepth'
    >
  >
>;

/** On a local chain a block comes when somebody mines one: its tip is not too old, ever. */
export function cryptoPolicyOn(network: CryptoNetwork, settings: CryptoPolicySettings = {}): CryptoPolicy {
  const policy = { ...standard, ...settings };
  return network === 'local' ? { ...policy, tipMaxAgeMinutes: { bitcoin: YEAR, evm: YEAR } } : policy;
}

/** As usual: what an operator decides about so much or more, in cents of US dollars, a second person approves. */
export const APPROVAL_USD_MINOR = 100_000;

const YEAR = 365 * 24 * 60;

const standard: CryptoPolicy = {
  quoteMinutes: 15,
  toleranceBps: 200,
  depth: { bitcoin: { small: 3, large: 6 }, evm: { small: 12, large: 'finalized' } },
  largeUsdMinor: 1_000_000,
  finalDepth: 100,
  monitorMinutes: { bitcoin: 24 * 60, evm: 2 * 60 },
  droppedHours: 72,
  orphanedHours: 6,
  dustUsdMinor: 100,
  excessUsdMinor: 100,
  late: 'review',
  slowMinutes: 60,
  confirmationTimeoutMinutes: 120,
  rateSources: 2,
  rateMaxAgeSeconds: 300,
  rateSpreadBps: 300,
  pauseReorgDepth: { bitcoin: 3, evm: 64 },
  pauseDisagreementMinutes: 30,
  tipMaxAgeMinutes: { bitcoin: 90, evm: 5 },
  cautionHours: 24,
  resumeBlocks: 6,
  highFeeBps: 500,
};
