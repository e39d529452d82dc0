/** Movements, invoices and what is known of them, for tests of the matching: the worked cases' world, in March 2026. */
import { bankPolicy } from '../../domain/payments/bank-policy.ts';
import type { BankTransaction } from '../../domain/payments/bank-transaction.ts';
import type { AppliedRate } from '../../domain/payments/exchange-rate.ts';
import type { MatchDecision } from '../../domain/payments/match-decision.ts';
import { type MatchFacts, type MatchInvoice, noFacts } from '../../domain/payments/match-facts.ts';
import { type MatchInput, matchTransaction } from '../../domain/payments/match-transaction.ts';

export const receiving = { id: 'account_usd', role: 'receiving' } as const;

let movements = 0;

/** Booked money in on 5 March. */
export function movement(
  text: string | readonly string[],
  amountMinor: number,
  details: Partial<BankTransaction> = {},
): BankTransaction {
  movements += 1;
  return {
    externalId: `movement_${movements}`,
    amountMinor,
    currency: 'USD',
    bookedOn: '2026-03-05',
    authorisedOn: null,
    pending: false,
    pendingExternalId: null,
    texts: typeof text === 'string' ? [text] : text,
    payer: { name: null, account: null },
    bankReference: null,
    ...details,
  };
}

/** Open from 2 to 9 March. */
export function invoiceOf(
  id: string,
  reference: string,
  dueMinor: number,
  details: Partial<MatchInvoice> = {},
): MatchInvoice {
  return {
    id,
    reference,
    customerId: `customer_${id}`,
    customerName: `Customer ${id}`,
    payerAccounts: [],
    status: 'open',
    dueMinor,
    provenMinor: [],
    currency: 'USD',
    createdAt: '2026-03-02T09:00:00.000Z',
    createdOn: '2026-03-02',
    expiresOn: '2026-03-09',
    ...details,
  };
}

/** The invoices of the worked cases. */
export const invoices = {
  A: invoiceOf('A', 'ADV48213075', 49_900),
  B: invoiceOf('B', 'ADV10002001', 12_000),
  C: invoiceOf('C', 'ADV77120936', 49_900),
  E: invoiceOf('E', 'ADV31415926', 45_000, { currency: 'EUR' }),
  P: invoiceOf('P', 'ADV55550123', 0, { status: 'paid' }),
  X: invoiceOf('X', 'ADV20261031', 30_000, { status: 'expired', expiresOn: '2026-03-04' }),
  V: invoiceOf('V', 'ADV90909090', 5000, { status: 'void' }),
};

/** Everything that is known where these are all the invoices there are. */
export function factsOf(known: readonly MatchInvoice[], details: Partial<MatchFacts> = {}): MatchFacts {
  const byReference = new Map(known.map((invoice) => [invoice.reference, invoice]));
  return {
    ...noFacts,
    invoiceOf: (reference) => byReference.get(reference) ?? null,
    openInvoices: known.filter(({ status, provenMinor }) => status === 'open' || provenMinor.length > 0),
    ...details,
  };
}

/** On the account that receives, among the invoices of the worked cases. */
export function decide(
  transaction: BankTransaction,
  {
    known = Object.values(invoices),
    facts = {},
    account = receiving,
    policy = bankPolicy.match,
  }: {
    known?: readonly MatchInvoice[];
    facts?: Partial<MatchFacts>;
    account?: MatchInput['account'];
    policy?: MatchInput['policy'];
  } = {},
): MatchDecision {
  return matchTransaction({ transaction, account, facts: factsOf(known, facts), policy });
}

export function rate(base: string, quote: string, units: string, source = 'ecb'): AppliedRate {
  return { base, quote, day: '2026-03-05', legs: [{ base, quote, rate: units, source }] };
}
