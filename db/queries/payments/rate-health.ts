/** Whether every coin that is taken has a rate at which it could be quoted now. */
import { inArray } from 'drizzle-orm';
import type { CryptoAsset } from '../../../domain/payments/crypto-asset.ts';
import { assetsOn, type ChainName, type CryptoNetwork } from '../../../domain/payments/crypto-chain.ts';
import { type CryptoPolicySettings, cryptoPolicyOn } from '../../../domain/payments/crypto-policy.ts';
import { marketRate, type RateRefusal } from '../../../domain/payments/crypto-quote.ts';
import type { Tx } from '../../client.ts';
import { cryptoInvoices } from '../../schema/crypto.ts';
import { together } from '../../together.ts';
import { readPrices } from './crypto-quotes.ts';

export type RateHealth = {
  asset: CryptoAsset;
  currency: string;
  /** Of the oldest price in use; null where there is no rate. */
  at: string | null;
  /** Why there is none, and what to do about it; null where there is one. */
  failing: { reason: RateRefusal['reason']; detail: string } | null;
  /** What somebody should look at although quotes are made. */
  warnings: { part: 'peg'; detail: string }[];
};

/**
 * The assets of the chains that are watched, each in US dollars, which every invoice needs, and in the currencies of the
 * tenant's own invoices that wait for coins.
 */
export async function readRateHealth(
  tx: Tx,
  {
    watched,
    network,
    settings,
    now,
  }: {
    watched: readonly ChainName[];
    network: CryptoNetwork;
    settings?: CryptoPolicySettings;
    now: Date;
  },
): Promise<RateHealth[]> {
  const assets = [...new Set(watched.flatMap(assetsOn))];
  if (assets.length === 0) return [];
  const [open, dollars] = await together([
    tx
      .selectDistinct({ asset: cryptoInvoices.asset, currency: cryptoInvoices.currency })
      .from(cryptoInvoices)
      .where(inArray(cryptoInvoices.status, ['awaiting', 'processing'])),
    readPrices(tx, ['USD']),
  ]);
  const others = open.filter(({ asset, currency }) => currency !== 'USD' && assets.includes(asset));
  const prices = [...dollars, ...(await otherPrices(tx, others))];
  const inUse = [...assets.map((asset) => ({ asset, currency: 'USD' })), ...others];
  const policy = cryptoPolicyOn(network, settings);
  return inUse.map(({ asset, currency }): RateHealth => {
    const rate = marketRate(prices, { asset, currency, now, policy });
    if (!('reason' in rate)) {
      const warnings = rate.peg === 'off' ? [offPeg(asset, rate.rate)] : [];
      return { asset, currency, at: rate.at, failing: null, warnings };
    }
    const detail = `${rate.message} Meanwhile nobody is quoted in it: see in the log of the workers which price source fails.`;
    return { asset, currency, at: null, failing: { reason: rate.reason, detail }, warnings: [] };
  });
}

/**
 * What the markets put USDC at, in US dollars, and whether that is further from 1 than a cent; both null where they say nothing
 * that can be relied on.
 */
export async function readPeg(
  tx: Tx,
  {
    network,
    settings,
    now,
  }: { network: CryptoNetwork; settings?: CryptoPolicySettings | undefined; now: Date },
): Promise<{ rate: string; isOff: boolean } | { rate: null; isOff: null }> {
  const prices = await readPrices(tx, ['USD']);
  const policy = cryptoPolicyOn(network, settings);
  const market = marketRate(prices, { asset: 'USDC', currency: 'USD', now, policy });
  return 'reason' in market
    ? { rate: null, isOff: null }
    : { rate: market.rate, isOff: market.peg === 'off' };
}

function offPeg(asset: CryptoAsset, rate: string): RateHealth['warnings'][number] {
  return {
    part: 'peg',
    detail: `one ${asset} is worth ${rate} US dollars and is quoted at that; where you do not want to take it, pause its chains`,
  };
}

async function otherPrices(tx: Tx, others: readonly { currency: string }[]) {
  return others.length === 0
    ? []
    : readPrices(
        tx,
        others.map(({ currency }) => currency),
      );
}
