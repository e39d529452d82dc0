import { expect, it } from 'vitest';
import { pathOf, toCoingeckoPrices } from './transform.ts';

const wanted = { assets: ['BTC', 'ETH', 'USDC'], currencies: ['USD', 'EUR'] } as const;
/** 1930384800 seconds. */
const at = new Date('2031-03-04T10:00:00.000Z');
const answeredAt = new Date('2031-03-04T10:00:05.000Z');

function pricesIn(text: string) {
  return toCoingeckoPrices(text, wanted, answeredAt);
}

it('asks for coins by their names there, never by their codes', () => {
  expect(pathOf(wanted)).toBe(
    '/api/v3/simple/price?ids=bitcoin%2Cethereum%2Cusd-coin&vs_currencies=usd%2Ceur&include_last_updated_at=true&precision=full',
  );
});

it('reads each number as the digits that were sent, and its age', () => {
  const seconds = at.getTime() / 1000;
  const answer = `{"bitcoin":{"usd":67012.345678901234567,"eur":61999,"last_updated_at":${seconds}},
    "usd-coin":{"usd":9.998e-1,"eur":0.92,"last_updated_at":${seconds - 60}}}`;
  const common = { source: 'coingecko', side: 'spot' };
  expect(pricesIn(answer)).toEqual([
    {
      ...common,
      asset: 'BTC',
      currency: 'USD',
      rate: '67012.345678901234567',
      at: '2031-03-04T10:00:00.000Z',
    },
    { ...common, asset: 'BTC', currency: 'EUR', rate: '61999', at: '2031-03-04T10:00:00.000Z' },
    { ...common, asset: 'USDC', currency: 'USD', rate: '0.9998', at: '2031-03-04T09:59:00.000Z' },
    { ...common, asset: 'USDC', currency: 'EUR', rate: '0.92', at: '2031-03-04T09:59:00.000Z' },
  ]);
});

it('a price of the future is as old as the answer', () => {
  const [price] = pricesIn(`{"bitcoin":{"usd":1,"last_updated_at":${at.getTime() / 1000 + 3600}}}`);
  expect(price?.at).toBe('2031-03-04T10:00:05.000Z');
});

it.each([
  ['null', '{"bitcoin":{"usd":null,"last_updated_at":1930384800}}'],
  ['0', '{"bitcoin":{"usd":0,"last_updated_at":1930384800}}'],
  ['below 0', '{"bitcoin":{"usd":-1.5,"last_updated_at":1930384800}}'],
  ['of no age', '{"bitcoin":{"usd":67000}}'],
  ['of an age that is no number', '{"bitcoin":{"usd":67000,"last_updated_at":null}}'],
  ['of another coin', '{"BTC":{"usd":67000,"last_updated_at":1930384800}}'],
  ['missing', '{}'],
])('a price that is %s is left out', (_what, answer) => {
  expect(pricesIn(answer)).toEqual([]);
});

it.each([
  [
    'an error that comes with a success',
    '{"status":{"error_code":429,"error_message":"You have been throttled"}}',
  ],
  ['a message', '{"error":"coin not found"}'],
  ['NaN, which is no JSON', '{"bitcoin":{"usd":NaN,"last_updated_at":1930384800}}'],
  ['half an answer', '{"bitcoin":{"us'],
])('%s is not an answer', (_what, answer) => {
  expect(() => pricesIn(answer)).toThrow();
});
