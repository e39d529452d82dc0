/**
 * Frankfurter on this machine: a stand-in for the reference rates, with rates of its own for every working day up to its
 * clock, days that can be set or closed, and faults on request.
 */
import { z } from 'zod';
import { control, createControlRoutes, jsonBody } from '../sandbox/control-routes.ts';
import { createSandboxControl, openSandboxCore, type SandboxControl } from '../sandbox/core.ts';
import { jsonAnswer, serve } from '../sandbox/http.ts';
import { vendorId } from '../sandbox/random.ts';
import type { VendorAnswer, VendorRules } from '../sandbox/vendor.ts';
import { createVendorRoutes, type RequestLog } from '../sandbox/vendor-api.ts';
import { type RatesOfDay, rateOperations } from './sandbox/rates.ts';

export type FrankfurterSandboxOptions = {
  /** 0 takes a free port. */
  port: number;
  /** Where state is kept; in memory only when absent. */
  stateDir?: string;
  log?: RequestLog;
};

export type FrankfurterSandbox = SandboxControl & {
  url: string;
  /** What one euro is on a day; null closes the day. */
  setRates(day: string, rates: RatesOfDay): void;
  close(): Promise<void>;
};

/** Starts the sandbox; with a `stateDir` it goes on where an earlier one stopped. */
export async function startFrankfurterSandbox({
  port,
  stateDir,
  log,
}: FrankfurterSandboxOptions): Promise<FrankfurterSandbox> {
  const core = openSandboxCore({ vendor: 'frankfurter', stateDir });
  const { store, clock, faults } = core;
  const days = store.collection<RatesOfDay>('days');
  const setRates = (day: string, rates: RatesOfDay) => {
    days.put(day, rates);
    store.commit();
  };
  const rules = rulesOf(() => faults.plan().retryAfterSeconds);
  const common = createSandboxControl(core);
  const server = await serve({
    port,
    routes: [
      control('POST', '/_sandbox/rates', (request) => {
        const { day, rates } = ratesOfDay.parse(jsonBody(request));
        setRates(day, rates);
        return jsonAnswer(200, { day, rates });
      }),
      ...createControlRoutes(core, common),
      ...createVendorRoutes(rateOperations({ days, clock }), { ...core, rules, requestLog: log }),
    ],
    fallback: () => jsonAnswer(404, { message: 'not found' }),
  });
  return { ...common, url: server.url, setRates, close: server.close };
}

const ratesOfDay = z.strictObject({
  day: z.iso.date(),
  rates: z.record(z.string().regex(/^[A-Z]{3}$/), z.number().positive()).nullable(),
});

/** No keys of any kind: everybody may read. */
function rulesOf(retryAfterSeconds: () => number): VendorRules<unknown> {
  const failure = (status: number, headers?: Record<string, string>): VendorAnswer => ({
    status,
    body: { message: 'failed' },
    ...(headers && { headers }),
  });
  return {
    newRequestId: () => vendorId('req'),
    headers: () => ({}),
    authenticate: () => {},
    readParams: () => ({}),
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
