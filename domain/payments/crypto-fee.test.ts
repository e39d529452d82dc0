import { expect, it } from 'vitest';
import { isFeeHigh, tokenFeeUsdMinor } from './crypto-fee.ts';

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
