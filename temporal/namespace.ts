/**
 * Our own namespace: histories are kept for 30 days, because refusing a second start of an ended process works only
 * as long as its history is kept, and vendors deliver again for days. The search attributes must exist before
 * anything starts: a start that sets an unknown one is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { Logger } from '../config/logger.ts';
import { searchAttributeKeys } from '../workflows/search-attributes.ts';

/** Creates what is missing and waits until it can be used. Changes nothing when all is there. */
export async function ensureNamespace({
  client,
  log,
  usableWithinSeconds = 60,
}: {
  client: Client;
  log: Logger;
  usableWithinSeconds?: number;
}): Promise<void> {
  const { namespace } = client.options;
  const deadline = Date.now() + usableWithinSeconds * 1000;
  await ensureRetention(client, namespace, log);
  await retryUntil(deadline, () => ensureSearchAttributes(client, namespace, log));
  try {
    await retryUntil(deadline, () => client.workflow.count(queryOnEveryAttribute));
  } catch (cause) {
    throw notUsable(namespace, usableWithinSeconds, cause);
  }
}

/** Something only an operator can put right; the message says how. */
export class NamespaceSetupError extends Error {
  override readonly name = 'NamespaceSetupError';
}

const RETENTION_DAYS = 30;
const DAY_SECONDS = 86_400;
const POLL_MS = 250;

const { IndexedValueType } = proto.temporal.api.enums.v1;
const valueTypes = {
  KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  DATETIME: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
} as const;
const attributes = Object.values(searchAttributeKeys);

/** gRPC status codes, by number: the enumeration lives in a package of the SDK's that we do not depend on. */
const grpc = { notFound: 5, alreadyExists: 6, permissionDenied: 7, unimplemented: 12, unauthenticated: 16 };
const refusals = [grpc.permissionDenied, grpc.unimplemented, grpc.unauthenticated];

/** A longer retention is somebody's decision and stays. */
async function ensureRetention(client: Client, namespace: string, log: Logger): Promise<void> {
  const retention = proto.google.protobuf.Duration.fromObject({ seconds: RETENTION_DAYS * DAY_SECONDS });
  const present = await retentionSeconds(client, namespace);
  if (present === undefined) {
    await registerNamespace(client, { namespace, workflowExecutionRetentionPeriod: retention });
    log.info({ namespace, retentionDays: RETENTION_DAYS }, 'created the Temporal namespace');
  } else if (present < RETENTION_DAYS * DAY_SECONDS) {
    await client.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: retention },
    });
    log.info({ namespace, retentionDays: RETENTION_DAYS }, 'raised the retention of the Temporal namespace');
  }
}

async function retentionSeconds(client: Client, namespace: string): Promise<number | undefined> {
  try {
    const { config } = await client.workflowService.describeNamespace({ namespace });
    return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  } catch (error) {
    if (grpcCode(error) === grpc.notFound) return undefined;
    throw error;
  }
}

async function registerNamespace(
  client: Client,
  request: Parameters<Client['workflowService']['registerNamespace']>[0],
): Promise<void> {
  try {
    await client.workflowService.registerNamespace(request);
  } catch (error) {
    if (grpcCode(error) !== grpc.alreadyExists) throw error;
  }
}

/** The server answers "added" for a name that exists with another type and changes nothing, so we compare first. */
async function ensureSearchAttributes(client: Client, namespace: string, log: Logger): Promise<void> {
  const { operatorService } = client.connection;
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    refuseOtherTypes(customAttributes, namespace);
    const missing = attributes.filter(({ name }) => !(name in customAttributes));
    if (missing.length === 0) return;

    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map(({ name, type }) => [name, valueTypes[type]])),
    });
    log.info({ namespace, attributes: missing.map(({ name }) => name) }, 'added search attributes');
  } catch (error) {
    if (!refusals.includes(grpcCode(error) ?? 0)) throw error;
    log.warn(
      { namespace },
      'search attributes are not ours to manage on this server; checking that they exist',
    );
  }
}

function refuseOtherTypes(present: Record<string, number>, namespace: string): void {
  const wrong = attributes.filter(({ name, type }) => name in present && present[name] !== valueTypes[type]);
  if (wrong.length === 0) return;

  const lines = wrong.map(
    ({ name, type }) =>
      `  - ${name} is ${typeName(present[name])} and must be ${typeName(valueTypes[type])}:\n` +
      `      temporal operator search-attribute remove --namespace ${namespace} --name ${name} --yes`,
  );
  throw new NamespaceSetupError(
    `Search attributes of namespace "${namespace}" have another type than ours. A type cannot be changed: ` +
      `remove them and start again (they are created at start), or choose another TEMPORAL_NAMESPACE.\n${lines.join('\n')}`,
  );
}

/**
 * Matches nothing; the server refuses it as long as one of the attributes is unknown to it. Names are quoted because
 * `Status` is a word of the query language.
 */
const queryOnEveryAttribute = attributes
  .map(({ name, type }) => `\`${name}\` = '${type === 'DATETIME' ? '1970-01-01T00:00:00Z' : 'none'}'`)
  .join(' AND ');

/** Servers keep namespaces and attributes in a cache for up to ten seconds and until then do not find new ones. */
async function retryUntil(deadline: number, act: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (error instanceof NamespaceSetupError || Date.now() >= deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}

function notUsable(namespace: string, seconds: number, cause: unknown): NamespaceSetupError {
  const commands = attributes.map(
    ({ name, type }) =>
      `  temporal operator search-attribute create --namespace ${namespace} --name ${name} --type ${typeName(valueTypes[type])}`,
  );
  return new NamespaceSetupError(
    `Search attributes of namespace "${namespace}" cannot be used after ${seconds} s. ` +
      `Create those that are missing:\n${commands.join('\n')}`,
    { cause },
  );
}

function typeName(type: number | undefined): string {
  const name = Object.entries(IndexedValueType).find(([, value]) => value === type)?.[0] ?? `type ${type}`;
  const words = name.replace('INDEXED_VALUE_TYPE_', '').toLowerCase().split('_');
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function grpcCode(error: unknown): number | undefined {
  return error instanceof Error ? (error as Error & { code?: number }).code : undefined;
}
