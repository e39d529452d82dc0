/**
 * Money recorded by hand: in other currencies than the invoice's, over several invoices, given back, twice at once, beside
 * a charge under way, and by a process that dies. After each of them the books explain every cent.
 */
import { asc, eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { dueOf, type InvoiceRow, readInvoice } from '../../db/queries/billing/invoices.ts';
import { issuePeriodInvoice } from '../../db/queries/billing/issue-invoice.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { enterRate } from '../../db/queries/payments/exchange-rates.ts';
import {
  listAllocations,
  type RecordedPayment,
  recordCustomerPayment,
  recordInvoicePayment,
} from '../../db/queries/payments/record-payment.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { customers, invoices } from '../../db/schema/billing.ts';
import { ledgerEntries, payments, refunds } from '../../db/schema/payments.ts';
import { money } from '../../domain/money.ts';
import { checkBooks } from '../stories/books.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';
import { Death, mortal } from './mortal.ts';

const at = new Date('2026-03-05T10:00:00.000Z');

let scene: Scene;
/** Of 29.00 USD, open, of the scene's only customer. */
let first: OpenInvoice;
let customerId: string;

beforeEach(async () => {
  scene = await createScene();
  first = await scene.openInvoice(['succeeded', 'processing']);
  ({ customerId } = await inTenant((tx) => readInvoice(tx, first.invoiceId)));
});
afterEach(async () => {
  try {
    await books();
  } finally {
    await scene.close();
  }
});

describe('a payment in another currency', () => {
  it('is converted at the rate of the day it came, and within 5 % pays in full; the difference is a fee (W16)', async () => {
    await enter('GBP', 'USD', '1.27', '2026-03-02');
    // 22.38 GBP are 28.4226 USD, 1.99 % less than 29.00.
    const { outcome, paymentId } = await pay({ amount: money(2238, 'GBP'), bankFeeMinor: 300 });
    expect(outcome).toBe('settled');
    expect(await paymentOf(paymentId)).toMatchObject({
      amountMinor: 2900,
      allocatedMinor: 2900,
      currency: 'USD',
      receivedMinor: 2238,
      receivedCurrency: 'GBP',
      convertedMinor: 2842,
      exchangeRate: '1.27',
      rateDay: '2026-03-02',
      rateSource: 'manual',
      bankFeeMinor: 300,
    });
    expect(await ledgerOf('fx_clearing', 'fx_fee', 'bank_fee', 'cash:manual')).toEqual({
      'bank_fee GBP': 300,
      'cash:manual GBP': 1938,
      'fx_clearing GBP': -2238,
      'fx_clearing USD': 2842,
      'fx_fee USD': 58,
    });
  });

  it('that brings a little more pays in full as well; the difference is a gain', async () => {
    await enter('GBP', 'USD', '1.30');
    expect(await pay({ amount: money(2238, 'GBP') })).toMatchObject({ outcome: 'settled', excessMinor: 0 });
    expect(await ledgerOf('fx_fee')).toEqual({ 'fx_fee USD': -9 });
  });

  it.each([
    ['a part of it outside of that', 1000, { outcome: 'partial', excessMinor: 0 }, 1270],
    ['it, and more outside of that, which is credit', 5000, { outcome: 'settled', excessMinor: 3450 }, 6350],
  ])('pays %s', async (_name, receivedMinor, expected, amountMinor) => {
    await enter('GBP', 'USD', '1.27');
    const settled = await pay({ amount: money(receivedMinor, 'GBP') });
    expect(settled).toMatchObject(expected);
    expect(await paymentOf(settled.paymentId)).toMatchObject({ amountMinor, convertedMinor: amountMinor });
    expect(await creditOf()).toBe(expected.excessMinor);
    expect(await ledgerOf('fx_fee')).toEqual({});
  });

  it('without a rate of that day or of the five days before is refused, and says how to enter one (W17)', async () => {
    await enter('GBP', 'USD', '1.27', '2026-02-27');
    const before = await everything();
    await expect(pay({ amount: money(2238, 'GBP') })).rejects.toMatchObject({
      reason: 'exchange_rate_missing',
      message: expect.stringContaining('/v1/exchange_rates'),
    });
    expect(await everything()).toEqual(before);
  });

  it("is converted at the rate of the bank's advice where that is named", async () => {
    await enter('GBP', 'USD', '2');
    const exchange = { rate: '1.2958', source: 'advice of the bank' };
    const { paymentId } = await pay({ amount: money(2238, 'GBP'), exchange });
    expect(await paymentOf(paymentId)).toMatchObject({
      convertedMinor: 2900,
      exchangeRate: '1.2958',
      rateSource: 'advice of the bank',
      rateDay: '2026-03-05',
    });
  });

  it('goes through the euro at the rates that were fetched', async () => {
    scene.frankfurter.setRates('2026-03-04', { USD: 1.0866, GBP: 0.85559 });
    scene.frankfurter.clock.set(at);
    await scene.activities.operations.fetchExchangeRates({ at: at.toISOString() });
    const { paymentId } = await pay({ amount: money(2284, 'GBP') });
    expect(await paymentOf(paymentId)).toMatchObject({
      convertedMinor: 2901,
      rateDay: '2026-03-04',
      rateSource: 'ecb',
      rateLegs: [
        { base: 'EUR', quote: 'GBP', rate: '0.85559', source: 'ecb' },
        { base: 'EUR', quote: 'USD', rate: '1.0866', source: 'ecb' },
      ],
    });
  });

  it('recorded again is the same money, whatever the rate is by then; another amount under its reference is not', async () => {
    await enter('GBP', 'USD', '1.27');
    const wire = { reference: 'wire 1', amount: money(2238, 'GBP') };
    const { paymentId } = await pay(wire);
    await enter('GBP', 'USD', '3');
    expect(await pay(wire)).toMatchObject({ outcome: 'duplicate', paymentId });
    expect(await payCustomer(wire)).toMatchObject({ outcome: 'duplicate', paymentId });
    const before = await everything();
    for (const amount of [money(2238, 'USD'), money(2237, 'GBP')]) {
      await expect(pay({ ...wire, amount })).rejects.toMatchObject({ reason: 'reference_already_booked' });
    }
    expect(await everything()).toEqual(before);
  });
});

describe('a refund of a payment in another currency', () => {
  it('of all of it gives back what came, and leaves nothing in the clearing', async () => {
    await enter('GBP', 'USD', '1.27');
    const { paymentId } = await pay({ amount: money(2238, 'GBP') });
    await refund(paymentId);
    expect(await refundsOf()).toEqual([{ amountMinor: 2900, receivedMinor: 2238, convertedMinor: 2842 }]);
    expect(await ledgerOf('fx_clearing', 'fx_fee', 'cash:manual')).toEqual({});
  });

  it('in parts gives back a share each, and together exactly what came', async () => {
    await enter('GBP', 'USD', '1.27');
    const { paymentId } = await pay({ amount: money(2238, 'GBP') });
    for (const amountMinor of [1, 1000, 999]) await refund(paymentId, amountMinor);
    await expect(refund(paymentId, 901)).rejects.toMatchObject({ reason: 'refund_exceeds_payment' });
    await refund(paymentId);
    expect(await refundsOf()).toEqual([
      { amountMinor: 1, receivedMinor: 1, convertedMinor: 1 },
      { amountMinor: 1000, receivedMinor: 771, convertedMinor: 980 },
      { amountMinor: 999, receivedMinor: 771, convertedMinor: 979 },
      { amountMinor: 900, receivedMinor: 695, convertedMinor: 882 },
    ]);
    expect(await ledgerOf('fx_clearing', 'fx_fee', 'cash:manual')).toEqual({});
  });
});

describe('one payment and three unpaid invoices', () => {
  let open: string[];
  beforeEach(async () => {
    open = [first.invoiceId, await issueNext(), await issueNext()];
  });

  it.each([
    ['exactly', 3 * PRICE_MINOR, [PRICE_MINOR, PRICE_MINOR, PRICE_MINOR], 0],
    ['the first and a part of the second', 4000, [PRICE_MINOR, 1100], 0],
    ['a part of the first', 1, [1], 0],
    ['all of them and more', 10_000, [PRICE_MINOR, PRICE_MINOR, PRICE_MINOR], 1300],
  ])('pays %s, oldest first', async (_name, amountMinor, paid, creditMinor) => {
    const { paymentId, excessMinor } = await payCustomer({ amount: money(amountMinor, 'USD') });
    expect(await allocationsOf(paymentId)).toEqual(paid.map((each, index) => [open[index], each]));
    expect([excessMinor, await creditOf()]).toEqual([creditMinor, creditMinor]);
    expect(await duesOf()).toEqual(open.map((_id, index) => PRICE_MINOR - (paid[index] ?? 0)));
  });

  it('begins with the invoice that was named', async () => {
    const [oldest = '', , latest = ''] = open;
    const { paymentId } = await pay({ amount: money(4000, 'USD') }, latest);
    expect(await allocationsOf(paymentId)).toEqual([
      [latest, PRICE_MINOR],
      [oldest, 1100],
    ]);
  });

  it('of all three by one wire in another currency are paid in full within 5 % of their sum', async () => {
    await enter('EUR', 'USD', '1.09');
    const { paymentId } = await payCustomer({ amount: money(7900, 'EUR') });
    expect(await paymentOf(paymentId)).toMatchObject({ amountMinor: 8700, convertedMinor: 8611 });
    expect(await duesOf()).toEqual([0, 0, 0]);
    expect(await creditOf()).toBe(0);
  });

  it('does not pay one twice whose charge is under way: what that brings too much is credit', async () => {
    const charged = await scene.activities.stripe.collectInvoice(first.input);
    expect(charged.outcome).toBe('processing');
    await payCustomer({ amount: money(3 * PRICE_MINOR, 'USD') });
    const charge = scene.sandbox.effects().findLast(({ op }) => op === 'payment_intents.create');
    const intent = charge?.objectId ?? '';
    scene.sandbox.settle(intent, 'succeeded');
    await scene.activities.stripe.syncCardPayment({
      paymentId: intent,
      inboxEventIds: [],
      at: at.toISOString(),
    });
    expect(await duesOf()).toEqual([0, 0, 0]);
    expect(await creditOf()).toBe(PRICE_MINOR);
  });

  it('sent by two people at once is booked once, and by two of them with wires of their own twice', async () => {
    const wire = { reference: 'wire 1', amount: money(2 * PRICE_MINOR, 'USD') };
    const outcomes = await Promise.all([payCustomer(wire), payCustomer(wire), payCustomer(wire)]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['duplicate', 'duplicate', 'settled']);
    const other = { reference: 'wire 2', amount: money(2 * PRICE_MINOR, 'USD') };
    await Promise.all([payCustomer(other), pay({ ...wire, reference: 'wire 3' })]);
    expect(await duesOf()).toEqual([0, 0, 0]);
    expect(await creditOf()).toBe(3 * PRICE_MINOR);
  });

  it('leaves all of it or nothing when the process dies, and repeated it is done once', async () => {
    const wire = { reference: 'wire 1', amount: money(7900, 'EUR') };
    await enter('EUR', 'USD', '1.09');
    const before = await everything();
    for (const dieAt of [1, 2]) {
      const { db } = mortal(scene, dieAt);
      const dying = withTenant(db, first.tenantId, (tx) =>
        recordCustomerPayment(tx, { ...recorded(wire), customerId }),
      );
      await expect(dying).rejects.toThrow(Death);
      expect(await everything()).toEqual(before);
    }
    const { db } = mortal(scene, 3);
    const lost = withTenant(db, first.tenantId, (tx) =>
      recordCustomerPayment(tx, { ...recorded(wire), customerId }),
    );
    await expect(lost).rejects.toThrow(Death);
    expect(await payCustomer(wire)).toMatchObject({ outcome: 'duplicate' });
    expect(await duesOf()).toEqual([0, 0, 0]);
    expect(await creditOf()).toBe(0);
  });

  it('when nothing is unpaid is refused, and says where it goes', async () => {
    await payCustomer({ amount: money(3 * PRICE_MINOR, 'USD') });
    const before = await everything();
    const more = payCustomer({ amount: money(1, 'USD') });
    await expect(more).rejects.toMatchObject({ reason: 'nothing_unpaid' });
    expect(await everything()).toEqual(before);
  });
});

it('the books explain every cent whatever comes in which currency and is given back', async () => {
  for (const [base, rate] of Object.entries({ EUR: '1.0866', GBP: '1.27', JPY: '0.0066', KWD: '3.2541' })) {
    await enter(base, 'USD', rate);
  }
  const payment = fc.record({
    currency: fc.constantFrom('USD', 'EUR', 'GBP', 'JPY', 'KWD'),
    amountMinor: fc.integer({ min: 200, max: 9000 }),
    fee: fc.integer({ min: 0, max: 199 }),
    named: fc.boolean(),
    back: fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(payment, { minLength: 1, maxLength: 6 }), async (wires) => {
      const issued = [await issueNext(), await issueNext()];
      for (const { currency, amountMinor, fee, named, back } of wires) {
        const wire = { amount: money(amountMinor, currency), bankFeeMinor: fee };
        const isUnpaid = (await duesOf()).some((dueMinor) => dueMinor > 0);
        const { paymentId } = await (named || !isUnpaid ? pay(wire, issued[0]) : payCustomer(wire));
        for (const percent of back) {
          const { amountMinor: paidMinor } = await paymentOf(paymentId);
          const wish = Math.max(1, Math.floor((paidMinor * percent) / 100));
          await refund(paymentId, wish).catch(onlyIfTooMuch);
        }
      }
      await books();
    }),
    { numRuns: 15 },
  );
}, 120_000);

function onlyIfTooMuch(error: { reason?: string }): void {
  if (error.reason !== 'refund_exceeds_payment') throw error;
}

function inTenant<T>(work: Parameters<typeof withTenant<T>>[2]): Promise<T> {
  return withTenant(scene.db, first.tenantId, work);
}

let references = 0;

function recorded(payment: Partial<RecordedPayment>): RecordedPayment {
  references += 1;
  const { tenantId } = first;
  const amount = money(PRICE_MINOR, 'USD');
  return { tenantId, reference: `wire no. ${references}`, amount, at, receivedAt: at, ...payment };
}

function pay(payment: Partial<RecordedPayment>, invoiceId = first.invoiceId) {
  return inTenant((tx) => recordInvoicePayment(tx, { ...recorded(payment), invoiceId }));
}

function payCustomer(payment: Partial<RecordedPayment>) {
  return inTenant((tx) => recordCustomerPayment(tx, { ...recorded(payment), customerId }));
}

function refund(paymentId: string, amountMinor?: number) {
  return inTenant((tx) => requestRefund(tx, { paymentId, amountMinor, actor: 'test', at }));
}

function enter(base: string, quote: string, rate: string, day = '2026-03-05') {
  const { tenantId } = first;
  const by = { actor: 'test', reason: 'agreed', at };
  return inTenant((tx) => enterRate(tx, { tenantId, day, base, quote, rate, ...by }));
}

/** Another period of the same subscription is billed. */
function issueNext(): Promise<string> {
  return inTenant(async (tx) => {
    const { subscriptionId } = await readInvoice(tx, first.invoiceId);
    const context = await lockSubscription(tx, subscriptionId);
    const issued = await tx.select().from(invoices);
    const periodIndex = 1 + Math.max(...issued.map((invoice) => invoice.periodIndex));
    const period = { startsAt: '2026-04-01T10:00:00.000Z', endsAt: '2026-05-01T10:00:00.000Z' };
    return (await issuePeriodInvoice(tx, context, { periodIndex, period, at })).id;
  });
}

function books(): Promise<void> {
  const { db, sandbox: stripe, razorpay, coinbase } = scene;
  return checkBooks({ db, tenantId: first.tenantId, stripe, razorpay, coinbase });
}

async function paymentOf(paymentId: string): Promise<typeof payments.$inferSelect> {
  const [payment] = await inTenant((tx) => tx.select().from(payments).where(eq(payments.id, paymentId)));
  if (payment === undefined) throw new Error('There is no such payment');
  return payment;
}

function refundsOf() {
  const { amountMinor, receivedMinor, convertedMinor, id } = refunds;
  return inTenant((tx) =>
    tx.select({ amountMinor, receivedMinor, convertedMinor }).from(refunds).orderBy(asc(id)),
  );
}

async function allocationsOf(paymentId: string): Promise<[string, number][]> {
  const found = await inTenant((tx) => listAllocations(tx, [paymentId]));
  return (found.get(paymentId) ?? []).map(({ invoiceId, amountMinor }) => [invoiceId, amountMinor]);
}

/** Of the invoices that this file has issued, oldest first. */
async function duesOf(): Promise<number[]> {
  const rows: InvoiceRow[] = await inTenant((tx) => tx.select().from(invoices).orderBy(asc(invoices.id)));
  return rows.slice(1).map((invoice) => dueOf(invoice).amountMinor);
}

async function creditOf(): Promise<number | undefined> {
  const [customer] = await inTenant((tx) => tx.select().from(customers).where(eq(customers.id, customerId)));
  return customer?.creditMinor;
}

/** Balances that are not 0. */
async function ledgerOf(...accounts: string[]): Promise<Record<string, number>> {
  const balances: Record<string, number> = {};
  for (const { account, currency, amountMinor } of await inTenant((tx) => tx.select().from(ledgerEntries))) {
    const name = `${account} ${currency}`;
    if (accounts.includes(account)) balances[name] = (balances[name] ?? 0) + amountMinor;
  }
  return Object.fromEntries(Object.entries(balances).filter(([, balance]) => balance !== 0));
}

/** Whatever a payment could change. */
function everything() {
  return inTenant(async (tx) => ({
    payments: await tx.select().from(payments).orderBy(asc(payments.id)),
    invoices: await tx.select().from(invoices).orderBy(asc(invoices.id)),
    customers: await tx.select().from(customers),
    entries: (await tx.select().from(ledgerEntries)).length,
  }));
}
