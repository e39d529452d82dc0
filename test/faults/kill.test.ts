/**
 * The kill test: a hundred subscriptions convert and renew while workers and APIs are killed (kill -9) and the card
 * vendor drops 5 % of its answers after it has charged. The vendor's own log, grouped by invoice, decides whether
 * somebody was charged twice or not at all. The same storm over a worker that takes random keys and never looks a
 * charge up must be found wrong by the same detector: otherwise the detector proves nothing.
 *
 * `SEED=<n> npm run test:faults` plays a storm again; the seed of each run is printed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subscriptionWorkflowId } from '../../workflows/billing/subscription.contract.ts';
import { startCarelessWorkers } from './careless-workers.ts';
import { isCharge } from './detector.ts';
import { effectsOf, findWrongs, renewalsIn } from './evidence.ts';
import { type FaultStack, startFaultStack } from './fault-stack.ts';
import { planKills } from './kills.ts';
import { drain, storm } from './storm.ts';
import { createFastTenant } from './tenant.ts';
import { workflowWrongs } from './workflows.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1_000_000));
const SUBSCRIPTIONS = 100;
/** From the first subscription's start until the last one's renewal. */
const STORM_MS = 90_000;

let faults: FaultStack;

beforeAll(async () => {
  faults = await startFaultStack({ durable: false });
});

afterAll(() => faults?.close());

describe('a storm of kills, lost answers and broken webhooks', () => {
  it('charges no invoice twice and loses none, and everything comes to rest', async () => {
    const { stack, db, temporal } = faults;
    const tenant = await createFastTenant(db, { name: 'Storm' });
    const processes = [
      { name: 'workers', everyMs: [8_000, 18_000] },
      { name: 'workers-2', everyMs: [8_000, 18_000] },
      { name: 'api', everyMs: [10_000, 20_000] },
      { name: 'api-2', everyMs: [10_000, 20_000] },
    ] as const;
    const { client, subscriptionIds, killed } = await storm(faults, {
      tenant,
      seed,
      count: SUBSCRIPTIONS,
      kills: planKills({ seed, forMs: STORM_MS, victims: processes }),
      victims: processes.map(({ name }) => faults.victim(name)),
    });
    expect(new Set(killed.map(({ name }) => name)), 'who was killed').toEqual(
      new Set(processes.map(({ name }) => name)),
    );
    await drain(faults, { tenant, client });

    const { tenantId } = tenant;
    expect(await findWrongs({ home: stack.home, db, tenantId, client })).toEqual([]);
    const mustHaveEnded = subscriptionIds.map(subscriptionWorkflowId);
    expect(await workflowWrongs(temporal, { mustHaveEnded })).toEqual([]);
    const charged = effectsOf(stack.home, 'stripe-sandbox').filter(isCharge);
    expect(charged.length, 'each converted and renewed').toBeGreaterThanOrEqual(2 * SUBSCRIPTIONS);

    // What the storm was for: it raged while subscriptions renewed, and answers were lost after a charge.
    const moments = killed.map(({ at }) => at.toISOString()).sort();
    const [first = '', last = ''] = [moments[0], moments.at(-1)];
    const renewals = await renewalsIn(db, tenantId);
    const underFire = charged.filter(
      ({ businessRef, at }) => renewals.has(businessRef ?? '') && at > first && at < last,
    );
    expect(underFire.length, 'renewals charged between kills').toBeGreaterThan(SUBSCRIPTIONS / 10);
    const lost = charged.filter(({ faultInjected }) => faultInjected === 'drop_answer');
    expect(lost.length, 'answers dropped after a charge').toBeGreaterThan(0);
    console.log(`${underFire.length} renewals between kills, ${lost.length} answers dropped after a charge`);
  });

  it('is found wrong when the keys are random and nothing is looked up', async () => {
    const { stack, db } = faults;
    const earlier = effectsOf(stack.home, 'stripe-sandbox').length;
    const tenant = await createFastTenant(db, { name: 'Careless' });
    await Promise.all([stack.stopProcess('workers'), stack.stopProcess('workers-2')]);
    const careless = await startCarelessWorkers(stack, ['careless-1', 'careless-2']);
    try {
      const twice = () => {
        const charges = effectsOf(stack.home, 'stripe-sandbox').slice(earlier).filter(isCharge);
        return new Set(charges.map(({ businessRef }) => businessRef)).size < charges.length;
      };
      const processes = careless.victims.map(({ name }) => ({ name, everyMs: [8_000, 18_000] as const }));
      const { client } = await storm(faults, {
        tenant,
        seed,
        count: SUBSCRIPTIONS,
        kills: planKills({ seed, forMs: STORM_MS, victims: processes }),
        victims: careless.victims,
        until: twice,
      });
      const wrongs = await findWrongs({ home: stack.home, db, tenantId: tenant.tenantId, client });
      expect(wrongs.map(({ kind }) => kind)).toContain('charged_twice');
    } finally {
      await careless.stop();
    }
  });
});
