/**
 * Asks the markets what coins cost: each source on its own, so that one that fails or hangs takes nothing from the others,
 * and is left alone for a while. One look serves all invoices; who keeps the prices is not its business.
 *
 * Why it is safe to run twice: it only reads, and a source is asked once at a time. Who comes while it is being asked gets the
 * answer that is under way. What it remembers of failures is lost with the process, and then each source is asked once more.
 */
import type { Logger } from '../../config/logger.ts';
import { VendorError } from '../../domain/errors.ts';
import { type CryptoAsset, cryptoAssets } from '../../domain/payments/crypto-asset.ts';
import { afterFailure, mayAsk, noBackoff, type PriceBackoff } from '../../domain/payments/price-backoff.ts';
import type { CryptoPrice, PriceSource } from '../../domain/payments/price-source.ts';

/** What became of one source in one look. */
export type PriceSourceState = {
  source: string;
  /** `backing_off`: it failed before, and was not asked. */
  outcome: 'answered' | 'failed' | 'backing_off';
  /** How many prices came; a source may answer and know none. */
  prices: number;
  /** In a row, this one included. */
  failures: number;
  /** When it is asked again at the earliest, a UTC instant; null: at the next look. */
  retryAt: string | null;
  /** Of the last failure, while it lasts: a code of `domain/errors.ts`, and a sentence for the operator. */
  error: { code: string; message: string } | null;
};

export type PriceRefresh = { prices: CryptoPrice[]; sources: PriceSourceState[] };

export type WantedPrices = { assets: readonly CryptoAsset[]; currencies: readonly string[] };

export type PriceFeed = {
  /**
   * Asks every source that is not backing off, and returns what came. Never throws: what went wrong is in the sources' states.
   * All coins in US dollars, unless other ones are wanted.
   */
  refresh(wanted?: WantedPrices): Promise<PriceRefresh>;
};

/** `clock` is what waiting is measured by; the real one by default. Keep one feed for each process: it remembers failures. */
export function createPriceFeed({
  sources,
  log,
  clock = () => new Date(),
}: {
  sources: readonly PriceSource[];
  log: Logger;
  clock?: () => Date;
}): PriceFeed {
  const watched = sources.map((source) => watch(source, { log, clock }));
  return {
    async refresh(wanted = inDollars) {
      const looks = await Promise.all(watched.map((look) => look(wanted)));
      return { prices: looks.flatMap(({ prices }) => prices), sources: looks.map(({ state }) => state) };
    },
  };
}

const inDollars: WantedPrices = { assets: cryptoAssets, currencies: ['USD'] };

type Look = { prices: CryptoPrice[]; state: PriceSourceState };

/** One source with its memory: how often it failed in a row, and the question under way. */
function watch(
  source: PriceSource,
  { log, clock }: { log: Logger; clock: () => Date },
): (wanted: WantedPrices) => Promise<Look> {
  let backoff: PriceBackoff = noBackoff;
  let error: PriceSourceState['error'] = null;
  let underWay: Promise<Look> | null = null;

  const lookWith = (outcome: PriceSourceState['outcome'], prices: CryptoPrice[]): Look => ({
    prices,
    state: { source: source.name, outcome, prices: prices.length, ...backoff, error },
  });

  const ask = async (wanted: WantedPrices): Promise<Look> => {
    try {
      const prices = await source.prices(wanted);
      if (backoff.failures > 0) log.info({ source: source.name }, 'price source answers again');
      [backoff, error] = [noBackoff, null];
      return lookWith('answered', prices);
    } catch (cause) {
      const retryAfterMs = cause instanceof VendorError ? cause.retryAfterMs : undefined;
      backoff = afterFailure(backoff, { at: clock(), retryAfterMs });
      error = describe(cause);
      log.warn({ source: source.name, ...backoff, ...error }, 'price source failed');
      return lookWith('failed', []);
    }
  };

  return (wanted) => {
    if (underWay) return underWay;
    if (!mayAsk(backoff, clock())) return Promise.resolve(lookWith('backing_off', []));
    underWay = ask(wanted).finally(() => {
      underWay = null;
    });
    return underWay;
  };
}

function describe(cause: unknown): { code: string; message: string } {
  if (cause instanceof VendorError) return { code: cause.code, message: cause.message };
  return { code: 'vendor_unavailable', message: cause instanceof Error ? cause.message : String(cause) };
}
