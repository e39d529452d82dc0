/**
 * The matching in a small world of its own: invoices, an account whose feed is told again and again and in any order, and books
 * to which each decision is applied. What is true of every decision, and of the state in which a feed ends.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { factsOf, invoiceOf, movement, rate, receiving } from '../../test/support/bank-matching.ts';
import type { BankTransaction } from './bank-transaction.ts';
import type { MatchDecision, Settlement } from './match-decision.ts';
import {
  type AllocatedCredit,
  inDecisionOrder,
  type MatchFacts,
  type MatchInvoice,
  noFacts,
} from './match-facts.ts';
import { matchTransaction } from './match-transaction.ts';

const codes = ['ADV48213075', 'ADV48213077', 'ADV10002001', 'ADV20261031', 'ADV77120936'];
const dues = [49_900, 49_900, 12_000, 30_000, 100];

const anInvoice = (index: number): fc.Arbitrary<MatchInvoice> =>
  fc
    .record({
      status: fc.constantFrom('open', 'open', 'open', 'paid', 'void', 'expired'),
      currency: fc.constantFrom('USD', 'USD', 'EUR'),
      createdOn: fc.constantFrom('2026-03-02', '2026-03-06'),
      expiresOn: fc.constantFrom('2026-03-09', '2026-03-04', null),
      customerId: fc.constantFrom('acme', 'globex'),
    })
    .map((details) =>
      invoiceOf(`invoice_${index}`, codes[index] ?? '', dues[index] ?? 0, {
        ...details,
        customerName: details.customerId,
      }),
    );

const someInvoices = fc.tuple(...codes.map((_code, index) => anInvoice(index)));

const words = fc.constantFrom(
  ...codes,
  ...codes.map((code) => code.slice(3)),
  'ADV48213076',
  'adv-4821-3075',
  'A0V10002O01',
  'ADV9999999',
  'ADV99999999',
  'WIRE',
  'ACME CORP',
  'RETURN',
  'STRIPE',
  'NSF',
);

const aMovement = (index: number): fc.Arbitrary<BankTransaction> =>
  fc
    .record({
      texts: fc.array(fc.array(words, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
      amountMinor: fc.oneof(
        fc.constantFrom(...dues, 61_900, 40_000, 50_000, 1, -49_900, -12_000, 0),
        fc.integer({ min: -60_000, max: 120_000 }),
      ),
      currency: fc.constantFrom('USD', 'USD', 'USD', 'EUR', 'GBP'),
      bookedOn: fc.constantFrom('2026-03-01', '2026-03-05', '2026-03-07', '2026-03-10'),
      pending: fc.constantFrom(false, false, false, true),
    })
    .map(({ texts, amountMinor, ...details }) =>
      movement(
        texts.map((each) => each.join(' ')),
        amountMinor,
        { externalId: `m${index}`, ...details },
      ),
    );

const someMovements = fc
  .integer({ min: 1, max: 9 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => aMovement(index))));

const rates = [rate('GBP', 'USD', '1.27'), rate('EUR', 'USD', '1.08'), rate('USD', 'EUR', '0.93')];
const policy = { fxToleranceBps: 500, underpayToleranceMinor: 5 };

function decided(transaction: BankTransaction, facts: MatchFacts): MatchDecision {
  return matchTransaction({ transaction, account: receiving, facts, policy });
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

function settlementOf(decision: MatchDecision): Settlement | null {
  return 'settlement' in decision ? decision.settlement : null;
}

describe('every decision', () => {
  it('gives no more than came, and to no invoice more than is due', () => {
    fc.assert(
      fc.property(someInvoices, aMovement(0), (known, transaction) => {
        const decision = decided(transaction, factsOf(known, { rates }));
        const settlement = settlementOf(decision);
        if (settlement === null) return;
        const { allocations, creditMinor, fxFeeMinor, countedMinor, writtenOffMinor, currency } = settlement;
        const allocated = sum(allocations.map(({ amountMinor }) => amountMinor));
        expect(allocated + creditMinor).toBe(countedMinor + fxFeeMinor);
        expect(creditMinor).toBeGreaterThanOrEqual(0);
        expect(writtenOffMinor).toBeGreaterThanOrEqual(0);
        expect(writtenOffMinor).toBeLessThanOrEqual(policy.underpayToleranceMinor);
        for (const { invoiceId, amountMinor } of allocations) {
          const invoice = known.find(({ id }) => id === invoiceId);
          expect(invoice?.status).toBe('open');
          expect(invoice?.currency).toBe(currency);
          expect(amountMinor).toBeGreaterThan(0);
          expect(amountMinor + writtenOffMinor).toBeLessThanOrEqual(invoice?.dueMinor ?? 0);
        }
        if (decision.kind !== 'auto_fx') expect(fxFeeMinor).toBe(0);
        if (currency === transaction.currency) expect(countedMinor).toBe(transaction.amountMinor);
        expect(decision.kind === 'partial').toBe(
          writtenOffMinor === 0 &&
            allocated < sum(decision.evidence.invoices.map(({ dueMinor }) => dueMinor)),
        );
      }),
      { numRuns: 1500 },
    );
  });

  it('books money only for invoices that the text names, at E, N or D, once it is booked by the bank', () => {
    fc.assert(
      fc.property(someInvoices, aMovement(0), (known, transaction) => {
        const decision = decided(transaction, factsOf(known, { rates }));
        const settlement = settlementOf(decision);
        if (settlement === null) return;
        expect(transaction.pending).toBe(false);
        expect(transaction.amountMinor).toBeGreaterThan(0);
        for (const { invoiceId } of settlement.allocations) {
          const reference = known.find(({ id }) => id === invoiceId)?.reference;
          const named = decision.evidence.references.find(({ code }) => code === reference);
          expect(['E', 'N', 'D']).toContain(named?.level);
          if (named?.level === 'D') expect(['auto', 'auto_fx']).toContain(decision.kind);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('books nothing where the text names none of ours, whatever else fits', () => {
    fc.assert(
      fc.property(someInvoices, aMovement(0), (known, transaction) => {
        const facts = { ...factsOf(known, { rates }), invoiceOf: () => null };
        expect(settlementOf(decided(transaction, facts))).toBeNull();
      }),
    );
  });

  it('is the same for the same movement and facts, whatever order the facts are in, and changes neither', () => {
    fc.assert(
      fc.property(someInvoices, aMovement(0), (known, transaction) => {
        const before = structuredClone({ known, transaction });
        const decision = decided(transaction, factsOf(known, { rates }));
        expect(decided(transaction, factsOf(known, { rates }))).toEqual(decision);
        const otherwise = decided(transaction, factsOf(known.toReversed(), { rates: rates.toReversed() }));
        expect(byId(otherwise)).toEqual(byId(decision));
        expect({ known, transaction }).toEqual(before);
      }),
    );
  });
});

/** Invoices of the evidence are a set. */
function byId(decision: MatchDecision): MatchDecision {
  const invoices = decision.evidence.invoices.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { ...decision, evidence: { ...decision.evidence, invoices } };
}

/** What has become of the movements that were told so far. */
class Books {
  readonly rows = new Map<string, BankTransaction>();
  readonly decisions = new Map<string, MatchDecision>();
  readonly reversed = new Set<string>();
  readonly #invoices: readonly MatchInvoice[];

  constructor(invoices: readonly MatchInvoice[]) {
    this.#invoices = invoices;
  }

  /** Told before: it is known already. */
  tell(transaction: BankTransaction): void {
    if (!this.rows.has(transaction.externalId)) this.rows.set(transaction.externalId, transaction);
  }

  /** Decides what is not decided yet. */
  run(): void {
    for (const transaction of [...this.rows.values()].toSorted(inDecisionOrder)) {
      const { externalId } = transaction;
      const decision = decided(transaction, {
        ...noFacts,
        ...factsOf(this.invoices, { rates, credits: this.credits }),
        isDecided: this.decisions.has(externalId),
      });
      if (decision.kind === 'ignore_redelivery') continue;
      this.decisions.set(externalId, decision);
      if (decision.kind === 'reversal') this.reversed.add(decision.creditId);
    }
  }

  paidMinor(invoiceId: string): number {
    const settlements = [...this.decisions]
      .filter(([externalId]) => !this.reversed.has(externalId))
      .map(([, decision]) => settlementOf(decision));
    return sum(
      settlements.flatMap((settlement) =>
        (settlement?.allocations ?? [])
          .filter((allocation) => allocation.invoiceId === invoiceId)
          .map(({ amountMinor }) => amountMinor),
      ),
    );
  }

  get invoices(): MatchInvoice[] {
    return this.#invoices.map((invoice) => {
      const dueMinor = invoice.dueMinor - this.paidMinor(invoice.id);
      return invoice.status === 'open' && dueMinor <= 0
        ? { ...invoice, status: 'paid', dueMinor: 0 }
        : { ...invoice, dueMinor };
    });
  }

  get credits(): AllocatedCredit[] {
    return [...this.decisions].flatMap(([id, decision]) => {
      const row = this.rows.get(id);
      const references = decision.evidence.invoices.map(({ reference }) => reference);
      if (row === undefined || settlementOf(decision) === null || this.reversed.has(id)) return [];
      const { amountMinor, currency, bookedOn, bankReference } = row;
      const about = { accountId: receiving.id, externalId: row.externalId };
      const money = { amountMinor, currency, bookedOn, isRefunded: false };
      return [{ id, ...about, ...money, references, bankReference }];
    });
  }

  get state() {
    return {
      invoices: this.invoices.map(({ id, status, dueMinor }) => ({ id, status, dueMinor })),
      kinds: [...this.decisions]
        .map(([externalId, { kind, rule }]) => `${externalId} ${kind} ${rule}`)
        .toSorted(),
      reversed: [...this.reversed].toSorted(),
    };
  }
}

describe('a feed', () => {
  it('told in any order and as often as you like ends in the same state', () => {
    const told = someMovements.chain((movements) =>
      fc.record({
        movements: fc.constant(movements),
        again: fc.array(fc.nat({ max: movements.length - 1 }), { maxLength: 12 }),
        order: fc.shuffledSubarray(movements, { minLength: movements.length }),
      }),
    );
    fc.assert(
      fc.property(someInvoices, told, (known, { movements, again, order }) => {
        const [once, often] = [new Books(known), new Books(known)];
        for (const transaction of movements) once.tell(transaction);
        once.run();
        const repeated = again.flatMap((index) => movements[index] ?? []);
        for (const transaction of [...order, ...repeated]) often.tell(transaction);
        often.run();
        for (const transaction of repeated) often.tell(transaction);
        often.run();
        expect(often.state).toEqual(once.state);
      }),
      { numRuns: 300 },
    );
  });

  it('read in parts pays no invoice more than is due, and reverses no credit twice', () => {
    fc.assert(
      fc.property(someInvoices, someMovements, (known, movements) => {
        const books = new Books(known);
        for (const transaction of movements) {
          books.tell(transaction);
          books.run();
          for (const invoice of known) {
            expect(books.paidMinor(invoice.id)).toBeLessThanOrEqual(invoice.dueMinor);
          }
        }
        const reversals = [...books.decisions.values()].filter(({ kind }) => kind === 'reversal');
        expect(reversals).toHaveLength(books.reversed.size);
      }),
      { numRuns: 300 },
    );
  });
});
