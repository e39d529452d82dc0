/** The questions that the three sources take, each in its own words. */
import { type CryptoAsset, cryptoAssets } from '../../../domain/payments/crypto-asset.ts';
import type { SandboxClock } from '../../sandbox/clock.ts';
import {
  type Operation,
  VendorRefusal,
  type VendorRequest,
  type VendorResult,
} from '../../sandbox/vendor.ts';
import type { Markets } from './markets.ts';

type Parts = { markets: Markets; clock: SandboxClock };

export function priceOperations(parts: Parts): Operation<URLSearchParams>[] {
  const reads = { method: 'GET', mutates: false } as const;
  return [
    { ...reads, op: 'coinbase.spot', path: '/v2/prices/:pair/spot', run: (request) => spot(request, parts) },
    { ...reads, op: 'kraken.ticker', path: '/0/public/Ticker', run: (request) => ticker(request, parts) },
    {
      ...reads,
      op: 'coingecko.price',
      path: '/api/v3/simple/price',
      run: (request) => simple(request, parts),
    },
  ];
}

function spot(
  { pathParams: { pair = '' } }: VendorRequest<URLSearchParams>,
  { markets }: Parts,
): VendorResult {
  if (markets.quirks('coinbase').errorWith200) {
    return { body: { errors: [{ id: 'rate_limit_exceeded', message: 'Too many requests' }] } };
  }
  const [base = '', currency = ''] = pair.split('-');
  const asset = assetOf(base);
  const amount = asset ? markets.price('coinbase', asset, currency) : null;
  if (amount === null) {
    const errors = [{ id: 'not_found', message: 'Invalid currency pair' }];
    throw new VendorRefusal({ status: 404, body: { errors } });
  }
  return { body: { data: { amount, base, currency } } };
}

/** Old coins and currencies have a letter more there. */
const krakenCoins: Readonly<Record<string, { asset: CryptoAsset; name: string }>> = {
  XBT: { asset: 'BTC', name: 'XXBT' },
  ETH: { asset: 'ETH', name: 'XETH' },
  USDC: { asset: 'USDC', name: 'USDC' },
};
const oldCurrencies: ReadonlySet<string> = new Set(['USD', 'EUR', 'GBP', 'JPY', 'CAD']);
const CURRENCY_LENGTH = 3;

function ticker({ params }: VendorRequest<URLSearchParams>, { markets }: Parts): VendorResult {
  if (markets.quirks('kraken').errorWith200) return { body: { error: ['EAPI:Rate limit exceeded'] } };
  const result: Record<string, object> = {};
  for (const pair of (params.get('pair') ?? '').split(',')) {
    const currency = pair.slice(-CURRENCY_LENGTH);
    const coin = krakenCoins[pair.slice(0, -CURRENCY_LENGTH)];
    const bid = coin ? markets.price('kraken', coin.asset, currency) : null;
    // One that it does not have, and none is answered.
    if (!coin || bid === null) return { body: { error: ['EQuery:Unknown asset pair'] } };
    const isOld = coin.name !== coin.asset && oldCurrencies.has(currency);
    result[isOld ? `${coin.name}Z${currency}` : pair] = tickerAt(bid);
  }
  return { body: { error: [], result } };
}

function tickerAt(price: string): object {
  return { a: [price, '1', '1.000'], b: [price, '1', '1.000'], c: [price, '0.00100000'] };
}

const coingeckoIds: Readonly<Record<string, CryptoAsset>> = {
  bitcoin: 'BTC',
  ethereum: 'ETH',
  'usd-coin': 'USDC',
};

function simple({ params }: VendorRequest<URLSearchParams>, { markets, clock }: Parts): VendorResult {
  const { errorWith200, staleSeconds } = markets.quirks('coingecko');
  if (errorWith200) return { body: { status: { error_code: 429, error_message: 'Too many requests' } } };
  const listed = (name: string) => (params.get(name) ?? '').split(',').filter((each) => each !== '');
  const body: Record<string, Record<string, number>> = {};
  for (const id of listed('ids')) {
    const asset = coingeckoIds[id];
    if (!asset) continue;
    const prices = listed('vs_currencies').flatMap((currency) => {
      const price = markets.price('coingecko', asset, currency.toUpperCase());
      // JSON has no NaN: it becomes null on the way.
      return price === null ? [] : [[currency, Number(price)] as const];
    });
    body[id] = { ...Object.fromEntries(prices), last_updated_at: clock.seconds() - staleSeconds };
  }
  return { body };
}

function assetOf(code: string): CryptoAsset | null {
  return cryptoAssets.find((asset) => asset === code) ?? null;
}
