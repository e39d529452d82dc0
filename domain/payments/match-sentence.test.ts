import { describe, expect, it } from 'vitest';
import { decide, invoiceOf, invoices, movement, rate } from '../../test/support/bank-matching.ts';
import type { BankTransaction } from './bank-transaction.ts';
import type { MatchDecision } from './match-decision.ts';
import { matchInWords } from './match-sentence.ts';

const { A } = invoices;
const pounds = (amountMinor: number): BankTransaction =>
  movement('WIRE ADV48213075', amountMinor, { currency: 'GBP' });
const facts = { rates: [rate('GBP', 'USD', '1.27')] };
const acme = (id: string, dueMinor: number) =>
  invoiceOf(id, `ADV0000000${id}`, dueMinor, { customerId: 'acme', customerName: 'Acme' });
const credits = [
  {
    id: 'bank_77',
    externalId: 'bank_77',
    accountId: 'account_usd',
    amountMinor: 49_900,
    currency: 'USD',
    bookedOn: '2026-03-05',
    references: ['ADV48213075'],
    bankReference: 'MMQF123456',
    isRefunded: false,
  },
];

describe('a decision as a sentence', () => {
  it.each<[string, MatchDecision, string]>([
    [
      'a reference that is torn in two',
      decide(movement('WIRE adv-4821-\n3075', 49_900)),
      'USD 499.00 waits for somebody to say what it is for: nothing in it names an invoice for sure; there are 2 suggestions, none of which is the obvious one.',
    ],
    [
      'paid, wrapped by the bank',
      decide(movement('WIRE adv 4821\n3075', 49_900)),
      'USD 499.00 pays ADV48213075 in full: the text says “ADV 4821 3075”, and the amount is what was due.',
    ],
    [
      'paid by look-alikes',
      decide(movement('A0V4821307S', 49_900)),
      'USD 499.00 pays ADV48213075 in full: the text says “A0V4821307S”, which reads as ADV48213075, and the amount is what was due.',
    ],
    [
      'paid by digits alone',
      decide(movement('ACME 48213075', 49_900)),
      'USD 499.00 pays ADV48213075 in full: the text has the digits 48213075 of ADV48213075, and the amount is what was due.',
    ],
    [
      'a little is missing',
      decide(movement('ADV48213075', 49_880), {
        policy: { fxToleranceBps: 500, underpayToleranceMinor: 25 },
      }),
      'USD 498.80 pays ADV48213075: the text says “ADV48213075”, and the USD 0.20 missing are so little that they are let go.',
    ],
    [
      'too much',
      decide(movement('ADV48213075', 50_000)),
      'USD 500.00 pays ADV48213075 in full, and USD 1.00 beyond it become credit: the text says “ADV48213075”.',
    ],
    [
      'several',
      decide(movement('ADV48213075 ADV10002001', 61_900)),
      'USD 619.00 pays ADV48213075 and ADV10002001 together: the text says “ADV48213075” and the text says “ADV10002001”, and the amount is what was due for all of them.',
    ],
    [
      'other money, short',
      decide(pounds(38_500), { facts }),
      'GBP 385.00 (USD 488.95 at 1.27, ecb 2026-03-05) pays ADV48213075 in full: the text says “ADV48213075”, and the USD 10.05 that it is short of are booked as a cost of the exchange.',
    ],
    [
      'other money, beyond',
      decide(pounds(40_000), { facts }),
      'GBP 400.00 (USD 508.00 at 1.27, ecb 2026-03-05) pays ADV48213075 in full: the text says “ADV48213075”, and the USD 9.00 beyond it are booked as a gain of the exchange.',
    ],
    [
      'other money, exactly',
      decide(pounds(49_900), { facts: { rates: [rate('GBP', 'USD', '1')] } }),
      'GBP 499.00 (USD 499.00 at 1, ecb 2026-03-05) pays ADV48213075 in full: the text says “ADV48213075”, and at the rate of the day it is what was due.',
    ],
    [
      'too little',
      decide(movement('ADV48213075', 47_400)),
      'USD 474.00 pays a part of ADV48213075, and USD 25.00 are still due: the text says “ADV48213075”.',
    ],
    [
      'too little of other money',
      decide(pounds(10_000), { facts }),
      'GBP 100.00 (USD 127.00 at 1.27, ecb 2026-03-05) pays a part of ADV48213075, and USD 372.00 are still due: the text says “ADV48213075”.',
    ],
    [
      'no reference',
      decide(movement('WIRE', 12_000)),
      'USD 120.00 waits for somebody to say what it is for: nothing in it names an invoice for sure; there is one suggestion.',
    ],
    [
      'a foreign reference',
      decide(movement('ADV99999999', 12_000)),
      'USD 120.00 waits for somebody to say what it is for: nothing in it names an invoice for sure; there is one suggestion. The reference ADV99999999 is none of ours.',
    ],
    [
      'a slip',
      decide(movement('ADV48213076', 49_900)),
      'USD 499.00 waits for somebody to say what it is for: the text says “ADV48213076”, which may be meant for ADV48213075, which is not sure enough; there is one suggestion.',
    ],
    [
      'digits alone and another amount',
      decide(movement('48213075', 400)),
      'USD 4.00 waits for somebody to say what it is for: the text has the digits 48213075 of ADV48213075, and digits alone need the exact amount; there is one suggestion.',
    ],
    [
      'before its invoice',
      decide(movement('ADV48213075', 49_900, { bookedOn: '2026-03-01' })),
      'USD 499.00 waits for somebody to say what it is for: the text says “ADV48213075”, and the money was sent before the invoice was made; there is one suggestion.',
    ],
    [
      'several, of another amount',
      decide(movement('ADV48213075 ADV10002001', 100)),
      'USD 1.00 waits for somebody to say what it is for: the text says “ADV48213075” and the text says “ADV10002001”, and together they do not come to that amount as open invoices; there are 2 suggestions, none of which is the obvious one.',
    ],
    [
      'several, all of them closed',
      decide(movement('ADV55550123 ADV90909090', 100)),
      'USD 1.00 waits for somebody to say what it is for: the text says “ADV55550123” and the text says “ADV90909090”, and together they do not come to that amount as open invoices; no open invoice is left to choose.',
    ],
    [
      'several of one payer',
      decide(movement('ACME', 300), { known: [acme('1', 100), acme('2', 200)] }),
      'USD 3.00 waits for somebody to say what it is for: nothing in it names an invoice for sure; there is one suggestion.',
    ],
    [
      'nothing fits',
      decide(movement('WIRE', 777)),
      'USD 7.77 fits no open invoice: the text names none, and no amount or payer does either.',
    ],
    [
      'nothing fits, and foreign references',
      decide(movement('ADV99999999 ADV99999998', 777)),
      'USD 7.77 fits no open invoice: the references ADV99999999 and ADV99999998 are none of ours, and no amount or payer does either.',
    ],
    [
      'paid before',
      decide(movement('ADV55550123', 9900)),
      'USD 99.00 comes for ADV55550123, which was paid before: the text says “ADV55550123”. It is credit of the customer, to be refunded or kept for the next invoice.',
    ],
    [
      'perhaps paid before',
      decide(movement('ADV55550124', 9900)),
      'USD 99.00 comes for ADV55550123, which was paid before: the text says “ADV55550124”, which may be meant for ADV55550123. It is credit of the customer, to be refunded or kept for the next invoice, once somebody has confirmed whose it is.',
    ],
    [
      'too late',
      decide(movement('ADV20261031', 30_000)),
      'USD 300.00 of 2026-03-05 comes too late for ADV20261031 (until 2026-03-04): the text says “ADV20261031”. Somebody is to accept or refund it.',
    ],
    [
      'void',
      decide(movement('ADV90909090', 5000)),
      'USD 50.00 comes for ADV90909090, which is void: the text says “ADV90909090”. Somebody is to decide.',
    ],
    [
      'no rate',
      decide(pounds(38_500)),
      'GBP 385.00 comes for ADV48213075, and there is no exchange rate of 2026-03-05 to say what it is worth: the text says “ADV48213075”.',
    ],
    [
      'on another account',
      decide(movement('ADV48213075', 49_900), { account: { id: 'x', role: 'same_connection' }, known: [A] }),
      'USD 499.00 came in on an account to which nobody is told to pay; there is one suggestion.',
    ],
    [
      'on another account, for nothing',
      decide(movement('INTEREST', 3), { account: { id: 'x', role: 'same_connection' } }),
      'USD 0.03 came in on an account to which nobody is told to pay; no open invoice fits.',
    ],
    [
      'on an account of no interest',
      decide(movement('ADV48213075', 49_900), { account: { id: 'x', role: 'other' } }),
      'USD 499.00 came in on an account that is not for payments of customers.',
    ],
    [
      'pending',
      decide(movement('ADV48213075', 49_900, { pending: true })),
      'USD 499.00 for ADV48213075 is seen and not booked yet; nothing is done until it is.',
    ],
    [
      'pending, of nobody knows what',
      decide(movement('WIRE', 49_900, { pending: true })),
      'USD 499.00 is seen and not booked yet; nothing is done until it is.',
    ],
    [
      'taken back',
      decide(movement('RETURN ADV48213075', -49_900), { facts: { credits } }),
      'USD 499.00 went back: the text says that it is a return, and the reference is that of the credit bank_77, which is undone.',
    ],
    [
      'taken back by number',
      decide(movement('RETURN MMQF123456', -49_900), { facts: { credits } }),
      'USD 499.00 went back: the text says that it is a return, and the number of the bank is that of the credit bank_77, which is undone.',
    ],
    [
      'perhaps taken back',
      decide(movement('RETURN', -49_900), { facts: { credits } }),
      'USD 499.00 is money out; it says that it is a return, and nothing proves that it takes back bank_77.',
    ],
    ['out', decide(movement('RENT', -900)), 'USD 9.00 is money out and pays no invoice.'],
    [
      'a payout',
      decide(movement('PAYPAL TRANSFER', 49_900)),
      'USD 499.00 is a payout of PayPal, not a payment of a customer.',
    ],
    [
      'again',
      decide(movement('ADV48213075', 49_900), { facts: { isDecided: true } }),
      'USD 499.00 was decided before and is left as it is.',
    ],
    ['of nothing', decide(movement('ADV48213075', 0)), 'A movement of nothing pays nothing.'],
  ])('%s', (_name, decision, sentence) => {
    expect(matchInWords(decision)).toBe(sentence);
  });
});
