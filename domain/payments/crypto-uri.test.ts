import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPaymentUri } from '../../test/support/payment-uri.ts';
import { checksummed } from './crypto-address.ts';
import { cryptoNetworks } from './crypto-chain.ts';
import { paymentUri } from './crypto-uri.ts';

const segwit = 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu';
const payee = '0x9858EfFD232B4033E47d90003D41EC34EcaEda94';

describe('a payment link for Bitcoin (BIP21)', () => {
  const request = { chain: 'bitcoin', network: 'mainnet', asset: 'BTC', address: segwit } as const;

  it('names the address and the amount in whole coins', () => {
    expect(paymentUri({ ...request, units: 125_000n }).link).toBe(`bitcoin:${segwit}?amount=0.00125`);
    expect(paymentUri({ ...request, units: 2_030_000_000n }).link).toBe(`bitcoin:${segwit}?amount=20.3`);
    expect(paymentUri({ ...request, units: 1n }).link).toBe(`bitcoin:${segwit}?amount=0.00000001`);
  });

  it('names who asks, whatever characters the name has', () => {
    const label = 'Müller & Söhne?amount=1#x=%';
    const { link, qr } = paymentUri({ ...request, units: 1n, label });
    expect(link).toBe(
      `bitcoin:${segwit}?amount=0.00000001&label=M%C3%BCller%20%26%20S%C3%B6hne%3Famount%3D1%23x%3D%25`,
    );
    expect(readPaymentUri(link)).toEqual({
      scheme: 'bitcoin',
      address: segwit,
      units: 1n,
      label,
      message: null,
    });
    expect(qr).not.toContain('label');
  });

  it('is a link even where the name is broken text', () => {
    expect(paymentUri({ ...request, units: 1n, label: 'a\ud800' }).link).toBe(
      `bitcoin:${segwit}?amount=0.00000001&label=a%EF%BF%BD`,
    );
  });

  it('is in capitals in a code, but for the name of the amount', () => {
    expect(paymentUri({ ...request, units: 125_000n }).qr).toBe(
      'BITCOIN:BC1QCR8TE4KR609GCAWUTMRZA0J4XV80JY8Z306FYU?amount=0.00125',
    );
  });

  it.each([
    '3GtVZYzsKF6Feikdjd4bDyPdAiyeHANY9b',
    '175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W',
    '2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc',
  ])('keeps the capitals and small letters of an older address: %s', (address) => {
    expect(paymentUri({ ...request, address, units: 125_000n }).qr).toBe(`bitcoin:${address}?amount=0.00125`);
  });

  it('pays what it asks for, to the last satoshi', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 21n * 10n ** 14n }), (units) => {
        const { link, qr } = paymentUri({ ...request, units });
        expect(readPaymentUri(link)).toMatchObject({ address: segwit, units });
        expect(readPaymentUri(qr)).toMatchObject({ address: segwit.toUpperCase(), units });
      }),
    );
  });
});

describe('a payment link for an EVM chain (ERC-681)', () => {
  const network = 'mainnet' as const;

  it('asks for USDC as a transfer of its contract, in millionths', () => {
    const units = 49_990_000n;
    const usdc = { network, asset: 'USDC', address: payee, units } as const;
    expect(paymentUri({ ...usdc, chain: 'ethereum' }).link).toBe(
      `ethereum:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48@1/transfer?address=${payee}&uint256=49990000`,
    );
    expect(paymentUri({ ...usdc, chain: 'base' }).link).toBe(
      `ethereum:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913@8453/transfer?address=${payee}&uint256=49990000`,
    );
    expect(paymentUri({ ...usdc, chain: 'polygon' }).link).toBe(
      `ethereum:0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359@137/transfer?address=${payee}&uint256=49990000`,
    );
  });

  it('asks for ETH in wei, without an exponent, on the chain it names', () => {
    const eth = { chain: 'ethereum', asset: 'ETH', address: payee.toLowerCase() } as const;
    const links = cryptoNetworks.map((name) =>
      paymentUri({ ...eth, network: name, units: 2_014n * 10n ** 15n }),
    );
    expect(links).toEqual(
      [1, 11_155_111, 31_337].map((chainId) => {
        const link = `ethereum:${payee}@${chainId}?value=2014000000000000000`;
        return { link, qr: link };
      }),
    );
  });

  it("names a local chain's own contract, and is refused without one", () => {
    const local = { chain: 'base', network: 'local', asset: 'USDC', address: payee, units: 1n } as const;
    const token = '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed';
    expect(paymentUri({ ...local, token }).link).toBe(
      `ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed@31337/transfer?address=${payee}&uint256=1`,
    );
    expect(() => paymentUri(local)).toThrow('No contract of USDC is known on base (local)');
    expect(() => paymentUri({ ...local, token: null })).toThrow(RangeError);
  });

  it('pays what it asks for, to the last unit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 256n - 1n }), (units) => {
        const eth = paymentUri({ chain: 'ethereum', network, asset: 'ETH', address: payee, units });
        expect(readPaymentUri(eth.link)).toEqual({
          scheme: 'ethereum',
          chainId: 1,
          token: null,
          address: payee,
          units,
        });
        const usdc = paymentUri({ chain: 'base', network, asset: 'USDC', address: payee, units });
        expect(readPaymentUri(usdc.link)).toEqual({
          scheme: 'ethereum',
          chainId: 8453,
          token: '0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913',
          address: payee,
          units,
        });
      }),
    );
  });
});

it.each([0n, -1n])('no link asks for %s', (units) => {
  const request = { chain: 'bitcoin', network: 'mainnet', asset: 'BTC', address: segwit, units } as const;
  expect(() => paymentUri(request)).toThrow('A payment link asks for an amount above 0');
});

/** The examples of the standards themselves: what the links above are read with reads them. */
describe('the reader of links', () => {
  const address = '175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W';
  const nothing = { scheme: 'bitcoin', address, units: null, label: null, message: null };

  it.each([
    ['', {}],
    ['?label=Luke-Jr', { label: 'Luke-Jr' }],
    ['?amount=20.3&label=Luke-Jr', { units: 2_030_000_000n, label: 'Luke-Jr' }],
    [
      '?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz',
      { units: 5_000_000_000n, label: 'Luke-Jr', message: 'Donation for project xyz' },
    ],
    ['?somethingyoudontunderstand=50&somethingelseyoudontget=999', {}],
    ['?AMOUNT=50', {}],
  ])('BIP21: follows %s', (query, read) => {
    for (const scheme of ['bitcoin', 'BITCOIN', 'Bitcoin']) {
      expect(readPaymentUri(`${scheme}:${address}${query}`)).toEqual({ ...nothing, ...read });
    }
  });

  it.each([
    '?req-somethingyoudontunderstand=50&req-somethingelseyoudontget=999',
    '?amount=50,000.00',
    '?amount=',
    '?amount=1e3',
    '?amount=0.000000001',
  ])('BIP21: does not follow %s', (query) => {
    expect(readPaymentUri(`bitcoin:${address}${query}`)).toBeNull();
  });

  it('ERC-681: follows its examples, the first of which has a wrong checksum', () => {
    const first = '0xfb6916095ca1df60bb79Ce92ce3ea74c37c5d359';
    expect(checksummed(first)).not.toBe(first);
    expect(readPaymentUri(`ethereum:${first}?value=2.014e18`)).toEqual({
      scheme: 'ethereum',
      chainId: null,
      token: null,
      address: first,
      units: 2_014_000_000_000_000_000n,
    });
    const token = '0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7';
    const to = '0x8e23ee67d1332ad560396262c48ffbb01f93d052';
    expect(readPaymentUri(`ethereum:${token}/transfer?address=${to}&uint256=1`)).toEqual({
      scheme: 'ethereum',
      chainId: null,
      token,
      address: to,
      units: 1n,
    });
  });

  it.each([
    `ethereum:${payee}?value=2.0145e2`,
    `ethereum:${payee}?value=0.5`,
    `ethereum:${payee}?value=x`,
    `ethereum:${payee}/transfer@1?address=${payee}&uint256=1`,
    `ethereum:${payee}/approve?address=${payee}&uint256=1`,
    `ethereum:${payee}/transfer?uint256=1`,
    'ethereum:vitalik.eth?value=1',
    `litecoin:${address}`,
    address,
  ])('does not follow %s', (text) => {
    expect(readPaymentUri(text)).toBeNull();
  });
});
