/** What Razorpay's tests share: an order of a scene's open invoice, and what books and vendor say of it. */
import { asc, eq } from 'drizzle-orm';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { readOrder, requestOrder } from '../../db/queries/payments/razorpay-orders.ts';
import { customers } from '../../db/schema/billing.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import type { OpenInvoice, Scene } from './collection-scene.ts';

export const at = '2026-03-01T10:00:00.000Z';

/** An order that the vendor has made; `externalId` is its id there. */
export type PlacedOrder = OpenInvoice & { orderId: string; externalId: string };

/** The row, as the API makes it; returns its id. */
export function askForOrder(scene: Scene, { tenantId, invoiceId }: OpenInvoice, when = at): Promise<string> {
  return withTenant(scene.db, tenantId, async (tx) => {
    return (await requestOrder(tx, { invoiceId, actor: 'test', at: new Date(when) })).id;
  });
}

export function place(scene: Scene, { tenantId }: OpenInvoice, orderId: string) {
  return scene.activities.razorpay.placeRazorpayOrder({ tenantId, orderId, at });
}

/** An order for an open invoice, a new one unless it is given. The vendor's clock shows the scene's time. */
export async function placedOrder(scene: Scene, given?: OpenInvoice): Promise<PlacedOrder> {
  scene.razorpay.clock.set(new Date(at));
  const invoice = given ?? (await scene.openInvoice());
  const orderId = await askForOrder(scene, invoice);
  await place(scene, invoice, orderId);
  const { externalId } = await orderRow(scene, invoice, orderId);
  if (externalId === null) throw new Error('The order was not made');
  return { ...invoice, orderId, externalId };
}

export function orderRow(scene: Scene, { tenantId }: OpenInvoice, orderId: string) {
  return withTenant(scene.db, tenantId, (tx) => readOrder(tx, orderId));
}

export function look(scene: Scene, { externalId }: PlacedOrder, when = at): Promise<void> {
  return scene.activities.razorpay.syncRazorpayOrder({ externalId, inboxEventIds: [], at: when });
}

/** One after the other, and several at the same time. */
export async function lookOften(scene: Scene, order: PlacedOrder): Promise<void> {
  await Promise.all([look(scene, order), look(scene, order), look(scene, order)]);
  await look(scene, order);
}

/** The orders the vendor has made for the invoice, in its own log. */
export function ordersAtVendor(scene: Scene, { invoiceId }: OpenInvoice): number {
  return scene.razorpay
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'orders.create' && outcome === 'effect' && businessRef === invoiceId,
    ).length;
}

/** What the vendor has taken for the invoice, in its own log. */
export function takenAtVendor(scene: Scene, { invoiceId }: OpenInvoice): number[] {
  return scene.razorpay
    .captures()
    .filter(({ businessRef }) => businessRef === invoiceId)
    .map(({ amountMinor }) => amountMinor ?? 0);
}

/** Everything our books say of the invoice and its order. */
export function booksOf(scene: Scene, { tenantId, invoiceId }: OpenInvoice) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const received = await tx
      .select()
      .from(payments)
      .where(eq(payments.invoiceId, invoiceId))
      .orderBy(asc(payments.id));
    const [customer] = await tx.select().from(customers).where(eq(customers.id, invoice.customerId));
    const cash: Record<string, number> = {};
    for (const { account, amountMinor } of await tx.select().from(ledgerEntries)) {
      if (account.startsWith('cash:')) cash[account] = (cash[account] ?? 0) + amountMinor;
    }
    return {
      invoice: `${invoice.status} ${invoice.paidMinor}`,
      payments: received.map(({ rail, amountMinor, allocatedMinor }) =>
        [rail, amountMinor, ...(allocatedMinor === amountMinor ? [] : [`(${allocatedMinor})`])].join(' '),
      ),
      creditMinor: customer?.creditMinor,
      cashMinor: cash['cash:razorpay'] ?? 0,
    };
  });
}
