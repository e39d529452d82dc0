/**
 * The SDK's connection: address, version, timeout and retries set here and nowhere else. The SDK repeats a
 * request whose connection closed even with retries at 0; whether anything is tried again is decided by those who
 * can look the charge up first, so that one is switched off too.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import Stripe from 'stripe';

/** Takes what pino's loggers offer. */
export type VendorLog = { debug(fields: object, message: string): void };

export type StripeConnection = {
  secretKey: string;
  /** Scheme, host and port of a sandbox or mock; Stripe itself when absent. */
  apiBase?: string | undefined;
  timeoutMs?: number;
  log?: VendorLog;
};

/** The version our transforms were written against; a newer SDK must not change it silently. */
const apiVersion = '2026-10-28.endive';

export function createStripe({ secretKey, apiBase, timeoutMs = 20_000, log }: StripeConnection): Stripe {
  const address = apiBase === undefined ? null : new URL(apiBase);
  const isPlainHttp = address?.protocol === 'http:';
  const stripe = new Stripe(secretKey, {
    apiVersion,
    timeout: timeoutMs,
    maxNetworkRetries: 0,
    telemetry: false,
    httpClient: singleTryHttpClient(isPlainHttp),
    ...(address === null
      ? {}
      : {
          protocol: isPlainHttp ? 'http' : 'https',
          host: address.hostname,
          port: address.port || (isPlainHttp ? '80' : '443'),
        }),
  });
  if (log)
    stripe.on('response', (response: Stripe.ResponseEvent) =>
      log.debug(logFields(response), 'stripe answered'),
    );
  return stripe;
}

/** Idle connections are given up before Stripe closes them, so that few requests meet a closed one. */
const idleSocketMs = 10_000;

function singleTryHttpClient(isPlainHttp: boolean): Stripe.HttpClient {
  const options = { keepAlive: true, timeout: idleSocketMs };
  const agent = isPlainHttp ? new HttpAgent(options) : new HttpsAgent(options);
  const client: Stripe.HttpClient = Stripe.createNodeHttpClient(agent);
  return {
    getClientName: () => client.getClientName(),
    makeRequest: async (...request) => {
      try {
        return await client.makeRequest(...request);
      } catch (error) {
        throw withoutRetryCode(error);
      }
    },
  };
}

/** The SDK decides by the code whether to try again on its own. */
function withoutRetryCode(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || !Stripe.HttpClient.CONNECTION_CLOSED_ERROR_CODES.includes(code))
    return error;
  return new Error(`Connection closed before the answer (${code})`, { cause: error });
}

/** The request's id finds it at Stripe; which card it was about is nothing for a log. */
function logFields({ method, path, status, request_id, elapsed }: Stripe.ResponseEvent): object {
  const [resource = ''] = path.split('?');
  const withoutCard = resource.replace(/\/(?:pm|card|src)_\w+/, '/…');
  return { method, path: withoutCard, status, requestId: request_id, elapsedMs: elapsed };
}
