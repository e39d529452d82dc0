/** What Coinbase's tests share: a checkout of a scene's open invoice, and what books and provider say of it. */
import { asc, eq } from 'drizzle-orm';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { readCheckout, requestCheckout } from '../../db/queries/payments/coinbase-checkouts.ts';
import { customers } from '../../db/schema/billing.ts';
import { ledgerEntries, payments } from '../../db/schema/payments.ts';
import type { OpenInvoice, Scene } from './collection-scene.ts';

export const at = '2026-03-01T10:00:00.000Z';

/** A checkout that the provider has made; `externalId` is its id there. */
export type PlacedCheckout = OpenInvoice & { checkoutId: string; externalId: string };

/** The row, as the API makes it; returns its id. */
export function askForCheckout(
  scene: Scene,
  { tenantId, invoiceId }: OpenInvoice,
  when = at,
): Promise<string> {
  return withTenant(scene.db, tenantId, async (tx) => {
    return (await requestCheckout(tx, { invoiceId, actor: 'test', at: new Date(when) })).id;
  });
}

export function place(scene: Pick<Scene, 'activities'>, checkoutId: string, when = at) {
  return scene.activities.coinbase.placeCoinbaseCheckout({ checkoutId, at: when });
}

/** A checkout for an open invoice, a new one unless it is given. The provider's clock shows the scene's time. */
export async function placedCheckout(scene: Scene, given?: OpenInvoice, when = at): Promise<PlacedCheckout> {
  scene.coinbase.clock.set(new Date(when));
  const invoice = given ?? (await scene.openInvoice());
  const checkoutId = await askForCheckout(scene, invoice, when);
  await place(scene, checkoutId, when);
  const { externalId } = await checkoutRow(scene, invoice, checkoutId);
  if (externalId === null) throw new Error('The checkout was not made');
  return { ...invoice, checkoutId, externalId };
}

export function checkoutRow(scene: Scene, { tenantId }: OpenInvoice, checkoutId: string) {
  return withTenant(scene.db, tenantId, (tx) => readCheckout(tx, checkoutId));
}

export function look(scene: Pick<Scene, 'activities'>, { checkoutId }: PlacedCheckout, when = at) {
  return scene.activities.coinbase.syncCoinbaseCheckout({ checkoutId, inboxEventIds: [], at: when });
}

/** One after the other, and several at the same time. */
export async function lookOften(scene: Scene, checkout: PlacedCheckout, when = at): Promise<void> {
  await Promise.all([look(scene, checkout, when), look(scene, checkout, when), look(scene, checkout, when)]);
  await look(scene, checkout, when);
}

/** The checkouts the provider has made for the invoice, in its own log. */
export function checkoutsAtProvider(scene: Scene, { invoiceId }: OpenInvoice): number {
  return scene.coinbase
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'checkouts.create' && outcome === 'effect' && businessRef === invoiceId,
    ).length;
}

/** Everything our books say of the invoice. */
export function booksOf(
  scene: Pick<Scene, 'db'>,
  { tenantId, invoiceId }: Pick<OpenInvoice, 'tenantId' | 'invoiceId'>,
) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const received = await tx
      .select()
      .from(payments)
      .where(eq(payments.invoiceId, invoiceId))
      .orderBy(asc(payments.id));
    const [customer] = await tx.select().from(customers).where(eq(customers.id, invoice.customerId));
    const cash = await tx.select().from(ledgerEntries).where(eq(ledgerEntries.account, 'cash:coinbase'));
    return {
      invoice: `${invoice.status} ${invoice.paidMinor}`,
      payments: received.map(({ rail, amountMinor, allocatedMinor }) =>
        [rail, amountMinor, ...(allocatedMinor === amountMinor ? [] : [`(${allocatedMinor})`])].join(' '),
      ),
      creditMinor: customer?.creditMinor,
      cashMinor: cash.reduce((sum, { amountMinor }) => sum + amountMinor, 0),
    };
  });
}
