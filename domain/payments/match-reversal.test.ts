import { expect, it } from 'vitest';
import { isReturn, returnCodeIn } from './match-reversal.ts';

it.each([
  ['ACH RETURN R01 NSF', 'R01'],
  ['adv48213075 r85', 'R85'],
  ['RETURN Ｒ０３', 'R03'],
  ['RETURN OF WIRE', null],
  ['RETURN R00 R86 R010 XR01', null],
])('the code of the return %j is %s, however it is written', (text, code) => {
  expect(returnCodeIn(['WIRE', text])).toBe(code);
  expect(isReturn(['WIRE', text])).toBe(true);
});
