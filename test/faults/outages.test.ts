/**
 * A server goes away under load and comes back. While Temporal is away the API takes what it can (202, 201) and says
 * clearly what it cannot (503 with Retry-After), and webhooks are taken; while PostgreSQL is away everything is a clear
 * 503, never a 500. Afterwards every accepted call and every webhook has had its effect, once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answersOk } from '../../scripts/processes.ts';
import type { Stack } from '../../scripts/stack.ts';
import { eventually } from './eventually.ts';
import { type FaultStack, startFaultStack } from './fault-stack.ts';
import { createOutageScene, EACH } from './outage-scene.ts';

const WAIT_MS = 60_000;

let faults: FaultStack;

beforeAll(async () => {
  faults = await startFaultStack({ durable: true });
});

afterAll(() => faults?.close());

describe('Temporal is away', () => {
  it('loses no accepted call and no webhook, and nothing happens twice', async () => {
    const { stack } = faults;
    const scene = await createOutageScene(faults);
    await stack.kill('temporal');

    const [created] = await Promise.all([
      scene.startSubscriptions(),
      scene.recordPayments(),
      scene.refundPayments(),
    ]);
    const cancelling = scene.cancelSubscriptions();
    const isTold = async () => (await scene.refundWebhooks()).every(({ state }) => state === 'delivered');
    expect(await eventually(isTold, WAIT_MS), 'webhooks are taken').toBe(true);
    const answers = (await scene.refundWebhooks()).flatMap((delivery) => delivery.answers);
    expect(answers).toEqual(Array.from({ length: EACH }, () => 200));
    const accepted = scene.client.acknowledged().filter(({ key }) => key.startsWith('subscription-away'));
    expect(accepted.map(({ status }) => status)).toEqual(created.map(() => 202));
    expect(await answersOk(`${stack.urls.api}/healthz`), 'the API itself is well').toBe(true);
    expect(await answersOk(`${stack.urls.api}/readyz`), 'and says that something is missing').toBe(false);

    await stack.start('temporal');
    await cancelling;
    await scene.expectEverythingOnce(created);
    await expectReady(stack);
  });

  it('does what came due meanwhile once, late, when it is back: trials end, ladders go on', async () => {
    const { stack } = faults;
    const scene = await createOutageScene(faults, { trialDays: 15 });
    const trials = await scene.startTrials();
    await stack.kill('temporal');
    expect(await eventually(scene.isEverythingDue, WAIT_MS), 'everything has come due').toBe(true);
    const states = await scene.states();
    expect(
      trials.map((id) => states.get(id)),
      'nothing is done meanwhile',
    ).toEqual(trials.map(() => 'trialing'));

    await stack.start('temporal');
    await scene.expectDueDoneOnce(trials);
    await expectReady(stack);
  });
});

describe('PostgreSQL is away', () => {
  it('answers a clear 503, never a 500, and everything goes on when it is back', async () => {
    const { stack } = faults;
    const scene = await createOutageScene(faults);
    await stack.kill('postgres', 'SIGQUIT');

    const writing = Promise.all([scene.startSubscriptions(), scene.recordPayments()]);
    await scene.refundPayments();
    const wasRefused = async () =>
      (await scene.refundWebhooks()).every((delivery) => delivery.answers.includes(503));
    expect(await eventually(wasRefused, WAIT_MS), 'webhooks are sent away for now').toBe(true);
    const paths = ['/v1/subscriptions', '/v1/plans', '/v1/notifications'];
    const asked = await Promise.all(
      paths.map((path) => ask(`${stack.urls.api}${path}`, scene.tenant.apiKey)),
    );
    expect(asked).toEqual(paths.map(() => ({ status: 503, code: 'database_unavailable', saysWhen: true })));
    expect(await answersOk(`${stack.urls.api}/healthz`), 'the API itself is well').toBe(true);

    await stack.start('postgres');
    const [created] = await writing;
    await scene.expectEverythingOnce(created);
    const answers = (await scene.refundWebhooks()).flatMap((delivery) => delivery.answers);
    expect([...new Set(answers)].sort()).toEqual([200, 503]);
    await expectReady(stack);
  });
});

/** Nobody had to be started again, and everybody can work. */
async function expectReady(stack: Stack): Promise<void> {
  for (const name of ['workers', 'workers-2', 'api', 'api-2']) {
    const { isRunning, lastLines } = stack.process(name);
    expect(isRunning(), `${name} outlived it; it said ${lastLines().at(-1)}`).toBe(true);
  }
  const areReady = async () =>
    (await answersOk(`${stack.urls.worker}/readyz`)) && (await answersOk(`${stack.urls.api}/readyz`));
  expect(await eventually(areReady, WAIT_MS), 'workers and API are ready').toBe(true);
}

/** One request that is not repeated. */
async function ask(
  url: string,
  apiKey: string,
): Promise<{ status: number; code: unknown; saysWhen: boolean }> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } });
  const { code } = (await response.json()) as { code?: unknown };
  return { status: response.status, code, saysWhen: response.headers.has('retry-after') };
}
