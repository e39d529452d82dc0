/** What is sealed opens with its key and for what it was sealed, and in no other way. */
import { expect, it } from 'vitest';
import { SealError, seal, unseal } from './seal.ts';

const key = (fill: number) => new Uint8Array(32).fill(fill);
const keys = { activeKeyId: 'k1', keys: new Map([['k1', key(1)]]) };
const secret = 'https://hooks.slack.com/services/T0/B0/secret';

it('opens to what it was, and shows nothing of it', () => {
  const sealed = seal(keys, secret, 'operator_chat:ten_1');
  expect(unseal(keys, sealed, 'operator_chat:ten_1')).toBe(secret);
  expect(sealed).toMatch(/^k1:[\w+/]+=*$/);
  expect(Buffer.from(sealed.slice(3), 'base64').toString('latin1')).not.toContain('hooks');
  expect(seal(keys, secret, 'operator_chat:ten_1')).not.toBe(sealed);
});

it('opens after another key has come first, and not once its own is gone', () => {
  const sealed = seal(keys, secret, 'a');
  const rotated = {
    activeKeyId: 'k2',
    keys: new Map([
      ['k2', key(2)],
      ['k1', key(1)],
    ]),
  };
  expect(unseal(rotated, sealed, 'a')).toBe(secret);
  expect(seal(rotated, secret, 'a')).toMatch(/^k2:/);
  const without = { activeKeyId: 'k2', keys: new Map([['k2', key(2)]]) };
  expect(() => unseal(without, sealed, 'a')).toThrow(/"k1", which is not configured/);
});

it('opens for nobody else, and not after it was changed', () => {
  const sealed = seal(keys, secret, 'operator_chat:ten_1');
  const changed = `${sealed.slice(0, 10)}${sealed[10] === 'A' ? 'B' : 'A'}${sealed.slice(11)}`;
  for (const [text, about] of [
    [sealed, 'operator_chat:ten_2'],
    [changed, 'operator_chat:ten_1'],
    ['k1:AAAA', 'operator_chat:ten_1'],
    ['k1', 'operator_chat:ten_1'],
    ['', 'operator_chat:ten_1'],
  ] as const) {
    expect(() => unseal(keys, text, about)).toThrow(SealError);
  }
});
