/** One person, however the address is written. */
import { describe, expect, it } from 'vitest';
import { normaliseEmail, personKeyOf } from './person-key.ts';

describe('an address', () => {
  it.each([
    ['Ada@Example.COM', 'ada@example.com'],
    ['  ada@example.com ', 'ada@example.com'],
    ['ada+trial2@example.com', 'ada@example.com'],
    ['ada+a+b@example.com', 'ada@example.com'],
    ['ａｄａ@example.com', 'ada@example.com'],
    ['+ada@example.com', '+ada@example.com'],
    ['ada.lovelace@example.com', 'ada.lovelace@example.com'],
  ])('%j is the person %j', (email, person) => {
    expect(normaliseEmail(email)).toBe(person);
  });
});

describe('the key of a person', () => {
  it('is the same for every way to write the address and depends on the secret', () => {
    const key = personKeyOf('secret', 'ada@example.com');
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(personKeyOf('secret', 'ADA+x@example.com')).toBe(key);
    expect(personKeyOf('other', 'ada@example.com')).not.toBe(key);
  });
});
