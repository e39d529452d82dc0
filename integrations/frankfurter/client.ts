/**
 * Reference rates by Frankfurter, which serves those of the European Central Bank without a key. It is only read: whatever
 * goes wrong, nothing has happened, and it is asked again.
 */
import { VendorError } from '../../domain/errors.ts';
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import { toExchangeRates } from './transform.ts';

export type FrankfurterConnection = { baseUrl: string; timeoutMs?: number };

export function createFrankfurterRates({
  baseUrl,
  timeoutMs = 15_000,
}: FrankfurterConnection): ExchangeRates {
  return {
    async published({ from, to }) {
      const response = await ask(`${baseUrl}/v1/${from}..${to}`, timeoutMs);
      // Nothing was published in such a range: a weekend.
      if (response.status === 404) return [];
      if (!response.ok) throw refused(response);
      try {
        const rates = toExchangeRates(await response.text());
        // A range that begins on a holiday is answered from the day before it on.
        return rates.filter(({ day }) => day >= from && day <= to);
      } catch (cause) {
        throw new VendorError({
          code: 'vendor_unavailable',
          message: 'Frankfurter: no readable answer',
          cause,
        });
      }
    },
  };
}

async function ask(url: string, timeoutMs: number): Promise<Response> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  } catch (cause) {
    throw new VendorError({ code: 'vendor_unavailable', message: 'Frankfurter: no answer', cause });
  }
}

function refused({ status, headers }: Response): VendorError {
  const retryAfterSeconds = Number(headers.get('retry-after') ?? Number.NaN);
  const isOurs = status >= 400 && status < 500 && status !== 429;
  return new VendorError({
    code: status === 429 ? 'rate_limited' : isOurs ? 'vendor_rejected_request' : 'vendor_unavailable',
    message: `Frankfurter: status ${status}`,
    ...(Number.isFinite(retryAfterSeconds) && { retryAfterMs: retryAfterSeconds * 1000 }),
  });
}
