/**
 * The markets on this machine: a stand-in for Coinbase, Kraken and CoinGecko in one server, with prices of its own that can be
 * set, sources that can be told to be wrong, and faults on request.
 */
import { control, createControlRoutes, jsonBody } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { jsonAnswer, serve } from '../sandbox/http.ts';
import { vendorId } from '../sandbox/random.ts';
import type { VendorAnswer, VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { createMarkets, type SetPrice, type SetQuirks, setPrice, setQuirks } from './sandbox/markets.ts';
import { priceOperations } from './sandbox/operations.ts';

export type MarketPricesSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state is kept; in memory only when absent. */
  stateDir?: string;
  log?: RequestLog;
};

export type MarketPricesSandbox = SandboxControl & {
  url: string;
  /** What a coin costs, at one source or at all. */
  setPrice(price: SetPrice): void;
  /** How a source is wrong; `{ source }` alone ends it. */
  setQuirks(quirks: SetQuirks): void;
  close(): Promise<void>;
};

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startMarketPricesSandbox({
  port,
  stateDir,
  log,
}: MarketPricesSandboxOptions): Promise<MarketPricesSandbox> {
  const core = openSandboxCore({ vendor: 'market-prices', stateDir });
  const { store, clock, faults } = core;
  const markets = createMarkets(store, clock);
  const rules = rulesOf(() => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const server = await serve({
    port,
    routes: [
      control('POST', '/_sandbox/prices', (request) => {
        const price = setPrice.parse(jsonBody(request));
        markets.setPrice(price);
        return jsonAnswer(200, price);
      }),
      control('POST', '/_sandbox/quirks', (request) => {
        const quirks = setQuirks.parse(jsonBody(request));
        markets.setQuirks(quirks);
        return jsonAnswer(200, quirks);
      }),
      ...createControlRoutes(core, common),
      ...createVendorRoutes(priceOperations({ markets, clock }), { ...core, rules, requestLog: log }),
    ],
    fallback: () => jsonAnswer(404, { message: 'not found' }),
  });
  const { setPrice: putPrice, setQuirks: putQuirks } = markets;
  return { ...common, url: server.url, setPrice: putPrice, setQuirks: putQuirks, close: server.close };
}

/** No keys of any kind: everybody may read. */
function rulesOf(retryAfterSeconds: () => number): VendorRules<URLSearchParams> {
  const failure = (status: number, headers?: Record<string, string>): VendorAnswer => ({
    status,
    body: { message: 'failed' },
    ...(headers && { headers }),
  });
  return {
    newRequestId: () => vendorId('req'),
    headers: () => ({}),
    authenticate: () => {},
    readParams: (_op, { query }) => new URLSearchParams(query),
    keyHeader: () => null,
    replayHeaders: {},
    remembersServerErrors: false,
    failures: {
      serverError: () => failure(500),
      unavailable: () => failure(503),
      rateLimited: () => failure(429, { 'retry-after': String(retryAfterSeconds()) }),
      otherRequestUnderKey: () => failure(409),
      keyInFlight: () => failure(409),
    },
  };
}
