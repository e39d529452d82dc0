/** What refund tests share: a paid invoice of a scene, the requests, and what books, documents and vendor say then. */
import { asc, eq } from 'drizzle-orm';
import { expect } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { requestRefund } from '../../db/queries/payments/request-refund.ts';
import { customers, invoiceLines, invoices, subscriptionEvents } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { creditNoteLines, creditNotes, ledgerEntries, payments, refunds } from '../../db/schema/payments.ts';
import type { RefundWish } from '../../domain/payments/refund.ts';
import type { OpenInvoice, Scene } from './collection-scene.ts';

export const at = '2026-03-01T10:00:00.000Z';

/** An invoice that was paid, by card unless it was collected otherwise. */
export type Paid = OpenInvoice & { paymentId: string; lineId: string; paymentIntent: string };

export async function paidInvoice(scene: Scene): Promise<Paid> {
  const invoice = await scene.openInvoice();
  expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('paid');
  return paidBy(scene, invoice);
}

/** The latest payment of the invoice. */
export function paidBy(scene: Scene, invoice: OpenInvoice): Promise<Paid> {
  return withTenant(scene.db, invoice.tenantId, async (tx) => {
    const received = await tx
      .select()
      .from(payments)
      .where(eq(payments.invoiceId, invoice.invoiceId))
      .orderBy(asc(payments.id));
    const [line] = await tx.select().from(invoiceLines).where(eq(invoiceLines.invoiceId, invoice.invoiceId));
    const payment = received.at(-1);
    if (payment === undefined || line === undefined) throw new Error('The invoice is not paid');
    return { ...invoice, paymentId: payment.id, lineId: line.id, paymentIntent: payment.externalId };
  });
}

/** The row, as the API makes it; returns its id. */
export async function ask(
  scene: Scene,
  { tenantId, paymentId }: Paid,
  wish: RefundWish = {},
): Promise<string> {
  const { refund } = await withTenant(scene.db, tenantId, (tx) =>
    requestRefund(tx, { ...wish, paymentId, actor: 'test', at: new Date(at) }),
  );
  return refund.id;
}

/** What the process does with it. */
export function giveBack(scene: Scene, { tenantId }: Paid, refundId: string) {
  return scene.activities.stripe.giveBack({ tenantId, refundId, at });
}

/** What the vendor tells of the payment, looked at one after the other and several times at once. */
export async function syncOften(scene: Scene, { paymentIntent }: Paid): Promise<void> {
  const { syncCardPayment } = scene.activities.stripe;
  const sync = () => syncCardPayment({ paymentId: paymentIntent, inboxEventIds: [], at });
  await Promise.all([sync(), sync(), sync()]);
  await sync();
}

/** What the vendor has given back of the payment, in its own log. */
export function givenAtVendor(scene: Scene, paid: Paid): number[] {
  return refundEffects(scene, paid).map(({ amountMinor }) => amountMinor ?? 0);
}

/** The vendor's ids of the refunds of the payment, the oldest first. */
export function refundsAtVendor(scene: Scene, paid: Paid): string[] {
  return refundEffects(scene, paid).flatMap(({ objectId }) => objectId ?? []);
}

function refundEffects(scene: Scene, { invoiceId }: Paid) {
  return scene.sandbox
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'refunds.create' && outcome === 'effect' && businessRef === invoiceId,
    );
}

/** Everything our books say of the invoice and its refunds. */
export function booksOf(scene: Scene, { tenantId, invoiceId }: Paid) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const received = await tx.select().from(payments).where(eq(payments.invoiceId, invoiceId));
    const rows = await tx.select().from(refunds).orderBy(asc(refunds.id));
    const notes = await tx.select().from(creditNotes).orderBy(asc(creditNotes.number));
    const [customer] = await tx.select().from(customers).where(eq(customers.id, invoice.customerId));
    const ledger: Record<string, number> = {};
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      ledger[account] = (ledger[account] ?? 0) + amountMinor;
    }
    const billed = rows.map((row) => (row.status === 'succeeded' ? row.amountMinor - row.creditMinor : 0));
    expect(total(notes.map((note) => note.totalMinor))).toBe(total(billed));
    return {
      refunds: rows.map(({ status, amountMinor, failureCode }) =>
        [status, amountMinor, failureCode].filter((part) => part !== null).join(' '),
      ),
      notes: notes.map(({ number, totalMinor }) => `${number} ${totalMinor}`),
      refundedMinor: invoice.refundedMinor,
      paymentRefundedMinor: received.reduce((sum, payment) => sum + payment.refundedMinor, 0),
      creditMinor: customer?.creditMinor,
      cash: Object.fromEntries(Object.entries(ledger).filter(([account]) => account.startsWith('cash:'))),
      refundsMinor: ledger['refunds'] ?? 0,
      customerCreditMinor: ledger['customer_credit'] ?? 0,
    };
  });
}

const total = (amounts: number[]) => amounts.reduce((sum, amount) => sum + amount, 0);

/** What the timeline says of refunds, and which mails tell of them. */
export function newsOf(scene: Scene, { tenantId }: Paid) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    return {
      timeline: timeline.map(({ kind }) => kind).filter((kind) => /refund/.test(kind)),
      mails: mails
        .filter(({ template }) => template === 'payment_refunded')
        .map(({ variables }) => variables['refunded']),
    };
  });
}

/** The lines of the credit notes, in the order of their numbers. */
export function notedLines(scene: Scene, { tenantId }: Paid) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const rows = await tx
      .select({ number: creditNotes.number, line: creditNoteLines, invoice: invoices.number })
      .from(creditNoteLines)
      .innerJoin(creditNotes, eq(creditNotes.id, creditNoteLines.creditNoteId))
      .innerJoin(invoices, eq(invoices.id, creditNotes.invoiceId))
      .orderBy(asc(creditNotes.number), asc(creditNoteLines.position));
    return rows.map(({ number, line, invoice }) => ({
      number,
      invoice,
      lineId: line.invoiceLineId,
      description: line.description,
      amountMinor: line.amountMinor,
    }));
  });
}
