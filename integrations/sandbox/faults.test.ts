import { expect, it } from 'vitest';
import { createFaults } from './faults.ts';

function draws(plan: object, count: number, op = 'charge'): (string | null)[] {
  const faults = createFaults();
  faults.set(plan);
  return Array.from({ length: count }, () => faults.draw(op));
}

it('no fault is drawn without a plan', () => {
  expect(draws({}, 100)).toEqual(Array(100).fill(null));
});

it('the same seed plays the same faults, another seed others', () => {
  const rates = { drop_answer: 0.3, delay: 0.1 };
  expect(draws({ seed: 7, rates }, 200)).toEqual(draws({ seed: 7, rates }, 200));
  expect(draws({ seed: 7, rates }, 200)).not.toEqual(draws({ seed: 8, rates }, 200));
});

it('faults come about as often as the rates say', () => {
  const drawn = draws({ seed: 1, rates: { error_before: 0.05, error_after: 0.1 } }, 20_000);
  const share = (fault: string) => drawn.filter((one) => one === fault).length / drawn.length;
  expect(share('error_before')).toBeCloseTo(0.05, 2);
  expect(share('error_after')).toBeCloseTo(0.1, 2);
});

it('a script comes first, for its operation only and as often as it says', () => {
  const plan = { next: [{ fault: 'refuse', op: 'charge', times: 2 }] };
  expect(draws(plan, 3)).toEqual(['refuse', 'refuse', null]);
  expect(draws(plan, 3, 'refund')).toEqual([null, null, null]);
});

it('rates apply to the operations that are named', () => {
  const plan = { ops: ['charge'], rates: { refuse: 1 } };
  expect(draws(plan, 1)).toEqual(['refuse']);
  expect(draws(plan, 1, 'refund')).toEqual([null]);
});

it.each([
  { rates: { refuse: 1.5 } },
  { rates: { explode: 1 } },
  { surprise: true },
  { next: [{ fault: 'no' }] },
])('a plan that makes no sense is refused: %j', (plan) => {
  expect(() => createFaults().set(plan)).toThrow();
});
