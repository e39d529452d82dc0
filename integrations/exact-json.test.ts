import { expect, it } from 'vitest';
import { parseExactJson } from './exact-json.ts';

it('keeps numbers as they were written, and everything else as it is', () => {
  expect(parseExactJson('{"a":0.10000000000000000001,"b":[1e-7,-0],"c":"5","d":null,"e":true}')).toEqual({
    a: '0.10000000000000000001',
    b: ['1e-7', '-0'],
    c: '5',
    d: null,
    e: true,
  });
});
