import { expect, it } from 'vitest';
import { isFeeHigh, isWorthGivingBack, ownCoinFee, tokenFeeUsdMinor } from './crypto-fee.ts';
import { cryptoPolicyOn } from './crypto-policy.ts';

const gwei = 10n ** 9n;

it.each([
  [20n * gwei, '3000', 390],
  [1n * gwei, '3000', 20],
  [0n, '3000', 0],
  [7n, '3000.55', 0],
  [100n * gwei, '4321.5', 2809],
])('a transfer at %s wei and %s dollars an ether costs %s cents', (weiPerGas, etherRate, cents) => {
  expect(tokenFeeUsdMinor({ weiPerGas, etherRate })).toBe(cents);
});

it('is too much from above a twentieth of what is paid', () => {
  const policy = { highFeeBps: 500 };
  expect(isFeeHigh({ feeUsdMinor: 500, usdMinor: 10_000 }, policy)).toBe(false);
  expect(isFeeHigh({ feeUsdMinor: 501, usdMinor: 10_000 }, policy)).toBe(true);
});

it.each([
  ['BTC', 10n, 1_410n],
  ['ETH', 20n * gwei, 420_000n * gwei],
] as const)('sending %s at %s a unit costs %s of its smallest units', (asset, feeRate, units) => {
  expect(ownCoinFee(asset, feeRate)).toBe(units);
});

// Of 10 dollars that are due in ten million units.
it.each([
  [999_999n, 0, false],
  [1_000_000n, 0, true],
  [1_000_000n, 49, true],
  [1_000_000n, 50, false],
  [1_000_001n, 50, true],
  // What nobody knows keeps nothing back.
  [1_000_000n, null, true],
  [999_999n, null, false],
])('an excess of %s units whose fee is %s cents is given back: %s', (units, feeUsdMinor, is) => {
  const terms = { usdMinor: 1_000, dueUnits: 10_000_000n, policy: cryptoPolicyOn('mainnet') };
  expect(isWorthGivingBack({ units, feeUsdMinor }, terms)).toBe(is);
});
