import { describe, expect, it } from 'vitest';
import {
  decide,
  factsOf,
  invoiceOf,
  invoices,
  movement,
  rate,
  receiving,
} from '../../test/support/bank-matching.ts';
import type { BankTransaction } from './bank-transaction.ts';
import { withConfirmed } from './match-confirmed.ts';
import type { MatchDecision, Settlement } from './match-decision.ts';
import type { AllocatedCredit, MatchInvoice } from './match-facts.ts';

const { A, B, C, E, P, V, X } = invoices;
const atFive = { facts: { rates: [rate('GBP', 'USD', '1.27')] } };

/** `suggest 11 A C`: what, by which rule, about which invoices. */
function short(decision: MatchDecision): string {
  return [decision.kind, decision.rule, ...idsOf(decision)].join(' ');
}

function idsOf(decision: MatchDecision): string[] {
  if ('suggestions' in decision) return decision.suggestions.flatMap(({ invoiceIds }) => invoiceIds);
  if ('settlement' in decision) return decision.settlement.allocations.map(({ invoiceId }) => invoiceId);
  if ('invoiceId' in decision) return [decision.invoiceId];
  return [];
}

function settlementOf(decision: MatchDecision): Settlement | null {
  return 'settlement' in decision ? decision.settlement : null;
}

const credit: AllocatedCredit = {
  id: 'credit_1',
  externalId: 'c1',
  accountId: receiving.id,
  amountMinor: 49_900,
  currency: 'USD',
  bookedOn: '2026-03-05',
  references: [A.reference],
  bankReference: '20260305MMQF1234',
  isRefunded: false,
};

describe('the worked cases', () => {
  it.each<[string, BankTransaction, Parameters<typeof decide>[1], string]>([
    ['W1', movement('WIRE IN ADV48213075 ACME CORP', 49_900), {}, 'auto 7 A'],
    ['W2', movement('Incoming wire adv-4821-3075', 49_900), {}, 'auto 7 A'],
    [
      'W3',
      movement('WT FED#01234 TD BANK NA /ORG=ACME SRF# 000111 TRN#260305 RFB# ADV 48213075', 49_900),
      {},
      'auto 7 A',
    ],
    ['W4', movement('ZELLE FROM JANE REF ADV4821307S', 49_900), {}, 'auto 7 A'],
    ['W5', movement('ACH CREDIT ACME 48213075 PPD', 49_900), {}, 'auto 7 A'],
    ['W6', movement('ACH CREDIT ACME 48213075 PPD', 40_000), {}, 'suggest 8 A'],
    ['W7', movement('WIRE ADV48213075', 47_400), {}, 'partial 10 A'],
    ['W8', movement('WIRE ADV48213075', 50_000), {}, 'auto_over 9 A'],
    ['W9', movement('WIRE ADV55550123', 9900), {}, 'duplicate_credit 2 P'],
    ['W10', movement('WIRE ADV20261031', 30_000), {}, 'late_admin 5 X'],
    ['W11', movement('INCOMING WIRE ACME CORP', 49_900), {}, 'suggest 11 A C'],
    ['W12', movement('WIRE ADV48213075 ADV10002001', 61_900), {}, 'auto_combined 1 A B'],
    ['W13', movement('WIRE OUT ADV48213075', -49_900), {}, 'ignore_outflow g3'],
    ['W14', movement('WIRE ADV48213075', 49_900, { pending: true }), {}, 'hold_pending g7'],
    ['W15', movement('SEPA ADV31415926', 45_000, { currency: 'EUR' }), {}, 'auto 7 E'],
    ['W16', movement('WIRE ADV48213075', 38_500, { currency: 'GBP' }), atFive, 'auto_fx 6 A'],
    ['W17', movement('WIRE ADV48213075', 38_500, { currency: 'GBP' }), {}, 'exception_fx 6 A'],
    ['W18', movement('STRIPE TRANSFER ADV48213075', 49_900), {}, 'payout g6'],
    [
      'W19',
      movement('WIRE IN ADV48213075 ACME CORP', 49_900),
      { facts: { isDecided: true } },
      'ignore_redelivery g1',
    ],
    ['W20', movement('RETURN OF WIRE ADV48213075', -49_900), { facts: { credits: [credit] } }, 'reversal g3'],
    ['W21', movement('WIRE ADV90909090', 5000), {}, 'exception_void 3 V'],
    ['W22', movement('WIRE ADV99999999', 49_900), {}, 'suggest 12 A C'],
    ['W23', movement('ＡＤＶ４８２１３０７５', 49_900), {}, 'auto 7 A'],
    ['W24', movement('WIRE A0V48213O75', 49_900), {}, 'auto 7 A'],
  ])('%s', (_name, transaction, options, expected) => {
    expect(short(decide(transaction, options))).toBe(expected);
  });

  it('W7 asks for the rest, and W8 gives it as credit', () => {
    expect(settlementOf(decide(movement('WIRE ADV48213075', 47_400)))).toEqual({
      currency: 'USD',
      countedMinor: 47_400,
      allocations: [{ invoiceId: 'A', amountMinor: 47_400 }],
      creditMinor: 0,
      fxFeeMinor: 0,
      writtenOffMinor: 0,
    });
    expect(settlementOf(decide(movement('WIRE ADV48213075', 50_000)))).toEqual({
      currency: 'USD',
      countedMinor: 50_000,
      allocations: [{ invoiceId: 'A', amountMinor: 49_900 }],
      creditMinor: 100,
      fxFeeMinor: 0,
      writtenOffMinor: 0,
    });
  });

  it('W12 pays each what is due for it', () => {
    expect(settlementOf(decide(movement('WIRE ADV48213075 ADV10002001', 61_900)))).toEqual({
      currency: 'USD',
      countedMinor: 61_900,
      allocations: [
        { invoiceId: 'A', amountMinor: 49_900 },
        { invoiceId: 'B', amountMinor: 12_000 },
      ],
      creditMinor: 0,
      fxFeeMinor: 0,
      writtenOffMinor: 0,
    });
  });

  it('W16 is paid in full, and what it is short of is booked', () => {
    const decision = decide(movement('WIRE ADV48213075', 38_500, { currency: 'GBP' }), atFive);
    expect(settlementOf(decision)).toEqual({
      currency: 'USD',
      countedMinor: 48_895,
      allocations: [{ invoiceId: 'A', amountMinor: 49_900 }],
      creditMinor: 0,
      fxFeeMinor: 1005,
      writtenOffMinor: 0,
    });
    expect(decision.evidence.converted).toEqual({ amountMinor: 48_895, currency: 'USD' });
    expect(decision.evidence.rate).toEqual(rate('GBP', 'USD', '1.27'));
  });

  it('W22 says that the reference is none of ours', () => {
    expect(decide(movement('WIRE ADV99999999', 49_900))).toMatchObject({
      isForeignReference: true,
      evidence: { foreignReferences: ['ADV99999999'], references: [] },
    });
  });
});

describe('the gates, in their order', () => {
  const other = { id: 'savings', role: 'other' } as const;
  const payroll = { id: 'payroll', role: 'same_connection' } as const;
  const pending = { pending: true };

  it.each<[string, BankTransaction, Parameters<typeof decide>[1], string]>([
    ['g1 before g3', movement('RENT', -900), { facts: { isDecided: true } }, 'ignore_redelivery g1'],
    [
      'g1 before g5',
      movement('WIRE', 1),
      { facts: { isDecided: true }, account: other },
      'ignore_redelivery g1',
    ],
    ['g3 before g5', movement('RENT', -900), { account: other }, 'ignore_outflow g3'],
    ['g3 before g6', movement('STRIPE FEES', -900), {}, 'ignore_outflow g3'],
    [
      'g3 before g7',
      movement('RETURN ADV48213075', -49_900, pending),
      { facts: { credits: [credit] } },
      'reversal g3',
    ],
    ['g4 before g5', movement('ADV48213075', 0), { account: other }, 'ignore_zero g4'],
    ['g4 before g6', movement('STRIPE', 0), {}, 'ignore_zero g4'],
    ['g5 before g6', movement('STRIPE', 777), { account: other }, 'ignore_account g5'],
    ['g5 before g6, of one connection', movement('STRIPE', 777), { account: payroll }, 'wrong_account g5'],
    ['g5 before g7', movement('WIRE', 777, pending), { account: payroll }, 'wrong_account g5'],
    ['g6 before g7', movement('STRIPE', 777, pending), {}, 'payout g6'],
    ['g7 before every rule', movement('ADV55550123', 9900, pending), {}, 'hold_pending g7'],
  ])('%s', (_name, transaction, options, expected) => {
    expect(short(decide(transaction, options))).toBe(expected);
  });

  it('what was decided is never decided again, whatever it is', () => {
    for (const amountMinor of [49_900, -49_900, 0]) {
      const transaction = movement('RETURN ADV48213075', amountMinor, { pending: true });
      expect(short(decide(transaction, { facts: { isDecided: true, credits: [credit] } }))).toBe(
        'ignore_redelivery g1',
      );
    }
  });

  it('nothing is nothing', () => {
    expect(short(decide(movement('WIRE ADV48213075', 0)))).toBe('ignore_zero g4');
  });

  it('another account is not read', () => {
    const account = { id: 'savings', role: 'other' } as const;
    expect(short(decide(movement('WIRE ADV48213075', 49_900), { account }))).toBe('ignore_account g5');
  });

  it('money on another account of the same connection is for a person, who is shown what it may be for', () => {
    const account = { id: 'payroll', role: 'same_connection' } as const;
    expect(short(decide(movement('WIRE ADV48213075', 49_900), { account }))).toBe('wrong_account g5 A C');
    expect(short(decide(movement('WIRE', 49_900), { account }))).toBe('wrong_account g5 A C');
    expect(short(decide(movement('INTEREST', 12), { account }))).toBe('wrong_account g5');
    expect(short(decide(movement('WIRE ADV48213075', -49_900), { account }))).toBe('ignore_outflow g3');
  });

  it.each([
    ['STRIPE', 'stripe'],
    [' stripe transfer', 'stripe'],
    ['PAYPAL *ACME', 'paypal'],
    ['PayPal-Instant', 'paypal'],
    ['COINBASE.COM 8889087930', 'coinbase'],
    ['RAZORPAY SOFTWARE', 'razorpay'],
  ])('%j is a payout', (text, vendor) => {
    expect(decide(movement([text, 'ADV48213075'], 49_900))).toMatchObject({ kind: 'payout', vendor });
  });

  it.each([
    'WIRE FROM STRIPE INC ADV48213075',
    'STRIPES LTD ADV48213075',
    'THE STRIPE ADV48213075',
    'ADV48213075 PAYPAL',
  ])('%j is a payment', (text) => {
    expect(short(decide(movement([text, 'STRIPE'], 49_900)))).toBe('auto 7 A');
  });

  it('what a vendor pays is a payout behind any purpose, unless it names an invoice', () => {
    const ofVendor = { payer: { name: 'PayPal (Europe) S.a r.l.', account: null } };
    expect(decide(movement('1012345678901', 49_900, ofVendor))).toMatchObject({
      kind: 'payout',
      vendor: 'paypal',
    });
    expect(short(decide(movement('ADV48213075', 49_900, ofVendor)))).toBe('auto 7 A');
    expect(short(decide(movement('WIRE', 12_000, { payer: { name: 'Stripes Ltd', account: null } })))).toBe(
      'suggest 11 B',
    );
  });

  it('what is pending is seen, never booked', () => {
    expect(decide(movement('ADV48213075', 49_900, { pending: true }))).toMatchObject({
      kind: 'hold_pending',
      tentative: { invoiceId: 'A', reference: 'ADV48213075', level: 'E' },
    });
    expect(decide(movement('ADV48213075 ADV10002001', 1, { pending: true }))).toMatchObject({
      kind: 'hold_pending',
      tentative: null,
    });
    expect(decide(movement('WIRE', 49_900, { pending: true }))).toMatchObject({
      kind: 'hold_pending',
      tentative: null,
    });
  });
});

describe('a movement that was pending', () => {
  const match = { invoiceId: 'A', reference: A.reference, level: 'E' } as const;
  const carried = { facts: { carried: { match, invoice: A } } };

  it('pays by its own text once it is booked', () => {
    expect(short(decide(movement('WIRE ADV48213075', 49_900, { pendingExternalId: 'p' }), carried))).toBe(
      'auto 7 A',
    );
    expect(short(decide(movement('WIRE ADV10002001', 12_000, { pendingExternalId: 'p' }), carried))).toBe(
      'auto 7 B',
    );
  });

  it('is suggested first for what it was seen as, and never booked, where its text no longer says so', () => {
    expect(short(decide(movement('WIRE', 49_900, { pendingExternalId: 'p' }), carried))).toBe(
      'suggest 11 A C',
    );
    expect(short(decide(movement('WIRE', 777, { pendingExternalId: 'p' }), carried))).toBe('suggest 11 A');
  });

  it('is not suggested for what was paid since', () => {
    const facts = { carried: { match, invoice: { ...A, status: 'paid', dueMinor: 0 } as MatchInvoice } };
    expect(short(decide(movement('WIRE', 777, { pendingExternalId: 'p' }), { facts }))).toBe('unmatched 11');
  });
});

describe('money out', () => {
  const back = (text: string, details: Partial<BankTransaction> = {}) =>
    movement(text, -49_900, { bookedOn: '2026-03-07', ...details });
  const kindOf = (transaction: BankTransaction, credits: AllocatedCredit[] = [credit]) =>
    decide(transaction, { facts: { credits } });

  it.each([
    ['RETURN OF WIRE ADV48213075', 'reference'],
    ['REVERSAL adv 4821 3075', 'reference'],
    ['RECALL 48213075', 'reference'],
    ['ACH RETURNED ADV48213075', 'reference'],
    ['ADV48213075 NSF', 'reference'],
    ['ADV48213075 R01', 'reference'],
    ['ADV48213075 R85 RTN', 'reference'],
    ['RETURN OF 20260305MMQF1234', 'bank_reference'],
    ['RETURN 20260305mmqf1234 ADV48213075', 'bank_reference'],
  ])('%j takes its credit back', (text, linkedBy) => {
    expect(kindOf(back(text))).toMatchObject({ kind: 'reversal', creditId: 'credit_1', linkedBy });
  });

  it('takes a credit back by the number that the bank gives with it', () => {
    const transaction = back('CHARGEBACK RETURN', { bankReference: '20260305-MMQF-1234' });
    expect(kindOf(transaction)).toMatchObject({ kind: 'reversal', linkedBy: 'bank_reference' });
  });

  it.each<[string, BankTransaction, AllocatedCredit]>([
    ['its word is missing', back('PAYMENT ADV48213075'), credit],
    ['its word is another', back('ADV48213075 R00 R86 R010 NSFX UNRETURNED'), credit],
    ['only amount and word are the same', back('RETURN OF WIRE'), credit],
    ['another reference is named', back('RETURN ADV10002001'), credit],
    ['only a slip leads to the reference', back('RETURN ADV48213076'), credit],
    ['its reference may be a date', back('RETURN 20261031'), { ...credit, references: ['ADV20261031'] }],
    ['another amount goes out', { ...back('RETURN ADV48213075'), amountMinor: -49_800 }, credit],
    ['another currency goes out', back('RETURN ADV48213075', { currency: 'EUR' }), credit],
    ['it is of another account', back('RETURN ADV48213075'), { ...credit, accountId: 'other' }],
    ['it came later', back('RETURN ADV48213075', { bookedOn: '2026-03-04' }), credit],
    ['its number is too short', back('RETURN 123'), { ...credit, references: [], bankReference: '123' }],
  ])('takes none back where %s', (_name, transaction, of) => {
    expect(kindOf(transaction, [of]).kind).toBe('ignore_outflow');
  });

  it('names what it may mean where nothing proves it', () => {
    expect(kindOf(back('RETURN OF WIRE'))).toMatchObject({ suspectedCredits: ['credit_1'] });
    expect(kindOf({ ...back('RETURN ADV48213075'), amountMinor: -48_400 })).toMatchObject({
      suspectedCredits: ['credit_1'],
    });
    expect(kindOf(back('RENT'))).toMatchObject({ suspectedCredits: [] });
  });

  it('takes none back that we gave back ourselves, nor another of its reference, unless by a code of the bank', () => {
    const refunded = { ...credit, id: 'credit_2', bookedOn: '2026-03-06', isRefunded: true };
    for (const credits of [
      [refunded],
      [credit, refunded],
      [
        { ...credit, isRefunded: true },
        { ...refunded, isRefunded: false },
      ],
    ]) {
      const decision = kindOf(back('RETURN OF DUPLICATE PAYMENT ADV48213075'), credits);
      expect(decision).toMatchObject({ kind: 'ignore_outflow' });
      expect(decision).toHaveProperty('suspectedCredits.length', credits.length);
      expect(kindOf(back('RETURN ADV48213075 R10'), credits).kind).toBe('reversal');
    }
    // The number of the other one says which went back.
    expect(
      kindOf(back('RETURN 20260305MMQF1234'), [credit, { ...refunded, bankReference: null }]),
    ).toMatchObject({
      kind: 'reversal',
      creditId: 'credit_1',
    });
  });

  it('takes of two equal credits the one that the bank names, or else the later', () => {
    const later = { ...credit, id: 'credit_2', bookedOn: '2026-03-06', bankReference: 'OTHER98765' };
    for (const credits of [
      [credit, later],
      [later, credit],
    ]) {
      expect(kindOf(back('RETURN ADV48213075'), credits)).toMatchObject({ creditId: 'credit_2' });
      expect(kindOf(back('RETURN 20260305MMQF1234 ADV48213075'), credits)).toMatchObject({
        creditId: 'credit_1',
      });
    }
  });

  it('takes of two of one day the last by the name of its source, in whatever order we heard of them', () => {
    const last = { ...credit, id: 'credit_0', externalId: 'c2' };
    expect(kindOf(back('RETURN ADV48213075'), [credit, last])).toMatchObject({ creditId: 'credit_0' });
  });
});

describe('the rules, the first that fits', () => {
  const paidEur = { ...E, status: 'paid' as const, dueMinor: 0 };

  it.each<[string, BankTransaction, MatchInvoice[], string]>([
    ['1 before 2', movement('ADV55550123 ADV48213075', 9900), [P, A], 'suggest 1 A'],
    ['1 before 3', movement('ADV90909090 ADV48213075', 49_900), [V, A], 'suggest 1 A'],
    ['2 before 4', movement('ADV55550124', 9900), [P], 'duplicate_credit 2 P'],
    ['2 before 5', movement('ADV55550123', 9900, { bookedOn: '2026-04-01' }), [P], 'duplicate_credit 2 P'],
    ['2 before 6', movement('ADV31415926', 9900), [paidEur], 'duplicate_credit 2 E'],
    ['3 before 4', movement('ADV90909091', 5000), [V], 'exception_void 3 V'],
    ['3 before 5', movement('ADV90909090', 5000, { bookedOn: '2026-04-01' }), [V], 'exception_void 3 V'],
    ['4 before 5', movement('ADV48213076', 49_900, { bookedOn: '2026-04-01' }), [A], 'suggest 4 A'],
    ['4 before 6', movement('ADV31415927', 45_000), [E], 'suggest 4 E'],
    ['5 before 6', movement('ADV31415926', 45_000, { bookedOn: '2026-04-01' }), [E], 'late_admin 5 E'],
    ['5 before 8', movement('48213075', 1, { bookedOn: '2026-04-01' }), [A], 'late_admin 5 A'],
    ['5 before 9', movement('ADV48213075', 50_000, { bookedOn: '2026-03-01' }), [A], 'suggest 5 A'],
    ['6 before 7', movement('ADV31415926', 45_000), [E], 'exception_fx 6 E'],
    ['8 before 9', movement('48213075', 50_000), [A], 'suggest 8 A'],
    ['8 before 10', movement('48213075', 40_000), [A], 'suggest 8 A'],
    ['a reference of ours before 12', movement('ADV99999999 48213075', 49_900), [A, C], 'auto 7 A'],
  ])('%s', (_name, transaction, known, expected) => {
    expect(short(decide(transaction, { known }))).toBe(expected);
  });
});

describe('what goes wrong, as the matching answers it', () => {
  const pounds = (amountMinor: number) => movement('WIRE ADV48213075', amountMinor, { currency: 'GBP' });
  const payroll = { id: 'payroll', role: 'same_connection' } as const;

  it.each<[string, BankTransaction, Parameters<typeof decide>[1], string]>([
    ['transfer not matched: one to choose', movement('WIRE', 12_000), {}, 'suggest 11 B'],
    ['transfer not matched: nothing to choose', movement('WIRE', 777), {}, 'unmatched 11'],
    ['wrong amount: less', movement('WIRE ADV48213075', 47_400), {}, 'partial 10 A'],
    ['wrong amount: more', movement('WIRE ADV48213075', 50_000), {}, 'auto_over 9 A'],
    ['wrong amount: less, once it is converted', pounds(30_000), atFive, 'partial 6 A'],
    ['wrong amount: more, once it is converted', pounds(45_000), atFive, 'auto_over 6 A'],
    ['wrong bank account', movement('WIRE ADV10002001', 1), { account: payroll }, 'wrong_account g5 B'],
    [
      'reference code that the bank has respelt',
      movement('wire a d v: 4821/3075 adv 4821/3075', 49_900),
      {},
      'auto 7 A',
    ],
    ['duplicate payment', movement('WIRE ADV55550123', 9900), {}, 'duplicate_credit 2 P'],
    [
      'shown by the feed two days late, when the invoice is past its day',
      movement('WIRE ADV48213075', 49_900, { authorisedOn: '2026-03-09', bookedOn: '2026-03-11' }),
      {},
      'auto 7 A',
    ],
    [
      'return of a credit',
      movement('ADV48213075 R01 NSF', -49_900),
      { facts: { credits: [credit] } },
      'reversal g3',
    ],
    ['local currency, with a rate', pounds(38_500), atFive, 'auto_fx 6 A'],
    ['local currency, without one', pounds(38_500), {}, 'exception_fx 6 A'],
    ['missing reference', movement('INCOMING WIRE ACME CORP', 49_900), {}, 'suggest 11 A C'],
  ])('%s', (_name, transaction, options, expected) => {
    expect(short(decide(transaction, options))).toBe(expected);
  });
});

describe('what a careless matching would do', () => {
  it.each<[string, BankTransaction, Parameters<typeof decide>[1], string]>([
    ['take money out for money in', movement('ADV48213075', -49_900), {}, 'ignore_outflow g3'],
    [
      'ask for a text that is the reference and nothing else',
      movement(['WIRE', 'X ADV48213075 Y'], 49_900),
      {},
      'auto 7 A',
    ],
    ['read the name alone', movement(['', '', 'RFB ADV48213075'], 49_900), {}, 'auto 7 A'],
    ['book what is pending', movement('ADV48213075', 49_900, { pending: true }), {}, 'hold_pending g7'],
    ['take euros for dollars', movement('ADV48213075', 49_900, { currency: 'EUR' }), {}, 'exception_fx 6 A'],
    [
      'pay again every hour',
      movement('ADV48213075', 49_900),
      { facts: { isDecided: true } },
      'ignore_redelivery g1',
    ],
    ['activate what was paid before', movement('ADV55550123', 9900), {}, 'duplicate_credit 2 P'],
    ['take late money', movement('ADV20261031', 30_000), {}, 'late_admin 5 X'],
    ['take digits for the code', movement('12345678', 49_900), {}, 'suggest 11 A C'],
    ['let a cent be missing', movement('ADV48213075', 49_899), {}, 'partial 10 A'],
  ])('is not done: %s', (_name, transaction, options, expected) => {
    expect(short(decide(transaction, options))).toBe(expected);
  });
});

describe('rule 1: several references', () => {
  it.each<[string, string, number, MatchInvoice[], string]>([
    ['of which one reads by look-alikes', 'ADV4821307S ADV10002001', 61_900, [A, B], 'auto_combined 1 A B'],
    ['in two texts', 'ADV10002001 / ADV48213075', 61_900, [A, B], 'auto_combined 1 B A'],
    ['of other amounts', 'ADV48213075 ADV10002001', 61_901, [A, B], 'suggest 1 A B'],
    ['of which one is paid', 'ADV48213075 ADV55550123', 49_900, [A, P], 'suggest 1 A'],
    ['of which one is void', 'ADV48213075 ADV90909090', 54_900, [A, V], 'suggest 1 A'],
    ['of which one is expired', 'ADV48213075 ADV20261031', 79_900, [A, X], 'suggest 1 A X'],
    ['of which one is of another currency', 'ADV48213075 ADV31415926', 94_900, [A, E], 'suggest 1 A E'],
    [
      'of which one was made later',
      'ADV48213075 ADV10002001',
      61_900,
      [A, { ...B, createdOn: '2026-03-06' }],
      'suggest 1 B A',
    ],
    ['all of which are paid', 'ADV55550123 ADV90909090', 9900, [P, V], 'suggest 1'],
    ['digits alone, of several invoices', '48213075 10002001', 61_900, [A, B], 'suggest 1 A B'],
    ['slips, of several invoices', 'ADV48213076 ADV10002002', 61_900, [A, B], 'suggest 4 A B'],
    ['of which one is not ours', 'ADV48213075 ADV99999999', 49_900, [A, B], 'auto 7 A'],
    ['twice the same', 'ADV48213075 ADV48213075 48213075', 49_900, [A, B], 'auto 7 A'],
    ['a sure one beside digits alone', 'ADV48213075 10002001', 49_900, [A, B], 'auto 7 A'],
  ])('%s', (_name, text, amountMinor, known, expected) => {
    expect(short(decide(movement(text, amountMinor), { known }))).toBe(expected);
  });
});

describe('rules 2 to 5: invoices that do not wait for this money', () => {
  it.each<[string, string, MatchInvoice, Partial<BankTransaction>, string]>([
    ['paid, at another amount', 'ADV55550123', P, {}, 'duplicate_credit 2 P'],
    ['paid, by digits alone', '55550123', P, {}, 'duplicate_credit 2 P'],
    ['nothing is due', 'ADV48213075', { ...A, dueMinor: 0 }, {}, 'duplicate_credit 2 A'],
    ['paid and long expired', 'ADV55550123', { ...P, expiresOn: '2026-01-01' }, {}, 'duplicate_credit 2 P'],
    ['void, in another currency', 'ADV90909090', V, { currency: 'GBP' }, 'exception_void 3 V'],
    ['one slip away', 'ADV48213076', A, {}, 'suggest 4 A'],
    ['one slip away from a late one', 'ADV20261032', X, {}, 'suggest 4 X'],
    ['a date that is a reference', 'WIRE 20261031', { ...X, status: 'open' }, {}, 'suggest 4 X'],
    ['the day after the last', 'ADV48213075', A, { bookedOn: '2026-03-10' }, 'late_admin 5 A'],
    ['the last day', 'ADV48213075', A, { bookedOn: '2026-03-09' }, 'auto 7 A'],
    [
      'booked late and made in time',
      'ADV48213075',
      A,
      { bookedOn: '2026-03-12', authorisedOn: '2026-03-09' },
      'auto 7 A',
    ],
    [
      'made late, whenever it is booked',
      'ADV48213075',
      A,
      { bookedOn: '2026-03-09', authorisedOn: '2026-03-10' },
      'late_admin 5 A',
    ],
    ['expired, though made in time', 'ADV48213075', { ...A, status: 'expired' }, {}, 'late_admin 5 A'],
    ['time never ends', 'ADV48213075', { ...A, expiresOn: null }, { bookedOn: '2027-01-01' }, 'auto 7 A'],
    ['before it was made', 'ADV48213075', A, { bookedOn: '2026-03-01' }, 'suggest 5 A'],
    ['the day it was made', 'ADV48213075', A, { bookedOn: '2026-03-02' }, 'auto 7 A'],
  ])('%s', (_name, text, invoice, details, expected) => {
    expect(short(decide(movement(text, invoice.dueMinor || 4242, details), { known: [invoice] }))).toBe(
      expected,
    );
  });

  it('a second payment is credit of all that came, which a person confirms where a slip led to it', () => {
    expect(decide(movement('ADV55550123', 9900))).toMatchObject({
      kind: 'duplicate_credit',
      credit: { amountMinor: 9900, currency: 'USD' },
      needsConfirmation: false,
    });
    expect(decide(movement('ADV55550124', 9900))).toMatchObject({
      kind: 'duplicate_credit',
      level: 'T',
      needsConfirmation: true,
    });
  });
});

describe('rule 6: other money', () => {
  // 100.00 USD due; a pound is a dollar, so that the border is seen.
  const known = [invoiceOf('F', 'ADV48213075', 10_000)];
  const at = (units: string) => ({ known, facts: { rates: [rate('GBP', 'USD', units)] } });
  const entered = (units: string) => ({ known, facts: { rates: [rate('GBP', 'USD', units, 'manual')] } });
  const pounds = (amountMinor: number, text = 'ADV48213075') =>
    movement(text, amountMinor, { currency: 'GBP' });

  it.each<[string, number, string, string, Partial<Settlement>]>([
    ['5 % less', 9500, '1', 'auto_fx 6 F', { fxFeeMinor: 500 }],
    ['5 % more', 10_500, '1', 'auto_fx 6 F', { fxFeeMinor: -500, creditMinor: 0 }],
    ['exactly', 10_000, '1', 'auto_fx 6 F', { fxFeeMinor: 0 }],
    ['a cent less than 5 % less', 9499, '1', 'partial 6 F', { fxFeeMinor: 0, countedMinor: 9499 }],
    ['a cent more than 5 % more', 10_501, '1', 'auto_over 6 F', { creditMinor: 501, countedMinor: 10_501 }],
    ['half', 5000, '1', 'partial 6 F', { allocations: [{ invoiceId: 'F', amountMinor: 5000 }] }],
    ['of a rate no float can hold', 7481, '1.27', 'auto_fx 6 F', { countedMinor: 9501, fxFeeMinor: 499 }],
  ])('%s', (_name, amountMinor, units, expected, settlement) => {
    const decision = decide(pounds(amountMinor), at(units));
    expect(short(decision)).toBe(expected);
    expect(settlementOf(decision)).toMatchObject(settlement);
  });

  it.each([
    ['without a rate', pounds(10_000), { known }, 'exception_fx 6 F'],
    [
      'with a rate of other currencies',
      pounds(10_000),
      { known, facts: { rates: [rate('USD', 'GBP', '1'), rate('GBP', 'EUR', '1')] } },
      'exception_fx 6 F',
    ],
    ['that comes to nothing', pounds(1), at('0.001'), 'exception_fx 6 F'],
    ['that comes to too much to count', pounds(Number.MAX_SAFE_INTEGER), at('9'), 'exception_fx 6 F'],
    ['by digits alone, nearly', pounds(9900, '48213075'), at('1'), 'auto_fx 6 F'],
    ['by digits alone, otherwise', pounds(9000, '48213075'), at('1'), 'suggest 8 F'],
    ['of no reference', pounds(10_000, 'WIRE'), at('1'), 'unmatched 11'],
    ['exactly, at a rate that somebody entered', pounds(10_000), entered('1'), 'suggest 6 F'],
    ['half, at a rate that somebody entered', pounds(5000), entered('1'), 'suggest 6 F'],
    ['more, at a rate that somebody entered', pounds(20_000), entered('1'), 'suggest 6 F'],
  ])('%s', (_name, transaction, options, expected) => {
    expect(short(decide(transaction, options))).toBe(expected);
  });

  it('between currencies of other decimals', () => {
    const yen = [invoiceOf('Y', 'ADV48213075', 15_000, { currency: 'JPY' })];
    const facts = { rates: [rate('USD', 'JPY', '150')] };
    expect(settlementOf(decide(movement('ADV48213075', 9900), { known: yen, facts }))).toMatchObject({
      currency: 'JPY',
      countedMinor: 14_850,
      fxFeeMinor: 150,
    });
  });
});

describe('rules 7 to 10: the amount', () => {
  const policy = { fxToleranceBps: 500, underpayToleranceMinor: 25 };

  it.each<[string, string, number, string]>([
    ['one cent less', 'ADV48213075', 49_899, 'partial 10 A'],
    ['one cent more', 'ADV48213075', 49_901, 'auto_over 9 A'],
    ['one cent less, by look-alikes', 'ADV4821307S', 49_899, 'partial 10 A'],
    ['one cent less, by digits alone', '48213075', 49_899, 'suggest 8 A'],
    ['one cent more, by digits alone', '48213075', 49_901, 'suggest 8 A'],
    ['one cent', 'ADV48213075', 1, 'partial 10 A'],
  ])('%s', (_name, text, amountMinor, expected) => {
    expect(short(decide(movement(text, amountMinor)))).toBe(expected);
  });

  it('a little may be missing where the policy says so', () => {
    const nearly = decide(movement('ADV48213075', 49_875), { policy });
    expect(short(nearly)).toBe('auto 10 A');
    expect(settlementOf(nearly)).toMatchObject({
      allocations: [{ invoiceId: 'A', amountMinor: 49_875 }],
      writtenOffMinor: 25,
      creditMinor: 0,
    });
    expect(short(decide(movement('ADV48213075', 49_874), { policy }))).toBe('partial 10 A');
    expect(short(decide(movement('48213075', 49_875), { policy }))).toBe('suggest 8 A');
  });

  it('what is still due counts, not what was due at first', () => {
    const known = [{ ...A, dueMinor: 2500 }];
    expect(short(decide(movement('ADV48213075', 2500), { known }))).toBe('auto 7 A');
    expect(settlementOf(decide(movement('ADV48213075', 49_900), { known }))).toMatchObject({
      allocations: [{ invoiceId: 'A', amountMinor: 2500 }],
      creditMinor: 47_400,
    });
  });

  it.each([0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('%d is no amount', (amountMinor) => {
    expect(() => decide(movement('ADV48213075', amountMinor))).toThrow(RangeError);
  });

  it('a currency that we do not know is refused', () => {
    expect(() => decide(movement('ADV48213075', 1, { currency: 'XXX' }))).toThrow('Unknown currency XXX');
  });
});

describe('rule 11: no reference', () => {
  const acme = { customerId: 'acme', customerName: 'Acme Corp.' };
  const owed = (id: string, dueMinor: number, details: Partial<MatchInvoice> = {}) =>
    invoiceOf(id, `ADV0000000${id}`, dueMinor, { ...acme, ...details });
  const known = [owed('1', 10_000), owed('2', 20_000), owed('3', 30_000), owed('4', 40_000)];
  const byAcme = { payer: { name: 'ACME CORPORATION', account: null } };

  it('one open invoice of the amount is a suggestion, never more', () => {
    const decision = decide(movement('WIRE', 12_000));
    expect(short(decision)).toBe('suggest 11 B');
    expect(decision).toMatchObject({ isAmbiguous: false, isForeignReference: false });
  });

  it('two are ambiguous', () => {
    expect(decide(movement('INCOMING WIRE ACME CORP', 49_900))).toMatchObject({ isAmbiguous: true });
  });

  it.each<[string, Partial<MatchInvoice>]>([
    ['is of another currency', { currency: 'EUR' }],
    ['is paid', { status: 'paid' }],
    ['is void', { status: 'void' }],
    ['is expired', { status: 'expired' }],
    ['was made later', { createdOn: '2026-03-06' }],
    ['was to be paid before', { expiresOn: '2026-03-04' }],
  ])('none is suggested that %s', (_name, details) => {
    const invoice = { ...A, ...details };
    expect(
      short(decide(movement('WIRE', 49_900), { known: [invoice], facts: { openInvoices: [invoice] } })),
    ).toBe('unmatched 11');
  });

  it.each<[string, number, Partial<BankTransaction>, MatchInvoice[], string]>([
    ['several that come to it, the fewest', 50_000, byAcme, known, 'suggest 11 1 4 2 3'],
    ['all of them', 100_000, byAcme, known, 'suggest 11 1 2 3 4'],
    ['none that come to it', 55_000, byAcme, known, 'unmatched 11'],
    ['one of the amount before several', 30_000, byAcme, known, 'suggest 11 3'],
    ['of nobody known', 50_000, { payer: { name: 'Zenith Ltd', account: null } }, known, 'unmatched 11'],
    ['by the name in the text', 100_000, { texts: ['INCOMING WIRE ACME'] }, known, 'suggest 11 1 2 3 4'],
    [
      'by the account',
      100_000,
      { payer: { name: 'Z', account: 'de89 3704' } },
      known.map((invoice) => ({ ...invoice, payerAccounts: ['DE893704'] })),
      'suggest 11 1 2 3 4',
    ],
    [
      'never those of two customers',
      100_000,
      byAcme,
      [...known.slice(0, 3), owed('4', 40_000, { customerId: 'acme2' })],
      'unmatched 11',
    ],
    [
      'never more than five',
      60_000,
      byAcme,
      ['1', '2', '3', '4', '5', '6'].map((id) => owed(id, 10_000)),
      'unmatched 11',
    ],
    ['five', 50_000, byAcme, ['1', '2', '3', '4', '5'].map((id) => owed(id, 10_000)), 'suggest 11 1 2 3 4 5'],
  ])('%s', (_name, amountMinor, details, open, expected) => {
    expect(short(decide(movement('WIRE', amountMinor, details), { known: open }))).toBe(expected);
  });

  it('two ways to come to it are ambiguous', () => {
    expect(decide(movement('WIRE', 50_000, byAcme), { known })).toMatchObject({
      suggestions: [{ invoiceIds: ['1', '4'] }, { invoiceIds: ['2', '3'] }],
      isAmbiguous: true,
    });
  });

  it('a payer who owes a great deal costs no more', () => {
    const many = Array.from({ length: 5000 }, (_, index) => owed(String(index), 10_007 + 2 * index));
    expect(short(decide(movement('WIRE', 99_999_998, byAcme), { known: many }))).toBe('unmatched 11');
  });

  it('a reference that is not ours is said to be so where nothing fits, too', () => {
    expect(decide(movement('WIRE ADV99999999', 777))).toMatchObject({
      kind: 'unmatched',
      rule: 12,
      isForeignReference: true,
    });
  });
});

describe('the evidence', () => {
  it('says where the reference stands, what was due and by when', () => {
    const decision = decide(
      movement(['WIRE', 'REF adv-4821-3075'], 49_900, { bookedOn: '2026-03-06', authorisedOn: '2026-03-05' }),
    );
    expect(decision.evidence).toEqual({
      received: { amountMinor: 49_900, currency: 'USD' },
      day: '2026-03-05',
      references: [{ code: 'ADV48213075', level: 'E', written: 'ADV-4821-3075', field: 1 }],
      foreignReferences: [],
      invoices: [
        {
          id: 'A',
          reference: 'ADV48213075',
          status: 'open',
          dueMinor: 49_900,
          currency: 'USD',
          createdOn: '2026-03-02',
          expiresOn: '2026-03-09',
        },
      ],
      rate: null,
      converted: null,
      carried: null,
    });
  });

  it('is plain data', () => {
    for (const text of ['ADV48213075', 'WIRE', 'ADV99999999', 'ADV48213076']) {
      const decision = decide(movement(text, C.dueMinor));
      expect(JSON.parse(JSON.stringify(decision))).toEqual(decision);
    }
  });
});

describe('an invoice with a payment on a proof whose money was not seen', () => {
  const paid: MatchInvoice = { ...P, provenMinor: [9900] };
  const part: MatchInvoice = { ...A, dueMinor: 29_900, provenMinor: [20_000] };
  it.each<[string, BankTransaction, MatchInvoice, string]>([
    ['its money', movement('ADV55550123', 9900), paid, 'proof_seen 2 P'],
    ['another amount', movement('ADV55550123', 9800), paid, 'exception_proof 2 P'],
    ['more', movement('ADV55550123', 19_800), paid, 'exception_proof 2 P'],
    ['another currency', movement('ADV55550123', 9900, { currency: 'EUR' }), paid, 'exception_proof 2 P'],
    ['its money, by a slip', movement('ADV55550124', 9900), paid, 'suggest 4 P'],
    ['no reference, its amount', movement('WIRE', 9900), paid, 'suggest 11 P'],
    ['no reference, another amount', movement('WIRE', 9800), paid, 'unmatched 11'],
    ['before the invoice', movement('WIRE', 9900, { bookedOn: '2026-02-01' }), paid, 'unmatched 11'],
    ['a part, its money', movement('ADV48213075', 20_000), part, 'proof_seen 2 A'],
    ['a part, what is due', movement('ADV48213075', 29_900), part, 'auto 7 A'],
    ['a part, all of it', movement('ADV48213075', 49_900), part, 'exception_proof 2 A'],
  ])('%s', (_name, transaction, invoice, expected) => {
    expect(short(decide(transaction, { known: [invoice] }))).toBe(expected);
  });

  it('on the wrong account is suggested too', () => {
    const account = { id: 'savings', role: 'same_connection' } as const;
    const decision = decide(movement('WIRE ADV55550123', 9900), { known: [paid], account });
    expect(short(decision)).toBe('wrong_account g5 P');
  });

  it('is suggested first by the number on the confirmation, ranked as if it were due', () => {
    const transaction = movement('WIRE', 9900, { bankReference: '20260305MMQF1234' });
    const facts = factsOf([paid]);
    const decision = withConfirmed(decide(transaction, { known: [paid] }), {
      transaction,
      facts,
      confirmed: [paid],
    });
    expect(decision).toMatchObject({
      suggestions: [{ invoiceIds: ['P'], isConfirmed: true, points: { amount: 40 } }],
    });
  });
});
