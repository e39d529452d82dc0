/** What the bench's scenarios cost in Temporal actions: the same numbers on every machine, and within their aims. */
import { beforeAll, expect, it } from 'vitest';
import { actionAims } from '../../scripts/bench/aims.ts';
import { runScenarios, type Scenario } from '../../scripts/bench/scenarios.ts';

const costs = [
  { name: 'trial-converts', actions: 10 },
  { name: 'quiet-month', actions: 4 },
  { name: 'dunning-30-days', actions: 17 },
  { name: 'upgrade', actions: 3 },
  { name: 'recovered-renewal', actions: 9 },
  { name: 'refund', actions: 4 },
  { name: 'crypto-paid', actions: 4 },
  { name: 'bank-transfer-paid', actions: 6 },
];

let scenarios: Scenario[];

beforeAll(async () => {
  scenarios = await runScenarios();
}, 300_000);

it('the bench plays every scenario, in the order in which it tells them', () => {
  expect(scenarios.map(({ name }) => name)).toEqual(costs.map(({ name }) => name));
  expect(Object.keys(actionAims)).toEqual(costs.map(({ name }) => name));
});

it.each(costs)('$name costs $actions actions, within its aim', ({ name, actions }) => {
  const cost = costOf(name);
  expect(cost.actions).toBe(actions);
  expect(cost.actions).toBeLessThanOrEqual(actionAims[name] ?? 0);
});

const withoutVendor = ['crypto-paid', 'bank-transfer-paid'];

it.each(costs.filter(({ name }) => !withoutVendor.includes(name)))(
  '$name counts its history events and its calls to the card vendor',
  ({ name }) => {
    const { historyEvents, vendorCalls } = costOf(name);
    expect(historyEvents).toBeGreaterThan(0);
    expect(vendorCalls).toBeGreaterThan(0);
  },
);

it.each(withoutVendor)('%s calls no card vendor', (name) => {
  const { historyEvents, vendorCalls } = costOf(name);
  expect(historyEvents).toBeGreaterThan(0);
  expect(vendorCalls).toBe(0);
});

function costOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`The bench does not play ${name}`);
  return found;
}
