// Histories hold no plain text: not in inputs, results, signals, summaries or failures. Operators read them through
// the codec endpoint.

import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger } from '../../config/logger.ts';
import { createEncryptionCodec } from '../../temporal/codec.ts';
import { type CodecServer, startCodecServer } from '../../temporal/codec-server.ts';
import { createTemporalClient } from '../../temporal/connection.ts';
import { createDataConverter, failureConverterPath } from '../../temporal/data-converter.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { temporalAddress } from '../support/services.ts';
import type { carrySecret } from './temporal-encryption.workflow.ts';

const keys = { activeKeyId: 'k1', keys: new Map([['k1', new Uint8Array(32).fill(1)]]) };
const dataConverter = createDataConverter(keys);
const target = { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} };
const workflowId = 'encrypted';
const plaintext = 'plaintext-secret';

let client: Client;
let codecServer: CodecServer;
let history: proto.temporal.api.history.v1.IHistory;
let failure: unknown;

beforeAll(async () => {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger });
  client = createTemporalClient({ target, dataConverter });
  await ensureNamespace({ client, log: createLogger({ name: 'test', level: 'silent' }) });
  codecServer = await startCodecServer({ codec: createEncryptionCodec(keys), allowedOrigins: [], port: 0 });
  const connection = await NativeConnection.connect({ address: target.address });
  const worker = await Worker.create({
    connection,
    namespace: target.namespace,
    dataConverter,
    taskQueue: 'encryption',
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./temporal-encryption.workflow.ts', import.meta.url)),
      failureConverterPath,
      logger,
    }),
    activities: {
      repeat: async (text: string) => text,
      refuse: async (text: string) => {
        throw new Error(`vendor says ${text}`);
      },
    },
  });
  await worker.runUntil(async () => {
    const handle = await client.workflow.signalWithStart<typeof carrySecret, [string]>('carrySecret', {
      workflowId,
      taskQueue: 'encryption',
      args: [plaintext],
      signal: 'told',
      signalArgs: [`${plaintext} by signal`],
      memo: { note: plaintext },
      staticSummary: `summary of ${plaintext}`,
    });
    failure = await handle.result().catch((error: unknown) => error);
    history = await handle.fetchHistory();
  });
  await connection.close();
});
afterAll(async () => {
  await codecServer.close();
  await client.connection.close();
});

const { History } = proto.temporal.api.history.v1;
const { EventType } = proto.temporal.api.enums.v1;
/** As they are stored: fetched by a client without our codec. */
async function storedBytes(): Promise<Buffer> {
  const stored = createTemporalClient({ target, dataConverter: {} });
  const { events } = await stored.workflow.getHandle(workflowId).fetchHistory();
  await stored.connection.close();
  return Buffer.from(History.encode({ events: events ?? [] }).finish());
}

it('whoever has the key reads results and failures as if nothing were encrypted', () => {
  expect(failure).toBeInstanceOf(WorkflowFailedError);
  const { cause } = failure as WorkflowFailedError;
  expect(cause).toBeInstanceOf(ApplicationFailure);
  expect(cause).toMatchObject({
    message: `ended with ${plaintext} and ${plaintext} by signal`,
    type: 'card_declined',
    details: [plaintext],
  });
});

it('the stored history holds the secret nowhere, though it went through input, result, signal, summary and failures', async () => {
  const types = (history.events ?? []).map(({ eventType }) => eventType);
  expect(types).toContain(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED);
  expect(types).toContain(EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED);
  expect(types).toContain(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED);

  const bytes = await storedBytes();
  expect(bytes.includes('carrySecret')).toBe(true);
  expect(bytes.includes('card_declined')).toBe(true);
  expect(bytes.includes('binary/encrypted')).toBe(true);
  for (const trace of ['plaintext', 'vendor says', 'ended with', 'temporal-encryption.workflow.ts']) {
    expect({ trace, found: bytes.includes(trace) }).toEqual({ trace, found: false });
  }
});

it('an operator reads every payload of the history through the codec endpoint', async () => {
  const payloads = collectPayloads(history);
  expect(payloads.length).toBeGreaterThan(8);
  const response = await fetch(`http://127.0.0.1:${codecServer.port}/decode`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-namespace': target.namespace },
    body: JSON.stringify({
      payloads: payloads.map((each) => proto.temporal.api.common.v1.Payload.fromObject(each).toJSON()),
    }),
  });
  expect(response.status).toBe(200);
  const decoded = (await response.json()) as { payloads: { data: string }[] };
  const texts = decoded.payloads.map(({ data }) => Buffer.from(data, 'base64').toString());
  expect(texts).toContain(JSON.stringify(plaintext));
  expect(texts).toContain(JSON.stringify(`${plaintext} by signal`));
  expect(texts).toContain(JSON.stringify(`summary of ${plaintext}`));
  expect(texts).toContain(JSON.stringify('calls with a plaintext-secret'));
  expect(texts.some((text) => text.includes(`vendor says ${plaintext}`))).toBe(true);
});

/** Everything in the history that has the form of an encrypted payload. */
function collectPayloads(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  const { metadata } = value as Payload;
  if (metadata && 'encryption-key-id' in metadata) return [value as Payload];
  return Object.values(value).flatMap(collectPayloads);
}
