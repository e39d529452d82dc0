/**
 * Direct debits of bank accounts: what banks return, in whatever order and however often it is told, moves money,
 * subscription and ladder once. Each test has a vendor and a database of its own, whose books are compared at its end.
 */
import { and, eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { closeUnpaidInvoice, readInvoice } from '../../db/queries/billing/invoices.ts';
import { bookCharge } from '../../db/queries/payments/book-charge.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { chargeAttempts, paymentMethods, payments } from '../../db/schema/payments.ts';
import { money } from '../../domain/money.ts';
import type { OwnCharge } from '../../domain/payments/card-payment.ts';
import { representmentKey } from '../../domain/payments/direct-debit.ts';
import { checkBooks } from '../stories/books.ts';
import { createScene, PRICE_MINOR, type Scene } from './collection-scene.ts';
import {
  at,
  bankSays,
  bankTakesBack,
  type Debited,
  debited,
  debitsOf,
  latestDebit,
  stateOf,
  useAccount,
} from './debit-scene.ts';

let scene: Scene;
let tenantId: string;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(async () => {
  await checkBooks({
    db: scene.db,
    tenantId,
    stripe: scene.sandbox,
    razorpay: scene.razorpay,
    coinbase: scene.coinbase,
  });
  await scene.close();
});

async function begin(...answers: string[]): Promise<Debited> {
  const debit = await debited(scene, ...answers);
  tenantId = debit.tenantId;
  return debit;
}

/** What the timeline says of the payment that was taken back last. */
async function lastReturn(): Promise<string | undefined> {
  const timeline = await withTenant(scene.db, tenantId, (tx) =>
    tx.select().from(subscriptionEvents).orderBy(subscriptionEvents.id),
  );
  return timeline.findLast(({ kind }) => kind === 'payment_returned')?.message;
}

const threeDaysLater = '2026-03-11T10:00:00.000Z';
const untouched = { status: 'active', isDefault: true, isRefused: false, hasMandate: true, cases: [] };

describe('a debit that the bank works on', () => {
  it('leaves everything as it was', async () => {
    const debit = await begin();
    expect(await stateOf(scene, debit)).toMatchObject({
      ...untouched,
      invoice: 'open 0',
      planned: [],
      attempts: ['processing'],
      timeline: [],
    });
  });

  it('and that succeeds pays the invoice', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    expect(await stateOf(scene, debit)).toMatchObject({ ...untouched, invoice: 'paid 2900' });
  });

  it.each([
    ['R01', { isDefault: true, hasMandate: true, planned: [`representment ${threeDaysLater}`], cases: [] }],
    ['R09', { isDefault: true, hasMandate: true, planned: [`representment ${threeDaysLater}`], cases: [] }],
    ['R02', { isDefault: false, hasMandate: true, planned: [], cases: ['open'] }],
    ['R04', { isDefault: false, hasMandate: true, planned: [], cases: ['open'] }],
    ['R05', { isDefault: false, hasMandate: false, planned: [], cases: ['open'] }],
    ['R07', { isDefault: false, hasMandate: false, planned: [], cases: ['open'] }],
    ['R10', { isDefault: false, hasMandate: false, planned: [], cases: ['open'] }],
    ['R29', { isDefault: false, hasMandate: false, planned: [], cases: ['open'] }],
    ['R06', { isDefault: true, hasMandate: true, planned: [], cases: ['open'] }],
  ])('and that is returned with %s: %j', async (code, expected) => {
    const debit = await begin();
    await bankSays(scene, debit, code);
    expect(await stateOf(scene, debit)).toMatchObject({
      ...expected,
      status: 'past_due',
      ladder: 'grace',
      isRefused: !expected.isDefault,
      invoice: 'open 0',
      attempts: [`failed ${code}`],
      mails: ['payment_returned'],
    });
  });
});

describe('the new presentment of a returned debit', () => {
  it('debits the same account once, and a second return begins the ladder', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'R01');
    const again = await presentAgain(debit);
    expect(debitsOf(scene, debit)).toHaveLength(2);
    await bankSays(scene, again, 'R01', threeDaysLater);
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'past_due',
      planned: [],
      cases: ['open'],
      attempts: ['failed R01', 'failed R01'],
      isDefault: true,
      mails: ['payment_returned', 'payment_returned'],
    });
  });

  it('does not come before its day by a step of the ladder, and not at all when it is not planned any more', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'R01');
    const { collectInvoice } = scene.activities.stripe;
    const step = { ...debit.input, origin: 'dunning', originKey: 'dunning:1', at } as const;
    expect(await collectInvoice(step)).toMatchObject({ outcome: 'processing' });
    const stranger = {
      ...debit.input,
      origin: 'representment',
      originKey: 'representment:none',
      at,
    } as const;
    expect(await collectInvoice(stranger)).toMatchObject({ outcome: 'nothing_due' });
    expect(debitsOf(scene, debit)).toHaveLength(1);
    expect((await stateOf(scene, debit)).planned).toEqual([`representment ${threeDaysLater}`]);
  });

  it('is the second one of three: then the network allows no more, unless the customer names the account anew', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'R01');
    await bankSays(scene, await presentAgain(debit), 'R01', threeDaysLater);
    const { collectInvoice } = scene.activities.stripe;
    const step = (name: string) =>
      collectInvoice({ ...debit.input, origin: 'dunning', originKey: name, at: threeDaysLater });
    expect(await step('dunning:1')).toMatchObject({ outcome: 'processing' });
    await bankSays(scene, { ...debit, paymentIntent: latestDebit(scene, debit) }, 'R09', threeDaysLater);
    expect(await step('dunning:2')).toMatchObject({
      outcome: 'declined',
      code: 'representment_limit_reached',
    });
    expect(debitsOf(scene, debit)).toHaveLength(3);

    const anew = { ...debit.input, origin: 'new_payment_method', originKey: 'method:1', at } as const;
    expect(await collectInvoice(anew)).toMatchObject({ outcome: 'processing' });
    expect(debitsOf(scene, debit)).toHaveLength(4);
  });
});

describe('a payment that the bank takes back afterwards', () => {
  it('for want of funds: the invoice is open again, the cash is gone, and it is presented once more', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    const paid = await stateOf(scene, debit);
    await bankTakesBack(scene, debit, 'R01');
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'past_due',
      ladder: 'grace',
      invoice: 'open 0',
      payments: ['0 back 2900 R01'],
      attempts: ['succeeded R01'],
      planned: [`representment ${threeDaysLater}`],
      cases: [],
      ledger: {
        ...paid.ledger,
        'cash:stripe': (paid.ledger['cash:stripe'] ?? 0) - PRICE_MINOR,
        receivable: PRICE_MINOR,
      },
      timeline: ['payment_received', 'payment_returned', 'representment_planned', 'access_changed'],
      mails: ['payment_receipt', 'payment_returned'],
    });
  });

  it('ends the same, in whatever order and however often it is told', async () => {
    const ends = new Set<string>();
    for (const order of permutations([0, 1, 2])) {
      await scene.close();
      scene = await createScene();
      const debit = await begin();
      const looks = [await look(debit)];
      scene.sandbox.settle(debit.paymentIntent, 'succeeded');
      looks.push(await look(debit));
      scene.sandbox.returnDebit(debit.paymentIntent, 'R10');
      looks.push(await look(debit));
      for (const index of order) {
        for (const _ of ['once', 'again']) await book(debit, looks[index]);
      }
      const { timeline, ...state } = await stateOf(scene, debit);
      ends.add(JSON.stringify({ ...state, timeline: timeline.toSorted() }));
    }
    expect([...ends]).toHaveLength(1);
    expect([...ends][0]).toContain('0 back 2900 R10');
  });

  it('cannot be refunded, and what was refunded before stays refunded', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    scene.sandbox.refund({ paymentIntent: debit.paymentIntent, amount: 900 });
    await bankTakesBack(scene, debit, 'R10');
    expect(await stateOf(scene, debit)).toMatchObject({
      invoice: 'open 900',
      payments: ['900 back 2000 R10'],
    });
    const payment = await paymentOf(debit);
    const refund = withTenant(scene.db, tenantId, (tx) =>
      requestRefund(tx, { paymentId: payment.id, actor: 'test', at: new Date(at) }),
    );
    await expect(refund).rejects.toMatchObject({ code: 'state_conflict', reason: 'payment_returned' });
  });

  it('of a subscription that has ended: the invoice is open, the customer is told, nobody is chased', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    await cancel(debit);
    await bankTakesBack(scene, debit, 'R01');
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'cancelled',
      invoice: 'open 0',
      planned: [],
      cases: [],
      mails: ['payment_receipt', 'payment_returned'],
    });
  });

  it('of a customer who was erased: bad debt at once, and no mail', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    await cancel(debit);
    await scene.activities.stripe.closeSubscription({ ...debit, at: '2026-05-01T10:00:00.000Z' });
    const before = (await stateOf(scene, debit)).mails;
    await bankTakesBack(scene, debit, 'R10');
    const after = await stateOf(scene, debit);
    expect(after).toMatchObject({ invoice: 'uncollectible 0', mails: before, cases: [] });
    expect(after.ledger['bad_debt']).toBe(PRICE_MINOR);
  });

  it('of a subscription that is paused: debited once more, and charged again when the subscription goes on', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    const { subscriptionId } = debit;
    await scene.activities.billing.pauseSubscription({
      tenantId,
      subscriptionId,
      requestId: 'pause',
      actor: 'test',
      at,
    });
    await bankTakesBack(scene, debit, 'R01');
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'paused',
      invoice: 'open 0',
      planned: [`representment ${threeDaysLater}`],
      cases: [],
    });
    await bankSays(scene, await presentAgain(debit), 'R01', threeDaysLater);
    expect(await stateOf(scene, debit)).toMatchObject({ status: 'paused', planned: [], cases: [] });

    const resumesAt = '2026-03-20T10:00:00.000Z';
    const { billing } = scene.activities;
    await billing.resumeSubscription({ ...debit, requestId: 'resume', actor: 'test', at: resumesAt });
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'active',
      planned: [`renewal ${resumesAt}`],
      mails: ['payment_receipt', 'payment_returned', 'payment_returned'],
    });
  });

  it('that had become credit takes the credit; what of it was spent is bad debt', async () => {
    const debit = await begin();
    await withTenant(scene.db, tenantId, async (tx) =>
      closeUnpaidInvoice(tx, await readInvoice(tx, debit.invoiceId), { as: 'void', at: new Date(at) }),
    );
    await bankSays(scene, debit, 'succeeded');
    expect((await stateOf(scene, debit)).creditMinor).toBe(PRICE_MINOR);
    await renew(debit);
    await bankTakesBack(scene, debit, 'R10');
    const after = await stateOf(scene, debit);
    expect(after).toMatchObject({ invoice: 'void 0', creditMinor: 0, payments: ['0 back 2900 R10'] });
    expect(after.ledger['bad_debt']).toBe(PRICE_MINOR);
    expect(await lastReturn()).toMatch(/\(R10\): the invoice stays void\.$/);
  });

  it('of an invoice that had been given up, and was paid after all, is given up again', async () => {
    const debit = await begin();
    await withTenant(scene.db, tenantId, async (tx) =>
      closeUnpaidInvoice(tx, await readInvoice(tx, debit.invoiceId), {
        as: 'uncollectible',
        at: new Date(at),
      }),
    );
    const before = await stateOf(scene, debit);
    await bankSays(scene, debit, 'succeeded');
    expect((await stateOf(scene, debit)).invoice).toBe('paid 2900');
    await bankTakesBack(scene, debit, 'R10');
    const after = await stateOf(scene, debit);
    expect(after).toMatchObject({ invoice: 'uncollectible 0', ledger: before.ledger });
    expect(await lastReturn()).toMatch(/\(R10\): the invoice is bad debt\.$/);
  });

  it('leaves what another payment paid of the invoice', async () => {
    const debit = await begin();
    await withTenant(scene.db, tenantId, (tx) =>
      settlePayment(tx, {
        tenantId,
        invoiceId: debit.invoiceId,
        rail: 'manual',
        externalId: 'wire 1',
        amount: money(900, 'USD'),
        at: new Date(at),
      }),
    );
    await bankSays(scene, debit, 'succeeded');
    expect(await stateOf(scene, debit)).toMatchObject({ invoice: 'paid 2900', creditMinor: 900 });
    await bankTakesBack(scene, debit, 'R10');
    expect(await stateOf(scene, debit)).toMatchObject({ invoice: 'open 900', creditMinor: 0 });
  });

  it('twice in the life of an invoice: the account is not presented again after the second time', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'succeeded');
    await bankTakesBack(scene, debit, 'R01');
    const again = await presentAgain(debit);
    await bankSays(scene, again, 'succeeded', threeDaysLater);
    expect(await stateOf(scene, debit)).toMatchObject({ status: 'active', invoice: 'paid 2900' });
    await bankTakesBack(scene, again, 'R01');
    expect(await stateOf(scene, debit)).toMatchObject({
      status: 'past_due',
      planned: [],
      cases: ['open'],
      payments: ['0 back 2900 R01', '0 back 2900 R01'],
    });
  });
});

describe('a bank account as a payment method', () => {
  it('is kept with its bank, its last digits and its mandate', async () => {
    const { accountId } = await begin();
    const [account] = await withTenant(scene.db, tenantId, (tx) =>
      tx.select().from(paymentMethods).where(eq(paymentMethods.id, accountId)),
    );
    expect(account).toMatchObject({
      type: 'us_bank_account',
      brand: 'STRIPE TEST BANK',
      last4: '6789',
      mandateId: expect.stringMatching(/^mandate_/),
      mandateEndedAt: null,
    });
  });

  it('that waits for its micro-deposits is refused, and nothing changes', async () => {
    const debit = await begin();
    const before = await stateOf(scene, debit);
    const unverified = scene.sandbox.createBankAccount({ answers: ['succeeded'], unverified: true });
    await expect(attach(debit, unverified)).rejects.toMatchObject({
      code: 'payment_method_invalid',
      message: expect.stringContaining('verified'),
    });
    expect(await stateOf(scene, debit)).toEqual(before);
  });

  it('of a customer who is billed in euros is refused before the vendor is told', async () => {
    const debit = await begin();
    await withTenant(scene.db, tenantId, (tx) => tx.update(customers).set({ currency: 'EUR' }));
    const account = scene.sandbox.createBankAccount({ answers: ['succeeded'] });
    const before = scene.sandbox.effects().length;
    await expect(attach(debit, account)).rejects.toMatchObject({
      code: 'payment_method_invalid',
      message: expect.stringMatching(/USD only, and this customer is billed in EUR/),
    });
    expect(scene.sandbox.effects()).toHaveLength(before);
    await withTenant(scene.db, tenantId, (tx) => tx.update(customers).set({ currency: 'USD' }));
  });

  it('that was returned for good is refused when it is named again', async () => {
    const debit = await begin();
    await bankSays(scene, debit, 'R02');
    await expect(attach(debit, debit.accountId)).rejects.toMatchObject({
      code: 'payment_method_invalid',
      message: expect.stringContaining('The bank account ending in 6789 was refused for good'),
    });
  });

  it.each(['pm_usBankAccount_success', 'pm_usBankAccount_insufficientFunds'])(
    'by Stripe’s test id %s is debited, and answers as documented',
    async (id) => {
      const invoice = await scene.openInvoice();
      tenantId = invoice.tenantId;
      const { subscriptionId } = await useAccount(scene, invoice);
      await attach({ ...invoice, subscriptionId }, id);
      expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('processing');
      const status = scene.sandbox.settle(latestDebit(scene, invoice));
      expect(status).toBe(id.endsWith('success') ? 'succeeded' : 'requires_payment_method');
      await scene.activities.stripe.syncCardPayment({
        paymentId: latestDebit(scene, invoice),
        inboxEventIds: [],
        at,
      });
    },
  );
});

/** The planned presentment, on its day. */
async function presentAgain(debit: Debited): Promise<Debited> {
  const first = await withTenant(scene.db, tenantId, async (tx) => {
    const rows = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.invoiceId, debit.invoiceId));
    return rows.toSorted((a, b) => a.ordinal - b.ordinal).at(-1);
  });
  const originKey = representmentKey(first?.id ?? '');
  const again = { ...debit.input, origin: 'representment', originKey, at: threeDaysLater } as const;
  expect(await scene.activities.stripe.collectInvoice(again)).toMatchObject({ outcome: 'processing' });
  return { ...debit, paymentIntent: latestDebit(scene, debit) };
}

async function look({ paymentIntent }: Debited): Promise<OwnCharge> {
  const charge = await scene.cardVendor.fetchCharge(paymentIntent);
  if (charge === null) throw new Error('The vendor has no such payment');
  return charge;
}

function book(debit: Debited, charge: OwnCharge | undefined): Promise<boolean> {
  if (charge === undefined) throw new Error('Nothing was seen');
  const { attemptId } = charge.metadata;
  return withTenant(scene.db, debit.tenantId, (tx) =>
    bookCharge(tx, { attemptId, charge, at: new Date(at) }),
  );
}

function paymentOf({ invoiceId }: Debited) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [payment] = await tx
      .select()
      .from(payments)
      .where(and(eq(payments.invoiceId, invoiceId), eq(payments.rail, 'stripe')));
    if (payment === undefined) throw new Error('The invoice was never paid');
    return payment;
  });
}

function attach({ subscriptionId }: Pick<Debited, 'subscriptionId'>, paymentMethodId: string) {
  return scene.activities.stripe.attachPaymentMethod({
    tenantId,
    subscriptionId,
    requestId: paymentMethodId,
    at,
    paymentMethodId,
    actor: 'test',
  });
}

async function cancel({ subscriptionId }: Debited): Promise<void> {
  const request = { tenantId, subscriptionId, requestId: 'cancel', actor: 'test', at };
  await scene.activities.billing.cancelSubscription({ ...request, mode: 'now', reason: 'not_given' });
}

/** The next period is paid out of the customer's credit. */
async function renew({ subscriptionId }: Debited): Promise<void> {
  const due = await withTenant(scene.db, tenantId, async (tx) => {
    const [row] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    return row?.periodEndsAt?.toISOString() ?? '';
  });
  await scene.activities.billing.renew({ tenantId, subscriptionId, at: due });
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}
