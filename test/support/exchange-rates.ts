/** The reference rates' sandbox and the client that reads it, as tests start them. */
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import { createFrankfurterRates } from '../../integrations/frankfurter/client.ts';
import { type FrankfurterSandbox, startFrankfurterSandbox } from '../../integrations/frankfurter/sandbox.ts';

export async function startTestRates(): Promise<{
  frankfurter: FrankfurterSandbox;
  exchangeRates: ExchangeRates;
}> {
  const frankfurter = await startFrankfurterSandbox({ port: 0 });
  return { frankfurter, exchangeRates: createFrankfurterRates({ baseUrl: frankfurter.url }) };
}
