/**
 * A process that dies where it is told to. Every border an activity crosses has moments at which a kill differs for
 * the outside: before a transaction, before its commit, after it; before a call to the vendor and after it, when the
 * effect is there and the answer is not. The moments are numbered in the order in which a run reaches them.
 */
import type { Database } from '../../db/client.ts';
import type { TaxEngine } from '../../domain/billing/tax-engine.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import type { CheckoutProvider } from '../../domain/payments/coinbase-checkout.ts';
import type { ExchangeRates } from '../../domain/payments/exchange-rate.ts';
import type { RazorpayVendor } from '../../domain/payments/razorpay-subscription.ts';

type Borders = {
  db: Database;
  cardVendor: CardVendor;
  orderVendor: RazorpayVendor;
  checkoutProvider: CheckoutProvider;
  taxEngine: TaxEngine;
  exchangeRates: ExchangeRates;
};

/** The end of the process: whatever ran stops here, and nothing catches it. */
export class Death extends Error {
  override readonly name = 'Death';
}

/** The same borders for one run, which dies at the `dieAt`-th moment it reaches (never with 0). */
export function mortal(
  { cardVendor, orderVendor, checkoutProvider, taxEngine, ...fetching }: Borders,
  dieAt: number,
): Borders & { moments: string[] } {
  const moments: string[] = [];
  const pass = passer(moments, dieAt);
  return {
    moments,
    ...passingFetch(fetching, pass),
    cardVendor: passing(cardVendor, pass),
    orderVendor: passingOrders(orderVendor, pass),
    checkoutProvider: passingCheckouts(checkoutProvider, pass),
    taxEngine: passingTaxes(taxEngine, pass),
  };
}

type FetchBorders = Pick<Borders, 'db' | 'exchangeRates'>;

/** The same for a run that only fetches exchange rates. */
export function mortalFetch(borders: FetchBorders, dieAt: number): FetchBorders {
  return passingFetch(borders, passer([], dieAt));
}

function passer(moments: string[], dieAt: number) {
  return (moment: string): void => {
    moments.push(moment);
    if (moments.length === dieAt) throw new Death(moment);
  };
}

function passingFetch({ db, exchangeRates }: FetchBorders, pass: (moment: string) => void): FetchBorders {
  return {
    db: passingDatabase(db, pass),
    exchangeRates: { published: guardedBy(pass)('published', exchangeRates.published) },
  };
}

/** The same for a run that has no border but the database. */
export function mortalDatabase(db: Database, dieAt: number): Database {
  return passingDatabase(db, passer([], dieAt));
}

function passingDatabase(db: Database, pass: (moment: string) => void): Database {
  const transaction: Database['transaction'] = async (work) => {
    pass('before the transaction');
    const result = await db.transaction(async (tx) => {
      const done = await work(tx);
      pass('before the commit');
      return done;
    });
    pass('after the commit');
    return result;
  };
  return { ...db, transaction };
}

function guardedBy(pass: (moment: string) => void) {
  return <Input, Answer>(name: string, call: (input: Input) => Promise<Answer>) =>
    async (input: Input): Promise<Answer> => {
      pass(`before ${name}`);
      const answer = await call(input);
      pass(`after ${name}`);
      return answer;
    };
}

function passingOrders(orderVendor: RazorpayVendor, pass: (moment: string) => void): RazorpayVendor {
  const guarded = guardedBy(pass);
  return {
    createOrder: guarded('createOrder', orderVendor.createOrder),
    findOrder: guarded('findOrder', orderVendor.findOrder),
    fetchOrder: guarded('fetchOrder', orderVendor.fetchOrder),
    capture: guarded('capture', orderVendor.capture),
    refund: guarded('refund', orderVendor.refund),
    findRefund: guarded('findRefund', orderVendor.findRefund),
    createPlan: guarded('createPlan', orderVendor.createPlan),
    findPlan: guarded('findPlan', orderVendor.findPlan),
    createSubscription: guarded('createSubscription', orderVendor.createSubscription),
    findSubscription: guarded('findSubscription', orderVendor.findSubscription),
    fetchSubscription: guarded('fetchSubscription', orderVendor.fetchSubscription),
    fetchPayment: guarded('fetchPayment', orderVendor.fetchPayment),
    cancelSubscription: guarded('cancelSubscription', orderVendor.cancelSubscription),
    fetchDispute: guarded('fetchDispute', orderVendor.fetchDispute),
  };
}

function passingCheckouts(
  checkoutProvider: CheckoutProvider,
  pass: (moment: string) => void,
): CheckoutProvider {
  const guarded = guardedBy(pass);
  return {
    createCheckout: guarded('createCheckout', checkoutProvider.createCheckout),
    findCheckout: guarded('findCheckout', checkoutProvider.findCheckout),
    fetchCheckout: guarded('fetchCheckout', checkoutProvider.fetchCheckout),
  };
}

function passingTaxes(taxEngine: TaxEngine, pass: (moment: string) => void): TaxEngine {
  const guarded = guardedBy(pass);
  return {
    calculate: (request, asked) => guarded('calculate', () => taxEngine.calculate(request, asked))(undefined),
    recordSale: guarded('recordSale', taxEngine.recordSale),
    recordReversal: guarded('recordReversal', taxEngine.recordReversal),
    undoReversal: guarded('undoReversal', taxEngine.undoReversal),
  };
}

function passing(cardVendor: CardVendor, pass: (moment: string) => void): CardVendor {
  const guarded = guardedBy(pass);
  return {
    ensureCustomer: guarded('ensureCustomer', cardVendor.ensureCustomer),
    attachPaymentMethod: guarded('attachPaymentMethod', cardVendor.attachPaymentMethod),
    charge: guarded('charge', cardVendor.charge),
    findCharge: guarded('findCharge', cardVendor.findCharge),
    fetchCharge: guarded('fetchCharge', cardVendor.fetchCharge),
    cancelCharge: guarded('cancelCharge', cardVendor.cancelCharge),
    refund: guarded('refund', cardVendor.refund),
    findRefund: guarded('findRefund', cardVendor.findRefund),
    listEvents: cardVendor.listEvents,
    deleteCustomer: guarded('deleteCustomer', cardVendor.deleteCustomer),
  };
}
