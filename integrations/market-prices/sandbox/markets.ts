/**
 * What coins cost in the sandbox: invented, the same in a minute for whoever asks, near each other at all sources; or set by
 * hand, to the digit. A source can be told to be wrong about it.
 */
import { z } from 'zod';
import { readCoinRate } from '../../../domain/payments/coin-rate.ts';
import { type CryptoAsset, cryptoAssets } from '../../../domain/payments/crypto-asset.ts';
import type { SandboxClock } from '../../sandbox/clock.ts';
import type { Store } from '../../sandbox/store.ts';

const sources = ['coinbase', 'kraken', 'coingecko'] as const;

export type MarketSource = (typeof sources)[number];

const rate = z.string().refine((text) => readCoinRate(text) !== null, 'must be a decimal above 0');

export const setPrice = z.strictObject({
  asset: z.enum(cryptoAssets),
  currency: z.string().regex(/^[A-Z]{3}$/),
  /** Null: not traded. */
  rate: rate.nullable(),
  /** All of them when absent. */
  source: z.enum(sources).optional(),
});

/** A price by hand. What is set for one source goes before what is set for all. */
export type SetPrice = z.infer<typeof setPrice>;

export const setQuirks = z.strictObject({
  source: z.enum(sources),
  /** Prices are no numbers. */
  nan: z.boolean().default(false),
  /** Prices are so many hundredths of a percent too high; too low below 0. */
  shiftBps: z.number().int().gt(-10_000).default(0),
  /** Prices are so old. Only CoinGecko says how old they are. */
  staleSeconds: z.number().int().min(0).default(0),
  /** Answers with an error, and status 200. */
  errorWith200: z.boolean().default(false),
});

/** How a source is wrong; those of an earlier call end. */
export type SetQuirks = z.input<typeof setQuirks>;

export type Quirks = Omit<z.output<typeof setQuirks>, 'source'>;

export type Markets = {
  /** A decimal, or `NaN`; null where it is not traded there. */
  price(source: MarketSource, asset: CryptoAsset, currency: string): string | null;
  quirks(source: MarketSource): Quirks;
  setPrice(price: SetPrice): void;
  setQuirks(quirks: SetQuirks): void;
};

/** Kept in the store. */
export function createMarkets(store: Store, clock: SandboxClock): Markets {
  const prices = store.collection<{ rate: string | null }>('prices');
  const quirks = store.collection<Quirks>('quirks');
  const quirksOf = (source: MarketSource) => quirks.get(source) ?? noQuirks;

  return {
    price(source, asset, currency) {
      const pair = `${asset}-${currency}`;
      const given = prices.get(`${source} ${pair}`) ?? prices.get(pair);
      const found = given ? given.rate : invented(source, asset, currency, clock.now());
      if (found === null) return null;
      const { nan, shiftBps } = quirksOf(source);
      return nan ? 'NaN' : moved(found, shiftBps);
    },
    quirks: quirksOf,
    setPrice({ source, asset, currency, rate: given }) {
      const pair = `${asset}-${currency}`;
      prices.put(source === undefined ? pair : `${source} ${pair}`, { rate: given });
      store.commit();
    },
    setQuirks(input) {
      const { source, ...rest } = setQuirks.parse(input);
      quirks.put(source, rest);
      store.commit();
    },
  };
}

const noQuirks: Quirks = { nan: false, shiftBps: 0, staleSeconds: 0, errorWith200: false };

/** US dollars for a coin. */
const typical: Record<CryptoAsset, string> = { BTC: '67000', ETH: '2500', USDC: '0.9999' };

/** Units for a US dollar. */
const currencies: Readonly<Record<string, string>> = {
  USD: '1',
  EUR: '0.92',
  GBP: '0.79',
  JPY: '150',
  CHF: '0.88',
  CAD: '1.37',
  AUD: '1.52',
  INR: '83.5',
  KWD: '0.307',
};

const notAtKraken: ReadonlySet<string> = new Set(['INR', 'KWD']);

/** Hundredths of a percent by which a source is apart from the others. */
const apartBps: Record<MarketSource, number> = { coinbase: 0, kraken: -4, coingecko: 3 };

const MINUTE_MS = 60_000;

/** Within half a percent of the typical ones; of what follows the dollar, next to it. */
function invented(source: MarketSource, asset: CryptoAsset, currency: string, now: Date): string | null {
  const perDollar = currencies[currency];
  if (perDollar === undefined || (source === 'kraken' && notAtKraken.has(currency))) return null;
  const wobble = ((Math.floor(now.getTime() / MINUTE_MS) * 37) % 101) - 50;
  return moved(product(typical[asset], perDollar), apartBps[source] + (asset === 'USDC' ? 0 : wobble));
}

const BPS = 10_000n;
const BPS_PLACES = 4;

function moved(decimal: string, bps: number): string {
  const { digits, places } = partsOf(decimal);
  return decimalFrom(digits * (BPS + BigInt(bps)), places + BPS_PLACES);
}

function product(a: string, b: string): string {
  const [left, right] = [partsOf(a), partsOf(b)];
  return decimalFrom(left.digits * right.digits, left.places + right.places);
}

function partsOf(decimal: string): { digits: bigint; places: number } {
  const [whole = '', behind = ''] = decimal.split('.');
  return { digits: BigInt(whole + behind), places: behind.length };
}

function decimalFrom(digits: bigint, places: number): string {
  return readCoinRate(`${digits}e-${places}`) ?? '0';
}
