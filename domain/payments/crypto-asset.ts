/**
 * The assets an invoice can be paid in. An amount is a `bigint` of the asset's smallest unit (satoshi, wei, millionth of a
 * USDC) in here, and a decimal string of whole coins at every border; it is never a float.
 */

export const cryptoAssets = ['BTC', 'ETH', 'USDC'] as const;

export type CryptoAsset = (typeof cryptoAssets)[number];

const decimals: Record<CryptoAsset, number> = { BTC: 8, ETH: 18, USDC: 6 };

/** Digits behind the point of one whole coin. */
export function decimalsOf(asset: CryptoAsset): number {
  return decimals[asset];
}

/** The smallest units of one whole coin. */
export function unitsPerCoin(asset: CryptoAsset): bigint {
  return 10n ** BigInt(decimals[asset]);
}

const amountForm = /^(\d{1,30})(?:[.](\d+))?$/;

/** Smallest units of a decimal of whole coins: `0.00125` BTC is 125000n. Throws a `RangeError` for anything else. */
export function unitsOf(amount: string, asset: CryptoAsset): bigint {
  const [, whole = '', behind = ''] = amountForm.exec(amount) ?? [];
  const digits = decimals[asset];
  if (whole === '' || behind.length > digits) {
    throw new RangeError(`Not an amount of ${asset}, which has ${digits} digits behind the point: ${amount}`);
  }
  return BigInt(whole + behind.padEnd(digits, '0'));
}

/** For people and for links: `0.00125`, without zeros at the end. Negative amounts keep their sign. */
export function coinsOf(units: bigint, asset: CryptoAsset): string {
  const digits = decimals[asset];
  const text = (units < 0n ? -units : units).toString().padStart(digits + 1, '0');
  const behind = text.slice(-digits).replace(/0+$/, '');
  const whole = text.slice(0, -digits);
  return `${units < 0n ? '-' : ''}${whole}${behind === '' ? '' : `.${behind}`}`;
}

/** For people: `0.00125 BTC`. */
export function formatCoins(units: bigint, asset: CryptoAsset): string {
  return `${coinsOf(units, asset)} ${asset}`;
}
