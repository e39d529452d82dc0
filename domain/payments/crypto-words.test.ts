import { expect, it } from 'vitest';
import { type CryptoEvent, cryptoEventKinds } from './crypto-events.ts';
import { cryptoInvoiceFlags, cryptoInvoiceStatuses } from './crypto-invoice.ts';
import { cryptoPaymentStatuses } from './crypto-payment.ts';
import { eventInWords, flagInWords, paymentInWords, statusInWords, type Words } from './crypto-words.ts';

const context = { asset: 'BTC', chain: 'bitcoin' } as const;
const event = (changes: Partial<CryptoEvent> = {}): CryptoEvent => ({
  key: 'settled:1',
  kind: 'settled',
  payment: null,
  creditedUnits: '60000',
  excessUnits: '50000',
  missingUnits: '40000',
  ...changes,
});

const all: [what: string, words: Words][] = [
  ...cryptoInvoiceStatuses.map((status): [string, Words] => [status, statusInWords(status)]),
  ...cryptoInvoiceFlags.map((flag): [string, Words] => [flag, flagInWords(flag)]),
  ...cryptoPaymentStatuses.map((status): [string, Words] => [status, paymentInWords(status)]),
  ...cryptoEventKinds.map((kind): [string, Words] => [kind, eventInWords(event({ kind }), context)]),
];

it.each(all)('%s is said in whole sentences', (_what, { customer, operator }) => {
  for (const sentence of [operator, ...(customer === null ? [] : [customer])]) {
    expect(sentence).toMatch(/^[A-Z0-9].*[.]$/);
    expect(sentence).not.toMatch(/undefined|null|_|NaN| {2}/);
  }
});

it('a part names what came and what is missing, in coins', () => {
  expect(eventInWords(event({ kind: 'partial_payment' }), context)).toEqual({
    customer: '0.0006 BTC arrived; 0.0004 BTC is still missing.',
    operator: '0.0006 BTC of the amount came, 0.0004 BTC is missing.',
  });
});

it('an excess is named to the unit', () => {
  expect(eventInWords(event({ kind: 'over_paid', excessUnits: '1001' }), context)).toEqual({
    customer: '0.00001001 BTC more than due arrived; we take care of it.',
    operator: '0.00001001 BTC more than due came: refund or credit it.',
  });
});

it('operators are told which transaction it is, and customers which network', () => {
  const payment = { chain: 'base', key: '0xab', txid: '0xab', units: '1' } as const;
  expect(eventInWords(event({ kind: 'wrong_chain', payment }), { asset: 'USDC', chain: 'ethereum' })).toEqual(
    {
      customer:
        'A payment arrived on another network than Ethereum. We look at it and get in touch with you.',
      operator: 'Payment 0xab came on another chain than Ethereum.',
    },
  );
});
