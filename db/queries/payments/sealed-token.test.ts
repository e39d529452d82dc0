import { expect, it } from 'vitest';
import { createTokenSeal } from './sealed-token.ts';

const key = (byte: number) => new Uint8Array(32).fill(byte);
const keys = new Map([
  ['k.1', key(1)],
  ['k-2', key(2)],
]);
const first = createTokenSeal({ activeKeyId: 'k.1', keys });
const second = createTokenSeal({ activeKeyId: 'k-2', keys });
const token = 'access-sandbox-de3ce8ef-33f8-452c-a685-8671031fc0f6';

it('opens what it has sealed, and what it has sealed says nothing and is never the same twice', () => {
  const sealed = first.seal(token, 'row 1');
  expect(first.open(sealed, 'row 1')).toBe(token);
  expect(sealed).not.toContain(token);
  expect(first.seal(token, 'row 1')).not.toBe(sealed);
});

it('opens what an older key has sealed, and says that it should be sealed anew', () => {
  const sealed = first.seal(token, 'row 1');
  expect(second.open(sealed, 'row 1')).toBe(token);
  expect([first.isCurrent(sealed), second.isCurrent(sealed)]).toEqual([true, false]);
});

it.each<[string, (sealed: string) => string, string]>([
  ['for another row', (sealed) => sealed, 'row 2'],
  ['and was changed', (sealed) => `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`, 'row 1'],
  ['under another key', (sealed) => sealed.replace('k.1', 'k-2'), 'row 1'],
  ['under a key that is not there', (sealed) => sealed.replace('k.1', 'gone'), 'row 1'],
  ['and was cut off', (sealed) => sealed.slice(0, 20), 'row 1'],
])('does not open what was sealed %s, and repeats nothing of it', (_, change, about) => {
  const sealed = change(first.seal(token, 'row 1'));
  expect(() => first.open(sealed, about)).toThrow(/key|changed|cut off/);
  expect(() => first.open(sealed, about)).not.toThrow(token);
});
