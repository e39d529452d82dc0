/**
 * What plan changes have taken over of an invoice: the unused time they have credited, on an invoice of theirs or on the
 * next one. That part has paid for something else, or is the customer's credit, so it is not given back as well.
 */
import { and, eq, inArray, ne, or } from 'drizzle-orm';
import { taxLines } from '../../../domain/billing/tax-amounts.ts';
import { isTakenBack } from '../../../domain/payments/refund.ts';
import type { Tx } from '../../client.ts';
import { invoiceLines, invoiceLineTaxes, invoices, subscriptions } from '../../schema/billing.ts';
import { disputes, payments, refunds } from '../../schema/payments.ts';
import type { InvoiceRow } from '../billing/invoices.ts';
import type { PaymentRow } from './read-payments.ts';

/** By line, tax included. A change that waits for its payment counts, one that was given up does not. */
export async function takenOverLines(
  tx: Tx,
  { id, subscriptionId }: InvoiceRow,
): Promise<ReadonlyMap<string, number>> {
  const own = await tx
    .select({ id: invoiceLines.id })
    .from(invoiceLines)
    .where(eq(invoiceLines.invoiceId, id));
  const ids = own.map((line) => line.id);
  const credits = await tx
    .select({ line: invoiceLines, taxInclusive: invoices.taxInclusive })
    .from(invoiceLines)
    .innerJoin(invoices, eq(invoices.id, invoiceLines.invoiceId))
    .where(and(inArray(invoiceLines.creditsLineId, ids), ne(invoices.status, 'void')));
  const taxes = await tx
    .select()
    .from(invoiceLineTaxes)
    .where(
      inArray(
        invoiceLineTaxes.lineId,
        credits.map(({ line }) => line.id),
      ),
    );
  const taken = new Map<string, number>();
  const take = (lineId: string, creditMinor: number) =>
    taken.set(lineId, (taken.get(lineId) ?? 0) - creditMinor);
  for (const { line, taxInclusive } of credits) {
    const ownTaxes = taxInclusive ? [] : taxes.filter(({ lineId }) => lineId === line.id);
    take(line.creditsLineId ?? '', line.amountMinor + sum(ownTaxes));
  }
  for (const { lineId, creditMinor } of await unbilledCredits(tx, subscriptionId)) {
    if (ids.includes(lineId)) take(lineId, creditMinor);
  }
  return taken;
}

/** Of the whole invoice. */
export async function takenOverOf(tx: Tx, invoice: InvoiceRow): Promise<number> {
  return [...(await takenOverLines(tx, invoice)).values()].reduce((total, minor) => total + minor, 0);
}

/** What of it became the customer's credit: where a change credited more than it charged. */
export async function keptAsCredit(tx: Tx, { id }: InvoiceRow): Promise<number> {
  const ids = tx.select({ id: invoiceLines.id }).from(invoiceLines).where(eq(invoiceLines.invoiceId, id));
  const changes = tx
    .select({ invoiceId: invoiceLines.invoiceId })
    .from(invoiceLines)
    .innerJoin(invoices, eq(invoices.id, invoiceLines.invoiceId))
    .where(and(inArray(invoiceLines.creditsLineId, ids), ne(invoices.status, 'void')));
  const kept = await tx
    .select()
    .from(invoiceLines)
    .where(and(inArray(invoiceLines.invoiceId, changes), eq(invoiceLines.kind, 'to_balance')));
  return sum(kept);
}

/** The credits of a change that is billed with the next invoice, whichever invoices they are of. */
async function unbilledCredits(
  tx: Tx,
  subscriptionId: string,
): Promise<{ lineId: string; creditMinor: number }[]> {
  const [row] = await tx
    .select({ unbilledChange: subscriptions.unbilledChange })
    .from(subscriptions)
    .where(eq(subscriptions.id, subscriptionId));
  return (row?.unbilledChange?.lines ?? []).flatMap((line) => {
    if (line.kind !== 'change_credit') return [];
    const [taxed] = taxLines([{ amountMinor: line.amountMinor, taxation: line.taxedAs }]);
    const creditMinor = (taxed?.netMinor ?? 0) + (taxed?.taxMinor ?? 0);
    return [{ lineId: line.creditsLineId, creditMinor }];
  });
}

/** What earlier changes have paid of an invoice: its credits, but for what of them became the customer's. */
async function paidByCredits(tx: Tx, { id, taxInclusive }: InvoiceRow): Promise<number> {
  const own = await tx
    .select()
    .from(invoiceLines)
    .where(and(eq(invoiceLines.invoiceId, id), inArray(invoiceLines.kind, ['change_credit', 'to_balance'])));
  const taxed = own.filter(({ kind }) => kind === 'change_credit').map((line) => line.id);
  const taxes = taxInclusive
    ? []
    : await tx.select().from(invoiceLineTaxes).where(inArray(invoiceLineTaxes.lineId, taxed));
  return 0 - sum(own) - sum(taxes);
}

/**
 * What of an invoice need not be left with a payment for what changes have taken over: earlier changes paid it, or its other
 * payments.
 */
export async function paidBesides(tx: Tx, payment: PaymentRow, invoice: InvoiceRow): Promise<number> {
  return (await paidByCredits(tx, invoice)) + (await paidByOthers(tx, payment));
}

/** What the other payments of an invoice have paid of it, and was not given back, is not on its way and not disputed. */
async function paidByOthers(tx: Tx, { id, invoiceId }: PaymentRow): Promise<number> {
  const others = (await tx.select().from(payments).where(eq(payments.invoiceId, invoiceId))).filter(
    (payment) => payment.id !== id && !isTakenBack(payment),
  );
  const ids = others.map((payment) => payment.id);
  const given = await tx
    .select()
    .from(refunds)
    .where(and(inArray(refunds.paymentId, ids), ne(refunds.status, 'failed')));
  const disputed = await tx
    .select()
    .from(disputes)
    .where(
      and(inArray(disputes.paymentId, ids), or(eq(disputes.status, 'open'), eq(disputes.status, 'lost'))),
    );
  return others.reduce((total, { id: paymentId, allocatedMinor }) => {
    const back = given.filter((refund) => refund.paymentId === paymentId);
    const gone = sum(back) - back.reduce((credit, { creditMinor }) => credit + creditMinor, 0);
    const taken = sum(disputed.filter((dispute) => dispute.paymentId === paymentId));
    return total + Math.max(0, allocatedMinor - gone - taken);
  }, 0);
}

function sum(rows: readonly { amountMinor: number }[]): number {
  return rows.reduce((total, { amountMinor }) => total + amountMinor, 0);
}
