/** A document adds up or is refused, and says the same words to everybody. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleDocument, taxedDocument } from '../../test/support/invoice-document.ts';
import {
  assertConsistent,
  dayInWords,
  formatAmount,
  headOf,
  InconsistentDocument,
  type InvoiceDocument,
  methodInWords,
  periodInWords,
  stampOf,
  totalsOf,
} from './invoice-document.ts';

const paid = sampleDocument({ status: 'paid', paidMinor: 2900 });
const payment = { receivedAt: '2026-12-05T09:00:02Z', method: 'Card', reference: 'pi_1', amountMinor: 2900 };
const receipt: InvoiceDocument = { ...paid, kind: 'receipt', payments: [payment] };
const creditNote = sampleDocument({ kind: 'credit_note', status: 'paid', refundedMinor: 2900 });

const words = (document: InvoiceDocument) => totalsOf(document).map(({ label, text }) => [label, text]);

describe('a document that adds up is accepted', () => {
  it.each<[string, InvoiceDocument]>([
    ['open', sampleDocument()],
    ['partly paid', sampleDocument({ paidMinor: 900 })],
    ['paid', paid],
    ['paid with credit', sampleDocument({ status: 'paid', creditAppliedMinor: 2900 })],
    ['void', sampleDocument({ status: 'void' })],
    ['given up after a part was paid', sampleDocument({ status: 'uncollectible', paidMinor: 900 })],
    ['without a line', sampleDocument({ lines: [], status: 'paid' })],
    ['with discounts, taxes and a negative line', taxedDocument()],
    ['a receipt', receipt],
    ['a credit note', creditNote],
  ])('%s', (_name, document) => {
    expect(() => assertConsistent(document)).not.toThrow();
  });
});

describe('a document that contradicts itself is refused', () => {
  const taxed = taxedDocument();
  it.each<[string, InvoiceDocument, RegExp]>([
    [
      'subtotal',
      { ...taxed, subtotalMinor: taxed.subtotalMinor + 1 },
      /its subtotal is INR 115000\.01, by the other figures INR 115000\.00/,
    ],
    ['total', { ...taxed, totalMinor: taxed.totalMinor - 1 }, /its total is/],
    ['a tax that the total lacks', { ...taxed, taxes: taxed.taxes.slice(1) }, /its total is/],
    ['a discount that the total lacks', { ...taxed, discounts: [] }, /its total is/],
    ['due amount', { ...taxed, dueMinor: 0 }, /its due amount is INR 0\.00/],
    ['due though paid', { ...paid, dueMinor: 1 }, /its due amount is USD 0\.01/],
    ['due though void', sampleDocument({ status: 'void', dueMinor: 2900 }), /its due amount is USD 29\.00/],
    ['paid though half is missing', { ...paid, paidMinor: 1450 }, /its settled amount is USD 14\.50/],
    ['settled twice', { ...paid, creditAppliedMinor: 2900 }, /its settled amount is USD 58\.00/],
    [
      'settled by more than the total',
      sampleDocument({ status: 'void', paidMinor: 2901 }),
      /USD 29\.01 settled USD 29\.00/,
    ],
    [
      'quantity times unit price',
      sampleDocument({ lines: [{ description: 'Seats', quantity: 3, unitMinor: 100, amountMinor: 299 }] }),
      /its line "Seats" is USD 2\.99, by the other figures USD 3\.00/,
    ],
    ['payments of a receipt', { ...receipt, payments: [payment, payment] }, /its payments is USD 58\.00/],
    [
      'more payments than settled an invoice',
      { ...paid, payments: [{ ...payment, amountMinor: 2901 }] },
      /more payments/,
    ],
    ['a credit note that is paid', { ...creditNote, paidMinor: 100 }, /its paid amount is/],
    ['a credit note that gives back more', { ...creditNote, creditAppliedMinor: 1 }, /more was given back/],
    [
      'a negative total',
      sampleDocument({ lines: [{ description: 'x', quantity: 1, unitMinor: -1, amountMinor: -1 }] }),
      /its total is -USD 0\.01/,
    ],
    [
      'a discount that adds',
      sampleDocument({ discounts: [{ label: 'x', amountMinor: -1 }] }),
      /its smallest discount is/,
    ],
    [
      'half a cent',
      sampleDocument({ lines: [{ description: 'x', quantity: 1, unitMinor: 0.5, amountMinor: 0.5 }] }),
      /0\.5 is no amount/,
    ],
    ['not a number', { ...sampleDocument(), refundedMinor: Number.NaN }, /NaN is no amount/],
  ])('%s', (_name, document, message) => {
    expect(() => assertConsistent(document)).toThrow(InconsistentDocument);
    expect(() => assertConsistent(document)).toThrow(message);
  });

  it('in a currency we do not know', () => {
    expect(() => assertConsistent(sampleDocument({ currency: 'XXX', subtotalMinor: 1 }))).toThrow(RangeError);
  });

  it('whatever figure is wrong, and by whatever amount', () => {
    const document = taxedDocument();
    const figures = ['subtotalMinor', 'totalMinor', 'dueMinor', 'paidMinor', 'creditAppliedMinor'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...figures),
        fc.integer({ min: -200_000_000, max: 200_000_000 }),
        (figure, by) => {
          fc.pre(by !== 0);
          expect(() => assertConsistent({ ...document, [figure]: document[figure] + by })).toThrow(
            InconsistentDocument,
          );
        },
      ),
    );
  });
});

describe('totals', () => {
  it('of a plain invoice are its total and what is due', () => {
    expect(words(sampleDocument())).toEqual([
      ['Total', 'USD 29.00'],
      ['Amount due', 'USD 29.00'],
    ]);
  });

  it('go from the lines to what is due, each with the sign it is counted with', () => {
    expect(words(taxedDocument())).toEqual([
      ['Subtotal', 'INR 115000.00'],
      ['Launch offer', '-INR 15000.00'],
      ['CGST 9 %', 'INR 9000.00'],
      ['SGST 9 %', 'INR 9000.00'],
      ['Total', 'INR 118000.00'],
      ['Credit applied', '-INR 3000.00'],
      ['Paid', '-INR 15000.00'],
      ['Amount due', 'INR 100000.00'],
    ]);
  });

  it('of an invoice that was closed unpaid say where the rest went', () => {
    expect(words(sampleDocument({ status: 'void' }))).toEqual([
      ['Total', 'USD 29.00'],
      ['Voided', '-USD 29.00'],
      ['Amount due', 'USD 0.00'],
    ]);
    expect(words(sampleDocument({ status: 'uncollectible', paidMinor: 900 }))).toEqual([
      ['Total', 'USD 29.00'],
      ['Paid', '-USD 9.00'],
      ['Written off', '-USD 20.00'],
      ['Amount due', 'USD 0.00'],
    ]);
  });

  it('of an invoice that is paid but for a small rest say that it was written off', () => {
    const document = sampleDocument({ status: 'paid', paidMinor: 2800, writtenOffMinor: 100 });
    expect(() => assertConsistent(document)).not.toThrow();
    expect(words(document)).toEqual([
      ['Total', 'USD 29.00'],
      ['Paid', '-USD 28.00'],
      ['Written off', '-USD 1.00'],
      ['Amount due', 'USD 0.00'],
    ]);
    expect(() => assertConsistent({ ...document, writtenOffMinor: 99 })).toThrow('settled amount');
  });

  it('of a receipt and a credit note speak of money received and given back', () => {
    expect(words({ ...receipt, refundedMinor: 900 })).toEqual([
      ['Amount paid', 'USD 29.00'],
      ['Refunded', 'USD 9.00'],
    ]);
    expect(words({ ...creditNote, refundedMinor: 2000, creditAppliedMinor: 900 })).toEqual([
      ['Total credit', 'USD 29.00'],
      ['Kept as your credit', 'USD 9.00'],
      ['Refunded', 'USD 20.00'],
    ]);
  });

  it('follow the decimals of the currency', () => {
    const total = (currency: string) => words(sampleDocument({ currency }))[0];
    expect(total('JPY')).toEqual(['Total', 'JPY 2900']);
    expect(total('KWD')).toEqual(['Total', 'KWD 2.900']);
  });
});

describe('words', () => {
  it.each<[string, InvoiceDocument]>([
    ['Open', sampleDocument()],
    ['Paid', paid],
    ['Partly refunded', { ...paid, refundedMinor: 1 }],
    ['Refunded', { ...paid, refundedMinor: 2900 }],
    ['Void', sampleDocument({ status: 'void' })],
    ['Uncollectible', sampleDocument({ status: 'uncollectible' })],
    ['Paid', receipt],
    ['Issued', sampleDocument({ kind: 'credit_note' })],
    ['Settled', creditNote],
  ])('the stamp says %s', (stamp, document) => {
    expect(stampOf(document).words).toBe(stamp);
  });

  it('the head names number, reference, day, and what is to be paid as long as it is', () => {
    const pairs = (document: InvoiceDocument) => headOf(document).map(({ label, text }) => [label, text]);
    expect(pairs(sampleDocument({ paidMinor: 900 }))).toEqual([
      ['Invoice number', 'INV-000042'],
      ['Date of issue', '5 Dec 2026'],
      ['To be paid', 'USD 20.00'],
    ]);
    expect(pairs({ ...receipt, number: 'pay_1', refersTo: 'INV-000042' })).toEqual([
      ['Receipt number', 'pay_1'],
      ['For invoice', 'INV-000042'],
      ['Date of payment', '5 Dec 2026'],
    ]);
  });

  it('a day is the one it is where the seller is', () => {
    const instant = '2027-03-31T20:00:00Z';
    expect(dayInWords(instant, { timeZone: 'UTC' })).toBe('31 Mar 2027');
    expect(dayInWords(instant, { timeZone: 'Asia/Kolkata' })).toBe('1 Apr 2027');
    const period = { startsAt: instant, endsAt: '2028-03-31T20:00:00Z' };
    expect(periodInWords(period, { timeZone: 'Asia/Kolkata' })).toBe('1 Apr 2027 to 1 Apr 2028');
  });

  it.each([
    ['stripe', { brand: 'visa', last4: '4242' }, 'Visa ending in 4242'],
    ['stripe', { brand: 'american_express', last4: '0005' }, 'American express ending in 0005'],
    ['stripe', { brand: '', last4: '' }, 'Card'],
    ['stripe', null, 'Card'],
    ['manual', null, 'Direct payment'],
    ['credit', null, 'Your credit'],
  ] as const)('a payment by %s with %o came as: %3$s', (rail, card, method) => {
    expect(methodInWords(rail, card)).toBe(method);
  });

  it('a payment recorded by hand came as whoever recorded it says', () => {
    expect(methodInWords('manual', null, { method: 'cheque', chequeNumber: '000417' })).toBe('Cheque 000417');
    expect(methodInWords('manual', null, { method: 'cash', chequeNumber: null })).toBe('Cash');
  });

  it('an amount without its currency keeps sign and decimals', () => {
    expect(formatAmount(-5124, 'KWD')).toBe('-5.124');
    expect(formatAmount(-5124, 'JPY')).toBe('-5124');
    expect(formatAmount(5, 'USD')).toBe('0.05');
  });
});
