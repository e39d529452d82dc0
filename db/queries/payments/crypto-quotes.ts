/** What an amount comes to in coins at this moment, out of the last words of the price sources. */
import { inArray } from 'drizzle-orm';
import { stateConflict } from '../../../domain/errors.ts';
import type { Money } from '../../../domain/money.ts';
import type { CryptoAsset } from '../../../domain/payments/crypto-asset.ts';
import type { CryptoPolicy } from '../../../domain/payments/crypto-policy.ts';
import { fiatValueOf, marketRate, quote } from '../../../domain/payments/crypto-quote.ts';
import type { CryptoPrice } from '../../../domain/payments/price-source.ts';
import type { Tx } from '../../client.ts';
import { cryptoPrices } from '../../schema/crypto.ts';
import type { CryptoInvoiceRow } from './observe-chain.ts';

/** The columns of a quote. */
export type QuotedColumns = Pick<
  CryptoInvoiceRow,
  'dueMinor' | 'currency' | 'usdMinor' | 'rate' | 'rateSources' | 'rateAt' | 'dueUnits' | 'minDueUnits'
>;

/** Throws `state_conflict`: `rates_too_few`, `rates_stale`, `rates_apart`, `amount_too_small`. */
export async function quoteNow(
  tx: Tx,
  { due, asset, policy, at }: { due: Money; asset: CryptoAsset; policy: CryptoPolicy; at: Date },
): Promise<QuotedColumns> {
  const { amountMinor: dueMinor, currency } = due;
  const prices = await readPrices(tx, [currency, 'USD']);
  const market = marketRate(prices, { asset, currency, now: at, policy });
  if ('reason' in market) throw stateConflict(market.reason, market.message);
  const quoted = quote({ due, asset, rate: market.rate, policy });
  if ('reason' in quoted) throw stateConflict(quoted.reason, quoted.message);
  const dollars =
    currency === 'USD' ? market : marketRate(prices, { asset, currency: 'USD', now: at, policy });
  if ('reason' in dollars) throw stateConflict(dollars.reason, dollars.message);
  const usdMinor = currency === 'USD' ? dueMinor : fiatValueOf(quoted.due, dollars.rate, asset, 'USD');
  if (usdMinor < policy.dustUsdMinor) {
    throw stateConflict(
      'amount_too_small',
      'An amount below one US dollar is not taken in coins; take another means of payment.',
    );
  }
  const { rate, sources: rateSources, at: rateAt } = market;
  const { due: dueUnits, minDue: minDueUnits } = quoted;
  return { dueMinor, currency, usdMinor, rate, rateSources, rateAt: new Date(rateAt), dueUnits, minDueUnits };
}

export async function readPrices(tx: Tx, currencies: readonly string[]): Promise<CryptoPrice[]> {
  const rows = await tx
    .select()
    .from(cryptoPrices)
    .where(inArray(cryptoPrices.currency, [...new Set(currencies)]));
  return rows.map(({ source, asset, currency, rate, side, at }) => ({
    source,
    asset,
    currency,
    rate,
    side,
    at: at.toISOString(),
  }));
}
