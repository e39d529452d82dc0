/** What tests of direct debits share: an invoice whose debit is at the bank, what the bank says, and what our books say then. */
import { asc, eq } from 'drizzle-orm';
import { expect } from 'vitest';
import { withTenant } from '../../db/client.ts';
import { readInvoice } from '../../db/queries/billing/invoices.ts';
import { customers, dunningCases, subscriptionEvents, subscriptions } from '../../db/schema/billing.ts';
import { notifications } from '../../db/schema/messaging.ts';
import { chargeAttempts, ledgerEntries, paymentMethods, payments } from '../../db/schema/payments.ts';
import type { OpenInvoice, Scene } from './collection-scene.ts';

export const at = '2026-03-08T10:00:00.000Z';

export type Debited = OpenInvoice & { subscriptionId: string; accountId: string; paymentIntent: string };

/** The renewal's invoice, whose debit the bank works on. The invoice before it was paid by card. */
export async function debited(scene: Scene, ...answers: string[]): Promise<Debited> {
  const invoice = await scene.openInvoice();
  const { subscriptionId, accountId } = await useAccount(scene, invoice, answers);
  expect((await scene.activities.stripe.collectInvoice(invoice.input)).outcome).toBe('processing');
  return { ...invoice, subscriptionId, accountId, paymentIntent: latestDebit(scene, invoice) };
}

/** Makes a bank account the customer's method. */
export async function useAccount(
  scene: Scene,
  { tenantId, invoiceId, input }: OpenInvoice,
  answers: string[] = [],
): Promise<{ subscriptionId: string; accountId: string }> {
  const { subscriptionId } = await withTenant(scene.db, tenantId, (tx) => readInvoice(tx, invoiceId));
  const script = answers.length === 0 ? ['succeeded'] : answers;
  const accountId = scene.sandbox.createBankAccount({ answers: script });
  await scene.activities.stripe.attachPaymentMethod({
    tenantId,
    subscriptionId,
    requestId: accountId,
    at: input.at,
    paymentMethodId: accountId,
    actor: 'test',
  });
  return { subscriptionId, accountId };
}

/** The payment at the vendor by which the invoice was debited last. */
export function latestDebit(scene: Scene, { invoiceId }: OpenInvoice): string {
  return debitsOf(scene, { invoiceId }).at(-1) ?? '';
}

/** Every debit of the invoice that the vendor took on, by its payment. */
export function debitsOf(scene: Scene, { invoiceId }: Pick<OpenInvoice, 'invoiceId'>): string[] {
  return scene.sandbox
    .effects()
    .filter(
      ({ op, outcome, businessRef }) =>
        op === 'payment_intents.create' && outcome === 'effect' && businessRef === invoiceId,
    )
    .map(({ objectId }) => objectId ?? '');
}

/** What the vendor tells of the payment, looked at one after the other and several times at once. */
export async function syncOften(scene: Scene, paymentId: string, when: string = at): Promise<void> {
  const { syncCardPayment } = scene.activities.stripe;
  const sync = () => syncCardPayment({ paymentId, inboxEventIds: [], at: when });
  await Promise.all([sync(), sync(), sync()]);
  await sync();
}

/** The bank answers, and we hear of it. */
export async function bankSays(scene: Scene, debit: Debited, answer: string, when?: string): Promise<void> {
  scene.sandbox.settle(debit.paymentIntent, answer);
  await syncOften(scene, debit.paymentIntent, when);
}

/** The bank takes back what it had paid, and we hear of it. */
export async function bankTakesBack(scene: Scene, debit: Debited, code: string): Promise<void> {
  scene.sandbox.returnDebit(debit.paymentIntent, code);
  await syncOften(scene, debit.paymentIntent);
}

/** What of the customer a debit may change. */
export function stateOf(scene: Scene, { tenantId, invoiceId, subscriptionId, accountId }: Debited) {
  return withTenant(scene.db, tenantId, async (tx) => {
    const invoice = await readInvoice(tx, invoiceId);
    const [subscription] = await tx.select().from(subscriptions).where(eq(subscriptions.id, subscriptionId));
    const [customer] = await tx.select().from(customers);
    const [account] = await tx.select().from(paymentMethods).where(eq(paymentMethods.id, accountId));
    const received = await tx
      .select()
      .from(payments)
      .where(eq(payments.invoiceId, invoiceId))
      .orderBy(asc(payments.id));
    const attempts = await tx
      .select()
      .from(chargeAttempts)
      .where(eq(chargeAttempts.invoiceId, invoiceId))
      .orderBy(asc(chargeAttempts.ordinal));
    const ledger: Record<string, number> = {};
    // In an order of its own: states are compared as texts.
    const entries = await tx.select().from(ledgerEntries).orderBy(asc(ledgerEntries.account));
    for (const { account: name, amountMinor } of entries) {
      ledger[name] = (ledger[name] ?? 0) + amountMinor;
    }
    const timeline = await tx.select().from(subscriptionEvents).orderBy(asc(subscriptionEvents.id));
    const begins = timeline.findLastIndex(({ kind }) => kind === 'payment_method_changed');
    const mails = await tx.select().from(notifications).orderBy(asc(notifications.id));
    return {
      status: subscription?.status,
      ladder: subscription?.ladder,
      planned: subscription?.plannedCharges.map(({ origin, at: due }) => `${origin} ${due}`),
      invoice: `${invoice.status} ${invoice.paidMinor}`,
      payments: received.map(
        ({ allocatedMinor, returnedMinor, returnCode }) =>
          `${allocatedMinor} back ${returnedMinor} ${returnCode ?? ''}`,
      ),
      attempts: attempts.map(({ status, declineCode }) => `${status} ${declineCode ?? ''}`.trim()),
      creditMinor: customer?.creditMinor,
      isDefault: customer?.defaultPaymentMethodId === accountId,
      isRefused: account?.refusedAt !== null,
      hasMandate: account?.mandateEndedAt === null,
      cases: (await tx.select().from(dunningCases)).map(({ outcome }) => outcome ?? 'open'),
      ledger,
      timeline: timeline.slice(begins + 1).map(({ kind }) => kind),
      mails: mails.map(({ template }) => template).filter((template) => /return|fail|receipt/.test(template)),
    };
  });
}
