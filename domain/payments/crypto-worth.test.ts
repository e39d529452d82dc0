import { describe, expect, it } from 'vitest';
import { coinsWorth } from './crypto-worth.ts';

const agreed = {
  asset: 'BTC',
  currency: 'USD',
  rate: '60000',
  dueUnits: 48_334n,
  dueMinor: 2900,
} as const;

describe('what coins are worth at the agreed rate', () => {
  it('is the invoice for what is due, though that was rounded up', () => {
    expect(coinsWorth(48_334n, agreed)).toBe(2900);
  });

  it('is less for less, and not more than the invoice', () => {
    expect(coinsWorth(48_333n, agreed)).toBe(2900);
    expect(coinsWorth(47_368n, agreed)).toBe(2842);
    expect(coinsWorth(0n, agreed)).toBe(0);
  });

  it('is the invoice and the excess for more', () => {
    expect(coinsWorth(72_501n, agreed)).toBe(4350);
    expect(coinsWorth(48_335n, agreed)).toBe(2900);
  });
});
