/**
 * Where Temporal is and how we connect: the TEMPORAL_* variables and, when they name one, a profile of
 * temporal.toml, both read by the SDK's envconfig (TLS and API keys too). A file that nobody named is not read:
 * a person's default profile may point to a production cluster.
 */
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { Config } from '../config/env.ts';

/** What to connect to. */
export type TemporalTarget = {
  address: string;
  namespace: string;
  credentials: Pick<NativeConnectionOptions, 'apiKey' | 'tls' | 'metadata'>;
};

/** Reads the environment; what it does not say comes from our configuration's defaults. */
export function temporalTarget(
  defaults: Pick<Config['temporal'], 'address' | 'namespace'>,
  env: Readonly<Record<string, string | undefined>> = process.env,
): TemporalTarget {
  const named = Boolean(env['TEMPORAL_CONFIG_FILE'] || env['TEMPORAL_PROFILE']);
  const { connectionOptions, namespace } = loadClientConnectConfig({
    disableFile: !named,
    overrideEnvVars: onlyTemporal(env),
  });
  const { address, apiKey, tls, metadata } = connectionOptions;
  return {
    address: address ?? defaults.address,
    namespace: namespace ?? defaults.namespace,
    credentials: {
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(tls === undefined ? {} : { tls }),
      ...(metadata === undefined ? {} : { metadata }),
    },
  };
}

/**
 * A client whose connection opens at the first call and again after a loss, so that Temporal may come later. While
 * it is away a call fails within a second or two: whoever calls has an outbox or a caller that tries again.
 */
export function createTemporalClient({
  target,
  dataConverter,
}: {
  target: TemporalTarget;
  dataConverter: DataConverter;
}): Client {
  const connection = Connection.lazy({
    address: target.address,
    ...target.credentials,
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: CALL_ATTEMPTS }))],
    channelArgs: { 'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS },
  });
  return new Client({ connection, namespace: target.namespace, dataConverter });
}

/** Temporal cannot be reached or has no time for us: nothing is wrong with what was asked. */
export function isTemporalAway(error: unknown): boolean {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code } = each as Error & { code?: unknown };
    if (typeof code === 'number' && awayCodes.has(code)) return true;
  }
  return false;
}

/** gRPC: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE. */
const awayCodes: ReadonlySet<number> = new Set([1, 4, 8, 14]);

const CALL_ATTEMPTS = 4;
/** The default of two minutes would keep a client away from a server that has long been back. */
const RECONNECT_MAX_MS = 2_000;

function onlyTemporal(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[0].startsWith('TEMPORAL_') && Boolean(entry[1]),
  );
  return Object.fromEntries(entries);
}
