import { expect, it } from 'vitest';
import { toExchangeRates } from './transform.ts';

it('reads the rates of each day as the digits that were sent', () => {
  const answer = `{"amount":1.0,"base":"EUR","start_date":"2024-11-22","end_date":"2024-11-25","rates":{
    "2024-11-22":{"USD":1.0412,"JPY":161.0},
    "2024-11-25":{"USD":1.0495,"HUF":409.33,"XAU":0.00038,"ISK":145}}}`;
  expect(toExchangeRates(answer)).toEqual([
    { day: '2024-11-22', base: 'EUR', quote: 'USD', rate: '1.0412', source: 'ecb' },
    { day: '2024-11-22', base: 'EUR', quote: 'JPY', rate: '161.0', source: 'ecb' },
    { day: '2024-11-25', base: 'EUR', quote: 'USD', rate: '1.0495', source: 'ecb' },
    { day: '2024-11-25', base: 'EUR', quote: 'HUF', rate: '409.33', source: 'ecb' },
    { day: '2024-11-25', base: 'EUR', quote: 'ISK', rate: '145', source: 'ecb' },
  ]);
});

it('keeps digits that no float holds', () => {
  const answer = '{"base":"EUR","rates":{"2024-11-22":{"USD":1.23456789012345678901}}}';
  expect(toExchangeRates(answer)[0]?.rate).toBe('1.23456789012345678901');
});

it.each([
  ['another base', '{"base":"USD","rates":{"2024-11-22":{"EUR":0.96}}}'],
  ['a rate of 0', '{"base":"EUR","rates":{"2024-11-22":{"USD":0}}}'],
  ['a rate below 0', '{"base":"EUR","rates":{"2024-11-22":{"USD":-1}}}'],
  ['a rate with an exponent', '{"base":"EUR","rates":{"2024-11-22":{"USD":1e-5}}}'],
  ['a day that is none', '{"base":"EUR","rates":{"2024-11-31":{"USD":1}}}'],
  ['half an answer', '{"base":"EUR","rates":{"2024-11-22":{"US'],
])('refuses %s', (_what, answer) => {
  expect(() => toExchangeRates(answer)).toThrow();
});
