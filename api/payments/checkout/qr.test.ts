import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paymentUri } from '../../../domain/payments/crypto-uri.ts';
import { readQr } from '../../../test/support/qr.ts';
import { qrSvg } from './qr.ts';

const payee = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';

describe('a QR code', () => {
  it.each([
    ['BTC', 'bitcoin', 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu'],
    ['BTC', 'bitcoin', '3GtVZYzsKF6Feikdjd4bDyPdAiyeHANY9b'],
    ['ETH', 'ethereum', payee],
    ['USDC', 'base', payee],
  ] as const)('is read as the link it was made of: %s on %s, %s', (asset, chain, address) => {
    const { qr } = paymentUri({ asset, chain, address, network: 'mainnet', units: 123_456_789n });
    expect(readQr(qrSvg(qr, 'Pay'))).toBe(qr);
  });

  it('of whatever amount is read as the link it was made of', () => {
    const units = fc.bigInt({ min: 1n, max: 10n ** 24n });
    fc.assert(
      fc.property(units, (amount) => {
        const { qr } = paymentUri({
          asset: 'ETH',
          chain: 'ethereum',
          address: payee,
          network: 'mainnet',
          units: amount,
        });
        expect(readQr(qrSvg(qr, 'Pay'))).toBe(qr);
      }),
      { numRuns: 10 },
    );
  });

  it('of capitals has fewer modules than of small letters', () => {
    const address = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
    const side = (svg: string) => Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1]);
    const { qr, link } = paymentUri({
      asset: 'BTC',
      chain: 'bitcoin',
      address,
      network: 'mainnet',
      units: 125_000n,
    });
    expect(side(qrSvg(qr, 'Pay'))).toBeLessThan(side(qrSvg(link, 'Pay')));
  });

  it('has a title that is text, a quiet zone, and no script', () => {
    const svg = qrSvg('x', '<script>&');
    expect(svg).toMatch(
      /^<svg xmlns="http:[/][/]www[.]w3[.]org[/]2000[/]svg" viewBox="0 0 29 29" role="img" shape-rendering="crispEdges"><title>&lt;script&gt;&amp;<[/]title><path fill="#fff" d="M0 0h29v29h-29z"[/]><path fill="#000" d="M4 4h7v1h-7z/,
    );
    expect(svg).not.toContain('<script');
  });

  it('of too much is refused', () => {
    expect(() => qrSvg('x'.repeat(5000), 'Pay')).toThrow('too big');
  });
});
