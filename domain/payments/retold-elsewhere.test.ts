import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sameMovements } from './retold-elsewhere.ts';

const movement = (externalId: string, differs: object = {}) => ({
  externalId,
  amountMinor: 1000,
  currency: 'USD',
  bookedOn: '2026-03-04',
  pending: false,
  texts: ['A WIRE', 'ACME'],
  ...differs,
});

it('pairs what says the very same, one to one', () => {
  const known = [movement('k1'), movement('k2')];
  expect([...sameMovements([movement('t1'), movement('t2'), movement('t3')], known)]).toEqual([
    ['k1', 't1'],
    ['k2', 't2'],
  ]);
  expect([...sameMovements([movement('t1')], known)]).toEqual([['k1', 't1']]);
});

it.each([
  { amountMinor: 1001 },
  { currency: 'EUR' },
  { bookedOn: '2026-03-05' },
  { pending: true },
  { texts: ['A WIRE'] },
  { texts: ['ACME', 'A WIRE'] },
  { texts: ['A WIRE","ACME'] },
])('pairs nothing that differs in %j', (differs) => {
  expect(sameMovements([movement('t1', differs)], [movement('k1')]).size).toBe(0);
});

it('gives no known movement two names and no name to two, and as many as there can be', () => {
  const some = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 20 });
  fc.assert(
    fc.property(some, some, (tells, knows) => {
      const told = tells.map((amountMinor, index) => movement(`t${index}`, { amountMinor }));
      const known = knows.map((amountMinor, index) => movement(`k${index}`, { amountMinor }));
      const pairs = [...sameMovements(told, known)];
      expect(new Set(pairs.map(([, name]) => name)).size).toBe(pairs.length);
      const count = (all: number[], amount: number) => all.filter((each) => each === amount).length;
      const possible = [1, 2, 3].map((amount) => Math.min(count(tells, amount), count(knows, amount)));
      expect(pairs).toHaveLength(possible.reduce((sum, each) => sum + each, 0));
    }),
  );
});
