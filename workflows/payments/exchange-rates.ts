/** Keeps the reference rates of the days that are over. Started by its schedule, four times a day. */
import { proxyActivities } from '@temporalio/workflow';
import type { createExchangeRateActivities } from '../../activities/payments/exchange-rates.ts';
import { hourlySweep } from '../effect-classes.ts';

const { fetchExchangeRates } = proxyActivities<ReturnType<typeof createExchangeRateActivities>>(hourlySweep);

export async function exchangeRates(): Promise<Awaited<ReturnType<typeof fetchExchangeRates>>> {
  return fetchExchangeRates({ at: new Date().toISOString() });
}
