/**
 * Frankfurter's answer in our words: the euro reference rates of the European Central Bank, day by day. A rate is taken as
 * the digits that were sent, never as the float that they would become.
 * https://frankfurter.dev/v1/
 */
import { z } from 'zod';
import { isCurrency } from '../../domain/money.ts';
import { ECB, type ExchangeRate, isRate } from '../../domain/payments/exchange-rate.ts';
import { parseExactJson } from '../exact-json.ts';

const series = z.object({
  base: z.literal('EUR'),
  rates: z.record(z.iso.date(), z.record(z.string().regex(/^[A-Z]{3}$/), z.string().refine(isRate))),
});

/** Throws where the text is not such an answer. Currencies that we cannot bill in are left out. */
export function toExchangeRates(text: string): ExchangeRate[] {
  const { base, rates } = series.parse(parseExactJson(text));
  return Object.entries(rates).flatMap(([day, quotes]) =>
    Object.entries(quotes)
      .filter(([quote]) => isCurrency(quote))
      .map(([quote, rate]) => ({ day, base, quote, rate, source: ECB })),
  );
}
