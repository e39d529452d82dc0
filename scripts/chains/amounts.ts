/** How much is paid of an invoice, and how many blocks make it count. */
import type { ChainName } from '../../domain/payments/crypto-chain.ts';

/** A decimal part of an amount, such as `0.5`, rounded up to the unit. Throws a `RangeError` unless it is above 0. */
export function partOf(units: bigint, part: string): bigint {
  const [, whole = '', behind = ''] = /^(\d{1,6})(?:[.](\d{1,9}))?$/.exec(part) ?? [];
  const scale = 10n ** BigInt(behind.length);
  const numerator = BigInt(whole + behind);
  if (whole === '' || numerator === 0n) {
    throw new RangeError('--part must be a decimal above 0, such as 0.5 for a half or 1.2 for too much.');
  }
  return (units * numerator + scale - 1n) / scale;
}

/** Until the payment is deep enough; the chain's own finality is four blocks behind on the local Ethereum. */
export function blocksFor({
  chain,
  requiredDepth,
  policy: { depth },
}: {
  chain: ChainName;
  requiredDepth: number | null;
  policy: { depth: Record<'bitcoin' | 'evm', { small: number }> };
}): number {
  return Math.max(requiredDepth ?? 0, depth[chain === 'bitcoin' ? 'bitcoin' : 'evm'].small);
}
