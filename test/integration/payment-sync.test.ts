/**
 * What the card vendor says about a payment is read there and booked: payments that are none of ours, refunds that are
 * given and fail, money that nobody owed. And the look at the vendor for what no webhook told us of.
 */
import { asc, eq } from 'drizzle-orm';
import pg from 'pg';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMissedWebhooksActivities } from '../../activities/operations/missed-webhooks.ts';
import { type Tx, withSystem, withTenant } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import { closeUnpaidInvoice, type InvoiceRow, readInvoice } from '../../db/queries/billing/invoices.ts';
import { lockSubscription } from '../../db/queries/billing/subscriptions.ts';
import { storeCardEvent } from '../../db/queries/operations/inbox.ts';
import { bookCharge } from '../../db/queries/payments/book-charge.ts';
import { settlePayment } from '../../db/queries/payments/settle-payment.ts';
import { customers, subscriptionEvents } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { inboxEvents, outbox, scheduleRuns } from '../../db/schema/operations.ts';
import { chargeAttempts, ledgerEntries, payments, refunds } from '../../db/schema/payments.ts';
import { money } from '../../domain/money.ts';
import type { CardVendor } from '../../domain/payments/card-payment.ts';
import { createStripe } from '../../integrations/stripe/connection.ts';
import { databaseServerUrl } from '../support/services.ts';
import { createScene, type OpenInvoice, PRICE_MINOR, type Scene } from './collection-scene.ts';

const log = pino({ level: 'silent' });
let scene: Scene;
beforeEach(async () => {
  scene = await createScene();
});
afterEach(() => scene.close());

describe('a payment the vendor tells of', () => {
  it.each(['usd', 'ugx', 'xcg'])(
    'that is none of ours, in %s, is ignored and its event done with',
    async (currency) => {
      const paymentId = await pay({ currency });
      const eventId = await told(paymentId);
      const before = await everythingElse();
      await sync(paymentId, eventId);
      expect(await inboxRow(eventId)).toMatchObject({ ...processed, tenantId: null });
      expect(await everythingElse()).toEqual(before);
    },
  );

  it.each(['nobody', 'another tenant'])(
    'that names an attempt of %s changes nothing, and its event is done with',
    async (whose) => {
      const { tenantId, invoiceId } = await paidInvoice();
      const theirs = await chargeOf(await paidInvoice());
      const attemptId = whose === 'nobody' ? newId('att') : theirs.attemptId;
      const paymentId = await pay({ currency: 'usd', metadata: { tenantId, invoiceId, attemptId } });
      const eventId = await told(paymentId);
      const before = await everythingElse();
      await sync(paymentId, eventId);
      expect(await inboxRow(eventId)).toMatchObject({ ...processed, tenantId });
      expect(await everythingElse()).toEqual(before);
    },
  );

  it('that the vendor does not have is left to be told of again, and nothing is written', async () => {
    const eventId = await told('pi_of_another_account');
    const before = [await inboxRow(eventId), await everythingElse()];
    expect(before).toMatchObject([{ status: 'received', tenantId: null, processedAt: null }, {}]);
    await sync('pi_of_another_account', eventId);
    expect([await inboxRow(eventId), await everythingElse()]).toEqual(before);
  });
});

describe('a refund', () => {
  it('that fails at the bank is taken back once, however often it is looked at, and the next one is booked', async () => {
    const invoice = await paidInvoice();
    const { paymentIntent } = await chargeOf(invoice);
    const before = await newsOf(invoice);
    const failing = scene.sandbox.refund({ paymentIntent, amount: 1000 });
    await syncOften(paymentIntent);
    expect(await booksOf(invoice)).toEqual(refundedBooks({ refundedMinor: 1000, refunds: [given(1000)] }));

    scene.sandbox.failRefund(failing);
    expect(await toldTypes(paymentIntent)).toEqual(
      expect.arrayContaining(['refund.failed', 'refund.updated']),
    );
    await syncOften(paymentIntent);
    expect(await booksOf(invoice)).toEqual(refundedBooks({ refundedMinor: 0, refunds: [failed(1000)] }));

    scene.sandbox.refund({ paymentIntent, amount: 2500 });
    await syncOften(paymentIntent);
    const both = [failed(1000), given(2500)];
    expect(await booksOf(invoice)).toEqual(refundedBooks({ refundedMinor: 2500, refunds: both }));
    expect(await newsOf(invoice)).toEqual({
      timeline: [...before.timeline, 'payment_refunded', 'refund_failed', 'payment_refunded'],
      mails: [...before.mails, 'payment_refunded USD 10.00', 'payment_refunded USD 25.00'],
    });
  });

  it('stands when somebody who has looked before it books what was seen then', async () => {
    const invoice = await paidInvoice();
    const { paymentIntent } = await chargeOf(invoice);
    const seenBefore = await scene.cardVendor.fetchCharge(paymentIntent);
    scene.sandbox.refund({ paymentIntent, amount: 1000 });
    await sync(paymentIntent);
    if (seenBefore === null) throw new Error('The payment is ours');
    const late = { charge: seenBefore, attemptId: seenBefore.metadata.attemptId, at: new Date() };
    await withTenant(scene.db, invoice.tenantId, (tx) => bookCharge(tx, late));
    expect(await booksOf(invoice)).toEqual(refundedBooks({ refundedMinor: 1000, refunds: [given(1000)] }));
  });

  it('of money that nobody owed comes out of the customer’s credit, and goes back there when it fails', async () => {
    const invoice = await scene.openInvoice(['succeeded', 'processing']);
    await collect(invoice);
    await close(invoice, 'void');
    const { paymentIntent } = await chargeOf(invoice);
    scene.sandbox.settle(paymentIntent, 'succeeded');
    await syncOften(paymentIntent);
    expect(await booksOf(invoice)).toEqual(creditedBooks({ creditMinor: 2900, refunds: [] }));

    scene.sandbox.refund({ paymentIntent, amount: 900 });
    await syncOften(paymentIntent);
    expect(await booksOf(invoice)).toEqual(creditedBooks({ creditMinor: 2000, refunds: [given(900, 900)] }));

    const rest = scene.sandbox.refund({ paymentIntent });
    await syncOften(paymentIntent);
    const both = [given(900, 900), given(2000, 2000)];
    expect(await booksOf(invoice)).toEqual(creditedBooks({ creditMinor: 0, refunds: both }));

    scene.sandbox.failRefund(rest);
    await syncOften(paymentIntent);
    const one = [given(900, 900), failed(2000, 2000)];
    expect(await booksOf(invoice)).toEqual(creditedBooks({ creditMinor: 2000, refunds: one }));
  });
});

describe('a partly paid invoice', () => {
  it('that is voided leaves what was paid as the customer’s credit, once', async () => {
    const invoice = await partlyPaid(1000);
    await close(invoice, 'void');
    await close(invoice, 'void');
    expect(await booksOf(invoice)).toEqual({
      invoice: { status: 'void', paidMinor: 0, refundedMinor: 0 },
      payments: [{ rail: 'manual', amountMinor: 1000, allocatedMinor: 0, refundedMinor: 0 }],
      refunds: [],
      creditMinor: 1000,
      ledger: { ...firstInvoice, 'cash:manual': 1000, customer_credit: -1000 },
    });
  });

  it('that is written off keeps what was paid, and books the rest as bad debt', async () => {
    const invoice = await partlyPaid(1000);
    await close(invoice, 'uncollectible');
    expect(await booksOf(invoice)).toEqual({
      invoice: { status: 'uncollectible', paidMinor: 1000, refundedMinor: 0 },
      payments: [{ rail: 'manual', amountMinor: 1000, allocatedMinor: 1000, refundedMinor: 0 }],
      refunds: [],
      creditMinor: 0,
      ledger: { ...firstInvoice, revenue: -2 * PRICE_MINOR, 'cash:manual': 1000, bad_debt: 1900 },
    });
  });
});

describe('the look for missed webhooks', () => {
  it('finds what is dated up to two hours before the last look and was not seen then, once', async () => {
    expect(await look(noon)).toEqual({ looked: 0, found: 0, orders: 0, razorpaySubscriptions: 0 });
    const late = await happened(hours(-1.99));
    expect(await look(hours(0.005))).toEqual({ looked: 1, found: 1, orders: 0, razorpaySubscriptions: 0 });
    expect(await look(hours(0.01))).toEqual({ looked: 1, found: 0, orders: 0, razorpaySubscriptions: 0 });
    expect(await found()).toEqual([late]);
    expect(await lastLook()).toMatchObject({ watermark: hours(-1.99), lastSuccessAt: hours(0.01) });
  });

  it('goes back three days when it is the first, and no further', async () => {
    await happened(hours(-80));
    const recent = await happened(hours(-69.5));
    expect(await look(noon)).toEqual({ looked: 1, found: 1, orders: 0, razorpaySubscriptions: 0 });
    expect(await found()).toEqual([recent]);
  });

  it('that has time for one hour of events at each try comes as near as two hours', async () => {
    const [old, young] = [await happened(hours(-70.5)), await happened(hours(-2.5))];
    for (let tries = 0; tries < 72; tries += 1) {
      await expect(look(noon, dyingAtSlice(2, []))).rejects.toMatchObject({ code: 'vendor_unavailable' });
    }
    expect(await found()).toEqual([old, young]);
    expect(await lastLook()).toMatchObject({ watermark: hours(-2), lastSuccessAt: null });
  });

  it('that dies in the middle is gone on with from there, and stores no event twice', async () => {
    const events = [];
    for (const since of [-73.5, -72.5, -71.5, -1.5]) events.push(await happened(hours(since)));
    const asked: string[] = [];
    await expect(look(noon, dyingAtSlice(3, asked))).rejects.toMatchObject({ code: 'vendor_unavailable' });
    expect(await found()).toEqual(events.slice(0, 2));
    expect(await lastLook()).toMatchObject({ watermark: hours(-72), lastSuccessAt: null });

    expect(await look(hours(1), dyingAtSlice(null, asked))).toEqual({
      looked: 2,
      found: 2,
      orders: 0,
      razorpaySubscriptions: 0,
    });
    expect(asked.slice(0, 4)).toEqual([-74, -73, -72, -72].map((ago) => hours(ago).toISOString()));
    expect(await found()).toEqual(events);
    expect(await lastLook()).toMatchObject({ watermark: hours(-1), lastSuccessAt: hours(1) });
    const signals = await withSystem(scene.db, (tx) => tx.select().from(outbox));
    expect(signals.map(({ topic }) => topic)).toEqual(Array(4).fill('workflow.signal_with_start'));
  });
});

const at = '2026-03-01T10:00:00.000Z';
const noon = new Date('2026-06-15T12:00:00.000Z');
const hours = (count: number) => new Date(noon.getTime() + count * 3_600_000);

const processed = { status: 'processed', processedAt: expect.any(Date) };
const given = (amountMinor: number, creditMinor = 0) => ({ amountMinor, creditMinor, reversed: false });
const failed = (amountMinor: number, creditMinor = 0) => ({ amountMinor, creditMinor, reversed: true });

/** The customer has paid the invoice before by card. */
const firstInvoice = { receivable: 0, revenue: -PRICE_MINOR, 'cash:stripe': PRICE_MINOR };

function refundedBooks({ refundedMinor, refunds: booked }: { refundedMinor: number; refunds: object[] }) {
  const payment = { rail: 'stripe', amountMinor: PRICE_MINOR, allocatedMinor: PRICE_MINOR, refundedMinor };
  return {
    invoice: { status: 'paid', paidMinor: PRICE_MINOR, refundedMinor },
    payments: [payment],
    refunds: booked,
    creditMinor: 0,
    ledger: {
      receivable: 0,
      revenue: -2 * PRICE_MINOR,
      'cash:stripe': 2 * PRICE_MINOR - refundedMinor,
      refunds: refundedMinor,
    },
  };
}

/** The invoice is void: all of the payment is credit, or was given back out of it. */
function creditedBooks({ creditMinor, refunds: booked }: { creditMinor: number; refunds: object[] }) {
  const refundedMinor = PRICE_MINOR - creditMinor;
  return {
    invoice: { status: 'void', paidMinor: 0, refundedMinor },
    payments: [{ rail: 'stripe', amountMinor: PRICE_MINOR, allocatedMinor: 0, refundedMinor }],
    refunds: booked,
    creditMinor,
    ledger: { ...firstInvoice, 'cash:stripe': PRICE_MINOR + creditMinor, customer_credit: 0 - creditMinor },
  };
}

const collect = ({ input }: OpenInvoice) => scene.activities.stripe.collectInvoice(input);

async function paidInvoice(): Promise<OpenInvoice> {
  const invoice = await scene.openInvoice();
  expect((await collect(invoice)).outcome).toBe('paid');
  return invoice;
}

async function partlyPaid(amountMinor: number): Promise<OpenInvoice> {
  const invoice = await scene.openInvoice();
  const { tenantId, invoiceId } = invoice;
  const payment = { rail: 'manual', externalId: 'cash 1', amount: money(amountMinor, 'USD') } as const;
  const { outcome } = await withTenant(scene.db, tenantId, (tx) =>
    settlePayment(tx, { tenantId, invoiceId, ...payment, at: new Date(at) }),
  );
  expect(outcome).toBe('partial');
  return invoice;
}

function underLock<T>(
  { tenantId, invoiceId }: OpenInvoice,
  work: (tx: Tx, invoice: InvoiceRow) => Promise<T>,
): Promise<T> {
  return withTenant(scene.db, tenantId, async (tx) => {
    await lockSubscription(tx, (await readInvoice(tx, invoiceId)).subscriptionId);
    return work(tx, await readInvoice(tx, invoiceId));
  });
}

const close = (invoice: OpenInvoice, as: 'void' | 'uncollectible') =>
  underLock(invoice, (tx, row) => closeUnpaidInvoice(tx, row, { as, at: new Date(at) }));

/** The invoice's charge: our attempt and the vendor's payment. */
function chargeOf({
  tenantId,
  invoiceId,
}: OpenInvoice): Promise<{ attemptId: string; paymentIntent: string }> {
  return withTenant(scene.db, tenantId, async (tx) => {
    const [attempt] = await tx.select().from(chargeAttempts).where(eq(chargeAttempts.invoiceId, invoiceId));
    return { attemptId: attempt?.id ?? '', paymentIntent: attempt?.externalId ?? '' };
  });
}

/** A payment made straight at the vendor. */
async function pay({ currency, metadata = {} }: { currency: string; metadata?: Record<string, string> }) {
  const { id } = await stripe().paymentIntents.create({
    amount: 5000,
    currency,
    payment_method: scene.sandbox.createCard({ outcomes: ['succeeded'] }),
    confirm: true,
    metadata,
  });
  return id;
}

const stripe = () => createStripe({ secretKey: 'sk_test_another', apiBase: scene.sandbox.url });

/** Stores an event about the payment; returns its id in the inbox. */
async function told(paymentId: string): Promise<string> {
  const externalId = newId('evt');
  const event = { externalId, type: 'payment_intent.succeeded', paymentId, createdAt: at };
  return withSystem(scene.db, async (tx) => {
    expect(await storeCardEvent(tx, { event, source: 'webhook' })).toEqual({ outcome: 'stored' });
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.externalId, externalId));
    return row?.id ?? '';
  });
}

function sync(paymentId: string, ...inboxEventIds: string[]): Promise<void> {
  return scene.activities.stripe.syncCardPayment({ paymentId, inboxEventIds, at });
}

/** One after the other, and several at the same time. */
async function syncOften(paymentId: string): Promise<void> {
  await Promise.all([sync(paymentId), sync(paymentId), sync(paymentId)]);
  await sync(paymentId);
}

async function toldTypes(paymentId: string): Promise<string[]> {
  const range = { since: '2020-01-01T00:00:00Z', until: '2100-01-01T00:00:00Z' };
  const types: string[] = [];
  for await (const event of scene.cardVendor.listEvents(range)) {
    if (event.paymentId === paymentId) types.push(event.type);
  }
  return types;
}

function inboxRow(id: string) {
  return withSystem(scene.db, async (tx) => {
    const [row] = await tx.select().from(inboxEvents).where(eq(inboxEvents.id, id));
    return row;
  });
}

/** The rows of all tables but the inbox, as the owner of the database sees them. */
async function everythingElse(): Promise<Record<string, unknown>> {
  const url = new URL(databaseServerUrl());
  url.pathname = new URL(scene.db.url).pathname;
  const owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  const { rows } = await owner.query<{ name: string; content: string }>(
    `select table_name as name, query_to_xml(format('select * from %I t order by t::text', table_name), true, false, '')::text as content
       from information_schema.tables
      where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'inbox_events'`,
  );
  await owner.end();
  expect(rows.length).toBeGreaterThan(20);
  return Object.fromEntries(rows.map(({ name, content }) => [name, content]));
}

function booksOf(invoice: OpenInvoice) {
  return underLock(invoice, async (tx, { id, customerId, status, paidMinor, refundedMinor }) => {
    const [customer] = await tx.select().from(customers).where(eq(customers.id, customerId));
    const received = await tx.select().from(payments).where(eq(payments.invoiceId, id));
    const booked = await tx.select().from(refunds).orderBy(asc(refunds.id));
    const ledger: Record<string, number> = {};
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      ledger[account] = (ledger[account] ?? 0) + amountMinor;
    }
    return {
      invoice: { status, paidMinor, refundedMinor },
      payments: received.map((each) => ({
        rail: each.rail,
        amountMinor: each.amountMinor,
        allocatedMinor: each.allocatedMinor,
        refundedMinor: each.refundedMinor,
      })),
      refunds: booked.map(({ amountMinor, creditMinor, reversedAt }) => ({
        amountMinor,
        creditMinor,
        reversed: reversedAt !== null,
      })),
      creditMinor: customer?.creditMinor,
      ledger,
    };
  });
}

/** What the timeline and the mails of the invoice's customer say. */
function newsOf({ tenantId }: OpenInvoice) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    return {
      timeline: timeline.map(({ kind }) => kind),
      mails: mails.map(({ template, variables }) => [template, variables['refunded']].join(' ').trim()),
    };
  });
}

/** A payment of another program at that instant; returns the vendor's event that tells of it. */
async function happened(instant: Date): Promise<string> {
  scene.sandbox.clock.set(instant);
  await pay({ currency: 'usd' });
  const { data } = await stripe().events.list({ type: 'payment_intent.succeeded', limit: 1 });
  return data[0]?.id ?? '';
}

function look(instant: Date, cardVendor: CardVendor = scene.cardVendor) {
  scene.sandbox.clock.set(instant);
  const { reconcileMissedWebhooks } = createMissedWebhooksActivities({ db: scene.db, cardVendor, log });
  return reconcileMissedWebhooks({ at: instant.toISOString() });
}

/** The vendor, who fails when its events are asked for the nth time; `asked` notes since when they were. */
function dyingAtSlice(dieAt: number | null, asked: string[]): CardVendor {
  return {
    ...scene.cardVendor,
    listEvents: (range) => {
      asked.push(range.since);
      if (asked.length === dieAt)
        scene.sandbox.setFaults({ next: [{ fault: 'error_before', op: 'events.list' }] });
      return scene.cardVendor.listEvents(range);
    },
  };
}

/** The vendor's ids of the events that were found, the oldest first. */
async function found(): Promise<string[]> {
  const rows = await withSystem(scene.db, (tx) =>
    tx.select().from(inboxEvents).orderBy(asc(inboxEvents.occurredAt)),
  );
  for (const row of rows) expect(row).toMatchObject({ source: 'reconciler', status: 'received' });
  return rows.map(({ externalId }) => externalId);
}

async function lastLook() {
  const [row] = await withSystem(scene.db, (tx) => tx.select().from(scheduleRuns));
  return row;
}
