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
    if (!('reason' in rate)) return { asset, currency, at: rate.at, failing: null };
    const detail = `${rate.message} Meanwhile nobody is quoted in it: see in the log of the workers which price source fails.`;
    return { asset, currency, at: null, failing: { reason: rate.reason, detail } };
  });
}

async function otherPrices(tx: Tx, others: readonly { currency: string }[]) {
  return others.length === 0
    ? []
    : readPrices(
        tx,
        others.map(({ currency }) => currency),
      );
}
