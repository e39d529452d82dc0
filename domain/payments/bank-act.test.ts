import { expect, it } from 'vitest';
import { actInWords, type BankAct } from './bank-act.ts';

const seen = { received: { amountMinor: 3500, currency: 'USD' }, day: '2026-03-05', reason: null };
const invoices = [
  { invoiceId: 'A', amountMinor: 1000 },
  { invoiceId: 'B', amountMinor: 2000 },
];

it.each<[BankAct, string]>([
  [
    { kind: 'match', invoices: [{ invoiceId: 'A', amountMinor: 3500 }], credit: null, ...seen },
    'Somebody matched USD 35.00 to 1 invoice.',
  ],
  [
    { kind: 'match', invoices, credit: null, ...seen },
    'Somebody matched USD 35.00 with USD 30.00 to 2 invoices.',
  ],
  [
    { kind: 'match', invoices, credit: { customerId: 'C', amountMinor: 500 }, ...seen, reason: 'As agreed' },
    "Somebody matched USD 35.00 with USD 30.00 to 2 invoices and USD 5.00 to the customer's credit: As agreed.",
  ],
  [
    { kind: 'match', invoices: [], credit: { customerId: 'C', amountMinor: 3500 }, ...seen },
    "Somebody matched USD 35.00 with USD 35.00 to the customer's credit.",
  ],
  [
    { kind: 'unmatch', ...seen, reason: 'Wrong branch' },
    'Somebody took back what USD 35.00 had paid: Wrong branch.',
  ],
  [{ kind: 'ignore', ...seen }, "Somebody said that USD 35.00 is no customer's money."],
])('%o is told as a sentence', (act, sentence) => {
  expect(actInWords(act)).toBe(sentence);
});
