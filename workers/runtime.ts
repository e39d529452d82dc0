/**
 * The Temporal SDK's own run-time: its log goes into ours (so it is structured and redacted like the rest), its
 * metrics are served in Prometheus format, and the process decides itself when workers stop.
 */
import { type LogLevel, type LogMetadata, Runtime, type Logger as SdkLogger } from '@temporalio/worker';
import type { Logger } from '../config/logger.ts';

/** Once per process, before the first connection or worker. Throws when the metrics' port is taken. */
export function installRuntime({ log, metricsAddress }: { log: Logger; metricsAddress: string }): void {
  Runtime.install({
    logger: toSdkLogger(log.child({ component: 'temporal-sdk' })),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      metrics: {
        prometheus: { bindAddress: metricsAddress, countersTotalSuffix: true, useSecondsForDurations: true },
      },
    },
  });
}

/**
 * The SDK's logger interface on top of pino. While Temporal is away every poller of every worker reports each of its
 * tries; one such line in a while says the same.
 */
export function toSdkLogger(log: Logger): SdkLogger {
  let quietUntil = 0;
  const write = (level: LogLevel, message: string, meta: LogMetadata = {}) => {
    if (meta['target'] === RETRIES) {
      if (Date.now() < quietUntil) return;
      quietUntil = Date.now() + RETRIES_QUIET_MS;
    }
    log[pinoLevels[level]](meta, message);
  };
  return {
    log: write,
    trace: (message, meta) => write('TRACE', message, meta),
    debug: (message, meta) => write('DEBUG', message, meta),
    info: (message, meta) => write('INFO', message, meta),
    warn: (message, meta) => write('WARN', message, meta),
    error: (message, meta) => write('ERROR', message, meta),
  };
}

const RETRIES = 'temporalio_client::retry';
const RETRIES_QUIET_MS = 15_000;
const pinoLevels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
