// Our namespace on a real server: created once, attributes usable at once, and a clear word where they cannot be.

import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterAll, expect, it } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { ensureNamespace, NamespaceSetupError } from '../../temporal/namespace.ts';
import { searchAttributeKeys, toSearchAttributePairs } from '../../workflows/search-attributes.ts';
import { temporalAddress } from '../support/services.ts';

const log = createLogger({ name: 'test', level: 'silent' });
const daySeconds = 86_400;
const { INDEXED_VALUE_TYPE_KEYWORD: keyword, INDEXED_VALUE_TYPE_TEXT: text } =
  proto.temporal.api.enums.v1.IndexedValueType;

const clients: Client[] = [];
afterAll(() => Promise.all(clients.map((client) => client.connection.close())));

function newNamespace(): Client {
  const target = { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} };
  const client = createTemporalClient({ target, dataConverter: {} });
  clients.push(client);
  return client;
}

const namespaceOf = (client: Client) => client.options.namespace;

async function retentionDays(client: Client): Promise<number> {
  const { config } = await client.workflowService.describeNamespace({ namespace: namespaceOf(client) });
  return Number(config?.workflowExecutionRetentionTtl?.seconds) / daySeconds;
}

async function register(client: Client, days: number): Promise<void> {
  await client.workflowService.registerNamespace({
    namespace: namespaceOf(client),
    workflowExecutionRetentionPeriod: proto.google.protobuf.Duration.fromObject({
      seconds: days * daySeconds,
    }),
  });
}

/** The server knows a new namespace a moment after it was registered. */
async function addAttributes(client: Client, searchAttributes: Record<string, number>): Promise<void> {
  await expect
    .poll(
      () =>
        client.connection.operatorService
          .addSearchAttributes({ namespace: namespaceOf(client), searchAttributes })
          .then(() => 'added', String),
      { timeout: 20_000 },
    )
    .toBe('added');
}

it('a new namespace keeps histories for 30 days and takes a start with every attribute right away', async () => {
  const client = newNamespace();
  await ensureNamespace({ client, log });

  expect(await retentionDays(client)).toBe(30);
  const values = {
    TenantId: 'ten_1',
    CustomerId: 'cus_1',
    EntityId: 'sub_1',
    Status: 'trial',
    PeriodEnd: '2026-03-01T00:00:00.000Z',
  };
  const handle = await client.workflow.start('any', {
    workflowId: 'any',
    taskQueue: 'nobody-polls',
    typedSearchAttributes: toSearchAttributePairs(values),
  });
  const { typedSearchAttributes } = await handle.describe();
  expect(typedSearchAttributes.get(searchAttributeKeys.tenantId)).toBe('ten_1');
  expect(typedSearchAttributes.get(searchAttributeKeys.periodEnd)).toEqual(new Date(values.PeriodEnd));
  expect(typedSearchAttributes.getAll()).toHaveLength(5);
});

it('a second run, and several at once, change nothing', async () => {
  const client = newNamespace();
  await Promise.all([1, 2, 3].map(() => ensureNamespace({ client, log })));
  await ensureNamespace({ client, log });

  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
    namespace: namespaceOf(client),
  });
  expect(Object.keys(customAttributes).sort()).toEqual([
    'CustomerId',
    'EntityId',
    'PeriodEnd',
    'Status',
    'TenantId',
  ]);
});

it('a shorter retention is raised and a longer one is left to whoever chose it', async () => {
  const [short, long] = [newNamespace(), newNamespace()];
  await Promise.all([register(short, 1), register(long, 90)]);
  await Promise.all([short, long].map((client) => ensureNamespace({ client, log })));

  await expect.poll(() => retentionDays(short), { timeout: 20_000 }).toBe(30);
  expect(await retentionDays(long)).toBe(90);
});

it('what is missing is added beside attributes of others', async () => {
  const client = newNamespace();
  await register(client, 30);
  await addAttributes(client, { TenantId: keyword, SomebodyElses: keyword });
  await ensureNamespace({ client, log });

  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
    namespace: namespaceOf(client),
  });
  expect(Object.keys(customAttributes)).toContain('SomebodyElses');
  expect(Object.keys(customAttributes)).toContain('PeriodEnd');
});

it('an attribute of another type is named with the command that puts it right, and nothing is changed', async () => {
  const client = newNamespace();
  await register(client, 30);
  await addAttributes(client, { EntityId: text });

  const failure = await ensureNamespace({ client, log }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(NamespaceSetupError);
  expect((failure as Error).message).toContain('EntityId is Text and must be Keyword');
  expect((failure as Error).message).toContain(
    `temporal operator search-attribute remove --namespace ${namespaceOf(client)} --name EntityId --yes`,
  );
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
    namespace: namespaceOf(client),
  });
  expect(customAttributes).toEqual({ EntityId: text });
});
