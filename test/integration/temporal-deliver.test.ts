// What the relay hands to Temporal: every envelope can be delivered twice, and the answer says whether anybody heard it.

import { randomUUID } from 'node:crypto';
import { type Client, NamespaceNotFoundError, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/env.ts';
import { createLogger } from '../../config/logger.ts';
import type {
  WorkflowSignal,
  WorkflowSignalWithStart,
  WorkflowStart,
} from '../../domain/operations/outbox.ts';
import { createTemporalClient, isTemporalAway } from '../../temporal/connection.ts';
import { createDataConverter } from '../../temporal/data-converter.ts';
import { deliverToTemporal } from '../../temporal/deliver.ts';
import { ensureNamespace } from '../../temporal/namespace.ts';
import { searchAttributeKeys } from '../../workflows/search-attributes.ts';
import { temporalAddress } from '../support/services.ts';

const dataConverter = createDataConverter(loadConfig({}).encryption);
const target = { address: temporalAddress(), namespace: `test-${randomUUID()}`, credentials: {} };
const { EventType } = proto.temporal.api.enums.v1;
let client: Client;

beforeAll(async () => {
  client = createTemporalClient({ target, dataConverter });
  await ensureNamespace({ client, log: createLogger({ name: 'test', level: 'silent' }) });
});
afterAll(() => client.connection.close());

const start = (fields: Partial<WorkflowStart> = {}): WorkflowStart => ({
  topic: 'workflow.start',
  workflowType: 'subscription',
  workflowId: `subscription/${randomUUID()}`,
  taskQueue: 'billing',
  args: [{ subscriptionId: 'sub_1' }],
  reuse: 'reject_duplicate',
  ...fields,
});

const signalWithStart = (fields: Partial<WorkflowSignalWithStart> = {}): WorkflowSignalWithStart => ({
  ...start(),
  topic: 'workflow.signal_with_start',
  signal: 'dunningChanged',
  signalArgs: [{ version: 7 }],
  ...fields,
});

const signal = (workflowId: string): WorkflowSignal => ({
  topic: 'workflow.signal',
  workflowId,
  signal: 'subscriptionChanged',
  args: [{ version: 8 }],
});

const deliver = (envelope: Parameters<typeof deliverToTemporal>[1]) => deliverToTemporal(client, envelope);
const handle = (workflowId: string): WorkflowHandle => client.workflow.getHandle(workflowId);
const runIdOf = async (workflowId: string) => (await handle(workflowId).describe()).runId;

async function signalsOf(workflowId: string): Promise<number> {
  const { events } = await handle(workflowId).fetchHistory();
  return (events ?? []).filter(
    ({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  ).length;
}

describe('a start', () => {
  it('carries type, queue, search attributes, summary and the tenant as its fairness key', async () => {
    const envelope = start({
      summary: 'Subscription to pro',
      searchAttributes: { TenantId: 'ten_1', Status: 'trial', PeriodEnd: '2026-03-01T00:00:00.000Z' },
    });
    expect(await deliver(envelope)).toBe('delivered');

    const described = await handle(envelope.workflowId).describe();
    expect(described).toMatchObject({ type: 'subscription', taskQueue: 'billing' });
    expect(described.priority?.fairnessKey).toBe('ten_1');
    expect(await described.staticSummary()).toBe('Subscription to pro');
    expect(described.typedSearchAttributes.getAll()).toHaveLength(3);
    expect(described.typedSearchAttributes.get(searchAttributeKeys.status)).toBe('trial');
  });

  it('delivered twice, and five times at once, is one run', async () => {
    const envelope = start();
    expect(await deliver(envelope)).toBe('delivered');
    const runId = await runIdOf(envelope.workflowId);

    expect(await Promise.all(Array.from({ length: 5 }, () => deliver(envelope)))).toEqual(
      Array(5).fill('delivered'),
    );
    expect(await runIdOf(envelope.workflowId)).toBe(runId);
  });

  it('of an entity that has ended counts as delivered and starts nothing', async () => {
    const envelope = start();
    await deliver(envelope);
    await handle(envelope.workflowId).terminate();
    const runId = await runIdOf(envelope.workflowId);

    expect(await deliver(envelope)).toBe('delivered');
    expect(await runIdOf(envelope.workflowId)).toBe(runId);
  });

  it('of a case opens a new run after the last one has ended', async () => {
    const envelope = start({ reuse: 'allow_duplicate' });
    await deliver(envelope);
    const runId = await runIdOf(envelope.workflowId);
    expect(await deliver(envelope)).toBe('delivered');
    expect(await runIdOf(envelope.workflowId)).toBe(runId);

    await handle(envelope.workflowId).terminate();
    expect(await deliver(envelope)).toBe('delivered');
    expect(await runIdOf(envelope.workflowId)).not.toBe(runId);
  });
});

describe('a signal', () => {
  it('reaches the run', async () => {
    const { workflowId } = start();
    await deliver(start({ workflowId }));
    expect(await deliver(signal(workflowId))).toBe('delivered');
    expect(await signalsOf(workflowId)).toBe(1);
  });

  it('for a process that has ended or never was tells that nothing waits', async () => {
    const { workflowId } = start();
    expect(await deliver(signal(workflowId))).toBe('nothing_waits');

    await deliver(start({ workflowId }));
    await handle(workflowId).terminate();
    expect(await deliver(signal(workflowId))).toBe('nothing_waits');
  });
});

describe('a signal with start', () => {
  it('starts the run with its signal, and signals the same run when it comes again', async () => {
    const envelope = signalWithStart({ reuse: 'allow_duplicate', searchAttributes: { TenantId: 'ten_1' } });
    expect(await deliver(envelope)).toBe('delivered');
    const runId = await runIdOf(envelope.workflowId);

    expect(await deliver(envelope)).toBe('delivered');
    expect(await runIdOf(envelope.workflowId)).toBe(runId);
    expect(await signalsOf(envelope.workflowId)).toBe(2);
    expect((await handle(envelope.workflowId).describe()).priority?.fairnessKey).toBe('ten_1');
  });

  it('opens a new run of a case that has ended', async () => {
    const envelope = signalWithStart({ reuse: 'allow_duplicate' });
    await deliver(envelope);
    const runId = await runIdOf(envelope.workflowId);
    await handle(envelope.workflowId).terminate();

    expect(await deliver(envelope)).toBe('delivered');
    expect(await runIdOf(envelope.workflowId)).not.toBe(runId);
  });

  it('for an entity that has ended tells that nothing waits and starts nothing', async () => {
    const envelope = signalWithStart({ reuse: 'reject_duplicate' });
    await deliver(envelope);
    await handle(envelope.workflowId).terminate();
    const runId = await runIdOf(envelope.workflowId);

    expect(await deliver(envelope)).toBe('nothing_waits');
    expect(await runIdOf(envelope.workflowId)).toBe(runId);
  });
});

describe('what Temporal did not take is thrown, so that it is delivered again', () => {
  it('when the server cannot be reached, and then it is known to be away', async () => {
    const unreachable = createTemporalClient({
      target: { ...target, address: '127.0.0.1:1' },
      dataConverter,
    });
    const failure = await deliverToTemporal(unreachable, start()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(isTemporalAway(failure)).toBe(true);
    await unreachable.connection.close();
  });

  it('when the namespace is missing: a signal into nothing must not look like one that nobody waits for', async () => {
    const elsewhere = createTemporalClient({ target: { ...target, namespace: 'missing' }, dataConverter });
    await expect(deliverToTemporal(elsewhere, signal('subscription/1'))).rejects.toThrow(
      NamespaceNotFoundError,
    );
    await expect(deliverToTemporal(elsewhere, start())).rejects.toThrow(NamespaceNotFoundError);
    await elsewhere.connection.close();
  });

  it('when the server refuses the envelope, which is then not mistaken for an outage', async () => {
    const refused = await deliver(start({ workflowId: 'x'.repeat(1001) })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
    expect(isTemporalAway(refused)).toBe(false);
  });
});
