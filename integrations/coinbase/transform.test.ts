import { expect, it } from 'vitest';
import { pathOf, toCoinbasePrice } from './transform.ts';

const pair = { asset: 'BTC', currency: 'USD' } as const;
const at = new Date('2031-03-03T10:00:00.000Z');

it('asks for one pair by its codes', () => {
  expect(pathOf({ asset: 'USDC', currency: 'EUR' })).toBe('/v2/prices/USDC-EUR/spot');
});

it('reads the amount as the digits that were sent', () => {
  const answer = '{"data":{"amount":"67012.34567890123456789","base":"BTC","currency":"USD"}}';
  expect(toCoinbasePrice(answer, pair, at)).toEqual({
    source: 'coinbase',
    asset: 'BTC',
    currency: 'USD',
    rate: '67012.34567890123456789',
    side: 'spot',
    at: '2031-03-03T10:00:00.000Z',
  });
});

it.each(['NaN', '0', '0.00', '-1', '', 'Infinity'])('an amount of %j is no price', (amount) => {
  const answer = JSON.stringify({ data: { amount, base: 'BTC', currency: 'USD' } });
  expect(toCoinbasePrice(answer, pair, at)).toBeNull();
});

it.each([
  ['another coin', 'ETH', 'USD'],
  ['another currency', 'BTC', 'EUR'],
])('the price of %s than was asked for is none', (_what, base, currency) => {
  const answer = JSON.stringify({ data: { amount: '2500', base, currency } });
  expect(toCoinbasePrice(answer, pair, at)).toBeNull();
});

it.each([
  ['errors', '{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}'],
  ['an amount that is a float', '{"data":{"amount":67012.34,"base":"BTC","currency":"USD"}}'],
  ['half an answer', '{"data":{"amount":"670'],
  ['a page', '<html>'],
])('%s is not an answer', (_what, answer) => {
  expect(() => toCoinbasePrice(answer, pair, at)).toThrow();
});
